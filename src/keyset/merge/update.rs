//! Decides which members of a foreign key change the same key of the set.

use crate::key::Key;
use crate::key::certificate;
use crate::key::check::{Budget, broken_members, findings, is_usable};
use crate::key::members::{Members, same_value};
use crate::key::parts::{DESCRIBING, is_private, is_private_member, is_protected};
use crate::key::public::public_operations_of;
use crate::keyset::terms::{Origin, Terms};

/// The changes that a foreign key makes to the same key of the set.
#[derive(Default)]
pub(super) struct Update {
    /// The changed key; `None` if nothing changes.
    pub key: Option<Key<'static>>,
    /// The members that differ and are not taken.
    pub kept: Vec<String>,
    /// True if the foreign key brings in the private part.
    pub brings_private: bool,
}

/// Works out what a foreign key changes in the same key of the set.
///
/// No member is lost, and a public key never removes a private part. If the private part is in the set,
/// the key takes no [protected member](is_protected), unless a file holds the same private part or the
/// user asked for the member, and never a broken one. A good key takes nothing that would break it.
pub(super) fn update(
    own: &Key,
    new: &Key,
    origin: Origin,
    terms: &Terms,
    budget: &Budget,
) -> Update {
    let (Ok(ours), Ok(theirs)) = (own.members(), new.members()) else {
        return Update::default();
    };
    if ours == theirs {
        return Update::default();
    }
    let (has_private, brings) = (is_private(&ours), is_private(&theirs));
    let is_guarded = match origin {
        Origin::Publisher | Origin::Signer => has_private,
        Origin::Jwks | Origin::Document => has_private && !brings,
        Origin::Own => false,
    };
    // A broken member must not replace a good one.
    let has_certificate = certificate::DESCRIBING.iter().any(|name| ours.has(name));
    let broken = broken_members(&findings(new, budget));
    let is_broken = |name: &str| {
        let takes_a_place = is_guarded
            || ours.has(name)
            || has_certificate && certificate::DESCRIBING.contains(&name);
        takes_a_place && broken.contains(&name)
    };
    let crosses = |name: &str, value: &str| {
        if is_broken(name) {
            return false;
        }
        if !is_guarded {
            return !(has_private && !brings && name == "key_ops");
        }
        let is_attached = origin == Origin::Document && certificate::DESCRIBING.contains(&name);
        is_attached || terms.takes(name, value) || !is_protected(name)
    };
    let mut result = overlaid(&ours, &theirs, crosses);
    let brings_private = !has_private && brings;
    let is_usable = |key: &Key| is_usable(&findings(key, budget));
    if brings_private && !is_usable(&Key::from(result.clone())) && is_usable(own) {
        // A private part of another key would make a good public key unusable.
        result = overlaid(&ours, &theirs, |name, value| {
            crosses(name, value) && !is_private_member(name) && name != "key_ops"
        });
    }
    let kept = theirs.iter().filter(|(name, value)| {
        let may_cross = is_guarded && DESCRIBING.contains(name) && !is_broken(name);
        may_cross && differs(&ours, &result, name, value, brings)
    });
    Update {
        kept: kept.map(|(name, _)| name.to_owned()).collect(),
        brings_private: brings_private && is_private(&result),
        key: (result != ours).then(|| Key::from(result)),
    }
}

/// Returns true if a foreign member differs from ours, before and after the change.
fn differs(ours: &Members, result: &Members, name: &str, value: &str, brings: bool) -> bool {
    let is = |members: &Members| members.raw(name).is_some_and(|own| same_value(own, value));
    if name == "key_ops" && !brings {
        // A public key lists only the public operations of the key pair.
        let own = ours.texts(name).ok().flatten().unwrap_or_default();
        let public = public_operations_of(&own);
        let mut members = Members::default();
        members.set_texts("key_ops", &public);
        return !is(&members) && !is(result);
    }
    !is(result)
}

/// Returns our members with those of theirs that `crosses` admits. The members of the certificate
/// change together.
fn overlaid(
    ours: &Members,
    theirs: &Members,
    crosses: impl Fn(&str, &str) -> bool,
) -> Members<'static> {
    let mut result = ours.clone().into_owned();
    let crossing = theirs.iter().filter(|(name, value)| crosses(name, value));
    let (certificate, others): (Vec<_>, Vec<_>) =
        crossing.partition(|(name, _)| certificate::DESCRIBING.contains(name));
    result.overlay(others.into_iter());
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let certificate: Members = certificate.into_iter().map(owned).collect();
    certificate::take_over(&mut result, &certificate);
    result
}
