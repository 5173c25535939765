//! Ory Hydra's admin API: 2.x, 1.x, and Ory Network, which speaks it behind a gateway.

mod answer;
mod halves;

use super::{Auth, Form, Generate, Kind, Operation, Server, Sets};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::members::Members;
use crate::key::public::is_key_pair;
use crate::key::summary::Header;
use crate::keyset::KeySet;
use crate::keyset::adopt::Origin;
use crate::keyset::storage::Storage;
use crate::remote::http::{Answer, Client, Request, Retries, Traffic};
use crate::remote::place::{Place, parse_address, parse_setting};
use crate::secret::Secret;
use answer::{Meaning, meaning};
use halves::PRIVATE;
use std::collections::HashSet;
use ureq::http::Method;
use url::Url;

/// What survives in Hydra's database.
const MEMBERS: &[&str] = &[
    "use", "kty", "kid", "crv", "alg", "k", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi",
    "x5c", "x5u", "x5t", "x5t#S256",
];

/// What the three have in common.
const COMMON: Kind = Kind {
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
    storage: Storage {
        members: Some(MEMBERS),
        kid: |kid, _| kid.to_owned(),
        signs: true,
        first_signs: true,
        refuses: |members| refuses(members, LONGEST_ID),
    },
    traffic: Traffic::Private,
    retries: Retries {
        judge: answer::verdict,
        ..Retries::USUAL
    },
    base: |place| self_hosted(place, &HYDRA),
    open: |client, _, token| Hydra::boxed(client, token, "hydra", &["admin", "keys"], false),
};

/// Ory Hydra 2.x.
pub static HYDRA: Kind = COMMON;

/// Ory Hydra 1.x, which keeps the two halves of a key pair apart.
pub static HYDRA_V1: Kind = Kind {
    name: "hydra-v1",
    about: "Ory Hydra 1.x, its admin address",
    storage: Storage {
        kid: halves::kid,
        refuses: |members| refuses(members, LONGEST_ID - PRIVATE.len()),
        ..COMMON.storage
    },
    base: |place| self_hosted(place, &HYDRA_V1),
    open: |client, _, token| Hydra::boxed(client, token, "hydra-v1", &["keys"], true),
    ..COMMON
};

/// Ory Network.
pub static ORY: Kind = Kind {
    name: "ory",
    about: "Ory Network, a project",
    settings: &["--project-slug", "--url"],
    auth: Auth::Required,
    token_variables: &["ORY_ACCESS_TOKEN"],
    base: network,
    open: |client, _, token| Hydra::boxed(client, token, "ory", &["admin", "keys"], false),
    ..COMMON
};

/// The longest id of a set or key, in characters.
const LONGEST_ID: usize = 255;

/// The variable in which Ory's own clients look for an address.
const ADDRESS_VARIABLE: &str = "ORY_SDK_URL";

fn self_hosted(place: &Place, kind: &Kind) -> Result<Url> {
    let url = address(place, kind)?;
    let path = url.path().trim_end_matches('/');
    match ["/admin", "/keys"].iter().any(|end| path.ends_with(end)) {
        false => Ok(url),
        true => Err(Error::usage(format!(
            "{} is given the address without {path}",
            kind.name
        ))),
    }
}

fn address(place: &Place, kind: &Kind) -> Result<Url> {
    match (&place.url, std::env::var(ADDRESS_VARIABLE)) {
        (None, Ok(address)) if !address.is_empty() => parse_address(&address),
        _ => parse_setting(place, kind.name),
    }
}

fn network(place: &Place) -> Result<Url> {
    match (&place.url, &place.project_slug) {
        (None, Some(slug)) => {
            let is_slug = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if slug.is_empty() || !slug.chars().all(is_slug) {
                return Err(Error::usage(format!("{slug:?} is no project slug")));
            }
            parse_address(&format!("https://{slug}.projects.oryapis.com"))
        }
        (Some(_), Some(_)) => Err(Error::usage(
            "--project-slug and --url both say where the project is",
        )),
        _ => self_hosted(place, &ORY).map_err(|error| {
            error.hint("--project-slug SLUG, --url URL or ORY_SDK_URL says which project")
        }),
    }
}

