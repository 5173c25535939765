//! The report of a push: messages, warnings, the log entry, a JSON document, and an error for keys that
//! were left out.

use crate::context::Context;
use crate::error::{Error, Reason, Result};
use crate::key::Key;
use crate::key::parts::has_private_member;
use crate::keyset::index::Index;
use crate::keyset::key_name::{KeyName, quote};
use crate::keyset::push::{Item, KeyChange, PushPlan, counterpart};
use crate::keystore::SetName;
use crate::keystore::log::Verb;
use crate::remote::Remote;
use crate::report::json::{JsonCarried, JsonKeyName};
use crate::report::log_entry::Record;
use crate::report::names::{SetLabel, count, list_names, shell_word};
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};

/// The output of a push with `--json`.
#[derive(Debug, Serialize)]
pub struct PushReport {
    set: String,
    remote: String,
    remote_set: String,
    sent: Vec<JsonCarried>,
    removed: Vec<JsonKeyName<'static>>,
    /// The keys that the server does not accept.
    refused: Vec<Refused>,
    /// The key that signs there afterwards, if the order of the keys decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<JsonKeyName<'static>>,
    changed: bool,
    dry_run: bool,
}

/// A key that the server does not accept.
#[derive(Debug, Serialize)]
struct Refused {
    #[serde(flatten)]
    key: JsonKeyName<'static>,
    reason: String,
}

impl PushReport {
    /// True if the set on the server was changed.
    pub fn changes(&self) -> bool {
        self.changed
    }

    /// Returns true if both are about the same set of a server.
    pub fn is_to(&self, other: &PushReport) -> bool {
        (&self.remote, &self.remote_set) == (&other.remote, &other.remote_set)
    }

    /// Returns the set on the server, as `REMOTE:NAME`.
    pub fn target(&self) -> String {
        format!("{}:{}", self.remote, self.remote_set)
    }

    /// Adds what a later push to the same set has done.
    pub fn add(&mut self, later: PushReport) {
        self.sent.extend(later.sent);
        self.removed.extend(later.removed);
        self.refused = later.refused;
        self.signer = later.signer;
        self.changed |= later.changed;
    }

    /// Returns an error that names the keys that the server did not accept.
    pub fn complete(&self) -> Result<()> {
        let kids: Vec<_> = self
            .refused
            .iter()
            .map(|refused| refused.key.shown())
            .collect();
        if kids.is_empty() {
            return Ok(());
        }
        let (number, names) = (count(kids.len(), "key"), list_names(&kids));
        let (set, target) = (&self.set, format!("{}:{}", self.remote, self.remote_set));
        let reasons: BTreeSet<_> = self.refused.iter().map(|key| &*key.reason).collect();
        let reasons: Vec<_> = reasons.into_iter().collect();
        Err(Error::refused(format!(
            "{number} of set {set} not sent to {target} ({names}): {}",
            reasons.join("; ")
        ))
        .hint(format!(
            "run `jwks create {set} --alg ALG` for a key that the server accepts, or move these keys to another set"
        )))
    }

    /// Reports a plan, before or after it is carried out.
    pub fn of(
        plan: &PushPlan,
        server: &Remote,
        name: &SetName,
        there: &str,
        dry_run: bool,
    ) -> PushReport {
        let sent = plan
            .items
            .iter()
            .filter(|item| item.change != KeyChange::Same);
        let sent = sent.map(|item| JsonCarried {
            key: item.name.clone().into(),
            private: item.private,
        });
        let removed = plan.gone.iter().cloned();
        PushReport {
            set: name.to_string(),
            remote: server.name.clone(),
            remote_set: there.to_owned(),
            sent: sent.collect(),
            removed: removed.map(JsonKeyName::from).collect(),
            refused: plan.refused.iter().map(Refused::of).collect(),
            signer: plan.signer.clone().map(JsonKeyName::from),
            changed: plan.changes() && !dry_run,
            dry_run,
        }
    }
}

impl Refused {
    fn of((name, why): &(KeyName, String)) -> Refused {
        Refused {
            key: name.clone().into(),
            reason: why.clone(),
        }
    }
}

/// Warns about the keys that the server does not accept, and about key pairs that have neither use nor
/// alg and so do not sign.
pub fn warn_of_unsent(ctx: &Context, name: &SetName, plan: &PushPlan) {
    for (key, why) in &plan.refused {
        let key = key.handle().unwrap_or("without a kid");
        ctx.out.warn(format!("{key:?} is not sent: {why}"));
    }
    for unmarked in &plan.unmarked {
        let key = unmarked.name.handle().unwrap_or("without a kid");
        let alg = unmarked.alg.map(|alg| format!(" --alg {alg}"));
        ctx.out.warn(format!(
            "{key:?} is sent public only, because it has neither use nor alg; run `jwks set {name} --kid {} --use sig{}` to let it sign",
            shell_word(key),
            alg.unwrap_or_default()
        ));
    }
}

