//! Delivers a set after its rotation: to servers and files of verifiers first, then to files of signers, and
//! at last without the keys that have expired.

mod after;
mod signers;

use crate::args::schedule::ScheduleArgs;
use crate::commands::rotate::failures::Failures;
use crate::commands::rotate::ledger::Ledger;
use crate::commands::rotate::report::RotationReport;
use crate::commands::rotate::server::{Server, Servers};
use crate::commands::rotate::target_file::{TargetFile, all_keys, handle};
use crate::commands::rotate::{RotateArgs, caches, hooks, observation, target_file};
use crate::commands::shared::served::check_addresses;
use crate::context::Context;
use crate::error::Result;
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::{self, State};
use crate::keyset::push::Prune;
use crate::keyset::rotate::{Publication, Schedule, ServerState, is_revoked};
use crate::keyset::server_rules::ServerRules;
use crate::keystore::SetName;
use crate::keystore::deliveries::Target;
use crate::report::json::JsonKeyName;
use std::collections::BTreeSet;

/// The targets of a set, and what they have.
pub(super) struct Delivery<'a> {
    ctx: &'a Context,
    name: &'a SetName,
    ledger: Ledger<'a>,
    servers: Vec<Server>,
    /// The files of verifiers.
    verifiers: Vec<TargetFile>,
    /// The keys of the set that each of these files has.
    there: Vec<KeySet<'static>>,
    /// The files of signers.
    signers: Vec<TargetFile>,
    publication: Option<Publication>,
    /// For how long an address must have served a key before it signs, in seconds.
    publish_delay: i64,
    hooks: Vec<String>,
    /// The keys that have begun to sign since the last rotation.
    begun: Vec<JsonKeyName<'static>>,
    /// The time limit for a hook, in seconds.
    hook_timeout: u64,
}

/// When verifiers lose the keys that have expired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// After the signers have been written.
    Later,
    Now,
}

impl<'a> Delivery<'a> {
    /// Opens the servers, and reads what they, the files and the addresses have. A server or an address that
    /// cannot be read is not an error yet, because the local set is rotated anyway.
    pub(super) fn prepare(
        ctx: &'a Context,
        args: &RotateArgs,
        servers: &Servers,
        (options, saved): (&ScheduleArgs, &ScheduleArgs),
        name: &'a SetName,
        set: &KeySet,
    ) -> Result<Self> {
        let parse = |options: &ScheduleArgs| {
            let files = options.export.iter().map(|text| TargetFile::parse(text));
            files.collect::<Result<Vec<_>>>()
        };
        let files = parse(options)?;
        TargetFile::refuse_same(&files)?;
        let (verifiers, signers): (Vec<_>, Vec<_>) =
            files.into_iter().partition(TargetFile::is_for_verifiers);
        check_addresses(&options.published)?;
        let servers = servers.look(options, name)?;
        let is_local = verifiers.is_empty() && signers.is_empty() && options.hook.is_empty();
        let ledger = if is_local && options.push.is_empty() && options.published.is_empty() {
            Ledger::empty(ctx, name)
        } else {
            Ledger::open(ctx, name, args.dry_run, !args.compromised.is_empty())?
        };
        // What is known of a target counts as long as it is in the schedule.
        let other = parse(saved).unwrap_or_default();
        let all = verifiers.iter().chain(&signers).chain(&other);
        let all: BTreeSet<_> = all.map(TargetFile::id).collect();
        ledger.edit(|known| {
            let is_file = |id: &str| id.starts_with(target_file::ID);
            known
                .targets
                .retain(|id, _| !is_file(id) || all.contains(id));
        });
        // Without a record, a signer can sign with every private key of its file.
        for file in &signers {
            let keys = file.private_handles();
            ledger.edit(|known| {
                let unknown = || Target {
                    signing: keys.clone(),
                    ..Target::default()
                };
                known.targets.entry(file.id()).or_insert_with(unknown);
            });
        }
        let there = verifiers.iter().map(|file| {
            let there = file.published(set).into_iter();
            let keys = there.map(|position| set.keys[position].clone().into_owned());
            KeySet::from(keys.collect::<Vec<_>>())
        });
        let there = there.collect();
        let addresses = &options.published;
        let publication = ledger
            .edit(|known| observation::observe(ctx, &args.connection, addresses, name, set, known));
        let before = ledger.edit(|known| known.active.clone());
        let states = lifecycle::states(set, ctx.now).into_iter();
        let active = set.keys.iter().zip(states);
        let active = active.filter(|(_, state)| *state == Some(State::Active));
        let active = active.map(|(key, _)| key);
        // A set without a record has not begun anything.
        let is_new = |key: &&Key| {
            !before.is_empty() && handle(key).is_some_and(|key| !before.contains(&key))
        };
        let begun = active.filter(is_new).map(JsonKeyName::from).collect();
        Ok(Delivery {
            begun,
            ctx,
            name,
            ledger,
            servers,
            verifiers,
            there,
            signers,
            publication,
            publish_delay: options.schedule()?.publish_delay,
            hooks: options.hook.clone(),
            hook_timeout: options.hook_timeout.unwrap_or(hooks::LIMIT),
        })
    }

