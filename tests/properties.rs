//! What holds for every key, set and moment, tried on many.

use jwks::key::algorithm::Algorithm;
use jwks::key::check::{self, Budget, Severity};
use jwks::key::generate::{Plan, Request};
use jwks::key::header::Header;
use jwks::key::key_type::KEY_TYPES;
use jwks::key::members::Members;
use jwks::key::public::{Dates, Unpublishable, public_form};
use jwks::key::read::document_password::DocumentPassword;
use jwks::key::read::pem;
use jwks::key::strict_json;
use jwks::key::thumbprint::thumbprint;
use jwks::key::write;
use jwks::key::{Key, base64url};
use jwks::keyset::adopt::Foreign;
use jwks::keyset::lifecycle::{self, State};
use jwks::keyset::terms::OnConflict;
use jwks::keyset::terms::Terms;
use jwks::keyset::timeline::{self, Phase, Window};
use jwks::keyset::{KeySet, import};
use jwks::secret::Secret;
use proptest::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found)
        } else {
            found.push(path)
        }
    }
}

/// Every vector that can be read, as a set.
fn vector_sets() -> Vec<(PathBuf, KeySet<'static>)> {
    let mut paths = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
        &mut paths,
    );
    let read = |path: PathBuf| {
        let octets = std::fs::read(&path).expect("a vector");
        import::read(&octets, &import::Options::default())
            .ok()
            .map(|read| (path, read.set))
    };
    let sets: Vec<_> = paths.into_iter().filter_map(read).collect();
    assert!(sets.len() > 300, "only {} vectors were read", sets.len());
    sets
}

/// A key of each algorithm; RSA keys are slow to make, so one serves for all.
fn keys_of_every_algorithm() -> Vec<(&'static Algorithm, Members<'static>)> {
    let plan = |alg| {
        Plan::new(Request {
            alg: Some(alg),
            ..Request::default()
        })
        .expect("a plan")
    };
    let rsa = plan("RS256").generate().expect("a key");
    let key = |algorithm: &'static Algorithm| {
        let mut members = match algorithm.key_types()[..] {
            ["RSA"] => rsa.clone(),
            _ => plan(algorithm.name).generate().expect("a key"),
        };
        members.set_text("alg", algorithm.name);
        members.set_text("use", algorithm.usage.name());
        (algorithm, members)
    };
    Algorithm::created().map(key).collect()
}

