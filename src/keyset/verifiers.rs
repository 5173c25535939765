//! What verifiers refuse and ignore of a set: libraries by a table of what they were measured to do, and
//! profiles by their rules.
//!
//! `tests/verifiers/run --update` writes the table, and `.ci/run` compares it with the libraries.

pub mod caches;
mod catalog;
mod feature;
mod profile;
mod published;

pub use catalog::{ALL, Library, Verifier, known, libraries, measured, named, names};
pub use published::Published;

use crate::key::check::{Finding, Rule};
use crate::key::members::Members;
use crate::keyset::check::Located;
use feature::Feature;
use profile::describe_number;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The keys that have a feature: the first one, and how many there are.
struct Place {
    first: usize,
    number: usize,
}

/// Returns what the verifiers refuse and ignore of a set, in the order of its keys. Each feature is
/// reported once, at the first key that has it.
pub fn findings(set: &Published, verifiers: &[Verifier]) -> Vec<Located> {
    let mut found = Vec::new();
    for verifier in verifiers {
        if let Verifier::Profile(profile) = verifier {
            found.extend(profile.findings(set));
        }
    }
    let libraries: Vec<&'static Library> = verifiers.iter().filter_map(Verifier::library).collect();
    if !libraries.is_empty() {
        for (feature, place) in places(set) {
            let findings = findings_of(set, &libraries, feature, &place);
            found.extend(findings.map(|finding| (Some(place.first), finding)));
        }
    }
    let located = found.into_iter().map(|(position, finding)| {
        let kid = position.and_then(|position| set.keys[position].string("kid"));
        Located {
            index: position.map(|position| set.place(position)),
            kid: kid.as_deref().map(Into::into),
            finding,
        }
    });
    let mut located: Vec<_> = located.collect();
    located.sort_by_key(|located| located.index);
    located
}

fn places(set: &Published) -> BTreeMap<Feature, Place> {
    let mut places: BTreeMap<Feature, Place> = BTreeMap::new();
    let mut kids: HashMap<String, HashSet<String>> = HashMap::new();
    for (position, members) in set.keys.iter().enumerate() {
        let mut features = feature::of_key(members);
        features.extend(of_kid(members, &mut kids));
        for feature in features {
            let place = places.entry(feature);
            let first = Place {
                first: position,
                number: 0,
            };
            place.or_insert(first).number += 1;
        }
    }
    // A set with one key needs no kid.
    if set.keys.len() == 1 {
        places.remove(&Feature::KidMissing);
    }
    places
}

/// Returns the feature of a key whose kid an earlier key has. `kids` has the kty of the earlier keys.
fn of_kid(members: &Members, kids: &mut HashMap<String, HashSet<String>>) -> Option<Feature> {
    let kid = members.string("kid")?.into_owned();
    let kty = members.string("kty").unwrap_or_default().into_owned();
    let earlier = kids.entry(kid).or_default();
    let feature = if earlier.contains(&kty) {
        Some(Feature::KidDuplicate)
    } else {
        (!earlier.is_empty()).then_some(Feature::KidShared)
    };
    earlier.insert(kty);
    feature
}

