//! The sets and algorithms with which Hydra signs its own tokens.

use crate::keyset::issuer::{Issuer, WithoutKey};
use crate::remote::kind::hydra::key_pairs::Order;

/// The sets with which Hydra signs its own tokens.
const OWN_SETS: &[&str] = &["hydra.openid.id-token", "hydra.jwt.access-token"];

/// The rules of 2.x.
pub static ISSUER: Issuer = Issuer {
    sets: OWN_SETS,
    algorithms: &[
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    ],
    without_key: WithoutKey::Generates,
};

/// The rules of 1.x. It signs with RS256 even if a key has another RSA algorithm, and fails with all other
/// keys.
pub static ISSUER_V1: Issuer = Issuer {
    sets: OWN_SETS,
    algorithms: &["RS256"],
    without_key: WithoutKey::Fails,
};

/// Returns how strictly the order of the halves of a 1.x set is checked.
pub fn order(set: &str) -> Order {
    if ISSUER_V1.owns(set) {
        Order::Signs
    } else {
        Order::Other
    }
}
