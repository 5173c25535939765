//! OpenIddict and other programs on .NET: a PKCS#12 file with a certificate
//! that is valid from the `nbf` of the key.

use crate::keyset::lifecycle::State;
use crate::layout::{Audience, Layout, Lines, Write};

/// The layout.
pub const LAYOUT: Layout = Layout {
    name: "openiddict",
    about: "OpenIddict and .NET: a PKCS#12 file with the key that signs",
    audience: Audience::Signer,
    states: &[State::Active],
    algorithms: &[
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    ],
    lines: Lines::One,
    kid: None,
    has_kids: false,
    variables: &[],
    write: Write::Pkcs12,
};
