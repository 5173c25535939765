//! Decrypts PKCS#8 keys and parts of PKCS#12 keystores with a password: PBES2 (RFC 8018 section
//! 6.2) and the schemes of RFC 7292 appendix C.

use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::read::asn1::children;
use crate::key::read::der::{self, Kind};
use crate::key::read::document_password::{DocumentPassword, denied};
use crate::secret::Secret;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit as _};
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use pkcs5::pbes2::{self, Kdf, Pbkdf2Params, Pbkdf2Prf, ScryptParams};
use pkcs8::der::Decode as _;
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::referenced::OwnedToRef as _;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams};
use sha1::Sha1;

/// The largest memory for scrypt, in bytes.
const SCRYPT_MEMORY: u64 = 256 << 20;

/// Reads a PKCS#8 EncryptedPrivateKeyInfo (RFC 5958 section 3). Returns an error if the password is
/// wrong, or if the encryption or the key is not supported.
pub fn encrypted_pkcs8(document: &[u8], unlock: &DocumentPassword) -> Result<Members<'static>> {
    let key = pkcs8_octets(document, unlock)?;
    match der::kind(key.expose()) {
        Some(Kind::Pkcs8) => der::read(key.expose()),
        _ => Err(denied()),
    }
}

/// Decrypts the PrivateKeyInfo in an EncryptedPrivateKeyInfo.
pub fn pkcs8_octets(document: &[u8], unlock: &DocumentPassword) -> Result<Secret<Vec<u8>>> {
    let encrypted = EncryptedPrivateKeyInfo::from_der(document)
        .map_err(|_| Error::invalid("invalid encrypted PKCS#8 key"))?;
    let algorithm = encrypted.encryption_algorithm.owned_to_ref();
    decrypt(algorithm, encrypted.encrypted_data.as_bytes(), unlock)
}

/// Decrypts a ciphertext with the password. A failure means a wrong password or a damaged file.
pub fn decrypt(
    algorithm: AlgorithmIdentifierRef,
    ciphertext: &[u8],
    unlock: &DocumentPassword,
) -> Result<Secret<Vec<u8>>> {
    match algorithm.oid {
        pbes2::PBES2_OID => pbes2(&algorithm, ciphertext, unlock),
        pkcs12::PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC => {
            pbes1::<des::TdesEde3>(&algorithm, 24, ciphertext, unlock)
        }
        pkcs12::PKCS_12_PBE_WITH_SHAAND2_KEY_TRIPLE_DES_CBC => {
            pbes1::<des::TdesEde2>(&algorithm, 16, ciphertext, unlock)
        }
        pkcs12::PKCS_12_PBE_WITH_SHAAND128_BIT_RC2_CBC => {
            pbes1::<rc2::Rc2>(&algorithm, 16, ciphertext, unlock)
        }
        pkcs12::PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC => {
            pbes1::<rc2::Rc2>(&algorithm, 5, ciphertext, unlock)
        }
        oid => Err(unsupported(oid)),
    }
}

fn unsupported(oid: ObjectIdentifier) -> Error {
    let name = match oid.to_string().as_str() {
        "1.2.840.113549.1.5.3" => "MD5 and DES".into(),
        "1.2.840.113549.1.5.10" => "SHA-1 and DES".into(),
        "1.2.840.113549.1.12.1.1" | "1.2.840.113549.1.12.1.2" => "RC4".into(),
        other => format!("scheme {other}"),
    };
    Error::invalid(format!("unsupported encryption: {name}")).hint(
        "encrypt it again with AES-256; OpenSSL reads it with -provider legacy -provider default",
    )
}

/// Converts an iteration count. Returns an error if it is below one.
pub fn positive(iterations: impl TryInto<u64>) -> Result<u64> {
    match iterations.try_into() {
        Ok(count @ 1..) => Ok(count),
        _ => Err(Error::invalid("the iteration count is below 1")),
    }
}

fn pbes2(
    algorithm: &AlgorithmIdentifierRef,
    ciphertext: &[u8],
    unlock: &DocumentPassword,
) -> Result<Secret<Vec<u8>>> {
    let parameters = algorithm
        .parameters
        .and_then(|any| pbes2::Parameters::try_from(any).ok())
        .ok_or_else(|| Error::invalid("unsupported encryption parameters"))?;
    match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) => {
            let octets = parameters.encryption.key_size();
            unlock.spend(pbkdf2_cost(pbkdf2, octets)?)?;
        }
        Kdf::Scrypt(scrypt) => unlock.spend(scrypt_cost(scrypt)?)?,
        _ => return Err(unsupported(parameters.kdf.oid())),
    }
    match parameters.decrypt(unlock.password()?, ciphertext) {
        Ok(content) => Ok(Secret::new(content)),
        Err(pkcs5::Error::DecryptFailed) => Err(denied()),
        Err(error) => Err(Error::invalid(format!("unsupported encryption: {error}"))),
    }
}

