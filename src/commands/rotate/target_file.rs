//! The files that a rotation writes.

use crate::args::target::FileTarget;
use crate::commands::shared::output_file::{OutputFile, Replaces};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::files;
use crate::key::Key;
use crate::key::parts::holds_secret;
use crate::keyset::KeySet;
use crate::keyset::import::{self, Options};
use crate::keyset::key_name::{KeyName, material_of};
use crate::layout::{self, Audience, Chosen, Content, Layout, Write};
use crate::secret::Secret;
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::PathBuf;

/// A file that a rotation writes.
#[derive(Debug)]
pub(super) struct TargetFile {
    pub(super) path: PathBuf,
    pub(super) layout: &'static Layout,
    line: Option<String>,
    /// Its name in the record of deliveries.
    pub(super) id: String,
}

impl TargetFile {
    /// Parses the value of `--export`. Returns an error for an unknown layout, and for one that needs a
    /// password.
    pub(super) fn parse(text: &str) -> Result<TargetFile> {
        let target = FileTarget::parse(text)?;
        let path = target.path.display();
        let (layout, line) = target.layout();
        let layout =
            Layout::named(layout).map_err(|error| error.about(format!("--export {path}")))?;
        if matches!(layout.write, Write::Pkcs12) {
            let name = layout.name;
            return Err(Error::usage(format!(
                "--export cannot write {name}, which needs a password"
            ))
            .hint(format!("run `jwks export SET --for {name}` in a --hook")));
        }
        Ok(TargetFile {
            line: line.map(str::to_owned),
            id: target.id(),
            layout,
            path: target.path,
        })
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

    /// Returns the content of the keys that were chosen from a set with these positions to keep.
    pub(super) fn content(
        &self,
        ctx: &Context,
        set: &KeySet,
        chosen: &Chosen,
        keep: &[usize],
    ) -> Result<Content> {
        self.layout
            .content(set, chosen, self.options(ctx, keep), &ctx.checks)
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

    /// Returns an error if two targets name the same file.
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

    /// Returns the [entries](KeyName::entry) of the private keys of the file. A file without kids has a key under
    /// each of its kids in the set.
    pub(super) fn private_keys(&self, set: &KeySet) -> BTreeSet<String> {
        let there = self.read().unwrap_or_default();
        let private = there.keys.iter().filter(|key| holds_secret(key));
        let private: Vec<_> = private.map(KeyName::of).collect();
        if self.layout.has_kids {
            return private.iter().filter_map(KeyName::entry).collect();
        }
        let materials: BTreeSet<_> = private.iter().filter_map(KeyName::material).collect();
        let ours = set.keys.iter().map(KeyName::of);
        let ours = ours.filter(|name| name.material().is_some_and(|it| materials.contains(&it)));
        let ours: Vec<_> = ours.collect();
        let known: HashSet<_> = ours.iter().filter_map(KeyName::material).collect();
        let others = materials.into_iter().filter(|it| !known.contains(it));
        let entries = ours.iter().filter_map(KeyName::entry).chain(others);
        entries.collect()
    }

    /// Returns the keys of the file that have these [entries](KeyName::entry), and that the set does not have.
    pub(super) fn missing_from(
        &self,
        set: &KeySet,
        entries: &BTreeSet<String>,
    ) -> Vec<Key<'static>> {
        // A file without kids has a key under any kid.
        let has_kids = self.layout.has_kids;
        let name = |name: KeyName| {
            if has_kids {
                name.entry()
            } else {
                name.material()
            }
        };
        let wanted = entries.iter().map(String::as_str);
        let wanted = wanted.map(|entry| if has_kids { entry } else { material_of(entry) });
        let wanted: HashSet<_> = wanted.collect();
        let ours = set.keys.iter().map(KeyName::of);
        let ours: HashSet<_> = ours.filter_map(name).collect();
        let there = self.read().unwrap_or_default().keys.into_iter();
        let is_missing = |key: &Key| {
            let name = name(KeyName::of(key));
            name.is_some_and(|it| wanted.contains(&*it) && !ours.contains(&it))
        };
        there.filter(is_missing).collect()
    }

    /// Returns the positions of the keys of a set that the file has now. A file without kids, such as PEM,
    /// has a key under any kid.
    pub(super) fn published(&self, set: &KeySet) -> BTreeSet<usize> {
        let there = self.read().unwrap_or_default();
        let name = |key: &Key| {
            let name = KeyName::of(key);
            (name.thumbprint, name.kid.filter(|_| self.layout.has_kids))
        };
        let there: HashSet<_> = there.keys.iter().map(name).collect();
        let keys = set.keys.iter().enumerate();
        keys.filter(|(_, key)| there.contains(&name(key)))
            .map(|(position, _)| position)
            .collect()
    }

    /// Returns the positions of the keys of a set that the file never has, such as those of another line.
    pub(super) fn left_out(&self, ctx: &Context, set: &KeySet) -> BTreeSet<usize> {
        let all: Vec<_> = (0..set.keys.len()).collect();
        // The error is reported when the file is written.
        let Ok(chosen) = self.choose(ctx, set, &all) else {
            return BTreeSet::new();
        };
        let chosen: HashSet<_> = chosen.keys.iter().map(|key| key.position).collect();
        let all = all.into_iter();
        all.filter(|position| !chosen.contains(position)).collect()
    }

    /// Reads the keys of the file; `None` if there is none.
    fn read(&self) -> Option<KeySet<'static>> {
        let metadata = fs::metadata(&self.path).ok()?;
        if !metadata.is_file() || metadata.len() > crate::keyset::FOREIGN_LIMIT as u64 {
            return None;
        }
        let octets = Secret::new(fs::read(&self.path).ok()?);
        let read = import::read(octets.expose(), &Options::default());
        Some(read.ok()?.set)
    }

