//! What one file holds, keys and certificates, and how they belong together.

use super::certificate::{self, Certificate};
use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::public::is_private;
use crate::key::thumbprint::thumbprint;
use std::collections::HashSet;

/// The most certificates of one file; each is held against each other.
const CERTIFICATES: usize = 300;

/// How many certificates stand above each other at most.
const CHAIN: usize = 10;

/// Keys and certificates of one file, in its order.
#[derive(Default)]
pub struct Contents {
    /// The keys.
    pub keys: Vec<Members<'static>>,
    /// The certificates: of keys, and of those who issued them.
    pub certificates: Vec<Certificate>,
    /// Keys of the file were left out on purpose, so that certificates may be without one.
    pub is_part: bool,
}

/// The keys of a file with their certificates.
pub struct Joined {
    /// The keys.
    pub keys: Vec<Members<'static>>,
    /// What there is to say of certificates that were left out.
    pub notes: Vec<String>,
}

impl From<Members<'static>> for Contents {
    fn from(key: Members<'static>) -> Self {
        Contents {
            keys: vec![key],
            ..Contents::default()
        }
    }
}

impl Contents {
    /// Whether there is nothing that a key could come from.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty()
    }

    /// Takes in what another document holds.
    pub fn extend(&mut self, other: Contents) {
        self.keys.extend(other.keys);
        self.certificates.extend(other.certificates);
        self.is_part |= other.is_part;
    }

    /// What a keystore holds under one alias: of `self`, the alias's keys and all certificates, or
    /// where it has no key the certificates that it names. `aliases` are all there are.
    pub fn of_alias(
        mut self,
        alias: &str,
        named: Vec<Certificate>,
        aliases: Vec<String>,
    ) -> Result<Self> {
        if self.keys.is_empty() && named.is_empty() {
            return Err(unknown(alias, aliases));
        }
        if self.keys.is_empty() {
            self.certificates = named;
        }
        self.is_part = true;
        Ok(self)
    }

    /// Gives each key its certificate with the chain above it, found by public key and issuer,
    /// wherever they stand in the file. Without a private key in the file the other certificates
    /// that issued none give their public keys.
    pub fn joined(mut self) -> Result<Joined> {
        self.drop_doubles();
        if self.certificates.len() > CERTIFICATES {
            let message = format!("more than {CERTIFICATES} certificates");
            return Err(Error::invalid(message));
        }
        let has_private = self.keys.iter().any(is_private);
        let mut chains = Chains::of(&self.certificates);
        for key in &mut self.keys {
            if let Some(leaf) = chains.leaf_of(key).filter(|_| !key.has("x5c")) {
                certificate::attach(&chains.take(leaf), key);
            }
        }
        let mut notes = Vec::new();
        while let Some(leaf) = chains.next_leaf() {
            let chain = chains.take(leaf);
            if !has_private {
                let about = |error: Error| {
                    error.about(format!("the certificate of {}", chain[0].subject()))
                };
                let mut members = chain[0].public_key().map_err(about)?;
                certificate::attach(&chain, &mut members);
                self.keys.push(members);
            } else if !self.is_part {
                notes.push(format!(
                    "the certificate of {} belongs to none of the private keys, and is left out",
                    chain[0].subject()
                ));
            }
        }
        Ok(Joined {
            keys: self.keys,
            notes,
        })
    }

    /// Leaves out what stands twice: certificates, keys, and the public form of keys that are there
    /// with their private part.
    fn drop_doubles(&mut self) {
        let mut seen = HashSet::new();
        self.certificates
            .retain(|certificate| seen.insert(certificate.der().to_vec()));
        let private = self.keys.iter().filter(|key| is_private(key));
        let private: HashSet<_> = private.filter_map(|key| thumbprint(key)).collect();
        let mut seen = HashSet::new();
        self.keys.retain(|key| match thumbprint(key) {
            Some(own) if is_private(key) || !private.contains(&own) => seen.insert(own),
            own => own.is_none(),
        });
    }
}

fn unknown(alias: &str, mut aliases: Vec<String>) -> Error {
    aliases.sort();
    aliases.dedup();
    let aliases: Vec<_> = aliases.iter().map(|alias| format!("{alias:?}")).collect();
    let hint = match aliases.is_empty() {
        true => "none of its keys has an alias; leave --alias out to take them all".into(),
        false => format!("its aliases: {}", aliases.join(", ")),
    };
    Error::not_found(format!("no alias {alias:?} in the keystore")).hint(hint)
}

/// Certificates, who issued whom, and which are in a chain already.
struct Chains<'a> {
    certificates: &'a [Certificate],
    thumbprints: Vec<Option<String>>,
    /// The certificate above each.
    issuers: Vec<Option<usize>>,
    is_taken: Vec<bool>,
}

impl<'a> Chains<'a> {
    fn of(certificates: &'a [Certificate]) -> Self {
        let count = certificates.len();
        // A key that jwks does not support may well be in a chain, above one that it does.
        let own = |certificate: &Certificate| thumbprint(&certificate.public_key().ok()?);
        let issuer = |i: &Certificate| {
            let mut others = certificates.iter();
            match i.issued(i) {
                true => None,
                false => others.position(|other| other.issued(i)),
            }
        };
        Chains {
            certificates,
            thumbprints: certificates.iter().map(own).collect(),
            issuers: certificates.iter().map(issuer).collect(),
            is_taken: vec![false; count],
        }
    }

    fn leaf_of(&self, key: &Members) -> Option<usize> {
        let own = thumbprint(key)?;
        let mut thumbprints = self.thumbprints.iter();
        thumbprints.position(|thumbprint| thumbprint.as_deref() == Some(&own))
    }

    /// A certificate that is in no chain yet: one that issued no other, while there is such.
    fn next_leaf(&self) -> Option<usize> {
        let mut free = (0..self.is_taken.len()).filter(|i| !self.is_taken[*i]);
        let first = free.clone().next();
        free.find(|i| !self.issuers.contains(&Some(*i))).or(first)
    }

    /// The chain from a certificate up to the last one whose issuer is there.
    fn take(&mut self, leaf: usize) -> Vec<&'a Certificate> {
        let mut chain = vec![leaf];
        self.is_taken[leaf] = true;
        let mut last = leaf;
        while let Some(issuer) = self.issuers[last] {
            if chain.contains(&issuer) || chain.len() == CHAIN {
                break;
            }
            chain.push(issuer);
            self.is_taken[issuer] = true;
            last = issuer;
        }
        chain.into_iter().map(|i| &self.certificates[i]).collect()
    }
}
