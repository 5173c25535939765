//! Takes foreign keys into a set. No other code adds keys of files or servers to a set.
//!
//! Keys of files and servers are [`Foreign`] until [`KeySet::adopt`] takes them in. Their [`Origin`]
//! decides what they can change. Only the holder of a private key decides its purpose, dates and
//! successor. [`Merged`] lists the private keys and signers that a server brings in, so that the
//! command can ask first.

use crate::error::Result;
use crate::key::Key;
use crate::key::parts::{has_private_member, holds_secret};
use crate::key::public::{Stripped, strip_private_part};
use crate::keyset::KeySet;
use crate::keyset::index::identity;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::active_keys;
use crate::keyset::merge::{Merged, Merger, NewSigner};
use crate::keyset::server_rules::ServerRules;
use crate::keyset::terms::{Origin, Terms};
use std::collections::HashSet;

/// What to do with the private parts that a publisher sends.
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
    pub reserved: Vec<KeyName>,
}

impl Foreign {
    /// Makes a document from a JWK or JWK Set that the user gave.
    pub fn of_jwks(set: KeySet<'static>) -> Foreign {
        Foreign::new(set, Origin::Jwks)
    }

    /// Makes a document from documents in other formats that the user gave, with certificates attached.
    pub fn of_documents(set: KeySet<'static>) -> Foreign {
        Foreign::new(set, Origin::Document)
    }

    /// Makes a document from the keys at an address.
    pub fn of_address(set: KeySet<'static>, private: PrivateParts) -> Foreign {
        Foreign::new(set, Origin::Publisher).with_private_parts(private)
    }

    /// Makes a document from the keys of a remote. `origin` is [`Origin::Publisher`] or
    /// [`Origin::Signer`], depending on its kind.
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
        let mut reserved = Vec::new();
        let strip = |key: Key<'static>| {
            let name = KeyName::of(&key);
            let before = key.json().len();
            let key = key.without_own_members();
            if key.json().len() < before {
                reserved.push(name);
            }
            key
        };
        set.keys = set.keys.into_iter().map(strip).collect();
        set.remove_own_members();
        Foreign {
            set,
            origin,
            rules: None,
            stripped: Vec::new(),
            symmetric: Vec::new(),
            reserved,
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

    /// Returns the keys, without the private parts and members that the origin cannot bring in.
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

impl<'a> KeySet<'a> {
    /// Removes the members that only jwks sets from the set and all its keys.
    pub fn without_own_members(mut self) -> Self {
        self.remove_own_members();
        let keys = self.keys.into_iter();
        self.keys = keys.map(Key::without_own_members).collect();
        self
    }
}

impl KeySet<'_> {
    /// Takes foreign keys into the set, and reports what changes. Returns an error for an unresolved
    /// conflict of kids, and for a private part that differs from the set's. The set is then unchanged.
    pub fn adopt(&mut self, documents: &[Foreign], terms: &Terms) -> Result<Merged> {
        let mut merger = Merger::into_set(self, terms);
        for foreign in documents {
            let keys = match &foreign.rules {
                Some(rules) => self.in_local_form(&foreign.set, rules, terms.now),
                None => foreign.set.keys.clone(),
            };
            if !foreign.origin.is_server() {
                merger.merge_document(keys, foreign.origin)?;
                continue;
            }
            let before = merger.keys.clone();
            merger.merge_document(keys, foreign.origin)?;
            let signers = new_signers(&before, &merger.keys, terms.now);
            merger.merged.signers.extend(signers);
        }
        let Merger { keys, merged, .. } = merger;
        self.keys = keys;
        for foreign in documents {
            self.add_members(&foreign.set);
        }
        Ok(merged)
    }

    /// Returns a set of the foreign keys only, to replace this one, with the verifiers that this one
    /// declares. Lists the new private keys and
    /// signers that a server would bring in. `now` is in seconds since 1970.
    pub fn replaced_by(&self, documents: &[Foreign], now: i64) -> (KeySet<'static>, Merged) {
        let mut set = KeySet::default();
        set.declare_verifiers(&self.declared_verifiers());
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
