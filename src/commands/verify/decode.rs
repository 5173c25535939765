//! Prints a token that nobody verified.

use crate::context::Context;
use crate::error::Result;
use crate::jws::{Decoded, claims};
use crate::key::base64url;
use crate::key::members::Members;

/// Prints the header and the claims as JSON, or a payload that is not claims as base64url. Warns that nothing was
/// verified.
pub(super) fn print(ctx: &Context, decoded: &Decoded) -> Result<()> {
    let claims = claims::decode(&decoded.payload);
    let is_json = ctx.out.is_json();
    let json = |members: &Members| {
        if is_json {
            members.to_json()
        } else {
            members.to_pretty_json(2)
        }
    };
    let mut document = Members::default();
    document.set_raw("header", json(&decoded.header));
    match &claims {
        Ok(claims) => document.set_raw("claims", json(claims)),
        Err(_) => document.set_text("payload", &base64url::encode(&decoded.payload)),
    }
    ctx.out
        .warn("nothing was verified: anyone can have made this token");
    let text = if is_json {
        document.to_json()
    } else {
        document.to_pretty_json(0)
    };
    ctx.out.json_text(&(text + "\n"))
}
