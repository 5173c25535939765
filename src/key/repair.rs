//! Repairs a key: rewrites in canonical form what a check found, where the key material is not in
//! doubt. The numbers of the key never change.

mod describing;
mod material;

use crate::key::Key;
use crate::key::check::{Breaks, Budget, Finding, Rule, findings};
use crate::key::members::Members;

/// The result of a repair.
pub enum Repair {
    /// The key has no finding that can be repaired.
    Nothing,
    /// The repaired key.
    Repaired(Repaired),
    /// The key must stay as it is, because this error remains after a repair. It puts the key material
    /// in doubt.
    Doubt(Finding),
}

/// A repaired key.
pub struct Repaired {
    /// The key in canonical form.
    pub key: Key<'static>,
    /// The findings of the original key that the repair resolves, in order.
    pub findings: Vec<Finding>,
}

/// Returns true if a repair can resolve findings of this rule. Whether it resolves a single finding
/// depends on the other members of the key.
pub fn repairs(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::MemberType
            | Rule::MemberMissing
            | Rule::MemberForeign
            | Rule::KtyName
            | Rule::KtyUnknown
            | Rule::CrvName
            | Rule::Base64urlPadding
            | Rule::Base64urlAlphabet
            | Rule::Base64urlTrailingBits
            | Rule::UintLeadingZero
            | Rule::RsaPrivateIncomplete
            | Rule::RsaCrtMissing
            | Rule::RsaPrimesMissing
            | Rule::CoordinateLength
            | Rule::PrivateLength
            | Rule::KeyOpsDuplicate
            | Rule::X5cForm
            | Rule::X5tLength
            | Rule::X5tHex
            | Rule::X5tMismatch
    )
}

/// Repairs a key. Private parts and certificates are computed and checked within the budget; what
/// exceeds it is not repaired.
pub fn repair(key: &Key, budget: &Budget) -> Repair {
    let before = findings(key, budget);
    if !before.iter().any(|finding| repairs(finding.rule)) {
        return Repair::Nothing;
    }
    let Ok(mut members) = key.members().map(Members::into_owned) else {
        return Repair::Nothing;
    };
    material::repair(&mut members, budget);
    describing::repair(&mut members, budget);
    let key = Key::from(members);
    let after = findings(&key, budget);
    if let Some(doubt) = after.iter().find(|finding| is_doubtful(finding)) {
        return Repair::Doubt(doubt.clone());
    }
    let is_resolved = |finding: &Finding| repairs(finding.rule) && !after.contains(finding);
    let resolved: Vec<_> = before.into_iter().filter(is_resolved).collect();
    if resolved.is_empty() {
        return Repair::Nothing;
    }
    Repair::Repaired(Repaired {
        key,
        findings: resolved,
    })
}

/// Returns the findings of a key that [`repair`] resolves.
pub fn resolved(key: &Key, budget: &Budget) -> Vec<Finding> {
    match repair(key, budget) {
        Repair::Repaired(repaired) => repaired.findings,
        Repair::Nothing | Repair::Doubt(_) => Vec::new(),
    }
}

/// Returns true if an error makes the key material doubtful. A small modulus is weak, but certain.
fn is_doubtful(finding: &Finding) -> bool {
    finding.breaks() == Breaks::Key && finding.rule != Rule::RsaModulusSize
}

#[cfg(test)]
mod tests;
