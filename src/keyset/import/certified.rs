//! Completes JWKs whose public key is only in their certificate (RFC 7517 section 4.7).

use crate::key::Key;
use crate::key::certificate::Certificate;
use crate::key::members::Members;
use crate::keyset::KeySet;

/// The largest number of keys that are completed. Parsing a certificate takes 75 microseconds.
const MOST_COMPLETED: usize = 500;

/// Gives each key that has a certificate chain in `x5c`, and no public key, the key of its first
/// certificate. Returns notes about them.
pub fn complete(set: &mut KeySet<'static>) -> Vec<String> {
    let mut notes = Vec::new();
    // Most sets have no such key, and a search of the text is cheaper than parsing it.
    let candidates = set.keys.iter_mut().filter(|key| {
        let json = key.json();
        let has = |name| json.contains(name);
        has("\"x5c\"") && ![r#""n""#, r#""x""#, r#""pub""#].into_iter().any(has)
    });
    for key in candidates.take(MOST_COMPLETED) {
        let completed = key.members().ok().and_then(|members| {
            let kid = members.string("kid").map(|kid| format!("{kid:?}"));
            let kid = kid.unwrap_or_else(|| "a key without a kid".into());
            Some((Key::from(of_certificate(&members)?), kid))
        });
        if let Some((complete, kid)) = completed {
            *key = complete;
            notes.push(format!(
                "took the public key of {kid} from its certificate (x5c)"
            ));
        }
    }
    notes
}

/// Adds the public key of the first certificate to the members of a key. `None` if there is no
/// readable certificate, or if its key has another `kty`.
fn of_certificate(members: &Members) -> Option<Members<'static>> {
    let leaf = Certificate::chain_of(members).into_iter().next()?;
    let public = leaf.public_key().ok()?;
    if members.has("kty") && members.string("kty") != public.string("kty") {
        return None;
    }
    let mut complete = members.clone().into_owned();
    for (name, value) in public.iter().filter(|(name, _)| !members.has(name)) {
        complete.set_raw(name.to_owned(), value.to_owned());
    }
    Some(complete)
}
