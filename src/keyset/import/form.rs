//! The formats of documents, and how they are detected.

use crate::jwe;
use crate::key::members::Members;
use crate::key::read::{self, der, jks, openssh_public, pem};
use crate::key::strict_json;
use crate::keyset::import::kubernetes;
use serde::de::IgnoredAny;

/// The format of a document, for `--from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// One JSON Web Key
    Jwk,
    /// A JWK Set
    Jwks,
    /// A JWK or JWK Set that a password encrypts (JWE)
    Jwe,
    /// PEM: keys, certificates, requests and PKCS#7 bundles, one or several
    Pem,
    /// DER: one key, certificate, request or PKCS#7 bundle
    Der,
    /// A PKCS#12 keystore
    Pkcs12,
    /// OpenSSH: a private key, or public keys as in authorized_keys, known_hosts and RFC 4716
    Openssh,
    /// A Kubernetes Secret or ConfigMap, in YAML or JSON
    Kubernetes,
    /// A keystore in Java's old format, JKS
    Jks,
    /// The bytes of a shared secret; without FILE, jwks asks on the terminal
    Secret,
}

/// Detects the format of a document. Returns JSON if nothing else matches.
pub fn recognize(document: &[u8]) -> Form {
    if let Ok(text) = std::str::from_utf8(document) {
        if jwe::is_in(text) {
            return Form::Jwe;
        }
        if text.trim_start().starts_with('{') {
            // Searching for the name is faster than parsing the members of a large set.
            let is_manifest = text.contains("\"apiVersion\"")
                && strict_json::check_size(text).is_ok()
                && Members::parse(text).is_ok_and(|members| members.has("kind"));
            return if is_manifest {
                Form::Kubernetes
            } else {
                Form::Jwks
            };
        }
        if kubernetes::is_manifest(text) {
            return Form::Kubernetes;
        }
        if text.contains(pem::MARKER) {
            let is_array = text.trim_start().starts_with('[')
                && serde_json::from_str::<IgnoredAny>(text).is_ok();
            return if is_array { Form::Jwks } else { Form::Pem };
        }
        if openssh_public::is_in(text) {
            return Form::Openssh;
        }
    }
    match document {
        _ if jks::is_in(document) => Form::Jks,
        [0x30, ..] => match read::kind(document) {
            Some(der::Kind::Pkcs12) => Form::Pkcs12,
            None if std::str::from_utf8(document).is_ok() => Form::Jwks,
            _ => Form::Der,
        },
        _ => Form::Jwks,
    }
}

/// Returns true if a JSON value is an object with `kty`.
pub(super) fn is_jwk(json: &str) -> bool {
    json.starts_with('{') && json.contains("\"kty\"")
}
