//! Spring Security and Spring Authorization Server. The encoder fails if two keys fit an algorithm, even
//! if one of them is public only.

use crate::error::Result;
use crate::key::check::Budget;
use crate::keyset::lifecycle::State;
use crate::layout::content::{jwk_set, private_of};
use crate::layout::{Audience, Chosen, Content, Layout, Lines, Write};

/// The layout.
pub const LAYOUT: Layout = Layout {
    name: "spring",
    about: "Spring Security: a JWK Set with the one private key that signs",
    audience: Audience::Signer,
    states: &[State::Active],
    algorithms: &[],
    lines: Lines::One,
    kid: None,
    has_kids: true,
    variables: &[],
    write: Write::Text(write),
};

fn write(chosen: &Chosen, _: &Budget) -> Result<Content> {
    Ok(Content::json(jwk_set(&private_of(&chosen.keys)?)))
}
