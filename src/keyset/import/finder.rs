//! Finds the keys inside other documents: in JSON members, and in strings that hold a document.

use crate::error::{Error, Result};
use crate::jwe::Envelope;
use crate::key::Key;
use crate::key::members::{Members, Text};
use crate::key::read;
use crate::key::read::bundle::{Bundle, Part};
use crate::key::read::document_password::DocumentPassword;
use crate::key::strict_json;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::import::form::is_jwk;
use crate::keyset::import::place::Place;
use crate::keyset::import::{BINARY_LIMIT, Form, as_text, check_kid, jwe, names};
use crate::keyset::import::{read_contents, read_json, recognize, text, token, within};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// The maximum depth at which keys are found. Each level reads the text below it once more.
const DEPTH: usize = 16;

/// The largest number of documents inside one document.
const MOST_DOCUMENTS: usize = 1000;

/// The shortest text that can be a key, in bytes.
const SHORTEST: usize = 24;

/// The longest name that becomes a kid, in bytes.
const LONGEST_KID: usize = 1024;

/// The keys that were found in a document.
pub struct Finder<'a> {
    unlock: &'a DocumentPassword<'a>,
    /// The JWKs.
    pub jwks: KeySet<'static>,
    /// The keys and certificates in other formats.
    pub contents: Bundle,
    /// The names beside the keys in other formats, by thumbprint.
    pub kids: HashMap<String, String>,
    /// The places of the keys, and their number.
    found: Vec<(String, usize)>,
    documents: usize,
}

impl<'a> Finder<'a> {
    /// Creates a finder that has found nothing.
    pub fn new(unlock: &'a DocumentPassword<'a>) -> Self {
        Finder {
            unlock,
            jwks: KeySet::default(),
            contents: Bundle::default(),
            kids: HashMap::new(),
            found: Vec::new(),
            documents: 0,
        }
    }

    /// Returns true if there is no key, no certificate, and nothing that was meant to be one.
    pub fn is_empty(&self) -> bool {
        self.jwks.keys.is_empty() && self.contents.is_empty() && self.contents.left_out.is_empty()
    }

    /// Returns where the keys were found, for notes.
    pub fn notes(&self) -> Vec<String> {
        let note = |(place, count): &(String, usize)| match count {
            1 => format!("found a key in {place}"),
            _ => format!("found {count} keys in {place}"),
        };
        self.found.iter().map(note).collect()
    }

    /// Finds the keys in a JSON text, which is checked first. Returns an error for JSON that is not
    /// strict, for too many keys or documents, and for a wrong password.
    pub fn json(&mut self, json: &str, place: &Place) -> Result<()> {
        strict_json::check(json)?;
        self.value(json, place, None)
    }

    /// Reads a document inside the document. One that looks like a key and cannot be used is left out;
    /// any other is ignored. Returns an error for too many documents or keys, and for a wrong
    /// password.
    pub fn document(&mut self, octets: &[u8], place: &Place, kid: Option<&str>) -> Result<()> {
        let octets = text::without_mark(octets);
        let carried = match text::carried(octets) {
            Ok(carried) => carried,
            Err(error) => return self.leave_out(place, Part::Other, error),
        };
        let octets = carried.as_ref().map_or(octets, |it| it.octets.expose());
        let form = match recognize(octets) {
            Form::Kubernetes | Form::Secret => return Ok(()),
            Form::Jwk | Form::Jwks => return self.json_document(octets, place, kid),
            Form::Jwe => {
                // An access token in compact form can look like a JWE.
                let text = as_text(octets).unwrap_or_default();
                if token::is_in(text) || Envelope::parse(text).is_err() {
                    return Ok(());
                }
                self.count(place)?;
                return match jwe::read(octets, self.unlock) {
                    Ok(set) => self.add_set(set, place),
                    Err(error) => self.leave_out(place, Part::PrivateKey, error),
                };
            }
            form => form,
        };
        self.count(place)?;
        let part = match (form, read::kind(octets)) {
            (Form::Pkcs12 | Form::Jks, _) => Part::PrivateKey,
            (_, Some(kind)) if kind.is_private() => Part::PrivateKey,
            _ => Part::Other,
        };
        let read = read_contents(octets, form, None, self.unlock);
        if let Ok(bundle) = &read {
            self.name(bundle, kid);
            let keys = match bundle.keys.len() {
                0 => bundle.certificates.len(),
                // The certificates are those of the keys.
                keys => keys,
            };
            self.note(place, keys);
        }
        self.contents.take(&place.to_string(), part, read)
    }

    /// Leaves a part out if its error is [`ErrorKind::Invalid`](crate::error::ErrorKind::Invalid).
    /// Returns other errors, such as a wrong password.
    pub fn leave_out(&mut self, place: &Place, part: Part, error: Error) -> Result<()> {
        self.count(place)?;
        self.contents.take(&place.to_string(), part, Err(error))
    }

