//! The servers that a rotation pushes to: their sets before the rotation, and the keys that are sent.

use crate::args::connection::split_name;
use crate::args::schedule::ScheduleArgs;
use crate::args::target::server_id;
use crate::commands::rotate::RotateArgs;
use crate::commands::rotate::report::RotationReport;
use crate::commands::rotate::target_file::entries;
use crate::commands::shared::publishing::{present, warn_of_caches};
use crate::commands::shared::push_report::{
    self, describe_signer, handles, line, record, record_failed, warn_of_unsent,
};
use crate::commands::shared::server::retry_on_conflict;
use crate::commands::shared::signing_check::{Change, Keyless, Source};
use crate::context::Context;
use crate::error::Result;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::push::{
    Ed25519, KeyChange, Policy, Private, Prune, PushPlan, counterparts, plan, successors,
};
use crate::keyset::rotate::ServerState;
use crate::keystore::SetName;
use crate::remote::Remote;
use crate::remote::kind::{Form, Operation};
use crate::report::names::SetLabel;
use crate::source::server::set_name;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// The servers of a run, each opened once.
pub(super) struct Servers<'a> {
    ctx: &'a Context,
    args: &'a RotateArgs,
    open: RefCell<HashMap<String, Rc<Remote>>>,
}

/// A set on a server.
pub(super) struct Server {
    remote: Rc<Remote>,
    /// The name of the set on the server.
    name: String,
    moves_kids: bool,
    ed25519: Ed25519,
    /// The time between publication and use, in seconds.
    publish_delay: i64,
    /// What was read before the rotation was planned, until it is used.
    found: Option<Result<Found>>,
}

/// The state of a set as it was read from the server.
struct Found {
    set: KeySet<'static>,
    /// True if the first key of the set signs.
    is_in_order: bool,
    /// The kids of signing keys that the server's settings name.
    named: Vec<String>,
}

impl<'a> Servers<'a> {
    pub(super) fn new(ctx: &'a Context, args: &'a RotateArgs) -> Self {
        Servers {
            ctx,
            args,
            open: RefCell::default(),
        }
    }

    /// Returns the servers of a set, which are not read yet.
    pub(super) fn of(&self, options: &ScheduleArgs, set: &SetName) -> Result<Vec<Server>> {
        let servers = options.push.iter();
        servers
            .map(|target| self.server(target, options, set))
            .collect()
    }

    fn server(&self, target: &str, options: &ScheduleArgs, set: &SetName) -> Result<Server> {
        let (name, there) = split_name(target);
        let known = self.open.borrow().get(name).cloned();
        let remote = match known {
            Some(remote) => remote,
            None => {
                let remote = Rc::new(self.args.connection.open(self.ctx, name)?);
                self.open
                    .borrow_mut()
                    .insert(name.to_owned(), remote.clone());
                remote
            }
        };
        remote.kind.require_push()?;
        if options.move_signature_kid {
            remote.kind.require(Operation::NameSigner)?;
        }
        let name = set_name(&remote, there, Some(set.as_str()))?;
        let publish_delay = options.schedule()?.publish_delay;
        Ok(Server {
            publish_delay,
            found: None,
            moves_kids: options.move_signature_kid,
            ed25519: if options.ed25519_as_eddsa {
                Ed25519::AsEdDsa
            } else {
                Ed25519::AsItIs
            },
            remote,
            name,
        })
    }
}

fn find(remote: &Remote, name: &str) -> Result<Found> {
    let set = remote.get(name, Form::Private)?.unwrap_or_default();
    Ok(Found {
        set,
        is_in_order: remote.is_in_order(),
        named: remote.signature_kids()?,
    })
}

impl Server {
    /// Reads the set on the server. A server that cannot be read is not an error yet, because the local set is
    /// rotated anyway.
    pub(super) fn look(&mut self) {
        self.found = Some(find(&self.remote, &self.name));
    }

