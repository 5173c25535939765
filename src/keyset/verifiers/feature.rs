//! The features of a key that verifiers treat differently. `tests/verifiers` measures each of them.

use crate::key::algorithm::{Algorithm, effective_use, operation_group};
use crate::key::certificate::Certificate;
use crate::key::curve::Curve;
use crate::key::header;
use crate::key::key_type::{KeyType, Kty};
use crate::key::members::Members;
use crate::key::parts::{DATES, is_private, is_registered};
use serde::Deserialize;

macro_rules! features {
    ($($variant:ident $name:literal $text:literal)*) => {
        /// A feature of a key. The table names it as the tests do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        pub enum Feature {
            $(#[doc = $text] #[serde(rename = $name)] $variant,)*
        }

        impl Feature {
            /// Describes a key with the feature, as the words after "this key".
            pub fn text(self) -> &'static str {
                match self { $(Feature::$variant => $text,)* }
            }
        }

        /// Every feature.
        #[cfg(test)]
        pub static FEATURES: &[Feature] = &[$(Feature::$variant),*];
    };
}

features! {
    Rs256 "RS256" "has the alg RS256"
    Rs384 "RS384" "has the alg RS384"
    Rs512 "RS512" "has the alg RS512"
    Ps256 "PS256" "has the alg PS256"
    Ps384 "PS384" "has the alg PS384"
    Ps512 "PS512" "has the alg PS512"
    Es256 "ES256" "has the alg ES256"
    Es384 "ES384" "has the alg ES384"
    Es512 "ES512" "has the alg ES512"
    Es256k "ES256K" "has the alg ES256K"
    EdDsa "EdDSA" "has the alg EdDSA"
    EdDsaEd448 "EdDSA-Ed448" "has the alg EdDSA and the crv Ed448"
    Ed25519 "Ed25519" "has the alg Ed25519"
    Ed448 "Ed448" "has the alg Ed448"
    MlDsa44 "ML-DSA-44" "has the alg ML-DSA-44"
    MlDsa65 "ML-DSA-65" "has the alg ML-DSA-65"
    MlDsa87 "ML-DSA-87" "has the alg ML-DSA-87"
    EncRsa "enc-rsa" "has the alg RSA-OAEP-256"
    EncEc "enc-ec" "has the alg ECDH-ES"
    EncX25519 "enc-x25519" "has the alg ECDH-ES and the crv X25519"
    EncX448 "enc-x448" "has the alg ECDH-ES and the crv X448"
    KtyUnknown "kty-unknown" "has an unknown kty"
    EcCrvUnknown "ec-crv-unknown" "has an unknown crv"
    OkpCrvUnknown "okp-crv-unknown" "has an unknown crv"
    AlgUnknown "alg-unknown" "has an unknown alg"
    UseUnknown "use-unknown" "has a use other than sig and enc"
    KeyOpsUnknown "key-ops-unknown" "has an unregistered value in key_ops"
    AlgMissingRsa "alg-missing-rsa" "has no alg"
    AlgMissingEc "alg-missing-ec" "has no alg"
    AlgMissingOkp "alg-missing-okp" "has no alg"
    KidMissing "kid-missing" "has no kid"
    UseMissing "use-missing" "has neither use nor key_ops"
    UseAndKeyOps "use-and-key-ops" "has both use and key_ops"
    KeyOpsOnly "key-ops-only" "has key_ops and no use"
    Dates "dates" "has a date"
    MemberUnknown "member-unknown" "has an unregistered member"
    X5c "x5c" "has a certificate"
    KidDuplicate "kid-duplicate" "has the kid of another key"
    KidShared "kid-shared" "has the kid of another key, which has another kty"
    Oct "oct" "is symmetric"
    Rsa1024 "rsa-1024" "has an RSA modulus below 2048 bits"
    Private "private" "has its private part"
    Base64Padding "base64-padding" "has padding in n"
    NMissing "n-missing" "has no n"
    KidNumber "kid-number" "has a number as kid"
    X5cBroken "x5c-broken" "has no valid certificate in x5c"
}

impl Feature {
    /// Returns true if two keys have the feature together.
    pub fn is_of_two_keys(self) -> bool {
        matches!(self, Feature::KidDuplicate | Feature::KidShared)
    }

    /// Returns true if a verifier is expected to verify tokens of such a key. Of other keys, it can only
    /// keep its hands off.
    pub fn is_to_verify(self) -> bool {
        use Feature::*;
        !matches!(
            self,
            EncRsa
                | EncEc
                | EncX25519
                | EncX448
                | KtyUnknown
                | EcCrvUnknown
                | OkpCrvUnknown
                | AlgUnknown
                | Oct
                | NMissing
                | KidNumber
        )
    }
}