/// Logs the keys that were sent, with or without their private part, and the keys that were deleted on
/// the server.
pub fn record(ctx: &Context, whose: SetLabel, plan: &PushPlan) {
    let (private, public) = sent(plan);
    let is_sent = |name: &&KeyName| private.contains(name) || public.contains(name);
    let signer = plan.new_signer.iter().filter(|name| !is_sent(name));
    Record::of(ctx, whose)
        .noted(Verb::Pushed, "private", private.iter().copied())
        .noted(Verb::Pushed, "public", public.iter().copied())
        .noted(Verb::Pushed, "signs there", signer)
        .noted(Verb::Removed, "pushed", &plan.gone)
        .append();
}

/// Logs what a failed push has changed, because the server can have carried out all of it or a
/// part. If the set could not be read back after a call without an answer, that is unconfirmed.
pub fn record_failed(
    ctx: &Context,
    whose: SetLabel,
    plan: &PushPlan,
    server: &Remote,
    error: &Error,
) {
    let (mut private, mut public) = sent(plan);
    let Some(left) = server.take_left() else {
        if error.is_because(Reason::Unanswered) {
            Record::of(ctx, whose)
                .noted(Verb::Pushed, "private, unconfirmed", private)
                .noted(Verb::Pushed, "public, unconfirmed", public)
                .noted(Verb::Removed, "pushed, unconfirmed", &plan.gone)
                .append();
        }
        return;
    };
    let rules = server.rules(&[&left, &plan.set]);
    let index = Index::of(&left);
    let is_as_sent = |key: &&Key| {
        let place = counterpart(key, &index, &rules);
        place.is_some_and(|place| rules.differences(key, &left.keys[place]).is_empty())
    };
    let arrived = plan.set.keys.iter().filter(is_as_sent);
    let arrived = arrived.map(|key| (KeyName::of(key).thumbprint, has_private_member(key)));
    let arrived: HashSet<_> = arrived.collect();
    let names: HashSet<_> = left.keys.iter().map(KeyName::of).collect();
    private.retain(|name| arrived.contains(&(name.thumbprint.clone(), true)));
    public.retain(|name| arrived.contains(&(name.thumbprint.clone(), false)));
    let gone = plan.gone.iter().filter(|name| !names.contains(name));
    Record::of(ctx, whose)
        .noted(Verb::Pushed, "private", private)
        .noted(Verb::Pushed, "public", public)
        .noted(Verb::Removed, "pushed", gone)
        .append();
}

/// Returns the keys that a push sends with their private part, and those that it sends public only.
fn sent(plan: &PushPlan) -> (Vec<&KeyName>, Vec<&KeyName>) {
    let names = |private: bool| {
        let items = plan.items.iter();
        let sent = items.filter(|item| item.change != KeyChange::Same && item.private == private);
        sent.map(|item| &item.name).collect()
    };
    (names(true), names(false))
}

/// Returns the kid of each key, or else its thumbprint.
pub fn handles(names: &[KeyName]) -> Vec<String> {
    let handle = |name: &KeyName| name.shown().into_owned();
    names.iter().map(handle).collect()
}

/// Describes what happens to a key on the server, such as `a (ES256): new, public only`.
pub fn line(item: &Item) -> String {
    let kid = item.name.shown();
    let part = match (item.private, item.was_private) {
        (true, false) => "with its PRIVATE part",
        (true, true) => "private, as on the server",
        (false, true) => "public only: its private part is deleted on the server",
        (false, false) => "public only",
    };
    let change = match &item.change {
        KeyChange::Add => "new".into(),
        KeyChange::Same => "unchanged".into(),
        KeyChange::Change(members) => format!("changes {}", members.join(", ")),
    };
    format!("{kid} ({}): {change}, {part}", item.alg)
}

/// Says which key signs afterwards, if the order decides it.
pub fn describe_signer(plan: &PushPlan) -> Option<String> {
    let kid = quote(plan.signer.as_ref().and_then(KeyName::handle)?);
    Some(match (&plan.new_signer, &plan.old_kid) {
        (None, _) => format!("{kid} remains the signing key"),
        (Some(_), None) => format!("{kid} becomes the signing key"),
        (Some(_), Some(old)) => format!(
            "{kid} becomes the signing key; it is the key {} under another kid, so tokens carry the new kid at once",
            quote(old)
        ),
    })
}
