//! Profiles: what specifications and platforms require of a published set, by their documents.

use crate::key::check::{Finding, Rule};
use crate::key::header::size;
use crate::key::key_type::Kty;
use crate::key::thumbprint::thumbprint;
use crate::keyset::verifiers::feature::is_for_signatures;
use crate::keyset::verifiers::published::Published;
use std::collections::HashSet;

/// A specification or platform with rules for published sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// FAPI 2.0 Security Profile.
    Fapi2,
    /// OpenID Connect Core and Discovery 1.0.
    Oidc,
    /// OpenID Federation 1.0.
    Federation,
    /// HL7 SMART App Launch 2.2, asymmetric client authentication.
    Smart,
    /// OpenID Connect providers in AWS IAM.
    AwsIam,
    /// kube-apiserver, for tokens of an external issuer.
    Kubernetes,
}

/// Every profile.
pub static PROFILES: &[Profile] = &[
    Profile::AwsIam,
    Profile::Fapi2,
    Profile::Federation,
    Profile::Kubernetes,
    Profile::Oidc,
    Profile::Smart,
];

/// FAPI 2.0 Security Profile section 5.4.1. Its note admits the registered name of EdDSA on Ed25519,
/// which is Ed25519 (RFC 9864).
const FAPI2: &[&str] = &["PS256", "ES256", "EdDSA", "Ed25519"];

/// AWS IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM".
const AWS_IAM: &[&str] = &["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// The maximum number of RSA keys, and of EC keys, in the same document.
const AWS_IAM_MOST: usize = 100;

/// The algorithms that kube-apiserver allows (`allowedSigningAlgs` in its OIDC authenticator).
const KUBERNETES: &[&str] = &[
    "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
];

/// A requirement that some keys miss: the rule, the message, and the positions of the keys in the
/// published set; none if the whole set misses it.
type Missed = (Rule, String, Vec<usize>);

impl Profile {
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Fapi2 => "fapi2",
            Profile::Oidc => "oidc",
            Profile::Federation => "federation",
            Profile::Smart => "smart",
            Profile::AwsIam => "aws-iam",
            Profile::Kubernetes => "kubernetes",
        }
    }

    /// Returns one finding for each requirement that the set misses, with the position of the first key
    /// that misses it.
    pub fn findings(self, set: &Published) -> Vec<(Option<usize>, Finding)> {
        let missed = match self {
            Profile::Fapi2 => vec![
                algorithms(set, FAPI2, Rule::ProfileBroken, "FAPI 2.0"),
                short_keys(set, "FAPI 2.0"),
            ],
            Profile::Oidc => vec![no_rs256(set), no_kid(set, "OpenID Connect"), no_use(set)],
            Profile::Federation => federation(set),
            Profile::Smart => vec![every_kid(set, "SMART"), no_smart_algorithm(set)],
            Profile::AwsIam => aws_iam(set),
            Profile::Kubernetes => vec![algorithms(
                set,
                KUBERNETES,
                Rule::VerifierIgnores,
                "kube-apiserver",
            )],
        };
        let missed = missed.into_iter().flatten();
        missed
            .map(|(rule, message, keys)| {
                let message = format!("{message}{}", describe_number(keys.len()));
                (keys.first().copied(), Finding::new(rule, message))
            })
            .collect()
    }
}

/// Says how many keys a finding concerns, if there are several.
pub fn describe_number(keys: usize) -> String {
    match keys {
        0 | 1 => String::new(),
        number => format!(" ({number} keys)"),
    }
}

fn missed(rule: Rule, message: String, keys: Vec<usize>) -> Option<Missed> {
    (!keys.is_empty()).then_some((rule, message, keys))
}

/// Finds the signing keys whose alg is not among those that are accepted. A key without an alg can sign
/// with an accepted one.
fn algorithms(set: &Published, accepted: &[&str], rule: Rule, who: &str) -> Option<Missed> {
    let others = set.positions(|members| {
        let alg = members.string("alg");
        is_for_signatures(members) && alg.is_some_and(|alg| !accepted.contains(&&*alg))
    });
    let message = format!("{who} accepts only {}", accepted.join(", "));
    missed(rule, message, others)
}

