//! Finds contradictions between members: alg, kty, crv, use, key_ops and dates.

use crate::key::algorithm::{Algorithm, OPERATIONS, Takes};
use crate::key::check::{Report, Rule, Values, excerpt};
use crate::key::key_type::KeyType;
use crate::key::members::Members;
use crate::key::parts::has_private_part;

/// Checks the members of one key against each other.
pub fn check(members: &Members, values: &Values, report: &mut Report) {
    let operations = members.texts("key_ops").ok().flatten().unwrap_or_default();
    let operations: Vec<&str> = operations.iter().map(|text| &**text).collect();
    let usage = members.string("use");
    check_algorithm(members, values, &operations, report);
    check_operations(members, usage.as_deref(), &operations, report);
    if let Some(usage) = usage.filter(|usage| *usage != "sig" && *usage != "enc") {
        report.add(Rule::UseUnknown, format!("use is {}", excerpt(&usage)));
    }
    if members.string("kid").is_some_and(|kid| kid.is_empty()) {
        report.add(Rule::KidEmpty, "kid is empty");
    }
    if let Some(x5u) = members.string("x5u")
        && !x5u.starts_with("https://")
    {
        report.add(Rule::X5uNotHttps, "x5u does not start with https://");
    }
    if let (Ok(Some(nbf)), Ok(Some(exp))) = (members.seconds("nbf"), members.seconds("exp"))
        && exp <= nbf
    {
        report.add(
            Rule::DatesOrder,
            format!("exp {exp} is not after nbf {nbf}"),
        );
    }
}

fn check_algorithm(members: &Members, values: &Values, operations: &[&str], report: &mut Report) {
    let Some(name) = members.string("alg") else {
        return;
    };
    let Some(algorithm) = Algorithm::named(&name) else {
        if name.eq_ignore_ascii_case("none") {
            report.add(Rule::AlgNone, format!("alg is {name:?}"));
        } else {
            report.add(
                Rule::AlgUnknown,
                format!("jwks does not know alg {}", excerpt(&name)),
            );
        }
        return;
    };
    if name == "RSA1_5" {
        report.add(Rule::AlgDeprecated, "alg is RSA1_5");
    }
    if let Some(kty) = members.string("kty")
        && KeyType::named(&kty).is_some()
    {
        if !algorithm.key_types().contains(&&*kty) {
            let takes = algorithm.key_requirement();
            let message = format!("{name} requires {takes}; the key's kty is {kty}");
            report.add(Rule::AlgKty, message);
        } else if let Takes::Curves(curves) = algorithm.takes
            && let Some(crv) = members.string("crv")
            && !curves.contains(&&*crv)
        {
            let takes = algorithm.key_requirement();
            let message = format!(
                "{name} requires {takes}; the key's curve is {}",
                excerpt(&crv)
            );
            report.add(Rule::AlgCrv, message);
        }
        check_symmetric_size(algorithm, values, report);
    }
    if let Some(usage) = members.string("use")
        && matches!(&*usage, "sig" | "enc")
        && usage != algorithm.usage.name()
    {
        report.add(
            Rule::AlgUse,
            format!(
                "{name} is for use {}; use is {usage}",
                algorithm.usage.name()
            ),
        );
    }
    let stray = |op: &&&str| is_registered(op) && !algorithm.operations.contains(op);
    if let Some(op) = operations.iter().find(stray) {
        report.add(
            Rule::AlgKeyOps,
            format!("{name} does not use the operation {op}"),
        );
    }
}

fn check_symmetric_size(algorithm: &Algorithm, values: &Values, report: &mut Report) {
    let Some(k) = values.get("k") else {
        return;
    };
    let bits = k.len() * 8;
    let fits = match algorithm.takes {
        Takes::OctAtLeast(least) => bits >= least as usize,
        Takes::OctExactly(exactly) => bits == exactly as usize,
        Takes::Rsa | Takes::Curves(_) | Takes::Akp => true,
    };
    if !fits {
        let takes = algorithm.key_requirement();
        let message = format!("{} requires {takes}; this key has {bits}", algorithm.name);
        report.add(Rule::SymmetricSize, message);
    }
}

fn check_operations(
    members: &Members,
    usage: Option<&str>,
    operations: &[&str],
    report: &mut Report,
) {
    if let Some(op) = operations.iter().find(|op| !is_registered(op)) {
        report.add(Rule::KeyOpsUnknown, format!("key_ops has {}", excerpt(op)));
    }
    let fits_use = |op: &&&str| match usage {
        Some("sig") => OPERATIONS[0].contains(op),
        Some("enc") => !OPERATIONS[0].contains(op),
        _ => true,
    };
    let mut registered = operations.iter().filter(|op| is_registered(op));
    if let (Some(usage), Some(op)) = (usage, registered.clone().find(|op| !fits_use(op))) {
        let message = format!("a key for use {usage} does not use the operation {op}");
        report.add(Rule::UseKeyOps, message);
    } else if let Some(first) = registered.next()
        && let Some(other) = registered.find(|op| group(op) != group(first))
    {
        let message = format!("{first} and {other} are unrelated operations");
        report.add(Rule::KeyOpsUnrelated, message);
    }
    let key_type = members.key_type();
    let is_public = key_type
        .is_some_and(|key_type| !has_private_part(key_type, members) && !key_type.is_symmetric());
    let private_only = |op: &&&str| matches!(**op, "sign" | "decrypt" | "unwrapKey");
    if is_public && let Some(op) = operations.iter().find(private_only) {
        let message = format!("a public key cannot {op}");
        report.add(Rule::KeyOpsPrivate, message);
    }
}

fn group(operation: &str) -> Option<usize> {
    OPERATIONS
        .iter()
        .position(|group| group.contains(&operation))
}

fn is_registered(operation: &str) -> bool {
    group(operation).is_some()
}
