//! The files of verifiers.

use crate::error::{Error, Result};
use crate::key::check::Budget;
use crate::key::write;
use crate::keyset::lifecycle::State;
use crate::layout::content::jwk_set;
use crate::layout::{Audience, Chosen, Content, Layout, Lines, Write};
use crate::secret::Secret;

/// Every key that verifiers need.
const PUBLISHED: &[State] = &[State::Pending, State::Active, State::Retired];

/// A JWK Set.
pub const JWKS: Layout = Layout {
    name: "jwks",
    about: "Verifiers: the public JWK Set",
    audience: Audience::Verifiers,
    states: PUBLISHED,
    algorithms: &[],
    lines: Lines::All,
    kid: None,
    has_kids: true,
    variables: &[],
    write: Write::Text(jwks),
};

/// PEM.
pub const PEM: Layout = Layout {
    name: "pem",
    about: "Verifiers: the public keys in PEM",
    has_kids: false,
    write: Write::Text(pem),
    ..JWKS
};

fn jwks(chosen: &Chosen, _: &Budget) -> Result<Content> {
    let public: Vec<_> = chosen
        .keys
        .iter()
        .filter_map(|key| key.public.as_ref())
        .collect();
    Ok(Content::json(jwk_set(&public)))
}

fn pem(chosen: &Chosen, _: &Budget) -> Result<Content> {
    let mut text = String::new();
    for key in chosen.keys.iter().filter_map(|key| key.public.as_ref()) {
        text.push_str(&write::spki(key)?.to_pem());
    }
    if text.is_empty() {
        return Err(Error::refused("no public key to export"));
    }
    Ok(Content::of(Secret::new(text)))
}
