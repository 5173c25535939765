//! The files that a rotation writes.

use crate::commands::shared::output_file::{OutputFile, Replaces};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::files;
use crate::key::Key;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::import::{self, Options};
use crate::keyset::key_name::KeyName;
use crate::layout::{self, Audience, Chosen, Content, Layout, Write};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::PathBuf;

/// How the names of files begin in the record of deliveries.
pub(super) const ID: &str = "export ";

/// A file that a rotation writes: `PATH`, `PATH=LAYOUT` or `PATH=LAYOUT:LINE`.
#[derive(Debug)]
pub(super) struct TargetFile {
    pub(super) path: PathBuf,
    pub(super) layout: &'static Layout,
    line: Option<String>,
}

impl TargetFile {
    /// Parses the value of `--export`. Returns an error for an unknown layout, and for one that needs a
    /// password.
    pub(super) fn parse(text: &str) -> Result<TargetFile> {
        let (path, layout) = match text.rsplit_once('=') {
            Some((path, layout)) => (path, layout),
            None => (text, "jwks"),
        };
        let (layout, line) = match layout.split_once(':') {
            Some((layout, line)) => (layout, Some(line.to_owned())),
            None => (layout, None),
        };
        if path.is_empty() || path == "-" {
            return Err(Error::usage("--export has no path").hint("write --export PATH=LAYOUT"));
        }
        let layout =
            Layout::named(layout).map_err(|error| error.about(format!("--export {path}")))?;
        if matches!(layout.write, Write::Pkcs12) {
            let name = layout.name;
            return Err(Error::usage(format!(
                "--export cannot write {name}, which needs a password"
            ))
            .hint(format!("run `jwks export SET --for {name}` in a --hook")));
        }
        // The path identifies the file in the record of deliveries.
        let path = std::path::absolute(path)
            .map_err(|error| Error::usage(format!("--export {path}: invalid path")).cause(error))?;
        Ok(TargetFile { path, layout, line })
    }

    /// Returns the name of the target in the record of deliveries.
    pub(super) fn id(&self) -> String {
        format!("{ID}{}", self.path.display())
    }

    /// Names the file in an error.
    pub(super) fn about(&self, error: Error) -> Error {
        error.about(format!("--export {}", self.path.display()))
    }

    /// Chooses the keys for the file. `keep` are the positions of expired keys that verifiers keep.
    pub(super) fn choose(&self, ctx: &Context, set: &KeySet, keep: &[usize]) -> Result<Chosen> {
        self.layout
            .choose(set, self.options(ctx, keep), &ctx.checks)
    }

    /// Returns the content for a set.
    pub(super) fn content(&self, ctx: &Context, set: &KeySet, keep: &[usize]) -> Result<Content> {
        self.layout
            .content(set, self.options(ctx, keep), &ctx.checks)
    }

    fn options<'o>(&'o self, ctx: &Context, keep: &'o [usize]) -> layout::Options<'o> {
        layout::Options {
            line: self.line.as_deref(),
            keep,
            now: ctx.now,
        }
    }

    /// Returns true if verifiers read the file, and false if a signer does.
    pub(super) fn is_for_verifiers(&self) -> bool {
        self.layout.audience == Audience::Verifiers
    }

    /// Returns true if the file has this content.
    pub(super) fn is_written(&self, content: &Content) -> bool {
        self.file(Replaces::Any).is_written(&content.octets)
    }

    fn file<'f>(&'f self, replaces: Replaces<'f>) -> OutputFile<'f> {
        OutputFile {
            path: &self.path,
            is_private: self.layout.is_private(),
            replaces,
        }
    }

    /// Returns an error if two files of a schedule are the same.
    pub(super) fn refuse_same(files: &[TargetFile]) -> Result<()> {
        let real = |file: &TargetFile| {
            let directory = files::parent(&file.path);
            let directory = directory.canonicalize().unwrap_or(directory);
            directory.join(file.path.file_name().unwrap_or_default())
        };
        let mut seen = HashSet::new();
        match files.iter().find(|file| !seen.insert(real(file))) {
            None => Ok(()),
            Some(file) => Err(Error::usage(format!(
                "--export names {} twice",
                file.path.display()
            ))
            .hint("give each layout a file of its own")),
        }
    }

