//! The test Hydra behaves as the real ones that were measured: the order of rows, who signs, and
//! what becomes of two writes at the same time.

use crate::servers::hydra::{Database, Hydra, Token, Version};
use serde_json::{Value, json};

const ID_TOKENS: &str = "hydra.openid.id-token";

/// A key with members of the right lengths; the server looks no further.
fn key(kind: &str, kid: &str, alg: &str) -> Value {
    let mut key = match kind {
        "RSA" => json!({"n": "AQAB", "e": "AQAB"}),
        "P-256" => json!({"crv": "P-256", "x": octets(32), "y": octets(32)}),
        "Ed25519" => json!({"crv": "Ed25519", "x": octets(32)}),
        _ => json!({"k": octets(32)}),
    };
    let kty = match kind {
        "P-256" => "EC",
        "Ed25519" => "OKP",
        kind => kind,
    };
    key["kty"] = kty.into();
    key["kid"] = kid.into();
    if !alg.is_empty() {
        key["alg"] = alg.into();
    }
    key
}

/// Base64url of so many bytes, without padding.
fn octets(number: usize) -> String {
    "A".repeat((number * 8).div_ceil(6))
}

/// The same key with its private part.
fn private(mut key: Value) -> Value {
    key["d"] = if key["kty"] == "RSA" {
        "AQAB".into()
    } else {
        octets(32).into()
    };
    if key["kty"] == "RSA" {
        key["p"] = "AQAB".into();
        key["q"] = "AQAB".into();
    }
    key
}

fn kids(hydra: &Hydra, set: &str) -> String {
    let keys = hydra.keys(set);
    let kids = keys.iter().map(|key| key["kid"].as_str().expect("a kid"));
    kids.collect::<Vec<_>>().join(" ")
}

fn put(hydra: &Hydra, set: &str, keys: &[Value]) {
    hydra.put(set, &json!({ "keys": keys }));
}

#[test]
fn get_is_the_reverse_of_put_unless_the_rows_tie() {
    let keys = ["a", "b", "c"].map(|kid| key("RSA", kid, ""));
    for version in Version::ALL {
        for database in [Database::Sqlite, Database::Postgres, Database::Mysql] {
            let hydra = Hydra::with_database(version, database);
            put(&hydra, "api", &keys);
            let order = kids(&hydra, "api");
            match (version, database) {
                (_, Database::Mysql) => assert_eq!(order.len(), 5),
                (Version::V1_0, Database::Postgres) => assert_eq!(order, "a b c"),
                _ => assert_eq!(order, "c b a"),
            }
        }
    }
}

#[test]
fn a_key_that_is_put_again_comes_first_on_mysql_a_second_later() {
    for version in Version::ALL {
        for database in [Database::Postgres, Database::Mysql] {
            let hydra = Hydra::with_database(version, database);
            let keys = ["a", "b", "c"].map(|kid| key("RSA", kid, ""));
            for key in &keys {
                put(&hydra, "api", &keys);
                let before = kids(&hydra, "api");
                hydra.put_key("api", key);
                if database == Database::Mysql {
                    assert_eq!(kids(&hydra, "api"), before, "in the same second");
                    hydra.advance(1);
                    hydra.put_key("api", key);
                }
                let first = key["kid"].as_str().expect("a kid");
                assert!(kids(&hydra, "api").starts_with(first));
            }
        }
    }
}

/// The keys of a set in the order in which GET returns them.
fn holding(version: Version, keys: &[Value]) -> Hydra {
    let hydra = Hydra::with_database(version, Database::Sqlite);
    let reversed: Vec<_> = keys.iter().rev().cloned().collect();
    put(&hydra, "api", &reversed);
    hydra
}

