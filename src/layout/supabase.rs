//! Supabase Auth on a server of one's own: its variable `GOTRUE_JWT_KEYS`, and `JWT_JWKS` for the services
//! that verify. Exactly one key of `GOTRUE_JWT_KEYS` has the operation `sign`.

use crate::error::Result;
use crate::key::check::Budget;
use crate::key::members::Members;
use crate::keyset::lifecycle::State;
use crate::layout::deployment::dotenv;
use crate::layout::{Audience, Chosen, ChosenKey, Content, Layout, Lines, Write};
use crate::secret::Secret;

/// The variable of Supabase Auth.
const KEYS: &str = "GOTRUE_JWT_KEYS";

/// The variable of the services that verify.
const JWKS: &str = "JWT_JWKS";

/// The layout.
pub const LAYOUT: Layout = Layout {
    name: "supabase",
    about: "Supabase Auth: the variables GOTRUE_JWT_KEYS and JWT_JWKS",
    audience: Audience::Signer,
    states: &[State::Active, State::Pending, State::Retired],
    algorithms: &["ES256", "RS256", "EdDSA", "HS256"],
    lines: Lines::OneSigns,
    kid: None,
    has_kids: true,
    variables: &[KEYS, JWKS],
    write: Write::Text(write),
};

fn write(chosen: &Chosen, _: &Budget) -> Result<Content> {
    let keys = chosen.keys.iter();
    let signer = keys.filter_map(|key| match (key.signs, &key.private) {
        (true, Some(private)) => Some(with_operations(private, &["sign", "verify"])),
        _ => verifying(key),
    });
    let signer = array(signer.collect());
    let verifiers = array(chosen.keys.iter().filter_map(verifying).collect());
    let verifiers = Secret::new(format!(r#"{{"keys":{}}}"#, verifiers.expose()));
    let mut text = Secret::new(String::new());
    for (name, json) in [(KEYS, signer), (JWKS, verifiers)] {
        let line = dotenv(name, json.expose())?;
        text.expose_mut().push_str(line.expose());
    }
    Ok(Content::of(text))
}

/// Returns the form of a key that only verifies. A symmetric key keeps its secret.
fn verifying(key: &ChosenKey) -> Option<Members<'static>> {
    let form = key.public.as_ref().or(key.private.as_ref())?;
    Some(with_operations(form, &["verify"]))
}

fn with_operations(members: &Members<'static>, operations: &[&str]) -> Members<'static> {
    let mut members = members.clone();
    members.set_texts("key_ops", operations);
    members
}

fn array(keys: Vec<Members<'static>>) -> Secret<String> {
    let mut text = Secret::new(String::from("["));
    for (i, key) in keys.iter().enumerate() {
        let json = Secret::new(key.to_json());
        text.expose_mut().push_str(if i == 0 { "" } else { "," });
        text.expose_mut().push_str(json.expose());
    }
    text.expose_mut().push(']');
    text
}
