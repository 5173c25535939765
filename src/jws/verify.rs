//! Verifies signatures with OpenSSL. The lengths of signatures are exact.

use crate::error::{Error, Result};
use crate::jws::compact::Token;
use crate::jws::family::{Family, family_of};
use crate::jws::fitness::{Act, algorithm_of, unfitness};
use crate::jws::refusal::{Cause, Refusal};
use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::base64url;
use crate::key::check::{Budget, excerpt, findings_at};
use crate::key::curve::Curve;
use crate::key::members::Members;
use crate::key::openssl_key::public_key;
use crate::key::write::spki;
use crate::secret::Secret;
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};

/// Verifies the signature of a token with a key, and returns the algorithm of the key. `asked` is the algorithm that
/// the user demands. `now` is in seconds since 1970. The key is checked within the budget.
///
/// Returns a refusal if the key is invalid or not for this, if the header names another algorithm than that of the
/// key, and if the signature does not match. The dates of the key are not checked.
pub fn verify(
    token: &Token,
    payload: &[u8],
    key: &Key,
    asked: Option<&str>,
    (now, budget): (i64, &Budget),
) -> Result<&'static Algorithm, Refusal> {
    let members = key.members().unwrap_or_default();
    let findings = findings_at(key, now, budget);
    if let Some(refusal) = unfitness(&members, &findings, Act::Verify) {
        return Err(refusal);
    }
    let algorithm = algorithm_of(&members, asked)?;
    let (alg, own) = (&token.header().alg, algorithm.name);
    if alg != own {
        let message = format!(
            "the key is for {own}, and the alg of the token is {}",
            excerpt(alg)
        );
        return Err(Refusal::new(Cause::Algorithm, message));
    }
    match is_signature(token, payload, &members, algorithm) {
        Ok(true) => Ok(algorithm),
        Ok(false) => {
            let message = "the signature does not match the key";
            Err(Refusal::new(Cause::Signature, message))
        }
        Err(error) => Err(Refusal::new(Cause::InvalidKey, error.to_string())),
    }
}

/// Returns true if the signature of a token matches a payload, for a key whose material was checked and whose
/// algorithm is this. Returns an error if OpenSSL cannot use the key.
fn is_signature(
    token: &Token,
    payload: &[u8],
    members: &Members,
    algorithm: &Algorithm,
) -> Result<bool> {
    let (input, signature) = (token.signing_input(payload), token.signature());
    let verified = match family_of(algorithm) {
        Some(Family::Hmac(digest)) => is_mac(members, digest, &input, signature)?,
        Some(Family::Pkcs1(digest)) => is_rsa(members, digest, Padding::PKCS1, &input, signature)?,
        Some(Family::Pss(digest)) => {
            is_rsa(members, digest, Padding::PKCS1_PSS, &input, signature)?
        }
        Some(Family::Ecdsa(digest)) => is_ecdsa(members, digest, &input, signature)?,
        // The signature is twice as long as the key (RFC 8032 sections 5.1.6 and 5.2.6).
        Some(Family::Edwards) => {
            let octets = curve(members)?.octets * 2;
            is_pure(&public_key(members)?, octets, &input, signature)
        }
        Some(Family::MlDsa(octets)) => {
            let document = spki(members)?;
            let key = PKey::public_key_from_der(document.der()).map_err(unusable)?;
            is_pure(&key, octets, &input, signature)
        }
        None => Ok(false),
    };
    // OpenSSL reports some signatures that do not match as errors.
    Ok(verified.unwrap_or(false))
}

fn unusable(error: ErrorStack) -> Error {
    Error::failed("OpenSSL cannot verify with the key").cause(error)
}

fn curve(members: &Members) -> Result<&'static Curve> {
    let curve = members.string("crv").and_then(|crv| Curve::named(&crv));
    curve.ok_or_else(|| Error::invalid("the key has no curve"))
}

/// The result of OpenSSL for one signature.
type Verified = Result<bool, ErrorStack>;

fn is_mac(
    members: &Members,
    digest: MessageDigest,
    input: &[u8],
    signature: &[u8],
) -> Result<Verified> {
    let k = members.string("k").unwrap_or_default();
    let k = Secret::new(base64url::decode(&k).map_err(|_| Error::invalid("k is not base64url"))?);
    let key = PKey::hmac(k.expose()).map_err(unusable)?;
    let mac = Signer::new(digest, &key).and_then(|mut signer| signer.sign_oneshot_to_vec(input));
    let mac = Secret::new(mac.map_err(unusable)?);
    // The comparison takes the same time wherever the two differ.
    Ok(Ok(
        mac.expose().len() == signature.len() && memcmp::eq(mac.expose(), signature)
    ))
}

fn is_rsa(
    members: &Members,
    digest: MessageDigest,
    padding: Padding,
    input: &[u8],
    signature: &[u8],
) -> Result<Verified> {
    let key = public_key(members)?;
    if signature.len() != key.size() {
        return Ok(Ok(false));
    }
    let verify = || {
        let mut verifier = Verifier::new(digest, &key)?;
        verifier.set_rsa_padding(padding)?;
        if padding == Padding::PKCS1_PSS {
            verifier.set_rsa_mgf1_md(digest)?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        verifier.verify_oneshot(signature, input)
    };
    Ok(verify())
}

/// Verifies r and s, each with the length of the curve (RFC 7518 section 3.4). Both are from 1 to the order of the
/// curve minus 1.
fn is_ecdsa(
    members: &Members,
    digest: MessageDigest,
    input: &[u8],
    signature: &[u8],
) -> Result<Verified> {
    let curve = curve(members)?;
    let Some(equation) = curve.equation() else {
        return Ok(Ok(false));
    };
    if signature.len() != 2 * curve.octets {
        return Ok(Ok(false));
    }
    let (r, s) = signature.split_at(curve.octets);
    if !equation.is_private_scalar(r) || !equation.is_private_scalar(s) {
        return Ok(Ok(false));
    }
    let key = public_key(members)?;
    let verify = || {
        let numbers = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
        let der = EcdsaSig::from_private_components(numbers.0, numbers.1)?.to_der()?;
        Verifier::new(digest, &key)?.verify_oneshot(&der, input)
    };
    Ok(verify())
}

fn is_pure(key: &PKey<Public>, octets: usize, input: &[u8], signature: &[u8]) -> Verified {
    if signature.len() != octets {
        return Ok(false);
    }
    Verifier::new_without_digest(key)?.verify_oneshot(signature, input)
}
