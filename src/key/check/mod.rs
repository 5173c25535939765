//! Checks a key. Each finding has a stable rule name.
//!
//! The public part is checked without OpenSSL, for commands that only read. OpenSSL checks the
//! private part and the certificates. [`Breaks`] says which part of the key an error makes
//! unusable.

mod budget;
mod certificate;
mod consistency;
mod elliptic;
mod known;
mod names;
mod purpose;
mod rsa;
mod rule;
mod secret;
mod shape;

pub use budget::Budget;
pub use known::known;
pub use rule::{RULES, Rule, Severity};

use crate::key::Key;
use crate::key::curve::Curve;
use crate::key::key_type::Kty;
use crate::key::members::{Malformed, Members};
use crate::key::ml_dsa::{self, SEED_OCTETS};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// The part of a key that a finding makes unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breaks {
    /// Nothing: the finding is no error, or the key works in spite of it.
    Nothing,
    /// One member that describes the key. The key works without it.
    Member,
    /// `use`, `alg` or `key_ops`. The public key works without it, but the private key must not sign,
    /// because its purpose is not known.
    Purpose,
    /// The key itself. No part of it can be used.
    Key,
}

/// The members that state the purpose of a key (RFC 7517 sections 4.2 to 4.4).
pub const PURPOSE: &[&str] = &["use", "alg", "key_ops"];

/// One fault of a key, or a note about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The broken rule, which also has the severity.
    pub rule: Rule,
    /// The broken member, or `None` if the key itself is broken.
    pub member: Option<&'static str>,
    /// The exact fault. It never contains a value that can be secret.
    pub message: String,
}

/// The decoded base64url members of a key, including secrets.
type Values = HashMap<&'static str, Zeroizing<Vec<u8>>>;

/// The findings so far, in order.
#[derive(Default)]
struct Report(Vec<Finding>);

impl Finding {
    /// Creates a finding about the key itself or about several keys.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Finding {
            rule,
            member: None,
            message: message.into(),
        }
    }

    /// Returns the part of the key that the finding makes unusable.
    pub fn breaks(&self) -> Breaks {
        match (self.rule.severity(), self.member) {
            (Severity::Note | Severity::Warning, _) => Breaks::Nothing,
            (Severity::Error, _) if self.rule.is_harmless() => Breaks::Nothing,
            (Severity::Error, None) => Breaks::Key,
            (Severity::Error, Some(member)) if PURPOSE.contains(&member) => Breaks::Purpose,
            (Severity::Error, Some(_)) => Breaks::Member,
        }
    }
}

impl Report {
    fn add(&mut self, rule: Rule, message: impl Into<String>) {
        self.0.push(Finding::new(rule, message));
    }

    /// Adds an error that breaks one member outside the key material.
    fn add_broken(&mut self, member: &'static str, rule: Rule, message: impl Into<String>) {
        self.0.push(Finding {
            member: Some(member),
            ..Finding::new(rule, message)
        });
    }
}

/// Returns true if one of the findings is an error.
pub fn has_error(findings: &[Finding]) -> bool {
    let mut severities = findings.iter().map(|finding| finding.rule.severity());
    severities.any(|severity| severity == Severity::Error)
}

/// Returns the part of a key that its findings make unusable.
pub fn breaks(findings: &[Finding]) -> Breaks {
    let breaks = findings.iter().map(Finding::breaks);
    breaks.max().unwrap_or(Breaks::Nothing)
}

/// Returns true if a key with these findings can sign: the key itself is valid, and so are `use`, `alg`
/// and `key_ops`, which say whether it is for signing.
pub fn may_sign(findings: &[Finding]) -> bool {
    breaks(findings) < Breaks::Purpose
}

/// Returns true if the key itself is valid, even if members that describe it are broken.
pub fn is_usable(findings: &[Finding]) -> bool {
    breaks(findings) < Breaks::Key
}

/// Returns the findings of a key that do not depend on the time: its shape, public part, private
/// part, certificates, and contradictions. The private part and the certificates are checked within
/// the budget.
pub fn findings(key: &Key, budget: &Budget) -> Vec<Finding> {
    budget.once("all", key.json(), || every_finding(key, budget))
}

