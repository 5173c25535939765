//! Checks a whole set: each key, and the keys against each other.

mod moduli;

pub use moduli::is_factorable;

use crate::key::algorithm::{effective_use, operation_group};
use crate::key::check::{self, Budget, Finding, Rule, excerpt, known};
use crate::key::header::Header;
use crate::key::key_type::KeyType;
use crate::key::parts::UNCONFIRMED;
use crate::key::parts::has_private_member;
use crate::key::repair;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Seconds in a year.
const YEAR: i64 = 365 * 86_400;

/// A finding and the key that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The position of the key in the set, from 0; `None` if the finding concerns the set.
    pub index: Option<usize>,
    /// The kid of the key.
    pub kid: Option<Rc<str>>,
    /// What is wrong.
    pub finding: Finding,
}

/// The keys with one kid.
#[derive(Default)]
struct Holders {
    /// The first key, and its kty.
    first: Option<(usize, Rc<str>)>,
    /// The first key of each kty.
    by_kty: HashMap<Rc<str>, usize>,
}

/// Checks every key, and the keys against each other. A set that is meant for publication must not
/// have private or symmetric keys. `now` is in seconds since 1970.
pub fn findings(set: &KeySet, now: i64, for_publication: bool, budget: &Budget) -> Vec<Located> {
    let mut located = Vec::new();
    let mut kids: HashMap<Rc<str>, Holders> = HashMap::new();
    let mut thumbprints: HashMap<String, usize> = HashMap::new();
    let is_mixed = for_publication && is_mixed(set);
    for (index, key) in set.keys.iter().enumerate() {
        let header = Header::of(key);
        let kid: Option<Rc<str>> = header.kid.as_deref().map(Rc::from);
        for finding in check::findings_at(key, now, budget) {
            located.push(Located {
                index: Some(index),
                kid: kid.clone(),
                finding,
            });
        }
        let mut add = |rule, message: String| {
            let finding = Finding::new(rule, message);
            let kid = kid.clone();
            located.push(Located {
                index: Some(index),
                kid,
                finding,
            });
        };
        let kty: Rc<str> = header.kty.as_deref().unwrap_or_default().into();
        match &kid {
            Some(kid) => {
                let holders = kids.entry(kid.clone()).or_default();
                if let Some(first) = holders.by_kty.get(&kty) {
                    add(Rule::KidDuplicate, format!("key {first} has the same kid"));
                } else if let Some((first, other)) = &holders.first {
                    let other = excerpt(other);
                    let message = format!("key {first} of kty {other} has the same kid");
                    add(Rule::KidShared, message);
                }
                holders.first.get_or_insert((index, kty.clone()));
                holders.by_kty.entry(kty.clone()).or_insert(index);
            }
            None if set.keys.len() > 1 && key.members().is_ok() => {
                add(Rule::KidMissing, "the key has no kid".into())
            }
            None => {}
        }
        let members = key.members().unwrap_or_default();
        if let Some(thumbprint) = thumbprint(&members) {
            if let Some(place) = known(&thumbprint) {
                let message = format!("everybody knows the private part: {place}");
                add(Rule::PrivateKnown, message);
            }
            match thumbprints.get(&thumbprint) {
                Some(first) => add(
                    Rule::ThumbprintDuplicate,
                    format!("it is the same key as key {first}"),
                ),
                None => drop(thumbprints.insert(thumbprint, index)),
            }
        }
        if header.iat.is_some_and(|iat| iat > now.saturating_add(YEAR)) {
            add(Rule::IatFuture, "iat is more than a year ahead".into());
        }
        if header.exp.is_some_and(|exp| exp <= now) {
            add(Rule::KeyExpired, "the key has expired".into());
        }
        let is_symmetric = KeyType::named(&kty).is_some_and(KeyType::is_symmetric);
        if for_publication && !is_symmetric && members.key_type().is_some() {
            if header.alg.is_none() {
                add(Rule::AlgMissing, "the key has no alg".into());
            }
            if header.usage.is_none() && is_mixed {
                let message = "the key has no use, and the set has signing and encryption keys";
                add(Rule::UseRequired, message.into());
            } else if header.usage.is_none() && !members.has("key_ops") {
                add(Rule::UseMissing, "the key has no use".into());
            }
        }
        if for_publication && has_private_member(key) {
            if is_symmetric {
                let message = "a symmetric key has no public form";
                add(Rule::SymmetricPublished, message.into());
            } else {
                add(Rule::PrivatePublished, "it has a private member".into());
            }
        }
        if for_publication
            && let Some((name, _)) = members.iter().find(|(_, value)| is_private_pem(value))
        {
            let message = format!("the member {} has a private key in PEM", excerpt(name));
            add(Rule::PrivatePublished, message);
        }
    }
    for (index, key) in set.keys.iter().enumerate() {
        let Some(kid) = Header::of(key).kid else {
            continue;
        };
        let members = || key.members().unwrap_or_default();
        if let Some(other) = thumbprints.get(&*kid)
            && thumbprint(&members()).as_deref() != Some(&*kid)
        {
            let message = format!("the kid is the thumbprint of key {other}");
            located.push(Located {
                index: Some(index),
                kid: Some((&*kid).into()),
                finding: Finding::new(Rule::KidThumbprint, message),
            });
        }
    }
    if for_publication && set.keys.is_empty() {
        located.push(Located {
            index: None,
            kid: None,
            finding: Finding::new(Rule::SetEmpty, "the set has no keys"),
        });
    }
    let mut others = set.members().filter(|(_, value)| is_private_pem(value));
    if let Some((name, _)) = others.next().filter(|_| for_publication) {
        let message = format!(
            "the member {} of the set has a private key in PEM",
            excerpt(name)
        );
        located.push(Located {
            index: None,
            kid: None,
            finding: Finding::new(Rule::PrivatePublished, message),
        });
    }
    let of_moduli = moduli::findings(set, budget).into_iter();
    located.extend(of_moduli.map(|(index, finding)| {
        let kid = index.and_then(|index| Header::of(&set.keys[index]).kid);
        Located {
            index,
            kid: kid.map(|kid| Rc::from(&*kid)),
            finding,
        }
    }));
    located.extend(lifecycle_findings(set, now));
    located.sort_by_key(|located| located.index);
    located
}

