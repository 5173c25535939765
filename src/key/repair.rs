//! Repairs a key: rewrites in canonical form what a check found, where the key material is not in
//! doubt. The numbers of the key never change.

mod describing;
mod material;

use crate::key::Key;
use crate::key::check::{Breaks, Budget, Finding, Rule, findings, findings_at};
use crate::key::members::Members;

/// The result of a repair.
pub enum Repair {
    /// The key has no finding that can be repaired.
    Nothing,
    /// The repaired key.
    Repaired(Repaired),
    /// The key must stay as it is, because no repair resolves this error. It puts the key material in
    /// doubt.
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
    // The date is of no importance, because a certificate that has expired is no reason for doubt.
    let doubt = |key: &Key| findings_at(key, 0, budget).into_iter().find(is_doubtful);
    if !before.iter().any(|finding| repairs(finding.rule)) {
        return doubt(key).map_or(Repair::Nothing, Repair::Doubt);
    }
    let Ok(mut members) = key.members().map(Members::into_owned) else {
        return Repair::Nothing;
    };
    material::repair(&mut members, budget);
    describing::repair(&mut members, budget);
    let key = Key::from(members);
    let after = findings(&key, budget);
    if let Some(doubt) = doubt(&key) {
        return Repair::Doubt(doubt);
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
mod tests {
    use super::*;
    use crate::key::base64url;
    use crate::key::generate::{Plan, Request};
    use crate::key::thumbprint::thumbprint;

    fn generate(alg: &str) -> Members<'static> {
        let request = Request {
            alg: Some(alg),
            ..Request::default()
        };
        Plan::new(request).unwrap().generate().unwrap()
    }

    fn rules_of(findings: &[Finding]) -> Vec<Rule> {
        findings.iter().map(|finding| finding.rule).collect()
    }

    /// Repairs a damaged copy of a key, checks what holds for every repair, and returns the rules.
    #[track_caller]
    fn repaired(original: &Members, damaged: &Members) -> Vec<Rule> {
        let budget = Budget::default();
        let damaged = Key::from(damaged.clone());
        let Repair::Repaired(repaired) = repair(&damaged, &budget) else {
            let findings = findings(&damaged, &budget);
            panic!("{:?} is not repaired: {findings:?}", damaged.json());
        };
        let members = repaired.key.members().ok().unwrap();
        assert_eq!(thumbprint(&members), thumbprint(original));
        assert!(
            matches!(repair(&repaired.key, &budget), Repair::Nothing),
            "{:?} is repaired twice",
            repaired.key.json()
        );
        let rules = rules_of(&repaired.findings);
        assert!(rules.iter().all(|rule| repairs(*rule)));
        let rest = rules_of(&findings(&repaired.key, &budget));
        assert!(!rest.iter().any(|rule| rules.contains(rule)), "{rest:?}");
        rules
    }

    #[track_caller]
    fn doubt(members: &Members) -> Rule {
        match repair(&Key::from(members.clone()), &Budget::default()) {
            Repair::Doubt(finding) => finding.rule,
            Repair::Repaired(repaired) => panic!("repaired {:?}", repaired.findings),
            Repair::Nothing => panic!("nothing to repair"),
        }
    }

    /// Applies a damage to a copy of a member.
    fn with_text(
        key: &Members,
        name: &'static str,
        change: impl Fn(&str) -> String,
    ) -> Members<'static> {
        let mut damaged = key.clone().into_owned();
        let text = change(&key.string(name).unwrap());
        damaged.set_text(name, &text);
        damaged
    }

