//! Finds the keys of a set by kid and by identity, and pairs the entries of two sets. Everything is
//! looked up by hash, so the work grows linearly with the number of keys.

use crate::key::Key;
use crate::key::header::Header;
use crate::key::step_counter;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// The positions of a set's keys, by identity.
#[derive(Debug, Default)]
pub struct Index(HashMap<String, Copies>);

/// The positions of one key.
#[derive(Debug, Default)]
struct Copies {
    all: BTreeSet<usize>,
    by_kid: HashMap<Option<String>, BTreeSet<usize>>,
}

/// Returns the identity of a key: its thumbprint, or else its JSON text.
pub fn identity(key: &Key) -> String {
    match key.members() {
        // White space makes no other key.
        Ok(members) => thumbprint(&members).unwrap_or_else(|| members.to_json()),
        Err(_) => key.json().to_owned(),
    }
}

fn kid_of(key: &Key) -> Option<String> {
    Header::of(key).kid.map(|kid| kid.into_owned())
}

impl Index {
    /// Indexes a set.
    pub fn of(set: &KeySet) -> Index {
        let mut index = Index::default();
        for (position, key) in set.keys.iter().enumerate() {
            let copies = index.0.entry(identity(key)).or_default();
            copies.all.insert(position);
            let under_kid = copies.by_kid.entry(kid_of(key)).or_default();
            under_kid.insert(position);
        }
        index
    }

    /// Removes the key at a position.
    pub fn remove(&mut self, position: usize, key: &Key) {
        let Some(copies) = self.0.get_mut(&identity(key)) else {
            return;
        };
        copies.all.remove(&position);
        if let Some(under_kid) = copies.by_kid.get_mut(&kid_of(key)) {
            under_kid.remove(&position);
        }
    }

    /// Returns the positions of a key, under any kid.
    pub fn copies_of(&self, key: &Key) -> Vec<usize> {
        let copies = self.0.get(&identity(key));
        let copies = copies.into_iter().flat_map(|copies| &copies.all);
        copies.inspect(|_| step_counter::count()).copied().collect()
    }

    /// Returns true if the set has the key, under any kid.
    pub fn has(&self, key: &Key) -> bool {
        self.first(key).is_some()
    }

    /// Returns the first position of a key, under any kid.
    pub fn first(&self, key: &Key) -> Option<usize> {
        self.0.get(&identity(key))?.all.first().copied()
    }

    /// Returns the first position of a key under one of these kids; `None` means without a kid.
    pub fn first_under<const N: usize>(&self, key: &Key, kids: [Option<&str>; N]) -> Option<usize> {
        let copies = self.0.get(&identity(key))?;
        let first = |kid: Option<&str>| copies.by_kid.get(&kid.map(str::to_owned))?.first();
        kids.into_iter().filter_map(first).min().copied()
    }
}

/// The identity of an entry of a set: the key, its kid, `alg` and `use`. A set can list the same key
/// several times under one kid, each time for another `alg` or `use`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The thumbprint, or else the JSON text of the key.
    pub identity: String,
    /// The kid.
    pub kid: Option<String>,
    /// The algorithm.
    pub alg: Option<String>,
    /// The use.
    pub usage: Option<String>,
}

/// How much two entries of the same key can differ and still be paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Apart {
    /// Only by a kid, alg or use that is absent on one side.
    Absent,
    /// By any alg and use; the kid is the same, or absent on one side.
    SameKid,
    /// By any kid, alg and use.
    SameKey,
}

impl Entry {
    /// Returns the entry of a key.
    pub fn of(key: &Key) -> Entry {
        let header = Header::of(key);
        let owned = |text: Option<std::borrow::Cow<str>>| text.map(|text| text.into_owned());
        Entry {
            identity: identity(key),
            kid: owned(header.kid),
            alg: owned(header.alg),
            usage: owned(header.usage),
        }
    }

    fn fields(&self) -> [Option<&str>; 3] {
        [
            self.kid.as_deref(),
            self.alg.as_deref(),
            self.usage.as_deref(),
        ]
    }
}

/// How two entries compare in one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Field<'e> {
    /// Both have this value, or both have none.
    Equal(Option<&'e str>),
    /// Only one of them has a value. `is_ours` is true if that is ours.
    Absent { is_ours: bool },
    /// The field is ignored.
    Any,
}

#[derive(Clone, Copy)]
enum How {
    Equal,
    Absent,
    Any,
}

/// The rules by which entries are paired, the strictest first: how much the entries can differ, and how
/// kid, alg and use are compared.
const WAYS: &[(Apart, [How; 3])] = &[
    (Apart::Absent, [How::Equal, How::Equal, How::Equal]),
    (Apart::Absent, [How::Equal, How::Equal, How::Absent]),
    (Apart::Absent, [How::Equal, How::Absent, How::Equal]),
    (Apart::Absent, [How::Equal, How::Absent, How::Absent]),
    (Apart::Absent, [How::Absent, How::Equal, How::Equal]),
    (Apart::Absent, [How::Absent, How::Equal, How::Absent]),
    (Apart::Absent, [How::Absent, How::Absent, How::Equal]),
    (Apart::Absent, [How::Absent, How::Absent, How::Absent]),
    (Apart::SameKid, [How::Equal, How::Any, How::Any]),
    (Apart::SameKid, [How::Absent, How::Any, How::Any]),
    (Apart::SameKey, [How::Any, How::Any, How::Any]),
];