    /// Returns the private keys of the file, if there is one.
    pub(super) fn private_handles(&self) -> BTreeSet<String> {
        let set = self.read().unwrap_or_default();
        let private = set.keys.iter().filter(|key| holds_secret(key));
        private.filter_map(handle).collect()
    }

    /// Returns the keys of the file that are among these, and not in the set.
    pub(super) fn missing_from(&self, set: &KeySet, keys: &[String]) -> Vec<Key<'static>> {
        let ours: HashSet<_> = set.keys.iter().filter_map(handle).collect();
        let there = self.read().unwrap_or_default().keys.into_iter();
        let is_missing =
            |key: &Key| handle(key).is_some_and(|key| keys.contains(&key) && !ours.contains(&key));
        there.filter(is_missing).collect()
    }

    /// Returns the positions of the keys of a set that the file has now. A file without kids, such as PEM,
    /// has a key under any kid.
    pub(super) fn published(&self, set: &KeySet) -> BTreeSet<usize> {
        let there = self.read().unwrap_or_default();
        let has_kids = self.layout.name != "pem";
        let name = |key: &Key| {
            let name = KeyName::of(key);
            (name.thumbprint, name.kid.filter(|_| has_kids))
        };
        let there: HashSet<_> = there.keys.iter().map(name).collect();
        let keys = set.keys.iter().enumerate();
        keys.filter(|(_, key)| there.contains(&name(key)))
            .map(|(position, _)| position)
            .collect()
    }

    /// Reads the keys of the file; `None` if there is none.
    fn read(&self) -> Option<KeySet<'static>> {
        let metadata = fs::metadata(&self.path).ok()?;
        if !metadata.is_file() || metadata.len() > crate::keyset::FOREIGN_LIMIT as u64 {
            return None;
        }
        let octets = fs::read(&self.path).ok()?;
        let opened = import::open(&octets, &Options::default()).ok()?;
        Some(import::join(vec![opened]).ok()?.set)
    }

    /// Writes the file. Returns an error if it exists and holds other keys than those of the set, and those
    /// that were written to it before.
    pub(super) fn write(
        &self,
        ctx: &Context,
        set: &KeySet,
        content: &Content,
        before: &BTreeSet<String>,
    ) -> Result<()> {
        let ours = set.keys.iter().filter_map(handle);
        let ours: HashSet<_> = ours.chain(before.iter().cloned()).collect();
        let is_own = |key: &Key| handle(key).is_some_and(|own| ours.contains(&own));
        let file = self.file(Replaces::Own(&is_own));
        file.check(ctx)?;
        file.write(&content.octets)
    }
}

/// Returns the handles of the keys that were chosen.
pub(super) fn all_keys(set: &KeySet, chosen: &Chosen) -> BTreeSet<String> {
    let keys = chosen.keys.iter().map(|key| &set.keys[key.position]);
    keys.filter_map(handle).collect()
}

/// Returns the handles of the private keys among those chosen.
pub(super) fn private_keys(set: &KeySet, chosen: &Chosen) -> BTreeSet<String> {
    let keys = chosen.keys.iter().map(|key| &set.keys[key.position]);
    let private = keys.filter(|key| holds_secret(key));
    private.filter_map(handle).collect()
}

/// Returns the handles of the keys with which the reader signs.
pub(super) fn signing_keys(set: &KeySet, chosen: &Chosen) -> BTreeSet<String> {
    let keys = chosen.signing().map(|key| &set.keys[key.position]);
    keys.filter_map(handle).collect()
}

/// Returns the thumbprint of a key. A shared secret could be guessed from its own, so it gets its kid.
pub(super) fn handle(key: &Key) -> Option<String> {
    let name = KeyName::of(key);
    match name.public_thumbprint() {
        Some(thumbprint) => Some(thumbprint.to_owned()),
        None => name.kid.map(|kid| format!("kid {kid}")),
    }
}
