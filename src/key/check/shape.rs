//! JSON types, required members, and the form of base64url values.

use super::{Report, Rule, Values, excerpt};
use crate::key::base64url::{self, Fault};
use crate::key::key_type::{KEY_TYPES, KeyType};
use crate::key::members::Members;
use crate::key::public::WITHHELD;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// Members of every kty whose value is a string (RFC 7517 section 4).
const STRINGS: &[&str] = &["kty", "use", "alg", "kid", "x5u", "x5t", "x5t#S256", "crv"];

/// Members of every kty whose value is a number of seconds (RFC 7519 section 4.1, registered
/// for keys by OpenID Federation).
const DATES: &[&str] = &["iat", "nbf", "exp"];

/// Checks the JSON types of the members that every kty shares.
pub fn check_types(members: &Members, report: &mut Report) {
    for (name, value) in members.iter() {
        let expected = if STRINGS.contains(&name) {
            if members.text(name).is_ok() {
                continue;
            } else if value.starts_with('"') {
                let message = format!("the text of {name} cannot be decoded");
                report.add(Rule::MemberUndecodable, message);
                continue;
            }
            "a string"
        } else if DATES.contains(&name) && members.seconds(name).is_err() {
            "a number of seconds"
        } else if name == "x5c" {
            check_x5c_form(members, report);
            continue;
        } else if name == "key_ops" && members.texts(name).is_err() {
            "an array of strings"
        } else {
            continue;
        };
        report.add(Rule::MemberType, format!("{name} is not {expected}"));
    }
}

/// Checks that x5c is an array of base64 texts, without looking at what they hold.
fn check_x5c_form(members: &Members, report: &mut Report) {
    let chain = members.texts("x5c").ok().flatten().unwrap_or_default();
    if chain.is_empty() {
        report.add(Rule::X5cForm, "x5c is no array of texts with an element");
    }
    let is_bad = |text: &Cow<str>| STANDARD.decode(text.as_bytes()).is_err();
    if let Some(i) = chain.iter().position(is_bad) {
        report.add(Rule::X5cForm, format!("element {i} of x5c is not base64"));
    }
}

/// The key's registered type; where there is none, the finding that says why.
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
            let message = format!("kty is {kty:?}, which is written {}", meant.name);
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

/// Checks that the members of the type are there and well-formed and that no others stray in;
/// returns the octets of those that decode.
pub fn check_members(key_type: &KeyType, members: &Members, report: &mut Report) -> Values {
    let mut values = Values::new();
    let required_private = match key_type.is_symmetric() && !members.has(WITHHELD) {
        true => key_type.private,
        false => &[],
    };
    for name in key_type.public.iter().chain(required_private) {
        if !members.has(name) {
            let message = format!("an {} key needs {name}", key_type.name);
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
    if key_type.name == "RSA" && members.has("oth") {
        report.add(Rule::RsaMultiPrime, "oth is there: more than two primes");
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
    if key_type.name == "RSA" && octets.first() == Some(&0) {
        let message = format!("{name} has leading zero octets");
        report.add(Rule::UintLeadingZero, message);
    }
    Some(octets)
}
