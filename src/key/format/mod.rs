//! Keys in other forms than JWK: PEM and DER in and out.
//!
//! Foreign DER is taken apart by strict parsers in Rust; OpenSSL sees numbers, points and
//! certificates only.

pub mod certificate;
pub mod der;
pub(crate) mod openssl_key;
pub mod pem;
pub mod write;
