//! The discovery document of an issuer that only publishes keys (OpenID Connect Discovery 1.0 section 3), as
//! cloud providers read it to verify the tokens of a cluster.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::header::Header;
use crate::key::members::{Members, quoted};
use crate::keyset::KeySet;
use std::collections::BTreeSet;

/// The value of `authorization_endpoint`, which a verifier of tokens never calls.
const NO_ENDPOINT: &str = "urn:kubernetes:programmatic_authorization";

/// The member that names the algorithms of the keys.
const ALGORITHMS: &str = "id_token_signing_alg_values_supported";

/// Returns the algorithms with which the keys of a set sign, sorted. A key without `alg` counts with the
/// usual one of its type.
pub fn algorithms(set: &KeySet) -> BTreeSet<String> {
    set.keys.iter().filter_map(algorithm).collect()
}

fn algorithm(key: &Key) -> Option<String> {
    let header = Header::of(key);
    if header.effective_use() == Some("enc") {
        return None;
    }
    let kty = header.kty.as_deref()?;
    if kty == "oct" {
        return None;
    }
    match header.alg.as_deref() {
        Some(alg) => Some(alg.to_owned()),
        None => Algorithm::signing_with(kty, header.crv.as_deref()).map(str::to_owned),
    }
}

/// Returns the discovery document of an issuer. The members of the document that it replaces stay, as far
/// as they do not follow from the keys. Returns an error if that document is of another issuer.
pub fn document(
    issuer: &str,
    jwks_uri: &str,
    algorithms: &BTreeSet<String>,
    replaced: Option<&str>,
) -> Result<String> {
    let mut members = match replaced {
        Some(text) => existing(issuer, text)?,
        None => new(issuer),
    };
    members.set_text("jwks_uri", jwks_uri);
    let names: Vec<&str> = algorithms.iter().map(String::as_str).collect();
    members.set_texts(ALGORITHMS, &names);
    Ok(members.to_pretty_json(0) + "\n")
}

fn new(issuer: &str) -> Members<'static> {
    let mut members = Members::default();
    members.set_text("issuer", issuer);
    // The order of the members is that of the specification.
    members.set_text("jwks_uri", "");
    members.set_text("authorization_endpoint", NO_ENDPOINT);
    members.set_texts("response_types_supported", &["id_token"]);
    members.set_texts("subject_types_supported", &["public"]);
    members.set_texts(ALGORITHMS, &[""; 0]);
    members.set_texts("claims_supported", &["sub", "iss"]);
    members
}

fn existing(issuer: &str, text: &str) -> Result<Members<'static>> {
    let refuse = |why: String| {
        Err(
            Error::refused(format!("the discovery document that is there {why}"))
                .hint("remove it, or correct --issuer; the issuer must match exactly"),
        )
    };
    let Ok(members) = Members::parse(text) else {
        return refuse("is not a JSON object".to_owned());
    };
    match members.string("issuer") {
        Some(named) if named == issuer => Ok(members.into_owned()),
        Some(named) => refuse(format!("is of the issuer {}", quoted(&named))),
        None => refuse("names no issuer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "https://issuer.example/jwks.json";

    fn names(algorithms: &[&str]) -> BTreeSet<String> {
        algorithms.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn members_of_others_stay() {
        let issuer = "https://issuer.example";
        let first = document(issuer, KEYS, &names(&["ES256"]), None).unwrap();
        assert!(first.contains(NO_ENDPOINT), "{first}");
        let more = first.replace(
            "\"claims_supported\"",
            "\"token_endpoint\": \"https://t\",\n  \"claims_supported\"",
        );
        let second = document(issuer, KEYS, &names(&["RS256", "ES256"]), Some(&more)).unwrap();
        assert!(second.contains("https://t"), "{second}");
        assert!(second.contains("RS256"), "{second}");
        let again = document(issuer, KEYS, &names(&["RS256", "ES256"]), Some(&second)).unwrap();
        assert_eq!(second, again);
    }

    #[test]
    fn the_document_of_another_issuer_is_not_replaced() {
        for text in [
            r#"{"issuer":"https://issuer.example/"}"#,
            "{}",
            "[]",
            "<html>",
        ] {
            let made = document("https://issuer.example", KEYS, &names(&[]), Some(text));
            assert!(made.is_err(), "{text}");
        }
    }
}
