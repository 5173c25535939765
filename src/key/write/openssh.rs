//! Writes OpenSSH keys: a line of `authorized_keys` (RFC 4253 section 6.6) or a private key file
//! (PROTOCOL.key of OpenSSH).

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::members::Members;
use crate::key::write::to_jwk;
use crate::secret::Secret;
use openssl::rand::rand_bytes;
use ssh_key::private::{
    EcdsaKeypair, Ed25519Keypair, Ed25519PrivateKey, KeypairData, RsaKeypair, RsaPrivateKey,
};
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, RsaPublicKey};
use ssh_key::{Cipher, Kdf, LineEnding, Mpint, PrivateKey, PublicKey};

/// The rounds of bcrypt, the default of ssh-keygen since OpenSSH 9.4.
const ROUNDS: u32 = 24;

/// Writes the public key as one line, including the line feed. Returns an error if OpenSSH has no such
/// keys.
pub fn public_line(members: &Members, comment: &str) -> Result<String> {
    let key = PublicKey::new(public(members)?, comment);
    Ok(key.to_openssh().map_err(not_written)? + "\n")
}

/// Writes the private key file. A password encrypts it with aes256-ctr and bcrypt. Returns an error if
/// OpenSSH has no such keys.
pub fn private_file(
    members: &Members,
    comment: &str,
    password: Option<&Secret<String>>,
) -> Result<Secret<String>> {
    let mut key = PrivateKey::new(private(members)?, comment).map_err(not_written)?;
    if let Some(password) = password {
        let (mut salt, mut check) = (vec![0; 16], [0; 4]);
        let random = rand_bytes(&mut salt).and_then(|()| rand_bytes(&mut check));
        random.map_err(|error| Error::failed("cannot generate a salt").cause(error))?;
        let kdf = Kdf::Bcrypt {
            salt,
            rounds: ROUNDS,
        };
        let check = u32::from_be_bytes(check);
        let encrypted = key.encrypt_with(Cipher::Aes256Ctr, kdf, check, password.expose());
        key = encrypted.map_err(not_written)?;
    }
    let text = key.to_openssh(LineEnding::LF).map_err(not_written)?;
    Ok(Secret::new(text.to_string()))
}

fn not_written(error: ssh_key::Error) -> Error {
    Error::failed(format!("the key cannot be written for OpenSSH: {error}"))
}

fn not_known(members: &Members) -> Error {
    let kty = members.string("kty").unwrap_or_default();
    let what = match members.string("crv") {
        Some(crv) => format!("{kty} keys on {crv}"),
        None => format!("{kty} keys"),
    };
    Error::refused(format!("{what} have no OpenSSH form"))
        .hint("OpenSSH has RSA keys and keys on P-256, P-384, P-521 and Ed25519")
}

/// Decodes a member of a fixed length.
fn exactly<const N: usize>(members: &Members, name: &str) -> Result<[u8; N]> {
    let octets = Secret::new(octets(members, name)?);
    let exact = octets.expose().as_slice().try_into();
    exact.map_err(|_| Error::invalid(format!("the member {name} does not have {N} bytes")))
}

/// Creates the RSA key pair. Private numbers that the key leaves out are computed.
fn rsa_pair(members: &Members, public: RsaPublicKey) -> Result<RsaKeypair> {
    let jwk = to_jwk(members)?;
    let number = |name: &str| {
        let text = jwk.parameter(name).and_then(|value| value.as_str());
        let octets = base64url::decode(text.unwrap_or_default());
        let octets = octets.map(Secret::new).map_err(|_| {
            Error::invalid(format!("the member {name} is missing or not base64url"))
        })?;
        Ok::<_, Error>(Mpint::from_positive_bytes(octets.expose()))
    };
    let private = RsaPrivateKey::new(number("d")?, number("qi")?, number("p")?, number("q")?);
    RsaKeypair::new(public, private.map_err(not_written)?).map_err(not_written)
}

fn octets(members: &Members, name: &str) -> Result<Vec<u8>> {
    let text = members.string(name).unwrap_or_default();
    base64url::decode(&text)
        .map_err(|_| Error::invalid(format!("the member {name} is missing or not base64url")))
}

fn number(members: &Members, name: &str) -> Result<Mpint> {
    let octets = Secret::new(octets(members, name)?);
    Ok(Mpint::from_positive_bytes(octets.expose()))
}

fn public(members: &Members) -> Result<KeyData> {
    let kty = members.string("kty").unwrap_or_default();
    let crv = members.string("crv").unwrap_or_default();
    Ok(match (&*kty, &*crv) {
        ("RSA", _) => KeyData::Rsa(
            RsaPublicKey::new(number(members, "e")?, number(members, "n")?).map_err(not_written)?,
        ),
        ("EC", "P-256" | "P-384" | "P-521") => {
            let mut point = vec![4];
            point.extend(octets(members, "x")?);
            point.extend(octets(members, "y")?);
            // The length of the point identifies the curve.
            KeyData::Ecdsa(EcdsaPublicKey::from_sec1_bytes(&point).map_err(not_written)?)
        }
        ("OKP", "Ed25519") => KeyData::Ed25519(Ed25519PublicKey(exactly(members, "x")?)),
        _ => return Err(not_known(members)),
    })
}

fn private(members: &Members) -> Result<KeypairData> {
    Ok(match public(members)? {
        KeyData::Rsa(public) => KeypairData::Rsa(rsa_pair(members, public)?),
        KeyData::Ecdsa(EcdsaPublicKey::NistP256(public)) => {
            KeypairData::Ecdsa(EcdsaKeypair::NistP256 {
                public,
                private: exactly::<32>(members, "d")?.into(),
            })
        }
        KeyData::Ecdsa(EcdsaPublicKey::NistP384(public)) => {
            KeypairData::Ecdsa(EcdsaKeypair::NistP384 {
                public,
                private: exactly::<48>(members, "d")?.into(),
            })
        }
        KeyData::Ecdsa(EcdsaPublicKey::NistP521(public)) => {
            KeypairData::Ecdsa(EcdsaKeypair::NistP521 {
                public,
                private: exactly::<66>(members, "d")?.into(),
            })
        }
        KeyData::Ed25519(public) => {
            let seed = exactly(members, "d")?;
            KeypairData::Ed25519(Ed25519Keypair {
                public,
                private: Ed25519PrivateKey::from_bytes(&seed),
            })
        }
        _ => return Err(not_known(members)),
    })
}
