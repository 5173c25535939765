//! What is wanted of each local key on a server: whole, public, or not at all.

use super::{Policy, Private};
use crate::key::Key;
use crate::key::check::{Breaks, Budget, breaks, broken_members, findings};
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
    let public = public_form(key, Dates::Keep, budget);
    let wanted = match public {
        Err(Unpublishable::Invalid) => return Wanted::LeftOut("invalid"),
        Err(Unpublishable::Unsupported) => return Wanted::LeftOut("unsupported"),
        Err(Unpublishable::Symmetric) if policy.only.is_empty() => {
            return Wanted::LeftOut("symmetric: sent only when named");
        }
        Err(Unpublishable::Symmetric) => match with_private_part(key, Members::default(), budget) {
            Ok(whole) => whole,
            Err(why) => return Wanted::LeftOut(why),
        },
        Ok(public) if sends_private_part(key, state, storage, policy.private) => {
            match with_private_part(key, public, budget) {
                Ok(whole) => whole,
                Err(why) => return Wanted::LeftOut(why),
            }
        }
        Ok(public) => public,
    };
    match (storage.refuses)(&wanted) {
        Some(why) => Wanted::Refused(why),
        None => Wanted::Key(Key::from(wanted)),
    }
}

/// Returns the public form with the private members and what else describes a private key, or why
/// the key must not be sent. Members that are not registered stay here: nobody knows whether they
/// are secret. Broken members stay here, too.
fn with_private_part(
    key: &Key,
    mut form: Members<'static>,
    budget: &Budget,
) -> Result<Members<'static>, &'static str> {
    const DESCRIBING: &[&str] = &["kty", "kid", "use", "alg", "key_ops", "iat", "nbf", "exp"];
    let findings = findings(key, budget);
    match breaks(&findings) {
        Breaks::Key => return Err("invalid"),
        // A server could take a key for a signer that is none.
        Breaks::Purpose => return Err("its use, alg or key_ops is broken"),
        Breaks::Member | Breaks::Nothing => {}
    }
    let members = key.members().unwrap_or_default();
    let broken = broken_members(&findings);
    let key_type = members.string("kty").and_then(|kty| KeyType::named(&kty));
    let private = key_type.map_or(&[][..], |key_type| key_type.private);
    for (name, value) in members.iter() {
        let is_wanted = private.contains(&name) || DESCRIBING.contains(&name);
        if is_wanted && members.has(name) && !broken.contains(&name) {
            form.set_raw(name.to_owned(), value.to_owned());
        }
    }
    Ok(form)
}

fn sends_private_part(key: &Key, state: State, storage: &Storage, private: Private) -> bool {
    match private {
        Private::None => false,
        Private::All => has_private_member(key),
        Private::Signing => {
            storage.signs
                && state == State::Active
                && Header::of(key).effective_use() == Some("sig")
                && has_private_member(key)
        }
    }
}
