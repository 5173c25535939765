//! Reads the keys in a Kubernetes manifest. Each value of its data is a document of its own.

use crate::error::Result;
use crate::key::read::bundle::{Part, nothing_usable};
use crate::key::read::document_password::DocumentPassword;
use crate::keyset::import::finder::Finder;
use crate::keyset::import::kubernetes;
use crate::keyset::import::place::Place;
use crate::secret::Secret;
use std::mem;

/// Reads the keys and certificates in a manifest: in the data of Secrets and ConfigMaps, where each
/// value is a document of its own, and inside documents of other kinds. A value that looks like a key
/// and cannot be used is left out with a warning; other values are skipped. Returns an error if there
/// is no key, if the YAML is invalid, or if the password is wrong.
pub fn read<'a>(text: &str, unlock: &'a DocumentPassword<'a>) -> Result<Finder<'a>> {
    let mut finder = Finder::new(unlock);
    let mut names = Vec::new();
    let contents = kubernetes::read(text)?;
    for (name, octets) in contents.items {
        let place = format!("{name:?} of the manifest");
        let place = Place::root(&place);
        names.push(format!("{name:?}"));
        match octets {
            Ok(octets) => finder.document(octets.expose(), &place, None)?,
            Err(error) => finder.leave_out(&place, Part::Other, error)?,
        }
    }
    let has_others = !contents.others.is_empty();
    for other in contents.others {
        let json = Secret::new(other.to_string());
        finder.json(json.expose(), &Place::root(""))?;
    }
    if finder.contents.is_empty() && finder.jwks.keys.is_empty() {
        let message = "the Kubernetes manifest has no key";
        let error = nothing_usable(message, mem::take(&mut finder.contents.left_out));
        return Err(match (error.advice(), names.is_empty()) {
            (Some(_), _) => error,
            (None, true) if has_others => error.hint(
                "pass a Secret or ConfigMap, or a manifest that contains a JWK, JWK Set or PEM",
            ),
            (None, true) => {
                error.hint("run `kubectl get secret NAME -o yaml` to print it with its data")
            }
            (None, false) => error.hint(format!("the data has only {}", first_of(&names))),
        });
    }
    Ok(finder)
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
