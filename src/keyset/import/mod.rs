//! Reads keys in any format. The format is detected from the content.

mod certified;
mod dotenv;
mod finder;
mod form;
mod json;
mod jwe;
mod kubernetes;
mod manifest;
mod mixed;
mod names;
mod nested;
mod pick;
mod place;
mod text;
mod token;
pub mod yaml;

pub use form::Form;
pub use json::read_faulty;
pub use pick::{check_kid, pick};

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::base64url;
use crate::key::members::Members;
use crate::key::read;
use crate::key::read::bundle::{Bundle, nothing_usable};
use crate::key::read::document_password::{Ask, DocumentPassword};
use crate::key::read::jks;
use crate::key::read::join::Joined;
use crate::key::read::openssh_public;
use crate::key::read::pem;
use crate::key::strict_json;
use crate::key::thumbprint::thumbprint;
use crate::keyset::key_pairs;
use crate::keyset::{FOREIGN_LIMIT, KeySet};
use finder::Finder;
use form::{is_jwk, recognize};
use json::{known_format, read_json};
use std::collections::HashMap;
use std::mem;

/// The maximum size of a document that is not JSON, in bytes.
const BINARY_LIMIT: usize = 1 << 20;

/// The hint for a document whose format is not detected.
pub const FORMATS: &str = "formats: JWK, JWE, PEM, DER, PKCS#12, JKS, OpenSSH, Kubernetes";

/// The options for reading a document.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The format; `None` detects it from the content.
    pub form: Option<Form>,
    /// Read only the keys with this alias. An error for formats without aliases.
    pub alias: Option<&'a str>,
    /// The passwords of the document, which are read only if it needs one.
    pub password: &'a dyn Ask,
}

impl Default for Options<'_> {
    /// Any format, every key, and no password.
    fn default() -> Self {
        Options {
            form: None,
            alias: None,
            password: &|| Err(Error::denied("it is protected by a password")),
        }
    }
}

/// A document that was read, but not yet joined with the other documents.
#[derive(Default)]
pub struct Opened {
    jwks: KeySet<'static>,
    contents: Bundle,
    /// The kids of keys that are not JWKs, by thumbprint.
    kids: HashMap<String, String>,
    notes: Vec<String>,
    form: Option<Form>,
}

impl Opened {
    /// Returns the format of the document. `None` if the keys were found inside something else, such
    /// as a configuration file, base64 or UTF-16 text.
    pub fn form(&self) -> Option<Form> {
        self.form
    }

    fn found((finder, notes): (Finder, Vec<String>)) -> Self {
        Opened {
            jwks: finder.jwks,
            contents: finder.contents,
            kids: finder.kids,
            notes,
            form: None,
        }
    }
}

/// A note for the user about a document.
pub struct Note {
    /// The position of the document.
    pub document: usize,
    /// The text.
    pub text: String,
    /// True if a part was left out.
    pub is_loss: bool,
}

/// The keys that were read from documents.
pub struct Imported {
    /// The keys, as a set.
    pub set: KeySet<'static>,
    /// Where keys were found, and the parts that were left out and why, in the order of the documents.
    pub notes: Vec<Note>,
    /// The positions of the shared secrets without a kid that did not come from a JWK or JWK Set file.
    pub nameless: Vec<usize>,
    /// The source of each key.
    pub sources: Vec<Source>,
    /// The aliases of keys from keystores, by thumbprint.
    pub aliases: HashMap<String, String>,
}

/// The source of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The position of the document.
    pub document: usize,
    /// True if the key or its certificate came in another format than JWK.
    pub has_other_format: bool,
}

/// Reads the keys of one foreign document, as a set. Fails as [`open`] and [`join`] do.
pub fn read(document: &[u8], options: &Options) -> Result<Imported> {
    join(vec![open(document, options)?])
}

/// Opens a foreign document. Parts that jwks cannot use, such as a PEM block or the entry of a
/// keystore, are left out. Returns an error if nothing can be used, or if the password is wrong. Keys
/// are parsed but not checked.
pub fn open(document: &[u8], options: &Options) -> Result<Opened> {
    if options.form == Some(Form::Secret) {
        return Ok(Opened {
            jwks: secret(document)?,
            form: options.form,
            ..Opened::default()
        });
    }
    let document = text::without_mark(document);
    let carried = text::carried(within(document, FOREIGN_LIMIT)?)?;
    let Some(carried) = carried else {
        return open_plain(document, options);
    };
    let mut opened = open_plain(carried.octets.expose(), options)?;
    opened
        .notes
        .insert(0, format!("decoded {}", carried.encoding));
    opened.form = None;
    Ok(opened)
}