/// Returns the features that a key has by itself. A combination that `tests/verifiers` does not measure
/// has none: of an unknown alg, for example, only RSA keys were measured.
pub fn of_key(members: &Members) -> Vec<Feature> {
    use Feature::*;
    let Some(key_type) = members.key_type() else {
        return members
            .has("kty")
            .then_some(KtyUnknown)
            .into_iter()
            .collect();
    };
    let (crv, alg) = (members.string("crv"), members.string("alg"));
    let crv = crv.as_deref();
    let is_unknown_crv = crv.is_some_and(|crv| Curve::named(crv).is_none());
    let mut found = match key_type.kty {
        Kty::Oct => return vec![Oct],
        Kty::Rsa => of_rsa_key(members),
        Kty::Ec if is_unknown_crv => vec![EcCrvUnknown],
        Kty::Okp if is_unknown_crv => vec![OkpCrvUnknown],
        Kty::Ec | Kty::Okp | Kty::Akp => Vec::new(),
    };
    match alg.as_deref() {
        Some(alg) => found.extend(of_algorithm(key_type, crv, alg)),
        None if is_for_signatures(members) => found.extend(of_missing_algorithm(key_type, crv)),
        None => {}
    }
    found.extend(of_header(members));
    found
}

/// Returns the features whose condition is true.
fn those_of<const N: usize>(conditions: [(Feature, bool); N]) -> Vec<Feature> {
    let conditions = conditions.into_iter().filter(|(_, has)| *has);
    conditions.map(|(feature, _)| feature).collect()
}

fn of_rsa_key(members: &Members) -> Vec<Feature> {
    let n = members.string("n");
    let size = header::size(members);
    those_of([
        (Feature::NMissing, !members.has("n")),
        (Feature::Base64Padding, n.is_some_and(|n| n.ends_with('='))),
        (Feature::Rsa1024, size.is_some_and(|bits| bits < 2048)),
        (Feature::Private, is_private(members)),
    ])
}

/// Returns the features of the members that keys of every type can have.
fn of_header(members: &Members) -> Vec<Feature> {
    use Feature::*;
    let (usage, kid) = (members.string("use"), members.raw("kid"));
    let (has_use, has_operations) = (members.has("use"), members.has("key_ops"));
    let operations = members.texts("key_ops").ok().flatten().unwrap_or_default();
    let is_date = |name: &&str| members.seconds(name).is_ok_and(|date| date.is_some());
    let chain = members.texts("x5c").ok().flatten();
    let has_chain = chain.is_some_and(|chain| !chain.is_empty());
    let is_valid = has_chain && !Certificate::chain_of(members).is_empty();
    let starts_as_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let mut operations = operations.iter();
    those_of([
        (
            UseUnknown,
            usage.is_some_and(|usage| !matches!(&*usage, "sig" | "enc")),
        ),
        (
            KeyOpsUnknown,
            operations.any(|one| operation_group(one).is_none()),
        ),
        (KidMissing, kid.is_none()),
        (KidNumber, kid.is_some_and(starts_as_number)),
        (UseMissing, !has_use && !has_operations),
        (UseAndKeyOps, has_use && has_operations),
        (KeyOpsOnly, !has_use && has_operations),
        (Dates, DATES.iter().any(is_date)),
        (
            MemberUnknown,
            members.names().any(|name| !is_registered(name)),
        ),
        (X5c, is_valid),
        (X5cBroken, has_chain && !is_valid),
    ])
}

/// Returns the feature of a key with this algorithm; `None` if it was not measured.
fn of_algorithm(key_type: &KeyType, crv: Option<&str>, alg: &str) -> Option<Feature> {
    use Feature::*;
    let Some(algorithm) = Algorithm::named(alg) else {
        return (key_type.kty == Kty::Rsa).then_some(AlgUnknown);
    };
    if !algorithm.takes_key(key_type.name, crv) {
        return None;
    }
    Some(match (alg, crv) {
        ("RS256", _) => Rs256,
        ("RS384", _) => Rs384,
        ("RS512", _) => Rs512,
        ("PS256", _) => Ps256,
        ("PS384", _) => Ps384,
        ("PS512", _) => Ps512,
        ("ES256", _) => Es256,
        ("ES384", _) => Es384,
        ("ES512", _) => Es512,
        ("ES256K", _) => Es256k,
        ("EdDSA", Some("Ed448")) => EdDsaEd448,
        ("EdDSA", _) => EdDsa,
        ("Ed25519", _) => Ed25519,
        ("Ed448", _) => Ed448,
        ("ML-DSA-44", _) => MlDsa44,
        ("ML-DSA-65", _) => MlDsa65,
        ("ML-DSA-87", _) => MlDsa87,
        ("RSA-OAEP-256", _) => EncRsa,
        ("ECDH-ES", Some("P-256")) => EncEc,
        ("ECDH-ES", Some("X25519")) => EncX25519,
        ("ECDH-ES", Some("X448")) => EncX448,
        _ => return None,
    })
}

fn of_missing_algorithm(key_type: &KeyType, crv: Option<&str>) -> Option<Feature> {
    match (key_type.name, crv) {
        ("RSA", _) => Some(Feature::AlgMissingRsa),
        ("EC", Some("P-256")) => Some(Feature::AlgMissingEc),
        ("OKP", Some("Ed25519")) => Some(Feature::AlgMissingOkp),
        _ => None,
    }
}

/// Returns true if nothing says that a key is for encryption.
pub fn is_for_signatures(members: &Members) -> bool {
    let (usage, alg, crv) = (
        members.string("use"),
        members.string("alg"),
        members.string("crv"),
    );
    let is_for_agreement = matches!(crv.as_deref(), Some("X25519" | "X448"));
    let usage = effective_use(usage.as_deref(), alg.as_deref());
    usage.is_none_or(|usage| usage == "sig") && !is_for_agreement
}
