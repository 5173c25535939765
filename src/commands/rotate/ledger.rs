//! The record of the deliveries of a set during a rotation.

use crate::context::Context;
use crate::error::Result;
use crate::files::lock::Lock;
use crate::keystore::SetName;
use crate::keystore::deliveries::{Deliveries, Failure, Target};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The record of the deliveries of a set. It is written when it has changed.
pub(super) struct Ledger<'a> {
    ctx: &'a Context,
    name: &'a SetName,
    known: RefCell<Deliveries>,
    saved: RefCell<Deliveries>,
    /// `None` if nothing is delivered, or in a dry run: then nothing is written.
    lock: Option<Lock>,
    is_emergency: bool,
}

impl<'a> Ledger<'a> {
    /// Returns a record that is not kept.
    pub(super) fn empty(ctx: &'a Context, name: &'a SetName) -> Self {
        Ledger {
            ctx,
            name,
            known: RefCell::default(),
            saved: RefCell::default(),
            lock: None,
            is_emergency: false,
        }
    }

    /// Reads the record, and locks it unless this is a dry run. In an emergency, a record that is damaged, locked
    /// or cannot be written is only a warning.
    pub(super) fn open(
        ctx: &'a Context,
        name: &'a SetName,
        dry_run: bool,
        is_emergency: bool,
    ) -> Result<Self> {
        let lock = if dry_run {
            None
        } else {
            Some(ctx.store.lock_deliveries(name))
        };
        let lock = match lock.transpose() {
            Err(error) if is_emergency => {
                ctx.out
                    .warn(format!("the record of deliveries is not kept: {error}"));
                None
            }
            lock => lock?,
        };
        let known = match ctx.store.deliveries(name) {
            Err(error) if is_emergency => {
                ctx.out
                    .warn(format!("the record of deliveries is ignored: {error}"));
                Deliveries::default()
            }
            known => known?,
        };
        Ok(Ledger {
            saved: RefCell::new(known.clone()),
            known: RefCell::new(known),
            lock,
            is_emergency,
            ..Ledger::empty(ctx, name)
        })
    }

    /// Returns true if the record is written.
    pub(super) fn is_kept(&self) -> bool {
        self.lock.is_some()
    }

    /// Reads or changes the record in memory.
    pub(super) fn edit<T>(&self, edit: impl FnOnce(&mut Deliveries) -> T) -> T {
        edit(&mut self.known.borrow_mut())
    }

    /// Returns what is known of a target.
    pub(super) fn target(&self, id: &str) -> Target {
        self.edit(|known| known.targets.get(id).cloned().unwrap_or_default())
    }

    /// Records the result of a delivery: the entries of the keys that the target has, or its failure.
    /// Returns the keys that it has.
    pub(super) fn settle(&self, id: &str, result: &Result<BTreeSet<String>>) -> BTreeSet<String> {
        let now = self.ctx.now;
        self.edit(|known| {
            let target = known.targets.entry(id.to_owned()).or_default();
            match result {
                Ok(keys) => {
                    target.delivered = Some(now);
                    target.failed = None;
                    target.keys = keys.clone();
                }
                Err(error) => {
                    let failure = Failure::after(target.failed.take(), error.to_string(), now);
                    target.failed = Some(failure);
                }
            }
            target.keys.clone()
        })
    }

    /// Writes the record if it has changed.
    pub(super) fn save(&self) -> Result<()> {
        let known = self.known.borrow();
        if self.lock.is_none() || *known == *self.saved.borrow() {
            return Ok(());
        }
        match self.ctx.store.save_deliveries(self.name, &known) {
            Err(error) if self.is_emergency => {
                let out = &self.ctx.out;
                out.warn(format!("the record of deliveries is not kept: {error}"));
            }
            saved => saved?,
        }
        self.saved.replace(known.clone());
        Ok(())
    }
}
