//! kube-apiserver, its `--service-account-signing-key-file`. The public keys for
//! `--service-account-key-file` are those of the layout `pem`.

use crate::error::Result;
use crate::key::check::Budget;
use crate::keyset::kid_from::KidFrom;
use crate::keyset::lifecycle::State;
use crate::layout::content::{private_of, private_pem};
use crate::layout::{Audience, Chosen, Content, Layout, Lines, Write};

/// The kid is the digest of the public key.
const KID: KidFrom = KidFrom::Spki;

/// The layout.
pub const LAYOUT: Layout = Layout {
    name: "kube-apiserver",
    about: "kube-apiserver: the private key that signs, in PEM",
    audience: Audience::Signer,
    states: &[State::Active],
    algorithms: &["RS256", "ES256", "ES384", "ES512"],
    lines: Lines::One,
    kid: Some(KID),
    has_kids: false,
    variables: &[],
    write: Write::Text(write),
};

fn write(chosen: &Chosen, _: &Budget) -> Result<Content> {
    let content = Content::of(private_pem(&private_of(&chosen.keys)?)?);
    Ok(content.warn_of_kids(chosen, LAYOUT.name, KID))
}
