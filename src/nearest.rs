//! Finds the name that a mistyped one probably means.

use crate::error::Error;
use strsim::osa_distance;

/// Returns the error for a word that is none of the names. It names `meant` or the nearest name, or else
/// all names. `what` says what is named, such as `curve`.
pub fn unknown(what: &str, word: &str, meant: Option<&str>, names: &[&str]) -> Error {
    match meant.or_else(|| nearest(word, names)) {
        Some(meant) => Error::usage(format!("unknown {what} {word:?}; did you mean {meant}?")),
        None => Error::usage(format!("unknown {what} {word:?}"))
            .hint(format!("{what}s: {}", names.join(", "))),
    }
}

/// Returns the hint for a word that is none of the names, if one of them is near.
pub fn did_you_mean<S: AsRef<str>>(word: &str, names: &[S]) -> Option<String> {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    nearest(word, &names).map(|name| format!("did you mean {name}?"))
}

/// Returns the name that is nearest to a word: at most a third of its characters, and no more than three,
/// are inserted, removed, replaced or swapped with their neighbor. Case does not count. A name of more than
/// 64 characters is never near.
pub fn nearest<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    let letters = |text: &str| -> String { text.to_lowercase().chars().take(LONGEST).collect() };
    let word = letters(word);
    let near = |name: &'n str| {
        if name.chars().nth(LONGEST).is_some() {
            return None;
        }
        let distance = osa_distance(&word, &letters(name));
        (distance <= (word.chars().count() / 3).min(3)).then_some((distance, name))
    };
    let near = names.iter().copied().filter_map(near);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The most characters of a word that are compared.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_near() {
        let names = ["RS256", "ES256", "ES512", "EdDSA", "ML-DSA-65", "HS256"];
        for (word, name) in [
            ("ES265", Some("ES256")),
            ("rs256", Some("RS256")),
            ("RS265", Some("RS256")),
            ("eddas", Some("EdDSA")),
            ("MLDSA65", Some("ML-DSA-65")),
            ("", None),
            ("none", None),
        ] {
            assert_eq!(nearest(word, &names), name, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), &names), None);
        let long = "x".repeat(65);
        assert_eq!(nearest(&long, &[&long[1..], &long]), Some(&long[1..]));
        assert_eq!(nearest(&long, &[&*long]), None);
    }
}
