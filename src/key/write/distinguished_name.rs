//! The subject of a certificate as text, such as `CN=api, O=Example` (RFC 4514).

use crate::error::{Error, Result};
use openssl::x509::{X509Name, X509NameBuilder};

/// The attributes of a subject: the name in the text, and the name in OpenSSL.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("CN", "CN"),
    ("O", "O"),
    ("OU", "OU"),
    ("C", "C"),
    ("ST", "ST"),
    ("L", "L"),
    ("STREET", "street"),
    ("DC", "DC"),
    ("UID", "UID"),
    ("SERIALNUMBER", "serialNumber"),
    ("EMAILADDRESS", "emailAddress"),
];

/// The characters that need a backslash.
const SPECIAL: &[char] = &['"', '+', ',', ';', '<', '>', '\\'];

/// The subject of a certificate.
pub struct DistinguishedName(X509Name);

impl DistinguishedName {
    /// Parses a subject such as `CN=api, O=Example`, with the most specific attribute first. A
    /// backslash escapes each of `"+,;<>\`, a `#` or space at the beginning of a value, and a space at
    /// its end. Spaces around attributes are ignored. Returns a usage error for unknown attributes and
    /// invalid values.
    pub fn parse(text: &str) -> Result<Self> {
        let mut attributes = Vec::new();
        for part in split(text)? {
            attributes.push(attribute(&part)?);
        }
        Self::of(&attributes)
    }

    /// Creates a subject with only a common name. Returns an error if the name is empty or has more
    /// than 64 characters.
    pub fn common_name(name: &str) -> Result<Self> {
        Self::of(&[("CN", name.to_owned())])
    }

    /// Encodes the subject in DER.
    pub fn to_der(&self) -> Result<Vec<u8>> {
        self.0.to_der().map_err(not_written)
    }

    fn of(attributes: &[(&'static str, String)]) -> Result<Self> {
        let mut name = X509NameBuilder::new().map_err(not_written)?;
        // DER has the most specific attribute last (RFC 4514 section 2.1).
        for (attribute, value) in attributes.iter().rev() {
            if name.append_entry_by_text(attribute, value).is_err() {
                return Err(
                    Error::usage(format!("invalid {attribute} {value:?} in the subject"))
                        .hint("C has two letters; CN, O and OU have at most 64 characters"),
                );
            }
        }
        Ok(DistinguishedName(name.build()))
    }
}

fn not_written(error: openssl::error::ErrorStack) -> Error {
    Error::failed("OpenSSL cannot write the subject").cause(error)
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::usage(format!("invalid subject: {what}"))
        .hint("write the subject as CN=api, O=Example, with a backslash before \" + , ; < > and \\")
}

/// A character of the text, and true if it was escaped.
type Character = (char, bool);

/// Splits the text at commas and resolves escapes.
fn split(text: &str) -> Result<Vec<Vec<Character>>> {
    let mut parts = vec![Vec::new()];
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let last = parts.len() - 1;
        match character {
            '\\' => match rest.next() {
                Some(escaped)
                    if SPECIAL.contains(&escaped) || matches!(escaped, ' ' | '#' | '=') =>
                {
                    parts[last].push((escaped, true));
                }
                _ => return Err(malformed("unexpected backslash")),
            },
            ',' => parts.push(Vec::new()),
            other if other.is_control() => return Err(malformed("control character")),
            other => parts[last].push((other, false)),
        }
    }
    Ok(parts)
}

fn attribute(part: &[Character]) -> Result<(&'static str, String)> {
    let is_sign = |(character, escaped): &Character| *character == '=' && !escaped;
    let Some(sign) = part.iter().position(is_sign) else {
        return Err(malformed("expected ATTRIBUTE=VALUE"));
    };
    let (name, value) = (trim(&part[..sign]), trim(&part[sign + 1..]));
    let name: String = name.iter().map(|(character, _)| character).collect();
    let known = ATTRIBUTES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(&name));
    let Some((_, attribute)) = known else {
        let names: Vec<_> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
        return Err(Error::usage(format!("unknown subject attribute {name:?}"))
            .hint(format!("attributes: {}", names.join(", "))));
    };
    let bare = value
        .iter()
        .find(|(character, escaped)| SPECIAL.contains(character) && !escaped);
    match (value, bare) {
        (_, Some((character, _))) => Err(malformed(format!("{character} needs a backslash"))),
        ([], _) => Err(malformed(format!("empty {attribute}"))),
        ([('#', false), ..], _) => Err(malformed("hexadecimal values are not supported")),
        _ => Ok((
            attribute,
            value.iter().map(|(character, _)| character).collect(),
        )),
    }
}

/// Trims unescaped spaces at both ends.
fn trim(mut part: &[Character]) -> &[Character] {
    while let [(' ', false), rest @ ..] | [rest @ .., (' ', false)] = part {
        part = rest;
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>> {
        let subject = DistinguishedName::parse(text)?;
        let entries = subject.0.entries().map(|entry| {
            let name = entry.object().nid().short_name().unwrap_or_default();
            let value = entry.data().to_string().unwrap_or_default();
            (name.to_owned(), value)
        });
        Ok(entries.collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_last_attribute_is_the_first_of_the_sequence() {
        let expected = [pair("C", "GB"), pair("O", "Example"), pair("CN", "api")];
        assert_eq!(read("CN=api, O=Example,C=GB").unwrap(), expected);
        assert_eq!(read("  cn = api ,o=Example , c=GB ").unwrap(), expected);
    }

    #[test]
    fn a_backslash_makes_a_character_stand_for_itself() {
        let expected = [pair("O", "Sue, Grabbit + Runn \\"), pair("CN", " #a=b")];
        let text = r"CN=\ #a\=b, O=Sue\, Grabbit \+ Runn \\";
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("CN=a=b").unwrap(), [pair("CN", "a=b")]);
        assert_eq!(read("CN=Zoë Ünal").unwrap(), [pair("CN", "Zoë Ünal")]);
    }

    #[test]
    fn anything_else_is_an_error() {
        for text in [
            "",
            "api",
            "CN=",
            "CN=api,",
            "CN=api,,O=x",
            "X=api",
            "CN=a+OU=b",
            "CN=a;O=b",
            "CN=\"a\"",
            "CN=#0c0161",
            "CN=a\\",
            "CN=a\\n",
            "CN=a\nb",
            "CN=a\0",
            "C=GBR",
            "1.2.3=x",
            "/CN=api",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(DistinguishedName::common_name(&"x".repeat(65)).is_err());
        assert!(DistinguishedName::common_name(&"x".repeat(64)).is_ok());
    }
}
