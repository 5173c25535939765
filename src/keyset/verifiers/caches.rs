//! How long verifiers cache a set, as their source or their documentation says.

use crate::keyset::verifiers;
use serde::Deserialize;
use std::sync::OnceLock;

const TABLE: &str = include_str!("caches.json");

/// How long a verifier caches a set, with its default settings. Times are in seconds.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// The name of a library of the table of verifiers, or of a service.
    pub name: String,
    /// How long it keeps a set. `None` if it keeps a set until it sees an unknown kid.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// How long a token with an unknown kid can fail before the set is fetched again. `None` if an unknown kid
    /// does not make the verifier fetch the set in time.
    #[serde(default)]
    pub new_kid: Option<u64>,
    /// True if the `max-age` of the address can make the time longer.
    #[serde(default)]
    pub obeys_headers: bool,
    /// Where this is documented.
    pub source: String,
}

impl Cache {
    /// Returns for how long the verifier can lack a new key after the address serves it, in seconds.
    /// `lifetime` is the cache lifetime by the headers of the address, if it is known.
    pub fn lacks_new_keys_for(&self, lifetime: Option<u64>) -> u64 {
        let by_headers = lifetime.filter(|_| self.obeys_headers).unwrap_or(0);
        let kept = self.seconds.unwrap_or(0).max(by_headers);
        self.new_kid.unwrap_or(kept)
    }
}

/// Returns the table.
pub fn caches() -> &'static [Cache] {
    static CACHES: OnceLock<Vec<Cache>> = OnceLock::new();
    CACHES.get_or_init(|| {
        // A test parses the same text.
        serde_json::from_str(TABLE).expect("the table is JSON")
    })
}

/// Returns the names in the table that are not in the table of libraries.
pub fn services() -> impl Iterator<Item = &'static Cache> {
    let is_library = |name: &str| verifiers::libraries().iter().any(|one| one.name == name);
    caches()
        .iter()
        .filter(move |cache| !is_library(&cache.name))
}

/// Returns the cache of a verifier that is named as `NAME` or `NAME@VERSION`; `None` if it is not known.
pub fn cache_of(name: &str) -> Option<&'static Cache> {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    caches().iter().find(|cache| cache.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../man/jwks-rotation.7.md");

    #[test]
    fn the_table_is_sorted_and_complete() {
        let names: Vec<_> = caches().iter().map(|cache| cache.name.as_str()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for cache in caches() {
            assert!(
                cache.seconds.is_some() || cache.new_kid.is_some(),
                "{cache:?}"
            );
            assert!(!cache.source.is_empty());
        }
    }

    #[test]
    fn an_unknown_kid_or_the_headers_decide() {
        let wait = |name: &str, lifetime| cache_of(name).unwrap().lacks_new_keys_for(lifetime);
        assert_eq!(wait("istio", Some(604_800)), 1200);
        assert_eq!(wait("jose@6.2.18", Some(604_800)), 30);
        assert_eq!(wait("go-oidc", None), 0);
        assert_eq!(wait("jwx", None), 900);
        assert_eq!(wait("jwx", Some(604_800)), 604_800);
        assert_eq!(cache_of("jwcrypto"), None);
    }

    fn words(seconds: Option<u64>) -> String {
        match seconds {
            None => "–".into(),
            Some(0) => "at once".into(),
            Some(seconds) if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
            Some(seconds) if seconds % 60 == 0 => format!("{} min", seconds / 60),
            Some(seconds) => format!("{seconds} s"),
        }
    }

    #[test]
    fn the_guide_has_the_table() {
        let mut lines = String::new();
        for cache in caches() {
            let Cache { name, source, .. } = cache;
            let kept = match (cache.seconds, cache.obeys_headers) {
                (seconds, true) => format!("max-age, or {}", words(seconds)),
                (seconds, false) => words(seconds),
            };
            let new_kid = words(cache.new_kid);
            lines += &format!("| `{name}` | {kept} | {new_kid} | {source} |\n");
        }
        assert!(
            GUIDE.contains(&lines),
            "man/jwks-rotation.7.md lacks:\n{lines}"
        );
    }
}