    /// Returns an error if the file cannot be written, or if it exists and has more than the keys of the set, and
    /// those that were written to it before.
    pub(super) fn check(
        &self,
        ctx: &Context,
        set: &KeySet,
        before: &BTreeSet<String>,
    ) -> Result<()> {
        let before: HashSet<_> = before.iter().map(|entry| material_of(entry)).collect();
        let (mut ours, mut private) = (HashSet::new(), HashSet::new());
        for key in &set.keys {
            let name = KeyName::of(key);
            private.extend(name.thumbprint.clone().filter(|_| holds_secret(key)));
            ours.extend(name.material());
        }
        // What is replaced has no private key that is nowhere else.
        let is_own = |key: &Key| {
            let name = KeyName::of(key);
            let Some(material) = name.material() else {
                return false;
            };
            let was_written = before.contains(&*material);
            if !holds_secret(key) {
                return was_written || ours.contains(&material);
            }
            let is_kept = name.thumbprint.is_some_and(|it| private.contains(&it));
            is_kept || was_written && !self.is_for_verifiers()
        };
        let variables = self.layout.variables;
        self.file(Replaces::Own(&is_own, variables)).check(ctx)
    }

    /// Writes the file. Returns the errors of [`TargetFile::check`].
    pub(super) fn write(
        &self,
        ctx: &Context,
        set: &KeySet,
        content: &Content,
        before: &BTreeSet<String>,
    ) -> Result<()> {
        self.check(ctx, set, before)?;
        self.file(Replaces::Any).write(&content.octets)
    }
}

/// Returns the entries of the keys that were chosen.
pub(super) fn all_keys(set: &KeySet, chosen: &Chosen) -> BTreeSet<String> {
    entries(set, chosen.keys.iter().map(|key| key.position))
}

/// Returns the entries of the private keys among those chosen.
pub(super) fn private_keys(set: &KeySet, chosen: &Chosen) -> BTreeSet<String> {
    let positions = chosen.keys.iter().map(|key| key.position);
    entries(set, positions.filter(|i| holds_secret(&set.keys[*i])))
}

/// Returns the entries of the keys with which the reader signs.
pub(super) fn signing_keys(set: &KeySet, chosen: &Chosen) -> BTreeSet<String> {
    entries(set, chosen.signing().map(|key| key.position))
}

/// Returns the entries of the keys at these positions.
pub(super) fn entries(
    set: &KeySet,
    positions: impl IntoIterator<Item = usize>,
) -> BTreeSet<String> {
    let names = positions.into_iter().map(|i| KeyName::of(&set.keys[i]));
    names.filter_map(|name| name.entry()).collect()
}
