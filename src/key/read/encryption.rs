//! Decrypts PKCS#8 keys and parts of PKCS#12 keystores with a password: PBES2 (RFC 8018 section
//! 6.2) and the schemes of RFC 7292 appendix C.

use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::read::asn1::{children, name};
use crate::key::read::der::{self, Kind};
use crate::key::read::document_password::{DocumentPassword, Lock, denied};
use crate::secret::Secret;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit as _};
use openssl::asn1::Asn1Object;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkcs5::{pbkdf2_hmac, scrypt};
use openssl::symm::{self, Cipher};
use pkcs5::pbes2::{self, Kdf, Pbkdf2Params, Pbkdf2Prf, ScryptParams};
use pkcs8::der::Decode as _;
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use pkcs8::der::referenced::OwnedToRef as _;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams};
use sha1::Sha1;

/// The largest memory for scrypt, in bytes.
const SCRYPT_MEMORY: u64 = 256 << 20;

/// Reads a PKCS#8 EncryptedPrivateKeyInfo (RFC 5958 section 3). Returns an error if the password is
/// wrong, or if the encryption or the key is not supported.
pub fn encrypted_pkcs8(
    document: &[u8],
    lock: Lock,
    unlock: &DocumentPassword,
) -> Result<Members<'static>> {
    der::read(pkcs8_octets(document, lock, unlock)?.expose())
}

/// Decrypts the PrivateKeyInfo in an EncryptedPrivateKeyInfo.
pub fn pkcs8_octets(
    document: &[u8],
    lock: Lock,
    unlock: &DocumentPassword,
) -> Result<Secret<Vec<u8>>> {
    let encrypted = EncryptedPrivateKeyInfo::from_der(document)
        .map_err(|_| Error::invalid("invalid encrypted PKCS#8 key"))?;
    let algorithm = encrypted.encryption_algorithm.owned_to_ref();
    let ciphertext = encrypted.encrypted_data.as_bytes();
    decrypt(algorithm, ciphertext, lock, unlock, |content| {
        der::kind(content.expose())
            .filter(|kind| *kind == Kind::Pkcs8)
            .map(|_| content)
    })
}

/// Decrypts a ciphertext with the password, and reads its content. `read` returns `None` for what
/// cannot be the content, which means a wrong password or a damaged file.
pub fn decrypt<T>(
    algorithm: AlgorithmIdentifierRef,
    ciphertext: &[u8],
    lock: Lock,
    unlock: &DocumentPassword,
    read: impl Fn(Secret<Vec<u8>>) -> Option<T>,
) -> Result<T> {
    let scheme = match algorithm.oid {
        pbes2::PBES2_OID => pbes2(&algorithm),
        pkcs12::PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC => {
            pbes1::<des::TdesEde3>(&algorithm, 24)
        }
        pkcs12::PKCS_12_PBE_WITH_SHAAND2_KEY_TRIPLE_DES_CBC => {
            pbes1::<des::TdesEde2>(&algorithm, 16)
        }
        pkcs12::PKCS_12_PBE_WITH_SHAAND128_BIT_RC2_CBC => pbes1::<rc2::Rc2>(&algorithm, 16),
        pkcs12::PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC => pbes1::<rc2::Rc2>(&algorithm, 5),
        oid => Err(unsupported(name(&oid))),
    };
    let scheme = scheme.map_err(|error| match (error.advice(), lock) {
        (Some(_), _) => error,
        (None, Lock::Document) => error.hint(OPENSSL_KEY),
        (None, Lock::Keystore | Lock::Entry(_)) => error.hint(OPENSSL_KEYSTORE),
    })?;
    unlock.open(lock, scheme.cost, |password| {
        let content = (scheme.decrypt)(password, ciphertext)?;
        read(content).ok_or_else(denied)
    })
}

/// The hints to convert what only OpenSSL decrypts.
const OPENSSL_KEY: &str = "run `openssl pkey -in FILE -provider legacy -provider default | jwks set SET -` to let OpenSSL decrypt it";
pub(super) const OPENSSL_KEYSTORE: &str =
    "run `openssl pkcs12 -in FILE -nodes -legacy | jwks set SET -` to let OpenSSL decrypt it";

/// An encryption whose parameters have been checked.
struct Scheme<'a> {
    /// The cost of one attempt, in SHA-256 iterations.
    cost: u64,
    decrypt: Box<Decrypt<'a>>,
}

