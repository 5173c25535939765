//! The public form of a set, which commands print without `--private`.

use crate::key::check::Budget;
use crate::key::members::Members;
use crate::key::public::{Dates, Unpublishable, public_form};
use crate::keyset::KeySet;

/// The public keys of a set, and the numbers of keys that were left out.
#[derive(Default)]
pub struct Published {
    /// The public keys, in the set's order.
    pub keys: Vec<Members<'static>>,
    /// The number of symmetric keys.
    pub symmetric: usize,
    /// The number of keys with an unknown kty or curve.
    pub unsupported: usize,
    /// The number of keys whose key material is invalid.
    pub invalid: usize,
    /// The number of expired keys, if those are left out.
    pub expired: usize,
}

impl Published {
    /// Returns a description of the keys that were left out, or `None` if there are none.
    pub fn left_out(&self) -> Option<String> {
        let counts = [
            (self.symmetric, "symmetric"),
            (self.unsupported, "unsupported"),
            (self.invalid, "invalid"),
            (self.expired, "expired"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<_> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// Returns the keys as a JWK Set document with one member per line.
pub fn pretty_set(keys: &[Members]) -> String {
    if keys.is_empty() {
        return "{\n  \"keys\": []\n}\n".into();
    }
    let keys: Vec<_> = keys
        .iter()
        .map(|key| format!("    {}", key.to_pretty_json(4)))
        .collect();
    format!("{{\n  \"keys\": [\n{}\n  ]\n}}\n", keys.join(",\n"))
}

impl KeySet<'_> {
    /// Returns the public forms of the keys at these positions.
    pub fn publish(&self, positions: &[usize], dates: Dates, budget: &Budget) -> Published {
        let mut published = Published::default();
        for key in positions.iter().filter_map(|i| self.keys.get(*i)) {
            match public_form(key, dates, budget) {
                Ok(members) => published.keys.push(members),
                Err(Unpublishable::Symmetric) => published.symmetric += 1,
                Err(Unpublishable::Unsupported) => published.unsupported += 1,
                Err(Unpublishable::Invalid) => published.invalid += 1,
            }
        }
        published
    }
}
