//! Writes a private key and its certificates as PKCS#12 (RFC 7292).

use crate::error::{Error, Result};
use crate::key::certificate::Certificate;
use crate::key::key_type::Kty;
use crate::key::members::Members;
use crate::key::write::{Document, openssl_failed, pkcs8};
use crate::secret::Secret;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::stack::Stack;

/// The iteration count for each of the key, the certificates and the MAC. .NET allows 600,000 in
/// total.
const ITERATIONS: u32 = 100_000;

/// The longest alias in bytes.
const ALIAS_LIMIT: usize = 255;

/// Returns an error if a key cannot be written to a PKCS#12 file with this alias.
pub fn check_pkcs12(members: &Members, alias: &str) -> Result<()> {
    if !matches!(members.kty(), Some(Kty::Rsa | Kty::Ec | Kty::Okp)) {
        let kty = members.string("kty").unwrap_or_default();
        return Err(Error::refused(format!("{kty} keys have no PKCS#12 form"))
            .hint("use --to jwk or --to jwks"));
    }
    let alias_fits = !alias.is_empty() && alias.len() <= ALIAS_LIMIT;
    if !alias_fits || alias.contains(char::is_control) {
        return Err(
            Error::usage(format!("invalid alias {alias:?}")).hint(format!(
                "use 1 to {ALIAS_LIMIT} bytes without control characters"
            )),
        );
    }
    Ok(())
}

/// Writes a private key and its chain, leaf first, to a PKCS#12 file with a password. It uses PBES2
/// with AES-256-CBC and PBKDF2 with HMAC-SHA256, and a MAC with SHA-256, as OpenSSL 3 does. OpenSSL
/// 1.1, Java 8u301 and Windows 10 (1709) and later can read it. Returns an error as [`check_pkcs12`]
/// does, or if the password contains a NUL character.
pub fn pkcs12(
    members: &Members,
    chain: &[Certificate],
    alias: &str,
    password: &Secret<String>,
) -> Result<Document> {
    check_pkcs12(members, alias)?;
    if password.expose().contains('\0') {
        return Err(Error::usage("the password contains a NUL character"));
    }
    let key = PKey::private_key_from_pkcs8(pkcs8(members)?.der()).map_err(openssl_failed)?;
    let build = || {
        let mut builder = Pkcs12::builder();
        builder
            .name(alias)
            .pkey(&key)
            .key_algorithm(Nid::AES_256_CBC)
            .cert_algorithm(Nid::AES_256_CBC)
            .key_iter(ITERATIONS)
            .mac_iter(ITERATIONS)
            .mac_md(MessageDigest::sha256());
        if let [leaf, others @ ..] = chain {
            let mut stack = Stack::new()?;
            for certificate in others {
                stack.push(certificate.x509().to_owned())?;
            }
            builder.cert(leaf.x509()).ca(stack);
        }
        builder.build2(password.expose())?.to_der()
    };
    Ok(Document::new("PKCS12", build().map_err(openssl_failed)?))
}
