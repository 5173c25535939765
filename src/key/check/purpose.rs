//! Checks what `use`, `alg` and `key_ops` say about a key against its type, curve and size, and against
//! each other. A contradiction leaves the purpose of the key unknown.

use crate::key::algorithm::{Algorithm, Takes, operation_group};
use crate::key::check::{Report, Rule, excerpt};
use crate::key::curve::Curve;
use crate::key::header::size;
use crate::key::key_type::{KeyType, Kty};
use crate::key::members::Members;

/// Checks `alg` against the key, and `use` against `key_ops`.
pub fn check(members: &Members, report: &mut Report) {
    if let Some(name) = members.string("alg")
        && let Some(algorithm) = Algorithm::named(&name)
        && let Some(kty) = members.string("kty")
        && let Some(key_type) = KeyType::named(&kty)
    {
        check_algorithm(algorithm, key_type, members, report);
    }
    let operations = members.texts("key_ops").ok().flatten().unwrap_or_default();
    let usage = members.string("use").unwrap_or_default();
    if let Some(op) = contradiction(&usage, operations.iter().map(|op| &**op)) {
        let message = format!("a key for use {usage} does not use the operation {op}");
        report.add_broken("key_ops", Rule::UseKeyOps, message);
    }
}

fn check_algorithm(
    algorithm: &Algorithm,
    key_type: &KeyType,
    members: &Members,
    report: &mut Report,
) {
    let requires = || {
        format!(
            "{} requires {}",
            algorithm.name,
            algorithm.key_requirement()
        )
    };
    if !algorithm.key_types().contains(&key_type.name) {
        let message = format!("{}; the key's kty is {}", requires(), key_type.name);
        // For an algorithm key pair, alg is part of the key and its thumbprint (RFC 9964 section 6).
        return if key_type.kty == Kty::Akp {
            report.add(Rule::AlgKty, message);
        } else {
            report.add_broken("alg", Rule::AlgKty, message);
        };
    }
    if let Takes::Curves(curves) = algorithm.takes
        && let Some(crv) = members.string("crv")
        && Curve::named(&crv).is_some()
        && !curves.contains(&&*crv)
    {
        let message = format!("{}; the key's curve is {}", requires(), excerpt(&crv));
        report.add_broken("alg", Rule::AlgCrv, message);
    }
    if let Some(bits) = size(members).filter(|bits| !algorithm.takes_size(*bits)) {
        let message = format!("{}; this key has {bits}", requires());
        report.add(Rule::SymmetricSize, message);
    }
}

/// Returns the first registered operation that keys with this `use` do not have (RFC 7517 section 4.3).
pub fn contradiction<'a>(
    usage: &str,
    mut operations: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    operations.find(|op| match (usage, operation_group(op)) {
        ("sig", Some(group)) => group != 0,
        ("enc", Some(group)) => group == 0,
        _ => false,
    })
}
