//! Reads PKCS#12 keystores (RFC 7292): private keys, shared secrets and certificates with aliases.

use crate::error::{Error, Result};
use crate::key::base64url;
use crate::key::certificate::Certificate;
use crate::key::members::Members;
use crate::key::read::asn1::name;
use crate::key::read::ber;
use crate::key::read::bundle::{Bundle, Part};
use crate::key::read::der;
use crate::key::read::document_password::{DocumentPassword, Lock, denied};
use crate::key::read::encryption::{
    OPENSSL_KEYSTORE, Pbmac1, bmp, decrypt, encrypted_pkcs8, pkcs8_octets, positive,
};
use crate::secret::Secret;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{AnyRef, BmpString, ContextSpecific, ObjectIdentifier, OctetString};
use pkcs8::der::referenced::OwnedToRef as _;
use pkcs8::der::{self as asn1, Decode as _, DecodeOwned, SliceReader};
use pkcs12::cms::content_info::ContentInfo;
use pkcs12::cms::encrypted_data::EncryptedData;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::pfx::Pfx;
use pkcs12::safe_bag::{SafeBag, SafeContents};
use pkcs12::{AuthenticatedSafe, CertBag, MacData};
use sha2::digest::block_api::BlockSizeUser;
use sha2::digest::{Digest, FixedOutputReset};

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
/// The integrity algorithm with its key derivation in its parameters (RFC 9579).
const PBMAC1: &str = "1.2.840.113549.1.5.14";
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");

/// Reads all certificates of a keystore, and all its keys or those of one alias. Returns an error if
/// the password is wrong, or if the keystore is damaged.
pub fn read(document: &[u8], alias: Option<&str>, unlock: &DocumentPassword) -> Result<Bundle> {
    let pfx: Pfx = parse(document).ok_or_else(broken)?;
    let safe = match pfx.auth_safe.content_type {
        DATA => pfx.auth_safe.content.decode_as::<OctetString>(),
        SIGNED_DATA => {
            return Err(Error::invalid(
                "PKCS#12 keystores signed with a key are not supported",
            ));
        }
        _ => return Err(broken()),
    };
    let safe = safe.map_err(|_| broken())?;
    if let Some(mac) = &pfx.mac_data {
        verify(mac, safe.as_bytes(), unlock)?;
    }
    let mut contents = Bundle::default();
    let mut bags = Vec::new();
    let parts: AuthenticatedSafe = parse(safe.as_bytes()).ok_or_else(broken)?;
    for (i, part) in parts.iter().enumerate() {
        let name = format!("part {} of the keystore", i + 1);
        match open(part, &name, unlock) {
            Ok(more) => bags.extend(more),
            // Its content is unknown, so it can have a private key.
            Err(error) => {
                contents.take(&name, Part::PrivateKey, Err(error))?;
            }
        }
    }
    collect(bags, contents, alias, unlock)
}

fn broken() -> Error {
    Error::invalid("invalid PKCS#12 keystore")
}

/// Parses a part of the keystore in DER or BER. Each string in it is a part of its own.
fn parse<T: DecodeOwned<Error = asn1::Error>>(part: &[u8]) -> Option<T> {
    let in_ber = || T::from_der(ber::to_der(part)?.expose()).ok();
    T::from_der(part).ok().or_else(in_ber)
}

/// Verifies the message authentication code of the keystore (RFC 7292 section 5.1, step 3).
fn verify(mac: &MacData, content: &[u8], unlock: &DocumentPassword) -> Result<()> {
    use sha1::Sha1;
    use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
    use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
    let algorithm = mac.mac.algorithm.oid.to_string();
    let is_right = |key: Secret<Vec<u8>>, digest: &str| match is_code(mac, content, &key, digest) {
        Ok(true) => Ok(()),
        Ok(false) => Err(denied()),
        Err(error) => Err(Error::failed("OpenSSL cannot check the keystore").cause(error)),
    };
    if algorithm == PBMAC1 {
        let parameters = mac.mac.algorithm.parameters.as_ref();
        let pbmac1 = Pbmac1::parse(parameters.map(Into::into))?;
        let digest = hmac_digest(&pbmac1.mac)?;
        return unlock.open(Lock::Keystore, pbmac1.cost, |password| {
            is_right(pbmac1.key(password.unwrap_or_default())?, digest)
        });
    }
    let (derive, digest): (MacKey, _) = match algorithm.as_str() {
        "1.3.14.3.2.26" => (mac_key::<Sha1>, "SHA1"),
        "2.16.840.1.101.3.4.2.4" => (mac_key::<Sha224>, "SHA224"),
        "2.16.840.1.101.3.4.2.1" => (mac_key::<Sha256>, "SHA256"),
        "2.16.840.1.101.3.4.2.2" => (mac_key::<Sha384>, "SHA384"),
        "2.16.840.1.101.3.4.2.3" => (mac_key::<Sha512>, "SHA512"),
        "2.16.840.1.101.3.4.2.5" => (mac_key::<Sha512_224>, "SHA512-224"),
        "2.16.840.1.101.3.4.2.6" => (mac_key::<Sha512_256>, "SHA512-256"),
        "2.16.840.1.101.3.4.2.7" => (mac_key::<Sha3_224>, "SHA3-224"),
        "2.16.840.1.101.3.4.2.8" => (mac_key::<Sha3_256>, "SHA3-256"),
        "2.16.840.1.101.3.4.2.9" => (mac_key::<Sha3_384>, "SHA3-384"),
        "2.16.840.1.101.3.4.2.10" => (mac_key::<Sha3_512>, "SHA3-512"),
        _ => return Err(unsupported_integrity(&mac.mac.algorithm.oid)),
    };
    // The longer hashes cost twice as much as SHA-256.
    let cost = positive(mac.iterations)?.saturating_mul(2);
    unlock.open(Lock::Keystore, cost, |password| {
        is_right(derive(mac, password), digest)
    })
}