/// Opens a document that carries no other one.
fn open_plain(document: &[u8], options: &Options) -> Result<Opened> {
    let unlock = DocumentPassword::new(options.password);
    let is_detected = options.form.is_none() && options.alias.is_none();
    if is_detected && let Some(found) = nested::read_text(document, &unlock)? {
        return completed(Opened::found(found));
    }
    let form = options.form.unwrap_or_else(|| recognize(document));
    if options.alias.is_some() && !matches!(form, Form::Pkcs12 | Form::Jks) {
        return Err(Error::usage("--alias is only for keystores")
            .hint("pass --kid to choose a key by its kid"));
    }
    let mut opened = Opened {
        form: Some(form),
        ..Opened::default()
    };
    match form {
        Form::Jwk | Form::Jwks => match read_json(within(document, FOREIGN_LIMIT)?, options.form) {
            Ok(jwks) => {
                // The elements of keys can hold keys in other formats.
                let is_other = !jwks.keys.iter().any(|key| is_jwk(key.json().trim_start()));
                let found = if is_detected && is_other {
                    nested::read_json(document, &unlock)?
                } else {
                    None
                };
                match found {
                    Some(found) => opened = Opened::found(found),
                    None => opened.jwks = key_pairs::joined(jwks),
                }
            }
            Err(error) if is_detected => match nested::read_json(document, &unlock)? {
                Some(found) => opened = Opened::found(found),
                None => return Err(known_format(error, document)),
            },
            Err(error) => return Err(error),
        },
        Form::Jwe => opened.jwks = jwe::read(document, &unlock)?,
        Form::Kubernetes => {
            let finder = manifest::read(as_text(within(document, BINARY_LIMIT)?)?, &unlock)?;
            let notes = finder.notes();
            opened = Opened::found((finder, notes));
            opened.form = Some(form);
        }
        Form::Pem | Form::Der | Form::Pkcs12 | Form::Openssh | Form::Jks => {
            let contents = read_contents(document, form, options.alias, &unlock)?;
            opened.contents = contents.or_nothing("there is no key in it")?;
        }
        Form::Secret => {}
    }
    completed(opened)
}

/// Completes the JWKs whose public key is only in their certificate, and joins key pairs. Returns an
/// error if nothing can be used.
fn completed(mut opened: Opened) -> Result<Opened> {
    if opened.form.is_none_or(|form| form == Form::Kubernetes) {
        opened.jwks = key_pairs::joined(mem::take(&mut opened.jwks));
        strict_json::check_keys(&opened.jwks.keys)?;
    }
    let notes = certified::complete(&mut opened.jwks);
    opened.notes.extend(notes);
    if opened.jwks.keys.is_empty() && !opened.contents.left_out.is_empty() {
        opened.contents = opened.contents.or_nothing("there is no key in it")?;
    }
    Ok(opened)
}