/// Returns the findings about the shape, the public part and the private part, which decide whether a key is
/// usable. The private part is checked within the budget.
pub fn material_findings(key: &Key, budget: &Budget) -> Vec<Finding> {
    budget.once("material", key.json(), || {
        let members = match key.members() {
            Ok(members) => members,
            Err(malformed) => return vec![malformed_key(malformed)],
        };
        let mut report = Report::default();
        let values = public_part(&members, &mut report);
        if is_usable(&report.0) {
            private_part(&members, &values, budget, &mut report);
        }
        report.0
    })
}

/// Returns the findings of a key at a time, including certificates that are not valid then, and the findings that
/// are too slow for a listing. `now` is in seconds since 1970.
pub fn findings_at(key: &Key, now: i64, budget: &Budget) -> Vec<Finding> {
    let mut report = Report(findings(key, budget));
    let members = key.members().unwrap_or_default();
    if is_usable(&report.0) {
        elliptic::check_point(&members, &mut report);
    }
    certificate::check_dates(&members, now, budget, &mut report);
    report.0
}

fn every_finding(key: &Key, budget: &Budget) -> Vec<Finding> {
    let mut report = Report(material_findings(key, budget));
    let Ok(members) = key.members() else {
        return report.0;
    };
    let chain = certificate::check(&members, budget, &mut report);
    certificate::check_chain(&chain, budget, &mut report);
    certificate::check_usage(&members, &chain, &mut report);
    consistency::check(&members, &mut report);
    report.0
}

/// Returns the names of the broken members of a key, such as an `x5c` that holds no certificates. If
/// `x5c` is broken, so are `x5t` and `x5t#S256`, because the three describe one certificate.
pub fn broken_members(findings: &[Finding]) -> Vec<&'static str> {
    let broken = findings.iter();
    let broken = broken.filter(|finding| finding.breaks() != Breaks::Nothing);
    let mut broken: Vec<_> = broken.filter_map(|finding| finding.member).collect();
    if broken.contains(&"x5c") {
        broken.extend(["x5t", "x5t#S256"]);
    }
    broken.sort_unstable();
    broken.dedup();
    broken
}

/// Returns the findings that decide which members can be published: those about the public part and
/// the certificates. Certificates are checked within the budget.
pub fn published_findings(members: &Members, budget: &Budget) -> Vec<Finding> {
    let mut report = Report::default();
    public_part(members, &mut report);
    certificate::check(members, budget, &mut report);
    report.0
}

/// Returns the first error or warning that a change adds to the findings of a key.
pub fn new_fault(before: &Key, after: &Key, budget: &Budget) -> Option<Finding> {
    let old = findings(before, budget);
    findings(after, budget).into_iter().find(|finding| {
        let known = old.iter().any(|other| other.rule == finding.rule);
        finding.rule.severity() > Severity::Note && !known
    })
}

/// Returns the findings about the shape and the public part, without OpenSSL. They decide whether a
/// key can be published.
pub fn public_findings(key: &Key) -> Vec<Finding> {
    match key.members() {
        Ok(members) => public_findings_of(&members),
        Err(malformed) => vec![malformed_key(malformed)],
    }
}

/// Returns the findings of [`public_findings`] for parsed members.
pub fn public_findings_of(members: &Members) -> Vec<Finding> {
    let mut report = Report::default();
    public_part(members, &mut report);
    report.0
}

/// Returns true if tools agree on the thumbprint of a key: the members that it is computed from have their only
/// encoding. The key can be invalid for another reason, such as a short modulus.
pub fn has_certain_thumbprint(members: &Members) -> bool {
    let mut public = members.clone();
    let key_type = members
        .key_type()
        .filter(|key_type| !key_type.is_symmetric());
    let private = key_type.map_or(&[][..], |key_type| key_type.private);
    private.iter().for_each(|name| public.remove(name));
    let findings = public_findings_of(&public);
    let mut broken = findings.iter().filter(|it| it.breaks() == Breaks::Key);
    broken.all(|finding| {
        matches!(
            finding.rule,
            Rule::RsaModulusSize
                | Rule::RsaModulusEven
                | Rule::RsaExponent
                | Rule::PointNotOnCurve
                | Rule::PointLowOrder
        )
    })
}

