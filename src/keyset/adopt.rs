//! The one door through which keys of others become ours.
//!
//! Keys of files and servers are [`Foreign`] until [`KeySet::adopt`] takes them into a set. What
//! may cross depends on where they come from ([`Origin`]): nobody but the holder of a private key
//! says what it is for, when it lives and who follows it, and no server brings in a private key
//! that nobody was asked about.

use super::KeySet;
use super::lifecycle::active_keys;
use super::merge::{KeyName, Merge, Merged, NewSigner, OnConflict};
use super::storage::Storage;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::check::{Budget, broken_members, findings, is_usable};
use crate::key::format::certificate;
use crate::key::key_type::KEY_TYPES;
use crate::key::members::{Members, same_value};
use crate::key::public::{
    DESCRIBING, Stripped, is_private, is_protected, public_operations_of, strip_private_part,
};

/// Where keys come from, which decides what may cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server that publishes keys: it has no private keys to give.
    Publisher,
    /// A server that holds private keys, and signs with them.
    Signer,
    /// A document of JWKs that the user gave.
    Jwks,
    /// A document of another form that the user gave, where a certificate stands beside the key.
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

/// What is done with the private parts that a publisher sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivateParts {
    /// They are left out.
    #[default]
    LeaveOut,
    /// They are taken, as those of a signer are.
    Take,
}

/// The keys of one document of others.
#[derive(Clone, Debug)]
pub struct Foreign {
    set: KeySet<'static>,
    origin: Origin,
    storage: Option<Storage>,
    /// Keys without their private part, which a publisher sent.
    pub stripped: Vec<KeyName>,
    /// Symmetric keys that a publisher sent, and that are left out.
    pub symmetric: Vec<KeyName>,
    /// Keys without members that only jwks sets.
    pub disowned: Vec<KeyName>,
}

impl Foreign {
    /// The keys of a document that the user gave: JWKs with the members that it has.
    pub fn of_jwks(set: KeySet<'static>) -> Foreign {
        Foreign::new(set, Origin::Jwks)
    }

    /// Keys of documents that the user gave, with certificates that stood beside them.
    pub fn of_documents(set: KeySet<'static>) -> Foreign {
        Foreign::new(set, Origin::Document)
    }

    /// The keys of an address.
    pub fn of_address(set: KeySet<'static>, private: PrivateParts) -> Foreign {
        Foreign::new(set, Origin::Publisher).with_private_parts(private)
    }

    /// The keys of a server of a kind that publishes, or holds, private parts.
    pub fn of_server(
        set: KeySet<'static>,
        origin: Origin,
        storage: Storage,
        private: PrivateParts,
    ) -> Foreign {
        let mut foreign = Foreign::new(set, origin).with_private_parts(private);
        foreign.storage = Some(storage);
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
            storage: None,
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

    /// The keys, without what may not cross from there.
    pub fn set(&self) -> &KeySet<'static> {
        &self.set
    }

    /// The same document with other keys: some of its own, with members filled in.
    pub fn with_keys(mut self, keys: Vec<Key<'static>>) -> Foreign {
        self.set.keys = keys;
        self
    }

    /// One key of the document, without the members of its set.
    pub fn only(mut self, key: Key<'static>) -> Foreign {
        self.set = KeySet::from(vec![key]);
        self
    }
}

/// On which terms keys are taken in.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// What happens to a key whose kid another key has.
    pub on_conflict: OnConflict,
    /// The members that keys whose private part is here take all the same.
    pub take: &'a [String],
    /// The values that the user gave by hand, which they take, too.
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

/// Refuses names of members that cannot be taken from others.
pub fn check_takable(members: &[String]) -> Result<()> {
    match members.iter().find(|name| !DESCRIBING.contains(&&***name)) {
        None => Ok(()),
        Some(name) => Err(Error::usage(format!("cannot take the member {name:?}"))
            .hint(format!("members to take: {}", DESCRIBING.join(", ")))),
    }
}

impl<'a> KeySet<'a> {
    /// The set without the members of its keys that only jwks sets.
    pub fn without_own_members(mut self) -> Self {
        let keys = self.keys.into_iter();
        self.keys = keys.map(Key::without_own_members).collect();
        self
    }
}

impl KeySet<'_> {
    /// Takes in the keys of others. Nothing is changed where it fails.
    pub fn adopt(&mut self, documents: &[Foreign], terms: &Terms) -> Result<Merged> {
        let mut merge = Merge::into_set(self, terms);
        for foreign in documents {
            let keys = match &foreign.storage {
                Some(storage) => self.in_local_form(&foreign.set, storage, terms.now),
                None => foreign.set.keys.clone(),
            };
            if !foreign.origin.is_server() {
                merge.bring_in_all(keys, foreign.origin)?;
                continue;
            }
            let before = active_keys(&merge.keys, terms.now);
            merge.bring_in_all(keys, foreign.origin)?;
            let after = active_keys(&merge.keys, terms.now);
            for (line, key) in after {
                let before = before.get(&line).cloned();
                if before.as_ref() != Some(&key) {
                    merge.merged.signers.push(NewSigner { line, key, before });
                }
            }
        }
        let Merge { keys, merged, .. } = merge;
        self.keys = keys;
        for foreign in documents {
            self.add_members(&foreign.set);
        }
        Ok(merged)
    }
}

/// What crosses from a key of others to the same key of ours.
#[derive(Default)]
pub(super) struct Crossing {
    /// Our key afterwards, where that is another.
    pub key: Option<Key<'static>>,
    /// The members that differ and do not cross.
    pub kept: Vec<String>,
    /// Whether our key has its private part from there.
    pub brings_private: bool,
}

/// Works out what crosses.
///
/// No member is lost, and a public key never takes a private part away. A key whose private part is
/// here takes no [protected member](is_protected), unless a file holds the same private part and so
/// speaks for the key, or the user said to take it. A good key takes nothing that would break it.
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
    // A broken member says nothing, so it does not take the place of a good one.
    let has_certificate = certificate::DESCRIBING.iter().any(|name| ours.has(name));
    let broken = broken_members(&findings(new, budget));
    let is_broken = |name: &str| {
        let takes_a_place =
            ours.has(name) || has_certificate && certificate::DESCRIBING.contains(&name);
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
        is_guarded && DESCRIBING.contains(name) && differs(&ours, &result, name, value, brings)
    });
    Crossing {
        kept: kept.map(|(name, _)| name.to_owned()).collect(),
        brings_private: brings_private && is_private(&result),
        key: (result != ours).then(|| Key::from(result)),
    }
}

/// Whether a key of others says something else of a member than ours, before and after.
fn differs(ours: &Members, result: &Members, name: &str, value: &str, brings: bool) -> bool {
    let is = |members: &Members| members.raw(name).is_some_and(|own| same_value(own, value));
    if name == "key_ops" && !brings {
        // A public key's operations are not those of its key pair.
        let own = ours.texts(name).ok().flatten().unwrap_or_default();
        let public = public_operations_of(&own);
        let mut members = Members::default();
        members.set_texts("key_ops", &public);
        return !is(&members) && !is(result);
    }
    !is(result)
}

/// Our members with theirs, as far as they cross. Those of the certificate change together.
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

/// Whether a member holds a private or symmetric part of any kty.
fn is_secret(name: &str) -> bool {
    let mut key_types = KEY_TYPES.iter();
    key_types.any(|key_type| key_type.private.contains(&name))
}
