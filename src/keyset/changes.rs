//! The changes from one set to another, key by key.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::members::same_value;
use crate::keyset::KeySet;
use crate::keyset::index::Index;
use crate::keyset::key_name::KeyName;
use std::collections::BTreeSet;

/// The names of the keys that differ between two sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys that only the second set has.
    pub added: Vec<KeyName>,
    /// Keys whose members differ, with their names in the second set.
    pub updated: Vec<KeyName>,
    /// Keys that only the first set has.
    pub removed: Vec<KeyName>,
}

impl KeySet<'_> {
    /// Returns the changes from this set to another. Keys are matched by thumbprint, and copies of a
    /// key also by kid. The order is ignored. `alike` returns true if a key of this set and a key of
    /// the other set have the same members.
    pub fn changes_to(&self, after: &KeySet, alike: impl Fn(&Key, &Key) -> bool) -> Changes {
        let mut changes = Changes::default();
        let mut index = Index::of(self);
        let mut left: BTreeSet<usize> = (0..self.keys.len()).collect();
        let mut take = |position: usize, index: &mut Index| {
            index.remove(position, &self.keys[position]);
            left.remove(&position);
            &self.keys[position]
        };
        let mut others = Vec::new();
        for key in &after.keys {
            let kid = Header::of(key).kid;
            match index.first_under(key, [kid.as_deref()]) {
                Some(position) if alike(take(position, &mut index), key) => {}
                Some(_) => changes.updated.push(KeyName::of(key)),
                None => others.push(key),
            }
        }
        for key in others {
            match index.first(key) {
                Some(position) => {
                    take(position, &mut index);
                    changes.updated.push(KeyName::of(key));
                }
                None => changes.added.push(KeyName::of(key)),
            }
        }
        let removed = left.iter().map(|position| &self.keys[*position]);
        changes.removed = removed.map(KeyName::of).collect();
        changes
    }
}

/// Returns true if two keys have the same members with the same values.
pub fn is_alike(one: &Key, other: &Key) -> bool {
    same_value(one.json(), other.json())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(keys: &[(&str, &str, &str)]) -> KeySet<'static> {
        let key = |(kid, letter, more): &(&str, &str, &str)| {
            let x = letter.repeat(43);
            Key::from_json(format!(
                r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"{more}}}"#
            ))
        };
        KeySet::from(keys.iter().map(key).collect::<Vec<_>>())
    }

    fn kids(names: &[KeyName]) -> Vec<&str> {
        names.iter().filter_map(KeyName::handle).collect()
    }

    #[test]
    fn keys_come_go_and_change() {
        let before = set(&[("a", "A", ""), ("b", "B", ""), ("c", "C", "")]);
        let after = set(&[
            ("d", "D", ""),
            ("c", "C", r#","use":"sig""#),
            ("a", "A", " "),
        ]);
        let changes = before.changes_to(&after, is_alike);
        assert_eq!(kids(&changes.added), ["d"]);
        assert_eq!(kids(&changes.updated), ["c"]);
        assert_eq!(kids(&changes.removed), ["b"]);
        assert_eq!(before.changes_to(&before, is_alike), Changes::default());
    }

    #[test]
    fn copies_are_told_apart_by_their_kids() {
        let before = set(&[("a", "A", ""), ("b", "A", "")]);
        let changes = before.changes_to(&set(&[("b", "A", "")]), is_alike);
        assert_eq!(kids(&changes.removed), ["a"]);
        assert!(changes.updated.is_empty() && changes.added.is_empty());
        let changes = before.changes_to(&set(&[("c", "A", ""), ("a", "A", "")]), is_alike);
        assert_eq!(kids(&changes.updated), ["c"]);
        assert!(changes.removed.is_empty() && changes.added.is_empty());
    }
}
