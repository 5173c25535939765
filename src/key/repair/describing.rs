//! Repairs the members that describe a key: operations, dates and certificates. Removes the members of
//! other key types.

use crate::key::algorithm::OPERATIONS;
use crate::key::base64url;
use crate::key::certificate::{self, Certificate};
use crate::key::check::Budget;
use crate::key::key_type::KEY_TYPES;
use crate::key::members::{Members, is_date};
use crate::key::parts::DATES;
use crate::key::repair::material::read;
use crate::key::thumbprint::thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Repairs the members that describe a key. Foreign members are removed only if the type is known.
pub fn repair(members: &mut Members<'static>, budget: &Budget) {
    remove_foreign(members);
    repair_operations(members);
    DATES.iter().for_each(|name| repair_date(members, name));
    repair_chain(members, budget);
    repair_digests(members, budget);
}

/// Removes the members of other key types.
fn remove_foreign(members: &mut Members) {
    let Some(key_type) = members.key_type() else {
        return;
    };
    let others = KEY_TYPES.iter();
    let others = others.flat_map(|other| other.public.iter().chain(other.private));
    others
        .filter(|name| !key_type.owns(name))
        .for_each(|name| members.remove(name));
}

/// Converts a `key_ops` string of registered operations to an array, and removes duplicates.
fn repair_operations(members: &mut Members) {
    let operations = match (members.texts("key_ops"), members.string("key_ops")) {
        (Ok(Some(operations)), _) => operations,
        (Err(_), Some(text)) => {
            let words = text.split([' ', ',']).filter(|word| !word.is_empty());
            let registered = OPERATIONS.concat();
            let words: Vec<_> = words.map(|word| word.to_owned().into()).collect();
            let is_registered = |word: &std::borrow::Cow<str>| registered.contains(&&**word);
            if words.is_empty() || !words.iter().all(is_registered) {
                return;
            }
            words
        }
        _ => return,
    };
    let mut once: Vec<String> = Vec::new();
    for operation in &operations {
        if !once.iter().any(|other| other == operation) {
            once.push(operation.to_string());
        }
    }
    if once.len() < operations.len() || members.texts("key_ops").is_err() {
        members.set_texts("key_ops", &once);
    }
}

/// Converts a date in milliseconds, or in a string of digits, to seconds since 1970.
fn repair_date(members: &mut Members, name: &'static str) {
    if members.seconds(name).is_ok() {
        return;
    }
    let text = members.string(name).map(|text| text.into_owned());
    let raw = text.as_deref().or(members.raw(name)).unwrap_or_default();
    let Ok(number) = raw.parse::<i64>() else {
        return;
    };
    let seconds = [number, number.div_euclid(1000)];
    if let Some(seconds) = seconds.into_iter().find(|number| is_date(*number as f64)) {
        members.set_number(name, seconds);
    }
}

/// Rewrites the certificates of `x5c` as base64 of DER, if all of them can be parsed.
fn repair_chain(members: &mut Members, budget: &Budget) {
    let texts = match (members.texts("x5c"), members.string("x5c")) {
        (Ok(Some(texts)), _) => texts,
        (Err(_), Some(text)) => vec![text],
        _ => return,
    };
    let is_canonical = |text: &str| STANDARD.decode(text).is_ok();
    if members.texts("x5c").is_ok() && texts.iter().all(|text| is_canonical(text))
        || !budget.spend_on_parsing(texts.len())
    {
        return;
    }
    let ders: Option<Vec<_>> = texts.iter().map(|text| certificates(text)).collect();
    let ders = ders.unwrap_or_default().concat();
    let chain: Option<Vec<_>> = ders.iter().map(|der| Certificate::parse(der)).collect();
    match chain {
        Some(chain) if !chain.is_empty() => {
            let chain: Vec<_> = chain.iter().map(Certificate::to_x5c).collect();
            members.set_texts("x5c", &chain);
        }
        _ => {}
    }
}

/// Decodes certificates in PEM, or one certificate in base64 or base64url, to DER.
fn certificates(text: &str) -> Option<Vec<Vec<u8>>> {
    if text.trim_start().starts_with("-----BEGIN") {
        let blocks = pem::parse_many(text).ok()?;
        return Some(blocks.into_iter().map(pem::Pem::into_contents).collect());
    }
    read(text).map(|der| vec![der.to_vec()])
}

/// Computes the digests from `x5c` if its first certificate is for the key. Without `x5c`, a digest is
/// rewritten as base64url without padding.
fn repair_digests(members: &mut Members, budget: &Budget) {
    const DIGESTS: [(&str, usize); 2] = [("x5t", 20), ("x5t#S256", 32)];
    if !DIGESTS.iter().any(|(name, _)| members.has(name)) {
        return;
    }
    let has_chain = members.has("x5c");
    if has_chain {
        let number = members
            .texts("x5c")
            .ok()
            .flatten()
            .unwrap_or_default()
            .len();
        if !budget.spend_on_parsing(number) {
            return;
        }
        let chain = Certificate::chain_of(members);
        let certified = chain.first().and_then(|leaf| leaf.public_key().ok());
        let certified = certified.and_then(|key| thumbprint(&key));
        if certified.is_none() || certified != thumbprint(members) {
            return;
        }
    }
    for (name, length) in DIGESTS {
        let Some(text) = members.string(name).map(|text| text.into_owned()) else {
            continue;
        };
        let right = if has_chain {
            certificate::digest_of_leaf(members, name)
        } else {
            let read_digest = certificate::read_digest(&text, length).map(|(digest, _)| digest);
            let digest = read_digest.or_else(|| read(&text).map(|digest| digest.to_vec()));
            let digest = digest.filter(|digest| digest.len() == length);
            digest.map(base64url::encode)
        };
        if let Some(right) = right.filter(|right| *right != text) {
            members.set_text(name, &right);
        }
    }
}
