//! The compact form: three segments of base64url (RFC 7515 section 7.1), or two for a detached payload.

use crate::jws::header::Header;
use crate::jws::refusal::{Cause, Refusal};
use crate::key::base64url::{self, Fault};
use crate::key::members::Members;

/// The largest token, in bytes.
pub const LARGEST_TOKEN: usize = 12 << 20;

/// The largest payload, in bytes. As base64url, it fits in a token.
pub const LARGEST_PAYLOAD: usize = 8 << 20;

/// The largest header, in bytes of base64url.
const LARGEST_HEADER: usize = 64 << 10;

/// A token whose structure is valid. Its signature is not verified yet.
pub struct Token<'a> {
    header: Header,
    encoded_header: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// The header and payload of a token that nobody verified.
pub struct Decoded {
    /// The members of the header.
    pub header: Members<'static>,
    /// The payload; empty if it is detached.
    pub payload: Vec<u8>,
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Cause::Malformed, message)
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    base64url::decode(text).map_err(|fault| {
        let why = match fault {
            Fault::Padding => "ends in =",
            Fault::Alphabet => "has a character that is not base64url",
            Fault::Length => "is not base64url: a character is missing",
            Fault::TrailingBits => "is not base64url: its last character has unused bits",
        };
        malformed(format!("the {what} of the token {why}"))
    })
}

/// Returns true if a payload can stand in a token without encoding (RFC 7797 section 5.2): printable ASCII
/// without a period, and not empty.
pub(super) fn is_plain(payload: &[u8]) -> bool {
    let is_allowed = |octet: &u8| matches!(octet, b' '..=b'~') && *octet != b'.';
    !payload.is_empty() && payload.iter().all(is_allowed)
}

/// Splits a token into its header, payload and signature.
fn segments(text: &str) -> Result<[&str; 3], Refusal> {
    if text.len() > LARGEST_TOKEN {
        let mebibytes = LARGEST_TOKEN >> 20;
        return Err(malformed(format!(
            "the token is larger than {mebibytes} MiB"
        )));
    }
    if text.is_empty() {
        return Err(malformed("the token is empty"));
    }
    let mut segments = text.split('.');
    let found = [segments.next(), segments.next(), segments.next()];
    let [Some(header), Some(payload), Some(signature)] = found else {
        let count = found.iter().flatten().count();
        return Err(malformed(format!("the token has {count} of 3 segments")));
    };
    match segments.count() {
        0 if header.len() <= LARGEST_HEADER => Ok([header, payload, signature]),
        0 => {
            let kibibytes = LARGEST_HEADER >> 10;
            let message = format!("the header of the token is larger than {kibibytes} KiB");
            Err(malformed(message))
        }
        2 => {
            let refusal = malformed("the token has 5 segments instead of 3");
            Err(refusal.hint("a token with 5 segments is encrypted (JWE), and has no signature"))
        }
        more => {
            let count = more.saturating_add(3);
            Err(malformed(format!(
                "the token has {count} segments instead of 3"
            )))
        }
    }
}

impl Decoded {
    /// Decodes a token without verifying it. Returns an error for a text that is not a token.
    pub fn of(text: &str) -> Result<Decoded, Refusal> {
        let [header, payload, _] = segments(text)?;
        let header = Header::parse(&decode("header", header)?)?;
        let payload = if header.is_encoded {
            decode("payload", payload)?
        } else {
            payload.as_bytes().to_vec()
        };
        Ok(Decoded {
            header: header.members,
            payload,
        })
    }
}

