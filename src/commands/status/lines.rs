//! The lines of a set: the key that signs in each, and the keys that wait.

use crate::commands::status::problem::{Kind, Problem};
use crate::key::certificate::Certificate;
use crate::key::header::Header;
use crate::key::parts::{PLANNED, UNCONFIRMED};
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State, can_sign, line_name, line_of};
use crate::report::json::JsonKeyName;
use crate::time;
use serde::Serialize;
use std::collections::BTreeMap;

/// How long before its end a certificate is reported, in seconds: 30 days.
const CERTIFICATE_NOTICE: i64 = 30 * 86_400;

/// A line of a set. Lines in which somebody else signs are left out.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// The algorithm, or else the curve or key type.
    pub(super) line: String,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<String>,
    /// The key that signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signer: Option<JsonKeyName<'static>>,
    /// The time from which it signs; `None` if it has no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<i64>,
    /// The keys that are held until their publication is confirmed.
    pub(super) held: Vec<JsonKeyName<'static>>,
}

/// The end of the certificate chain of a key.
#[derive(Debug, Serialize)]
pub(super) struct Ending {
    #[serde(flatten)]
    pub(super) key: JsonKeyName<'static>,
    /// The last second of the certificate that ends first.
    pub(super) not_after: i64,
}

/// Returns the lines of a set that its private keys sign for, and their problems. `grace` is how long a held key
/// can be late, in seconds.
pub(super) fn lines(set: &KeySet, now: i64, grace: i64) -> (Vec<Line>, Vec<Problem>) {
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    let states = lifecycle::states(set, now);
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, header) in headers.iter().enumerate() {
        groups.entry(line_of(header)).or_default().push(i);
    }
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for members in groups.into_values() {
        let own: Vec<_> = members
            .iter()
            .copied()
            .filter(|i| can_sign(&set.keys[*i]))
            .collect();
        let Some(first) = own.first() else {
            continue;
        };
        let active = own.iter().find(|i| states[**i] == Some(State::Active));
        let is_held = |i: &&usize| {
            headers[**i].nbf == Some(UNCONFIRMED) && states[**i] == Some(State::Pending)
        };
        let held: Vec<_> = own.iter().filter(is_held).collect();
        let header = &headers[*first];
        let name = line_name(header).to_owned();
        for i in &held {
            problems.extend(late(set, **i, &headers[**i], now, grace));
        }
        let has_ended = |i: &usize| states[*i] == Some(State::Expired);
        let moves_on = |i: &usize| headers[*i].successor.is_some();
        if active.is_none() && own.iter().any(has_ended) && !own.iter().any(moves_on) {
            let message =
                format!("no key signs for {name}: all of them have expired, or have not begun");
            problems.push(Problem::new(Kind::NoSigner, message));
        }
        lines.push(Line {
            line: name,
            usage: header.effective_use().map(str::to_owned),
            signer: active.map(|i| JsonKeyName::from(&set.keys[*i])),
            since: active.and_then(|i| headers[*i].nbf.or(headers[*i].iat)),
            held: held
                .iter()
                .map(|i| JsonKeyName::from(&set.keys[**i]))
                .collect(),
        });
    }
    (lines, problems)
}

/// Returns the problem of a held key that should have begun long ago.
fn late(set: &KeySet, i: usize, header: &Header, now: i64, grace: i64) -> Option<Problem> {
    let members = set.keys[i].members().unwrap_or_default();
    let planned = members.seconds(PLANNED).ok().flatten().or(header.iat)?;
    (planned.saturating_add(grace) < now).then(|| {
        let name = KeyName::of(&set.keys[i]);
        let message = format!(
            "{} has waited for its publication since {}; check what the addresses serve",
            name.shown(),
            time::format(planned)
        );
        Problem::new(Kind::Held, message)
    })
}

/// Returns the ends of the certificates of a set, and the problems of those that end before their key or soon.
pub(super) fn certificates(set: &KeySet, now: i64) -> (Vec<Ending>, Vec<Problem>) {
    let (mut endings, mut problems) = (Vec::new(), Vec::new());
    let states = lifecycle::states_by_date(set, now);
    for (key, state) in set.keys.iter().zip(states) {
        let members = key.members().unwrap_or_default();
        if state == Some(State::Expired) || !members.has("x5c") {
            continue;
        }
        let chain = Certificate::chain_of(&members);
        let ends = chain.iter().filter_map(Certificate::validity);
        let Some(not_after) = ends.map(|validity| validity.not_after).min() else {
            continue;
        };
        let exp = Header::of(key).exp;
        let is_short = match exp {
            Some(exp) => not_after < exp,
            None => not_after < now.saturating_add(CERTIFICATE_NOTICE),
        };
        if is_short {
            let name = KeyName::of(key);
            let end = time::format(not_after);
            let message = match exp {
                Some(_) => format!(
                    "the certificate of {} ends at {end}, before the key",
                    name.shown()
                ),
                None => format!("the certificate of {} ends at {end}", name.shown()),
            };
            problems.push(Problem::new(Kind::Certificate, message));
        }
        endings.push(Ending {
            key: JsonKeyName::from(key),
            not_after,
        });
    }
    (endings, problems)
}
