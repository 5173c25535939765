//! Finds out what a failed write has left of a set.

use crate::error::{Reason, Result};
use crate::keyset::KeySet;
use crate::remote::Remote;
use crate::remote::kind::Form;
use crate::remote::read_back::Difference;

impl Remote {
    /// Returns the set after the last write, as it was read back, and forgets it; `None` if it could not
    /// be read, or if the write was not begun.
    pub fn take_left(&self) -> Option<KeySet<'static>> {
        self.left.take()
    }

    /// Handles a failed write. It can have changed or deleted the set in part.
    pub(super) fn handle_write_failure(
        &self,
        set: &str,
        before: &KeySet,
        after: &KeySet,
        written: Result<()>,
    ) -> Result<()> {
        let Err(error) = written else {
            return Ok(());
        };
        let Ok(now) = self.get(set, Form::Private) else {
            return Err(error);
        };
        self.watch.settle();
        let now = now.unwrap_or_default();
        self.left.replace(Some(now.clone()));
        let difference = self.first_difference(&now, after);
        // A document is replaced as a whole or not at all.
        if self.kind.rules.publishes {
            // The write of a call that was repeated, or somebody else's, has the same result.
            let is_done = difference.is_none() && self.server.check_published(after).is_ok();
            let is_overtaken = error.is_because(Reason::Overtaken);
            return if is_done && is_overtaken {
                Ok(())
            } else {
                Err(error)
            };
        }
        let is_done = matches!(difference, None | Some(Difference::Signer));
        if is_done || now.is_alike(before) {
            return Err(error);
        }
        let (had, has) = (before.keys.len(), now.keys.len());
        if error.is_because(Reason::Overtaken) && has > 0 {
            return Err(error);
        }
        let restored = || {
            let put_back = self.server.put_set(set, before, before);
            let now = put_back
                .and_then(|()| self.get(set, Form::Private))
                .ok()??;
            let is_restored = now.is_alike(before);
            self.left.replace(Some(now));
            is_restored.then_some(())
        };
        let what = match has {
            0 if !after.keys.is_empty() && restored().is_some() => {
                format!(
                    "the failed write deleted {set} on {}, but it is restored",
                    self.name
                )
            }
            0 => format!("the failed write deleted {set} on {}", self.name),
            _ => format!("{set} on {} had {had} keys and has {has} now", self.name),
        };
        let advice = error.advice().unwrap_or("run the same command again");
        let hint = format!("{what}; {advice}");
        Err(error.hint(hint))
    }
}
