//! The registered key types and the members that belong to each (RFC 7518 section 6, RFC 8037,
//! RFC 9964).

/// A registered key type, for a `match` over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kty {
    /// RSA keys.
    Rsa,
    /// Keys on a curve with coordinates x and y.
    Ec,
    /// Keys on a curve whose points are strings of bytes (RFC 8037).
    Okp,
    /// Symmetric keys.
    Oct,
    /// Key pairs of one algorithm (RFC 9964).
    Akp,
}

/// The name and the members of a key type.
#[derive(Debug)]
pub struct KeyType {
    /// The key type.
    pub kty: Kty,
    /// The `kty` value, case-sensitive.
    pub name: &'static str,
    /// The members of the public key, all required; `crv` aside, all are base64url.
    pub public: &'static [&'static str],
    /// The members of the private or symmetric key.
    pub private: &'static [&'static str],
    /// The members that RFC 7638 (RFC 8037, RFC 9964) makes the thumbprint of, in its order.
    pub thumbprint: &'static [&'static str],
}

/// Every key type that jwks knows.
pub static KEY_TYPES: &[KeyType] = &[
    KeyType {
        kty: Kty::Rsa,
        name: "RSA",
        public: &["n", "e"],
        private: &["d", "p", "q", "dp", "dq", "qi", "oth"],
        thumbprint: &["e", "kty", "n"],
    },
    KeyType {
        kty: Kty::Ec,
        name: "EC",
        public: &["crv", "x", "y"],
        private: &["d"],
        thumbprint: &["crv", "kty", "x", "y"],
    },
    KeyType {
        kty: Kty::Okp,
        name: "OKP",
        public: &["crv", "x"],
        private: &["d"],
        thumbprint: &["crv", "kty", "x"],
    },
    KeyType {
        kty: Kty::Oct,
        name: "oct",
        public: &[],
        private: &["k"],
        thumbprint: &["k", "kty"],
    },
    KeyType {
        kty: Kty::Akp,
        name: "AKP",
        public: &["pub"],
        private: &["priv"],
        thumbprint: &["alg", "kty", "pub"],
    },
];

impl KeyType {
    /// The key type with this registered name.
    pub fn named(name: &str) -> Option<&'static KeyType> {
        KEY_TYPES.iter().find(|key_type| key_type.name == name)
    }

    /// Whether the member belongs to this type's public or private key.
    pub fn owns(&self, member: &str) -> bool {
        self.public.contains(&member) || self.private.contains(&member)
    }

    /// Whether keys of this type are shared secrets, without a public form.
    pub fn is_symmetric(&self) -> bool {
        self.public.is_empty()
    }
}
