//! A JWK Set at an address, and the JWK Set of an OpenID Connect issuer.

use crate::error::{Error, Result};
use crate::keyset::KeySet;
use crate::keyset::server_rules::ServerRules;
use crate::keyset::terms::Origin;
use crate::remote::http::{Client, Request, Retries, Traffic, show};
use crate::remote::kind::{Auth, Form, Operation, Server, ServerKind, Sets};
use crate::remote::location::{Location, parse_address, parse_setting};
use serde::Deserialize;

/// The `Accept` header for published JWK Sets (RFC 7517 section 8.5.2).
const MEDIA_TYPES: &str = "application/jwk-set+json, application/json";

/// The properties that both kinds share.
const COMMON: ServerKind = ServerKind {
    name: "url",
    about: "a JWK Set at an address; read only",
    settings: &["--url"],
    auth: Auth::Optional,
    token: "Authorization: Bearer",
    token_variables: &[],
    sets: Sets::One,
    can: &[Operation::List, Operation::Get],
    origin: Origin::Publisher,
    rules: ServerRules::FAITHFUL,
    traffic: Traffic::Public,
    retries: Retries::USUAL,
    base: |location| parse_setting(location, URL.name),
    open: |client, _, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        Box::new(Address(client))
    },
};

/// A JWK Set at an address.
pub static URL: ServerKind = COMMON;

/// The JWK Set of an issuer (OpenID Connect Discovery 1.0 section 4).
pub static OIDC: ServerKind = ServerKind {
    name: "oidc",
    about: "the JWK Set of an OpenID Connect issuer; read only",
    settings: &["--issuer"],
    auth: Auth::None,
    base: |location| parse_address(Location::required("--issuer", &location.issuer, OIDC.name)?),
    open: |client, location, _| {
        let issuer = location.issuer.clone().unwrap_or_default();
        Box::new(Issuer { client, issuer })
    },
    ..COMMON
};

struct Address(Client);

impl Server for Address {
    fn test(&self) -> Result<String> {
        found(&read(&self.0, Request::get([""; 0]))?)
    }

    fn sets(&self) -> Result<Vec<String>> {
        Ok(vec!["jwks".into()])
    }

    fn get(&self, _: &str, _: Form) -> Result<Option<KeySet<'static>>> {
        read(&self.0, Request::get([""; 0])).map(Some)
    }
}

struct Issuer {
    client: Client,
    issuer: String,
}

/// The members that are read from an issuer's discovery document.
#[derive(Deserialize)]
struct Discovery {
    issuer: Option<String>,
    jwks_uri: Option<String>,
}

impl Issuer {
    fn read(&self) -> Result<KeySet<'static>> {
        let request = Request::get([".well-known", "openid-configuration"]);
        let answer = self.client.send(&request)?.success()?;
        let discovery: Discovery = answer.json()?;
        let call = &answer.call;
        // The keys of another issuer must not be accepted as those of this one.
        let said = discovery.issuer.unwrap_or_default();
        if said != self.issuer {
            let said = self.client.clean(said);
            return Err(Error::remote(format!(
                "{call} describes the issuer {said:?}, not {:?}",
                self.issuer
            ))
            .hint("the issuer must match exactly, including a slash at its end"));
        }
        let address = discovery.jwks_uri.unwrap_or_default();
        let address = parse_address(&address)
            .map_err(|_| Error::remote(format!("the answer to {call} has no valid jwks_uri")))?;
        if self.client.is_https() && address.scheme() != "https" {
            let address = show(&address);
            return Err(Error::remote(format!(
                "{call} names the jwks_uri {address}, which is not https"
            )));
        }
        read(&self.client, Request::address(address))
    }
}

impl Server for Issuer {
    fn test(&self) -> Result<String> {
        found(&self.read()?)
    }

    fn sets(&self) -> Result<Vec<String>> {
        Ok(vec!["jwks".into()])
    }

    fn get(&self, _: &str, _: Form) -> Result<Option<KeySet<'static>>> {
        self.read().map(Some)
    }
}

fn read(client: &Client, request: Request) -> Result<KeySet<'static>> {
    let answer = client.send(&request.accept(MEDIA_TYPES))?;
    answer.success()?.key_set()
}

fn found(set: &KeySet) -> Result<String> {
    Ok(format!("a JWK Set; keys: {}", set.keys.len()))
}
