//! The formats of exports.

use clap::ValueEnum;

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// A JWK Set
    Jwks,
    /// One JWK
    Jwk,
    /// PEM: SubjectPublicKeyInfo, PKCS#8 with --private
    Pem,
    /// DER of one key, in the structures of pem
    Der,
    /// PEM of RSA keys as PKCS#1
    Pkcs1,
    /// DER of one RSA key as PKCS#1
    Pkcs1Der,
    /// PEM of EC private keys as SEC1
    Sec1,
    /// DER of one EC private key as SEC1
    Sec1Der,
    /// PKCS#12: a private key with its certificates, encrypted with a password
    Pkcs12,
    /// OpenSSH: public key lines, or a private key file with --private
    Openssh,
    /// PEM of self-signed X.509 certificates
    X509,
    /// A line NAME='…' with a JWK Set, or the JWK of one key
    Dotenv,
    /// Lines NAME='…' with keys in PEM
    DotenvPem,
    /// A Kubernetes ConfigMap, a Secret with --private
    Kubernetes,
    /// The discovery document of --issuer, with the algorithms of the keys
    Discovery,
    /// A JWE of the private JWK Set, or of the JWK of one key, encrypted with a password
    Jwe,
}

impl To {
    /// Returns the name in `--to`.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns true if the format holds only one private key.
    pub fn is_for_one(self) -> bool {
        matches!(
            self,
            To::Der | To::Pkcs1Der | To::Sec1Der | To::Pkcs12 | To::Openssh
        )
    }

    /// Returns true if the format is JSON or contains a JSON document.
    pub fn is_json(self) -> bool {
        matches!(
            self,
            To::Jwks | To::Jwk | To::Dotenv | To::Kubernetes | To::Jwe
        )
    }
}

/// The formats that can have a password. PKCS#12 and JWE always have one.
pub const ENCRYPTED: &[To] = &[To::Pem, To::Der, To::Openssh, To::Pkcs12, To::Jwe];
