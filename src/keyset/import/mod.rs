//! Reads keys in any format. The format is detected from the content.

mod jwe;
mod kubernetes;
mod manifest;

use crate::error::{Error, Reason, Result};
use crate::jwe::Envelope;
use crate::key::Key;
use crate::key::base64url;
use crate::key::members::Members;
use crate::key::read;
use crate::key::read::bundle::{Bundle, nothing_usable};
use crate::key::read::der;
use crate::key::read::document_password::{Ask, DocumentPassword};
use crate::key::read::jks;
use crate::key::read::join::{Joined, Note};
use crate::key::read::openssh;
use crate::key::read::pem;
use crate::key::strict_json;
use crate::key::thumbprint::thumbprint;
use crate::keyset::key_pairs;
use crate::keyset::{FOREIGN_LIMIT, KeySet};
use std::mem;

/// The maximum size of a document that is not JSON, in bytes.
const BINARY_LIMIT: usize = 1 << 20;

/// The hint for a document in none of the formats that are detected.
pub const FORMATS: &str = "formats: JWK, JWE, PEM, DER, PKCS#12, JKS, OpenSSH, Kubernetes";

/// The format of a document, for `--from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// One JSON Web Key
    Jwk,
    /// A JWK Set
    Jwks,
    /// A JWK or JWK Set that a password encrypts (JWE)
    Jwe,
    /// PEM: keys, certificates and requests, one or several
    Pem,
    /// DER: one key, certificate or request
    Der,
    /// A PKCS#12 keystore
    Pkcs12,
    /// OpenSSH: a private key, or public keys, one per line
    Openssh,
    /// A Kubernetes Secret or ConfigMap, in YAML or JSON
    Kubernetes,
    /// A keystore in Java's old format, JKS
    Jks,
    /// The bytes of a shared secret; without FILE, jwks asks on the terminal
    Secret,
}

/// The options for reading a document.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The format; `None` detects it from the content.
    pub form: Option<Form>,
    /// Read only the keys with this alias. An error for formats without aliases.
    pub alias: Option<&'a str>,
    /// Returns the password of the document. Called at most once, if the document needs one.
    pub password: Ask<'a>,
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
pub struct Opened {
    jwks: KeySet<'static>,
    contents: Bundle,
    form: Form,
}

impl Opened {
    /// The format that was detected.
    pub fn form(&self) -> Form {
        self.form
    }
}

/// The keys that were read from documents.
pub struct Imported {
    /// The keys, as a set.
    pub set: KeySet<'static>,
    /// The parts that were left out and why, each with the position of its document.
    pub notes: Vec<Note>,
    /// The positions of the shared secrets without a kid that did not come as JWK.
    pub nameless: Vec<usize>,
    /// The source of each key.
    pub sources: Vec<Source>,
}

/// The source of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The position of the document.
    pub document: usize,
    /// True if the key, or its certificate, did not come as JWK.
    pub is_certified: bool,
}

/// Reads the keys of one foreign document, as a set. Fails as [`open`] and [`join`] do.
pub fn read(document: &[u8], options: &Options) -> Result<Imported> {
    join(vec![open(document, options)?])
}

/// Opens a foreign document. Parts that jwks cannot use, such as a PEM block or the entry of a
/// keystore, are left out. Returns an error if nothing can be used, or if the password is wrong. Keys
/// are parsed but not checked.
pub fn open(document: &[u8], options: &Options) -> Result<Opened> {
    let form = options.form.unwrap_or_else(|| recognize(document));
    if options.alias.is_some() && !matches!(form, Form::Pkcs12 | Form::Jks) {
        return Err(Error::usage("--alias is only for keystores")
            .hint("pass --kid to choose a key by its kid"));
    }
    let unlock = DocumentPassword::new(options.password);
    let (jwks, contents) = match form {
        Form::Secret => (secret(document)?, Bundle::default()),
        Form::Jwk | Form::Jwks => {
            let jwks = read_json(within(document, FOREIGN_LIMIT)?, options.form);
            let jwks = jwks.map_err(|error| match options.form {
                None => known_format(error, document),
                Some(_) => error,
            })?;
            (key_pairs::joined(jwks), Bundle::default())
        }
        Form::Jwe => (jwe::read(document, &unlock)?, Bundle::default()),
        Form::Kubernetes => manifest::read(as_text(within(document, BINARY_LIMIT)?)?, &unlock)?,
        Form::Pem | Form::Der | Form::Pkcs12 | Form::Openssh | Form::Jks => {
            let contents = read_contents(document, form, options.alias, &unlock)?;
            (
                KeySet::default(),
                contents.or_nothing("there is no key in it")?,
            )
        }
    };
    Ok(Opened {
        jwks,
        contents,
        form,
    })
}

