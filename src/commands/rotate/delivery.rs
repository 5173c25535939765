//! Delivers a set after its rotation: to servers and files of verifiers first, then to files of signers, and
//! at last without the keys that have expired.

mod after;
mod signers;

use crate::args::connection::ConnectionArgs;
use crate::args::schedule::ScheduleArgs;
use crate::commands::rotate::failures::Failures;
use crate::commands::rotate::ledger::Ledger;
use crate::commands::rotate::report::RotationReport;
use crate::commands::rotate::server::{Server, Servers};
use crate::commands::rotate::target_file::{TargetFile, all_keys, entries, signing_keys};
use crate::commands::rotate::{RotateArgs, caches, hooks, observation};
use crate::commands::shared::served::check_addresses;
use crate::context::Context;
use crate::error::Result;
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::key_name::{KeyName, material_of};
use crate::keyset::lifecycle::{self, State};
use crate::keyset::push::Prune;
use crate::keyset::rotate::{Publication, Schedule, ServerState, is_revoked};
use crate::keyset::server_rules::ServerRules;
use crate::keystore::SetName;
use crate::keystore::deliveries::Target;
use crate::report::json::JsonKeyName;

/// The targets of a set, and what they have.
pub(super) struct Delivery<'a> {
    ctx: &'a Context,
    name: &'a SetName,
    ledger: Ledger<'a>,
    servers: Vec<Server>,
    /// The files of verifiers.
    verifiers: Vec<TargetFile>,
    /// For each of these files that has readers, the keys of the set that they know or never get.
    there: Vec<KeySet<'static>>,
    /// The files of signers.
    signers: Vec<TargetFile>,
    addresses: Vec<String>,
    publication: Option<Publication>,
    /// How long an address must have served a key before it signs, in seconds.
    publish_delay: i64,
    /// How long the tokens of a key live after it has signed, in seconds.
    grace: i64,
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
    /// Opens the targets of a schedule and the record of what they have, so that no other rotation of the set
    /// delivers at the same time.
    pub(super) fn open(
        ctx: &'a Context,
        args: &RotateArgs,
        servers: &Servers,
        (options, saved): (&ScheduleArgs, &ScheduleArgs),
        name: &'a SetName,
    ) -> Result<Self> {
        let files = options.export.iter().map(|text| TargetFile::parse(text));
        let files = files.collect::<Result<Vec<_>>>()?;
        TargetFile::refuse_same(&files)?;
        let (verifiers, signers): (Vec<_>, Vec<_>) =
            files.into_iter().partition(TargetFile::is_for_verifiers);
        check_addresses(&options.published)?;
        let schedule = options.schedule()?;
        let servers = servers.of(options, name)?;
        let ledger = if options.keeps_record() {
            Ledger::open(ctx, name, args.dry_run, !args.compromised.is_empty())?
        } else {
            Ledger::empty(ctx, name)
        };
        // What is known of a target or a hook counts as long as it is in the schedule.
        ledger.edit(|known| {
            let has_target = |id: &String| options.has_target(id) || saved.has_target(id);
            known.targets.retain(|id, _| has_target(id));
            let lists = [&options.hook, &saved.hook];
            let has_hook = |hook: &String| lists.iter().any(|list| list.contains(hook));
            known.hooks.retain(|hook, _| has_hook(hook));
            known.signed.retain(|_, until| *until > ctx.now);
        });
        Ok(Delivery {
            servers,
            ctx,
            name,
            ledger,
            verifiers,
            there: Vec::new(),
            signers,
            addresses: options.published.clone(),
            publication: None,
            publish_delay: schedule.publish_delay,
            grace: schedule.grace(),
            hooks: options.hook.clone(),
            begun: Vec::new(),
            hook_timeout: options.hook_timeout.unwrap_or(hooks::LIMIT),
        })
    }

    /// Reads what the servers, the files and the addresses have of a set. In an emergency, the addresses are not read, because
    /// a compromised key does not wait for them.
    pub(super) fn look(&mut self, set: &KeySet, connection: &ConnectionArgs, is_emergency: bool) {
        for server in &mut self.servers {
            server.look();
        }
        // Without a record, a signer can sign with every private key of its file.
        for file in &self.signers {
            self.ledger.edit(|known| {
                let unknown = || Target {
                    signing: file.private_keys(set),
                    ..Target::default()
                };
                known.targets.entry(file.id.clone()).or_insert_with(unknown);
            });
        }
        for file in &self.verifiers {
            let known = self.ledger.target(&file.id);
            self.stop_signing(&file.id, &known);
            let mut published = file.published(set);
            if published.is_empty() {
                // Readers of a file that is lost or damaged know the keys that were written to it.
                let is_known = |i: &usize| {
                    let entry = KeyName::of(&set.keys[*i]).entry();
                    entry.is_some_and(|entry| known.keys.contains(&entry))
                };
                published = (0..set.keys.len()).filter(is_known).collect();
            }
            // A file that is new has no reader yet.
            if !published.is_empty() {
                let there = &published | &file.left_out(self.ctx, set);
                let keys = there.into_iter().map(|i| set.keys[i].clone().into_owned());
                self.there.push(KeySet::from(keys.collect::<Vec<_>>()));
            }
        }
        let (ctx, name) = (self.ctx, self.name);
        self.publication = self.ledger.edit(|known| {
            if !is_emergency {
                observation::observe(ctx, connection, &self.addresses, name, set, known);
            }
            known.publication(&self.addresses)
        });
        // A set without a record has not begun anything.
        let before = self.ledger.edit(|known| known.active.clone());
        let is_new = |key: &&Key| {
            let material = KeyName::of(key).material();
            !before.is_empty() && material.is_some_and(|it| !before.contains(&it))
        };
        let active = lifecycle::active(set, ctx.now);
        self.begun = active.filter(is_new).map(JsonKeyName::from).collect();
    }

    /// Records that nobody signs any more with what was the file of a signer, and is one of verifiers now.
    fn stop_signing(&self, id: &str, known: &Target) {
        let until = self.ctx.now.saturating_add(self.grace);
        self.ledger.edit(|all| {
            for entry in &known.signing {
                all.signed.insert(material_of(entry).to_owned(), until);
            }
            if let Some(target) = all.targets.get_mut(id) {
                target.signing.clear();
            }
        });
    }

    /// Returns the states of the servers and of the files of verifiers, for the plan of the rotation.
    pub(super) fn states(&self) -> Vec<ServerState<'_>> {
        let servers = self.servers.iter().filter_map(Server::server_state);
        // A file that is new has no reader yet.
        let files = self.there.iter().map(|set| ServerState {
            set,
            rules: &ServerRules::FAITHFUL,
            named: &[],
        });
        servers.chain(files).collect()
    }

    /// Returns the materials of the keys with which the readers of files sign.
    pub(super) fn signing(&self) -> Vec<String> {
        self.ledger.edit(|known| known.signing())
    }

    /// Returns the materials of the keys with which the readers of files have signed, each with the time at which
    /// its last token expires.
    pub(super) fn signed(&self) -> Vec<(String, i64)> {
        self.ledger.edit(|known| known.signed(self.ctx.now))
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
            for command in &self.hooks {
                let event = || event.clone();
                known.hooks.entry(command.clone()).or_insert_with(event);
            }
        });
        self.ledger.save()
    }

    /// Returns an error if a file cannot be written, or if it has other content.
    pub(super) fn check(&self) -> Result<()> {
        if self.verifiers.is_empty() && self.signers.is_empty() {
            return Ok(());
        }
        let document = self.ctx.load(self.name)?;
        let set = &document.parse()?;
        for file in self.verifiers.iter().chain(&self.signers) {
            let before = self.ledger.target(&file.id).keys;
            let checked = file.check(self.ctx, set, &before);
            checked.map_err(|error| file.about(error))?;
        }
        Ok(())
    }

    /// Reports what would be delivered.
    pub(super) fn show(&mut self, report: &mut RotationReport) -> Result<()> {
        for server in &mut self.servers {
            server.show(self.ctx, self.name, report)?;
        }
        let pending = self.ledger.edit(|known| known.hooks.clone());
        let has_begun = !self.begun.is_empty();
        let hooks = self.hooks.iter();
        for hook in hooks.filter(|hook| has_begun || pending.contains_key(*hook)) {
            report.would_run(self.ctx, hook);
        }
        if self.verifiers.is_empty() && self.signers.is_empty() {
            return Ok(());
        }
        let document = self.ctx.load(self.name)?;
        let set = document.parse()?;
        for file in self.verifiers.iter().chain(&self.signers) {
            let shown = self.show_file(file, &set, report);
            shown.map_err(|error| file.about(error))?;
        }
        Ok(())
    }

    fn show_file(
        &self,
        file: &TargetFile,
        set: &KeySet,
        report: &mut RotationReport,
    ) -> Result<()> {
        let chosen = file.choose(self.ctx, set, &[])?;
        if !file.is_for_verifiers() {
            let before = self.ledger.target(&file.id);
            if self.waits(set, &signing_keys(set, &chosen), &before.signing) {
                report.hold_file(self.ctx, &file.path);
                return Ok(());
            }
        }
        if !file.is_written(&file.content(self.ctx, set, &chosen, &[])?) {
            report.would_write(self.ctx, &file.path);
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
        let signing = self.ledger.edit(|known| known.signing_entries());
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
                let content = file.content(self.ctx, set, &chosen, &keep)?;
                if !file.is_written(&content) {
                    self.arm()?;
                    let before = self.ledger.target(&file.id);
                    file.write(self.ctx, set, &content, &before.keys)?;
                    report.add_file(self.ctx, &file.path);
                }
                Ok(all_keys(set, &chosen))
            });
            let mut has = self.ledger.settle(&file.id, &written);
            if let Err(error) = written {
                // No signer waits for a key that this file never has.
                has.extend(entries(set, file.left_out(self.ctx, set)));
                let target = file.path.display().to_string();
                failures.add_verifier(file.about(error), target, has);
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
                failures.add_verifier(error, server.target(), has);
            }
        }
        self.servers = servers;
        self.ledger.save()
    }
}

fn has_expired(set: &KeySet, now: i64) -> bool {
    lifecycle::states_by_date(set, now).contains(&Some(State::Expired))
}
