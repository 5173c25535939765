//! Repairs `kty`, `crv` and the base64url members, and computes missing ones.

use crate::key::base64url;
use crate::key::check::Budget;
use crate::key::curve::Curve;
use crate::key::key_type::{KEY_TYPES, KeyType, Kty};
use crate::key::members::Members;
use crate::key::ml_dsa;
use crate::key::openssl_key::public_from_private;
use crate::key::rsa;
use zeroize::Zeroizing;

/// Repairs the members that make up the key. Does nothing if the `kty` is unknown.
pub fn repair(members: &mut Members<'static>, budget: &Budget) {
    let kty = members.string("kty").and_then(|kty| meant_by(&kty));
    let Some(key_type) = kty else {
        return;
    };
    set(members, "kty", key_type.name);
    let curve = members.string("crv").and_then(|crv| {
        let curve = Curve::named(&crv).or_else(|| Curve::meant_by(&crv));
        curve.filter(|curve| curve.kty == key_type.name)
    });
    if let Some(curve) = curve {
        set(members, "crv", curve.name);
    }
    for name in key_type.public.iter().chain(key_type.private) {
        if !matches!(*name, "crv" | "oth")
            && let Some(text) = canonical(key_type, curve, name, members)
        {
            set(members, name, &text);
        }
    }
    match (key_type.kty, curve) {
        (Kty::Rsa, _) => complete_rsa(members, budget),
        (Kty::Ec | Kty::Okp, Some(curve)) => complete_point(curve, key_type, members, budget),
        (Kty::Akp, _) => complete_akp(members, budget),
        (Kty::Ec | Kty::Okp, None) | (Kty::Oct, _) => {}
    }
}

/// Finds the key type that a `kty` refers to: a registered one in another case, or a key in an HSM of
/// Azure Key Vault.
pub(in crate::key) fn meant_by(kty: &str) -> Option<&'static KeyType> {
    let name = match kty {
        "RSA-HSM" | "EC-HSM" => kty.trim_end_matches("-HSM"),
        kty => kty,
    };
    KEY_TYPES
        .iter()
        .find(|key_type| key_type.name.eq_ignore_ascii_case(name))
}

/// Sets a string member, unless it has the value.
fn set(members: &mut Members<'static>, name: &'static str, value: &str) {
    if members.string(name).as_deref() != Some(value) {
        members.set_text(name, value);
    }
}

/// Returns the canonical form of a base64url member; `None` if its bytes are in doubt.
fn canonical(
    key_type: &KeyType,
    curve: Option<&Curve>,
    name: &str,
    members: &Members,
) -> Option<Zeroizing<String>> {
    let octets = read(&members.string(name)?)?;
    let significant = octets.iter().position(|octet| *octet != 0);
    let significant = &octets[significant.unwrap_or(octets.len())..];
    let octets = match (key_type.kty, curve) {
        // No RSA integer is zero.
        (Kty::Rsa, _) if significant.is_empty() => return None,
        (Kty::Rsa, _) => Zeroizing::new(significant.to_vec()),
        // A longer number is out of range, which a check reports.
        (Kty::Ec, Some(curve)) if significant.len() <= curve.octets => {
            let mut full = Zeroizing::new(vec![0; curve.octets - significant.len()]);
            full.extend(significant);
            full
        }
        (Kty::Ec | Kty::Okp | Kty::Oct | Kty::Akp, _) => octets,
    };
    Some(Zeroizing::new(base64url::encode(&*octets)))
}

/// Reads base64 or base64url, with or without padding, white space and stray bits. Returns `None` for
/// other text, and for no bytes.
pub(super) fn read(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let letters = text.chars().filter(|c| !c.is_ascii_whitespace());
    let letters = letters.map(|c| match c {
        '+' => '-',
        '/' => '_',
        other => other,
    });
    let text: Zeroizing<String> = Zeroizing::new(letters.collect());
    let octets = base64url::decode_lenient(text.trim_end_matches('='))?;
    Some(Zeroizing::new(octets)).filter(|octets| !octets.is_empty())
}

/// Returns the bytes of a canonical base64url member.
fn octets(members: &Members, name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let octets = base64url::decode(&members.string(name)?).ok()?;
    Some(Zeroizing::new(octets))
}

/// Computes a missing public point from the private key. A coordinate that is present stays as it is,
/// and the check compares it.
fn complete_point(
    curve: &Curve,
    key_type: &KeyType,
    members: &mut Members<'static>,
    budget: &Budget,
) {
    let is_missing = |name: &&&str| matches!(**name, "x" | "y") && !members.has(name);
    let missing: Vec<_> = key_type.public.iter().filter(is_missing).collect();
    let (false, Some(d)) = (missing.is_empty(), octets(members, "d")) else {
        return;
    };
    if !budget.spend(curve.cost) {
        return;
    }
    let Ok(point) = public_from_private(curve, &d) else {
        return;
    };
    for name in missing {
        let coordinate = if *name == "x" {
            Some(&point.x)
        } else {
            point.y.as_ref()
        };
        if let Some(coordinate) = coordinate {
            members.set_text(name, &base64url::encode(coordinate));
        }
    }
}

/// Computes a missing ML-DSA public key from its seed.
fn complete_akp(members: &mut Members<'static>, budget: &Budget) {
    if members.has("pub") {
        return;
    }
    let (Some(set), Some(seed)) = (ml_dsa::of(members), octets(members, "priv")) else {
        return;
    };
    if !budget.spend(ml_dsa::COST) {
        return;
    }
    if let Ok(public) = set.public_of(&seed) {
        members.set_text("pub", &base64url::encode(public));
    }
}

/// Computes whichever of p, q, dp, dq and qi are missing from n, e and d.
fn complete_rsa(members: &mut Members<'static>, budget: &Budget) {
    let given = rsa::CRT.map(|name| octets(members, name));
    let has_other = rsa::CRT
        .iter()
        .zip(&given)
        .any(|(name, octets)| members.has(name) && octets.is_none());
    if has_other || members.has("oth") || given.iter().all(Option::is_some) {
        return;
    }
    let (Some(n), Some(e), Some(d)) = (
        octets(members, "n"),
        octets(members, "e"),
        octets(members, "d"),
    ) else {
        return;
    };
    let is_odd = n.last().is_some_and(|octet| octet % 2 == 1);
    // Larger numbers would make the computation slow.
    let is_of_size = rsa::bit_length(&n) <= *rsa::MODULUS_BITS.end()
        && rsa::bit_length(&e) <= rsa::EXPONENT_BITS;
    if !is_odd || !is_of_size || !budget.spend(rsa::recovery_cost(&n)) {
        return;
    }
    let given = given
        .each_ref()
        .map(|number| number.as_deref().map(|number| &**number));
    let Ok(Some(numbers)) = rsa::complete(&n, &e, &d, given) else {
        return;
    };
    for (name, number) in rsa::CRT.into_iter().zip(numbers.map(Zeroizing::new)) {
        set(members, name, &Zeroizing::new(base64url::encode(&*number)));
    }
}