#[test]
fn no_private_member_is_ever_published() {
    for (path, set) in vector_sets() {
        for key in &set.keys {
            let (Ok(members), Ok(public)) = (
                key.members(),
                public_form(key, Dates::Keep, &Budget::default()),
            ) else {
                continue;
            };
            let kty = members.string("kty").expect("a published key has a kty");
            for key_type in KEY_TYPES {
                for name in key_type.private {
                    assert!(!public.has(name), "{name} of {kty} in {}", path.display());
                }
            }
            let json = public.to_json();
            for (name, value) in members.iter() {
                let known = public.has(name) || matches!(name, "key_ops" | "iat" | "nbf" | "exp");
                assert!(
                    known || value.len() < 8 || !json.contains(value),
                    "{name} of {}",
                    path.display()
                );
            }
            assert!(
                !check::has_error(&check::public_findings(&Key::from(public))),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn a_new_key_of_every_algorithm_is_without_fault() {
    for (algorithm, members) in keys_of_every_algorithm() {
        let key = Key::from(members.clone());
        assert_eq!(
            check::findings(&key, &Budget::default()),
            [],
            "{}",
            algorithm.name
        );
        assert!(thumbprint(&members).is_some(), "{}", algorithm.name);
        assert_eq!(
            public_form(&key, Dates::Drop, &Budget::default()).is_ok(),
            algorithm.key_types() != ["oct"]
        );
    }
}

/// Leading zero bytes are where writers and readers of keys differ: one key in 256 has one. Of the other
/// keys, a few are written and read again.
#[test]
fn coordinates_keep_their_full_length() {
    for crv in ["P-256", "P-384", "P-521", "secp256k1", "Ed25519", "X25519"] {
        let plan = Plan::new(Request {
            crv: Some(crv),
            ..Request::default()
        })
        .expect("a plan");
        // P-521 leaves seven bits of its first octet unused.
        let first = usize::from(crv == "P-521");
        let mut lengths = Vec::new();
        for round in 0..200 {
            let members = plan.generate().expect("a key");
            let octets = ["x", "y", "d"].map(|name| {
                let text = members.string(name).unwrap_or_default();
                base64url::decode(&text).expect("base64url")
            });
            lengths.push(octets.each_ref().map(Vec::len));
            assert_eq!(lengths[0], lengths[round], "{crv}");
            let is_short = |octets: &Vec<u8>| octets.get(first) == Some(&0);
            if round >= 10 && !octets.iter().any(is_short) {
                continue;
            }
            let key = Key::from(members.clone());
            assert_eq!(check::findings(&key, &Budget::default()), [], "{crv}");
            let written = write::pkcs8(&members).expect("PKCS#8").to_pem();
            let unlock = DocumentPassword::new(&|| unreachable!("it is not encrypted"));
            let back = pem::read(&written, &unlock)
                .expect("what was written")
                .keys
                .remove(0);
            for name in ["x", "y", "d"] {
                assert_eq!(back.raw(name), members.raw(name), "{name} of {crv}");
            }
        }
    }
}

/// A JSON value that nests a little; numbers are of every size.
fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("JSON")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let array = prop::collection::vec(inner.clone(), 0..4)
            .prop_map(|values| format!("[{}]", values.join(" , ")));
        let object = prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|members| {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\": {value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        });
        prop_oneof![array, object]
    })
}

fn json_object() -> impl Strategy<Value = String> {
    prop::collection::btree_map("[a-zé_#]{1,6}", json_value(), 0..6).prop_map(|members| {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

/// An undated or dated key of one of two lines.
fn dated_key() -> impl Strategy<Value = String> {
    let date = || prop::option::of(0i64..100);
    (0usize..2, date(), date(), date()).prop_map(|(line, iat, nbf, exp)| {
        let mut members = Members::default();
        members.set_text("kty", "oct");
        members.set_text("k", "c2VjcmV0");
        members.set_text("alg", ["HS256", "HS512"][line]);
        for (name, date) in [("iat", iat), ("nbf", nbf), ("exp", exp)] {
            if let Some(date) = date {
                members.set_number(name, date);
            }
        }
        members.to_json()
    })
}

fn set_of(keys: &[String]) -> String {
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

proptest! {
    #[test]
    fn a_set_survives_reading_and_writing(keys in prop::collection::vec(json_value(), 0..5), member in json_value()) {
        let json = format!("{{\"before\":{member},\"keys\":[{}],\"after\":{member}}}", keys.join(","));
        let set = KeySet::parse(&json).expect("a set");
        let kept: Vec<_> = set.keys.iter().map(Key::json).collect();
        prop_assert_eq!(kept, keys.iter().map(|key| key.trim()).collect::<Vec<_>>());
        let written = set.to_json();
        prop_assert_eq!(KeySet::parse(&written).expect("what was written"), set);
    }

    #[test]
    fn members_survive_reading_and_writing(json in json_object()) {
        let members = Members::parse(&json).unwrap_or_default();
        prop_assert_eq!(members.to_json(), &*json);
    }

    #[test]
    fn nothing_that_is_read_panics(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = import::read(&octets, &import::Options::default());
    }

    #[test]
    fn no_object_makes_a_check_panic(json in json_object(), kty in "RSA|EC|OKP|oct|AKP|x", more in json_object()) {
        let body = json.trim_start_matches('{');
        let comma = if body == "}" { "" } else { "," };
        let key = format!("{{\"kty\":\"{kty}\"{comma}{body}");
        let set = set_of(&[key, more]);
        let set = KeySet::parse(&set).expect("a set");
        let _ = jwks::keyset::check::findings(&set, 0, true, &Budget::default());
    }

    #[test]
    fn base64url_is_reversible(octets in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(base64url::decode(&base64url::encode(&octets)), Ok(octets));
    }

    #[test]
    fn each_line_has_one_active_key_once_one_has_begun(keys in prop::collection::vec(dated_key(), 0..8), now in 0i64..110) {
        let json = set_of(&keys);
        let set = KeySet::parse(&json).expect("a set");
        let states = lifecycle::states(&set, now);
        let mut active: HashMap<String, usize> = HashMap::new();
        let mut begun: HashMap<String, usize> = HashMap::new();
        for (key, state) in set.keys.iter().zip(&states) {
            let header = Header::of(key);
            let alg = header.alg.clone().expect("an alg").into_owned();
            let is_expired = header.exp.is_some_and(|exp| exp <= now);
            prop_assert_eq!(*state == Some(State::Expired), is_expired);
            let is_ahead = !is_expired && header.nbf.is_some_and(|nbf| nbf > now);
            prop_assert_eq!(*state == Some(State::Pending), is_ahead);
            if !is_expired && !is_ahead {
                *begun.entry(alg.clone()).or_default() += 1;
            }
            if *state == Some(State::Active) {
                *active.entry(alg).or_default() += 1;
            }
        }
        let ones: HashMap<_, _> = begun.keys().map(|alg| (alg.clone(), 1)).collect();
        prop_assert_eq!(active, ones);
    }

    #[test]
    fn states_change_at_the_next_change_and_not_before(keys in prop::collection::vec(dated_key(), 0..8), now in 0i64..100) {
        let json = set_of(&keys);
        let set = KeySet::parse(&json).expect("a set");
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        let states = lifecycle::states(&set, now);
        let end = lifecycle::next_change(&headers, now).unwrap_or(now + 50);
        for moment in now..end {
            prop_assert_eq!(&lifecycle::states(&set, moment), &states);
        }
    }

    /// From now on a timeline shows the states; before, those among the keys that were made by then.
    #[test]
    fn a_timeline_shows_the_states(keys in prop::collection::vec(dated_key(), 0..8), now in 0i64..110) {
        let json = set_of(&keys);
        let set = KeySet::parse(&json).expect("a set");
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        let lives = timeline::lifetimes(&headers, now, |_| true);
        for life in &lives {
            for pair in life.phases.windows(2) {
                prop_assert!(pair[0].to.is_some() && pair[0].to <= pair[1].from, "{:?}", life);
            }
            for stretch in &life.phases {
                let (from, to) = (stretch.from.unwrap_or(-1), stretch.to.unwrap_or(111));
                prop_assert!(from < to, "{:?}", life);
            }
        }
        for moment in -1..110 {
            let is_made = |header: &Header| moment >= now || header.iat.is_none_or(|iat| iat <= moment);
            let made: Vec<_> = headers.iter().filter(|header| is_made(header)).cloned().collect();
            let mut states = lifecycle::states_of(&made, moment, |_| true).into_iter();
            for (header, life) in headers.iter().zip(&lives) {
                let state = if is_made(header) {
                    states.next().expect("a state for each")
                } else {
                    Some(State::Expired)
                };
                let expected = match state {
                    Some(State::Pending) | None => Some(Phase::Published),
                    Some(State::Active) => Some(Phase::Signing),
                    Some(State::Retired) => Some(Phase::Retired),
                    Some(State::Expired) => None,
                };
                let mut there = life.phases.iter().filter(|stretch| {
                    stretch.from.is_none_or(|from| from <= moment) && stretch.to.is_none_or(|to| moment < to)
                });
                prop_assert_eq!(there.next().map(|stretch| stretch.phase), expected, "at {} of {:?}", moment, life);
            }
        }
        let window = Window::of(&lives, now);
        prop_assert!(window.from < now && now < window.to, "{:?}", window);
        prop_assert!(window.place(now, 50) < 50);
    }
}

/// Bringing in the keys of every vector: once adds them, twice changes nothing, nothing is lost.
#[test]
fn merging_is_idempotent_and_loses_nothing() {
    for (path, given) in vector_sets() {
        let mut set = KeySet::default();
        let file = [Foreign::of_jwks(given.clone())];
        let terms = |on_conflict| Terms {
            on_conflict,
            ..Terms::default()
        };
        set.adopt(&file, &terms(OnConflict::Fail))
            .expect("an empty set has no conflict");
        let once = set.clone();
        let again = set
            .adopt(&file, &terms(OnConflict::Skip))
            .expect("what is there is no conflict");
        assert_eq!(set, once, "{}", path.display());
        assert!(again.added.is_empty(), "{}", path.display());
        assert_eq!(given.lost_in(&set).len(), 0, "{}", path.display());
    }
}

/// A mutated vector is refused, or is a key that has passed its checks; it never panics.
#[test]
fn mutated_vectors_do_no_harm() {
    let mut paths = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/generated"),
        &mut paths,
    );
    paths.sort();
    for (seed, path) in paths.iter().enumerate() {
        let original = std::fs::read(path).expect("a vector");
        for round in 0..20usize {
            let mut octets = original.clone();
            let place = (seed * 7919 + round * 104_729) % octets.len().max(1);
            match (round % 4, octets.get_mut(place)) {
                (0, Some(octet)) => *octet ^= 1 << (round % 8),
                (1, Some(octet)) => *octet = 0xff,
                (2, _) => octets.truncate(place),
                (_, Some(_)) => drop(octets.remove(place)),
                _ => {}
            }
            let options = import::Options {
                password: &|| Ok(Secret::new("correct horse battery staple".into())),
                ..import::Options::default()
            };
            if let Ok(import::Imported { set, .. }) = import::read(&octets, &options) {
                for key in &set.keys {
                    let _ = check::findings(key, &Budget::default());
                    let _ = public_form(key, Dates::Keep, &Budget::default());
                }
            }
        }
    }
}

/// A key that cannot be used is not published, and what is published of another has no error.
#[test]
fn what_has_an_error_is_not_published() {
    let is_error = |finding: &check::Finding| finding.rule.severity() == Severity::Error;
    for (path, set) in vector_sets() {
        for key in &set.keys {
            let is_usable = check::is_usable(&check::public_findings(key));
            match public_form(key, Dates::Keep, &Budget::default()) {
                Ok(public) => {
                    let findings = check::public_findings(&Key::from(public));
                    let error = findings.iter().find(|finding| is_error(finding));
                    assert!(
                        is_usable && error.is_none(),
                        "{}: {error:?}",
                        path.display()
                    );
                }
                Err(why) => {
                    let is_other = why != Unpublishable::Invalid;
                    assert!(is_other || !is_usable, "{}: {why:?}", path.display());
                }
            }
        }
    }
}

/// A JSON text of objects, arrays and strings with odd names, spaces and escapes.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "-0.5e3",
        "null",
        "true",
        r#""a""#,
        r#""\\""#,
        r#""{\"a\":[""#,
        r#"" ,:""#,
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(6, 40, 4, |inner| {
            let name = prop::sample::select(vec![
                r#""a""#,
                r#""\u0061""#,
                r#""b""#,
                r#""\\""#,
                r#""\"""#,
                r#""{""#,
            ]);
            let space = prop::sample::select(vec!["", " ", "\n\t"]);
            let member = (name, space, inner.clone())
                .prop_map(|(name, space, value)| format!("{space}{name}{space}:{value}{space}"));
            let joined = |parts: Vec<String>| parts.join(",");
            prop_oneof![
                prop::collection::vec(member, 0..4)
                    .prop_map(move |members| format!("{{{}}}", joined(members))),
                prop::collection::vec(inner, 0..4)
                    .prop_map(move |values| format!("[{}]", joined(values))),
            ]
        })
}

/// What a parser finds in a JSON text: how deep it nests, and whether an object has a name twice.
#[derive(Default)]
struct Shape {
    depth: usize,
    has_twice: bool,
}

impl<'de> serde::Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{MapAccess, SeqAccess, Visitor};
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Shape;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                let mut shape = Shape::default();
                let mut names = std::collections::HashSet::new();
                while let Some((name, inner)) = map.next_entry::<String, Shape>()? {
                    shape.depth = shape.depth.max(inner.depth);
                    shape.has_twice |= inner.has_twice | !names.insert(name);
                }
                shape.depth += 1;
                Ok(shape)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut shape = Shape::default();
                while let Some(inner) = seq.next_element::<Shape>()? {
                    shape.depth = shape.depth.max(inner.depth);
                    shape.has_twice |= inner.has_twice;
                }
                shape.depth += 1;
                Ok(shape)
            }

            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::default())
            }

            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::default())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

proptest! {
    /// The scan that bounds foreign JSON sees the same names and nesting as the parser behind it.
    #[test]
    fn the_scan_of_foreign_json_agrees_with_the_parser(json in json_text(), more in 58..66usize) {
        let shape: Shape = serde_json::from_str(&json).expect("JSON");
        prop_assert_eq!(strict_json::check_names(&json).is_err(), shape.has_twice, "{}", json);
        let deep = "[".repeat(more) + &json + &"]".repeat(more);
        prop_assert_eq!(strict_json::check_size(&deep).is_err(), shape.depth + more > 64, "{}", json);
    }
}
