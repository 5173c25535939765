//! The members of a JSON object in their order, with the original text of each value.
//!
//! Unknown members, the order of members, and all digits of numbers are preserved.

use crate::key::key_type::{KeyType, Kty};
use crate::key::step_counter;
use crate::secret::wipe;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{self, Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::mem;

/// The names and the JSON texts of the members of an object. There is no `Debug`, because values
/// can be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// The reason why a text is not a usable JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is another JSON value, or no JSON.
    NotAnObject,
    /// A member name appears twice, which RFC 7517 section 4 forbids.
    Duplicate(String),
    /// A member name cannot be decoded, for example because of half a surrogate pair.
    Undecodable,
}

/// The error for a member whose value has another JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A string that borrows from the JSON text if it has no escapes.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl<'a> Members<'a> {
    /// Parses one JSON object. Returns an error for other JSON values, and for names that appear twice
    /// or cannot be decoded.
    pub fn parse(json: &'a str) -> Result<Self, Malformed> {
        step_counter::count_text(json);
        if !json.trim_start().starts_with('{') {
            return Err(Malformed::NotAnObject);
        }
        let members: Members<'a> =
            serde_json::from_str(json).map_err(|_| Malformed::Undecodable)?;
        match members.first_duplicate() {
            Some(name) => Err(Malformed::Duplicate(name.to_owned())),
            None => Ok(members),
        }
    }

    /// Returns the first name that appears twice.
    fn first_duplicate(&self) -> Option<&str> {
        // Most objects are small and need no hash table.
        if self.0.len() <= 32 {
            let names = self.0.iter().enumerate();
            return names
                .filter(|(i, (name, _))| self.0[..*i].iter().any(|(other, _)| other == name))
                .map(|(_, (name, _))| &**name)
                .next();
        }
        let mut seen = std::collections::HashSet::with_capacity(self.0.len());
        self.names().find(|name| !seen.insert(*name))
    }

    /// Returns the names in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Returns the names and JSON texts in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns true if the member exists. A member that is `null` counts as absent.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw != "null")
    }

    /// Returns the JSON text of a member, which can be `null`.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Returns the value of a string member, or `None` if it is missing or `null`. Returns an error for
    /// other types.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'_, str>>, WrongType> {
        self.typed::<Text>(name)
            .map(|value| value.map(|text| text.0))
    }

    /// Returns the value of a string member, or `None` if it is missing or has another type.
    pub fn string(&self, name: &str) -> Option<Cow<'_, str>> {
        self.text(name).ok().flatten()
    }

    /// Returns the type of the key, or `None` if `kty` is missing or not registered.
    pub fn key_type(&self) -> Option<&'static KeyType> {
        KeyType::named(&self.string("kty")?)
    }

    /// Returns the value of `kty`, or `None` if it is missing or not registered.
    pub fn kty(&self) -> Option<Kty> {
        self.key_type().map(|key_type| key_type.kty)
    }

    /// Returns the value of a member that is an array of strings, or `None` if it is missing or `null`.
    /// Returns an error for other types.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<Cow<'_, str>>>, WrongType> {
        let texts = self.typed::<Vec<Text>>(name)?;
        Ok(texts.map(|texts| texts.into_iter().map(|text| text.0).collect()))
    }

    /// Returns the value of a member that is a NumericDate, in seconds since 1970 (RFC 7519 section 2),
    /// or `None` if it is missing or `null`. Fractions are rounded down. Returns an error for other
    /// types and for dates after the year 9999.
    pub fn seconds(&self, name: &str) -> Result<Option<i64>, WrongType> {
        match self.typed::<f64>(name)? {
            Some(seconds) if !is_date(seconds) => Err(WrongType),
            seconds => Ok(seconds.map(|seconds| seconds.floor() as i64)),
        }
    }

    fn typed<'b, T: Deserialize<'b>>(&'b self, name: &str) -> Result<Option<T>, WrongType> {
        let parse = |raw| serde_json::from_str(raw).map_err(|_| WrongType);
        let raw = self.raw(name).filter(|raw| *raw != "null");
        raw.map(parse).transpose()
    }

    /// Sets a member to a JSON text: in place if it exists, otherwise at the end.
    pub fn set_raw(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some(member) => member.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds a member at the end. The name must be new.
    pub(crate) fn push_raw(
        &mut self,
        name: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
    ) {
        self.0.push((name.into(), value.into()));
    }

    /// Sets several members, each in place if it exists, otherwise at the end. `null` sets nothing.
    pub fn overlay<'m>(&mut self, others: impl Iterator<Item = (&'m str, &'m str)>) {
        let others = others.filter(|(_, value)| *value != "null");
        let places = self.0.iter().enumerate();
        let mut places: HashMap<String, usize> =
            places.map(|(i, (name, _))| (name.to_string(), i)).collect();
        for (name, value) in others {
            let value = Cow::Owned(value.to_owned());
            match places.get(name) {
                Some(place) => self.0[*place].1 = value,
                None => {
                    places.insert(name.to_owned(), self.0.len());
                    self.0.push((Cow::Owned(name.to_owned()), value));
                }
            }
        }
    }

    /// Sets a member to a string.
    pub fn set_text(&mut self, name: &'static str, value: &str) {
        self.set_raw(name, quoted(value));
    }

    /// Sets a member to an array of strings.
    pub fn set_texts<S: AsRef<str>>(&mut self, name: &'static str, values: &[S]) {
        let values: Vec<_> = values.iter().map(|value| quoted(value.as_ref())).collect();
        self.set_raw(name, format!("[{}]", values.join(",")));
    }

    /// Sets a member to an integer.
    pub fn set_number(&mut self, name: &'static str, value: i64) {
        self.set_raw(name, value.to_string());
    }

    /// Sets `kid`. A new `kid` is placed after `kty`.
    pub fn with_kid(mut self, kid: &str) -> Self {
        let place = self.0.iter().position(|(name, _)| name == "kty");
        if let (None, Some(place)) = (self.raw("kid"), place) {
            self.0.insert(place + 1, ("kid".into(), "null".into()));
        }
        self.set_text("kid", kid);
        self
    }

    /// Removes a member.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    /// Formats the object on one line. Values keep their original text.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (i, (name, value)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            // Writing to a String never fails.
            let _ = write!(json, "{comma}{}:{value}", quoted(name));
        }
        json.push('}');
        json
    }

    /// Formats the object with one member per line. All lines but the first are indented by
    /// `indent` spaces.
    pub fn to_pretty_json(&self, indent: usize) -> String {
        if self.0.is_empty() {
            return "{}".into();
        }
        let mut json = String::from("{");
        for (i, (name, value)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            // Writing to a String never fails.
            let _ = write!(json, "{comma}\n{:indent$}  {}: {value}", "", quoted(name));
        }
        let _ = write!(json, "\n{:indent$}}}", "");
        json
    }

    /// Converts the members to ones that own their texts.
    pub fn into_owned(mut self) -> Members<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let members = mem::take(&mut self.0).into_iter();
        Members(
            members
                .map(|(name, value)| (owned(name), owned(value)))
                .collect(),
        )
    }
}

