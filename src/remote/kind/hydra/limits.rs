//! The keys and names that Hydra accepts.

use crate::error::{Error, Result};
use crate::key::members::Members;

/// The maximum length of the ID of a set or key, in characters.
pub const LONGEST_ID: usize = 255;

/// Returns why Hydra does not accept a key, or `None` if it does. The kid can have up to `longest_id`
/// characters.
pub fn refuses(members: &Members, longest_id: usize) -> Option<String> {
    let kid = members.string("kid").unwrap_or_default();
    if let Some(why) = refuses_kid(&kid, longest_id) {
        return Some(why);
    }
    let crv = members.string("crv").unwrap_or_default();
    match (members.string("kty").as_deref(), &*crv) {
        (Some("EC"), "P-256" | "P-384" | "P-521") | (Some("OKP"), "Ed25519") => None,
        (Some("EC" | "OKP"), crv) => Some(format!("Hydra does not support the curve {crv}")),
        (Some("RSA"), _) if members.has("d") && !(members.has("p") && members.has("q")) => {
            Some("Hydra requires p and q in a private RSA key".into())
        }
        (Some("RSA" | "oct"), _) => None,
        _ => Some("Hydra does not support its kty".into()),
    }
}

/// Returns why Hydra does not accept a kid, or `None` if it does.
pub fn refuses_kid(kid: &str, longest_id: usize) -> Option<String> {
    if kid.is_empty() {
        return Some("Hydra requires a kid".into());
    }
    let is_fine = kid.chars().count() <= longest_id && !kid.chars().any(char::is_control);
    (!is_fine).then(|| {
        format!(
            "Hydra accepts kids of at most {longest_id} characters, none of them a control character"
        )
    })
}

/// Returns true if the path of a call can contain this kid. Not every version accepts an escaped slash,
/// and dots alone make another path.
pub fn fits_in_path(kid: &str) -> bool {
    !matches!(kid, "" | "." | "..") && !kid.contains('/')
}

/// Returns an error for a set name that Hydra does not accept.
pub fn check_set(set: &str) -> Result<()> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    let is_dots = set.chars().all(|c| c == '.');
    if set.len() <= LONGEST_ID && !is_dots && set.chars().all(is_id) {
        Ok(())
    } else {
        Err(
            Error::usage(format!("invalid name for a set of Hydra: {set:?}"))
                .hint("use letters, digits, \".\", \"_\", \":\" and \"-\", at most 255"),
        )
    }
}