    fn json_document(&mut self, octets: &[u8], place: &Place, kid: Option<&str>) -> Result<()> {
        let Ok(json) = as_text(octets) else {
            return Ok(());
        };
        let is_json = json.trim_start().starts_with(['{', '[']);
        if !is_json || place.depth() >= DEPTH || !may_have_keys(json) {
            return Ok(());
        }
        let found = self.jwks.keys.len() + self.contents.keys.len();
        // Each level of texts in texts holds a copy of the levels below it.
        match within(octets, BINARY_LIMIT).and_then(|_| strict_json::check(json)) {
            Ok(()) => self.value(json, place, kid)?,
            Err(error) => return self.leave_out(place, Part::PrivateKey, error),
        }
        let is_new = self.jwks.keys.len() + self.contents.keys.len() > found;
        if is_new || !text::may_have_key(json) {
            return Ok(());
        }
        match read_json(octets, None) {
            Ok(_) => Ok(()),
            Err(error) => self.leave_out(place, Part::PrivateKey, error),
        }
    }

    /// Finds the keys in a JSON value. `kid` is the name beside it.
    fn value(&mut self, json: &str, place: &Place, kid: Option<&str>) -> Result<()> {
        let json = json.trim();
        match json.as_bytes().first() {
            Some(b'"') if json.len() >= SHORTEST => match serde_json::from_str::<Text>(json) {
                Ok(text) => self.document(text.0.as_bytes(), place, kid),
                Err(_) => Ok(()),
            },
            Some(b'{') => match Members::parse(json) {
                Ok(members) => self.object(json, &members, place, kid),
                Err(_) => Ok(()),
            },
            Some(b'[') if place.depth() < DEPTH => {
                let elements = serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default();
                for (i, element) in elements.into_iter().enumerate() {
                    self.value(element.get(), &place.element(i), None)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn object(
        &mut self,
        json: &str,
        members: &Members,
        place: &Place,
        kid: Option<&str>,
    ) -> Result<()> {
        if members.string("kty").is_some() {
            let mut key = Key::from_json(json).into_owned();
            if let Some(kid) = kid.filter(|kid| is_kid(kid) && !members.has("kid")) {
                key = Key::from(members.clone().with_kid(kid));
            }
            return self.add_set(KeySet::from(vec![key]), place);
        }
        let is_set = members.raw("keys").is_some_and(|keys| {
            let elements = serde_json::from_str::<Vec<&RawValue>>(keys).unwrap_or_default();
            elements.iter().any(|element| is_jwk(element.get()))
        });
        if is_set {
            return match KeySet::parse(json) {
                Ok(set) => self.add_set(set.into_owned(), place),
                Err(error) => self.leave_out(place, Part::PrivateKey, error),
            };
        }
        if place.depth() >= DEPTH {
            return Ok(());
        }
        let is_map = names::is_map_by_kid(members);
        let beside = names::beside(members);
        for (name, value) in members.iter() {
            let kid = if is_map {
                Some(name)
            } else {
                beside.as_deref()
            };
            self.value(value, &place.member(name), kid)?;
        }
        Ok(())
    }

    fn add_set(&mut self, set: KeySet<'static>, place: &Place) -> Result<()> {
        self.note(place, set.keys.len());
        self.jwks.add_members(&set);
        self.jwks.keys.extend(set.keys);
        strict_json::check_number(self.jwks.keys.len())
    }

    /// Remembers the name of the only key, or if there is no key, of the first certificate.
    fn name(&mut self, bundle: &Bundle, kid: Option<&str>) {
        let Some(kid) = kid.filter(|kid| is_kid(kid)) else {
            return;
        };
        let own = match (&bundle.keys[..], &bundle.certificates[..]) {
            ([key], _) => thumbprint(key),
            ([], [leaf, ..]) => leaf.public_key().ok().and_then(|key| thumbprint(&key)),
            _ => None,
        };
        if let Some(own) = own {
            self.kids.entry(own).or_insert_with(|| kid.to_owned());
        }
    }

    /// Adds to the number of keys at a place. The elements of one array count together.
    fn note(&mut self, place: &Place, keys: usize) {
        let Some(place) = place.of_note().filter(|_| keys > 0) else {
            return;
        };
        match self.found.last_mut() {
            Some((last, count)) if *last == place => *count += keys,
            _ => self.found.push((place, keys)),
        }
    }

    fn count(&mut self, place: &Place) -> Result<()> {
        self.documents += 1;
        if self.documents <= MOST_DOCUMENTS {
            return Ok(());
        }
        let message = format!(
            "it contains more than {MOST_DOCUMENTS} documents; the limit is reached at {place}"
        );
        Err(Error::invalid(message).hint("split it into several files"))
    }
}

fn is_kid(kid: &str) -> bool {
    kid.len() <= LONGEST_KID && check_kid(kid).is_ok()
}

/// Returns true if a JSON text can have a key in any format. Texts in it can be escaped.
fn may_have_keys(json: &str) -> bool {
    let signs = [
        "kty",
        "-----BEGIN ",
        "\"M",
        "LS0tLS1CRUdJTi",
        "ssh-",
        "ecdsa-",
    ];
    signs.iter().any(|sign| json.contains(sign))
}
