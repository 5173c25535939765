//! The report of a push: a JSON document, and an error for the keys that were left out.

use super::handles;
use crate::commands::report::{count, list_names};
use crate::error::{Error, Result};
use crate::keyset::merge::KeyName;
use crate::keyset::push::{Fate, Plan};
use crate::keystore::SetName;
use crate::remote::Remote;
use serde::Serialize;
use std::collections::BTreeSet;

/// The output of a push with `--json`.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Report {
    set: String,
    remote: String,
    /// The set's name there.
    name: String,
    sent: Vec<Sent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    /// The keys that the server does not accept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Refused>,
    /// The key that signs there afterwards, if the order of the keys decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

#[derive(Debug, Serialize)]
struct Sent {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    private: bool,
}

/// A key that the server does not accept.
#[derive(Debug, Serialize)]
struct Refused {
    kid: String,
    reason: String,
}

impl Report {
    /// True if the set on the server was changed.
    pub(in crate::commands) fn changes(&self) -> bool {
        self.changed
    }

    /// Returns an error that names the keys that the server did not accept.
    pub(in crate::commands) fn complete(&self) -> Result<()> {
        let kids: Vec<_> = self.refused.iter().map(|key| &key.kid).collect();
        if kids.is_empty() {
            return Ok(());
        }
        let (number, names) = (count(kids.len(), "key"), list_names(&kids));
        let (set, target) = (&self.set, format!("{}:{}", self.remote, self.name));
        let reasons: BTreeSet<_> = self.refused.iter().map(|key| &*key.reason).collect();
        let reasons: Vec<_> = reasons.into_iter().collect();
        Err(Error::refused(format!(
            "{number} of set {set} not sent to {target} ({names}): {}",
            reasons.join("; ")
        ))
        .hint(format!(
            "run `jwks create {set} --alg ALG` for a key that the server takes, or keep these in another set"
        )))
    }

    /// Reports a plan, before or after it is carried out.
    pub(in crate::commands) fn of(
        plan: &Plan,
        server: &Remote,
        name: &SetName,
        there: &str,
        dry_run: bool,
    ) -> Report {
        let sent = plan.items.iter().filter(|item| item.fate != Fate::Same);
        let sent = sent.map(|item| Sent {
            kid: item.name.kid.clone(),
            private: item.private,
        });
        let signer = plan.signer.as_ref().and_then(KeyName::handle);
        Report {
            set: name.to_string(),
            remote: server.name.clone(),
            name: there.to_owned(),
            sent: sent.collect(),
            removed: handles(&plan.gone),
            refused: plan.refused.iter().map(Refused::of).collect(),
            signer: signer.map(str::to_owned),
            changed: plan.changes() && !dry_run,
            dry_run,
        }
    }
}

impl Refused {
    fn of((name, why): &(KeyName, String)) -> Refused {
        Refused {
            kid: name.handle().unwrap_or("(without kid)").to_owned(),
            reason: why.clone(),
        }
    }
}
