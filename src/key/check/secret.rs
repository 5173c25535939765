//! Finds symmetric keys that can be guessed.

use crate::key::base64url;
use crate::key::check::{Report, Rule};
use crate::key::members::Members;
use std::collections::HashSet;
use zeroize::Zeroizing;

/// Checks that the bytes of a symmetric key look random, and that it has an algorithm.
pub fn check(members: &Members, report: &mut Report) {
    let algorithm = members.string("alg");
    if !members.has("alg") {
        report.add(Rule::SymmetricAlgMissing, "the symmetric key has no alg");
    }
    let secret = members.string("k");
    let secret = secret.and_then(|k| base64url::decode_lenient(&k).map(Zeroizing::new));
    let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
        return;
    };
    let is_password = algorithm.is_some_and(|name| name.starts_with("PBES2-"));
    let mut pairs = secret.windows(2);
    let message = if pairs.clone().all(|pair| pair[0] == pair[1]) {
        "every byte of k is the same"
    } else if pairs.all(|pair| pair[0].wrapping_add(1) == pair[1]) {
        "the bytes of k count up"
    } else if repeats(&secret) {
        "k repeats its beginning"
    } else if secret.iter().collect::<HashSet<_>>().len() <= secret.len().min(256) / 8 {
        "k has few different bytes"
    } else if !is_password && is_memorable(&secret) {
        "k is a text, not random bytes"
    } else {
        return;
    };
    report.add(Rule::SymmetricGuessable, message);
}

/// Returns true if all bytes repeat a beginning of at most 64 bytes.
fn repeats(secret: &[u8]) -> bool {
    // The limit keeps the work linear: a document can have a secret of megabytes.
    const LONGEST: usize = 64;
    let mut periods = 1..=(secret.len() / 2).min(LONGEST);
    periods.any(|period| secret[period..] == secret[..secret.len() - period])
}

/// Returns true for a text that does not look like the hexadecimal or base64 form of random bytes, or like the
/// output of a password generator.
fn is_memorable(secret: &[u8]) -> bool {
    let is_text = std::str::from_utf8(secret)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    if !is_text {
        return false;
    }
    let distinct = secret.iter().collect::<HashSet<_>>().len();
    let digits = secret.iter().filter(|octet| octet.is_ascii_hexdigit());
    let is_hexadecimal = secret.iter().all(|c| c.is_ascii_hexdigit() || *c == b'-');
    let has = |class: fn(&u8) -> bool| secret.iter().any(class);
    let is_mixed = has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && !has(|octet| *octet == b' ');
    // Base32, or lower-case letters and digits.
    let is_alphanumeric = secret.iter().all(u8::is_ascii_alphanumeric)
        && secret.len() >= 26
        && secret.iter().filter(|octet| octet.is_ascii_digit()).count() >= 3;
    let looks_random = is_hexadecimal && digits.count() >= 32 && distinct >= 10
        || is_mixed && distinct >= 20
        || is_alphanumeric && distinct >= 15;
    !looks_random
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(secret: &[u8]) -> Option<String> {
        let k = base64url::encode(secret);
        let json = format!(r#"{{"kty":"oct","alg":"HS256","k":"{k}"}}"#);
        let mut report = Report::default();
        check(&Members::parse(&json).ok().unwrap(), &mut report);
        report.0.pop().map(|finding| finding.message)
    }

    #[test]
    fn guessable_secrets_are_found() {
        for secret in [
            &b"your-256-bit-secret"[..],
            b"this is a very long secret for HS256!",
            b"01234567890123456789012345678901",
            b"\x01\x02\x01\x02\x01\x02\x01\x02",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
            b"Password123Password123Password123",
            "contraseña-de-más-de-treinta-y-dos".as_bytes(),
            b"0000000000000000000000000000000000000000000000000000000000000001",
            b"line\n",
            &[0; 32],
            &[255; 32],
            &[b'a'; 64],
            &std::array::from_fn::<u8, 32, _>(|i| i as u8),
        ] {
            assert!(message(secret).is_some(), "{secret:?}");
        }
    }

    #[test]
    fn random_secrets_in_any_form_are_not() {
        let random = openssl::sha::sha256(b"a seed");
        let hexadecimal: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
        let base64 = base64url::encode(random);
        for secret in [
            &random[..],
            hexadecimal.as_bytes(),
            base64.as_bytes(),
            b"3f2b8c1e-7d4a-4f6b-9e0c-5a1d2b3c4d5e",
            b"xK9#mP2$vL7@nQ4!wR8%tY3^uZ6&",
            b"MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZ",
            b"q8z3k1v9x0w7t2r5y6p4m8n1b3c7d9f2",
        ] {
            assert_eq!(message(secret), None, "{secret:?}");
        }
    }
}
