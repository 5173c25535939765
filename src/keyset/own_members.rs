//! The members of a set that only jwks sets: the verifiers that it declares. They are removed from foreign
//! documents and never published.

use crate::keyset::{KeySet, SetMember};

/// The member with the names of the verifiers of the set, as an array.
const VERIFIERS: &str = "jwks_verifiers";

/// The members of a set that only jwks sets.
const OWN: &[&str] = &[VERIFIERS];

fn is_own((name, _): &SetMember) -> bool {
    OWN.contains(&&**name)
}

impl<'a> KeySet<'a> {
    /// Returns the names of the declared verifiers. They were checked when they were declared.
    pub fn declared_verifiers(&self) -> Vec<String> {
        let mut members = self.members();
        let declared = members.find(|(name, _)| name == VERIFIERS);
        let names = declared.and_then(|(_, value)| serde_json::from_str(value).ok());
        names.unwrap_or_default()
    }

    /// Declares the verifiers of the set, in place of those that it declared before.
    pub fn declare_verifiers(&mut self, names: &[String]) {
        self.remove_own_members();
        if !names.is_empty() {
            let value = serde_json::Value::from(names).to_string();
            self.after.push((VERIFIERS.into(), value.into()));
        }
    }

    /// Returns the members that jwks does not set, which can be published.
    pub fn foreign_members(&self) -> impl Iterator<Item = &SetMember<'a>> {
        self.members().filter(|member| !is_own(member))
    }

    /// Removes the members that only jwks sets from the set, but not from its keys.
    pub(super) fn remove_own_members(&mut self) {
        self.before.retain(|member| !is_own(member));
        self.after.retain(|member| !is_own(member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_verifiers_are_kept_beside_other_members() {
        let json = r#"{"a":1,"keys":[],"b":2}"#;
        let mut set = KeySet::parse(json).unwrap();
        set.declare_verifiers(&["jose".into(), "fapi2".into()]);
        let written = set.to_json();
        let again = KeySet::parse(&written).unwrap();
        assert_eq!(again.declared_verifiers(), ["jose", "fapi2"]);
        let names: Vec<_> = again.foreign_members().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a", "b"]);
        set.declare_verifiers(&[]);
        assert_eq!(set, KeySet::parse(json).unwrap());
    }

    #[test]
    fn a_declaration_of_another_form_declares_nothing() {
        for json in [
            r#"{"keys":[]}"#,
            r#"{"keys":[],"jwks_verifiers":"jose"}"#,
            r#"{"keys":[],"jwks_verifiers":[1]}"#,
        ] {
            assert!(KeySet::parse(json).unwrap().declared_verifiers().is_empty());
        }
    }
}