/// Returns true if the code of the keystore is that of its content under a key.
fn is_code(
    mac: &MacData,
    content: &[u8],
    key: &Secret<Vec<u8>>,
    digest: &str,
) -> Result<bool, ErrorStack> {
    let digest = MessageDigest::from_name(digest).ok_or_else(ErrorStack::get)?;
    let key = PKey::hmac(key.expose())?;
    let code = Signer::new(digest, &key)?.sign_oneshot_to_vec(content)?;
    let given = mac.mac.digest.as_bytes();
    Ok(code.len() == given.len() && memcmp::eq(&code, given))
}

fn unsupported_integrity(algorithm: &ObjectIdentifier) -> Error {
    let message = format!(
        "unsupported PKCS#12 integrity algorithm: {}",
        name(algorithm)
    );
    Error::invalid(message).hint(OPENSSL_KEYSTORE)
}

/// Returns OpenSSL's name of the hash of an HMAC algorithm (RFC 8018 appendix B.1.2).
fn hmac_digest(algorithm: &ObjectIdentifier) -> Result<&'static str> {
    Ok(match algorithm.to_string().as_str() {
        "1.2.840.113549.2.7" => "SHA1",
        "1.2.840.113549.2.8" => "SHA224",
        "1.2.840.113549.2.9" => "SHA256",
        "1.2.840.113549.2.10" => "SHA384",
        "1.2.840.113549.2.11" => "SHA512",
        "1.2.840.113549.2.12" => "SHA512-224",
        "1.2.840.113549.2.13" => "SHA512-256",
        "2.16.840.1.101.3.4.2.13" => "SHA3-224",
        "2.16.840.1.101.3.4.2.14" => "SHA3-256",
        "2.16.840.1.101.3.4.2.15" => "SHA3-384",
        "2.16.840.1.101.3.4.2.16" => "SHA3-512",
        _ => return Err(unsupported_integrity(algorithm)),
    })
}

/// A function that derives the key of a message authentication code from a password.
type MacKey = fn(&MacData, Option<&str>) -> Secret<Vec<u8>>;

fn mac_key<D: Digest + FixedOutputReset + BlockSizeUser>(
    mac: &MacData,
    password: Option<&str>,
) -> Secret<Vec<u8>> {
    let (salt, octets) = (mac.mac_salt.as_bytes(), <D as Digest>::output_size());
    let password = bmp(password);
    let key = derive_key::<D>(
        password.expose(),
        salt,
        Pkcs12KeyType::Mac,
        mac.iterations,
        octets,
    );
    Secret::new(key)
}

/// Returns the bags of one part of the keystore, decrypted if necessary.
fn open(content: &ContentInfo, name: &str, unlock: &DocumentPassword) -> Result<SafeContents> {
    match content.content_type {
        DATA => {
            let data = content.content.decode_as::<OctetString>();
            let data = data.map_err(|_| broken())?;
            parse(data.as_bytes()).ok_or_else(broken)
        }
        ENCRYPTED_DATA => {
            let data = content.content.decode_as::<EncryptedData>();
            let data = data.map_err(|_| broken())?.enc_content_info;
            let ciphertext = data.encrypted_content.ok_or_else(broken)?;
            let algorithm = data.content_enc_alg.owned_to_ref();
            decrypt(
                algorithm,
                ciphertext.as_bytes(),
                Lock::Entry(name),
                unlock,
                |bags| parse(bags.expose()),
            )
        }
        _ => Err(Error::invalid(
            "PKCS#12 keystores encrypted to a certificate are not supported",
        )),
    }
}