fn findings_of(
    set: &Published,
    libraries: &[&'static Library],
    feature: Feature,
    place: &Place,
) -> impl Iterator<Item = Finding> {
    let of = |list: fn(&Library) -> &Vec<Feature>| -> Vec<&Library> {
        let libraries = libraries.iter().copied();
        libraries
            .filter(|one| list(one).contains(&feature))
            .collect()
    };
    let refusing = of(|library| &library.refuses);
    let hiding = if has_other_type_after(set, place.first) {
        of(|library| &library.hides)
    } else {
        Vec::new()
    };
    let ignoring = if feature.is_to_verify() {
        of(|library| &library.ignores)
    } else {
        Vec::new()
    };
    let (tokens, it) = if feature.is_of_two_keys() {
        ("all tokens of the two keys", "this key")
    } else {
        ("tokens of this key", "it")
    };
    let one = |rule, who: Vec<&Library>, [one, several]: [&str; 2], rest: String| {
        let verb = if who.len() == 1 { one } else { several };
        let number = describe_number(place.number);
        let message = format!("{} {verb} {rest} {}{number}", list(&who), feature.text());
        (!who.is_empty()).then(|| Finding::new(rule, message))
    };
    let refuses = ["refuses", "refuse"];
    let verifies = ["does not verify", "do not verify"];
    let later = "tokens of later keys of another kty: this key";
    let findings = [
        one(
            Rule::VerifierRefuses,
            refusing,
            refuses,
            "the whole set: this key".into(),
        ),
        one(Rule::VerifierHides, hiding, refuses, later.into()),
        one(
            Rule::VerifierIgnores,
            ignoring,
            verifies,
            format!("{tokens}: {it}"),
        ),
    ];
    findings.into_iter().flatten()
}

/// Returns true if a key after this one has another kty.
fn has_other_type_after(set: &Published, position: usize) -> bool {
    let kty = set.keys[position].raw("kty");
    set.keys[position..].iter().any(|key| key.raw("kty") != kty)
}

/// Lists libraries with their versions.
fn list(libraries: &[&Library]) -> String {
    let one = |library: &&Library| format!("{} {}", library.name, library.version);
    libraries.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::check::Budget;
    use crate::keyset::KeySet;
    use feature::FEATURES;
    use serde_json::Value;

    /// The keys that `tests/verifiers` gives to the libraries.
    const MEASURED: &str = include_str!("../../tests/verifiers/features.json");

    fn measured() -> Value {
        serde_json::from_str(MEASURED).unwrap()
    }

    fn feature_named(name: &str) -> Feature {
        serde_json::from_value(Value::from(name)).unwrap()
    }

    fn set_of(keys: &[Value]) -> String {
        serde_json::json!({ "keys": keys }).to_string()
    }

    #[test]
    fn every_measured_key_has_its_feature() {
        let measured = measured();
        let mut names = Vec::new();
        for feature in measured["features"].as_array().unwrap() {
            let mut keys = vec![measured["good"].clone()];
            keys.extend(feature["keys"].as_array().unwrap().iter().cloned());
            let json = set_of(&keys);
            let set = KeySet::parse(&json).unwrap();
            let places = places(&Published::as_it_is(&set));
            let named = feature_named(feature["name"].as_str().unwrap());
            assert!(places.contains_key(&named), "{named:?}");
            names.push(named);
            let has_tokens = feature["tokens"]
                .as_array()
                .unwrap()
                .iter()
                .any(Value::is_string);
            assert_eq!(has_tokens, named.is_to_verify(), "{named:?}");
        }
        assert_eq!(names.len(), FEATURES.len());
        let good = set_of(&[measured["good"].clone()]);
        let good = KeySet::parse(&good).unwrap();
        let places = places(&Published::as_it_is(&good));
        assert_eq!(places.into_keys().collect::<Vec<_>>(), [Feature::Rs256]);
    }

    fn messages(json: &str, names: &str) -> Vec<String> {
        let set = KeySet::parse(json).unwrap();
        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
        let found = findings(&Published::as_it_is(&set), &named(&names).unwrap());
        let found = found.into_iter().map(|located| {
            let index = located.index.map_or("-".into(), |index| index.to_string());
            format!(
                "{index} {} {}",
                located.finding.rule, located.finding.message
            )
        });
        found.collect()
    }

    #[test]
    fn a_feature_is_reported_once() {
        const K: &str = r#"{"kty":"EC","crv":"secp256k1","alg":"ES256K","use":"sig","kid":"KID"}"#;
        let keys: Vec<_> = (0..10_000)
            .map(|i| K.replace("KID", &"k".repeat(100 + i % 7)))
            .collect();
        let json = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        let found = messages(&json, "josekit,jwx");
        assert_eq!(
            found,
            [
                "0 verifier-refuses jwx 3.4.0 refuses the whole set: this key has the alg ES256K (10000 keys)",
                "7 verifier-ignores josekit 0.10.3, jwx 3.4.0 do not verify all tokens of the two keys: this key has the kid of another key (9993 keys)",
            ]
        );
    }

    #[test]
    fn a_mix_of_key_types_hides_later_keys() {
        let ec = r#"{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"ec"}"#;
        let rsa = r#"{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS256","use":"sig","kid":"rsa"}"#;
        let of = |keys: &[&str]| {
            messages(
                &format!(r#"{{"keys":[{}]}}"#, keys.join(",")),
                "python-jose",
            )
        };
        let hidden = |found: &[String]| found.iter().any(|one| one.contains("verifier-hides"));
        assert!(hidden(&of(&[ec, rsa])));
        assert!(!hidden(&of(&[rsa, ec])));
        assert!(!hidden(&of(&[ec, ec])));
    }

    #[test]
    fn only_the_public_form_of_a_set_counts() {
        let json = r#"{"keys":[
            {"kty":"oct","k":"AAAA","kid":"a"},
            {"kty":"XYZ","kid":"b"},
            {"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"c","exp":5,
             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty":"OKP","crv":"Ed25519","alg":"Ed25519","use":"sig","kid":"d","note":1,"iat":1,
             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let set = KeySet::parse(json).unwrap();
        let published = Published::public(&set, 10, &Budget::default());
        let features: Vec<_> = places(&published).into_keys().collect();
        assert_eq!(features, [Feature::Ed25519]);
        let found = findings(&published, &named(&["pyjwt@2.15.1".into()]).unwrap());
        assert_eq!((found[0].index, found.len()), (Some(3), 1));
    }

    #[test]
    fn profiles_report_what_they_require() {
        let rsa = |members: &str| format!(r#"{{"kty":"RSA","n":"AQAB","e":"AQAB"{members}}}"#);
        let set = |keys: &[String]| format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        let rs256 = rsa(r#","alg":"RS256","kid":"a""#);
        let enc = rsa(r#","alg":"RSA-OAEP","use":"enc","kid":"b""#);
        let short = set(std::slice::from_ref(&rs256));
        for (json, profile, said) in [
            (
                &short,
                "fapi2",
                vec![
                    "0 profile-broken FAPI 2.0 accepts only PS256, ES256, EdDSA, Ed25519",
                    "0 profile-broken FAPI 2.0 requires RSA keys of 2048 bits or more",
                ],
            ),
            (&short, "oidc", vec![]),
            (
                &set(&[enc.clone(), rs256.clone()]),
                "oidc",
                vec![
                    "1 profile-broken OpenID Connect requires use if the set has signing and encryption keys",
                ],
            ),
            (
                &set(&[enc.clone(), rsa("")]),
                "oidc",
                vec![
                    "1 profile-broken OpenID Connect requires a kid if the set has several keys",
                    "1 profile-broken OpenID Connect requires use if the set has signing and encryption keys",
                ],
            ),
            (
                &set(&[enc]),
                "oidc",
                vec![
                    "- profile-broken OpenID Connect requires a key for RS256, the alg that every client knows",
                ],
            ),
            (
                &set(&[rs256.clone(), rs256.clone(), rsa("")]),
                "federation",
                vec![
                    "0 profile-advice OpenID Federation recommends the thumbprint as kid (2 keys)",
                    "1 profile-broken OpenID Federation requires a unique kid",
                    "2 profile-broken OpenID Federation requires a kid",
                ],
            ),
            (
                &set(&[rsa(r#","alg":"RS384""#)]),
                "smart",
                vec!["0 profile-broken SMART requires a kid"],
            ),
            (
                &short,
                "smart",
                vec![
                    "- profile-advice SMART servers must support only RS384 or ES384, and the set has no such key",
                ],
            ),
            (
                &set(&[rsa(r#","alg":"PS256""#)]),
                "aws-iam",
                vec![
                    "0 verifier-ignores AWS IAM accepts only RS256, RS384, RS512, ES256, ES384, ES512",
                ],
            ),
            (
                &set(&vec![rs256; 102]),
                "aws-iam",
                vec!["100 profile-broken AWS IAM accepts at most 100 RSA keys (2 keys)"],
            ),
            (
                &set(&[rsa(r#","alg":"EdDSA""#)]),
                "kubernetes",
                vec![
                    "0 verifier-ignores kube-apiserver accepts only RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512",
                ],
            ),
        ] {
            assert_eq!(messages(json, profile), said, "{profile}: {json}");
        }
    }
}
