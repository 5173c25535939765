//! Finds members that contradict each other, or that some tools reject, although the purpose of the key is
//! clear.

use crate::key::algorithm::{Algorithm, operation_group};
use crate::key::check::purpose::contradiction;
use crate::key::check::{Report, Rule, excerpt, names, secret};
use crate::key::key_type::Kty;
use crate::key::members::Members;
use crate::key::parts::has_private_part;

/// Checks the members of one key against each other.
pub fn check(members: &Members, report: &mut Report) {
    let operations = members.texts("key_ops").ok().flatten().unwrap_or_default();
    let operations: Vec<&str> = operations.iter().map(|text| &**text).collect();
    let usage = members.string("use");
    check_algorithm(members, &operations, report);
    check_operations(members, usage.as_deref(), &operations, report);
    if let Some(usage) = usage.filter(|usage| *usage != "sig" && *usage != "enc") {
        report.add(Rule::UseUnknown, format!("use is {}", excerpt(&usage)));
    }
    names::check_members(members, report);
    if members.kty() == Some(Kty::Oct) {
        secret::check(members, report);
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

fn check_algorithm(members: &Members, operations: &[&str], report: &mut Report) {
    let Some(name) = members.string("alg") else {
        return;
    };
    let Some(algorithm) = Algorithm::named(&name) else {
        return names::check_algorithm(&name, report);
    };
    if name == "RSA1_5" {
        report.add(Rule::AlgDeprecated, "alg is RSA1_5");
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

fn check_operations(
    members: &Members,
    usage: Option<&str>,
    operations: &[&str],
    report: &mut Report,
) {
    if let Some(op) = operations.iter().find(|op| !is_registered(op)) {
        report.add(Rule::KeyOpsUnknown, format!("key_ops has {}", excerpt(op)));
    }
    let mut registered = operations.iter().filter(|op| is_registered(op));
    if contradiction(usage.unwrap_or_default(), operations.iter().copied()).is_none()
        && let Some(first) = registered.next()
        && let Some(other) = registered.find(|op| operation_group(op) != operation_group(first))
    {
        let message = format!("{first} and {other} are unrelated operations");
        report.add(Rule::KeyOpsUnrelated, message);
    }
    if usage.is_some() && !operations.is_empty() {
        report.add(Rule::UseAndKeyOps, "the key has both use and key_ops");
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

fn is_registered(operation: &str) -> bool {
    operation_group(operation).is_some()
}
