//! The admin API of Ory Hydra 2.x and 1.x, and of Ory Network, which has it behind a gateway.

mod answer;
mod issuer;
mod key_pairs;
mod limits;
mod location;
mod put;
mod version;

pub use put::document;

use crate::error::{Error, Reason, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::parts::is_key_pair;
use crate::keyset::KeySet;
use crate::keyset::server_rules::{ServerRules, Signing};
use crate::keyset::terms::Origin;
use crate::remote::http::{Answer, Client, Request, Retries, Traffic, Unanswered};
use crate::remote::kind::{Auth, Form, Generate, Operation, Server, ServerKind, Sets};
use crate::secret::Secret;
use answer::{Meaning, meaning};
use issuer::{ISSUER, ISSUER_V1, order};
use key_pairs::{Order, PRIVATE};
use limits::{LONGEST_ID, check_set, refuses, refuses_kid};
use location::{network, self_hosted};
use put::fits_path;
use std::cell::{Cell, OnceCell};
use std::collections::HashSet;
use ureq::http::Method;
use version::{NOBODYS_SET, Version, has_certificate_members};

/// The members that Hydra keeps. Old versions lose some of the last ones: see [`Version::members`].
const MEMBERS: &[&str] = &[
    "use", "kty", "kid", "crv", "alg", "k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi",
    "x5c", "x5t", "x5t#S256", "x5u",
];

/// The paths of key sets in 2.x and in 1.x.
const SETS: &[&str] = &["admin", "keys"];
const SETS_V1: &[&str] = &["keys"];

/// The properties that all three share.
const COMMON: ServerKind = ServerKind {
    name: "hydra",
    about: "Ory Hydra 2.x, its admin address",
    settings: &["--url"],
    auth: Auth::Optional,
    token: "Authorization: Bearer",
    token_variables: &[],
    sets: Sets::Named,
    can: &[
        Operation::Get,
        Operation::Create,
        Operation::SetSet,
        Operation::SetKey,
        Operation::DeleteSet,
        Operation::DeleteKey,
    ],
    origin: Origin::Signer,
    rules: ServerRules {
        members: Some(MEMBERS),
        kid: |kid, _| kid.to_owned(),
        signing: Signing::FirstSecret,
        issuer: Some(&ISSUER),
        refuses: |members| refuses(members, LONGEST_ID),
        publishes: false,
    },
    traffic: Traffic::Private,
    retries: Retries {
        unanswered: Unanswered::Look,
        judge: answer::verdict,
        ..Retries::USUAL
    },
    secret_address: false,
    check: |_| Ok(()),
    base: |location| self_hosted(location, &HYDRA),
    open: |client, _, token| Ok(Hydra::boxed(client, token, &HYDRA, SETS)),
};

/// Ory Hydra 2.x.
pub static HYDRA: ServerKind = COMMON;

/// Ory Hydra 1.x, which stores the two halves of a key pair as separate entries.
pub static HYDRA_V1: ServerKind = ServerKind {
    name: "hydra-v1",
    about: "Ory Hydra 1.x, its admin address",
    rules: ServerRules {
        kid: key_pairs::kid,
        signing: Signing::FirstPair,
        issuer: Some(&ISSUER_V1),
        refuses: |members| refuses(members, LONGEST_ID - PRIVATE.len()),
        ..COMMON.rules
    },
    base: |location| self_hosted(location, &HYDRA_V1),
    open: |client, _, token| Ok(Hydra::boxed(client, token, &HYDRA_V1, SETS_V1)),
    ..COMMON
};

/// Ory Network.
pub static ORY: ServerKind = ServerKind {
    name: "ory",
    about: "Ory Network, a project",
    settings: &["--project-slug", "--url"],
    auth: Auth::Required,
    token_variables: &["ORY_ACCESS_TOKEN"],
    base: network,
    open: |client, _, token| Ok(Hydra::boxed(client, token, &ORY, SETS)),
    ..COMMON
};

struct Hydra {
    client: Client,
    kind: &'static ServerKind,
    /// The path of the sets.
    prefix: &'static [&'static str],
    /// The server's version, requested on first use; `None` if the server does not say.
    version: OnceCell<Option<Version>>,
    /// True once the server was found to be of this kind.
    is_of_kind: Cell<bool>,
    /// True if a pair signs in the set that was read last; 1.x decides it by the order of the halves.
    is_in_order: Cell<bool>,
}

