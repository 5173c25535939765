//! Finds the JWK Set of an issuer by its discovery document (OpenID Connect Discovery 1.0 section 4, and
//! RFC 8414 section 3).

use crate::error::{Error, Result};
use crate::remote::http::{Answer, Client, Request, parse, show};
use crate::remote::location::parse_address;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

/// The path of a discovery document below an issuer (OpenID Connect Discovery 1.0 section 4.1).
const OPENID: &str = "/.well-known/openid-configuration";

/// The path of a discovery document before the path of an issuer (RFC 8414 section 3.1).
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// The largest document that can be a discovery document, in bytes.
const LARGEST: usize = 1 << 20;

/// The members that are read from a discovery document.
#[derive(Deserialize)]
pub struct Discovery {
    issuer: Option<String>,
    jwks_uri: Option<String>,
    /// A document with this member is a JWK Set and not a discovery document.
    keys: Option<IgnoredAny>,
}

/// Gets the document at an address. If the address is an issuer or its discovery document, gets the JWK Set
/// that the document names instead. Only one such step is taken. `address` is the address as the user gave
/// it.
pub fn get(client: &Client, address: &str, accept: &'static str) -> Result<Answer> {
    let answer = client.send(&Request::get([""; 0]).accept(accept))?;
    let is_elsewhere = match answer.status {
        429 => false,
        status => (400..500).contains(&status) || answer.is_success() && is_page(&answer),
    };
    let followed = if is_elsewhere {
        find(client, address)
    } else {
        Discovery::of(&answer).map(|discovery| (answer.call.clone(), discovery))
    };
    let Some((call, discovery)) = followed else {
        return answer.success();
    };
    let jwks = discovery.jwks_uri(client, &call, &issuers(address))?;
    client
        .send(&Request::address(jwks).accept(accept))?
        .success()
}

/// Returns true if an answer is a web page or empty, which an issuer's address can be.
fn is_page(answer: &Answer) -> bool {
    matches!(
        answer.body.expose().trim_ascii_start().first(),
        None | Some(b'<')
    )
}

/// Returns the discovery document of an issuer, with the call that read it; `None` if it has none.
fn find(client: &Client, issuer: &str) -> Option<(String, Discovery)> {
    let issuer = Url::parse(issuer).ok()?;
    if issuer.query().is_some() || issuer.path().contains("/.well-known/") {
        return None;
    }
    let path = issuer.path().trim_end_matches('/');
    for place in [format!("{path}{OPENID}"), format!("{OAUTH}{path}")] {
        let mut address = issuer.clone();
        address.set_path(&place);
        // If this call fails, the failure of the address itself is reported.
        let answer = client.send(&Request::address(address)).ok();
        if let Some(answer) = answer
            && let Some(discovery) = Discovery::of(&answer)
        {
            return Some((answer.call, discovery));
        }
    }
    None
}

/// Returns the issuers that the discovery document of an address may name: the address itself, or for
/// a well-known address, its issuer without and with a slash at its end.
fn issuers(address: &str) -> Vec<String> {
    let below = address.strip_suffix(OPENID).map(str::to_owned);
    let before = || {
        let (host, path) = address.split_once(OAUTH)?;
        Some(format!("{host}{path}"))
    };
    match below.or_else(before) {
        Some(issuer) => vec![issuer.clone(), issuer + "/"],
        None => vec![address.to_owned()],
    }
}

impl Discovery {
    /// Parses an answer as a discovery document; `None` if it is something else.
    fn of(answer: &Answer) -> Option<Discovery> {
        let body = answer.body.expose();
        if !answer.is_success() || body.len() > LARGEST {
            return None;
        }
        let is_one =
            |it: &Discovery| it.issuer.is_some() && it.jwks_uri.is_some() && it.keys.is_none();
        parse(body).filter(is_one)
    }

    /// Returns the address of the JWK Set. `call` is the call that read the document. Returns an error if
    /// the document describes another issuer, or if the address is invalid or less safe than the issuer's.
    pub fn jwks_uri(self, client: &Client, call: &str, issuers: &[String]) -> Result<Url> {
        // The keys of another issuer must not be accepted as those of this one.
        let named = self.issuer.unwrap_or_default();
        if !issuers.contains(&named) {
            let named = client.clean(named);
            let expected = issuers.first().map_or("", String::as_str);
            return Err(Error::remote(format!(
                "{call} describes the issuer {named:?}, not {expected:?}"
            ))
            .hint("the issuer must match exactly, including a slash at its end"));
        }
        let address = self.jwks_uri.unwrap_or_default();
        let address = parse_address(&address)
            .map_err(|_| Error::remote(format!("the answer to {call} has no valid jwks_uri")))?;
        if client.is_https() && address.scheme() != "https" {
            let address = show(&address);
            return Err(Error::remote(format!(
                "{call} names the jwks_uri {address}, which is not https"
            )));
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_known_address_names_its_issuer() {
        for (address, issuer) in [
            ("https://h/.well-known/openid-configuration", "https://h"),
            (
                "https://h/t/.well-known/openid-configuration",
                "https://h/t",
            ),
            (
                "https://h/.well-known/oauth-authorization-server/t",
                "https://h/t",
            ),
            ("https://h/t/", "https://h/t/"),
        ] {
            assert_eq!(issuers(address)[0], issuer, "{address}");
        }
    }
}
