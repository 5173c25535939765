//! Which algorithm a key has, and why it cannot sign or verify.

use crate::jws::refusal::{Cause, Refusal};
use crate::key::algorithm::{Algorithm, Use};
use crate::key::check::{Breaks, Finding, excerpt, may_sign};
use crate::key::header::size;
use crate::key::members::Members;
use crate::key::parts::{REVOKED, is_private, is_withheld_part};

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// To sign a token.
    Sign,
    /// To verify a token.
    Verify,
}

fn purpose(message: impl Into<String>) -> Refusal {
    Refusal::new(Cause::Purpose, message)
}

/// Returns the signature algorithm of a key. A key without `alg` has the one that was asked for, if that takes the
/// key, or else the first of its type: RS256 for RSA, HS256 for symmetric keys, EdDSA for Ed25519 and Ed448, and
/// the only one of its curve for EC. Returns an error if the key has another algorithm than the one that was asked
/// for, or none for signatures.
pub fn algorithm_of(members: &Members, asked: Option<&str>) -> Result<&'static Algorithm, Refusal> {
    let kty = members.string("kty").unwrap_or_default();
    let crv = members.string("crv");
    let (name, whose) = match (members.raw("alg"), asked) {
        (Some(_), _) => match members.string("alg") {
            Some(alg) => (alg.into_owned(), "its alg is"),
            None => return Err(purpose("its alg is not a string")),
        },
        (None, Some(asked)) => (asked.to_owned(), "--alg is"),
        (None, None) => match Algorithm::signing_with(&kty, crv.as_deref()) {
            Some(alg) => (alg.to_owned(), "its algorithm is"),
            None => return Err(purpose("no signature algorithm takes its type")),
        },
    };
    let algorithm = Algorithm::named(&name).filter(|algorithm| algorithm.usage == Use::Sig);
    let Some(algorithm) = algorithm else {
        let message = format!("{whose} {}, which does not sign", excerpt(&name));
        return Err(purpose(message));
    };
    let fits_size = size(members).is_none_or(|bits| algorithm.takes_size(bits));
    if !algorithm.takes_key(&kty, crv.as_deref()) || !fits_size {
        let requirement = algorithm.key_requirement();
        return Err(purpose(format!(
            "{whose} {name}, which requires {requirement}"
        )));
    }
    match asked {
        Some(asked) if asked != name => {
            let message = format!("its algorithm is {name}, not {asked}");
            Err(Refusal::new(Cause::Algorithm, message))
        }
        _ => Ok(algorithm),
    }
}

/// Returns why a key cannot sign or verify, apart from its dates and a revocation; `None` if it can. `findings` are
/// those of the key.
pub fn unfitness(members: &Members, findings: &[Finding], act: Act) -> Option<Refusal> {
    if !may_sign(findings) {
        let worst = findings.iter().max_by_key(|finding| finding.breaks());
        return worst.map(|finding| {
            let cause = match finding.breaks() {
                Breaks::Purpose => Cause::Purpose,
                _ => Cause::InvalidKey,
            };
            Refusal::new(cause, format!("{} ({})", finding.message, finding.rule))
        });
    }
    if act == Act::Sign && (!is_private(members) || is_withheld_part(members)) {
        return Some(purpose("its private key is not in the set"));
    }
    if let Some(usage) = members.string("use").filter(|usage| usage != "sig") {
        return Some(purpose(format!("its use is {}", excerpt(&usage))));
    }
    let operations = members.texts("key_ops").ok().flatten().unwrap_or_default();
    let allows = |operation: &str| operations.iter().any(|allowed| allowed == operation);
    let is_allowed = operations.is_empty()
        || match act {
            Act::Sign => allows("sign"),
            // The public form of a key that signs is a key that verifies.
            Act::Verify => allows("verify") || (allows("sign") && is_private(members)),
        };
    let needed = match act {
        Act::Sign => "sign",
        Act::Verify => "verify",
    };
    (!is_allowed).then(|| purpose(format!("its key_ops do not have {needed}")))
}

