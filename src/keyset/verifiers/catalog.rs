//! The verifiers that are known by name, and what the libraries among them were measured to do.

use crate::error::{Error, Result};
use crate::keyset::verifiers::caches::{Cache, services};
use crate::keyset::verifiers::feature::Feature;
use crate::keyset::verifiers::profile::{PROFILES, Profile};
use crate::nearest::unknown;
use serde::Deserialize;
use std::sync::OnceLock;

/// The name that stands for every library of the table.
pub const ALL: &str = "all";

const TABLE: &str = include_str!("table.json");

/// What a version of a library does with each feature of a key.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Library {
    /// The name of the library.
    pub name: String,
    /// The version that was measured.
    pub version: String,
    /// Where the library is published, such as PyPI.
    pub registry: String,
    /// Tokens of all keys verify.
    pub(super) accepts: Vec<Feature>,
    /// Tokens of the key itself do not verify, or there are none.
    pub(super) ignores: Vec<Feature>,
    /// Tokens of the other keys of the set do not verify any more.
    pub(super) refuses: Vec<Feature>,
    /// Tokens of keys of another kty that come later in the set do not verify any more.
    pub(super) hides: Vec<Feature>,
}

/// A library, a profile or a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// A library, in one version.
    Library(&'static Library),
    /// A profile.
    Profile(Profile),
    /// A service that was not measured. Only its cache is known.
    Service(&'static Cache),
}

/// Returns the libraries of the table.
pub fn libraries() -> &'static [Library] {
    static LIBRARIES: OnceLock<Vec<Library>> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        // A test parses the same text.
        serde_json::from_str(TABLE).expect("the table is JSON")
    })
}

/// Returns the names of the libraries and of the profiles, without versions.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = libraries().iter().map(|one| one.name.as_str()).collect();
    names.dedup();
    names.extend(PROFILES.iter().map(|profile| profile.name()));
    names
}

/// Returns the verifiers with these names, each once. `NAME` stands for every version that was measured,
/// `NAME@VERSION` for one of them. Returns an error for an unknown name.
pub fn named(names: &[String]) -> Result<Vec<Verifier>> {
    let (found, unknown) = known(names);
    match unknown.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(found),
    }
}

/// Returns the verifiers with these names, as [`named`] does. Also returns an error for a service, which was not
/// measured.
pub fn measured(names: &[String]) -> Result<Vec<Verifier>> {
    for name in names {
        match verifiers_named(name)[..] {
            [] => return Err(unknown_name(name, &[])),
            [Verifier::Service(_)] => {
                let message = format!("{name} was not measured; only its cache is known");
                return Err(Error::usage(message)
                    .hint("`jwks advise SET --verifier NAME` proposes a publish delay for it"));
            }
            [Verifier::Library(_) | Verifier::Profile(_), ..] | [Verifier::Service(_), _, ..] => {}
        }
    }
    named(names)
}

/// Returns the verifiers with these names, each once, and an error for each unknown name: a set can
/// declare a version that a later table no longer has.
pub fn known(names: &[String]) -> (Vec<Verifier>, Vec<Error>) {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let named = verifiers_named(name);
        if named.is_empty() {
            unknown.push(unknown_name(name, &service_names()));
        }
        for verifier in named {
            if !found.contains(&verifier) {
                found.push(verifier);
            }
        }
    }
    (found, unknown)
}

fn verifiers_named(name: &str) -> Vec<Verifier> {
    let is_named = |library: &&Library| match name.split_once('@') {
        Some((name, version)) => library.name == name && library.version == version,
        None => library.name == name || name == ALL,
    };
    let libraries = libraries().iter().filter(is_named).map(Verifier::Library);
    let profiles = PROFILES.iter().filter(|profile| profile.name() == name);
    let services = services().filter(|cache| cache.name == name);
    libraries
        .chain(profiles.copied().map(Verifier::Profile))
        .chain(services.map(Verifier::Service))
        .collect()
}

fn service_names() -> Vec<&'static str> {
    services().map(|cache| cache.name.as_str()).collect()
}

/// Returns the error for a name that no verifier has. `services` are the names of services that can be named, too.
fn unknown_name(name: &str, services: &[&str]) -> Error {
    if let Some((base, version)) = name.split_once('@') {
        let versions = libraries().iter().filter(|library| library.name == base);
        let versions: Vec<&str> = versions.map(|library| library.version.as_str()).collect();
        if !versions.is_empty() {
            let message = format!("unknown version {version:?} of {base}");
            return Error::usage(message).hint(format!("versions: {}", versions.join(", ")));
        }
    }
    let mut names = names();
    names.push(ALL);
    names.extend(services);
    unknown("verifier", name, None, &names)
}

impl Verifier {
    /// Returns the library; `None` for a profile or a service.
    pub(super) fn library(&self) -> Option<&'static Library> {
        match self {
            Verifier::Library(library) => Some(library),
            Verifier::Profile(_) | Verifier::Service(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyset::verifiers::feature::FEATURES;

    const GUIDE: &str = include_str!("../../../man/jwks-rotation.7.md");

    #[test]
    fn the_table_has_every_feature_of_every_library() {
        for library in libraries() {
            for feature in FEATURES {
                let lists = [&library.accepts, &library.ignores, &library.refuses];
                let lists = lists.iter().filter(|list| list.contains(feature)).count();
                assert_eq!(lists, 1, "{} {feature:?}", library.name);
            }
        }
        assert!(libraries().len() > 20);
    }

    /// Lists the algorithms among features.
    fn algorithms(features: &[Feature]) -> String {
        let is_algorithm = |feature: &&Feature| **feature <= Feature::EncX448;
        let algorithms = features.iter().filter(is_algorithm).map(|feature| {
            let text = feature.text().trim_start_matches("has the alg ");
            text.replace(" and the crv ", " on ")
        });
        let algorithms = algorithms.collect::<Vec<_>>().join(", ");
        let algorithms = algorithms.replace("ML-DSA-44, ML-DSA-65, ML-DSA-87", "ML-DSA");
        if algorithms.is_empty() {
            "–".into()
        } else {
            algorithms
        }
    }

    #[test]
    fn the_guide_has_the_table() {
        let mut lines = String::new();
        for library in libraries() {
            let is_to_verify = |feature: &&Feature| feature.is_to_verify();
            let ignored = library.ignores.iter().filter(is_to_verify);
            let ignored = algorithms(&ignored.copied().collect::<Vec<_>>());
            let refused = algorithms(&library.refuses);
            let Library { name, version, .. } = library;
            lines += &format!("| `{name}` {version} | {refused} | {ignored} |\n");
        }
        assert!(
            GUIDE.contains(&lines),
            "man/jwks-rotation.7.md lacks:\n{lines}"
        );
    }

    #[test]
    fn names_are_known_or_corrected() {
        let refused = |name: &str| named(&[name.into()]).unwrap_err().to_string();
        assert_eq!(
            refused("jwcripto"),
            "unknown verifier \"jwcripto\"; did you mean jwcrypto?"
        );
        assert_eq!(refused("jwcrypto@9"), "unknown version \"9\" of jwcrypto");
        let number = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            named(&names).unwrap().len()
        };
        assert_eq!(number(&["jwcrypto", "jwcrypto@1.5.7", "fapi2", "fapi2"]), 3);
        assert_eq!(number(&[ALL, "jose"]), libraries().len());
    }
}
