//! The public form of a set, which commands print without `--private`.

use crate::key::check::Budget;
use crate::key::members::{Members, quoted};
use crate::key::public::{Dates, Unpublishable, public_form};
use crate::keyset::{KeySet, SetMember};
use std::fmt::Write as _;

/// The public keys of a set, and the numbers of keys that were left out.
#[derive(Default)]
pub struct Published {
    /// The public keys, in the set's order.
    pub keys: Vec<Members<'static>>,
    /// The positions of these keys in the set.
    pub positions: Vec<usize>,
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

/// Returns the keys as [`pretty_set`] does, followed by other members of the set.
pub fn pretty_set_with<'m>(
    keys: &[Members],
    others: impl Iterator<Item = &'m SetMember<'m>>,
) -> String {
    const END: &str = "\n}\n";
    let mut json = pretty_set(keys);
    json.truncate(json.len() - END.len());
    for (name, value) in others {
        // Writing to a String never fails.
        let _ = write!(json, ",\n  {}: {value}", quoted(name));
    }
    json + END
}

impl KeySet<'_> {
    /// Returns the public forms of the keys at these positions.
    pub fn publish(&self, positions: &[usize], dates: Dates, budget: &Budget) -> Published {
        let mut published = Published::default();
        let there = positions.iter().filter(|i| **i < self.keys.len());
        for position in there {
            match public_form(&self.keys[*position], dates, budget) {
                Ok(members) => {
                    published.keys.push(members);
                    published.positions.push(*position);
                }
                Err(Unpublishable::Symmetric) => published.symmetric += 1,
                Err(Unpublishable::Unsupported) => published.unsupported += 1,
                Err(Unpublishable::Invalid) => published.invalid += 1,
            }
        }
        published
    }
}