/// Joins documents that are read together: a certificate joins its key, even in another document.
/// Returns an error if there are parts and none of them can be used.
///
/// A key that is not a JWK gets the name beside it as kid, or its thumbprint. A shared secret gets none, because the
/// thumbprint of a weak secret would help to guess it (RFC 7638 section 7).
pub fn join(mut opened: Vec<Opened>) -> Result<Imported> {
    let contents = opened.iter_mut().map(|one| mem::take(&mut one.contents));
    let mut contents: Vec<_> = contents.collect();
    let jwks = opened.iter_mut().flat_map(|one| &mut one.jwks.keys);
    let Joined { notes, certified } = read::join::join(&mut contents, jwks)?;
    let mut imported = Imported {
        set: KeySet::default(),
        notes: Vec::new(),
        nameless: Vec::new(),
        sources: Vec::new(),
        aliases: HashMap::new(),
    };
    let mut jwks = 0..;
    let mut left_out = Vec::new();
    for (i, (one, contents)) in opened.into_iter().zip(contents).enumerate() {
        let first = imported.set.keys.len();
        let positions = jwks.by_ref().take(one.jwks.keys.len());
        let of_jwks = positions.map(|position| certified.contains(&position));
        let all = of_jwks.chain(contents.keys.iter().map(|_| true));
        imported.sources.extend(all.map(|has_other_format| Source {
            document: i,
            has_other_format,
        }));
        imported.set.add_members(&one.jwks);
        imported.set.keys.extend(one.jwks.keys);
        let named = contents.keys.into_iter().map(|key| named(key, &one.kids));
        imported.set.keys.extend(named);
        let new = first..imported.set.keys.len();
        let is_foreign = !matches!(one.form, Some(Form::Jwk | Form::Jwks));
        let is_nameless = |i: &usize| is_foreign && is_nameless_secret(&imported.set.keys[*i]);
        imported.nameless.extend(new.filter(is_nameless));
        left_out.extend(contents.left_out.into_iter().map(|error| (i, error)));
        for (thumbprint, alias) in contents.aliases {
            imported.aliases.entry(thumbprint).or_insert(alias);
        }
        let found = one.notes.into_iter().chain(contents.found);
        imported.notes.extend(found.map(|text| Note {
            document: i,
            text,
            is_loss: false,
        }));
    }
    if imported.set.keys.is_empty() && !left_out.is_empty() {
        let errors = left_out.into_iter().map(|(_, error)| error).collect();
        return Err(nothing_usable("there is no key in it", errors));
    }
    let left_out = left_out.into_iter();
    let left_out = left_out.map(|(i, error)| (i, format!("left out {error}")));
    let losses = notes.into_iter().chain(left_out);
    imported.notes.extend(losses.map(|(document, text)| Note {
        document,
        text,
        is_loss: true,
    }));
    imported.notes.sort_by_key(|note| note.document);
    Ok(imported)
}

fn named(members: Members<'static>, kids: &HashMap<String, String>) -> Key<'static> {
    match thumbprint(&members) {
        Some(thumbprint) if !members.has("k") => {
            let kid = kids.get(&thumbprint).unwrap_or(&thumbprint);
            Key::from(members.with_kid(kid))
        }
        _ => Key::from(members),
    }
}

fn is_nameless_secret(key: &Key) -> bool {
    let is_nameless = |it: Members| it.string("kty").as_deref() == Some("oct") && !it.has("kid");
    key.members().is_ok_and(is_nameless)
}

/// Reads a JWK Set. Returns an error for other formats, and for JSON that is not strict.
pub fn read_set(document: &[u8]) -> Result<KeySet<'static>> {
    read_json(within(document, FOREIGN_LIMIT)?, Some(Form::Jwks))
}

/// Reads the keys and certificates of a document that is not JSON.
fn read_contents(
    document: &[u8],
    form: Form,
    alias: Option<&str>,
    unlock: &DocumentPassword,
) -> Result<Bundle> {
    let document = within(document, BINARY_LIMIT)?;
    match form {
        Form::Der => read::read_der(document, unlock),
        Form::Pkcs12 => read::pkcs12::read(document, alias, unlock),
        Form::Jks => jks::read(document, alias, unlock),
        Form::Pem | Form::Openssh if as_text(document)?.contains(pem::MARKER) => {
            pem::read(as_text(document)?, unlock)
        }
        Form::Openssh => openssh_public::read(as_text(document)?),
        Form::Pem => Err(Error::invalid("there is no PEM block in it")),
        Form::Jwk | Form::Jwks | Form::Jwe | Form::Kubernetes | Form::Secret => {
            as_text(document)?;
            Err(Error::invalid("there is no key in it"))
        }
    }
}

fn within(document: &[u8], limit: usize) -> Result<&[u8]> {
    if document.len() <= limit {
        return Ok(document);
    }
    Err(Error::invalid(format!(
        "it is larger than {} MiB",
        limit >> 20
    )))
}

fn as_text(document: &[u8]) -> Result<&str> {
    std::str::from_utf8(document)
        .map_err(|error| Error::invalid("it is neither UTF-8 text nor a key in DER").cause(error))
}

/// Makes a symmetric key from raw bytes, such as an HMAC secret.
fn secret(octets: &[u8]) -> Result<KeySet<'static>> {
    if octets.is_empty() {
        return Err(Error::invalid("the secret is empty"));
    }
    let mut members = Members::default();
    members.set_text("kty", "oct");
    members.set_text("k", &base64url::encode(within(octets, BINARY_LIMIT)?));
    Ok(KeySet::from(vec![Key::from(members)]))
}
