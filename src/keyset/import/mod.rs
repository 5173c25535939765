//! Reading keys of any form: what a document is, is seen by its content.

mod jwe;
mod kubernetes;

use super::{FOREIGN_LIMIT, KeySet};
use crate::error::{Error, Result};
use crate::jwe::Envelope;
use crate::key::Key;
use crate::key::base64url;
use crate::key::format::contents::Contents;
use crate::key::format::unlock::{Ask, Unlock};
use crate::key::format::{self, der, jks, openssh, pem};
use crate::key::members::{Members, check_strict};
use crate::key::thumbprint::thumbprint;

/// The largest document that is no JSON, in octets.
const BINARY_LIMIT: usize = 1 << 20;

/// How deep foreign JSON may nest.
const DEPTH: usize = 64;

/// What a document is insisted to be.
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
    /// OpenSSH: a private key, or public keys one a line
    Openssh,
    /// A Secret or ConfigMap of Kubernetes, in YAML or JSON
    Kubernetes,
    /// A keystore in Java's old form, JKS
    Jks,
    /// The octets of a shared secret; asked for where no FILE is given
    Secret,
}

/// How a document is to be read.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What it is insisted to be; its content decides where there is nothing here.
    pub form: Option<Form>,
    /// The keys of this alias only. What has no aliases is refused with one.
    pub alias: Option<&'a str>,
    /// Gets the password of the document. Called where one is needed, and once at most.
    pub password: Ask<'a>,
}

impl Default for Options<'_> {
    /// Any form, every key, and nobody who could be asked for a password.
    fn default() -> Self {
        Options {
            form: None,
            alias: None,
            password: &|| Err(Error::denied("it is protected by a password")),
        }
    }
}

/// What was read.
pub struct Imported {
    /// What the document was.
    pub form: Form,
    /// The keys, as a set.
    pub set: KeySet<'static>,
    /// What there is to tell of things that were left out.
    pub notes: Vec<String>,
}

/// Reads the keys of a foreign document, as a set. What has no kid and is no JWK gets its
/// thumbprint for one; a shared secret gets none, for the thumbprint of a secret that people made
/// up would help to guess it (RFC 7638 section 7). Keys are not checked beyond what it takes to
/// read them.
pub fn read(document: &[u8], options: &Options) -> Result<Imported> {
    let form = options.form.unwrap_or_else(|| recognise(document));
    if options.alias.is_some() && !matches!(form, Form::Pkcs12 | Form::Jks) {
        return Err(Error::usage("--alias is for keystores, and it is none")
            .hint("--kid takes a key by its kid"));
    }
    let unlock = Unlock::new(options.password);
    let (set, notes) = match form {
        Form::Secret => (secret(document)?, Vec::new()),
        Form::Jwk | Form::Jwks => {
            let set = read_json(within(document, FOREIGN_LIMIT)?, options.form)?;
            (set, Vec::new())
        }
        Form::Jwe => (jwe::read(document, &unlock)?, Vec::new()),
        Form::Kubernetes => read_manifest(as_text(within(document, BINARY_LIMIT)?)?, &unlock)?,
        _ => named(read_contents(document, form, options.alias, &unlock)?)?,
    };
    Ok(Imported { form, set, notes })
}

/// Keys, and what there is to tell of things that were left out.
type Noted = (KeySet<'static>, Vec<String>);

/// Reads a JWK Set and nothing else.
pub fn read_set(document: &[u8]) -> Result<KeySet<'static>> {
    read_json(within(document, FOREIGN_LIMIT)?, Some(Form::Jwks))
}

/// The keys and certificates of a document that is no JSON.
fn read_contents(
    document: &[u8],
    form: Form,
    alias: Option<&str>,
    unlock: &Unlock,
) -> Result<Contents> {
    let document = within(document, BINARY_LIMIT)?;
    match form {
        Form::Der => format::read_der(document, unlock),
        Form::Pkcs12 => format::pkcs12::read(document, alias, unlock),
        Form::Jks => jks::read(document, alias, unlock),
        Form::Openssh if !as_text(document)?.contains(pem::MARKER) => {
            openssh::read_public(as_text(document)?)
        }
        _ if !as_text(document)?.contains(pem::MARKER) => Err(Error::invalid("no PEM block")),
        _ => pem::read(as_text(document)?, unlock),
    }
}