/// Returns the fields that an entry must share with an entry of the other side under a rule.
fn sign<'e>(entry: &'e Entry, how: &[How; 3], is_ours: bool) -> (&'e str, [Field<'e>; 3]) {
    let [kid, alg, usage] = entry.fields();
    let field = |how: How, value: Option<&'e str>| match how {
        How::Equal => Field::Equal(value),
        How::Absent => Field::Absent {
            is_ours: value.is_some() == is_ours,
        },
        How::Any => Field::Any,
    };
    let fields = [field(how[0], kid), field(how[1], alg), field(how[2], usage)];
    (&entry.identity, fields)
}

/// Returns, for each of their entries, the position of our entry that it is paired with. Each entry is
/// paired at most once; the strictest rule goes first.
pub fn pair<E: Borrow<Entry>>(ours: &[E], theirs: &[Entry], apart: Apart) -> Vec<Option<usize>> {
    let ours: Vec<&Entry> = ours.iter().map(E::borrow).collect();
    let mut pairs = vec![None; theirs.len()];
    // No rule pairs entries of two keys.
    let keys: HashSet<&str> = theirs.iter().map(|entry| &*entry.identity).collect();
    let is_shared = |position: &usize| keys.contains(&*ours[*position].identity);
    let mut left: Vec<usize> = (0..ours.len()).filter(is_shared).collect();
    let mut wanting: Vec<usize> = (0..theirs.len()).collect();
    for (_, how) in WAYS.iter().filter(|(far, _)| *far <= apart) {
        if left.is_empty() || wanting.is_empty() {
            break;
        }
        let mut places: HashMap<_, VecDeque<usize>> = HashMap::new();
        for position in &left {
            let place = places.entry(sign(ours[*position], how, true)).or_default();
            place.push_back(*position);
        }
        wanting.retain(|position| {
            let place = places.get_mut(&sign(&theirs[*position], how, false));
            pairs[*position] = place.and_then(VecDeque::pop_front);
            pairs[*position].is_none()
        });
        left = places.into_values().flatten().collect();
        left.sort_unstable();
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries as `key/kid/alg/use`; what is empty is absent.
    fn entries(texts: &[&str]) -> Vec<Entry> {
        let entry = |text: &&str| {
            let mut fields = text.split('/').map(str::to_owned);
            let identity = fields.next().unwrap();
            let mut next = || fields.next().filter(|field| !field.is_empty());
            Entry {
                identity,
                kid: next(),
                alg: next(),
                usage: next(),
            }
        };
        texts.iter().map(entry).collect()
    }

    fn pairs(ours: &[&str], theirs: &[&str], apart: Apart) -> Vec<Option<usize>> {
        pair(&entries(ours), &entries(theirs), apart)
    }

    #[test]
    fn entries_of_one_key_are_told_apart_by_what_they_are_for() {
        let three = ["k/a/RS256", "k/a/RS384", "k/a/RS512"];
        let turned = ["k/a/RS512", "k/a/RS256", "k/a/PS256", "k/b/RS384"];
        let found = pairs(&three, &turned, Apart::Absent);
        assert_eq!(found, [Some(2), Some(0), None, None]);
        let found = pairs(&three, &turned, Apart::SameKid);
        assert_eq!(found, [Some(2), Some(0), Some(1), None]);
        let found = pairs(&["k/a/RS256", "k/c/RS256"], &turned, Apart::SameKey);
        assert_eq!(found, [Some(1), Some(0), None, None]);
        assert_eq!(pairs(&["x/a/RS256"], &three, Apart::SameKey), [None; 3]);
    }

    #[test]
    fn what_is_absent_on_one_side_makes_no_difference() {
        let same = |ours, theirs| pairs(&[ours], &[theirs], Apart::Absent) == [Some(0)];
        for (ours, theirs) in [
            ("k", "k/a/RS256/sig"),
            ("k/a", "k//RS256"),
            ("k/a/RS256", "k/a//sig"),
        ] {
            assert!(same(ours, theirs) && same(theirs, ours), "{ours} {theirs}");
        }
        for (ours, theirs) in [
            ("k/a/RS256/sig", "k/a/RS256/enc"),
            ("k/a/RS256", "k//RS384"),
            ("k/a", "k/b"),
        ] {
            assert!(
                !same(ours, theirs) && !same(theirs, ours),
                "{ours} {theirs}"
            );
        }
    }

    #[test]
    fn the_closest_entries_are_paired_first_and_none_twice() {
        let found = pairs(
            &["k/a", "k/a/RS256"],
            &["k/a/RS384", "k/a/RS256"],
            Apart::Absent,
        );
        assert_eq!(found, [Some(0), Some(1)]);
        let found = pairs(&["k/a"], &["k/a/RS256", "k/a/RS384"], Apart::Absent);
        assert_eq!(found, [Some(0), None]);
    }
}