impl Hydra {
    fn boxed(
        client: Client,
        token: Option<&Secret<String>>,
        kind: &'static ServerKind,
        prefix: &'static [&'static str],
    ) -> Box<dyn Server> {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        Box::new(Hydra {
            client,
            kind,
            prefix,
            version: OnceCell::new(),
            is_of_kind: Cell::new(false),
            is_in_order: Cell::new(true),
        })
    }

    /// Returns true if the server stores each key pair as two entries, as 1.x does.
    fn in_halves(&self) -> bool {
        self.prefix == SETS_V1
    }

    fn request(&self, method: Method, path: &[&str]) -> Request {
        Request::new(method, self.prefix.iter().chain(path))
    }

    fn call(&self, method: Method, path: &[&str], body: Option<String>) -> Result<Answer> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = self.client.send(&request)?;
        if answer.is_success() {
            Ok(answer)
        } else {
            Err(self.error(&answer))
        }
    }

    fn error(&self, answer: &Answer) -> Error {
        let error = answer.error();
        let (base, name) = (self.client.base(), self.client.name());
        let base = base.trim_end_matches('/');
        match meaning(answer) {
            Meaning::PlainHttp => {
                let https = base.replacen("http://", "https://", 1);
                let kind = self.kind.name;
                Error::remote(format!("{base} does not serve plain http: {error}")).hint(format!(
                    "run `jwks remote add {name} --kind {kind} --url {https} --force`, or have your proxy send X-Forwarded-Proto: https"
                ))
            }
            Meaning::UnknownRoute => self.other_kind().unwrap_or_else(|| {
                error.hint(format!(
                    "{base} is not the admin address of a Hydra: 2.x (kind hydra) answers below /admin/keys, 1.x (kind hydra-v1) below /keys"
                ))
            }),
            // A write without a kid can conflict only with another write.
            Meaning::Taken | Meaning::RolledBack => Error::refused(error.to_string())
                .because(Reason::Overtaken)
                .hint("somebody else wrote to the set at the same time; run the command again"),
            _ => error,
        }
    }

    /// Returns an error if a pending key would be the first private key, with which Hydra signs.
    fn refuse_pending_signer(&self, keys: &[Key]) -> Result<()> {
        let signer = keys.iter().find(|key| is_key_pair(key));
        let now = self.client.options().now;
        let Some(header) = signer
            .map(Header::of)
            .filter(|header| header.nbf.is_some_and(|nbf| nbf > now))
        else {
            return Ok(());
        };
        let kid = header.kid.unwrap_or_default();
        Err(Error::refused(format!(
            "Hydra would sign with the key {kid:?} at once, but its nbf is in the future"
        ))
        .hint("run `jwks push`, which sends only its public form until then"))
    }

    /// Reads a set, with the halves of key pairs joined.
    fn joined(&self, name: &str, set: KeySet<'static>) -> KeySet<'static> {
        if !self.in_halves() {
            return set;
        }
        let signer = key_pairs::signer(&set, order(name));
        self.is_in_order.set(signer.is_some());
        key_pairs::join(&set, order(name))
    }

    /// Returns the kids of key pairs that are stored as one entry. In the sets with which the server signs
    /// there are none, because it could not sign with such an entry.
    fn bare_kids(&self, name: &str, before: &KeySet) -> HashSet<String> {
        let mut before = before.clone();
        if order(name) == Order::Signs {
            before.keys.retain(|key| !is_key_pair(key));
        }
        key_pairs::bare_kids(&before)
    }

    /// Reads the key with a kid in a set on the server.
    fn find(&self, set: &str, kid: &str) -> Result<Option<Key<'static>>> {
        let held = self.get(set, Form::Private)?.unwrap_or_default();
        let is_it = |key: &Key| {
            let header = Header::of(key);
            let there = (self.kind.rules.kid)(kid, header.kty.as_deref());
            header.kid.as_deref() == Some(&*there)
        };
        Ok(held.keys.into_iter().find(is_it))
    }
}

/// Returns true if the set or key does not exist, and false if the path is wrong.
fn is_missing(answer: &Answer) -> bool {
    meaning(answer) == Meaning::Missing
}

impl Server for Hydra {
    fn test(&self) -> Result<String> {
        // Request a key set, because the health endpoint needs no token and so proves less.
        let answer = self
            .client
            .send(&self.request(Method::GET, &[NOBODYS_SET]))?;
        if !answer.is_success() && !is_missing(&answer) {
            return Err(self.error(&answer));
        }
        self.refuse_other_kind()?;
        Ok("the API for key sets".into())
    }

    fn refuse_other_kind(&self) -> Result<()> {
        // Only 2.x has these paths.
        if !self.in_halves() || self.is_of_kind.get() {
            return Ok(());
        }
        match self.other_kind() {
            Some(error) => Err(error),
            None => {
                self.is_of_kind.set(true);
                Ok(())
            }
        }
    }