/// Decrypts a ciphertext with a password.
type Decrypt<'a> = dyn Fn(Option<&str>, &[u8]) -> Result<Secret<Vec<u8>>> + 'a;

fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("unsupported encryption: {what}"))
}

/// Converts an iteration count. Returns an error if it is below one.
pub fn positive(iterations: impl TryInto<u64>) -> Result<u64> {
    match iterations.try_into() {
        Ok(count @ 1..) => Ok(count),
        _ => Err(Error::invalid("the iteration count is below 1")),
    }
}

fn pbes2<'a>(algorithm: &AlgorithmIdentifierRef<'a>) -> Result<Scheme<'a>> {
    let parts = algorithm.parameters.as_ref().and_then(children);
    let [derivation, encryption] = &parts.unwrap_or_default()[..] else {
        return Err(unsupported("PBES2 with malformed parameters"));
    };
    let kdf = kdf(derivation)?;
    let encryption = encryption.decode_as::<AlgorithmIdentifierRef>();
    let encryption = encryption.map_err(|_| unsupported("PBES2 with malformed parameters"))?;
    if let Ok(encryption) = pbes2::EncryptionScheme::try_from(encryption) {
        let cost = kdf_cost(&kdf, encryption.key_size())?;
        let parameters = pbes2::Parameters { kdf, encryption };
        let decrypt = move |password: Option<&str>, ciphertext: &[u8]| match parameters
            .decrypt(password.unwrap_or_default(), ciphertext)
        {
            Ok(content) => Ok(Secret::new(content)),
            Err(pkcs5::Error::DecryptFailed) => Err(denied()),
            Err(error) => Err(unsupported(error)),
        };
        return Ok(Scheme {
            cost,
            decrypt: Box::new(decrypt),
        });
    }
    let (cipher, iv) = openssl_cipher(&encryption)
        .ok_or_else(|| unsupported(format!("PBES2 with {}", name(&encryption.oid))))?;
    let cost = kdf_cost(&kdf, cipher.key_len())?;
    let decrypt = move |password: Option<&str>, ciphertext: &[u8]| {
        let key = derived(&kdf, password.unwrap_or_default(), cipher.key_len())?;
        let content = symm::decrypt(cipher, key.expose(), Some(iv), ciphertext);
        content.map(Secret::new).map_err(|_| denied())
    };
    Ok(Scheme {
        cost,
        decrypt: Box::new(decrypt),
    })
}

/// Reads a key derivation. Returns an error that names one that is not supported.
fn kdf(derivation: &AnyRef) -> Result<Kdf> {
    if let Ok(kdf @ (Kdf::Pbkdf2(_) | Kdf::Scrypt(_))) = derivation.decode_as::<Kdf>() {
        return Ok(kdf);
    }
    let algorithm = derivation.decode_as::<AlgorithmIdentifierRef>();
    let Ok(AlgorithmIdentifierRef { oid, parameters }) = algorithm else {
        return Err(unsupported("PBES2 with malformed parameters"));
    };
    // The pseudorandom function is the last parameter of PBKDF2.
    let parameters = parameters.as_ref().and_then(children).unwrap_or_default();
    let prf = parameters.last();
    let prf = prf.and_then(|prf| prf.decode_as::<AlgorithmIdentifierRef>().ok());
    let what = prf.map_or("unsupported parameters".into(), |prf| name(&prf.oid));
    Err(unsupported(format!("{} with {what}", name(&oid))))
}

/// Returns a cipher that only OpenSSL has, and its initialization vector.
fn openssl_cipher<'a>(encryption: &AlgorithmIdentifierRef<'a>) -> Option<(Cipher, &'a [u8])> {
    let object = Asn1Object::from_str(&encryption.oid.to_string()).ok()?;
    let name = object.nid().short_name().ok()?;
    if !name.starts_with("ARIA-") || !name.ends_with("-CBC") {
        return None;
    }
    let cipher = Cipher::from_nid(object.nid())?;
    let iv = encryption.parameters?.decode_as::<&OctetStringRef>().ok()?;
    (Some(iv.as_bytes().len()) == cipher.iv_len()).then_some((cipher, iv.as_bytes()))
}