impl Drop for Members<'_> {
    /// Wipes the values that the members own.
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            if let Cow::Owned(value) = value {
                wipe(value);
            }
        }
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            let value: &RawValue = serde_json::from_str(value).map_err(ser::Error::custom)?;
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Returns true if a number of seconds since 1970 is before the year 10000.
pub fn is_date(seconds: f64) -> bool {
    seconds.abs() < 253_402_300_800.0
}

/// Returns true if two JSON texts have the same value, whatever their spaces, escapes and order.
///
/// Two numbers are the same if they are the same 64-bit number and neither has more digits than that
/// can hold. A text that is not a JSON value equals only itself.
pub fn same_value(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    if one == other {
        return true;
    }
    match (one.as_bytes().first(), other.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let (Ok(one), Ok(other)) = (Members::parse(one), Members::parse(other)) else {
                return false;
            };
            let values: HashMap<&str, &str> = other.iter().collect();
            let is_there = |(name, value)| {
                let other = values.get(name);
                other.is_some_and(|other| same_value(value, other))
            };
            one.names().count() == values.len() && one.iter().all(is_there)
        }
        (Some(b'['), Some(b'[')) => {
            let parse = |text| serde_json::from_str::<Vec<&RawValue>>(text);
            let (Ok(one), Ok(other)) = (parse(one), parse(other)) else {
                return false;
            };
            let mut pairs = one.iter().zip(&other);
            one.len() == other.len() && pairs.all(|(one, other)| same_value(one.get(), other.get()))
        }
        (Some(b'"'), Some(b'"')) => {
            let parse = |text| serde_json::from_str::<Text>(text).ok().map(|text| text.0);
            parse(one).is_some_and(|one| Some(one) == parse(other))
        }
        _ => {
            let parse = |text| serde_json::from_str::<f64>(text).ok();
            let is_exact = |text: &str| text.bytes().filter(u8::is_ascii_digit).count() <= 15;
            is_exact(one)
                && is_exact(other)
                && parse(one).is_some_and(|one| Some(one) == parse(other))
        }
    }
}