/// What a document most probably is; JSON where nothing else fits.
fn recognise(document: &[u8]) -> Form {
    if let Ok(text) = std::str::from_utf8(document) {
        if Envelope::is_in(text) {
            return Form::Jwe;
        }
        if text.trim_start().starts_with('{') {
            // The search is quick, where the members of a large set are not.
            let is_manifest = text.contains("\"apiVersion\"")
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

/// The keys in the data of a manifest, and certificates from wherever in it they stand. Each value
/// is a document of its own; one that is no key is passed over.
fn read_manifest(text: &str, unlock: &Unlock) -> Result<Noted> {
    let mut contents = Contents::default();
    let mut set = KeySet::default();
    let (mut names, mut left_out) = (Vec::new(), Vec::new());
    for (name, octets) in kubernetes::read(text)? {
        let octets = octets.expose();
        let about = |error: Error| error.about(format!("{name:?} of the manifest"));
        match recognise(octets) {
            Form::Kubernetes => {}
            Form::Jks if octets.starts_with(&jks::JCEKS_MAGIC) => {
                left_out.push(format!("{name:?} is a JCEKS keystore, and is left out"));
            }
            Form::Jwk | Form::Jwks => {
                if let Ok(read) = read_json(octets, None) {
                    set.add_members(&read);
                    set.keys.extend(read.keys);
                }
            }
            // A token looks like one, too.
            Form::Jwe
                if as_text(octets)
                    .map(Envelope::parse)
                    .is_ok_and(|it| it.is_ok()) =>
            {
                set.keys
                    .extend(jwe::read(octets, unlock).map_err(about)?.keys);
            }
            Form::Jwe => {}
            form => {
                let read = read_contents(octets, form, None, unlock);
                contents.extend(read.map_err(about)?);
            }
        }
        names.push(format!("{name:?}"));
    }
    if contents.is_empty() && set.keys.is_empty() {
        let message = "a manifest of Kubernetes without a key";
        return Err(Error::invalid(message).hint(match names.is_empty() {
            true => "it has no data: kubectl get secret NAME -o yaml prints them".into(),
            false => format!("its data are {}", names.join(", ")),
        }));
    }
    let (others, notes) = named(contents)?;
    set.keys.extend(others.keys);
    left_out.extend(notes);
    Ok((set, left_out))
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
    check_strict(text, DEPTH).map_err(|error| Error::invalid("no strict JSON").cause(error))?;
    Ok(set.into_owned())
}

/// The keys with their certificates, as a set.
fn named(contents: Contents) -> Result<Noted> {
    let joined = contents.joined()?;
    let name = |members: Members<'static>| match thumbprint(&members) {
        Some(thumbprint) if !members.has("k") => Key::from(members.with_kid(&thumbprint)),
        _ => Key::from(members),
    };
    let keys: Vec<_> = joined.keys.into_iter().map(name).collect();
    Ok((KeySet::from(keys), joined.notes))
}

/// A symmetric key of the very octets, as HMAC secrets are handed around.
fn secret(octets: &[u8]) -> Result<KeySet<'static>> {
    if octets.is_empty() {
        return Err(Error::invalid("the secret is empty"));
    }
    let mut members = Members::default();
    members.set_text("kty", "oct");
    members.set_text("k", &base64url::encode(within(octets, BINARY_LIMIT)?));
    Ok(KeySet::from(vec![Key::from(members)]))
}

/// Picks the key with a kid among keys that were read; or gives the kid to the only one there is,
/// where that has none of its own or is named by its thumbprint. Returns its position, too.
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

/// Refuses a kid that could not be handed to other tools safely.
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
