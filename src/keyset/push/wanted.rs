//! What is wanted of each local key on a server: whole, public, or not at all.

use super::{Ed25519, Policy, Private};
use crate::key::Key;
use crate::key::check::{Budget, Finding, Severity, findings};
use crate::key::key_type::KeyType;
use crate::key::members::Members;
use crate::key::public::{Dates, Unpublishable, has_private_member, public_form};
use crate::key::summary::Header;
use crate::keyset::lifecycle::State;
use crate::keyset::merge::KeyName;
use crate::keyset::storage::Storage;

/// What is wanted of a local key on the server.
pub enum Wanted {
    Key(Key<'static>),
    Expired,
    NotNamed,
    LeftOut(&'static str),
    Refused(String),
}

/// What is wanted of a local key.
pub fn wanted(
    key: &Key,
    state: State,
    storage: &Storage,
    policy: Policy,
    budget: &Budget,
) -> Wanted {
    let name = KeyName::of(key);
    let is_named = |wanted: &String| {
        Some(wanted) == name.kid.as_ref() || Some(wanted) == name.thumbprint.as_ref()
    };
    if !policy.only.is_empty() && !policy.only.iter().any(is_named) {
        return Wanted::NotNamed;
    }
    if state == State::Expired {
        return Wanted::Expired;
    }
    let public = public_form(key, Dates::Keep);
    let wanted = match public {
        Err(Unpublishable::Invalid) => return Wanted::LeftOut("invalid"),
        Err(Unpublishable::Unsupported) => return Wanted::LeftOut("unsupported"),
        Err(Unpublishable::Symmetric) if policy.only.is_empty() => {
            return Wanted::LeftOut("symmetric: sent only when named");
        }
        Err(Unpublishable::Symmetric) => private_form(key, Members::default()),
        Ok(public) if sends_private_part(key, state, storage, policy.private) => {
            let is_error = |finding: &Finding| finding.rule.severity() == Severity::Error;
            if findings(key, budget).iter().any(is_error) {
                return Wanted::LeftOut("invalid");
            }
            private_form(key, public)
        }
        Ok(public) => public,
    };
    let wanted = match policy.ed25519 {
        Ed25519::AsEdDsa if wanted.string("alg").as_deref() == Some("Ed25519") => {
            let mut wanted = wanted;
            wanted.set_text("alg", "EdDSA");
            wanted
        }
        _ => wanted,
    };
    match (storage.refuses)(&wanted) {
        Some(why) => Wanted::Refused(why),
        None => Wanted::Key(Key::from(wanted)),
    }
}

/// The form of a key that a server gets with the private part.
pub fn with_private_part(key: &Key) -> Key<'static> {
    let public = public_form(key, Dates::Keep).unwrap_or_default();
    Key::from(private_form(key, public))
}

/// The public form with the private members, and what else describes a private key. Members that
/// are not registered are not sent, because they may be secret.
fn private_form(key: &Key, mut form: Members<'static>) -> Members<'static> {
    const DESCRIBING: &[&str] = &["kty", "kid", "use", "alg", "key_ops", "iat", "nbf", "exp"];
    let members = key.members().unwrap_or_default();
    let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
    let private = key_type.map_or(&[][..], |key_type| key_type.private);
    for (name, value) in members.iter() {
        if private.contains(&name) || DESCRIBING.contains(&name) {
            form.set_raw(name.to_owned(), value.to_owned());
        }
    }
    form
}

fn sends_private_part(key: &Key, state: State, storage: &Storage, private: Private) -> bool {
    match private {
        Private::None => false,
        Private::All => has_private_member(key),
        Private::Signing => {
            storage.signs()
                && state == State::Active
                && Header::of(key).effective_use() == Some("sig")
                && has_private_member(key)
        }
    }
}
