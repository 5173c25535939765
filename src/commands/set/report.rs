//! The report of `jwks set`.

use crate::commands::set::signing;
use crate::commands::shared::repairing::report_repair;
use crate::context::Context;
use crate::error::Result;
use crate::keyset::key_name::KeyName;
use crate::keyset::merge::{Merged, RepairedKey};
use crate::report::json::{JsonDiffering, JsonKeyName, json_differing, json_names};
use crate::report::names::SetLabel;
use serde::Serialize;

#[derive(Serialize)]
struct Report<'a> {
    set: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'a str>,
    added: Vec<JsonKeyName<'a>>,
    updated: Vec<JsonKeyName<'a>>,
    unchanged: Vec<JsonKeyName<'a>>,
    /// New keys that were left out because of a conflict.
    skipped: Vec<JsonKeyName<'a>>,
    removed: Vec<JsonKeyName<'a>>,
    /// Keys that sign now and did not sign before.
    activated: Vec<JsonKeyName<'a>>,
    /// Keys that signed before and do not sign now.
    deactivated: Vec<JsonKeyName<'a>>,
    /// Keys whose private part is in the set, and whose members differ in the input.
    differs: Vec<JsonDiffering>,
    /// Keys that --repair changed.
    repaired: Vec<JsonRepaired<'a>>,
}

/// A repaired key, and the rules that it broke.
#[derive(Serialize)]
struct JsonRepaired<'a> {
    #[serde(flatten)]
    key: JsonKeyName<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    former_thumbprint: Option<&'a str>,
    rules: Vec<&'static str>,
}

impl<'a> JsonRepaired<'a> {
    fn of(repaired: &'a RepairedKey) -> Self {
        let mut rules: Vec<_> = repaired
            .findings
            .iter()
            .map(|found| found.rule.name())
            .collect();
        rules.dedup();
        JsonRepaired {
            key: JsonKeyName::of(&repaired.name),
            former_thumbprint: repaired.former_thumbprint.as_deref(),
            rules,
        }
    }
}

/// Prints which keys were added, updated and repaired, and which sign now.
pub fn report(ctx: &Context, whose: SetLabel, merged: &Merged) -> Result<()> {
    for alias in merged.aliases.iter().filter_map(KeyName::handle) {
        ctx.out.warn(format!(
            "{alias:?} is also in set {whose} under another kid"
        ));
    }
    signing::warn_of_gap(ctx, whose, &merged.signing);
    let removed: Vec<_> = merged.replaced.iter().map(KeyName::of).collect();
    if ctx.out.is_json() {
        return ctx.out.json(&Report {
            set: whose.set,
            remote: whose.remote,
            added: json_names(&merged.added),
            updated: json_names(&merged.updated),
            unchanged: json_names(&merged.unchanged),
            skipped: json_names(&merged.skipped),
            removed: json_names(&removed),
            activated: json_names(&merged.signing.activated),
            deactivated: json_names(&merged.signing.deactivated),
            differs: json_differing(merged),
            repaired: merged.repaired.iter().map(JsonRepaired::of).collect(),
        });
    }
    for repaired in &merged.repaired {
        report_repair(ctx, &repaired.name, &repaired.findings);
    }
    let counts = [
        (merged.added.len(), "added"),
        (merged.updated.len(), "updated"),
        (merged.unchanged.len(), "unchanged"),
        (merged.skipped.len(), "skipped"),
        (removed.len(), "removed"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = counts
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let words = if words.is_empty() {
        "no keys".into()
    } else {
        words.join(", ")
    };
    ctx.out.status(format!("set {whose}: {words}"));
    signing::report(ctx, whose, &merged.signing);
    let names = merged.added.iter().chain(&merged.updated);
    let names = names.chain(&merged.unchanged);
    ctx.out.lines(names.filter_map(KeyName::handle))
}
