//! Django OAuth Toolkit, its settings `OIDC_RSA_PRIVATE_KEY` and `OIDC_RSA_PRIVATE_KEYS_INACTIVE`. It
//! signs with the first, and publishes all of them under their thumbprints.

use crate::error::Result;
use crate::key::check::Budget;
use crate::keyset::kid_from::KidFrom;
use crate::keyset::lifecycle::State;
use crate::layout::content::{private_of, private_pem};
use crate::layout::deployment::lines;
use crate::layout::{Audience, Chosen, Content, Layout, Lines, Write};
use crate::secret::Secret;

/// The kid is the thumbprint.
const KID: KidFrom = KidFrom::Thumbprint;

/// The variable of the key that signs.
const ACTIVE: &str = "OIDC_RSA_PRIVATE_KEY";

/// The variable of the other keys.
const INACTIVE: &str = "OIDC_RSA_PRIVATE_KEYS_INACTIVE";

/// The layout.
pub const LAYOUT: Layout = Layout {
    name: "django-oauth-toolkit",
    about: "Django OAuth Toolkit: variables with private keys in PEM",
    audience: Audience::Signer,
    states: &[State::Active, State::Pending, State::Retired],
    algorithms: &["RS256"],
    lines: Lines::One,
    kid: Some(KID),
    has_kids: false,
    variables: &[ACTIVE, INACTIVE],
    write: Write::Text(write),
};

fn write(chosen: &Chosen, _: &Budget) -> Result<Content> {
    let (active, inactive): (Vec<_>, Vec<_>) = chosen.keys.iter().partition(|key| key.signs);
    let inactive = inactive.into_iter().filter(|key| key.private.is_some());
    let mut text = Secret::new(String::new());
    for (name, keys) in [(ACTIVE, active), (INACTIVE, inactive.collect())] {
        let pem = private_pem(&private_of(keys)?)?;
        let line = lines(name, pem.expose())?;
        text.expose_mut().push_str(line.expose());
    }
    Ok(Content::of(text).warn_of_kids(chosen, LAYOUT.name, KID))
}