/// Quotes at most 60 characters of a foreign text, so that messages stay short.
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

fn malformed_key(malformed: Malformed) -> Finding {
    let (rule, message) = match malformed {
        Malformed::NotAnObject => (Rule::KeyNotObject, "it is not a JSON object".into()),
        Malformed::Undecodable => (
            Rule::MemberUndecodable,
            "a member name cannot be decoded".into(),
        ),
        Malformed::Duplicate(name) => (
            Rule::MemberDuplicate,
            format!("the member {} appears twice", excerpt(&name)),
        ),
    };
    Finding::new(rule, message)
}

fn public_part(members: &Members, report: &mut Report) -> Values {
    shape::check_types(members, report);
    purpose::check(members, report);
    let Some(key_type) = shape::key_type(members, report) else {
        return Values::new();
    };
    let values = shape::check_members(key_type, members, report);
    match key_type.kty {
        Kty::Rsa => rsa::check_public(&values, report),
        Kty::Ec | Kty::Okp => elliptic::check_public(key_type, members, &values, report),
        Kty::Akp => check_akp(members, &values, report),
        Kty::Oct => {}
    }
    values
}

fn private_part(members: &Members, values: &Values, budget: &Budget, report: &mut Report) {
    let Some(kty) = members.kty() else {
        return;
    };
    let cost = match kty {
        Kty::Rsa => rsa::private_cost(values),
        Kty::Ec | Kty::Okp => elliptic::private_cost(members, values),
        Kty::Akp if values.contains_key("priv") => ml_dsa::COST,
        Kty::Akp | Kty::Oct => 0,
    };
    if !budget.spend(cost) {
        let message = "too many private keys to check them all";
        return report.add(Rule::PrivateUnchecked, message);
    }
    match kty {
        Kty::Rsa => rsa::check_private(values, report),
        Kty::Ec | Kty::Okp => elliptic::check_private(members, values, report),
        Kty::Akp => check_akp_private(members, values, report),
        Kty::Oct => {}
    }
}

/// Checks the lengths of an algorithm key pair (RFC 9964, FIPS 204).
fn check_akp(members: &Members, values: &Values, report: &mut Report) {
    // A wrong JSON type is reported by the shape check.
    if !members.has("alg") {
        report.add(Rule::MemberMissing, "an AKP key requires alg");
    }
    let Some(set) = ml_dsa::of(members) else {
        return;
    };
    let public_length = set.public_octets;
    if let Some(octets) = values.get("pub")
        && octets.len() != public_length
    {
        let found = octets.len();
        let message = format!("pub has {found} bytes, not {public_length}");
        report.add(Rule::AkpLength, message);
    }
    if let Some(octets) = values.get("priv")
        && octets.len() != SEED_OCTETS
    {
        let message = format!("priv has {} bytes, not {SEED_OCTETS}", octets.len());
        report.add(Rule::PrivateLength, message);
    }
}

/// Checks that `pub` is the public key of the seed. OpenSSL before 3.5 cannot check it.
fn check_akp_private(members: &Members, values: &Values, report: &mut Report) {
    let (Some(set), Some(public), Some(seed)) =
        (ml_dsa::of(members), values.get("pub"), values.get("priv"))
    else {
        return;
    };
    match set.public_of(seed) {
        Ok(octets) if octets == **public => {}
        Ok(_) => {
            let message = "priv does not belong to pub";
            report.add(Rule::PrivateMismatch, message);
        }
        Err(error) => report.add(Rule::PrivateUnchecked, error.to_string()),
    }
}

