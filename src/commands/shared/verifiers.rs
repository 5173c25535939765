//! Warnings about a set that its declared verifiers do not accept.

use crate::context::Context;
use crate::key::check::{Budget, Severity};
use crate::keyset::KeySet;
use crate::keyset::key_name::named;
use crate::keyset::verifiers::{self, Published};
use crate::output::shorten;

/// The maximum number of warnings about one set.
const MOST_SHOWN: usize = 5;

/// The longest kid that is printed in full, in characters.
const LONGEST_KID: usize = 100;

/// Returns what the declared verifiers of a set refuse in its public form, in words. `set` is the name
/// of the set in messages.
pub fn refusals(ctx: &Context, set: &str, keys: &KeySet) -> Vec<String> {
    refusals_by(ctx, &keys.declared_verifiers(), set, keys)
}

/// Returns what these verifiers refuse, as [`refusals`] does.
pub fn refusals_by(ctx: &Context, declared: &[String], set: &str, keys: &KeySet) -> Vec<String> {
    let (verifiers, unknown) = verifiers::known(declared);
    let mut words: Vec<_> = unknown
        .iter()
        .map(|error| format!("{set}: {error}"))
        .collect();
    if verifiers.is_empty() {
        return words;
    }
    let published = Published::public(keys, ctx.now, &Budget::default());
    let found = verifiers::findings(&published, &verifiers).into_iter();
    let found = found.filter(|located| located.finding.rule.severity() >= Severity::Warning);
    let found = found.map(|located| match (located.index, located.kid) {
        (None, _) => format!("{set}: {}", located.finding.message),
        (Some(_), kid) => {
            let kid = kid.as_deref().map(|kid| shorten(kid, LONGEST_KID));
            let key = named(kid.as_deref());
            format!("{set}: {key}: {}", located.finding.message)
        }
    });
    words.extend(found);
    if words.len() > MOST_SHOWN {
        let more = words.len() - MOST_SHOWN;
        words.truncate(MOST_SHOWN);
        words.push(format!("{set}: its verifiers refuse {more} more"));
    }
    words
}

/// Prints warnings.
pub fn warn(ctx: &Context, words: Vec<String>) {
    for words in words {
        ctx.out.warn(words);
    }
}
