//! The keys whose private part is known to everybody.

use std::collections::HashMap;
use std::sync::LazyLock;

static KNOWN: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let lines = include_str!("known_keys.txt").lines();
    let keys = lines.filter(|line| !line.starts_with('#'));
    keys.filter_map(|line| line.split_once(' ')).collect()
});

/// Returns where the private part of the key with this thumbprint is printed, or what it is.
pub fn known(thumbprint: &str) -> Option<&'static str> {
    KNOWN.get(thumbprint).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::base64url;

    #[test]
    fn every_line_is_a_thumbprint_and_its_source() {
        let lines = include_str!("known_keys.txt").lines();
        let lines: Vec<_> = lines.filter(|line| !line.starts_with('#')).collect();
        for line in &lines {
            let (thumbprint, source) = line.split_once(' ').unwrap();
            assert_eq!(base64url::decode(thumbprint).unwrap().len(), 32, "{line}");
            assert!(!source.is_empty(), "{line}");
        }
        assert_eq!(KNOWN.len(), lines.len());
    }
}
