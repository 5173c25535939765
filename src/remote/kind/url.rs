//! A JWK Set at an address, and the JWK Set of an OpenID Connect issuer.

use crate::error::Result;
use crate::keyset::KeySet;
use crate::keyset::server_rules::ServerRules;
use crate::keyset::terms::Origin;
use crate::remote::discovery::{self, Discovery};
use crate::remote::http::{Client, Request, Retries, Traffic};
use crate::remote::kind::{Auth, Form, Operation, Server, ServerKind, Sets};
use crate::remote::location::{Location, parse_address, parse_setting};

/// The `Accept` header for published JWK Sets (RFC 7517 section 8.5.2).
pub const MEDIA_TYPES: &str = "application/jwk-set+json, application/json";

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
    secret_address: true,
    check: |_| Ok(()),
    base: |location| parse_setting(location, URL.name),
    open: |client, location, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        let given = location.url.clone().filter(|_| !client.is_authenticated());
        Ok(Box::new(Address { client, given }))
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
    secret_address: false,
    base: |location| parse_address(Location::required("--issuer", &location.issuer, OIDC.name)?),
    open: |client, location, _| {
        let issuer = location.issuer.clone().unwrap_or_default();
        Ok(Box::new(Issuer { client, issuer }))
    },
    ..COMMON
};

struct Address {
    client: Client,
    /// The address as the user gave it; `None` if it is secret.
    given: Option<String>,
}

impl Address {
    /// Reads the JWK Set at the address. The address of an issuer leads to its JWK Set.
    fn read(&self) -> Result<KeySet<'static>> {
        let answer = match &self.given {
            Some(given) => discovery::get(&self.client, given, MEDIA_TYPES)?,
            None => {
                let request = Request::get([""; 0]).accept(MEDIA_TYPES);
                self.client.send(&request)?.success()?
            }
        };
        answer.key_set()
    }
}

impl Server for Address {
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

struct Issuer {
    client: Client,
    issuer: String,
}

impl Issuer {
    fn read(&self) -> Result<KeySet<'static>> {
        let request = Request::get([".well-known", "openid-configuration"]);
        let answer = self.client.send(&request)?.success()?;
        let discovery: Discovery = answer.json()?;
        let issuer = std::slice::from_ref(&self.issuer);
        let address = discovery.jwks_uri(&self.client, &answer.call, issuer)?;
        let request = Request::address(address).accept(MEDIA_TYPES);
        self.client.send(&request)?.success()?.key_set()
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

fn found(set: &KeySet) -> Result<String> {
    Ok(format!("a JWK Set; keys: {}", set.keys.len()))
}
