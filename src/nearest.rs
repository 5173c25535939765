//! Finds the name that a mistyped one probably means.

/// Returns the name that is nearest to a word: at most a third of its characters, and no more than three,
/// are inserted, removed, replaced or swapped with their neighbor. Case does not count.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let letters = |text: &str| {
        text.to_lowercase()
            .chars()
            .take(LONGEST)
            .collect::<Vec<_>>()
    };
    let word = letters(word);
    let near = |name: &'n str| {
        let distance = distance(&word, &letters(name));
        (distance <= (word.len() / 3).min(3)).then_some((distance, name))
    };
    let near = names.into_iter().filter_map(near);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The most characters of a word that are compared.
const LONGEST: usize = 64;

/// The distance of Damerau and Levenshtein between two words, with swaps of neighbors only.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for i in 0..one.len() {
        let mut row = vec![i + 1];
        for j in 0..other.len() {
            let replaced = last[j] + usize::from(one[i] != other[j]);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i] == other[j - 1] && one[i - 1] == other[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

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
            assert_eq!(nearest(word, names), name, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), names), None);
    }
}