impl<'a> Token<'a> {
    /// Parses a token. Returns an error for a text that is not a compact JWS, for the algorithm `none`, and for a
    /// critical extension that jwks does not know.
    pub fn parse(text: &'a str) -> Result<Token<'a>, Refusal> {
        let [encoded_header, payload, signature] = segments(text)?;
        let header = Header::parse(&decode("header", encoded_header)?)?;
        header.check()?;
        if !header.is_encoded && !payload.is_empty() && !is_plain(payload.as_bytes()) {
            let message = "the payload of the token has a character that must be encoded";
            return Err(malformed(message));
        }
        Ok(Token {
            signature: decode("signature", signature)?,
            header,
            encoded_header,
            payload,
        })
    }

    /// Returns the header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the signature.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Returns the payload. A detached payload takes the place of an empty one (RFC 7515 appendix F). Returns an
    /// error if both are given.
    pub fn payload(&self, detached: Option<Vec<u8>>) -> Result<Vec<u8>, Refusal> {
        match detached {
            Some(_) if !self.payload.is_empty() => Err(malformed(
                "the token has a payload, and a detached one is given",
            )),
            Some(payload) => Ok(payload),
            None if self.header.is_encoded => decode("payload", self.payload),
            None => Ok(self.payload.as_bytes().to_vec()),
        }
    }

    /// Returns the bytes that are signed (RFC 7515 section 5.1, RFC 7797 section 3).
    pub(super) fn signing_input(&self, payload: &[u8]) -> Vec<u8> {
        signing_input(self.encoded_header, payload, self.header.is_encoded)
    }
}

/// Returns the bytes that are signed: the header as base64url, a period, and the payload.
pub(super) fn signing_input(encoded_header: &str, payload: &[u8], is_encoded: bool) -> Vec<u8> {
    let mut input = Vec::with_capacity(encoded_header.len() + payload.len() * 4 / 3 + 4);
    input.extend_from_slice(encoded_header.as_bytes());
    input.push(b'.');
    if is_encoded {
        input.extend_from_slice(base64url::encode(payload).as_bytes());
    } else {
        input.extend_from_slice(payload);
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AAAA", base64url::encode(header))
    }

    fn refusal(text: &str) -> Option<(Cause, String)> {
        let refusal = Token::parse(text).err()?;
        Some((refusal.cause, refusal.message))
    }

    #[test]
    fn a_token_has_three_segments_of_base64url() {
        let good = token(r#"{"alg":"ES256","kid":"a"}"#);
        assert_eq!(refusal(&good), None);
        for bad in [
            String::new(),
            "a".into(),
            ".".into(),
            "..".into(),
            "...".into(),
            format!("{good}."),
            format!("{good}.."),
            format!(".{good}"),
            format!("{good}\n"),
            format!(" {good}"),
            format!("{good}="),
            format!("{good}A"),
            good.replace(".e30.", ".e 30."),
            good.replace(".e30.", ".e30=."),
            good.replace(".e30.", ".e31."),
            good.replace("AAAA", "AAA+"),
        ] {
            let parsed = Token::parse(&bad).map(|token| token.payload(None).map(|_| ()));
            let refused = matches!(parsed, Err(_) | Ok(Err(_)));
            assert!(refused, "{bad}");
        }
    }

    #[test]
    fn a_header_is_a_strict_object() {
        let deep = format!(
            r#"{{"alg":"ES256","x":{}1{}}}"#,
            "[".repeat(80),
            "]".repeat(80)
        );
        let long = format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(1 << 20));
        for (header, cause, word) in [
            ("[]", Cause::Malformed, "object"),
            ("{}", Cause::Malformed, "no alg"),
            (r#"{"alg":null}"#, Cause::Malformed, "not a string"),
            (r#"{"alg":1}"#, Cause::Malformed, "not a string"),
            (r#"{"alg":"ES256"}x"#, Cause::Malformed, "object"),
            (r#"{"alg":"ES256","kid":1}"#, Cause::Malformed, "kid"),
            (r#"{"alg":"ES256","kid":null}"#, Cause::Malformed, "kid"),
            (r#"{"alg":"ES256","typ":[]}"#, Cause::Malformed, "typ"),
            (r#"{"alg":"ES256","alg":"none"}"#, Cause::Malformed, "twice"),
            (
                r#"{"alg":"ES256","\u0061lg":"a"}"#,
                Cause::Malformed,
                "twice",
            ),
            (&*deep, Cause::Malformed, "deeper"),
            (&*long, Cause::Malformed, "64 KiB"),
            (r#"{"alg":"none"}"#, Cause::Unsigned, "not signed"),
            (r#"{"alg":"None"}"#, Cause::Unsigned, "not signed"),
            (r#"{"alg":"nONE"}"#, Cause::Unsigned, "not signed"),
            (
                r#"{"alg":"ES256","crit":["exp"],"exp":1}"#,
                Cause::Critical,
                "\"exp\"",
            ),
            (r#"{"alg":"ES256","crit":[]}"#, Cause::Critical, "empty"),
            (r#"{"alg":"ES256","crit":null}"#, Cause::Critical, "array"),
            (
                r#"{"alg":"ES256","crit":"b64","b64":true}"#,
                Cause::Critical,
                "array",
            ),
            (
                r#"{"alg":"ES256","crit":["b64"]}"#,
                Cause::Critical,
                "no b64",
            ),
            (
                r#"{"alg":"ES256","crit":["b64","b64"],"b64":true}"#,
                Cause::Critical,
                "repeats",
            ),
            (
                r#"{"alg":"ES256","b64":false}"#,
                Cause::Critical,
                "without crit",
            ),
            (r#"{"alg":"ES256","b64":"false"}"#, Cause::Malformed, "b64"),
        ] {
            let (found, message) = refusal(&token(header)).expect(header);
            assert_eq!(found, cause, "{header}: {message}");
            assert!(message.contains(word), "{header}: {message}");
        }
        for header in [
            r#"{"alg":"ES256","b64":true}"#,
            r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#,
            r#"{"alg":"ES256","jku":"https://evil.example","jwk":{}}"#,
        ] {
            assert_eq!(refusal(&token(header)), None);
        }
        let octets = base64url::encode(b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}");
        assert!(refusal(&format!("{octets}.e30.AAAA")).is_some());
    }

    #[test]
    fn five_segments_are_an_encrypted_token() {
        let refusal = Token::parse("eyJhbGciOiJkaXIifQ..a.b.c").err().unwrap();
        assert!(refusal.hint.unwrap().contains("JWE"));
    }

    #[test]
    fn a_payload_without_encoding_is_printable() {
        let header = base64url::encode(r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#);
        assert!(Token::parse(&format!("{header}.$02 {{}}.AAAA")).is_ok());
        assert!(Token::parse(&format!("{header}..AAAA")).is_ok());
        for payload in ["\n", "ü", "\u{7f}"] {
            assert!(Token::parse(&format!("{header}.{payload}.AAAA")).is_err());
        }
    }
}