/// Reads the keys of the alias and all certificates from bags, including nested ones. A bag that jwks
/// cannot use is left out.
fn collect(
    bags: SafeContents,
    mut contents: Bundle,
    alias: Option<&str>,
    unlock: &DocumentPassword,
) -> Result<Bundle> {
    let mut named = Vec::new();
    let mut aliases = Vec::new();
    let mut pending: Vec<SafeBag> = bags.into_iter().rev().collect();
    while let Some(bag) = pending.pop() {
        let name = friendly_name(&bag);
        let is_wanted = alias.is_none() || name.as_deref() == alias;
        let place = match &name {
            Some(name) => format!("{name:?} of the keystore"),
            None => "a keystore entry without an alias".into(),
        };
        let content = AnyRef::from_der(&bag.bag_value).map(|value| value.value());
        let content = || content.map_err(|_| broken());
        let key = |read: &dyn Fn(&[u8]) -> Result<Members<'static>>| {
            let key = content().and_then(read).map(Bundle::from);
            key.map(|key| key.with_alias(name.as_deref()))
        };
        match bag.bag_id {
            pkcs12::PKCS_12_CERT_BAG_OID => match content().and_then(certificate) {
                Ok(certificate) => {
                    if alias.is_some() && is_wanted {
                        named.push(certificate.clone());
                    }
                    contents.extend(Bundle::from(certificate).with_alias(name.as_deref()));
                }
                Err(error) if is_wanted => contents.take(&place, Part::Other, Err(error))?,
                Err(_) => {}
            },
            pkcs12::PKCS_12_SAFE_CONTENTS_BAG_OID => {
                let inner =
                    content().and_then(|it| SafeContents::from_der(it).map_err(|_| broken()));
                match inner {
                    Ok(inner) => pending.extend(inner.into_iter().rev()),
                    Err(error) => contents.take(&place, Part::PrivateKey, Err(error))?,
                }
                continue;
            }
            pkcs12::PKCS_12_KEY_BAG_OID if is_wanted => {
                contents.take(&place, Part::PrivateKey, key(&der::read))?;
            }
            pkcs12::PKCS_12_PKCS8_KEY_BAG_OID if is_wanted => {
                let lock = Lock::Entry(&place);
                let read = key(&|bag| encrypted_pkcs8(bag, lock, unlock));
                contents.take(&place, Part::PrivateKey, read)?;
            }
            pkcs12::PKCS_12_SECRET_BAG_OID if is_wanted => {
                let read = key(&|bag| secret(bag, Lock::Entry(&place), unlock));
                contents.take(&place, Part::PrivateKey, read)?;
            }
            _ => {}
        }
        aliases.extend(name);
    }
    if let Some(alias) = alias {
        contents = contents.of_alias(alias, named, aliases)?;
    }
    contents.or_nothing("the PKCS#12 keystore has no key")
}

/// Returns the friendlyName of a bag (RFC 2985 section 5.5.1), which Java calls the alias.
fn friendly_name(bag: &SafeBag) -> Option<String> {
    let mut attributes = bag.bag_attributes.as_ref()?.iter();
    let name = attributes.find(|attribute| attribute.oid == FRIENDLY_NAME)?;
    let name = name.values.iter().next()?.decode_as::<BmpString>().ok()?;
    Some(name.to_string())
}

fn certificate(bag: &[u8]) -> Result<Certificate> {
    let bag = CertBag::from_der(bag).map_err(|_| broken())?;
    let certificate = Certificate::parse(bag.cert_value.as_bytes());
    certificate.ok_or_else(|| Error::invalid("invalid certificate"))
}

/// Reads a shared secret as Java writes it: the bytes of the key in an encrypted PKCS#8 structure.
fn secret(bag: &[u8], lock: Lock, unlock: &DocumentPassword) -> Result<Members<'static>> {
    let read = |bag: &[u8]| -> asn1::Result<OctetString> {
        let mut reader = SliceReader::new(AnyRef::from_der(bag)?.value())?;
        let _kind: ObjectIdentifier = ObjectIdentifier::decode(&mut reader)?;
        let value = ContextSpecific::<OctetString>::decode(&mut reader)?;
        Ok(value.value)
    };
    let encrypted = read(bag).map_err(|_| broken())?;
    let octets = pkcs8_octets(encrypted.as_bytes(), lock, unlock)?;
    let key = PrivateKeyInfoRef::from_der(octets.expose()).map_err(|_| denied())?;
    let mut members = Members::default();
    members.set_text("kty", "oct");
    members.set_text("k", &base64url::encode(key.private_key.as_bytes()));
    Ok(members)
}
