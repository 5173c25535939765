//! Collects what a command has done, and writes it to the log.

use crate::context::Context;
use crate::key::Key;
use crate::keyset::changes::Changes;
use crate::keyset::key_name::{KeyName, quote};
use crate::keyset::merge::Merged;
use crate::keystore::log::{Change, Verb};
use crate::remote::is_address;
use crate::report::names::SetLabel;
use crate::time;

/// What a command has done with the keys of a set. [`append`](Record::append) writes all of it to the
/// log at once.
#[must_use = "nothing is in the log before `append`"]
pub struct Record<'a> {
    ctx: &'a Context,
    whose: SetLabel<'a>,
    /// True if the set of the keystore was changed.
    is_of_keystore: bool,
    changes: Vec<Change>,
}

impl<'a> Record<'a> {
    /// Returns a record without changes.
    pub fn of(ctx: &'a Context, whose: SetLabel<'a>) -> Self {
        let changes = Vec::new();
        Record {
            ctx,
            whose,
            is_of_keystore: whose.remote.is_none(),
            changes,
        }
    }

    /// Says that the keystore's set was changed, and that the remote is only the source of the keys.
    pub fn of_keystore(mut self) -> Self {
        self.is_of_keystore = true;
        self
    }

    /// Adds a line for each key.
    pub fn keys<K: Into<KeyName>>(self, verb: Verb, keys: impl IntoIterator<Item = K>) -> Self {
        self.write(verb, None, keys)
    }

    /// Adds a line with a note for each key. The note must not contain a secret.
    pub fn noted<K: Into<KeyName>>(
        self,
        verb: Verb,
        note: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.write(verb, Some(note), keys)
    }

    /// Adds one line for keys whose private parts are about to be printed or exported.
    pub fn exported(mut self, note: Option<&str>, keys: &[&Key]) -> Self {
        let mut one =
            Record::of(self.ctx, self.whose).write(Verb::Exported, note, keys.iter().copied());
        if let [_, _, ..] = &one.changes[..] {
            let handle = |change: &mut Change| change.kid.take().or(change.thumbprint.take());
            let kids = one.changes.iter_mut().filter_map(handle).collect();
            one.changes.truncate(1);
            one.changes[0].kids = kids;
        }
        self.changes.append(&mut one.changes);
        self
    }

    /// Adds the results of a merge.
    pub fn merged(self, merged: &Merged) -> Self {
        let renamed = merged.former_kid.as_ref();
        let note = renamed.map(|old| format!("renamed from {old}"));
        self.keys(Verb::Added, &merged.added)
            .write(Verb::Updated, note.as_deref(), &merged.updated)
            .keys(Verb::Removed, &merged.replaced)
    }

    /// Adds the differences between two states of the set.
    pub fn changes(self, changes: &Changes) -> Self {
        self.keys(Verb::Added, &changes.added)
            .keys(Verb::Updated, &changes.updated)
            .keys(Verb::Removed, &changes.removed)
    }

    /// Adds a change to a whole set.
    pub fn set(self, verb: Verb, note: &str) -> Self {
        let nameless = KeyName {
            kid: None,
            thumbprint: None,
            is_symmetric: false,
        };
        self.noted(verb, note, [nameless])
    }

    fn write<K: Into<KeyName>>(
        mut self,
        verb: Verb,
        note: Option<&str>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        let time = time::format(self.ctx.now);
        let change = |key: K| {
            let name = key.into();
            Change {
                time: time.clone(),
                verb,
                set: self.whose.set.to_owned(),
                thumbprint: name.public_thumbprint().map(str::to_owned),
                kid: name.kid,
                kids: Vec::new(),
                version: None,
                remote: self.whose.remote.map(without_query),
                note: note.map(str::to_owned),
            }
        };
        self.changes.extend(keys.into_iter().map(change));
        self
    }

    /// Writes the lines to the log, and keeps the changes for the hint of a later error. Only warns if
    /// the log cannot be written, because the command has already done its work.
    pub fn append(mut self) {
        for change in &mut self.changes {
            if self.is_of_keystore && !change.verb.is_use() {
                change.version = self.ctx.store.change_number(&change.set);
            }
        }
        for change in self.changes.iter().filter(|change| !change.verb.is_use()) {
            let kid = change.kid.as_deref().or(change.thumbprint.as_deref());
            let remote = change.remote.as_ref();
            let remote = remote.map_or(String::new(), |remote| format!(" ({remote})"));
            let (verb, set) = (change.verb.name(), &change.set);
            self.ctx.record_change(match (kid, &change.note) {
                (None, Some(note)) => format!("set {set}{remote}: {note}"),
                (kid, _) => {
                    let kid = kid.map_or("a key without a kid".into(), quote);
                    format!("{verb} {kid} in set {set}{remote}")
                }
            });
        }
        let Err(error) = self.ctx.store.append(&self.changes) else {
            return;
        };
        let verbs: Vec<_> = self.changes.iter().map(|change| change.verb).collect();
        let done = match &verbs[..] {
            [Verb::Signed] => "the tokens are signed",
            verbs if verbs.iter().all(|verb| verb.is_use()) => "the private key is exported",
            _ => "the change is made",
        };
        self.ctx
            .out
            .warn(format!("{done}, but it is not in the log: {error}"));
    }
}

/// Returns the name of a remote. The query of an address is removed, because it can contain a secret.
fn without_query(remote: &str) -> String {
    let name = if is_address(remote) {
        remote.split('?').next().unwrap_or(remote)
    } else {
        remote
    };
    name.to_owned()
}
