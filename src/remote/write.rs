//! Changes a set on a server: checks it before the write, makes the call, and reads it back.

use crate::error::{Error, Reason, Result};
use crate::key::strict_json;
use crate::keyset::{FOREIGN_LIMIT, KeySet};
use crate::remote::Remote;
use crate::remote::http::Unanswered;
use crate::remote::kind::Form;
use crate::secret::Secret;

impl Remote {
    /// Makes a call that changes a set from `before` to `after`, and reads the set back.
    pub(super) fn write(
        &self,
        set: &str,
        before: &KeySet,
        after: &KeySet,
        call: impl Fn() -> Result<()>,
    ) -> Result<()> {
        self.left.take();
        self.refuse_unreadable(set, after)?;
        self.refuse_changed(set, before)?;
        self.server.refuse_other_kind()?;
        let mut written = call();
        if is_unanswered(&written) && self.kind.retries.unanswered == Unanswered::Look {
            // After its write timeout, the server closes the connection, but continues the write.
            let now = self.get(set, Form::Private);
            let now = now.map_err(|error| error.because(Reason::Unanswered))?;
            match now.unwrap_or_default() {
                now if now.is_alike(before) => written = call(),
                _ => written = Ok(()),
            }
        }
        self.handle_write_failure(set, before, after, written)?;
        self.settle(set, before, after)
    }

    /// Refuses to write a set that is too large or too complex to be read back.
    fn refuse_unreadable(&self, set: &str, after: &KeySet) -> Result<()> {
        let Some(problem) = unreadable(after) else {
            return Ok(());
        };
        let message = format!("{set} on {} could not be read again", self.name);
        Err(Error::refused(format!("{message}: {problem}"))
            .hint("send fewer keys with --kid, or pass --prune to remove keys that are only there"))
    }

    /// Checks, just before a write, that the set is still as it was read. Most servers have no conditional
    /// writes; those that publish get the condition that nothing has changed since this reading.
    fn refuse_changed(&self, set: &str, before: &KeySet) -> Result<()> {
        let now = self.get(set, Form::Private)?.unwrap_or_default();
        if now.is_alike(before) {
            Ok(())
        } else {
            Err(self.overtaken(set))
        }
    }
}

/// Returns why a set could not be read from a server; `None` if it could.
fn unreadable(set: &KeySet) -> Option<Error> {
    // A comma follows each key.
    let size: usize = set.keys.iter().map(|key| key.json().len() + 1).sum();
    if size > FOREIGN_LIMIT {
        let limit = FOREIGN_LIMIT >> 20;
        return Some(Error::invalid(format!("it takes more than {limit} MiB")));
    }
    let json = Secret::new(set.to_json());
    let checked = strict_json::check_keys(&set.keys);
    checked
        .and_then(|()| strict_json::check(json.expose()))
        .err()
}

fn is_unanswered(written: &Result<()>) -> bool {
    let error = written.as_ref().err();
    error.is_some_and(|error| error.is_because(Reason::Unanswered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    /// A set of more could not be pulled, compared or pruned any more.
    #[test]
    fn sets_that_could_not_be_read_again_are_known() {
        let keys = |count: usize, length: usize| {
            let key = Key::from_json(format!(r#"{{"more":"{}"}}"#, "m".repeat(length)));
            KeySet::from(vec![key; count])
        };
        for (count, length, is_readable) in [
            (10_000, 0, true),
            (10_001, 0, false),
            (16, 1_000_000, true),
            (17, 1_000_000, false),
        ] {
            let is_unreadable = unreadable(&keys(count, length)).is_some();
            assert_eq!(
                is_unreadable, !is_readable,
                "{count} keys of {length} bytes"
            );
        }
    }

    /// The answer that reads a set back passes the checks of foreign JSON.
    #[test]
    fn sets_of_more_values_than_are_read_are_known() {
        let keys = |count: usize, members: usize| {
            let members: Vec<_> = (0..members).map(|i| format!("\"m{i}\":0")).collect();
            let key = Key::from_json(format!("{{{}}}", members.join(",")));
            KeySet::from(vec![key; count])
        };
        for (count, members, is_readable) in [
            (10_000, 21, true),
            (10_000, 23, false),
            (1, 1000, true),
            (1, 1001, false),
        ] {
            let is_unreadable = unreadable(&keys(count, members)).is_some();
            assert_eq!(
                is_unreadable, !is_readable,
                "{count} keys of {members} members"
            );
        }
    }
}
