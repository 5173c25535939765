//! The changes that a dry run reports.

use crate::commands::rotate::report::{date, instead_of};
use crate::key::header::Header;
use crate::key::parts::UNCONFIRMED;
use crate::keyset::KeySet;
use crate::keyset::rotate::RotationPlan;
use crate::report::json::JsonKeyName;
use serde::Serialize;

/// A change that would be made.
#[derive(Debug, Default, Serialize)]
pub(super) struct Step {
    verb: &'static str,
    /// The existing key that changes; `None` for a new key.
    #[serde(flatten)]
    key: Option<JsonKeyName<'static>>,
    /// The algorithm and size of a new key.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// The end that the key has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp_before: Option<i64>,
}

/// Returns the changes of a plan.
pub(super) fn steps(set: &KeySet, plan: &RotationPlan) -> Vec<Step> {
    let key = |position: usize| Some(JsonKeyName::from(&set.keys[position]));
    let mut steps = Vec::new();
    for new in &plan.new {
        steps.push(Step {
            verb: match new.nbf {
                Some(_) => "staged",
                None => "activated",
            },
            new_key: Some(new.template.description()),
            nbf: new.nbf,
            ..Step::default()
        });
    }
    steps.extend(plan.begins().map(|(position, nbf)| Step {
        verb: if plan.confirms(position) {
            "confirmed"
        } else {
            "postponed"
        },
        key: key(position),
        nbf: Some(nbf),
        ..Step::default()
    }));
    steps.extend(plan.ends().map(|(position, exp)| Step {
        verb: "retired",
        key: key(position),
        exp: Some(exp),
        exp_before: Header::of(&set.keys[position]).exp,
        ..Step::default()
    }));
    steps.extend(plan.removed().map(|position| Step {
        verb: "removed",
        key: key(position),
        ..Step::default()
    }));
    steps
}

impl Step {
    /// Describes the change.
    pub(super) fn description(&self) -> String {
        let kid = self.key.as_ref().map_or("".into(), JsonKeyName::shown);
        let key = self.new_key.as_deref().unwrap_or_default();
        match self.verb {
            "staged" if self.nbf == Some(UNCONFIRMED) => {
                format!("would stage a key ({key}) that signs once its publication is confirmed")
            }
            "staged" => format!(
                "would stage a key ({key}) that signs from {}",
                date(self.nbf)
            ),
            "activated" => format!("would create a key ({key}) that signs at once"),
            "postponed" if self.nbf == Some(UNCONFIRMED) => {
                format!("{kid} would be held until its publication is confirmed")
            }
            "confirmed" => format!("{kid} would sign from {}", date(self.nbf)),
            "postponed" => format!("{kid} would sign only from {}", date(self.nbf)),
            "retired" => format!(
                "{kid} would end at {}{}",
                date(self.exp),
                instead_of(self.exp_before)
            ),
            _ => format!("{kid} would be removed"),
        }
    }
}
