//! Takes foreign keys into a set. No other code adds keys of files or servers to a set.
//!
//! Keys of files and servers are [`Foreign`] until [`KeySet::adopt`] takes them in. Their [`Origin`]
//! decides what they can change. Only the holder of a private key decides its purpose, dates and
//! successor. [`Merged`] lists the private keys and signers that a server brings in, so that the
//! command can ask first.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::certificate;
use crate::key::check::{Budget, broken_members, findings, is_usable};
use crate::key::key_type::KEY_TYPES;
use crate::key::members::{Members, same_value};
use crate::key::parts::{DESCRIBING, has_private_member, holds_secret, is_private, is_protected};
use crate::key::public::{Stripped, public_operations_of, strip_private_part};
use crate::keyset::KeySet;
use crate::keyset::index::identity;
use crate::keyset::lifecycle::active_keys;
use crate::keyset::merge::{KeyName, Merge, Merged, NewSigner, OnConflict};
use crate::keyset::server_rules::ServerRules;
use std::collections::HashSet;

/// Where keys come from, which decides what they can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server that publishes keys: it has no private keys to give.
    Publisher,
    /// A server that holds private keys, and signs with them.
    Signer,
    /// A document of JWKs that the user gave.
    Jwks,
    /// A document in another format that the user gave, in which certificates are separate from keys.
    Document,
    /// Our own set, on its way to a server.
    Own,
}

impl Origin {
    /// Returns true if a server sent the keys.
    pub fn is_server(self) -> bool {
        matches!(self, Origin::Publisher | Origin::Signer)
    }
}

/// Whether to take the private parts that a publisher sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivateParts {
    /// Leave them out.
    #[default]
    LeaveOut,
    /// Take them, like those of a signer.
    Take,
}

/// The keys of one foreign document.
#[derive(Clone, Debug)]
pub struct Foreign {
    set: KeySet<'static>,
    origin: Origin,
    rules: Option<ServerRules>,
    /// The keys of a publisher whose private part was removed.
    pub stripped: Vec<KeyName>,
    /// The symmetric keys of a publisher, which were left out.
    pub symmetric: Vec<KeyName>,
    /// The keys from which members that only jwks sets were removed.
    pub disowned: Vec<KeyName>,
}

impl Foreign {
    /// The keys of a JWK or JWK Set that the user gave.
    pub fn of_jwks(set: KeySet<'static>) -> Foreign {
        Foreign::new(set, Origin::Jwks)
    }

    /// The keys of documents in other formats that the user gave, with their certificates attached.
    pub fn of_documents(set: KeySet<'static>) -> Foreign {
        Foreign::new(set, Origin::Document)
    }

    /// The keys of an address.
    pub fn of_address(set: KeySet<'static>, private: PrivateParts) -> Foreign {
        Foreign::new(set, Origin::Publisher).with_private_parts(private)
    }

    /// The keys of a remote. `origin` says whether its kind publishes keys or signs with them.
    pub fn of_server(
        set: KeySet<'static>,
        origin: Origin,
        rules: ServerRules,
        private: PrivateParts,
    ) -> Foreign {
        let mut foreign = Foreign::new(set, origin).with_private_parts(private);
        foreign.rules = Some(rules);
        foreign
    }

    fn new(mut set: KeySet<'static>, origin: Origin) -> Foreign {
        let mut disowned = Vec::new();
        let strip = |key: Key<'static>| {
            let name = KeyName::of(&key);
            let before = key.json().len();
            let key = key.without_own_members();
            if key.json().len() < before {
                disowned.push(name);
            }
            key
        };
        set.keys = set.keys.into_iter().map(strip).collect();
        Foreign {
            set,
            origin,
            rules: None,
            stripped: Vec::new(),
            symmetric: Vec::new(),
            disowned,
        }
    }

    fn with_private_parts(mut self, private: PrivateParts) -> Foreign {
        if self.origin != Origin::Publisher || private == PrivateParts::Take {
            return self;
        }
        let (stripped, symmetric) = (&mut self.stripped, &mut self.symmetric);
        let public = |key: Key<'static>| match strip_private_part(&key) {
            Stripped::Unchanged => Some(key),
            Stripped::Public(public) => {
                stripped.push(KeyName::of(&key));
                Some(public)
            }
            Stripped::Nothing => {
                symmetric.push(KeyName::of(&key));
                None
            }
        };
        self.set.keys = self.set.keys.into_iter().filter_map(public).collect();
        self
    }

    /// Returns true if a server sent the keys.
    pub fn is_of_server(&self) -> bool {
        self.origin.is_server()
    }

    /// The keys, without the private parts and members that the origin cannot bring in.
    pub fn set(&self) -> &KeySet<'static> {
        &self.set
    }

    /// Replaces the keys by some of them, with members filled in.
    pub fn with_keys(mut self, keys: Vec<Key<'static>>) -> Foreign {
        self.set.keys = keys;
        self
    }

    /// Reduces the document to one key, without the members of its set.
    pub fn only(mut self, key: Key<'static>) -> Foreign {
        self.set = KeySet::from(vec![key]);
        self
    }
}

/// The user's choices for taking keys in.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// What happens to a key if another key has its kid.
    pub on_conflict: OnConflict,
    /// The protected members that keys of the set take anyway (`--take`).
    pub take: &'a [String],
    /// The members that the user gave as options; keys of the set take these values, too.
    pub given: Option<&'a Members<'a>>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

