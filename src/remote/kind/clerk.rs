//! Clerk: the keys of an instance, read only.

use crate::error::Result;
use crate::keyset::KeySet;
use crate::keyset::server_rules::ServerRules;
use crate::keyset::terms::Origin;
use crate::remote::http::{Client, Request, Retries, Traffic};
use crate::remote::kind::{Auth, Form, Operation, Server, ServerKind, Sets};
use crate::remote::location::parse_address;

/// The kind of Clerk servers.
pub static CLERK: ServerKind = ServerKind {
    name: "clerk",
    about: "Clerk, an instance; read only",
    settings: &["--url"],
    auth: Auth::Required,
    token: "Authorization: Bearer, the secret key",
    token_variables: &["CLERK_SECRET_KEY", "CLERK_BEARER_AUTH"],
    sets: Sets::One,
    can: &[Operation::List, Operation::Get],
    origin: Origin::Publisher,
    rules: ServerRules::FAITHFUL,
    traffic: Traffic::Private,
    // Clerk's own clients retry for a minute.
    retries: Retries {
        tries: 12,
        statuses: &[500, 501, 502, 503, 504],
        ..Retries::USUAL
    },
    secret_address: false,
    check: |_| Ok(()),
    base: |location| parse_address(location.url.as_deref().unwrap_or("https://api.clerk.com")),
    open: |client, _, token| {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        Ok(Box::new(Clerk(client)))
    },
};

struct Clerk(Client);

impl Server for Clerk {
    fn test(&self) -> Result<String> {
        let keys = self.read()?.keys.len();
        Ok(format!("the instance has keys: {keys}"))
    }

    fn sets(&self) -> Result<Vec<String>> {
        Ok(vec!["jwks".into()])
    }

    fn get(&self, _: &str, _: Form) -> Result<Option<KeySet<'static>>> {
        self.read().map(Some)
    }
}

impl Clerk {
    fn read(&self) -> Result<KeySet<'static>> {
        let request = Request::get(["v1", "jwks"]);
        self.0.send(&request)?.success()?.key_set()
    }
}