/// Why Hydra does not take a key.
fn refuses(members: &Members, longest_id: usize) -> Option<String> {
    let kid = members.string("kid").unwrap_or_default();
    if let Some(why) = refuses_kid(&kid, longest_id) {
        return Some(why);
    }
    let crv = members.string("crv").unwrap_or_default();
    match (members.string("kty").as_deref(), &*crv) {
        (Some("EC"), "P-256" | "P-384" | "P-521") | (Some("OKP"), "Ed25519") => None,
        (Some("EC" | "OKP"), crv) => Some(format!("Hydra does not know the curve {crv}")),
        (Some("RSA"), _) if members.has("d") && !(members.has("p") && members.has("q")) => {
            Some("Hydra wants p and q of a private RSA key".into())
        }
        (Some("RSA" | "oct"), _) => None,
        _ => Some("Hydra does not know its kty".into()),
    }
}

/// Why Hydra does not take a kid, or could not be asked for it again.
fn refuses_kid(kid: &str, longest_id: usize) -> Option<String> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    // A client takes dots alone for another path.
    let is_dots = kid.chars().all(|c| c == '.');
    let is_fine = !is_dots && kid.len() <= longest_id && kid.chars().all(is_id);
    (!is_fine).then(|| {
        format!("Hydra wants a kid of letters, digits, '.', '_', ':' and '-', at most {longest_id}")
    })
}

struct Hydra {
    client: Client,
    /// The name of the kind, for hints.
    kind: &'static str,
    prefix: &'static [&'static str],
    /// 1.x: each key pair is two entries.
    in_halves: bool,
}

impl Hydra {
    fn boxed(
        client: Client,
        token: Option<&Secret<String>>,
        kind: &'static str,
        prefix: &'static [&'static str],
        in_halves: bool,
    ) -> Box<dyn Server> {
        if let Some(token) = token {
            client.authorize("Bearer", token);
        }
        Box::new(Hydra {
            client,
            kind,
            prefix,
            in_halves,
        })
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
        match answer.is_success() {
            true => Ok(answer),
            false => Err(self.error(&answer)),
        }
    }

    fn error(&self, answer: &Answer) -> Error {
        let error = answer.error();
        let base = self.client.base();
        match meaning(answer) {
            Meaning::PlainHttp => {
                let https = base.replacen("http://", "https://", 1);
                let (name, kind) = (self.client.name(), self.kind);
                Error::remote(format!("{base} does not serve plain http: {error}")).hint(format!(
                    "run `jwks remote add {name} --kind {kind} --url {https} --force`, or have your proxy send X-Forwarded-Proto: https"
                ))
            }
            Meaning::UnknownRoute => error.hint(format!(
                "no such path there: is {base} the admin address of the right version? 2.x (kind hydra) answers below /admin/keys, 1.x (kind hydra-v1) below /keys"
            )),
            Meaning::Taken => Error::refused(error.to_string())
                .hint("the kid is taken there: choose another one"),
            _ => error,
        }
    }

    /// Refuses to let a key sign before its time: Hydra signs with the first private key.
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
            "Hydra would sign with the key {kid:?} at once, and its nbf is ahead"
        ))
        .hint("put its public form there until then; jwks push does so"))
    }

    fn put_entries(&self, set: &str, entries: Vec<Key>) -> Result<()> {
        // Some versions lose the set where one kid stands twice.
        let mut kids = HashSet::new();
        for entry in &entries {
            let kid = Header::of(entry).kid.unwrap_or_default();
            if !kids.insert(kid.clone()) {
                return Err(Error::refused(format!(
                    "the kid {kid:?} would stand for two keys there"
                ))
                .hint("give one of the two another kid"));
            }
        }
        // What is put is given back in reverse.
        let entries: Vec<&str> = entries.iter().rev().map(Key::json).collect();
        let body = format!(r#"{{"keys":[{}]}}"#, entries.join(","));
        self.call(Method::PUT, &[set], Some(body)).map(drop)
    }

    fn joined(&self, set: KeySet<'static>) -> KeySet<'static> {
        match self.in_halves {
            true => halves::join(set),
            false => set,
        }
    }

    /// The entries that a key is kept as.
    fn entries(&self, key: &Key, bare_kids: &HashSet<String>) -> Vec<Key<'static>> {
        let form = COMMON.storage.form(&key.members().unwrap_or_default());
        match self.in_halves {
            true => halves::split(form, bare_kids),
            false => vec![Key::from(form)],
        }
    }
}

/// Returns true if the set or key does not exist, and false if the path is wrong.
fn is_missing(answer: &Answer) -> bool {
    meaning(answer) == Meaning::Missing
}

