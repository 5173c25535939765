//! What follows a delivery: hooks, and a report of the keys that wait.

use crate::commands::rotate::delivery::Delivery;
use crate::commands::rotate::hooks;
use crate::commands::rotate::report::RotationReport;
use crate::error::Result;
use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::UNCONFIRMED;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle;
use crate::report::json::JsonKeyName;
use crate::time;

impl Delivery<'_> {
    /// Says which keys are held, and what they wait for.
    pub fn tell_waiting(&self, report: &mut RotationReport) -> Result<()> {
        if self.publication.is_none() {
            return Ok(());
        }
        let document = self.ctx.load_public(self.name)?;
        let set = document.parse()?;
        let is_held = |key: &&Key| Header::of(key).nbf == Some(UNCONFIRMED);
        for key in set.keys.iter().filter(is_held) {
            let name = KeyName::of(key);
            for (address, seen) in self.ledger.edit(|known| known.published.clone()) {
                let since = name
                    .entry()
                    .and_then(|entry| seen.since.get(&entry).copied());
                let why = match (&seen.failed, since) {
                    (Some(_), _) => "it cannot be read".to_owned(),
                    (None, None) => "it does not serve the key yet".to_owned(),
                    (None, Some(since)) => {
                        format!("it has served the key only since {}", time::format(since))
                    }
                };
                report.add_waiting(self.ctx, key, &address, why);
            }
        }
        Ok(())
    }

    /// Reports the keys that have begun to sign since the last rotation, and records which keys sign.
    pub fn note_signers(&self, report: &mut RotationReport) -> Result<()> {
        if !self.ledger.is_kept() {
            return Ok(());
        }
        report.begin(&self.begun);
        let document = self.ctx.load_public(self.name)?;
        let set = document.parse()?;
        let active = lifecycle::active(&set, self.ctx.now);
        let active = active
            .filter_map(|key| KeyName::of(key).material())
            .collect();
        self.ledger.edit(|known| known.active = active);
        self.ledger.save()
    }

    /// Runs the hooks that have not run since a change. Returns the first error.
    pub fn run_hooks(&self, report: &mut RotationReport) -> Result<()> {
        let pending = self.ledger.edit(|known| known.hooks.clone());
        let commands = self.hooks.iter();
        let commands: Vec<_> = commands
            .filter(|command| pending.contains_key(*command))
            .collect();
        if commands.is_empty() {
            return Ok(());
        }
        let document = self.ctx.load_public(self.name)?;
        let set = document.parse()?;
        let active = lifecycle::active(&set, self.ctx.now).map(JsonKeyName::from);
        let event = report.event(&active.collect::<Vec<_>>(), self.ctx.now);
        let unfinished = hooks::unfinished(self.name, self.ctx.now);
        let mut failed = Ok(());
        for command in commands {
            // This run has kept its own event, too, before it began.
            let earlier = pending.get(command).filter(|it| **it != unfinished);
            let event = match earlier {
                Some(earlier) => hooks::with_earlier(event.clone(), earlier),
                None => event.clone(),
            };
            let ran = hooks::run(self.ctx, command, &event, self.hook_timeout);
            report.add_hook(command, &ran);
            self.ledger.edit(|known| match &ran {
                Ok(()) => {
                    known.hooks.remove(command);
                }
                Err(_) => {
                    known.hooks.insert(command.clone(), event.clone());
                }
            });
            self.ledger.save()?;
            failed = match (failed, ran) {
                (Ok(()), ran) => ran,
                (Err(first), Err(error)) => {
                    self.ctx.out.error(&error);
                    Err(first)
                }
                (first, Ok(())) => first,
            };
        }
        failed
    }
}
