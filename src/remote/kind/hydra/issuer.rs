//! What Hydra signs its own tokens with.

use super::halves::Order;
use crate::keyset::issuer::{Issuer, WithoutKey};

/// The sets that Hydra signs its own tokens with.
const OWN_SETS: &[&str] = &["hydra.openid.id-token", "hydra.jwt.access-token"];

/// What 2.x signs with.
pub static ISSUER: Issuer = Issuer {
    sets: OWN_SETS,
    algorithms: &[
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    ],
    without_key: WithoutKey::Generates,
};

/// What 1.x signs with: other RSA algorithms come out as RS256, and all else fails.
pub static ISSUER_V1: Issuer = Issuer {
    sets: OWN_SETS,
    algorithms: &["RS256"],
    without_key: WithoutKey::Fails,
};

/// How the order of the halves of a set of 1.x is judged.
pub fn order(set: &str) -> Order {
    match ISSUER_V1.owns(set) {
        true => Order::Signs,
        false => Order::Other,
    }
}
