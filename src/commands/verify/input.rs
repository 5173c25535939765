//! The token and the detached payload: arguments, files and standard input.

use crate::commands::verify::VerifyArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::jws::{LARGEST_PAYLOAD, LARGEST_TOKEN};
use crate::source::document::{STANDARD_INPUT, read_at_most};
use std::path::Path;

/// Returns the target and the token among the words of the command line.
pub(super) fn words(args: &VerifyArgs) -> Result<(Option<&str>, &str)> {
    let is_token = |word: &str| word == STANDARD_INPUT || is_token(word);
    match (args.target.as_deref(), args.token.as_deref()) {
        (None, _) => Ok((None, STANDARD_INPUT)),
        (Some(word), None) if args.decode || is_token(word) => Ok((None, word)),
        (Some(_), Some(_)) if args.decode => {
            Err(Error::usage("--decode takes only a token").hint("leave the set out"))
        }
        (Some(_), _) if args.online => Err(Error::usage("--online takes no set")
            .hint("leave the set out, or name the address of the issuer in its place")),
        (target, token) => Ok((target, token.unwrap_or(STANDARD_INPUT))),
    }
}

/// Returns true if a word looks like a token: a header begins with `{"`, which is `eyJ` as base64url.
fn is_token(word: &str) -> bool {
    word.starts_with("eyJ") && word.contains('.')
}

/// Returns the text of a token: the word, the file that it names, or standard input. One line feed at the end of a
/// file is left out.
pub(super) fn token(ctx: &Context, word: &str) -> Result<String> {
    // A word with less than three segments can only be a file.
    if word.split('.').count() > 2 && (is_token(word) || !Path::new(word).exists()) {
        return Ok(word.to_owned());
    }
    let octets = read_at_most(LARGEST_TOKEN, word, &ctx.out)?;
    let text = String::from_utf8(octets);
    let text = text.map_err(|_| Error::invalid("the token is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Returns the payload of --payload.
pub(super) fn payload(ctx: &Context, args: &VerifyArgs) -> Result<Option<Vec<u8>>> {
    let path = args.payload.as_ref();
    path.map(|path| read_at_most(LARGEST_PAYLOAD, path, &ctx.out))
        .transpose()
}
