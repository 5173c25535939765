//! Reads the keys in a Kubernetes manifest. Each value of its data is a document of its own.

use crate::error::Result;
use crate::jwe::Envelope;
use crate::key::read::bundle::{Bundle, Part, nothing_usable};
use crate::key::read::der;
use crate::key::read::document_password::DocumentPassword;
use crate::keyset::KeySet;
use crate::keyset::import::{Form, as_text, jwe, kubernetes, read_contents, read_json, recognize};
use crate::keyset::key_pairs;

/// Reads the keys and certificates in the data of a manifest. Each value is a document of its own. A
/// value that looks like a key and cannot be used is left out with a warning; other values are skipped.
/// Returns an error if there is no key.
pub fn read(text: &str, unlock: &DocumentPassword) -> Result<(KeySet<'static>, Bundle)> {
    let mut contents = Bundle::default();
    let mut set = KeySet::default();
    let mut names = Vec::new();
    for (name, octets) in kubernetes::read(text)? {
        let place = format!("{name:?} of the manifest");
        names.push(format!("{name:?}"));
        let octets = match octets {
            Ok(octets) => octets,
            Err(error) => {
                contents.take(&place, Part::Other, Err(error))?;
                continue;
            }
        };
        let octets = octets.expose();
        let jwks = match recognize(octets) {
            Form::Kubernetes => continue,
            Form::Jwk | Form::Jwks => match read_json(octets, None) {
                Err(_) if !looks_like_jwk(octets) => continue,
                jwks => jwks,
            },
            // An access token in compact form can look like a JWE.
            Form::Jwe if as_text(octets).and_then(Envelope::parse).is_err() => continue,
            Form::Jwe => jwe::read(octets, unlock),
            form => {
                let read = read_contents(octets, form, None, unlock);
                contents.take(&place, part_of(form, octets), read)?;
                continue;
            }
        };
        match jwks {
            Ok(jwks) => {
                set.add_members(&jwks);
                set.keys.extend(jwks.keys);
            }
            Err(error) => contents.take(&place, Part::PrivateKey, Err(error))?,
        }
    }
    if contents.is_empty() && set.keys.is_empty() {
        let message = "a Kubernetes manifest without a key";
        let error = nothing_usable(message, contents.left_out);
        return Err(match (error.advice(), names.is_empty()) {
            (Some(_), _) => error,
            (None, true) => {
                error.hint("run `kubectl get secret NAME -o yaml` to print it with its data")
            }
            (None, false) => error.hint(format!("the data has only {}", first_of(&names))),
        });
    }
    Ok((key_pairs::joined(set), contents))
}

/// Joins the first names, and adds the number of those that are not shown.
fn first_of(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

/// Returns true if a text that is no JWK or JWK Set was probably meant to be one.
fn looks_like_jwk(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets);
    text.contains("\"kty\"") || text.contains("\"keys\"")
}

/// Returns whether a document that cannot be read should hold a private key.
fn part_of(form: Form, octets: &[u8]) -> Part {
    match (form, der::kind(octets)) {
        (Form::Pkcs12 | Form::Jks, _) => Part::PrivateKey,
        (_, Some(kind)) if kind.is_private() => Part::PrivateKey,
        _ => Part::Other,
    }
}
