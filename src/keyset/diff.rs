//! Prepares a server's set for a comparison: dates that an export leaves out are not a difference.

use crate::key::Key;
use crate::key::parts::DATES;
use crate::keyset::KeySet;
use crate::keyset::push::counterparts;
use crate::keyset::server_rules::ServerRules;

impl KeySet<'_> {
    /// Returns a server's set in which each key without dates has the dates of the same key in this set,
    /// because an export leaves them out.
    pub fn dated_like(&self, there: &KeySet, rules: &ServerRules) -> KeySet<'static> {
        let mut dated = there.clone().into_owned();
        let counterparts = counterparts(self, there, rules);
        for (own, position) in self.keys.iter().zip(counterparts) {
            if let Some(position) = position
                && let Some(with_dates) = with_dates_of(&there.keys[position], own)
            {
                dated.keys[position] = with_dates;
            }
        }
        dated
    }
}

/// Gives a key without dates those of another key; `None` if it has a date.
fn with_dates_of(key: &Key, own: &Key) -> Option<Key<'static>> {
    let (mut members, own) = (key.members().ok()?, own.members().ok()?);
    if DATES.iter().any(|name| members.has(name)) {
        return None;
    }
    for name in DATES {
        if let Some(date) = own.raw(name) {
            members.set_raw(*name, date.to_owned());
        }
    }
    Some(Key::from(members))
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
        let dated = local.dated_like(&there, &ServerRules::FAITHFUL);
        let expected = [
            key("b", r#","iat":2"#),
            key("a", r#","iat":1,"exp":9"#),
            key("d", ""),
        ];
        assert_eq!(dated.keys, expected);
    }
}
