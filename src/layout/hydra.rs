//! Ory Hydra: the body of a PUT to a key set, as `jwks push` sends it.

use crate::error::{Error, Result};
use crate::key::check::Budget;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::State;
use crate::keyset::push::{Policy, plan};
use crate::layout::{Audience, Content, Layout, Lines, Write};
use crate::remote::kind::ServerKind;
use crate::remote::kind::hydra::{HYDRA, HYDRA_V1, document};
use crate::secret::Secret;

/// Hydra 2.x.
pub const LAYOUT: Layout = Layout {
    name: "hydra",
    about: "Ory Hydra 2.x: the body of a PUT to /admin/keys/SET",
    audience: Audience::Signer,
    states: &[State::Active, State::Pending, State::Retired],
    algorithms: &[],
    lines: Lines::All,
    kid: None,
    has_kids: true,
    variables: &[],
    write: Write::Body(&HYDRA),
};

/// Hydra 1.x.
pub const LAYOUT_V1: Layout = Layout {
    name: "hydra-v1",
    about: "Ory Hydra 1.x: the body of a PUT to /keys/SET",
    algorithms: &["RS256"],
    write: Write::Body(&HYDRA_V1),
    ..LAYOUT
};

/// Returns the body of a PUT of a set to a Hydra that has none.
pub(super) fn body(kind: &ServerKind, set: &KeySet, now: i64, budget: &Budget) -> Result<Content> {
    let policy = Policy {
        now,
        // The signing key comes first, and it must be one with which the server can sign.
        issuer: kind.rules.issuer,
        ..Policy::default()
    };
    let plan = plan(set, &KeySet::default(), &kind.rules, policy, budget)?;
    if plan.set.keys.is_empty() {
        let name = kind.name;
        return Err(Error::refused(format!("{name} accepts no key of the set"))
            .hint("run `jwks create SET --alg RS256` for a key that it accepts"));
    }
    let mut content = Content::json(Secret::new(document(kind, &plan.set) + "\n"));
    let refused = plan.refused.iter().map(|(name, why)| (name, why.as_str()));
    let left_out = plan.left_out.iter().map(|(name, why)| (name, *why));
    for (name, why) in left_out.chain(refused) {
        let name = name.shown();
        content.warnings.push(format!("left out {name}: {why}"));
    }
    Ok(content)
}