/// Returns true if a key was revoked (OpenID Federation 1.0 section 8.7.3).
pub fn is_revoked(members: &Members) -> bool {
    members.raw(REVOKED).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::key::check::{Budget, findings};

    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn algorithm(json: &str, asked: Option<&str>) -> Result<&'static str, String> {
        let key = Key::from_json(json);
        let members = key.members().unwrap();
        let algorithm = algorithm_of(&members, asked);
        algorithm
            .map(|algorithm| algorithm.name)
            .map_err(|refusal| refusal.message)
    }

    #[test]
    fn the_key_decides_the_algorithm() {
        let oct = |octets: usize| {
            let k = crate::key::base64url::encode(vec![7; octets]);
            format!(r#"{{"kty":"oct","k":"{k}"}}"#)
        };
        let ed = |more: &str| format!("{{{ED}{more}}}");
        for (json, asked, expected) in [
            (r#"{"kty":"RSA"}"#.to_owned(), None, "RS256"),
            (r#"{"kty":"RSA"}"#.into(), Some("PS384"), "PS384"),
            (r#"{"kty":"RSA","alg":"PS256"}"#.into(), None, "PS256"),
            (r#"{"kty":"EC","crv":"P-384"}"#.into(), None, "ES384"),
            (r#"{"kty":"EC","crv":"secp256k1"}"#.into(), None, "ES256K"),
            (ed(""), None, "EdDSA"),
            (ed(""), Some("Ed25519"), "Ed25519"),
            (ed(r#","alg":"Ed25519""#), None, "Ed25519"),
            (oct(32), None, "HS256"),
            (oct(64), Some("HS512"), "HS512"),
        ] {
            assert_eq!(algorithm(&json, asked), Ok(expected), "{json}");
        }
        for (json, asked) in [
            (r#"{"kty":"RSA"}"#.to_owned(), Some("HS256")),
            (r#"{"kty":"RSA"}"#.into(), Some("none")),
            (r#"{"kty":"RSA","alg":"HS256"}"#.into(), None),
            (r#"{"kty":"RSA","alg":"RS256"}"#.into(), Some("RS384")),
            (r#"{"kty":"RSA","alg":"RSA-OAEP"}"#.into(), None),
            (r#"{"kty":"RSA","alg":"rs256"}"#.into(), None),
            (r#"{"kty":"RSA","alg":1}"#.into(), None),
            (r#"{"kty":"EC","crv":"P-256"}"#.into(), Some("ES384")),
            (r#"{"kty":"OKP","crv":"X25519"}"#.into(), None),
            (ed(r#","alg":"Ed448""#), None),
            (ed(r#","alg":"EdDSA""#), Some("Ed25519")),
            (oct(31), None),
            (oct(32), Some("HS512")),
        ] {
            assert!(algorithm(&json, asked).is_err(), "{json} {asked:?}");
        }
    }

    #[test]
    fn a_key_for_another_purpose_is_unfit() {
        let d = r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#;
        let unfit = |more: &str, act| {
            let key = Key::from_json(format!("{{{ED}{more}}}"));
            let findings = findings(&key, &Budget::default());
            unfitness(&key.members().unwrap(), &findings, act).map(|refusal| refusal.cause)
        };
        assert_eq!(unfit("", Act::Verify), None);
        assert_eq!(unfit("", Act::Sign), Some(Cause::Purpose));
        assert_eq!(unfit(d, Act::Sign), None);
        for (more, sign, verify) in [
            (r#","use":"sig""#, None, None),
            (
                r#","use":"enc""#,
                Some(Cause::Purpose),
                Some(Cause::Purpose),
            ),
            (r#","key_ops":["sign"]"#, None, None),
            (r#","key_ops":["verify"]"#, Some(Cause::Purpose), None),
            (
                r#","key_ops":["deriveKey"]"#,
                Some(Cause::Purpose),
                Some(Cause::Purpose),
            ),
            (r#","use":1"#, Some(Cause::Purpose), Some(Cause::Purpose)),
        ] {
            let more = format!("{d}{more}");
            assert_eq!(unfit(&more, Act::Sign), sign, "{more}");
            assert_eq!(unfit(&more, Act::Verify), verify, "{more}");
        }
        assert_eq!(
            unfit(r#","key_ops":["sign"]"#, Act::Verify),
            Some(Cause::Purpose)
        );
        let broken = r#","d":"AAAAne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#;
        assert_eq!(unfit(broken, Act::Sign), Some(Cause::InvalidKey));
    }
}
