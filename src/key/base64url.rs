//! Base64url without padding (RFC 7515 section 2), with a precise reason for invalid text.

use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, Engine as _};

/// A decoder like [`URL_SAFE_NO_PAD`] that ignores the unused bits of the last character.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The reason why a text is not base64url without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends in `=`.
    Padding,
    /// It has a character outside `A-Z a-z 0-9 - _`.
    Alphabet,
    /// Its length is 1 modulo 4.
    Length,
    /// The unused bits of its last character are not zero (RFC 4648 section 3.5).
    TrailingBits,
}

/// Encodes bytes as base64url without padding.
pub fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// Decodes canonical base64url without padding. Returns the first fault of other texts.
pub fn decode(text: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| fault(text))
}

/// Decodes base64url and ignores the unused bits of the last character, so that other checks can
/// read the bytes. Returns `None` for other faults.
pub fn decode_lenient(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

fn fault(text: &str) -> Fault {
    let body = text.trim_end_matches('=');
    let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !body.bytes().all(in_alphabet) {
        Fault::Alphabet
    } else if body.len() < text.len() {
        Fault::Padding
    } else if body.len() % 4 == 1 {
        Fault::Length
    } else {
        Fault::TrailingBits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_fault() {
        assert_eq!(decode("AQAB"), Ok(vec![1, 0, 1]));
        assert_eq!(decode("AQ=="), Err(Fault::Padding));
        assert_eq!(decode("A+A/"), Err(Fault::Alphabet));
        assert_eq!(decode("A\nAA"), Err(Fault::Alphabet));
        assert_eq!(decode("AQABA"), Err(Fault::Length));
        assert_eq!(decode("AR"), Err(Fault::TrailingBits));
        assert_eq!(decode_lenient("AR"), Some(vec![1]));
    }
}
