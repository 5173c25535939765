//! Reads documents as they are, to check them.

use crate::error::Result;
use crate::key::Key;
use crate::key::members::Members;
use crate::key::strict_json;
use crate::keyset::import::{as_text, text, within};
use crate::keyset::{FOREIGN_LIMIT, KeySet};

/// Reads a JWK or a JWK Set with all its faults, even duplicate members, to check it. Returns `None` if the
/// document is something else, and an error if it is too large.
pub fn read_faulty(document: &[u8]) -> Result<Option<KeySet<'static>>> {
    let document = text::without_mark(document);
    let Ok(json) = as_text(within(document, FOREIGN_LIMIT)?) else {
        return Ok(None);
    };
    if !json.trim_start().starts_with('{') {
        return Ok(None);
    }
    strict_json::check_size(json)?;
    strict_json::check_members(json)?;
    let is_key = serde_json::from_str::<Members>(json)
        .is_ok_and(|members| members.has("kty") && !members.has("keys"));
    let set = match KeySet::parse(json) {
        _ if is_key => KeySet::from(vec![Key::from_json(json.trim())]),
        Ok(set) => set,
        Err(_) => return Ok(None),
    };
    strict_json::check_keys(&set.keys)?;
    Ok(Some(set.into_owned()))
}