    fn rules(&self, sets: &[&KeySet]) -> Option<ServerRules> {
        let mut keys = sets.iter().flat_map(|set| &set.keys);
        keys.any(has_certificate_members).then(|| ServerRules {
            members: Some(self.members()),
            ..self.kind.rules
        })
    }

    fn get(&self, set: &str, _: Form) -> Result<Option<KeySet<'static>>> {
        check_set(set)?;
        let answer = self.client.send(&self.request(Method::GET, &[set]))?;
        if answer.is_success() {
            answer.key_set().map(|keys| Some(self.joined(set, keys)))
        } else if is_missing(&answer) {
            Ok(None)
        } else {
            Err(self.error(&answer))
        }
    }

    fn generate(&self, set: &str, key: &Generate) -> Result<KeySet<'static>> {
        check_set(set)?;
        if key.kty.is_some() || key.crv.is_some() || key.size.is_some() || key.from_url.is_some() {
            return Err(
                Error::usage("Hydra generates keys only from --alg, --use and --kid").hint(
                    "run `jwks create` and `jwks push` to create another key here and send it",
                ),
            );
        }
        let halves = if self.in_halves() { PRIVATE.len() } else { 0 };
        if let Some(why) = refuses_kid(&key.kid, LONGEST_ID - halves) {
            return Err(Error::usage(why));
        }
        let mut body = Members::default();
        body.set_text("alg", key.alg.as_deref().unwrap_or("ES256"));
        body.set_text("use", key.usage.as_deref().unwrap_or("sig"));
        body.set_text("kid", &key.kid);
        let taken = || {
            let (kid, name) = (&key.kid, self.client.name());
            Error::refused(format!("set {set} on {name} already has the kid {kid:?}"))
                .hint("pass --kid to choose another one")
        };
        if self.find(set, &key.kid)?.is_some() {
            return Err(taken());
        }
        self.refuse_other_kind()?;
        let request = self.request(Method::POST, &[set]).json(body.to_json());
        let answer = match self.client.send(&request) {
            // Generating a large key can take longer than the server's write timeout.
            Err(error) if error.is_because(Reason::Unanswered) => {
                let made = self.find(set, &key.kid)?;
                return made.map(|key| KeySet::from(vec![key])).ok_or(error);
            }
            answer => answer?,
        };
        if answer.is_success() {
            return answer.key_set().map(|keys| self.joined(set, keys));
        }
        let error = self.error(&answer);
        Err(match meaning(&answer) {
            Meaning::UnknownAlgorithm => {
                let alg = key.alg.as_deref().unwrap_or("ES256");
                error.hint(format!(
                    "this version of Hydra does not generate {alg} keys; pass --alg RS256, which every version supports"
                ))
            }
            Meaning::Taken => taken(),
            _ => error,
        })
    }

    fn put_set(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        check_set(set)?;
        self.refuse_pending_signer(&after.keys)?;
        let bare = self.bare_kids(set, before);
        if let Some(key) = self.single(before, after) {
            return self.put_alone(set, &self.entries(key, &bare));
        }
        let entries = after.keys.iter().flat_map(|key| self.entries(key, &bare));
        self.put_entries(set, entries.collect())
    }

    fn put_key(&self, set: &str, before: &KeySet, key: &Key) -> Result<()> {
        check_set(set)?;
        self.refuse_pending_signer(std::slice::from_ref(key))?;
        let bare = self.bare_kids(set, before);
        let entries = self.entries(key, &bare);
        if entries.iter().all(fits_path) {
            return self.put_alone(set, &entries);
        }
        // A key whose kid cannot be in a path is written with the whole set, and comes first there, too.
        let others = before.with(key).without(std::slice::from_ref(key)).keys;
        let others = others.iter().flat_map(|key| self.entries(key, &bare));
        let others: Vec<_> = others.collect();
        self.put_entries(set, entries.into_iter().chain(others).collect())
    }

    fn is_in_order(&self) -> bool {
        self.is_in_order.get()
    }

    fn delete_set(&self, set: &str, _: &KeySet) -> Result<()> {
        check_set(set)?;
        self.call(Method::DELETE, &[set], None).map(drop)
    }

    fn delete_keys(&self, set: &str, before: &KeySet, keys: &[Key]) -> Result<()> {
        check_set(set)?;
        let bare = key_pairs::bare_kids(before);
        let is_odd = |key: &Key| !self.entries(key, &bare).iter().all(fits_path);
        // A key whose kid cannot be in a path is deleted by writing the rest of the set.
        if keys.iter().any(is_odd) {
            return self.put_set(set, before, &before.without(keys));
        }
        for key in keys {
            for entry in self.entries(key, &bare) {
                let kid = Header::of(&entry).kid.unwrap_or_default().into_owned();
                self.call(Method::DELETE, &[set, &kid], None)?;
            }
        }
        Ok(())
    }
}