/// Derives the key of a message authentication code from the parameters of PBMAC1 (RFC 9579 section
/// 5). Returns the key and the algorithm of the code.
pub fn pbmac1_key(
    parameters: Option<AnyRef>,
    unlock: &DocumentPassword,
) -> Result<(Secret<Vec<u8>>, ObjectIdentifier)> {
    let broken = || Error::invalid("unsupported parameters of PBMAC1");
    let parameters = parameters.and_then(|any| children(&any));
    let [kdf, mac] = &parameters.ok_or_else(broken)?[..] else {
        return Err(broken());
    };
    let kdf = kdf.decode_as::<Kdf>().map_err(|_| broken())?;
    let mac = mac.decode_as::<AlgorithmIdentifierRef>();
    let mac = mac.map_err(|_| broken())?.oid;
    let (Kdf::Pbkdf2(pbkdf2), Some(octets @ 1..)) = (&kdf, kdf.key_length()) else {
        return Err(broken());
    };
    unlock.spend(pbkdf2_cost(pbkdf2, octets.into())?)?;
    let digest = match pbkdf2.prf {
        Pbkdf2Prf::HmacWithSha1 => MessageDigest::sha1(),
        Pbkdf2Prf::HmacWithSha224 => MessageDigest::sha224(),
        Pbkdf2Prf::HmacWithSha256 => MessageDigest::sha256(),
        Pbkdf2Prf::HmacWithSha384 => MessageDigest::sha384(),
        Pbkdf2Prf::HmacWithSha512 => MessageDigest::sha512(),
        _ => return Err(broken()),
    };
    let mut key = Secret::new(vec![0; octets.into()]);
    let salt = pbkdf2.salt.as_ref();
    let count = pbkdf2.iteration_count as usize;
    let password = unlock.password()?.as_bytes();
    pbkdf2_hmac(password, salt, count, digest, key.expose_mut()).map_err(|error| {
        Error::failed("OpenSSL cannot derive a key from the password").cause(error)
    })?;
    Ok((key, mac))
}

/// Returns the cost of PBKDF2 in SHA-256 iterations. Longer hashes cost twice as much. A key that
/// is longer than its hash needs all iterations again.
fn pbkdf2_cost(pbkdf2: &Pbkdf2Params, key_octets: usize) -> Result<u64> {
    let (each, hash_octets) = match pbkdf2.prf {
        Pbkdf2Prf::HmacWithSha1 => (1, 20),
        Pbkdf2Prf::HmacWithSha224 => (1, 28),
        Pbkdf2Prf::HmacWithSha384 | Pbkdf2Prf::HmacWithSha512 => (2, 48),
        _ => (1, 32),
    };
    let blocks = key_octets.div_ceil(hash_octets) as u64;
    Ok(positive(pbkdf2.iteration_count)?.saturating_mul(each * blocks))
}

/// Returns the cost of scrypt in SHA-256 iterations: the number of 64-byte blocks that it writes
/// and reads. It needs 128·N·r + 128·r·p bytes of memory (RFC 7914 section 6).
fn scrypt_cost(scrypt: &ScryptParams) -> Result<u64> {
    let r = u64::from(scrypt.block_size);
    let (n, p) = (scrypt.cost_parameter, u64::from(scrypt.parallelization));
    let is_small = |count: u64, limit| {
        let octets = count.checked_mul(128 * r);
        octets.is_some_and(|octets| (1..=limit).contains(&octets))
    };
    if !is_small(n, SCRYPT_MEMORY) || !is_small(p, SCRYPT_MEMORY / 16) {
        return Err(Error::invalid(format!(
            "the key derivation takes more than {} MiB of memory",
            SCRYPT_MEMORY >> 20
        )));
    }
    Ok((2 * n * r).saturating_mul(p))
}

/// Decrypts with a scheme of RFC 7292 appendix C. All of them use SHA-1.
fn pbes1<C: BlockCipherDecrypt + KeyInit>(
    algorithm: &AlgorithmIdentifierRef,
    key_octets: usize,
    ciphertext: &[u8],
    unlock: &DocumentPassword,
) -> Result<Secret<Vec<u8>>> {
    let parameters = algorithm
        .parameters
        .and_then(|any| any.decode_as::<Pkcs12PbeParams>().ok())
        .ok_or_else(|| Error::invalid("unsupported encryption parameters"))?;
    // All iterations are needed for every 20 bytes of the key, and once for the initialization
    // vector.
    let rounds = key_octets.div_ceil(20) as u64 + 1;
    unlock.spend(positive(parameters.iterations)?.saturating_mul(rounds))?;
    let password = bmp(unlock.password()?);
    let derive = |purpose, octets| {
        let salt = parameters.salt.as_bytes();
        Secret::new(derive_key::<Sha1>(
            password.expose(),
            salt,
            purpose,
            parameters.iterations,
            octets,
        ))
    };
    let key = derive(Pkcs12KeyType::EncryptionKey, key_octets);
    let iv = derive(Pkcs12KeyType::Iv, 8);
    let cipher = cbc::Decryptor::<C>::new_from_slices(key.expose(), iv.expose());
    let cipher = cipher.map_err(|_| denied())?;
    let mut content = Secret::new(ciphertext.to_vec());
    let plain = cipher.decrypt_padded::<Pkcs7>(content.expose_mut());
    let octets = plain.map(<[u8]>::len).map_err(|_| denied())?;
    content.expose_mut().truncate(octets);
    Ok(content)
}

/// Encodes a password as big-endian UTF-16 with a trailing zero (RFC 7292 appendix B.1).
pub fn bmp(password: &str) -> Secret<Vec<u8>> {
    let units = password.encode_utf16().chain([0]);
    Secret::new(units.flat_map(u16::to_be_bytes).collect())
}