impl Terms<'_> {
    fn takes(&self, name: &str, value: &str) -> bool {
        let is_named = |name: &str| self.take.iter().any(|other| other == name);
        let with_certificate = certificate::DESCRIBING.contains(&name)
            && certificate::DESCRIBING.iter().any(|name| is_named(name));
        let given = self.given.and_then(|given| given.raw(name));
        is_named(name) || with_certificate || given == Some(value)
    }
}

/// Refuses names of members that `--take` cannot take.
pub fn check_takable(members: &[String]) -> Result<()> {
    match members.iter().find(|name| !DESCRIBING.contains(&&***name)) {
        None => Ok(()),
        Some(name) => Err(Error::usage(format!("cannot take the member {name:?}"))
            .hint(format!("members to take: {}", DESCRIBING.join(", ")))),
    }
}

impl<'a> KeySet<'a> {
    /// Removes the members that only jwks sets from all keys.
    pub fn without_own_members(mut self) -> Self {
        let keys = self.keys.into_iter();
        self.keys = keys.map(Key::without_own_members).collect();
        self
    }
}

impl KeySet<'_> {
    /// Takes foreign keys into the set. If this fails, the set is unchanged.
    pub fn adopt(&mut self, documents: &[Foreign], terms: &Terms) -> Result<Merged> {
        let mut merge = Merge::into_set(self, terms);
        for foreign in documents {
            let keys = match &foreign.rules {
                Some(rules) => self.in_local_form(&foreign.set, rules, terms.now),
                None => foreign.set.keys.clone(),
            };
            if !foreign.origin.is_server() {
                merge.bring_in_all(keys, foreign.origin)?;
                continue;
            }
            let before = merge.keys.clone();
            merge.bring_in_all(keys, foreign.origin)?;
            let signers = new_signers(&before, &merge.keys, terms.now);
            merge.merged.signers.extend(signers);
        }
        let Merge { keys, merged, .. } = merge;
        self.keys = keys;
        for foreign in documents {
            self.add_members(&foreign.set);
        }
        Ok(merged)
    }

    /// Returns a set of the foreign keys only, to replace this one, and lists the new private keys and
    /// signers that a server would bring in. `now` is in seconds since 1970.
    pub fn replaced_by(&self, documents: &[Foreign], now: i64) -> (KeySet<'static>, Merged) {
        let mut set = KeySet::default();
        let mut merged = Merged::default();
        let ours = self.keys.iter().filter(|key| holds_secret(key));
        let ours: HashSet<_> = ours.map(identity).collect();
        for foreign in documents {
            set.add_members(&foreign.set);
            let keys = &foreign.set.keys;
            let is_new = |key: &&Key| has_private_member(key) && !ours.contains(&identity(key));
            if foreign.origin.is_server() {
                let private = keys.iter().filter(is_new).map(KeyName::of);
                merged.private.extend(private);
            }
            set.keys.extend(keys.iter().cloned());
        }
        if documents.iter().any(Foreign::is_of_server) {
            merged.signers = new_signers(&self.keys, &set.keys, now);
        }
        (set, merged)
    }
}

/// Returns the lines whose active key changes.
fn new_signers(before: &[Key], after: &[Key], now: i64) -> Vec<NewSigner> {
    let before = active_keys(before, now);
    let after = active_keys(after, now).into_iter();
    let signers = after.map(|(line, key)| NewSigner {
        before: before.get(&line).cloned(),
        line,
        key,
    });
    let is_new = |signer: &NewSigner| signer.before.as_ref() != Some(&signer.key);
    signers.filter(is_new).collect()
}

/// What a foreign key changes in the same key of the set.
#[derive(Default)]
pub(super) struct Crossing {
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
pub(super) fn cross(
    own: &Key,
    new: &Key,
    origin: Origin,
    terms: &Terms,
    budget: &Budget,
) -> Crossing {
    let (Ok(ours), Ok(theirs)) = (own.members(), new.members()) else {
        return Crossing::default();
    };
    if ours == theirs {
        return Crossing::default();
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
    let crosses = |name: &str, value: &str| match is_guarded {
        _ if is_broken(name) => false,
        false => !(has_private && !brings && name == "key_ops"),
        true => {
            let is_attached = origin == Origin::Document && certificate::DESCRIBING.contains(&name);
            is_attached || terms.takes(name, value) || !is_protected(name)
        }
    };
    let mut result = overlaid(&ours, &theirs, crosses);
    let brings_private = !has_private && brings;
    let is_usable = |key: &Key| is_usable(&findings(key, budget));
    if brings_private && !is_usable(&Key::from(result.clone())) && is_usable(own) {
        // A private part of another key would make a good public key unusable.
        result = overlaid(&ours, &theirs, |name, value| {
            crosses(name, value) && !is_secret(name) && name != "key_ops"
        });
    }
    let kept = theirs.iter().filter(|(name, value)| {
        let may_cross = is_guarded && DESCRIBING.contains(name) && !is_broken(name);
        may_cross && differs(&ours, &result, name, value, brings)
    });
    Crossing {
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

/// Returns true for a member that holds a private or symmetric part of any kty.
fn is_secret(name: &str) -> bool {
    let mut key_types = KEY_TYPES.iter();
    key_types.any(|key_type| key_type.private.contains(&name))
}
