//! Finds names that differ from the registered ones: of algorithms and of members.

use crate::key::algorithm::ALGORITHMS;
use crate::key::check::{Report, Rule, excerpt};
use crate::key::members::Members;
use crate::key::parts::registered_names;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Algorithms that are registered as prohibited in the IANA registry for JOSE.
const PROHIBITED: &[&str] = &[
    "RS1", "HS1", "A128CBC", "A192CBC", "A256CBC", "A128CTR", "A192CTR", "A256CTR",
];

/// Names of key types and families, in [`plain`] form, which leave the algorithm open.
const FAMILIES: &[&str] = &[
    "rsa",
    "ec",
    "ecdsa",
    "ecdh",
    "okp",
    "oct",
    "hmac",
    "aes",
    "rsapss",
    "rsassapss",
    "rsapkcs1",
    "rsassapkcs1v15",
    "akp",
    "mldsa",
];

/// Common misnomers in [`plain`] form, with the registered names.
const MISNOMERS: &[(&str, &str)] = &[
    ("es521", "ES512"),
    ("rs521", "RS512"),
    ("ps521", "PS512"),
    ("hs521", "HS512"),
    ("p256", "ES256"),
    ("p384", "ES384"),
    ("p521", "ES512"),
    ("ecdsasha2nistp256", "ES256"),
    ("ecdsasha2nistp384", "ES384"),
    ("ecdsasha2nistp521", "ES512"),
    ("secp256k1", "ES256K"),
    ("rsaoaepsha1", "RSA-OAEP"),
    ("rsaoaep1", "RSA-OAEP"),
    ("rsaoaepsha256", "RSA-OAEP-256"),
    ("rsaoaepsha384", "RSA-OAEP-384"),
    ("rsaoaepsha512", "RSA-OAEP-512"),
    ("rsapkcs1v15", "RSA1_5"),
];

/// The beginnings and ends around the size of a digest in misnomers, in [`plain`] form, with the registered
/// prefix.
const AROUND_DIGEST: &[(&str, &str, &str)] = &[
    ("rsasha", "", "RS"),
    ("rsasha2", "", "RS"),
    ("rsa", "", "RS"),
    ("sha", "withrsa", "RS"),
    ("sha", "withrsaencryption", "RS"),
    ("rsassapkcs1v15sha", "", "RS"),
    ("rsapsssha", "", "PS"),
    ("rsapss", "", "PS"),
    ("rsassapsssha", "", "PS"),
    ("sha", "withrsaandmgf1", "PS"),
    ("ecdsasha", "", "ES"),
    ("ecdsa", "", "ES"),
    ("sha", "withecdsa", "ES"),
    ("hmacsha", "", "HS"),
    ("hmac", "", "HS"),
];

/// Reports an alg that is not registered.
pub fn check_algorithm(name: &str, report: &mut Report) {
    let given = excerpt(name);
    let plain_name = plain(name);
    if name.eq_ignore_ascii_case("none") {
        report.add(Rule::AlgNone, format!("alg is {given}"));
    } else if PROHIBITED
        .iter()
        .any(|prohibited| plain(prohibited) == plain_name)
    {
        report.add(Rule::AlgProhibited, format!("alg is {given}"));
    } else if let Some(meant) = meant_algorithm(&plain_name) {
        let message = format!("alg is {given}; did you mean {meant}?");
        report.add(Rule::AlgName, message);
    } else if matches!(&*plain_name, "sig" | "enc") {
        let message = format!("alg is {given}; did you mean a use of {plain_name}?");
        report.add(Rule::AlgName, message);
    } else if FAMILIES.contains(&&*plain_name) {
        let message = format!("alg is {given}, which does not name one algorithm");
        report.add(Rule::AlgName, message);
    } else {
        report.add(Rule::AlgUnknown, format!("jwks does not know alg {given}"));
    }
}

fn meant_algorithm(plain_name: &str) -> Option<String> {
    let mut registered = ALGORITHMS.iter().map(|algorithm| algorithm.name);
    let mut misnomers = MISNOMERS.iter();
    let meant = registered
        .find(|name| plain(name) == plain_name)
        .or_else(|| Some(misnomers.find(|(name, _)| *name == plain_name)?.1));
    let around = || {
        AROUND_DIGEST.iter().find_map(|(start, end, prefix)| {
            let bits = plain_name.strip_prefix(start)?.strip_suffix(end)?;
            let is_size = matches!(bits, "256" | "384" | "512");
            is_size.then(|| format!("{prefix}{bits}"))
        })
    };
    meant.map(str::to_owned).or_else(around)
}

/// Reports members whose name differs from a registered one in case or in a separator. Some libraries ignore
/// the case, most ignore the member.
pub fn check_members(members: &Members, report: &mut Report) {
    static REGISTERED: LazyLock<HashMap<String, &str>> =
        LazyLock::new(|| registered_names().map(|name| (plain(name), name)).collect());
    for name in members.names() {
        // A separator at the beginning marks a name as private.
        if name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && let Some(meant) = REGISTERED.get(&plain(name))
            && name != *meant
        {
            let name = excerpt(name);
            let message = format!("the key has a member {name}; did you mean {meant}?");
            report.add(Rule::MemberName, message);
        }
    }
}

/// Returns a name in lower case, without separators.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn misnomers_are_reported_with_the_right_name() {
        for (name, meant) in [
            ("es256", "ES256"),
            ("ES-256", "ES256"),
            ("ed25519", "Ed25519"),
            ("EDDSA", "EdDSA"),
            ("RSA-OAEP256", "RSA-OAEP-256"),
            ("ES521", "ES512"),
            ("RSA-SHA256", "RS256"),
            ("rsa-sha2-512", "RS512"),
            ("SHA384withRSA", "RS384"),
            ("HmacSHA256", "HS256"),
            ("SHA256withECDSA", "ES256"),
            ("RSASSA-PSS-SHA512", "PS512"),
            ("ecdh_es+a128kw", "ECDH-ES+A128KW"),
            ("mldsa65", "ML-DSA-65"),
        ] {
            assert_eq!(
                meant_algorithm(&plain(name)).as_deref(),
                Some(meant),
                "{name}"
            );
        }
        for name in [
            "BP256R1",
            "SLH-DSA-SHA2-128s",
            "urn:x",
            "",
            "HS257",
            "sha256",
        ] {
            assert_eq!(meant_algorithm(&plain(name)), None, "{name}");
        }
    }

    #[test]
    fn prohibited_algorithms_are_not_recommended() {
        for name in ["RS1", "rs1", "A128CTR"] {
            let mut report = Report::default();
            check_algorithm(name, &mut report);
            let rules: Vec<_> = report.0.iter().map(|finding| finding.rule).collect();
            assert_eq!(rules, [Rule::AlgProhibited], "{name}");
        }
    }

    #[test]
    fn names_that_are_almost_right_are_reported() {
        for (name, is_reported) in [
            ("Kid", true),
            ("key-ops", true),
            ("kid", false),
            ("_d", false),
            ("日本use", false),
        ] {
            let members = format!(r#"{{"{name}":1}}"#);
            let mut report = Report::default();
            check_members(&Members::parse(&members).ok().unwrap(), &mut report);
            assert_eq!(!report.0.is_empty(), is_reported, "{name}");
        }
    }

    #[test]
    fn registered_members_differ_in_more_than_case() {
        let names: HashSet<_> = registered_names().collect();
        let plain_names: HashSet<_> = names.iter().map(|name| plain(name)).collect();
        assert_eq!(names.len(), plain_names.len());
    }
}