    fn with_octets(
        key: &Members,
        name: &'static str,
        change: impl Fn(&mut Vec<u8>),
    ) -> Members<'static> {
        with_text(key, name, |text| {
            let mut octets = base64url::decode(text).unwrap();
            change(&mut octets);
            base64url::encode(octets)
        })
    }

    fn without(key: &Members, names: &[&str]) -> Members<'static> {
        let mut damaged = key.clone().into_owned();
        names.iter().for_each(|name| damaged.remove(name));
        damaged
    }

    #[test]
    fn encodings_become_canonical() {
        for (alg, names) in [
            ("RS256", &["n", "d"][..]),
            ("ES256", &["x", "y", "d"]),
            ("ES512", &["x", "y", "d"]),
            ("Ed25519", &["x", "d"]),
            ("HS256", &["k"]),
        ] {
            let key = generate(alg);
            for name in names {
                let damaged = with_text(&key, name, |text| format!("{text}="));
                // A private number that is not read counts as missing, too.
                assert!(repaired(&key, &damaged).contains(&Rule::Base64urlPadding));
                let damaged = with_text(&key, name, |text| {
                    format!("{}\n{}", &text[..8], &text[8..])
                        .replace('-', "+")
                        .replace('_', "/")
                });
                assert!(repaired(&key, &damaged).contains(&Rule::Base64urlAlphabet));
            }
        }
        let key = generate("ES256");
        let damaged = with_text(&key, "x", |text| {
            // The last of 43 characters has two unused bits.
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let (rest, last) = text.split_at(42);
            let next = alphabet.find(last).unwrap() + 1;
            format!("{rest}{}", &alphabet[next..=next])
        });
        assert_eq!(repaired(&key, &damaged), [Rule::Base64urlTrailingBits]);
    }

    #[test]
    fn numbers_get_their_length() {
        let rsa = generate("RS256");
        for name in ["n", "e", "d"] {
            let damaged = with_octets(&rsa, name, |octets| octets.insert(0, 0));
            assert_eq!(repaired(&rsa, &damaged), [Rule::UintLeadingZero]);
        }
        // Of 200 keys on P-521, some have a number that begins with a zero byte.
        let short = (0..200).find_map(|_| {
            let key = generate("ES512");
            let name = ["x", "y"].into_iter().find(|name| {
                let octets = base64url::decode(&key.string(name).unwrap()).unwrap();
                octets[0] == 0
            })?;
            Some((key, name))
        });
        let (key, name) = short.unwrap();
        let damaged = with_octets(&key, name, |octets| {
            octets.remove(0);
        });
        assert_eq!(repaired(&key, &damaged), [Rule::CoordinateLength]);
        let key = generate("ES256");
        let damaged = with_octets(&key, "x", |octets| octets.insert(0, 0));
        assert_eq!(repaired(&key, &damaged), [Rule::CoordinateLength]);
        let damaged = with_octets(&key, "d", |octets| octets.insert(0, 0));
        assert_eq!(repaired(&key, &damaged), [Rule::PrivateLength]);
        // The last byte is missing, not the first.
        let cut = with_octets(&key, "x", |octets| {
            octets.pop();
        });
        assert_eq!(doubt(&cut), Rule::PointNotOnCurve);
    }

    #[test]
    fn names_become_the_registered_ones() {
        let rsa = generate("RS256");
        let damaged = with_text(&rsa, "kty", |_| "RSA-HSM".into());
        assert_eq!(repaired(&rsa, &damaged), [Rule::KtyUnknown]);
        let damaged = with_text(&rsa, "kty", |_| "rsa".into());
        assert_eq!(repaired(&rsa, &damaged), [Rule::KtyName]);
        let koblitz = generate("ES256K");
        let mut damaged = with_text(&koblitz, "crv", |_| "P-256K".into());
        assert_eq!(repaired(&koblitz, &damaged), [Rule::CrvName]);
        damaged.set_text("kty", "EC-HSM");
        assert_eq!(repaired(&koblitz, &damaged), [Rule::KtyUnknown]);
        // The point is not on the curve that the name refers to.
        let other = with_text(&generate("ES256"), "crv", |_| "P-256K".into());
        assert_eq!(doubt(&other), Rule::PointNotOnCurve);
        let oct = with_text(&generate("HS256"), "kty", |_| "oct-HSM".into());
        let nothing = repair(&Key::from(oct), &Budget::default());
        assert!(matches!(nothing, Repair::Nothing));
    }

    #[test]
    fn a_missing_public_part_is_computed() {
        for (alg, missing) in [
            ("ES256", &["x", "y"][..]),
            ("ES384", &["y"]),
            ("Ed25519", &["x"]),
            ("Ed448", &["x"]),
            ("ECDH-ES", &["x"]),
        ] {
            let key = generate(alg);
            let rules = repaired(&key, &without(&key, missing));
            assert!(
                rules.iter().all(|rule| *rule == Rule::MemberMissing),
                "{alg}"
            );
            assert_eq!(rules.len(), missing.len());
        }
        let (one, other) = (generate("ES256"), generate("ES256"));
        let mut mixed = without(&one, &["y"]);
        mixed.set_text("x", &other.string("x").unwrap());
        assert_eq!(doubt(&mixed), Rule::PointNotOnCurve);
        let (one, other) = (generate("EdDSA"), generate("EdDSA"));
        let mut mixed = with_text(&one, "x", |text| format!("{text}="));
        mixed.set_text("d", &other.string("d").unwrap());
        assert_eq!(doubt(&mixed), Rule::PrivateMismatch);
        let rsa = generate("RS256");
        assert_eq!(doubt(&without(&rsa, &["n"])), Rule::MemberMissing);
        assert_eq!(doubt(&without(&rsa, &["e"])), Rule::MemberMissing);
    }

    #[test]
    fn missing_primes_are_computed() {
        let key = generate("RS256");
        for (missing, rule) in [
            (&["p", "q", "dp", "dq", "qi"][..], Rule::RsaPrimesMissing),
            (&["dp", "dq", "qi"], Rule::RsaCrtMissing),
            (&["q", "dp", "qi"], Rule::RsaPrivateIncomplete),
        ] {
            assert_eq!(repaired(&key, &without(&key, missing)), [rule]);
        }
        // The primes stay in their order.
        let mut swapped = without(&key, &["dp", "dq", "qi"]);
        swapped.set_text("p", &key.string("q").unwrap());
        swapped.set_text("q", &key.string("p").unwrap());
        assert_eq!(repaired(&key, &swapped), [Rule::RsaCrtMissing]);
        let other = generate("RS256");
        let mut mixed = without(&key, &["dq", "qi"]);
        mixed.set_text("p", &other.string("p").unwrap());
        assert_eq!(doubt(&mixed), Rule::RsaPrivateIncomplete);
        // A long exponent is not computed with.
        let mut long = without(&key, &["p"]);
        long.set_text("e", &format!("{}Q", "_".repeat(400_002)));
        assert_eq!(doubt(&long), Rule::RsaExponent);
        let mut mixed = without(&key, &["p", "dp", "dq", "qi"]);
        mixed.set_text("d", &other.string("d").unwrap());
        assert_eq!(doubt(&mixed), Rule::RsaPrivateIncomplete);
    }

    #[test]
    fn describing_members_are_rewritten() {
        let key = without(&generate("ES256"), &["d"]);
        for (name, before, after, rule) in [
            ("exp", "1776038715816", "1776038715", Rule::MemberType),
            ("nbf", "\"1776038715\"", "1776038715", Rule::MemberType),
            ("key_ops", "\"verify\"", "[\"verify\"]", Rule::MemberType),
            (
                "key_ops",
                "[\"verify\",\"x\",\"verify\"]",
                "[\"verify\",\"x\"]",
                Rule::KeyOpsDuplicate,
            ),
            ("n", "\"AQAB\"", "null", Rule::MemberForeign),
            ("k", "7", "null", Rule::MemberForeign),
            (
                "x5t",
                "\"B2250D658124C00A64F6C9B2CB74D0228535DB3D\"",
                "\"siUNZYEkwApk9smyy3TQIoU12z0\"",
                Rule::X5tHex,
            ),
            (
                "x5t",
                "\"siUNZYEkwApk9smyy3TQIoU12z0=\"",
                "\"siUNZYEkwApk9smyy3TQIoU12z0\"",
                Rule::X5tLength,
            ),
        ] {
            let mut damaged = key.clone();
            damaged.set_raw(name, before);
            assert!(repaired(&key, &damaged).contains(&rule), "{name} {before}");
            let Repair::Repaired(repaired) = repair(&Key::from(damaged), &Budget::default()) else {
                panic!("{name} {before}");
            };
            let members = repaired.key.members().ok().unwrap();
            assert_eq!(members.raw(name).unwrap_or("null"), after);
        }
        for (name, value) in [
            ("exp", "\"soon\""),
            ("key_ops", "\"verify everything\""),
            ("key_ops", "7"),
            ("use", "[\"sig\"]"),
            ("x5t", "\"odd\""),
            ("x5c", "[\"MAA=\"]"),
        ] {
            let mut damaged = key.clone();
            damaged.set_raw(name, value);
            let nothing = repair(&Key::from(damaged), &Budget::default());
            assert!(matches!(nothing, Repair::Nothing), "{name} {value}");
        }
    }

    #[test]
    fn certificates_are_rewritten_and_digests_follow() {
        use crate::key::certificate::{Validity, attach};
        use crate::key::write::distinguished_name::DistinguishedName;
        use crate::key::write::self_signed::self_signed;
        let mut key = generate("ES256");
        let subject = DistinguishedName::common_name("a")
            .unwrap()
            .to_der()
            .unwrap();
        let validity = Validity {
            not_before: 0,
            not_after: 4_000_000_000,
        };
        let certificate = self_signed(&key, &subject, validity).unwrap();
        let other = self_signed(&generate("ES256"), &subject, validity).unwrap();
        attach(&[&certificate], &mut key);
        let mut damaged = key.clone();
        damaged.set_texts("x5c", &[certificate.to_pem()]);
        assert_eq!(repaired(&key, &damaged), [Rule::X5cForm]);
        damaged.set_text("x5c", &certificate.to_x5c());
        assert_eq!(repaired(&key, &damaged), [Rule::X5cForm]);
        let mut damaged = key.clone();
        damaged.set_text("x5t", &base64url::encode(other.sha1()));
        damaged.set_text("x5t#S256", &base64url::encode(other.sha256()));
        let rules = repaired(&key, &damaged);
        assert_eq!(rules, [Rule::X5tMismatch, Rule::X5tMismatch]);
        // The digest of a certificate for another key is not renewed.
        damaged.set_texts("x5c", &[certificate.to_x5c()]);
        damaged.set_texts("x5c", &[other.to_x5c()]);
        damaged.set_text("x5t", &base64url::encode(certificate.sha1()));
        let nothing = repair(&Key::from(damaged), &Budget::default());
        assert!(matches!(nothing, Repair::Nothing));
    }

    #[test]
    fn a_small_budget_repairs_no_private_part() {
        let key = without(&generate("ES256"), &["x", "y"]);
        let Repair::Doubt(finding) = repair(&Key::from(key), &Budget::none()) else {
            panic!("repaired without a budget");
        };
        assert_eq!(finding.rule, Rule::MemberMissing);
    }
}