/// FAPI 2.0 Security Profile section 5.4.1: RSA keys have at least 2048 bits.
fn short_keys(set: &Published, who: &str) -> Option<Missed> {
    let short = set.positions(|members| {
        members.kty() == Some(Kty::Rsa) && size(members).is_some_and(|bits| bits < 2048)
    });
    let message = format!("{who} requires RSA keys of 2048 bits or more");
    missed(Rule::ProfileBroken, message, short)
}

/// OpenID Connect Discovery 1.0 section 3: RS256 must be supported for ID tokens.
fn no_rs256(set: &Published) -> Option<Missed> {
    let fits = set.positions(|members| {
        let alg = members.string("alg");
        members.kty() == Some(Kty::Rsa)
            && is_for_signatures(members)
            && alg.is_none_or(|alg| alg == "RS256")
    });
    let message = "OpenID Connect requires a key for RS256, the alg that every client knows";
    fits.is_empty()
        .then(|| (Rule::ProfileBroken, message.into(), Vec::new()))
}

/// OpenID Connect Core 1.0 section 10.1: with several keys, tokens must have a kid.
fn no_kid(set: &Published, who: &str) -> Option<Missed> {
    let without = set.positions(|members| members.string("kid").is_none());
    let message = format!("{who} requires a kid if the set has several keys");
    missed(Rule::ProfileBroken, message, without).filter(|_| set.keys.len() > 1)
}

/// OpenID Connect Core 1.0 section 10.1: use is required if signing and encryption keys are both there.
fn no_use(set: &Published) -> Option<Missed> {
    let encryption = set.positions(|members| !is_for_signatures(members)).len();
    let is_mixed = encryption > 0 && encryption < set.keys.len();
    let without = set.positions(|members| !members.has("use"));
    let message = "OpenID Connect requires use if the set has signing and encryption keys";
    missed(Rule::ProfileBroken, message.into(), without).filter(|_| is_mixed)
}

/// SMART App Launch 2.2, "Client Authentication: Asymmetric": each key has a kid.
fn every_kid(set: &Published, who: &str) -> Option<Missed> {
    let without = set.positions(|members| members.string("kid").is_none());
    let message = format!("{who} requires a kid");
    missed(Rule::ProfileBroken, message, without)
}

/// SMART App Launch 2.2, "Client Authentication: Asymmetric": a server supports at least one of RS384
/// and ES384.
fn no_smart_algorithm(set: &Published) -> Option<Missed> {
    let fits = set.positions(|members| {
        let alg = members.string("alg");
        alg.is_some_and(|alg| matches!(&*alg, "RS384" | "ES384"))
    });
    let message = "SMART servers must support only RS384 or ES384, and the set has no such key";
    fits.is_empty()
        .then(|| (Rule::ProfileAdvice, message.into(), Vec::new()))
}

/// OpenID Federation 1.0 section 3.1.1: each key has a unique kid, which should be its SHA-256
/// thumbprint (RFC 7638).
fn federation(set: &Published) -> Vec<Option<Missed>> {
    let mut kids = HashSet::new();
    let again = set.positions(|members| {
        let kid = members.string("kid").map(|kid| kid.into_owned());
        kid.is_some_and(|kid| !kids.insert(kid))
    });
    let other = set.positions(|members| {
        let (kid, thumbprint) = (members.string("kid"), thumbprint(members));
        kid.is_some() && thumbprint.is_some() && kid.as_deref() != thumbprint.as_deref()
    });
    vec![
        every_kid(set, "OpenID Federation"),
        missed(
            Rule::ProfileBroken,
            "OpenID Federation requires a unique kid".into(),
            again,
        ),
        missed(
            Rule::ProfileAdvice,
            "OpenID Federation recommends the thumbprint as kid".into(),
            other,
        ),
    ]
}

fn aws_iam(set: &Published) -> Vec<Option<Missed>> {
    let too_many = |kty: Kty, name: &str| {
        let keys = set.positions(|members| members.kty() == Some(kty));
        let message = format!("AWS IAM accepts at most {AWS_IAM_MOST} {name} keys");
        let beyond = keys.into_iter().skip(AWS_IAM_MOST).collect();
        missed(Rule::ProfileBroken, message, beyond)
    };
    vec![
        algorithms(set, AWS_IAM, Rule::VerifierIgnores, "AWS IAM"),
        too_many(Kty::Rsa, "RSA"),
        too_many(Kty::Ec, "EC"),
    ]
}
