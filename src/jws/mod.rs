//! Signed tokens: the compact form of JWS (RFC 7515), with JWT claims (RFC 7519) or any payload.
//!
//! The algorithm is always that of the key. The header must name the same one, and no member of the header
//! chooses a key or an address: `jku`, `jwk`, `x5u` and `x5c` are never used.

pub mod claims;
mod compact;
mod family;
mod fitness;
mod header;
mod refusal;
mod sign;
mod verify;

pub use compact::{Decoded, LARGEST_PAYLOAD, LARGEST_TOKEN, Token};
pub use fitness::{Act, algorithm_of, is_revoked, unfitness};
pub use header::{Header, RESERVED};
pub use refusal::{Cause, Refusal};
pub use sign::{PayloadForm, Signer};
pub use verify::verify;
