//! Prints the proposed settings and the caches from which they follow, as tables or as JSON.

use crate::commands::advise::proposal::{Proposal, Proposed};
use crate::commands::advise::{Address, Named};
use crate::context::Context;
use crate::error::Result;
use crate::keystore::SetName;
use crate::output::{JsonError, Narrow, Tone};
use crate::remote::http::Caching;
use crate::time::format_duration;
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    set: &'a str,
    publish_delay: Setting<'a>,
    retire_after: Setting<'a>,
    max_age: Setting<'a>,
    addresses: Vec<JsonAddress<'a>>,
    verifiers: Vec<JsonVerifier<'a>>,
}

/// A setting in seconds.
#[derive(Serialize)]
struct Setting<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed: Option<i64>,
    reason: &'a str,
}

#[derive(Serialize)]
struct JsonAddress<'a> {
    address: &'a str,
    #[serde(flatten)]
    caching: Option<&'a Caching>,
    faults: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<JsonError>,
}

#[derive(Serialize)]
struct JsonVerifier<'a> {
    verifier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_kid: Option<u64>,
    obeys_headers: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

/// Prints a proposal.
pub(super) fn print(
    ctx: &Context,
    name: &SetName,
    is_scheduled: bool,
    proposal: &Proposal,
    addresses: &[Address],
    verifiers: &[Named],
) -> Result<()> {
    let lifetimes = addresses
        .iter()
        .filter_map(|it| it.caching.as_ref().ok()?.lifetime());
    let longest = lifetimes.max().and_then(|time| i64::try_from(time).ok());
    let current = |time: i64| Some(time).filter(|_| is_scheduled);
    let rows = [
        (
            "--publish-delay",
            current(proposal.schedule.publish_delay),
            &proposal.publish_delay,
        ),
        (
            "--retire-after",
            current(proposal.schedule.retire_after),
            &proposal.retire_after,
        ),
        ("max-age", longest, &proposal.max_age),
    ];
    if ctx.out.is_json() {
        let [publish_delay, retire_after, max_age] = rows.map(setting);
        return ctx.out.json(&Document {
            set: name.as_str(),
            publish_delay,
            retire_after,
            max_age,
            addresses: addresses.iter().map(json_address).collect(),
            verifiers: verifiers.iter().map(json_verifier).collect(),
        });
    }
    let cells = rows.iter().map(|(name, now, proposed)| {
        let tone = match (proposed.value, now) {
            (Some(value), Some(now)) if *name == "max-age" && value < *now => Tone::Warning,
            (Some(value), Some(now)) if *name != "max-age" && value > *now => Tone::Warning,
            (Some(_), _) | (None, _) => Tone::Plain,
        };
        vec![
            ((*name).to_owned(), Tone::Plain),
            (span(*now), Tone::Plain),
            (span(proposed.value), tone),
            (proposed.reason.clone(), Tone::Plain),
        ]
    });
    let header = ["SETTING", "NOW", "PROPOSED", "REASON"];
    ctx.out.table(&header, cells.collect(), Narrow::WrapLast)?;
    let mut caches: Vec<_> = addresses.iter().map(address_cells).collect();
    caches.extend(verifiers.iter().map(verifier_cells));
    if !caches.is_empty() {
        ctx.out.lines([""])?;
        let header = ["CACHE", "KEPT", "NEW KID", "SOURCE"];
        ctx.out.table(&header, caches, Narrow::WrapLast)?;
    }
    tell_command(ctx, name, is_scheduled, proposal);
    Ok(())
}

/// Says which command saves the proposed delays.
fn tell_command(ctx: &Context, name: &SetName, is_scheduled: bool, proposal: &Proposal) {
    let differs = |proposed: &Proposed, now: i64| {
        proposed
            .value
            .filter(|value| !is_scheduled || *value != now)
    };
    let schedule = &proposal.schedule;
    let mut words = String::new();
    for (flag, value) in [
        (
            "--publish-delay",
            differs(&proposal.publish_delay, schedule.publish_delay),
        ),
        (
            "--retire-after",
            differs(&proposal.retire_after, schedule.retire_after),
        ),
    ] {
        if let Some(value) = value {
            words += &format!(" {flag} {}", format_duration(value).replace(' ', ""));
        }
    }
    if words.is_empty() {
        return;
    }
    let every = if is_scheduled { "" } else { " --every 30d" };
    ctx.out.status(format!(
        "to use the proposed delays, run `jwks rotate {name}{every}{words} --save`"
    ));
}

fn setting<'a>((_, current, proposed): (&str, Option<i64>, &'a Proposed)) -> Setting<'a> {
    Setting {
        current,
        proposed: proposed.value,
        reason: &proposed.reason,
    }
}

fn json_address(address: &Address) -> JsonAddress<'_> {
    JsonAddress {
        address: &address.address,
        caching: address.caching.as_ref().ok(),
        faults: &address.faults,
        error: address.caching.as_ref().err().map(JsonError::from),
    }
}

fn json_verifier(verifier: &Named) -> JsonVerifier<'_> {
    JsonVerifier {
        verifier: &verifier.name,
        seconds: verifier.cache.and_then(|cache| cache.seconds),
        new_kid: verifier.cache.and_then(|cache| cache.new_kid),
        obeys_headers: verifier.cache.is_some_and(|cache| cache.obeys_headers),
        source: verifier.cache.map(|cache| cache.source.as_str()),
    }
}

fn span(time: Option<i64>) -> String {
    time.map_or("-".into(), format_duration)
}

fn unsigned(time: Option<u64>) -> String {
    span(time.and_then(|time| i64::try_from(time).ok()))
}

fn address_cells(address: &Address) -> Vec<(String, Tone)> {
    let (kept, source, tone) = match &address.caching {
        Ok(caching) => (unsigned(caching.lifetime()), headers(caching), Tone::Plain),
        Err(_) => ("-".into(), "cannot be read".into(), Tone::Bad),
    };
    vec![
        (address.address.clone(), Tone::Plain),
        (kept, Tone::Plain),
        ("-".into(), Tone::Plain),
        (source, tone),
    ]
}

/// Says what the headers of an answer are.
fn headers(caching: &Caching) -> String {
    let times = [
        ("max-age", caching.max_age),
        ("s-maxage", caching.shared_max_age),
        ("stale-while-revalidate", caching.stale_while_revalidate),
        ("Age", caching.age),
    ];
    let times = times.iter().filter_map(|(name, time)| {
        let time = i64::try_from((*time)?).ok()?;
        Some(format!("{name} {}", format_duration(time)))
    });
    let mut words: Vec<_> = times.collect();
    if caching.lifetime().is_none() {
        words.insert(0, "no max-age and no Expires".into());
    }
    words.push(match caching.etag {
        Some(_) => "an ETag".into(),
        None => "no ETag, so each fetch transfers the whole set".into(),
    });
    words.join(", ")
}

fn verifier_cells(verifier: &Named) -> Vec<(String, Tone)> {
    let (kept, new_kid, source) = match verifier.cache {
        Some(cache) => {
            let kept = match cache.seconds {
                Some(_) => unsigned(cache.seconds),
                None => "until a new kid".into(),
            };
            (kept, unsigned(cache.new_kid), cache.source.clone())
        }
        None => (
            "?".into(),
            "?".into(),
            "unknown: the program that uses the library caches the set".into(),
        ),
    };
    let cells = [verifier.name.clone(), kept, new_kid, source];
    cells.map(|text| (text, Tone::Plain)).to_vec()
}