/// Returns true if jwks knows the type and the curve of a key.
pub fn is_supported(members: &Members) -> bool {
    let Some(key_type) = members.key_type() else {
        return false;
    };
    !key_type.public.contains(&"crv")
        || members
            .string("crv")
            .is_some_and(|crv| Curve::named(&crv).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::base64url::encode;

    fn rules(members: &str) -> Vec<Rule> {
        let key = Key::from_json(format!("{{{members}}}"));
        let findings = findings(&key, &Budget::none());
        findings.iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn contradictions_are_found() {
        const ED25519: &str =
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        for (members, expected) in [
            (
                r#""alg":"EdDSA","key_ops":["verify"],"nbf":1,"exp":2"#,
                None,
            ),
            (r#""alg":"none""#, Some(Rule::AlgNone)),
            (r#""alg":"new""#, Some(Rule::AlgUnknown)),
            (r#""alg":"ES256""#, Some(Rule::AlgKty)),
            (r#""alg":"Ed448""#, Some(Rule::AlgCrv)),
            (r#""alg":"EdDSA","use":"enc""#, Some(Rule::AlgUse)),
            (
                r#""alg":"EdDSA","key_ops":["encrypt"]"#,
                Some(Rule::AlgKeyOps),
            ),
            (r#""use":"new""#, Some(Rule::UseUnknown)),
            (r#""key_ops":["new"]"#, Some(Rule::KeyOpsUnknown)),
            (
                r#""key_ops":["verify","encrypt"]"#,
                Some(Rule::KeyOpsUnrelated),
            ),
            (r#""key_ops":["sign"]"#, Some(Rule::KeyOpsPrivate)),
            (r#""kid":"""#, Some(Rule::KidEmpty)),
            (r#""x5u":"http://example.com""#, Some(Rule::X5uNotHttps)),
            (r#""nbf":2,"exp":1"#, Some(Rule::DatesOrder)),
            (r#""nbf":2,"exp":2"#, Some(Rule::DatesOrder)),
            (r#""kid":"a","k\u0069d":"a""#, Some(Rule::MemberDuplicate)),
            (
                r#""d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#,
                Some(Rule::PrivateUnchecked),
            ),
        ] {
            let expected = Vec::from_iter(expected);
            assert_eq!(
                rules(&format!("{ED25519},{members}")),
                expected,
                "{members}"
            );
        }
    }

    #[test]
    fn use_and_key_ops_agree() {
        let of = |members: &str| rules(&format!(r#""kty":"oct","alg":"HS256",{members}"#));
        let errors = |members: &str| {
            let rules = of(members).into_iter();
            let errors = rules.filter(|rule| *rule == Rule::UseKeyOps);
            errors.count()
        };
        assert_eq!(errors(r#""use":"sig","key_ops":["encrypt"]"#), 1);
        assert_eq!(errors(r#""use":"enc","key_ops":["wrapKey","verify"]"#), 1);
        assert_eq!(
            errors(r#""use":"enc","key_ops":["unwrapKey","deriveKey"]"#),
            0
        );
        assert_eq!(errors(r#""use":"new","key_ops":["sign"]"#), 0);
        assert!(of(r#""use":"sig","key_ops":["sign"]"#).contains(&Rule::UseAndKeyOps));
    }

    #[test]
    fn rsa_keys_are_complete() {
        let n = encode(vec![255; 256]);
        let rsa = |members: &str| rules(&format!(r#""kty":"RSA","n":"{n}","e":"AQAB"{members}"#));
        assert_eq!(rsa(""), []);
        assert_eq!(rsa(r#","alg":"RSA1_5""#), [Rule::AlgDeprecated]);
        assert_eq!(
            rsa(r#","d":"Aw","p":"Aw","q":"Aw""#),
            [Rule::RsaCrtMissing, Rule::PrivateUnchecked]
        );
        assert_eq!(rsa(r#","d":"Aw","p":"Aw""#), [Rule::RsaPrivateIncomplete]);
        assert_eq!(rsa(r#","p":"Aw","q":"Aw""#), [Rule::RsaPrivateIncomplete]);
    }

    #[test]
    fn algorithm_key_pairs_have_the_lengths_of_their_algorithm() {
        let akp = |public: usize, seed: usize| {
            let [public, seed] = [public, seed].map(|length| encode(vec![1; length]));
            rules(&format!(
                r#""kty":"AKP","alg":"ML-DSA-44","pub":"{public}","priv":"{seed}""#
            ))
        };
        assert_eq!(akp(1312, 32), [Rule::PrivateUnchecked]);
        assert_eq!(akp(1311, 32), [Rule::AkpLength]);
        assert_eq!(akp(1312, 33), [Rule::PrivateLength]);
    }
}
