//! The registered key types and their members (RFC 7518 section 6, RFC 8037, RFC 9964).

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
    /// The `kty` value. Case matters.
    pub name: &'static str,
    /// The members of the public key. All are required, and all but `crv` are base64url.
    pub public: &'static [&'static str],
    /// The members of the private or symmetric key.
    pub private: &'static [&'static str],
    /// The members that the thumbprint is computed from, in order (RFC 7638, 8037, 9964).
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
    /// Finds the key type with this registered name.
    pub fn named(name: &str) -> Option<&'static KeyType> {
        KEY_TYPES.iter().find(|key_type| key_type.name == name)
    }

    /// Returns true if the member belongs to the public or private key of this type.
    pub fn owns(&self, member: &str) -> bool {
        self.public.contains(&member) || self.private.contains(&member)
    }

    /// Returns true if keys of this type are shared secrets, which have no public form.
    pub fn is_symmetric(&self) -> bool {
        self.public.is_empty()
    }
}