/// Formats a string as JSON text.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    /// Reads the members of an object, including duplicates.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name.0, Cow::Borrowed(value.get())));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl<'a, N: Into<Cow<'a, str>>> FromIterator<(N, String)> for Members<'a> {
    /// Collects names and JSON texts.
    fn from_iter<I: IntoIterator<Item = (N, String)>>(members: I) -> Self {
        let members = members.into_iter();
        Members(
            members
                .map(|(name, value)| (name.into(), Cow::Owned(value)))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_stays_as_it_came() {
        let json = r#"{"n":1E5,"a":"\u0041\/","big":123456789012345678901234567890,"z":null}"#;
        let mut members = Members::parse(json).ok().unwrap();
        assert_eq!(members.to_json(), json);
        members.set_text("a", "b");
        members.set_number("exp", 7);
        members.remove("z");
        assert_eq!(
            members.to_json(),
            r#"{"n":1E5,"a":"b","big":123456789012345678901234567890,"exp":7}"#
        );
    }

    #[test]
    fn duplicates_are_found_after_unescaping() {
        let twice = r#"{"kid":"a","k\u0069d":"b"}"#;
        assert_eq!(
            Members::parse(twice).err(),
            Some(Malformed::Duplicate("kid".into()))
        );
    }

    #[test]
    fn values_are_compared_and_not_texts() {
        for (one, other) in [
            (
                r#"{"a":1,"b":[true,"x"]}"#,
                r#"{ "b": [true, "\u0078"], "a": 1e0 }"#,
            ),
            ("1E5", "100000"),
            ("1e400", " 1e400 "),
        ] {
            assert!(same_value(one, other), "{one} {other}");
        }
        for (one, other) in [
            // These are out of range for numbers, and the texts differ.
            (r#"{"a":1e400}"#, r#"{"a":1e401}"#),
            ("[1e400]", "[2]"),
            // Both are rounded to one number.
            ("12345678901234567890", "12345678901234567891"),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            ("1", "true"),
            ("\"1\"", "1"),
            ("[1]", "[1,1]"),
            (r#""\ud800""#, r#""\ud801""#),
        ] {
            assert!(
                !same_value(one, other) && !same_value(other, one),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn types_are_told_apart() {
        let members = Members::parse(r#"{"s":"x","n":1.5,"l":["a"],"m":["a",1]}"#)
            .ok()
            .unwrap();
        assert_eq!(members.text("s"), Ok(Some("x".into())));
        assert_eq!(members.text("n"), Err(WrongType));
        assert_eq!(members.text("none"), Ok(None));
        assert_eq!(members.seconds("n"), Ok(Some(1)));
        assert_eq!(members.texts("l"), Ok(Some(vec!["a".into()])));
        assert_eq!(members.texts("m"), Err(WrongType));
    }

    #[test]
    fn a_null_member_counts_as_absent() {
        let json = r#"{"kty":"EC","kid":null,"d":null,"exp":null,"key_ops":null}"#;
        let mut members = Members::parse(json).ok().unwrap();
        assert!(!members.has("d"));
        assert_eq!(members.text("kid"), Ok(None));
        assert_eq!(members.seconds("exp"), Ok(None));
        assert_eq!(members.texts("key_ops"), Ok(None));
        members.overlay([("kty", "null")].into_iter());
        assert_eq!(
            members.with_kid("a").to_json(),
            json.replacen("null", "\"a\"", 1)
        );
    }
}
