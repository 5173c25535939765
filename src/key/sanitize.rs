//! Removes broken members from a key before it is added to a set.

use crate::key::Key;
use crate::key::check::{Budget, PURPOSE, broken_members, findings};
use crate::key::members::Members;
use crate::key::parts::holds_secret;

/// A key without the broken members that can be removed safely.
pub struct Sanitized {
    /// The key without these members.
    pub key: Key<'static>,
    /// The names of the members that were left out.
    pub left_out: Vec<&'static str>,
    /// The names of the broken members that stay.
    ///
    /// A private or shared key keeps a broken `use`, `alg` or `key_ops`. While the member is there, the
    /// key does not sign. Without it, the key could sign although it was made for something else.
    pub kept: Vec<&'static str>,
}

/// Removes the broken members of a key. Certificates are checked within the budget.
pub fn sanitize(key: Key<'static>, budget: &Budget) -> Sanitized {
    let Ok(mut members) = key.members().map(Members::into_owned) else {
        return Sanitized {
            key,
            left_out: Vec::new(),
            kept: Vec::new(),
        };
    };
    let is_secret = holds_secret(&key);
    let broken = broken_members(&findings(&key, budget)).into_iter();
    let broken = broken.filter(|name| members.has(name));
    let (kept, left_out): (Vec<_>, Vec<_>) =
        broken.partition(|name| is_secret && PURPOSE.contains(name));
    if left_out.is_empty() {
        return Sanitized {
            key,
            left_out,
            kept,
        };
    }
    for name in &left_out {
        members.remove(name);
    }
    Sanitized {
        key: Key::from(members),
        left_out,
        kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    const D: &str = r#""d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#;

    fn sanitized(members: &str) -> (String, Vec<&'static str>, Vec<&'static str>) {
        let key = Key::from_json(format!("{{{PUBLIC},{members}}}"));
        let sanitized = sanitize(key, &Budget::default());
        let rest = sanitized.key.json().replace(PUBLIC, "").replace(D, "D");
        (rest, sanitized.left_out, sanitized.kept)
    }

    #[test]
    fn a_broken_member_is_left_out_and_the_others_stay() {
        for (member, name) in [
            (r#""exp":1776038715816"#, "exp"),
            (r#""exp":"2030-01-01""#, "exp"),
            (r#""nbf":{}"#, "nbf"),
            (r#""iat":[1]"#, "iat"),
            (r#""kid":7"#, "kid"),
            (r#""kid":"\ud800""#, "kid"),
            (r#""x5u":1"#, "x5u"),
            (r#""x5t":"odd""#, "x5t"),
            (r#""x5t#S256":"odd""#, "x5t#S256"),
            (r#""x5c":[]"#, "x5c"),
            (r#""x5c":["-----BEGIN CERTIFICATE-----"]"#, "x5c"),
            (r#""x5c":["MAA="]"#, "x5c"),
            (r#""use":["sig"]"#, "use"),
            (r#""alg":256"#, "alg"),
            (r#""key_ops":"verify""#, "key_ops"),
            (r#""key_ops":["verify","verify"]"#, "key_ops"),
        ] {
            let (rest, left_out, kept) = sanitized(&format!(r#"{member},"note":1"#));
            assert_eq!(rest, r#"{,"note":1}"#, "{member}");
            assert_eq!((left_out, kept.len()), (vec![name], 0), "{member}");
        }
    }

    #[test]
    fn a_broken_chain_takes_its_digests_along() {
        let x5t = r#""x5t":"AAAAAAAAAAAAAAAAAAAAAAAAAAA""#;
        let (rest, left_out, _) = sanitized(&format!(r#""x5c":"",{x5t}"#));
        assert_eq!((&*rest, left_out), ("{}", vec!["x5c", "x5t"]));
    }

    #[test]
    fn a_null_member_is_not_broken() {
        let nulls =
            r#""use":null,"alg":null,"key_ops":null,"exp":null,"x5c":null,"x5t":null,"d":null"#;
        let (rest, left_out, kept) = sanitized(nulls);
        assert_eq!(rest, format!("{{,{nulls}}}"));
        assert_eq!((left_out.len(), kept.len()), (0, 0));
    }

    #[test]
    fn a_private_key_keeps_what_stops_it_from_signing() {
        for name in ["use", "alg", "key_ops"] {
            let members = format!(r#"{D},"{name}":7,"exp":"x""#);
            let (rest, left_out, kept) = sanitized(&members);
            assert_eq!(rest, format!(r#"{{,D,"{name}":7}}"#));
            assert_eq!((left_out, kept), (vec!["exp"], vec![name]));
        }
    }
}