    /// Returns the server's state for the plan of a rotation; `None` if the server was not read.
    pub(super) fn server_state(&self) -> Option<ServerState<'_>> {
        let found = self.found.as_ref()?.as_ref().ok()?;
        Some(ServerState {
            set: &found.set,
            rules: &self.remote.kind.rules,
            named: &found.named,
        })
    }

    /// Takes the result of the reading before the rotation was planned, or reads the set again.
    fn take_found(&mut self) -> Result<Found> {
        match self.found.take() {
            Some(found) => found,
            None => find(&self.remote, &self.name),
        }
    }

    /// Returns the name of the target in the record of deliveries.
    pub(super) fn id(&self) -> String {
        server_id(&self.target())
    }

    /// Returns `REMOTE:NAME`.
    pub(super) fn target(&self) -> String {
        format!("{}:{}", self.remote.name, self.name)
    }

    fn plan(&self, ctx: &Context, found: &Found, local: &KeySet, prune: Prune) -> Result<PushPlan> {
        let policy = Policy {
            private: Private::Signing,
            only: &[],
            prune,
            ed25519: self.ed25519,
            issuer: self.remote.kind.rules.issuer_of(&self.name),
            now: ctx.now,
        };
        let mut plan = plan(
            local,
            &found.set,
            &self.remote.rules(&[local, &found.set]),
            policy,
            &ctx.checks,
        )?;
        if !found.is_in_order {
            plan.send_signer_again();
        }
        present(&self.remote, self.publish_delay);
        if !plan.changes() {
            plan.redrawn = self.remote.redrawn(&plan.set)?;
        }
        Ok(plan)
    }

    /// Returns the kids in the server's settings that are replaced, each with its replacement.
    fn kids(&self, ctx: &Context, found: &Found, local: &KeySet) -> Vec<(String, String)> {
        if self.moves_kids {
            successors(local, &found.named, ctx.now, &ctx.checks)
        } else {
            Vec::new()
        }
    }

    /// Reports what would be sent.
    pub(super) fn show(
        &mut self,
        ctx: &Context,
        name: &SetName,
        report: &mut RotationReport,
    ) -> Result<()> {
        let found = &self.take_found()?;
        let document = ctx.load(name)?;
        let local = document.parse()?;
        let plan = self.plan(ctx, found, &local, Prune::Expired)?;
        warn_of_unsent(ctx, name, &plan);
        self.check(ctx, found, &plan, name, &local)?;
        self.tell(ctx, &plan, ("would get", "would lose"));
        let kids = self.kids(ctx, found, &local);
        for (old, new) in &kids {
            let target = self.target();
            ctx.out.status(format!(
                "{target}: its settings would name {new} instead of {old}"
            ));
        }
        let target = &self.name;
        report.add_push(push_report::PushReport::of(
            &plan,
            &self.remote,
            name,
            target,
            true,
        ));
        report.due |= plan.changes() || !kids.is_empty();
        Ok(())
    }

    /// Refuses a set with which the server could not sign its own tokens.
    fn check(
        &self,
        ctx: &Context,
        found: &Found,
        plan: &PushPlan,
        name: &SetName,
        local: &KeySet,
    ) -> Result<()> {
        let change = Change {
            server: &self.remote,
            set: &self.name,
            before: &found.set,
            after: &plan.set,
            source: Source::Keystore(name.as_str(), local),
        };
        let keyless = Keyless::Refuse("create a signing key, or run `jwks push --force`");
        if plan.changes() {
            change.check(ctx, keyless)
        } else {
            change.check_own(ctx, keyless)
        }
    }

    /// Sends the keys and members that the server lacks. Calls `before` before the server's set changes. If
    /// the server does not accept a key, the report keeps the error until everything else is done. Returns the
    /// [entries](KeyName::entry) of the keys of the set that the server has.
    pub(super) fn send(
        &mut self,
        ctx: &Context,
        name: &SetName,
        report: &mut RotationReport,
        prune: Prune,
        before: impl Fn() -> Result<()>,
    ) -> Result<BTreeSet<String>> {
        let target = self.target();
        let sent = self.try_to_send(ctx, name, report, prune, &before);
        if sent.is_ok() {
            warn_of_caches(ctx, &self.remote, self.publish_delay);
        }
        sent.map_err(|error| {
            let again = format!(
                "set {name} is up to date locally; the next rotation sends it, or run `jwks push {name} {target} --yes`"
            );
            let hint = match error.advice() {
                Some(advice) => format!("{advice}; {again}"),
                None => again,
            };
            error.hint(hint)
        })
    }

    fn try_to_send(
        &mut self,
        ctx: &Context,
        name: &SetName,
        report: &mut RotationReport,
        prune: Prune,
        before: &dyn Fn() -> Result<()>,
    ) -> Result<BTreeSet<String>> {
        // The rotation was planned with the set that was read before it, so the first try uses that
        // one. A repeated try reads the set again.
        let mut found = Some(self.take_found()?);
        retry_on_conflict(ctx, &self.remote, &self.target(), || {
            let found = match found.take() {
                Some(found) => found,
                None => find(&self.remote, &self.name)?,
            };
            self.send_once(ctx, name, &found, report, prune, before)
        })
    }

    fn send_once(
        &self,
        ctx: &Context,
        name: &SetName,
        found: &Found,
        report: &mut RotationReport,
        prune: Prune,
        before: &dyn Fn() -> Result<()>,
    ) -> Result<BTreeSet<String>> {
        let document = ctx.load(name)?;
        let local = document.parse()?;
        let plan = self.plan(ctx, found, &local, prune)?;
        warn_of_unsent(ctx, name, &plan);
        self.check(ctx, found, &plan, name, &local)?;
        let kids = self.kids(ctx, found, &local);
        if plan.changes() || !kids.is_empty() {
            before()?;
            let target = self.target();
            let whose = SetLabel::remote(name.as_str(), &target);
            let put = self
                .remote
                .put_set_and_name(&self.name, &found.set, &plan.set, &kids);
            put.inspect_err(|error| record_failed(ctx, whose, &plan, &self.remote, error))?;
            record(ctx, whose, &plan);
            self.tell(ctx, &plan, ("has", "no longer has"));
            for (old, new) in &kids {
                ctx.out.status(format!(
                    "{target}: its settings name {new} instead of {old}"
                ));
            }
        }
        let signer = plan.new_signer.as_ref().and_then(KeyName::handle);
        let named = kids.iter().map(|(_, new)| new.as_str());
        report.signs_there(signer.into_iter().chain(named));
        let target = &self.name;
        report.add_push(push_report::PushReport::of(
            &plan,
            &self.remote,
            name,
            target,
            false,
        ));
        let places = counterparts(&local, &plan.set, &self.remote.kind.rules);
        let is_there = |i: &usize| places[*i].is_some();
        Ok(entries(&local, (0..places.len()).filter(is_there)))
    }

    /// Prints a line for each key that changes on the server.
    fn tell(&self, ctx: &Context, plan: &PushPlan, (gets, loses): (&str, &str)) {
        let target = self.target();
        for item in plan
            .items
            .iter()
            .filter(|item| item.change != KeyChange::Same)
        {
            ctx.out.status(format!("{target} {gets} {}", line(item)));
        }
        for kid in handles(&plan.gone) {
            ctx.out.status(format!("{target} {loses} {kid}"));
        }
        if let Some(what) = &plan.redrawn {
            ctx.out
                .status(format!("{target}: its document changes {what}"));
        }
        if let Some(words) = describe_signer(plan).filter(|_| plan.new_signer.is_some()) {
            ctx.out.status(format!("{target}: {words}"));
        }
    }
}
