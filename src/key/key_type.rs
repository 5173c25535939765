//! The registered key types and the members that belong to each (RFC 7518 section 6, RFC 8037,
//! RFC 9964).

/// A registered `kty`.
#[derive(Debug)]
pub struct KeyType {
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
        name: "RSA",
        public: &["n", "e"],
        private: &["d", "p", "q", "dp", "dq", "qi", "oth"],
        thumbprint: &["e", "kty", "n"],
    },
    KeyType {
        name: "EC",
        public: &["crv", "x", "y"],
        private: &["d"],
        thumbprint: &["crv", "kty", "x", "y"],
    },
    KeyType {
        name: "OKP",
        public: &["crv", "x"],
        private: &["d"],
        thumbprint: &["crv", "kty", "x"],
    },
    KeyType {
        name: "oct",
        public: &[],
        private: &["k"],
        thumbprint: &["k", "kty"],
    },
    KeyType {
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