#[test]
fn version_1_signs_with_the_first_public_and_the_first_private_key() {
    let pair = |kid: &str| {
        let public = key("RSA", &format!("public:{kid}"), "");
        let private = private(key("RSA", &format!("private:{kid}"), ""));
        [private, public]
    };
    let signs = |kid: &str| {
        Ok(Token {
            kid: kid.to_owned(),
            alg: "RS256".to_owned(),
        })
    };
    let ([old_private, old_public], [new_private, new_public]) = (pair("old"), pair("new"));
    let curve = private(key("P-256", "private:new", "ES256"));
    let symmetric = key("oct", "shared", "HS256");
    for version in [Version::V1_0, Version::V1_10, Version::V1_11] {
        for (keys, token) in [
            (
                vec![&new_private, &new_public, &old_public],
                signs("public:new"),
            ),
            (vec![&old_public, &new_private, &new_public], Err(500)),
            (vec![&new_public, &old_private, &new_private], Err(500)),
            (vec![&new_public, &curve], Err(500)),
            (vec![&symmetric, &new_private, &new_public], Err(500)),
            (vec![&new_public], Err(500)),
            (vec![], Err(404)),
        ] {
            let keys: Vec<_> = keys.into_iter().cloned().collect();
            let hydra = holding(version, &keys);
            assert_eq!(hydra.token("api"), token, "{version:?}: {keys:?}");
        }
    }
}

#[test]
fn version_2_signs_with_the_first_key_that_is_not_public() {
    let public = key("RSA", "public", "RS256");
    for version in [Version::V2_0, Version::V2_2, Version::V26_2] {
        for (kind, alg, is_able) in [
            ("RSA", "RS256", true),
            ("RSA", "PS512", true),
            ("RSA", "RSA-OAEP", false),
            ("RSA", "ES256", false),
            ("RSA", "", false),
            ("P-256", "ES256", true),
            ("P-256", "ES384", false),
            ("Ed25519", "EdDSA", true),
            ("Ed25519", "Ed25519", false),
        ] {
            let hydra = holding(version, &[public.clone(), private(key(kind, "first", alg))]);
            let token = hydra.token("api").map(|token| (token.kid, token.alg));
            let wanted = ("first".to_owned(), alg.to_owned());
            let wanted = is_able.then_some(wanted).ok_or(500);
            assert_eq!(token, wanted, "{version:?}: {kind} {alg:?}");
        }
        let hydra = holding(version, &[key("oct", "shared", "HS512")]);
        let token = hydra.token("api").expect("a token");
        assert_eq!((token.kid.as_str(), token.alg.as_str()), ("", "HS256"));

        let hydra = holding(version, std::slice::from_ref(&public));
        let token = hydra.token("api").expect("a token");
        assert_ne!(token.kid, "public");
        assert_eq!(hydra.keys("api").len(), 2, "it made a key of its own");
    }
}

#[test]
fn version_1_makes_a_pair_for_its_own_sets_only_when_it_starts() {
    for version in [Version::V1_0, Version::V1_11] {
        let hydra = Hydra::start(version);
        let first = hydra.token(ID_TOKENS).expect("a token");
        assert!(first.kid.starts_with("public:"));
        put(&hydra, ID_TOKENS, &[]);
        assert_eq!(hydra.token(ID_TOKENS), Err(404));
        hydra.restart().expect("a server that starts");
        assert_ne!(hydra.token(ID_TOKENS).expect("a token"), first);
        put(&hydra, ID_TOKENS, &[key("RSA", "public:a", "")]);
        assert_eq!(hydra.token(ID_TOKENS), Err(500));
        hydra.restart().expect_err("it never becomes ready");
    }
}

#[test]
fn a_write_at_the_same_time_merges_on_postgresql_and_wins_elsewhere() {
    let [old, theirs] = ["old", "theirs"].map(|kid| key("RSA", kid, ""));
    for (database, held) in [
        (Database::Postgres, "theirs ours"),
        (Database::Sqlite, "theirs"),
    ] {
        let hydra = Hydra::with_database(Version::V26_2, database);
        put(&hydra, "api", std::slice::from_ref(&old));
        hydra.changes_during("api", &json!({ "keys": [theirs] }));
        let ours = json!({ "keys": [key("RSA", "ours", "")] });
        let address = format!("{}/admin/keys/api", hydra.address());
        let answer = ureq::put(address)
            .send(ours.to_string())
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(kids(&hydra, "api"), held);
    }
}