    /// Returns the states of the servers and of the files of verifiers, for the plan of the rotation.
    pub(super) fn states(&self) -> Vec<ServerState<'_>> {
        let servers = self.servers.iter().filter_map(Server::server_state);
        // A file that is new has no reader yet.
        let files = self.there.iter().filter(|set| !set.keys.is_empty());
        let files = files.map(|set| ServerState {
            set,
            rules: &ServerRules::FAITHFUL,
            named: &[],
        });
        servers.chain(files).collect()
    }

    /// Returns the thumbprints of the keys with which the readers of files sign.
    pub(super) fn signing(&self) -> Vec<String> {
        self.ledger.edit(|known| known.signing())
    }

    /// Returns what the published addresses serve.
    pub(super) fn publication(&self) -> Option<Publication> {
        self.publication.clone()
    }

    /// Warns if caches keep the set for longer than the publish delay of a schedule.
    pub(super) fn warn_of_caches(&self, set: &KeySet, schedule: Schedule) {
        if schedule.every.is_some() {
            let delay = schedule.publish_delay;
            self.ledger
                .edit(|known| caches::warn_of_short_delay(self.ctx, self.name, set, delay, known));
        }
    }

    /// Returns true if there are servers or files, so that expired keys stay until they are delivered.
    pub(super) fn has_targets(&self) -> bool {
        !(self.servers.is_empty() && self.verifiers.is_empty() && self.signers.is_empty())
    }

    /// Keeps what was seen. If the set changes, also keeps an event for each hook before it does.
    pub(super) fn begin(&self, is_changing: bool) -> Result<()> {
        if is_changing || !self.begun.is_empty() {
            self.arm()
        } else {
            self.ledger.save()
        }
    }

    /// Keeps an event for each hook, so that it runs even if this run is killed.
    fn arm(&self) -> Result<()> {
        let event = hooks::unfinished(self.name, self.ctx.now);
        self.ledger.edit(|known| {
            known
                .hooks
                .retain(|command, _| self.hooks.contains(command));
            for command in &self.hooks {
                let event = || event.clone();
                known.hooks.entry(command.clone()).or_insert_with(event);
            }
        });
        self.ledger.save()
    }

    /// Reports what would be delivered.
    pub(super) fn show(&mut self, report: &mut RotationReport) -> Result<()> {
        for server in &mut self.servers {
            server.show(self.ctx, self.name, report)?;
        }
        let files = self.verifiers.iter().chain(&self.signers);
        if files.clone().next().is_none() {
            return Ok(());
        }
        let document = self.ctx.load(self.name)?;
        let set = document.parse()?;
        for file in files {
            if !file.is_written(&file.content(self.ctx, &set, &[])?) {
                report.would_write(self.ctx, &file.path);
            }
        }
        Ok(())
    }

    /// Delivers the set. After a failure, goes on as far as no signer gets a key that a verifier lacks, and
    /// returns the first error.
    pub(super) fn deliver(&mut self, report: &mut RotationReport) -> Result<()> {
        if !self.has_targets() {
            return Ok(());
        }
        let document = self.ctx.load(self.name)?;
        let set = document.parse()?;
        let mut failures = Failures::default();
        // A compromised key leaves the verifiers at once.
        let is_last = self.signers.is_empty() || set.keys.iter().any(is_revoked);
        let prune = if is_last {
            Prune::Expired
        } else {
            Prune::Nothing
        };
        let removal = if self.signers.is_empty() {
            Removal::Now
        } else {
            Removal::Later
        };
        self.write_verifiers(&set, removal, report, &mut failures)?;
        self.push(prune, report, &mut failures)?;
        self.write_signers(&set, report, &mut failures)?;
        if !self.signers.is_empty() && failures.is_empty() && !report.waits() {
            self.write_verifiers(&set, Removal::Now, report, &mut failures)?;
            if !is_last && has_expired(&set, self.ctx.now) {
                self.push(Prune::Expired, report, &mut failures)?;
            }
        }
        failures.first(self.ctx)
    }

    /// Writes the files of verifiers.
    fn write_verifiers(
        &self,
        set: &KeySet,
        removal: Removal,
        report: &mut RotationReport,
        failures: &mut Failures,
    ) -> Result<()> {
        let signing = self.ledger.edit(|known| known.signing());
        let whole = set;
        for file in &self.verifiers {
            // A signer can still have a key that has left the set, such as by an undo.
            let missing = match removal {
                Removal::Later => file.missing_from(whole, &signing),
                Removal::Now => Vec::new(),
            };
            let mut set = whole.clone();
            set.keys.extend(missing);
            let set = &set;
            let keep: Vec<usize> = match removal {
                Removal::Later => {
                    let published = file.published(set).into_iter();
                    published.filter(|i| !is_revoked(&set.keys[*i])).collect()
                }
                Removal::Now => Vec::new(),
            };
            let written = file.choose(self.ctx, set, &keep).and_then(|chosen| {
                let content = file.content(self.ctx, set, &keep)?;
                if !file.is_written(&content) {
                    self.arm()?;
                    let before = self.ledger.target(&file.id());
                    file.write(self.ctx, set, &content, &before.keys)?;
                    report.add_file(self.ctx, &file.path);
                }
                Ok(all_keys(set, &chosen))
            });
            let has = self.ledger.settle(&file.id(), &written);
            if let Err(error) = written {
                failures.add_verifier(file.about(error), file.id(), has);
            }
        }
        self.ledger.save()
    }

    /// Pushes to the servers.
    fn push(
        &mut self,
        prune: Prune,
        report: &mut RotationReport,
        failures: &mut Failures,
    ) -> Result<()> {
        let mut servers = std::mem::take(&mut self.servers);
        for server in &mut servers {
            let sent = server.send(self.ctx, self.name, report, prune, || self.arm());
            let has = self.ledger.settle(&server.id(), &sent);
            if let Err(error) = sent {
                failures.add_verifier(error, server.id(), has);
            }
        }
        self.servers = servers;
        self.ledger.save()
    }
}

fn has_expired(set: &KeySet, now: i64) -> bool {
    lifecycle::states_by_date(set, now).contains(&Some(State::Expired))
}
