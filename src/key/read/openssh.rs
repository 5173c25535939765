//! Reads OpenSSH private key files (PROTOCOL.key).

use crate::error::{Error, Result};
use crate::key::base64url::encode;
use crate::key::curve::Curve;
use crate::key::members::Members;
use crate::key::openssl_key::{Point, point_from_octets};
use crate::key::read::der::no_dsa;
use crate::key::read::document_password::{DocumentPassword, Lock, denied};
use crate::key::read::elliptic::{elliptic, elliptic_private, mismatch};
use crate::key::rsa;
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{Cipher, EcdsaCurve, Kdf, Mpint, PrivateKey};

/// The cost of one round of OpenSSH's key derivation in SHA-256 iterations, about 11 ms. One
/// document can use 222 rounds. ssh-keygen uses 16 or 24 by default.
const ROUND: u64 = 45_000;

/// Reads the content of an OPENSSH PRIVATE KEY block. Returns an error if the password is wrong, or if
/// jwks does not support the key.
pub fn read_private(octets: &[u8], unlock: &DocumentPassword) -> Result<Members<'static>> {
    let broken = |error: ssh_key::Error| Error::invalid("invalid OpenSSH private key").cause(error);
    let mut key = PrivateKey::from_bytes(octets).map_err(|error| match unknown_cipher(octets) {
        Some(cipher) => Error::invalid(format!("unsupported encryption: {cipher}"))
            .hint("run `ssh-keygen -p -Z aes256-ctr -f KEY` to encrypt it again"),
        None => broken(error),
    })?;
    if key.is_encrypted() {
        let cost = match key.kdf() {
            Kdf::Bcrypt { rounds, .. } => ROUND.saturating_mul(u64::from(*rounds)),
            _ => 0,
        };
        key = unlock.open(Lock::Document, cost, |password| {
            match key.decrypt(password.unwrap_or_default()) {
                Err(error @ ssh_key::Error::AlgorithmUnsupported { .. }) => Err(broken(error)),
                decrypted => decrypted.map_err(|_| denied()),
            }
        })?;
    }
    match key.key_data() {
        KeypairData::Rsa(pair) => rsa(pair),
        KeypairData::Ecdsa(pair) => {
            let d = pair.private_key_bytes();
            same(
                elliptic_private(curve(pair.curve())?, d)?,
                key.public_key().key_data(),
            )
        }
        KeypairData::Ed25519(pair) => {
            let d = crate::secret::Secret::new(pair.private.to_bytes());
            let members = elliptic_private(ed25519()?, d.expose())?;
            same(members, key.public_key().key_data())
        }
        _ => Err(no_jwk_form(key.public_key().key_data())),
    }
}

/// Returns the name of a cipher that jwks does not know.
fn unknown_cipher(octets: &[u8]) -> Option<&str> {
    let rest = octets.strip_prefix(b"openssh-key-v1\0")?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    let is_name = length <= 64 && name.bytes().all(|it| it.is_ascii_graphic());
    (is_name && name.parse::<Cipher>().is_err()).then_some(name)
}

/// Returns a private key if its coordinates match the public key next to it in the file, or else an
/// error.
fn same(members: Members<'static>, beside: &KeyData) -> Result<Members<'static>> {
    let public = public(beside)?;
    if ["x", "y"]
        .iter()
        .all(|name| members.raw(name) == public.raw(name))
    {
        Ok(members)
    } else {
        Err(mismatch())
    }
}

fn no_jwk_form(key: &KeyData) -> Error {
    let message = match key {
        KeyData::Dsa(_) => return no_dsa(),
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            "keys of a security key have no JWK form".into()
        }
        KeyData::Certificate(_) => "it is an OpenSSH certificate, not a key".into(),
        other => format!(
            "keys of the algorithm {} have no JWK form",
            other.algorithm()
        ),
    };
    Error::invalid(message)
}

