//! Signs tokens. josekit signs, except for two families: it lacks ML-DSA, and it takes long to read an EC key. OpenSSL
//! signs those.

use crate::error::{Error, Result};
use crate::jws::compact::{is_plain, signing_input};
use crate::jws::family::{Family, family_of};
use crate::key::algorithm::Algorithm;
use crate::key::base64url;
use crate::key::members::Members;
use crate::key::openssl_key::ec_private_key;
use crate::key::write::{pkcs8, to_jwk};
use crate::secret::Secret;
use josekit::jws::{
    EdDSA, HS256, HS384, HS512, JwsSigner, PS256, PS384, PS512, RS256, RS384, RS512,
};
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Private};
use std::fmt;

/// How a payload stands in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadForm {
    /// False to sign the payload without encoding it as base64url (RFC 7797).
    pub is_encoded: bool,
    /// True to leave the payload out of the token (RFC 7515 appendix F).
    pub is_detached: bool,
}

impl PayloadForm {
    /// The payload as base64url in the token.
    pub const WHOLE: PayloadForm = PayloadForm {
        is_encoded: true,
        is_detached: false,
    };
}

/// A private or symmetric key that signs with one algorithm.
pub struct Signer {
    algorithm: &'static Algorithm,
    engine: Engine,
}

enum Engine {
    Josekit(Box<dyn JwsSigner>),
    MlDsa(PKey<Private>),
    Ecdsa {
        key: EcKey<Private>,
        digest: MessageDigest,
        /// The length of r and of s, in bytes.
        octets: i32,
    },
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("alg", &self.algorithm.name)
            .finish_non_exhaustive()
    }
}

fn not_signed(cause: impl Into<anyhow::Error>) -> Error {
    Error::failed("cannot sign the token").cause(cause)
}

impl Signer {
    /// Creates a signer from a key whose material was checked, and whose [algorithm](crate::jws::algorithm_of) is
    /// this. Returns an error if OpenSSL cannot use the key.
    pub fn new(members: &Members, algorithm: &'static Algorithm) -> Result<Signer> {
        let engine = match family_of(algorithm) {
            Some(Family::MlDsa(_)) => {
                let document = pkcs8(members)?;
                let key = PKey::private_key_from_pkcs8(document.der());
                Engine::MlDsa(key.map_err(not_signed)?)
            }
            Some(Family::Ecdsa(digest)) => {
                let key = ec_private_key(members)?;
                let octets = key.group().degree().div_ceil(8) as i32;
                Engine::Ecdsa {
                    key,
                    digest,
                    octets,
                }
            }
            _ => Engine::Josekit(josekit_signer(members, algorithm)?),
        };
        Ok(Signer { algorithm, engine })
    }

    /// Returns the `alg` of the tokens.
    pub fn alg(&self) -> &'static str {
        self.algorithm.name
    }

    /// Signs a payload, and returns the token. `header` has the members of the header, without `alg`, `crit` and
    /// `b64`. Returns an error if a payload that is not encoded has a character that a token cannot have.
    pub fn token(&self, header: &Members, payload: &[u8], form: PayloadForm) -> Result<String> {
        let mut protected = Members::default();
        protected.set_text("alg", self.alg());
        protected.overlay(header.iter());
        if !form.is_encoded {
            protected.set_raw("b64", "false");
            protected.set_texts("crit", &["b64"]);
            if !form.is_detached && !is_plain(payload) {
                let message =
                    "the payload has characters that a token cannot have without encoding";
                return Err(
                    Error::invalid(message).hint("pass --detached, or leave --unencoded out")
                );
            }
        }
        let encoded_header = base64url::encode(protected.to_json());
        let input = signing_input(&encoded_header, payload, form.is_encoded);
        let signature = base64url::encode(self.sign(&input)?);
        if form.is_detached {
            return Ok(format!("{encoded_header}..{signature}"));
        }
        // The input has only ASCII: base64url, or a payload that was checked above.
        let input = String::from_utf8(input).map_err(not_signed)?;
        Ok(format!("{input}.{signature}"))
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>> {
        match &self.engine {
            Engine::Josekit(signer) => signer.sign(input).map_err(not_signed),
            Engine::Ecdsa {
                key,
                digest,
                octets,
            } => {
                let sign = || {
                    let digest = hash(*digest, input)?;
                    let signature = EcdsaSig::sign(&digest, key)?;
                    let mut octets_of_both = signature.r().to_vec_padded(*octets)?;
                    octets_of_both.extend(signature.s().to_vec_padded(*octets)?);
                    Ok(octets_of_both)
                };
                sign().map_err(|error: ErrorStack| not_signed(error))
            }
            Engine::MlDsa(key) => openssl::sign::Signer::new_without_digest(key)
                .and_then(|mut signer| signer.sign_oneshot_to_vec(input))
                .map_err(not_signed),
        }
    }
}

fn josekit_signer(members: &Members, algorithm: &Algorithm) -> Result<Box<dyn JwsSigner>> {
    if let Some(Family::Hmac(_)) = family_of(algorithm) {
        let k = members.string("k").unwrap_or_default();
        let k =
            Secret::new(base64url::decode(&k).map_err(|_| Error::invalid("k is not base64url"))?);
        let hmac = match algorithm.name {
            "HS256" => HS256,
            "HS384" => HS384,
            _ => HS512,
        };
        let signer = hmac.signer_from_bytes(k.expose()).map_err(not_signed)?;
        return Ok(Box::new(signer));
    }
    let jwk = to_jwk(members)?;
    let signer: Result<Box<dyn JwsSigner>, _> = match algorithm.name {
        "RS256" => RS256.signer_from_jwk(&jwk).map(boxed),
        "RS384" => RS384.signer_from_jwk(&jwk).map(boxed),
        "RS512" => RS512.signer_from_jwk(&jwk).map(boxed),
        "PS256" => PS256.signer_from_jwk(&jwk).map(boxed),
        "PS384" => PS384.signer_from_jwk(&jwk).map(boxed),
        "PS512" => PS512.signer_from_jwk(&jwk).map(boxed),
        // RFC 9864 gives the signatures of EdDSA a name for each curve.
        "EdDSA" | "Ed25519" | "Ed448" => EdDSA.signer_from_jwk(&jwk).map(boxed),
        other => return Err(Error::failed(format!("no signer for {other}"))),
    };
    signer.map_err(not_signed)
}

fn boxed<S: JwsSigner + 'static>(signer: S) -> Box<dyn JwsSigner> {
    Box::new(signer)
}