fn check_set(set: &str) -> Result<()> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    // A client takes dots alone for another path.
    let is_dots = set.chars().all(|c| c == '.');
    match set.len() <= LONGEST_ID && !is_dots && set.chars().all(is_id) {
        true => Ok(()),
        false => Err(
            Error::usage(format!("{set:?} is no name for a set of Hydra"))
                .hint("names are of letters, digits, '.', '_', ':' and '-', at most 255"),
        ),
    }
}

impl Server for Hydra {
    fn test(&self) -> Result<String> {
        // A set that nobody has: the answer tells more than one about health, which no token guards.
        let answer = self
            .client
            .send(&self.request(Method::GET, &["jwks-remote-test"]))?;
        match answer.is_success() || is_missing(&answer) {
            true => Ok("it answers for key sets".into()),
            false => Err(self.error(&answer)),
        }
    }

    fn get(&self, set: &str, _: Form) -> Result<Option<KeySet<'static>>> {
        check_set(set)?;
        let answer = self.client.send(&self.request(Method::GET, &[set]))?;
        match answer.is_success() {
            true => answer.key_set().map(|set| Some(self.joined(set))),
            false if is_missing(&answer) => Ok(None),
            false => Err(self.error(&answer)),
        }
    }

    fn generate(&self, set: &str, key: &Generate) -> Result<KeySet<'static>> {
        check_set(set)?;
        if key.kty.is_some() || key.crv.is_some() || key.size.is_some() || key.from_url.is_some() {
            return Err(
                Error::usage("Hydra generates keys by --alg, --use and --kid alone")
                    .hint("make another key here and send it: jwks create, jwks push"),
            );
        }
        let halves = if self.in_halves { PRIVATE.len() } else { 0 };
        if let Some(why) = refuses_kid(&key.kid, LONGEST_ID - halves) {
            return Err(Error::usage(why));
        }
        let mut body = Members::default();
        body.set_text("alg", key.alg.as_deref().unwrap_or("ES256"));
        body.set_text("use", key.usage.as_deref().unwrap_or("sig"));
        body.set_text("kid", &key.kid);
        let request = self.request(Method::POST, &[set]).json(body.to_json());
        let answer = self.client.send(&request)?;
        if answer.is_success() {
            return answer.key_set().map(|set| self.joined(set));
        }
        let error = self.error(&answer);
        Err(match meaning(&answer) {
            Meaning::UnknownAlgorithm => {
                let alg = key.alg.as_deref().unwrap_or("ES256");
                error.hint(format!(
                    "this version of Hydra does not generate {alg} keys; pass --alg RS256, which every version knows"
                ))
            }
            _ => error,
        })
    }

    fn put_set(&self, set: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        check_set(set)?;
        self.refuse_pending_signer(&after.keys)?;
        let bare = halves::bare_kids(before);
        let entries = after.keys.iter().flat_map(|key| self.entries(key, &bare));
        self.put_entries(set, entries.collect())
    }

    fn put_key(&self, set: &str, before: &KeySet, key: &Key) -> Result<()> {
        check_set(set)?;
        // The last one that is put is the first one that is given back.
        self.refuse_pending_signer(std::slice::from_ref(key))?;
        for entry in self.entries(key, &halves::bare_kids(before)).iter().rev() {
            let kid = Header::of(entry).kid.unwrap_or_default().into_owned();
            self.call(Method::PUT, &[set, &kid], Some(entry.json().to_owned()))?;
        }
        Ok(())
    }

    fn delete_set(&self, set: &str, _: &KeySet) -> Result<()> {
        check_set(set)?;
        self.call(Method::DELETE, &[set], None).map(drop)
    }

    fn delete_keys(&self, set: &str, before: &KeySet, keys: &[Key]) -> Result<()> {
        check_set(set)?;
        let is_odd = |key: &Key| {
            let kid = Header::of(key).kid.unwrap_or_default();
            refuses_kid(&kid, LONGEST_ID).is_some()
        };
        // What no path can name goes with the rest of the set put anew.
        if keys.iter().any(is_odd) {
            return self.put_set(set, before, &before.without(keys));
        }
        let bare = halves::bare_kids(before);
        for key in keys {
            for entry in self.entries(key, &bare) {
                let kid = Header::of(&entry).kid.unwrap_or_default().into_owned();
                self.call(Method::DELETE, &[set, &kid], None)?;
            }
        }
        Ok(())
    }
}