/// Converts a public key. Returns an error that names a key without a JWK form.
pub(super) fn public(key: &KeyData) -> Result<Members<'static>> {
    match key {
        KeyData::Rsa(key) => {
            let mut members = Members::default();
            members.set_text("kty", "RSA");
            members.set_text("n", &encode(number(key.n())?));
            members.set_text("e", &encode(number(key.e())?));
            Ok(members)
        }
        KeyData::Ecdsa(key) => {
            let curve = curve(key.curve())?;
            let point = point_from_octets(curve, key.as_sec1_bytes())?;
            Ok(elliptic(curve, &point, None))
        }
        KeyData::Ed25519(key) => {
            let point = Point {
                x: key.0.to_vec(),
                y: None,
            };
            Ok(elliptic(ed25519()?, &point, None))
        }
        other => Err(no_jwk_form(other)),
    }
}

fn number(number: &Mpint) -> Result<&[u8]> {
    let octets = number.as_positive_bytes();
    octets.ok_or_else(|| Error::invalid("the RSA key has a negative number"))
}

/// Reads an RSA key. OpenSSH omits the exponents that follow from d, so they are computed.
fn rsa(pair: &RsaKeypair) -> Result<Members<'static>> {
    let mut members = public(&KeyData::Rsa(pair.public().clone()))?;
    let private = pair.private();
    let (d, p, q) = (
        number(private.d())?,
        number(private.p())?,
        number(private.q())?,
    );
    let failed = |error| Error::invalid("the RSA key has invalid primes").cause(error);
    let exponents = [
        rsa::exponent(d, p).map_err(failed)?,
        rsa::exponent(d, q).map_err(failed)?,
    ];
    for (name, octets) in [
        ("d", d),
        ("p", p),
        ("q", q),
        ("dp", &exponents[0]),
        ("dq", &exponents[1]),
        ("qi", number(private.iqmp())?),
    ] {
        members.set_text(name, &encode(octets));
    }
    Ok(members)
}

fn curve(curve: EcdsaCurve) -> Result<&'static Curve> {
    named(match curve {
        EcdsaCurve::NistP256 => "P-256",
        EcdsaCurve::NistP384 => "P-384",
        EcdsaCurve::NistP521 => "P-521",
    })
}

fn ed25519() -> Result<&'static Curve> {
    named("Ed25519")
}

fn named(curve: &str) -> Result<&'static Curve> {
    let missing = || Error::invalid(format!("keys on {curve} have no JWK form"));
    Curve::named(curve).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// An encrypted private key with this number of key-derivation rounds.
    fn encrypted(cipher: &[u8], rounds: u32) -> Vec<u8> {
        let string = |content: &[u8]| [&(content.len() as u32).to_be_bytes(), content].concat();
        let public = [string(b"ssh-ed25519"), string(&[5; 32])].concat();
        let options = [string(&[1; 16]), rounds.to_be_bytes().to_vec()].concat();
        let parts = [
            b"openssh-key-v1\0".to_vec(),
            string(cipher),
            string(b"bcrypt"),
            string(&options),
            1u32.to_be_bytes().to_vec(),
            string(&public),
            string(&[3; 160]),
        ];
        parts.concat()
    }

    #[test]
    fn all_keys_of_a_document_share_the_limit_of_rounds() {
        let unlock = DocumentPassword::new(&|| Err(denied()));
        let read = |rounds| read_private(&encrypted(b"aes256-ctr", rounds), &unlock).err();
        let kind = |rounds| read(rounds).map(|error| error.kind());
        // The passphrase is asked for, or the limit is exceeded before that.
        assert_eq!(kind(112), Some(ErrorKind::Denied));
        assert_eq!(kind(111), Some(ErrorKind::Invalid));
    }

    #[test]
    fn an_unknown_cipher_is_named() {
        let unlock = DocumentPassword::new(&|| Err(denied()));
        let error = |cipher| read_private(&encrypted(cipher, 1), &unlock).err().unwrap();
        let text = error(b"blowfish-cbc").to_string();
        assert_eq!(text, "unsupported encryption: blowfish-cbc");
        assert_eq!(error(b"3des-cbc").kind(), ErrorKind::Denied);
        assert!(error(b"a\nb").to_string().contains("invalid OpenSSH"));
    }
}
