//! Matches keys with their certificates across all documents that are read together.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::certificate::{self, Certificate};
use crate::key::members::Members;
use crate::key::parts::is_private;
use crate::key::read::bundle::Bundle;
use crate::key::thumbprint::thumbprint;
use std::collections::HashSet;

/// The largest number of certificates that are read together. Each one is compared with every
/// other.
const CERTIFICATES: usize = 300;

/// The work on the signatures of certificates whose issuer is not clear, in microseconds.
const SIGNATURES: u64 = 200_000;

/// The largest number of certificates in one chain.
const CHAIN: usize = 10;

/// A part that was left out of the document at this position, and the reason.
pub type Note = (usize, String);

/// The result of joining documents.
#[derive(Default)]
pub struct Joined {
    /// The certificates that were left out.
    pub notes: Vec<Note>,
    /// The positions of the JWKs that were given a certificate.
    pub certified: HashSet<usize>,
}

/// Attaches to each key its certificate and chain, found by public key and issuer in all documents.
/// `jwks` are the keys that were read as JWK; they keep an existing `x5c`. Returns an error for more
/// than 300 certificates.
///
/// Each other certificate that issued none becomes a public key. If its document has or certifies a
/// private key, the certificate is left out with a note instead.
pub fn join<'k>(
    documents: &mut [Bundle],
    jwks: impl Iterator<Item = &'k mut Key<'static>>,
) -> Result<Joined> {
    drop_doubles(documents);
    let mut sources = Vec::new();
    let mut certificates = Vec::new();
    for (source, document) in documents.iter_mut().enumerate() {
        sources.extend(document.certificates.iter().map(|_| source));
        certificates.append(&mut document.certificates);
    }
    if certificates.is_empty() {
        return Ok(Joined::default());
    }
    if certificates.len() > CERTIFICATES {
        let message = format!("more than {CERTIFICATES} certificates");
        return Err(Error::invalid(message));
    }
    let mut chains = Chains::of(&certificates);
    let Joined {
        mut notes,
        mut certified,
    } = Joined::default();
    // The documents that hold a private key, or a certificate in the chain of one.
    let mut serving = HashSet::new();
    for (source, document) in documents.iter().enumerate() {
        if document.lacks_private_key || document.keys.iter().any(is_private) {
            serving.insert(source);
        }
    }
    for document in documents.iter_mut() {
        for key in &mut document.keys {
            let Some(leaf) = chains.leaf_of(key) else {
                continue;
            };
            let links = chains.take(leaf);
            if is_private(key) {
                serving.extend(links.iter().map(|link| sources[*link]));
            }
            certificate::attach(&chains.certificates_at(&links), key);
        }
    }
    for (position, key) in jwks.enumerate() {
        let Ok(mut members) = key.members().map(Members::into_owned) else {
            continue;
        };
        let Some(leaf) = chains.leaf_of(&members) else {
            continue;
        };
        let is_new = !chains.is_taken[leaf];
        let links = chains.take(leaf);
        if is_private(&members) {
            serving.extend(links.iter().map(|link| sources[*link]));
        }
        if !members.has("x5c") {
            certificate::attach(&chains.certificates_at(&links), &mut members);
            *key = Key::from(members);
            certified.insert(position);
        } else if is_new && !has_leaf(&members, &certificates[leaf]) {
            let subject = certificates[leaf].subject();
            notes.push((
                sources[leaf],
                format!("the certificate of {subject} is left out: its key has another one in x5c"),
            ));
        }
    }
    while let Some(leaf) = chains.next_leaf() {
        let links = chains.take(leaf);
        let source = sources[leaf];
        let document = &mut documents[source];
        let subject = || format!("the certificate of {}", certificates[leaf].subject());
        if serving.contains(&source) && document.is_part {
            continue;
        }
        if serving.contains(&source) {
            let note = format!(
                "{} belongs to none of the private keys, and is left out",
                subject()
            );
            notes.push((source, note));
            continue;
        }
        match certificates[leaf].public_key() {
            Ok(mut members) => {
                certificate::attach(&chains.certificates_at(&links), &mut members);
                document.keys.push(members);
            }
            Err(error) => document.left_out.push(error.about(subject())),
        }
    }
    Ok(Joined { notes, certified })
}

/// Removes duplicate certificates and keys, and public keys whose private key is also present.
fn drop_doubles(documents: &mut [Bundle]) {
    let mut certificates = HashSet::new();
    let keys = documents.iter().flat_map(|document| &document.keys);
    let private: HashSet<_> = keys
        .filter(|key| is_private(key))
        .filter_map(thumbprint)
        .collect();
    let mut keys = HashSet::new();
    for document in documents {
        document
            .certificates
            .retain(|certificate| certificates.insert(certificate.der().to_vec()));
        document.keys.retain(|key| match thumbprint(key) {
            Some(own) if is_private(key) || !private.contains(&own) => keys.insert(own),
            own => own.is_none(),
        });
    }
}

/// Returns true if a certificate is the first one in the `x5c` of a key.
fn has_leaf(key: &Members, certificate: &Certificate) -> bool {
    let chain = Certificate::chain_of(key);
    chain
        .first()
        .is_some_and(|leaf| leaf.der() == certificate.der())
}

/// Certificates, their issuers, and which of them are already in a chain.
struct Chains<'a> {
    certificates: &'a [Certificate],
    thumbprints: Vec<Option<String>>,
    /// The issuer of each certificate.
    issuers: Vec<Option<usize>>,
    is_taken: Vec<bool>,
}

impl<'a> Chains<'a> {
    fn of(certificates: &'a [Certificate]) -> Self {
        let count = certificates.len();
        // A CA in the chain can have a key that jwks does not support.
        let own = |certificate: &Certificate| thumbprint(&certificate.public_key().ok()?);
        let mut left = SIGNATURES;
        let mut issuer = |it: &Certificate| {
            if it.issued(it) {
                return None;
            }
            let possible = (0..count).filter(|other| certificates[*other].issued(it));
            let possible: Vec<usize> = possible.collect();
            let [first, _, ..] = possible[..] else {
                return possible.first().copied();
            };
            // A CA that has a new key can have certificates of one name.
            let signer = possible.into_iter().find(|other| {
                let other = &certificates[*other];
                let rest = left.checked_sub(other.verification_cost());
                left = rest.unwrap_or_default();
                rest.is_some() && other.certifies(it)
            });
            signer.or(Some(first))
        };
        Chains {
            certificates,
            thumbprints: certificates.iter().map(own).collect(),
            issuers: certificates.iter().map(&mut issuer).collect(),
            is_taken: vec![false; count],
        }
    }

    fn leaf_of(&self, key: &Members) -> Option<usize> {
        let own = thumbprint(key)?;
        let mut thumbprints = self.thumbprints.iter();
        thumbprints.position(|thumbprint| thumbprint.as_deref() == Some(&own))
    }

    /// Returns a certificate that is in no chain yet, preferably one that issued no other.
    fn next_leaf(&self) -> Option<usize> {
        let mut free = (0..self.is_taken.len()).filter(|i| !self.is_taken[*i]);
        let first = free.clone().next();
        free.find(|i| !self.issuers.contains(&Some(*i))).or(first)
    }

    /// Returns the positions of a certificate and its chain, up to the last issuer that is present.
    fn take(&mut self, leaf: usize) -> Vec<usize> {
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
        chain
    }

    fn certificates_at(&self, positions: &[usize]) -> Vec<&'a Certificate> {
        positions.iter().map(|i| &self.certificates[*i]).collect()
    }
}
