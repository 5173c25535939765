//! The facts of one key that listings show.

use crate::key::Key;
use crate::key::check::{self, Budget};
use crate::key::header::{Header, size};
use crate::key::key_type::KeyType;
use crate::key::parts::holds_secret;
use crate::key::thumbprint::thumbprint;
use std::borrow::Cow;

/// The facts of one key in a listing.
#[derive(Clone, Debug)]
pub struct Summary {
    /// `kid`.
    pub kid: Option<String>,
    /// `kty`.
    pub kty: Option<String>,
    /// `crv`.
    pub crv: Option<String>,
    /// The size in bits of an RSA modulus or a symmetric key.
    pub size: Option<u32>,
    /// `alg`.
    pub alg: Option<String>,
    /// `use`.
    pub usage: Option<String>,
    /// `key_ops`.
    pub key_ops: Option<Vec<String>>,
    /// True if the key has a private part.
    pub private: bool,
    /// The RFC 7638 thumbprint of a usable key.
    pub thumbprint: Option<String>,
    /// `iat` in seconds since 1970.
    pub iat: Option<i64>,
    /// `nbf` in seconds since 1970.
    pub nbf: Option<i64>,
    /// `exp` in seconds since 1970.
    pub exp: Option<i64>,
    /// The names of the rules that make the key unusable.
    pub invalid: Vec<&'static str>,
    /// True if jwks knows the key type and curve.
    pub supported: bool,
}

impl Summary {
    /// Summarizes one key. OpenSSL is used only to check a private part, within the budget.
    pub fn of(key: &Key, budget: &Budget) -> Summary {
        let members = key.members().unwrap_or_default();
        let header = Header::of(key);
        let owned = |text: Option<Cow<str>>| text.map(Cow::into_owned);
        let findings = check::material_findings(key, budget);
        let errors = findings.iter();
        let errors = errors.filter(|finding| finding.breaks() == check::Breaks::Key);
        let mut invalid: Vec<_> = errors.map(|finding| finding.rule.name()).collect();
        invalid.dedup();
        let key_ops = members.texts("key_ops").ok().flatten();
        Summary {
            thumbprint: thumbprint(&members).filter(|_| invalid.is_empty()),
            size: size(&members),
            private: holds_secret(key) && is_known(&header),
            key_ops: key_ops.map(|ops| ops.into_iter().map(Cow::into_owned).collect()),
            supported: check::is_supported(&members),
            invalid,
            iat: header.iat,
            nbf: header.nbf,
            exp: header.exp,
            kid: owned(header.kid),
            kty: owned(header.kty),
            crv: owned(header.crv),
            alg: owned(header.alg),
            usage: owned(header.usage),
        }
    }

    /// Returns the thumbprint, unless the key is symmetric: the thumbprint of a weak secret would help to
    /// guess it (RFC 7638 section 7).
    pub fn public_thumbprint(&self) -> Option<&str> {
        let key_type = self.kty.as_deref().and_then(KeyType::named);
        let is_symmetric = key_type.is_some_and(KeyType::is_symmetric);
        self.thumbprint.as_deref().filter(|_| !is_symmetric)
    }

    /// Returns a short description, such as `RSA 2048`, `P-256` or `oct 256`.
    pub fn kind(&self) -> String {
        let kty = self.kty.as_deref().unwrap_or("?");
        match (&self.crv, self.size) {
            (Some(crv), _) if kty == "EC" || kty == "OKP" => crv.clone(),
            (_, Some(bits)) => format!("{kty} {bits}"),
            _ => kty.to_owned(),
        }
    }
}

fn is_known(header: &Header) -> bool {
    header
        .kty
        .as_deref()
        .is_some_and(|kty| KeyType::named(kty).is_some())
}
