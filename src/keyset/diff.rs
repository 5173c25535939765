//! Compares sets. Dates that an export leaves out are no difference. If a server holds the other set,
//! neither is the older name EdDSA for Ed25519 (RFC 9864), under which a push can send a key.

use crate::key::Key;
use crate::key::check::Budget;
use crate::key::members::Members;
use crate::key::parts::{DATES, holds_secret, is_withheld};
use crate::key::public::{Dates, public_form};
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::push::counterparts;
use crate::keyset::server_rules::ServerRules;
use std::collections::HashSet;

/// The differences between two sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The keys that only the first set has.
    pub only_one: Vec<KeyName>,
    /// The keys that only the second set has.
    pub only_other: Vec<KeyName>,
    /// The keys that both sets have, and the members that differ.
    pub differs: Vec<(KeyName, Vec<String>)>,
    /// The keys that both sets have with the same members.
    pub same: Vec<KeyName>,
    /// The keys whose private part only the second set has.
    pub private_in_other: Vec<KeyName>,
}

/// Compares two sets of which no server holds one. The order of keys is ignored. If only one set has the
/// private part of a key, its public form is compared.
pub fn compare(one: &KeySet, other: &KeySet, budget: &Budget) -> Comparison {
    let mut comparison = Comparison::default();
    let pairs = counterparts(one, other, &ServerRules::FAITHFUL);
    let paired: HashSet<usize> = pairs.iter().flatten().copied().collect();
    for (key, position) in one.keys.iter().zip(pairs) {
        let name = KeyName::of(key);
        let Some(position) = position else {
            comparison.only_one.push(name);
            continue;
        };
        let counterpart = &other.keys[position];
        if holds_secret(counterpart) && !holds_secret(key) {
            comparison.private_in_other.push(name.clone());
        }
        match differences(key, counterpart, budget) {
            members if members.is_empty() => comparison.same.push(name),
            members => comparison.differs.push((name, members)),
        }
    }
    let left = other.keys.iter().enumerate();
    let left = left.filter(|(position, _)| !paired.contains(position));
    comparison.only_other = left.map(|(_, key)| KeyName::of(key)).collect();
    comparison
}

/// Returns the members in which two forms of a key differ.
fn differences(one: &Key, other: &Key, budget: &Budget) -> Vec<String> {
    let public = |key: &Key| public_form(key, Dates::Keep, budget).ok().map(Key::from);
    // The public part of an encrypted set stands for the private part without having it.
    let is_whole = |key: &Key| holds_secret(key) && !is_withheld(key);
    let forms = match (is_whole(one), is_whole(other)) {
        (true, true) => (None, None),
        (false, false) if !is_withheld(one) && !is_withheld(other) => (None, None),
        _ => (public(one), public(other)),
    };
    let one = forms.0.as_ref().unwrap_or(one);
    let other = forms.1.as_ref().unwrap_or(other);
    let is_dated = |key: &Key| {
        let members = key.members().unwrap_or_default();
        DATES.iter().any(|name| members.has(name))
    };
    let are_dated = is_dated(one) && is_dated(other);
    let mut members = ServerRules::FAITHFUL.differences(one, other);
    members.retain(|name| are_dated || !DATES.contains(&&**name));
    members
}

impl KeySet<'_> {
    /// Returns a server's set in which each key has the dates and the name for Ed25519 of the same key in
    /// this set, if it has no dates and the other name.
    pub fn to_compare(&self, there: &KeySet, rules: &ServerRules) -> KeySet<'static> {
        let mut compared = there.clone().into_owned();
        let counterparts = counterparts(self, there, rules);
        for (own, position) in self.keys.iter().zip(counterparts) {
            if let Some(position) = position
                && let Some(key) = like(&there.keys[position], own, rules)
            {
                compared.keys[position] = key;
            }
        }
        compared
    }
}

/// Returns the key of a server with the dates and the name for Ed25519 of our key; `None` if it keeps its
/// own ones.
fn like(key: &Key, own: &Key, rules: &ServerRules) -> Option<Key<'static>> {
    let (mut members, own) = (key.members().ok()?, own.members().ok()?);
    // A published key has no dates, and a push sends none.
    let is_dated = rules.publishes || DATES.iter().any(|name| members.has(name));
    let alg = |members: &Members, name| members.string("alg").as_deref() == Some(name);
    let is_renamed = alg(&members, "EdDSA") && alg(&own, "Ed25519");
    if is_dated && !is_renamed {
        return None;
    }
    for name in DATES.iter().filter(|_| !is_dated) {
        if let Some(date) = own.raw(name) {
            members.set_raw(*name, date.to_owned());
        }
    }
    if is_renamed {
        members.set_text("alg", "Ed25519");
    }
    Some(Key::from(members).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A published copy of a set is the same as the set.
    #[test]
    fn two_sets_are_compared_by_what_both_have() {
        let key = |kid: &str, x: &str, more: &str| {
            Key::from_json(format!(
                r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}"{more}}}"#
            ))
        };
        let (a, b) = (
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
        );
        let d = r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#;
        let secret = |alg: &str| {
            Key::from_json(format!(
                r#"{{"kty":"oct","k":"AyM1SysPpby","kid":"s","alg":"{alg}"}}"#
            ))
        };
        let set = KeySet::from(vec![
            key("a", a, &format!(r#"{d},"exp":9,"key_ops":["sign"]"#)),
            secret("HS256"),
        ]);
        let copy = KeySet::from(vec![
            secret("HS512"),
            key("b", b, ""),
            key("a", a, r#","key_ops":["verify"]"#),
        ]);
        let budget = Budget::default();
        let kids = |names: &[KeyName]| {
            let kids = names
                .iter()
                .map(|name| name.kid.clone().unwrap_or_default());
            kids.collect::<Vec<_>>().join(" ")
        };
        let found = compare(&set, &copy, &budget);
        assert_eq!(kids(&found.same), "a", "{found:?}");
        assert_eq!(
            (kids(&found.only_one), kids(&found.only_other)),
            ("".into(), "b".into())
        );
        let [(name, members)] = &found.differs[..] else {
            panic!("{found:?}");
        };
        assert_eq!(
            (name.kid.as_deref(), &members[..]),
            (Some("s"), &["alg".to_owned()][..])
        );
        assert!(found.private_in_other.is_empty());
        assert_eq!(kids(&compare(&copy, &set, &budget).private_in_other), "a");
        let itself = compare(&set, &set, &budget);
        assert_eq!(kids(&itself.same), "a s", "{itself:?}");
    }

    #[test]
    fn only_keys_without_any_date_are_dated() {
        let key = |kid: &str, dates: &str| {
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            Key::from_json(format!(
                r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}"{dates}}}"#
            ))
        };
        let local = KeySet::from(vec![
            key("a", r#","iat":1,"exp":9"#),
            key("b", r#","iat":2,"exp":9"#),
            key("c", r#","iat":3"#),
        ]);
        let there = KeySet::from(vec![key("b", r#","iat":2"#), key("a", ""), key("d", "")]);
        let dated = local.to_compare(&there, &ServerRules::FAITHFUL);
        let expected = [
            key("b", r#","iat":2"#),
            key("a", r#","iat":1,"exp":9"#),
            key("d", ""),
        ];
        assert_eq!(dated.keys, expected);
    }
}
