//! Exports for a deployment: a line of a dotenv file, or a Kubernetes manifest.

use crate::error::{Error, Result};
use crate::key::members::quoted;
use crate::kubernetes::check_name;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The maximum size of the data in one Kubernetes Secret or ConfigMap, in bytes.
const MANIFEST_LIMIT: usize = 1024 * 1024;

/// Returns the line `NAME='…'` with a JSON document, for POSIX shells and for dotenv parsers. These
/// parsers differ in what they unescape, so the quotes contain only letters, digits, spaces and
/// `-_.:/+=@,{}[]"`. All other characters are written as JSON escapes, `\uXXXX`. Returns an error if
/// the name is not a valid variable name.
pub fn dotenv(name: &str, json: &str) -> Result<Secret<String>> {
    check_variable(name)?;
    let value = in_one_line(json);
    Ok(Secret::new(format!("{name}='{}'\n", value.expose())))
}

/// Returns `NAME='…'` with several lines of PEM, for POSIX shells and for dotenv parsers. Returns an
/// error if the name is not a valid variable name.
pub fn lines(name: &str, pem: &str) -> Result<Secret<String>> {
    check_variable(name)?;
    Ok(Secret::new(format!("{name}='{pem}'\n")))
}

fn check_variable(name: &str) -> Result<()> {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let fits = |c: char| is_letter(c) || c.is_ascii_digit();
    if !name.starts_with(is_letter) || !name.chars().all(fits) {
        return Err(Error::usage(format!("invalid variable name {name:?}"))
            .hint("use letters, digits and _, and no digit at the beginning"));
    }
    Ok(())
}

/// Returns a JSON document without white space between its tokens, and with `\uXXXX` for unusual
/// characters.
fn in_one_line(json: &str) -> Secret<String> {
    let mut secret = Secret::new(String::with_capacity(json.len()));
    let line = secret.expose_mut();
    let mut inside = false;
    let mut rest = json.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => {
                inside = !inside;
                line.push('"');
            }
            '\\' => match rest.next().unwrap_or_default() {
                'u' => line.push_str("\\u"),
                'b' => push_escaped(line, '\u{8}'),
                'f' => push_escaped(line, '\u{c}'),
                'n' => push_escaped(line, '\n'),
                'r' => push_escaped(line, '\r'),
                't' => push_escaped(line, '\t'),
                itself => push_escaped(line, itself),
            },
            blank if !inside && blank.is_ascii_whitespace() => {}
            plain if !inside || plain.is_ascii_alphanumeric() || " -_.:/+=@,".contains(plain) => {
                line.push(plain);
            }
            other => push_escaped(line, other),
        }
    }
    secret
}

fn push_escaped(line: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        line.push_str(&format!("\\u{unit:04x}"));
    }
}

/// Returns a Kubernetes Secret that holds a document under the name `file`. Returns an error if the
/// name is invalid or the document is too large.
pub fn secret(name: &str, file: &str, document: &str) -> Result<String> {
    check_name(name, "the Secret")?;
    check_size("Secret", document)?;
    let data = Secret::new(STANDARD.encode(document));
    let data = data.expose();
    Ok(format!(
        "{{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"Secret\",\n  \"metadata\": {{\"name\": \"{name}\"}},\n  \
         \"type\": \"Opaque\",\n  \"data\": {{\"{file}\": \"{data}\"}}\n}}\n"
    ))
}

/// Returns a Kubernetes ConfigMap that holds a document under the name `file`. Returns an error if the
/// name is invalid or the document is too large.
pub fn config_map(name: &str, file: &str, document: &str) -> Result<String> {
    check_name(name, "the ConfigMap")?;
    check_size("ConfigMap", document)?;
    let data = quoted(document);
    Ok(format!(
        "{{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"ConfigMap\",\n  \"metadata\": {{\"name\": \"{name}\"}},\n  \
         \"data\": {{\"{file}\": {data}}}\n}}\n"
    ))
}

fn check_size(kind: &str, document: &str) -> Result<()> {
    if document.len() > MANIFEST_LIMIT {
        return Err(Error::refused(format!("a {kind} holds at most 1 MiB"))
            .hint("export fewer keys, or one key"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_the_same_document() {
        let json = "{\n \"a b\": [ 1.50, \"it's \\\"$x\\\" `y` \\\\ # é 😀 \\/ \\n \\u00e9\" ] }";
        let line = dotenv("JWKS", json).unwrap();
        let line = line.expose();
        let value = line
            .strip_prefix("JWKS='")
            .and_then(|rest| rest.strip_suffix("'\n"))
            .unwrap();
        assert!(!value.contains(['\'', '$', '`', '#', '\n']), "{line}");
        assert!(value.is_ascii() && value.contains("1.50"), "{line}");
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(value), parse(json));
    }

    #[test]
    fn names_are_those_of_the_shell() {
        for good in ["JWKS", "_a1"] {
            assert!(dotenv(good, "{}").is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A B", "A=B", "É", "A\n"] {
            assert!(dotenv(bad, "{}").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_manifest_has_a_limit() {
        let large = "x".repeat(MANIFEST_LIMIT + 1);
        assert!(secret("a", "f", &large).is_err());
        assert!(config_map("a", "f", &large[1..]).is_ok());
    }
}
