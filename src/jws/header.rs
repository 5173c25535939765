//! The protected header of a token.

use crate::jws::refusal::{Cause, Refusal};
use crate::key::check::excerpt;
use crate::key::members::Members;
use crate::key::strict_json;

/// The members of a header that jwks sets itself, or never writes because they name a key.
pub const RESERVED: &[&str] = &[
    "alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip",
];

/// The protected header of a token (RFC 7515 section 4).
#[derive(Clone)]
pub struct Header {
    /// All members.
    pub members: Members<'static>,
    /// The algorithm that the header names. It never chooses the algorithm of a key.
    pub alg: String,
    /// The kid of the key.
    pub kid: Option<String>,
    /// The type of the token.
    pub typ: Option<String>,
    /// False if the payload is not encoded as base64url (RFC 7797).
    pub is_encoded: bool,
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Cause::Malformed, message)
}

/// Parses a strict JSON object. `what` names it in messages.
pub(super) fn parse_object(
    octets: &[u8],
    what: &str,
    cause: Cause,
) -> Result<Members<'static>, Refusal> {
    let refused = |why: String| Refusal::new(cause, format!("{what} {why}"));
    let text = std::str::from_utf8(octets).map_err(|_| refused("is not UTF-8".into()))?;
    strict_json::check(text).map_err(|error| refused(format!("is {error}")))?;
    let members = Members::parse(text);
    let members = members.map_err(|_| refused("is not a JSON object".into()))?;
    let mut compact = Members::default();
    for (name, value) in members.iter() {
        compact.push_raw(name.to_owned(), without_blanks(value));
    }
    Ok(compact)
}

/// Removes the white space between the tokens of a JSON value. A carriage return in it could hide text on a
/// terminal.
fn without_blanks(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let mut is_kept = |c: &char| {
        let is_blank = !is_text && matches!(c, ' ' | '\t' | '\r' | '\n');
        if *c == '"' && !is_escaped {
            is_text = !is_text;
        }
        is_escaped = is_text && *c == '\\' && !is_escaped;
        !is_blank
    };
    json.chars().filter(|c| is_kept(c)).collect()
}

impl Header {
    /// Parses the JSON of a header. Returns an error if a member that jwks reads has the wrong type. Does not
    /// check [`alg`](Self::check) and `crit`.
    pub(super) fn parse(octets: &[u8]) -> Result<Header, Refusal> {
        let members = parse_object(octets, "the header of the token", Cause::Malformed)?;
        let text = |name: &str| match members.raw(name) {
            None => Ok(None),
            Some(_) => match members.string(name) {
                Some(text) => Ok(Some(text.into_owned())),
                None => Err(malformed(format!(
                    "the {name} of the header is not a string"
                ))),
            },
        };
        let alg = text("alg")?.ok_or_else(|| malformed("the header has no alg"))?;
        let (kid, typ) = (text("kid")?, text("typ")?);
        let is_encoded = match members.raw("b64") {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => return Err(malformed("the b64 of the header is not true or false")),
        };
        Ok(Header {
            alg,
            kid,
            typ,
            is_encoded,
            members,
        })
    }

    /// Refuses the algorithm `none`, and every critical extension but `b64` (RFC 7515 section 4.1.11, RFC 7797
    /// section 6).
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.alg.eq_ignore_ascii_case("none") {
            let message = format!("the token is not signed: its alg is {}", excerpt(&self.alg));
            return Err(Refusal::new(Cause::Unsigned, message));
        }
        let critical = |message: String| Refusal::new(Cause::Critical, message);
        if self.members.raw("crit").is_none() {
            return if self.is_encoded {
                Ok(())
            } else {
                Err(critical("the header has b64 without crit".into()))
            };
        }
        let Ok(Some(names)) = self.members.texts("crit") else {
            let message = "the crit of the header is not an array of strings";
            return Err(critical(message.into()));
        };
        if let Some(name) = names.iter().find(|name| **name != "b64") {
            let message = format!("the token requires the unknown extension {}", excerpt(name));
            return Err(critical(message));
        }
        match (names.len(), self.members.raw("b64")) {
            (1, Some(_)) => Ok(()),
            (0, _) => Err(critical("the crit of the header is empty".into())),
            (_, Some(_)) => Err(critical("the crit of the header repeats b64".into())),
            (_, None) => Err(critical("the header has no b64, which crit names".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_tokens_goes_and_in_strings_stays() {
        let json = "{ \"a\" :\r\n[ 1 , \"x \\\" \\\\\" , {\t\"b c\" : null } ] }";
        let parsed = parse_object(json.as_bytes(), "it", Cause::Claims).unwrap();
        assert_eq!(parsed.to_json(), r#"{"a":[1,"x \" \\",{"b c":null}]}"#);
    }
}
