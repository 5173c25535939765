//! Checks JSON types, required members, and base64url values.

use crate::key::base64url::{self, Fault};
use crate::key::check::{Report, Rule, Values, excerpt};
use crate::key::key_type::{KEY_TYPES, KeyType, Kty};
use crate::key::members::{Members, is_date};
use crate::key::parts::WITHHELD;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::collections::HashSet;

/// The members whose value is a number of seconds (RFC 7519 section 4.1, registered for keys by
/// OpenID Federation).
const DATES: &[&str] = &["iat", "nbf", "exp"];

/// Checks the JSON types of the members that keys of every type share. A member that is `null`
/// counts as absent.
pub fn check_types(members: &Members, report: &mut Report) {
    // For an algorithm key pair, alg is part of the key and its thumbprint (RFC 9964 section 6).
    let has_alg_in_key = members.kty() == Some(Kty::Akp);
    for name in ["kty", "crv", "alg", "use", "kid", "x5u", "x5t", "x5t#S256"] {
        if members.text(name).is_ok() {
            continue;
        }
        let is_text = members.raw(name).is_some_and(|raw| raw.starts_with('"'));
        let (rule, message) = if is_text {
            let message = format!("the text of {name} cannot be decoded");
            (Rule::MemberUndecodable, message)
        } else {
            (Rule::MemberType, format!("{name} is not a string"))
        };
        match name {
            "kty" | "crv" => report.add(rule, message),
            "alg" if has_alg_in_key => report.add(rule, message),
            _ => report.add_broken(name, rule, message),
        }
    }
    check_operations(members, report);
    for name in DATES {
        if members.seconds(name).is_err() {
            let is_in_milliseconds = members
                .raw(name)
                .and_then(|raw| raw.parse::<f64>().ok())
                .is_some_and(|number| is_date(number / 1000.0));
            let message = if is_in_milliseconds {
                format!("{name} is in milliseconds, not in seconds")
            } else {
                format!("{name} is not a number of seconds before the year 10000")
            };
            report.add_broken(name, Rule::MemberType, message);
        }
    }
    if members.has("x5c") {
        check_x5c_form(members, report);
    }
}

/// Checks that key_ops is an array of strings without duplicates (RFC 7517 section 4.3).
fn check_operations(members: &Members, report: &mut Report) {
    let Ok(operations) = members.texts("key_ops") else {
        let message = "key_ops is not an array of strings";
        return report.add_broken("key_ops", Rule::MemberType, message);
    };
    let operations = operations.unwrap_or_default();
    let mut seen = HashSet::new();
    if let Some(op) = operations.iter().find(|op| !seen.insert(&***op)) {
        let message = format!("key_ops has {} twice", excerpt(op));
        report.add_broken("key_ops", Rule::KeyOpsDuplicate, message);
    }
}

/// Checks that `x5c` is an array of base64 strings, without parsing the certificates.
fn check_x5c_form(members: &Members, report: &mut Report) {
    let chain = members.texts("x5c").ok().flatten().unwrap_or_default();
    if chain.is_empty() {
        let message = "x5c is not an array of at least one string";
        report.add_broken("x5c", Rule::X5cForm, message);
    }
    let is_bad = |text: &Cow<str>| STANDARD.decode(text.as_bytes()).is_err();
    if let Some(i) = chain.iter().position(is_bad) {
        let message = if chain[i].trim_start().starts_with("-----BEGIN") {
            format!("element {i} of x5c is PEM, not base64 of DER")
        } else {
            format!("element {i} of x5c is not base64")
        };
        report.add_broken("x5c", Rule::X5cForm, message);
    }
}

/// Returns the type of a key, or reports why there is none.
pub fn key_type(members: &Members, report: &mut Report) -> Option<&'static KeyType> {
    let Ok(kty) = members.text("kty") else {
        return None; // reported as a wrong type
    };
    let Some(kty) = kty else {
        report.add(Rule::MemberMissing, "kty is missing");
        return None;
    };
    let key_type = KeyType::named(&kty);
    if key_type.is_none() {
        let meant = KEY_TYPES
            .iter()
            .find(|key_type| key_type.name.eq_ignore_ascii_case(&kty));
        if let Some(meant) = meant {
            let message = format!("kty is {kty:?}; did you mean {}?", meant.name);
            report.add(Rule::KtyName, message);
        } else if kty.is_empty() {
            report.add(Rule::KtyName, "kty is empty");
        } else {
            report.add(
                Rule::KtyUnknown,
                format!("jwks does not know kty {}", excerpt(&kty)),
            );
        }
    }
    key_type
}

/// Checks that the members of the key type are present and well-formed, and that there are no
/// members of other types. Returns the decoded values.
pub fn check_members(key_type: &KeyType, members: &Members, report: &mut Report) -> Values {
    let mut values = Values::new();
    let required_private = if key_type.is_symmetric() && !members.has(WITHHELD) {
        key_type.private
    } else {
        &[]
    };
    for name in key_type.public.iter().chain(required_private) {
        if !members.has(name) {
            let message = format!("an {} key requires {name}", key_type.name);
            report.add(Rule::MemberMissing, message);
        }
    }
    for name in key_type.public.iter().chain(key_type.private) {
        if matches!(*name, "crv" | "oth") {
            continue;
        }
        if let Some(octets) = check_value(key_type, name, members, report) {
            values.insert(name, octets.into());
        }
    }
    if key_type.kty == Kty::Rsa && members.has("oth") {
        report.add(
            Rule::RsaMultiPrime,
            "the key has more than two primes (oth)",
        );
    }
    let foreign =
        |name: &&str| !key_type.owns(name) && KEY_TYPES.iter().any(|other| other.owns(name));
    for name in members.names().filter(foreign) {
        let message = format!("{name} does not belong to an {} key", key_type.name);
        report.add(Rule::MemberForeign, message);
    }
    values
}

fn check_value(
    key_type: &KeyType,
    name: &str,
    members: &Members,
    report: &mut Report,
) -> Option<Vec<u8>> {
    let Ok(text) = members.text(name) else {
        report.add(Rule::MemberType, format!("{name} is not a string"));
        return None;
    };
    let text = text?;
    if text.is_empty() {
        report.add(Rule::ValueEmpty, format!("{name} is empty"));
        return None;
    }
    let octets = match base64url::decode(&text) {
        Ok(octets) => octets,
        Err(fault) => {
            let (rule, what) = match fault {
                Fault::Padding => (Rule::Base64urlPadding, "ends in padding (=)"),
                Fault::Alphabet => (
                    Rule::Base64urlAlphabet,
                    "has a character outside the base64url alphabet",
                ),
                Fault::Length => (Rule::Base64urlLength, "has an impossible length"),
                Fault::TrailingBits => (
                    Rule::Base64urlTrailingBits,
                    "ends in a character with stray bits",
                ),
            };
            report.add(rule, format!("{name} {what}"));
            base64url::decode_lenient(&text)?
        }
    };
    if key_type.kty == Kty::Rsa && octets.first() == Some(&0) {
        let message = format!("{name} has leading zero bytes");
        report.add(Rule::UintLeadingZero, message);
    }
    Some(octets)
}