/// Returns true if a set has keys for signatures and keys for encryption.
fn is_mixed(set: &KeySet) -> bool {
    let usages = set.keys.iter().filter_map(|key| {
        let members = key.members().ok()?;
        let of_operations = || {
            let operations = members.texts("key_ops").ok()??;
            let signs = operation_group(operations.first()?) == Some(0);
            Some(if signs { "sig" } else { "enc" })
        };
        let (usage, alg) = (members.string("use"), members.string("alg"));
        let usage = effective_use(usage.as_deref(), alg.as_deref());
        usage.or_else(of_operations).map(str::to_owned)
    });
    let usages: HashSet<String> = usages.collect();
    usages.contains("sig") && usages.contains("enc")
}

/// Returns true if the JSON text of a value has a private key in PEM.
fn is_private_pem(value: &str) -> bool {
    value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----")
}

/// Returns for each finding whether a repair of its key resolves it. The findings of a key must stand
/// together.
pub fn repairable(set: &KeySet, located: &[Located], budget: &Budget) -> Vec<bool> {
    let of_keys = located.chunk_by(|one, other| one.index == other.index);
    let repairable = of_keys.flat_map(|of_key| {
        let mut rules = of_key.iter().map(|located| located.finding.rule);
        let key = of_key[0].index.map(|index| &set.keys[index]);
        let resolved = match key.filter(|_| rules.any(repair::repairs)) {
            Some(key) => repair::resolved(key, budget),
            None => Vec::new(),
        };
        let is_resolved = move |located: &Located| resolved.contains(&located.finding);
        of_key.iter().map(is_resolved)
    });
    repairable.collect()
}

/// Checks the dates and successors of the keys against each other.
fn lifecycle_findings(set: &KeySet, now: i64) -> Vec<Located> {
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let states = lifecycle::states(set, now);
    let successors = lifecycle::successors(&headers, |i| lifecycle::can_sign(&set.keys[i]));
    let mut located = Vec::new();
    let mut add = |index: usize, rule, message: &str| {
        let message = message.to_owned();
        located.push(Located {
            index: Some(index),
            kid: headers[index].kid.as_deref().map(Rc::from),
            finding: Finding::new(rule, message),
        });
    };
    let mut lines: HashMap<_, Vec<usize>> = HashMap::new();
    let kids = headers.iter();
    let kids = kids.map(|header| (header.kid.as_deref(), lifecycle::line(header)));
    let kids: HashSet<_> = kids.collect();
    for (index, header) in headers.iter().enumerate() {
        lines
            .entry(lifecycle::line(header))
            .or_default()
            .push(index);
        let successor = header.successor.as_deref();
        let is_of_its_line = || kids.contains(&(successor, lifecycle::line(header)));
        if successor.is_some() && successors[index].is_none() && !is_of_its_line() {
            let message = "its successor is not in the set or never becomes active";
            add(index, Rule::SuccessorMissing, message);
        }
    }
    for line in lines.into_values() {
        let begun = line.iter().filter(|i| states[**i] != Some(State::Pending));
        let last = begun.max_by_key(|i| lifecycle::rank(&headers, **i));
        if let Some(last) = last
            && headers[*last].successor.is_none()
            && line
                .iter()
                .all(|i| matches!(states[*i], Some(State::Pending | State::Expired)))
        {
            add(*last, Rule::LineUnsigned, "no key of its line is active");
        }
        let mut begins = HashMap::new();
        for index in line {
            let begin = headers[index]
                .nbf
                .filter(|nbf| states[index] != Some(State::Expired) && *nbf != UNCONFIRMED);
            if begin.is_some_and(|nbf| begins.insert(nbf, index).is_some()) {
                add(
                    index,
                    Rule::BeginShared,
                    "a key of its line has the same nbf",
                );
            }
        }
    }
    located
}
