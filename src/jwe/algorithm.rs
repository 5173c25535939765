//! The algorithms of encrypted documents: key derivation and content encryption.

use josekit::jwe::JweContentEncryption;
use josekit::jwe::alg::aeskw::AeskwJweAlgorithm;
use josekit::jwe::enc::aescbc_hmac::AescbcHmacJweEncryption;
use josekit::jwe::enc::aesgcm::AesgcmJweEncryption;
use openssl::hash::MessageDigest;

/// A key-derivation algorithm. The derived key wraps the content key (RFC 7518 section 4.8).
pub(super) struct Derivation {
    /// `alg`.
    pub name: &'static str,
    /// The hash of PBKDF2's HMAC.
    pub digest: fn() -> MessageDigest,
    /// The key wrap of the content key.
    pub wrap: AeskwJweAlgorithm,
    /// The length of the derived key in bytes.
    pub octets: usize,
}

const DERIVATIONS: &[Derivation] = &[
    Derivation {
        name: "PBES2-HS256+A128KW",
        digest: MessageDigest::sha256,
        wrap: AeskwJweAlgorithm::A128kw,
        octets: 16,
    },
    Derivation {
        name: "PBES2-HS384+A192KW",
        digest: MessageDigest::sha384,
        wrap: AeskwJweAlgorithm::A192kw,
        octets: 24,
    },
    Derivation {
        name: "PBES2-HS512+A256KW",
        digest: MessageDigest::sha512,
        wrap: AeskwJweAlgorithm::A256kw,
        octets: 32,
    },
];

impl Derivation {
    /// The algorithm that jwks uses to encrypt.
    pub const OURS: &Derivation = &DERIVATIONS[2];

    pub fn named(name: &str) -> Option<&'static Derivation> {
        DERIVATIONS
            .iter()
            .find(|derivation| derivation.name == name)
    }

    pub fn names() -> String {
        let names: Vec<_> = DERIVATIONS
            .iter()
            .map(|derivation| derivation.name)
            .collect();
        names.join(", ")
    }
}

/// A content encryption algorithm (RFC 7518 section 5).
pub(super) struct Encryption {
    /// `enc`.
    pub name: &'static str,
    /// The cipher.
    pub cipher: Cipher,
    /// The length of the authentication tag in bytes.
    pub tag_octets: usize,
    /// The block size of the ciphertext in bytes.
    pub block_octets: usize,
}

/// The implementation in josekit.
#[derive(Clone, Copy)]
pub(super) enum Cipher {
    Cbc(AescbcHmacJweEncryption),
    Gcm(AesgcmJweEncryption),
}

const fn cbc(name: &'static str, cipher: AescbcHmacJweEncryption, tag_octets: usize) -> Encryption {
    Encryption {
        name,
        cipher: Cipher::Cbc(cipher),
        tag_octets,
        block_octets: 16,
    }
}

const fn gcm(name: &'static str, cipher: AesgcmJweEncryption) -> Encryption {
    Encryption {
        name,
        cipher: Cipher::Gcm(cipher),
        tag_octets: 16,
        block_octets: 1,
    }
}

const ENCRYPTIONS: &[Encryption] = &[
    cbc("A128CBC-HS256", AescbcHmacJweEncryption::A128cbcHs256, 16),
    cbc("A192CBC-HS384", AescbcHmacJweEncryption::A192cbcHs384, 24),
    cbc("A256CBC-HS512", AescbcHmacJweEncryption::A256cbcHs512, 32),
    gcm("A128GCM", AesgcmJweEncryption::A128gcm),
    gcm("A192GCM", AesgcmJweEncryption::A192gcm),
    gcm("A256GCM", AesgcmJweEncryption::A256gcm),
];

impl Encryption {
    /// The algorithm that jwks uses to encrypt.
    pub const OURS: &Encryption = &ENCRYPTIONS[5];

    pub fn named(name: &str) -> Option<&'static Encryption> {
        ENCRYPTIONS
            .iter()
            .find(|encryption| encryption.name == name)
    }

    pub fn names() -> String {
        let names: Vec<_> = ENCRYPTIONS
            .iter()
            .map(|encryption| encryption.name)
            .collect();
        names.join(", ")
    }

    /// Returns the implementation.
    pub fn content(&self) -> &dyn JweContentEncryption {
        match &self.cipher {
            Cipher::Cbc(cipher) => &**cipher,
            Cipher::Gcm(cipher) => &**cipher,
        }
    }

    /// Returns the length of the content key in bytes.
    pub fn key_octets(&self) -> usize {
        self.content().key_len()
    }

    /// Returns the length of the initialization vector in bytes.
    pub fn iv_octets(&self) -> usize {
        self.content().iv_len()
    }
}