/// Derives a key from a password.
fn derived(kdf: &Kdf, password: &str, octets: usize) -> Result<Secret<Vec<u8>>> {
    let mut key = Secret::new(vec![0; octets]);
    let password = password.as_bytes();
    let derive = |key: &mut [u8]| match kdf {
        Kdf::Pbkdf2(pbkdf2) => {
            let digest = match pbkdf2.prf {
                Pbkdf2Prf::HmacWithSha1 => MessageDigest::sha1(),
                Pbkdf2Prf::HmacWithSha224 => MessageDigest::sha224(),
                Pbkdf2Prf::HmacWithSha384 => MessageDigest::sha384(),
                Pbkdf2Prf::HmacWithSha512 => MessageDigest::sha512(),
                _ => MessageDigest::sha256(),
            };
            let count = pbkdf2.iteration_count as usize;
            pbkdf2_hmac(password, pbkdf2.salt.as_ref(), count, digest, key)
        }
        Kdf::Scrypt(parameters) => scrypt(
            password,
            parameters.salt.as_ref(),
            parameters.cost_parameter,
            parameters.block_size.into(),
            parameters.parallelization.into(),
            2 * SCRYPT_MEMORY,
            key,
        ),
        _ => Err(ErrorStack::get()),
    };
    derive(key.expose_mut()).map_err(|error| {
        Error::failed("OpenSSL cannot derive a key from the password").cause(error)
    })?;
    Ok(key)
}

/// Returns the cost of a key derivation in SHA-256 iterations.
fn kdf_cost(kdf: &Kdf, key_octets: usize) -> Result<u64> {
    match kdf {
        Kdf::Pbkdf2(pbkdf2) => pbkdf2_cost(pbkdf2, key_octets),
        Kdf::Scrypt(scrypt) => scrypt_cost(scrypt),
        _ => Err(unsupported(name(&kdf.oid()))),
    }
}

/// A message authentication code whose key derivation is in its parameters (RFC 9579 section 5).
pub struct Pbmac1 {
    kdf: Kdf,
    octets: usize,
    /// The cost of one attempt, in SHA-256 iterations.
    pub cost: u64,
    /// The algorithm of the code.
    pub mac: ObjectIdentifier,
}

impl Pbmac1 {
    /// Reads the parameters. Returns an error for a key derivation that is not supported.
    pub fn parse(parameters: Option<AnyRef>) -> Result<Self> {
        let broken = || Error::invalid("invalid parameters of PBMAC1");
        let parameters = parameters.as_ref().and_then(children);
        let [derivation, mac] = &parameters.ok_or_else(broken)?[..] else {
            return Err(broken());
        };
        let kdf = kdf(derivation).map_err(|error| error.hint(OPENSSL_KEYSTORE))?;
        let mac = mac.decode_as::<AlgorithmIdentifierRef>();
        let octets = kdf.key_length().filter(|octets| *octets > 0);
        let octets = octets.ok_or_else(broken)?.into();
        Ok(Pbmac1 {
            cost: kdf_cost(&kdf, octets)?,
            mac: mac.map_err(|_| broken())?.oid,
            kdf,
            octets,
        })
    }

    /// Derives the key of the code.
    pub fn key(&self, password: &str) -> Result<Secret<Vec<u8>>> {
        derived(&self.kdf, password, self.octets)
    }
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

/// Reads a scheme of RFC 7292 appendix C. All of them use SHA-1.
fn pbes1<'a, C: BlockCipherDecrypt + KeyInit>(
    algorithm: &AlgorithmIdentifierRef<'a>,
    key_octets: usize,
) -> Result<Scheme<'a>> {
    let parameters = algorithm
        .parameters
        .and_then(|any| any.decode_as::<Pkcs12PbeParams>().ok())
        .ok_or_else(|| {
            unsupported(format!(
                "{} with malformed parameters",
                name(&algorithm.oid)
            ))
        })?;
    // All iterations are needed for every 20 bytes of the key, and once for the initialization
    // vector.
    let rounds = key_octets.div_ceil(20) as u64 + 1;
    let cost = positive(parameters.iterations)?.saturating_mul(rounds);
    let decrypt = move |password: Option<&str>, ciphertext: &[u8]| {
        let password = bmp(password);
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
    };
    Ok(Scheme {
        cost,
        decrypt: Box::new(decrypt),
    })
}

/// Encodes a password as big-endian UTF-16 with a trailing zero (RFC 7292 appendix B.1). An absent
/// password has no bytes.
pub fn bmp(password: Option<&str>) -> Secret<Vec<u8>> {
    let units = password.map(|password| password.encode_utf16().chain([0]));
    let units = units.into_iter().flatten();
    Secret::new(units.flat_map(u16::to_be_bytes).collect())
}
