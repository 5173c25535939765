//! Reads JWKs and JWK Sets from JSON.

use crate::error::{Error, Reason, Result};
use crate::key::Key;
use crate::key::members::Members;
use crate::key::strict_json;
use crate::keyset::import::{BINARY_LIMIT, FORMATS, Form, as_text, text, within};
use crate::keyset::{FOREIGN_LIMIT, KeySet};

/// Reads a JWK or a JWK Set. Returns an error for other formats, and for JSON that is not strict.
pub(super) fn read_json(document: &[u8], required: Option<Form>) -> Result<KeySet<'static>> {
    let text = as_text(document)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    strict_json::check_size(text)?;
    let is_key =
        Members::parse(text).is_ok_and(|members| members.has("kty") && !members.has("keys"));
    let set = match (is_key, required) {
        (true, Some(Form::Jwks)) => {
            return Err(Error::invalid("it is a single JWK, not a JWK Set"));
        }
        (false, Some(Form::Jwk)) => return Err(Error::invalid("it is not a single JWK")),
        (true, _) => KeySet::from(vec![Key::from_json(text.trim())]),
        (false, _) => KeySet::parse(text)?,
    };
    strict_json::check_names(text)?;
    strict_json::check_keys(&set.keys)?;
    Ok(set.into_owned())
}

/// Replaces the error of the JSON parser for a document that does not even begin like JSON. The hint for a
/// discovery document names the address of its keys.
pub(super) fn known_format(error: Error, document: &[u8]) -> Error {
    let start = document.trim_ascii_start().first();
    let text = within(document, BINARY_LIMIT).and_then(as_text);
    let members = text.ok().and_then(|text| Members::parse(text).ok());
    if let Some(address) = members.as_ref().and_then(|it| it.string("jwks_uri")) {
        return error.hint(format!(
            "it is a discovery document; its jwks_uri is {address:?}"
        ));
    }
    if !error.to_string().contains("JSON: ") || matches!(start, Some(b'{' | b'[')) {
        return error;
    }
    Error::invalid("unknown key format")
        .hint(FORMATS)
        .because(Reason::UnknownFormat)
}

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
