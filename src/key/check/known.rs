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
