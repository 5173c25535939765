//! The failures of a delivery, and what they hold back.

use crate::context::Context;
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// The failures of a delivery.
#[derive(Default)]
pub(super) struct Failures {
    errors: Vec<Error>,
    /// The targets of verifiers that could not be updated, with the entries of the keys that they have.
    behind: Vec<(String, BTreeSet<String>)>,
}

impl Failures {
    pub(super) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    pub(super) fn add(&mut self, error: Error) {
        self.errors.push(error);
    }

    /// Adds the failure of a step, if it failed.
    pub(super) fn note(&mut self, result: Result<()>) {
        self.errors.extend(result.err());
    }

    /// Adds the failure of a target of verifiers, which has these keys.
    pub(super) fn add_verifier(&mut self, error: Error, target: String, has: BTreeSet<String>) {
        self.errors.push(error);
        self.behind.push((target, has));
    }

    /// Returns an error if a signer must not get one of these keys, because a verifier lacks it.
    pub(super) fn hold_back<'k>(&self, keys: impl Iterator<Item = &'k String>) -> Result<()> {
        let keys: Vec<_> = keys.collect();
        let lacks = |has: &BTreeSet<String>| keys.iter().any(|key| !has.contains(*key));
        match self.behind.iter().find(|(_, has)| lacks(has)) {
            None => Ok(()),
            Some((target, _)) => Err(Error::refused(format!(
                "{target} does not have the new signing key yet"
            ))
            .hint("correct that target; the signer keeps its key until then")),
        }
    }

    /// Returns the first error, and prints the others.
    pub(super) fn first(self, ctx: &Context) -> Result<()> {
        let mut errors = self.errors.into_iter();
        let Some(first) = errors.next() else {
            return Ok(());
        };
        for error in errors {
            ctx.out.error(&error);
        }
        Err(first)
    }
}
