//! Apinizer: the set is the list of a project's JWK objects, which have one key each.

mod generate;
mod objects;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::server_rules::{ServerRules, Signing};
use crate::keyset::terms::Origin;
use crate::remote::http::{Retries, Traffic};
use crate::remote::kind::{Auth, Form, Generate, Listed, Operation, Server, ServerKind, Sets};
use crate::remote::location::{Location, parse_setting};
use objects::{Apinizer, Object};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// The members that Apinizer is known to keep.
const MEMBERS: &[&str] = &[
    "kty", "kid", "use", "alg", "crv", "x", "y", "n", "e", "k", "d", "p", "q", "dp", "dq", "qi",
];

/// The kind of Apinizer servers.
pub static APINIZER: ServerKind = ServerKind {
    name: "apinizer",
    about: "Apinizer, a project; the token is a personal API token, or the secret of --client-id",
    settings: &["--url", "--project", "--client-id"],
    auth: Auth::Required,
    token: "Authorization: Bearer",
    token_variables: &[],
    sets: Sets::One,
    can: &[
        Operation::List,
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
        signing: Signing::ByKid,
        refuses,
        ..ServerRules::FAITHFUL
    },
    traffic: Traffic::Private,
    retries: Retries {
        statuses: &[500, 502, 503, 504],
        ..Retries::USUAL
    },
    secret_address: false,
    check: |_| Ok(()),
    base: |location| {
        Location::required("--project", &location.project, APINIZER.name)?;
        parse_setting(location, APINIZER.name)
    },
    open: |client, location, token| Ok(Box::new(Apinizer::new(client, location, token))),
};

/// Returns why Apinizer does not accept a key, or `None` if it does.
fn refuses(members: &Members) -> Option<String> {
    let kty = members.string("kty").unwrap_or_default();
    let known = matches!(&*kty, "RSA" | "EC" | "oct" | "OKP");
    if !known {
        return Some(format!("Apinizer does not support the kty {kty}"));
    }
    (!members.has("kid")).then(|| "Apinizer requires a kid".into())
}

/// Returns a name for the object of a key: its kid if that is a valid name, or else its thumbprint.
fn object_name(key: &Key) -> String {
    let members = key.members().unwrap_or_default();
    let kid = members.string("kid").filter(|kid| {
        !kid.is_empty() && kid.chars().all(is_name_character) && !kid.chars().all(|c| c == '.')
    });
    let kid = kid.map(|kid| kid.into_owned());
    kid.or_else(|| thumbprint(&members)).unwrap_or_default()
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Returns an error if a change would delete a key only because it shares an object with another key.
fn refuse_shared_objects(objects: &[Object], before: &KeySet, after: &KeySet) -> Result<()> {
    let before: HashSet<&str> = before.keys.iter().map(Key::json).collect();
    let unchanged: HashSet<&str> = after.keys.iter().map(Key::json).collect();
    let afterwards = Kids::of(&after.keys);
    let changes = |object: &Object| {
        let same = |key: &&Key| APINIZER.rules.differences(&object.key, key).is_empty();
        before.contains(object.key.json())
            && !unchanged.contains(object.key.json())
            && !afterwards.sharing(&object.key).iter().any(same)
    };
    let mut shared = HashMap::new();
    for object in objects {
        let (keys, changed) = shared.entry(&object.name).or_insert((0, false));
        *keys += 1;
        *changed |= changes(object);
    }
    // If all keys are deleted, no key is deleted only because of another one.
    let shared = shared.iter().filter(|_| !after.keys.is_empty());
    let mut shared = shared.filter(|(_, (keys, changed))| *keys > 1 && *changed);
    match shared.next() {
        None => Ok(()),
        Some((name, (keys, _))) => Err(Error::refused(format!(
            "the object {name} holds {keys} keys, which can only be deleted together"
        ))
        .hint("delete the whole set, or split that object in Apinizer")),
    }
}

/// The keys of a set by kid. A key without a kid shares it only with copies of itself.
struct Kids<'k>(HashMap<Kid, Vec<&'k Key<'k>>>);

#[derive(PartialEq, Eq, Hash)]
enum Kid {
    Named(String),
    /// The JSON text of a key without a kid.
    Nameless(String),
}

impl Kid {
    fn of(key: &Key) -> Kid {
        match key.members().unwrap_or_default().string("kid") {
            Some(kid) => Kid::Named(kid.into_owned()),
            None => Kid::Nameless(key.json().to_owned()),
        }
    }
}

impl<'k> Kids<'k> {
    fn of(keys: &'k [Key<'k>]) -> Self {
        let mut kids: HashMap<_, Vec<_>> = HashMap::new();
        keys.iter()
            .for_each(|key| kids.entry(Kid::of(key)).or_default().push(key));
        Kids(kids)
    }

    /// Returns all keys that have the kid of this key.
    fn sharing(&self, key: &Key) -> &[&'k Key<'k>] {
        self.0.get(&Kid::of(key)).map_or(&[], Vec::as_slice)
    }
}

