//! Prepares a server's set for a comparison: dates that an export leaves out are no difference, and
//! neither is the older name EdDSA for Ed25519 (RFC 9864), under which a push can send a key.

use crate::key::Key;
use crate::key::members::Members;
use crate::key::parts::DATES;
use crate::keyset::KeySet;
use crate::keyset::push::counterparts;
use crate::keyset::server_rules::ServerRules;

impl KeySet<'_> {
    /// Returns a server's set in which each key has the dates and the name for Ed25519 of the same key in
    /// this set, if it has no dates and the other name.
    pub fn to_compare(&self, there: &KeySet, rules: &ServerRules) -> KeySet<'static> {
        let mut compared = there.clone().into_owned();
        let counterparts = counterparts(self, there, rules);
        for (own, position) in self.keys.iter().zip(counterparts) {
            if let Some(position) = position
                && let Some(key) = like(&there.keys[position], own)
            {
                compared.keys[position] = key;
            }
        }
        compared
    }
}

/// Returns the key of a server with the dates and the name for Ed25519 of our key; `None` if it keeps its
/// own ones.
fn like(key: &Key, own: &Key) -> Option<Key<'static>> {
    let (mut members, own) = (key.members().ok()?, own.members().ok()?);
    let is_dated = DATES.iter().any(|name| members.has(name));
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