/// Joins documents that are read together: a certificate joins its key, even in another document.
/// Returns an error if there are parts and none of them can be used.
///
/// A key that is not a JWK gets its thumbprint as kid. A shared secret gets none, because the
/// thumbprint of a weak secret would help to guess it (RFC 7638 section 7).
pub fn join(mut opened: Vec<Opened>) -> Result<Imported> {
    let contents = opened.iter_mut().map(|one| mem::take(&mut one.contents));
    let mut contents: Vec<_> = contents.collect();
    let jwks = opened.iter_mut().flat_map(|one| &mut one.jwks.keys);
    let Joined {
        mut notes,
        certified,
    } = read::join::join(&mut contents, jwks)?;
    let mut imported = Imported {
        set: KeySet::default(),
        notes: Vec::new(),
        nameless: Vec::new(),
        sources: Vec::new(),
    };
    let mut jwks = 0..;
    let mut left_out = Vec::new();
    for (i, (one, contents)) in opened.into_iter().zip(contents).enumerate() {
        let first = imported.set.keys.len();
        let positions = jwks.by_ref().take(one.jwks.keys.len());
        let of_jwks = positions.map(|position| certified.contains(&position));
        let all = of_jwks.chain(contents.keys.iter().map(|_| true));
        imported.sources.extend(all.map(|is_certified| Source {
            document: i,
            is_certified,
        }));
        imported.set.add_members(&one.jwks);
        imported.set.keys.extend(one.jwks.keys);
        imported
            .set
            .keys
            .extend(contents.keys.into_iter().map(named));
        let new = first..imported.set.keys.len();
        let is_foreign = !matches!(one.form, Form::Jwk | Form::Jwks);
        let is_nameless = |i: &usize| is_foreign && is_nameless_secret(&imported.set.keys[*i]);
        imported.nameless.extend(new.filter(is_nameless));
        left_out.extend(contents.left_out.into_iter().map(|error| (i, error)));
    }
    if imported.set.keys.is_empty() && !left_out.is_empty() {
        let errors = left_out.into_iter().map(|(_, error)| error).collect();
        return Err(nothing_usable("there is no key in it", errors));
    }
    let left_out = left_out.into_iter();
    notes.extend(left_out.map(|(i, error)| (i, format!("left out {error}"))));
    notes.sort_by_key(|(i, _)| *i);
    imported.notes = notes;
    Ok(imported)
}

fn named(members: Members<'static>) -> Key<'static> {
    match thumbprint(&members) {
        Some(thumbprint) if !members.has("k") => Key::from(members.with_kid(&thumbprint)),
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
        Form::Openssh => openssh::read_public(as_text(document)?),
        Form::Pem => Err(Error::invalid("there is no PEM block in it")),
        Form::Jwk | Form::Jwks | Form::Jwe | Form::Kubernetes | Form::Secret => {
            as_text(document)?;
            Err(Error::invalid("there is no key in it"))
        }
    }
}

/// Detects the format of a document. Returns JSON if nothing else matches.
fn recognize(document: &[u8]) -> Form {
    if let Ok(text) = std::str::from_utf8(document) {
        if Envelope::is_in(text) {
            return Form::Jwe;
        }
        if text.trim_start().starts_with('{') {
            // Searching for the name is faster than parsing the members of a large set.
            let is_manifest = text.contains("\"apiVersion\"")
                && strict_json::check_size(text).is_ok()
                && Members::parse(text).is_ok_and(|members| members.has("kind"));
            return if is_manifest {
                Form::Kubernetes
            } else {
                Form::Jwks
            };
        }
        if kubernetes::is_manifest(text) {
            return Form::Kubernetes;
        }
        if text.contains(pem::MARKER) {
            return Form::Pem;
        }
        if openssh::is_public(text) || text.starts_with(openssh::PUTTY) {
            return Form::Openssh;
        }
    }
    match document {
        _ if document.starts_with(&jks::MAGIC) || document.starts_with(&jks::JCEKS_MAGIC) => {
            Form::Jks
        }
        [0x30, ..] => match der::kind(document) {
            Some(der::Kind::Pkcs12) => Form::Pkcs12,
            None if std::str::from_utf8(document).is_ok() => Form::Jwks,
            _ => Form::Der,
        },
        _ => Form::Jwks,
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

fn read_json(document: &[u8], insisted: Option<Form>) -> Result<KeySet<'static>> {
    let text = as_text(document)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    strict_json::check_size(text)?;
    let is_key =
        Members::parse(text).is_ok_and(|members| members.has("kty") && !members.has("keys"));
    let set = match (is_key, insisted) {
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

/// Replaces the error of the JSON parser for a document that does not even begin like JSON.
fn known_format(error: Error, document: &[u8]) -> Error {
    let start = document.trim_ascii_start().first();
    if !error.to_string().contains("JSON: ") || matches!(start, Some(b'{' | b'[')) {
        return error;
    }
    Error::invalid("unknown key format")
        .hint(FORMATS)
        .because(Reason::UnknownFormat)
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

/// Returns the key with a kid, and its position. If the input has only one key and its kid is absent or
/// is its thumbprint, gives it the kid. Returns an error if there is no such key, or more than one.
pub fn pick(keys: Vec<Key<'static>>, kid: &str) -> Result<(usize, Key<'static>)> {
    let missing = || Error::not_found(format!("no key {kid:?} in the input"));
    let given = KeySet::from(keys);
    match (&given.with_kid(kid)[..], &given.keys[..]) {
        ([one], _) => Ok((*one, given.keys[*one].clone())),
        ([], [only]) => {
            let members = only.members().unwrap_or_default();
            match members.string("kid") {
                Some(own) if thumbprint(&members).as_deref() != Some(&own) => {
                    Err(missing().hint(format!("its only key has the kid {own:?}")))
                }
                _ => {
                    check_kid(kid)?;
                    Ok((0, Key::from(members.clone().with_kid(kid))))
                }
            }
        }
        ([], _) => Err(missing()),
        (several, _) => {
            let message = format!("{} keys of the input have the kid {kid:?}", several.len());
            Err(Error::refused(message))
        }
    }
}

/// Returns an error for a kid that is empty or has control characters, which other tools could
/// mishandle.
pub fn check_kid(kid: &str) -> Result<()> {
    if kid.is_empty() {
        return Err(Error::usage("the kid is empty"));
    }
    if kid.chars().any(char::is_control) {
        return Err(Error::usage(format!(
            "the kid {kid:?} has control characters"
        )));
    }
    Ok(())
}
