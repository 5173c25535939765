//! oidc-provider for Node.js, its `jwks` setting. It signs with the first key that fits, publishes all of
//! them, and rejects keys without a private part.

use crate::error::Result;
use crate::key::check::Budget;
use crate::keyset::lifecycle::State;
use crate::layout::content::{jwk_set, private_of};
use crate::layout::{Audience, Chosen, Content, Layout, Lines, Write};

/// The layout.
pub const LAYOUT: Layout = Layout {
    name: "oidc-provider",
    about: "oidc-provider for Node.js: a private JWK Set, signing keys first",
    audience: Audience::Signer,
    states: &[State::Active, State::Pending, State::Retired],
    algorithms: &[],
    lines: Lines::All,
    kid: None,
    has_kids: true,
    variables: &[],
    write: Write::Text(write),
};

fn write(chosen: &Chosen, _: &Budget) -> Result<Content> {
    let (private, public): (Vec<_>, Vec<_>) =
        chosen.keys.iter().partition(|key| key.private.is_some());
    let mut content = Content::json(jwk_set(&private_of(private)?));
    for key in public {
        let name = key.name();
        content
            .warnings
            .push(format!("left out {name}: it has no private part"));
    }
    Ok(content)
}