impl Server for Apinizer {
    fn test(&self) -> Result<String> {
        let keys = self.list()?.len();
        Ok(format!("project {} has keys: {keys}", self.project()))
    }

    fn sets(&self) -> Result<Vec<String>> {
        Ok(vec![self.project().to_owned()])
    }

    fn listed(&self) -> Result<Option<Vec<Listed>>> {
        self.list().map(Some)
    }

    fn get(&self, _: &str, form: Form) -> Result<Option<KeySet<'static>>> {
        let objects = self.objects(form)?.into_iter();
        let keys: Vec<_> = objects.map(|object| object.key).collect();
        Ok(Some(KeySet::from(keys)))
    }

    fn generate(&self, _: &str, key: &Generate) -> Result<KeySet<'static>> {
        let name = &key.kid;
        if !name.chars().all(is_name_character) {
            return Err(
                Error::usage(format!("invalid name for an object of Apinizer: {name:?}"))
                    .hint("use letters, digits, '.', '_' and '-'"),
            );
        }
        let (path, body) = match &key.from_url {
            Some(url) => (
                "",
                json!({"name": name, "sourceType": "URL", "url": url, "kid": name}),
            ),
            None => ("generate", generate::body(name, key)?),
        };
        self.refuse_too_many(1)?;
        self.post(name, &[path], &body)?;
        self.export(name, Form::Private)
    }

    fn put_set(&self, _: &str, before: &KeySet, after: &KeySet) -> Result<()> {
        let objects = self.objects(Form::Private)?;
        let is_same = |one: &Key, other: &Key| APINIZER.rules.differences(one, other).is_empty();
        let mut first = HashMap::new();
        for object in &objects {
            first.entry(Kid::of(&object.key)).or_insert(object);
        }
        let mut replaced = Vec::new();
        let mut created = Vec::new();
        for key in &after.keys {
            match first.get(&Kid::of(key)) {
                Some(object) if is_same(&object.key, key) => {}
                Some(object) => replaced.push((object, key)),
                None => created.push(key),
            }
        }
        refuse_shared_objects(&objects, before, after)?;
        if !created.is_empty() {
            self.refuse_too_many(created.len())?;
        }
        // New keys are added before old ones are deleted, so that a failure in between leaves more keys, not
        // fewer.
        for key in created {
            self.create(&object_name(key), key)?;
        }
        for (object, key) in replaced {
            self.replace(object, key)?;
        }
        let afterwards = Kids::of(&after.keys);
        let known: HashSet<&str> = before.keys.iter().map(Key::json).collect();
        for object in &objects {
            let stays = !afterwards.sharing(&object.key).is_empty();
            // A key that somebody else added in the meantime stays.
            if !stays && known.contains(object.key.json()) {
                self.delete(&object.name)?;
            }
        }
        Ok(())
    }

    fn put_key(&self, set: &str, before: &KeySet, key: &Key) -> Result<()> {
        self.put_set(set, before, &before.with(key))
    }

    fn delete_set(&self, set: &str, before: &KeySet) -> Result<()> {
        self.put_set(set, before, &KeySet::default())
    }

    fn delete_keys(&self, set: &str, before: &KeySet, keys: &[Key]) -> Result<()> {
        self.put_set(set, before, &before.without(keys))
    }
}
