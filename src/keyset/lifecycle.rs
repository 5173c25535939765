//! The state of each key, derived from its dates and a clock (`iat`, `nbf` and `exp`, which
//! OpenID Federation 1.0 registers for keys; seconds since 1970).

use super::KeySet;
use crate::key::Key;
use crate::key::check::{Budget, findings, may_sign};
use crate::key::public::is_key_pair;
use crate::key::summary::Header;
use std::collections::HashMap;

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// nbf is ahead: published, so that verifiers have it before it signs
    Pending,
    /// The newest key of its line whose nbf has come: it signs
    Active,
    /// Older than the active one: published until exp
    Retired,
    /// exp has come: never exported
    Expired,
}

impl State {
    /// The state's name in output and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Active => "active",
            State::Retired => "retired",
            State::Expired => "expired",
        }
    }
}

/// What keys of one line share: use and alg, or the kind of key where they name no alg.
pub(super) type Line<'h> = (Option<&'h str>, &'h str, &'h str);

pub(super) fn line<'h>(header: &'h Header) -> Line<'h> {
    match header.alg.as_deref() {
        Some(alg) => (header.effective_use(), alg, ""),
        None => (
            header.effective_use(),
            header.kty.as_deref().unwrap_or_default(),
            header.crv.as_deref().unwrap_or_default(),
        ),
    }
}

/// What people call a key's line: its algorithm, or its curve or key type where it has none.
pub fn line_name<'h>(header: &'h Header) -> &'h str {
    let name = header.alg.as_deref().or(header.crv.as_deref());
    name.or(header.kty.as_deref()).unwrap_or_default()
}

/// The state of every key of a set, in the set's order. `now` is in seconds since 1970.
///
/// A key without dates is active from the beginning. Of several that have begun, the one that
/// began last is active; then the one with the newest `iat`; then the last in the set. Where that
/// one names a successor in another line, it is retired from the moment at which that one begins.
pub fn states(set: &KeySet, now: i64) -> Vec<State> {
    let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
    states_of(&headers, now)
}

/// The same where only keys that can sign stand in each other's way: a public key, or an invalid one,
/// takes the place of no signer.
pub fn signing_states(set: &KeySet, now: i64, budget: &Budget) -> Vec<State> {
    states_among(set, now, |key| {
        is_key_pair(key) && may_sign(&findings(key, budget))
    })
}

/// The same where only the keys that `counts` picks stand in each other's way.
pub fn states_among(set: &KeySet, now: i64, counts: impl Fn(&Key) -> bool) -> Vec<State> {
    let mut states = states(set, now);
    let keys = set.keys.iter().enumerate();
    let counting = keys.filter(|(_, key)| counts(key));
    let (positions, keys): (Vec<usize>, Vec<Key>) = counting
        .map(|(position, key)| (position, key.clone()))
        .unzip();
    let among = self::states(&KeySet::from(keys), now);
    for (position, state) in positions.into_iter().zip(among) {
        states[position] = state;
    }
    states
}

/// The same over headers that have been read already.
pub fn states_of(headers: &[Header], now: i64) -> Vec<State> {
    let mut newest: HashMap<Line, usize> = HashMap::new();
    let mut states = Vec::with_capacity(headers.len());
    for (i, header) in headers.iter().enumerate() {
        if header.exp.is_some_and(|exp| exp <= now) {
            states.push(State::Expired);
        } else if header.nbf.is_some_and(|nbf| nbf > now) {
            states.push(State::Pending);
        } else {
            states.push(State::Retired);
            let best = newest.entry(line(header)).or_insert(i);
            if rank(headers, i) > rank(headers, *best) {
                *best = i;
            }
        }
    }
    let successors = successors(headers);
    let has_begun = |i: usize| headers[i].nbf.is_none_or(|nbf| nbf <= now);
    for i in newest.into_values() {
        if !successors[i].is_some_and(has_begun) {
            states[i] = State::Active;
        }
    }
    states
}

/// When a key began, or will begin, to sign, in seconds since 1970; `None` is the beginning of time.
pub(super) fn begin(header: &Header) -> Option<i64> {
    header.nbf.or(header.iat)
}

/// The order of the keys of a line: the greatest that has begun is active.
pub(super) fn rank(headers: &[Header], position: usize) -> (Option<i64>, Option<i64>, usize) {
    let header = &headers[position];
    (begin(header), header.iat, position)
}

/// Whether a key was given up before its time: it ends before it begins.
pub(super) fn never_begins(header: &Header) -> bool {
    matches!((header.nbf, header.exp), (Some(nbf), Some(exp)) if exp <= nbf)
}

/// The key of another line that each key names as its successor, where that one is there and begins
/// some day. Where successors lead around, none of them follows another: somebody has to sign.
pub(super) fn successors(headers: &[Header]) -> Vec<Option<usize>> {
    let mut successors = vec![None; headers.len()];
    if headers.iter().all(|header| header.successor.is_none()) {
        return successors;
    }
    let mut positions = HashMap::new();
    for (position, header) in headers.iter().enumerate() {
        if let Some(kid) = header.kid.as_deref() {
            positions.entry(kid).or_insert(position);
        }
    }
    for (header, successor) in headers.iter().zip(&mut successors) {
        let named = header.successor.as_deref();
        let position = named.and_then(|kid| positions.get(kid).copied());
        *successor = position.filter(|position| {
            let other = &headers[*position];
            line(other) != line(header) && !never_begins(other)
        });
    }
    // Those that nobody leads to are not on a circle, nor are those that only such ones lead to.
    let mut leading = vec![0; headers.len()];
    for successor in successors.iter().flatten() {
        leading[*successor] += 1;
    }
    let mut loose: Vec<_> = (0..headers.len()).filter(|i| leading[*i] == 0).collect();
    while let Some(position) = loose.pop() {
        if let Some(successor) = successors[position] {
            leading[successor] -= 1;
            if leading[successor] == 0 {
                loose.push(successor);
            }
        }
    }
    for (successor, leading) in successors.iter_mut().zip(leading) {
        if leading > 0 {
            *successor = None;
        }
    }
    successors
}

/// The next moment at which a key changes its state by itself, in seconds since 1970.
pub fn next_change(headers: &[Header], now: i64) -> Option<i64> {
    let dates = headers.iter().flat_map(|header| [header.nbf, header.exp]);
    dates.flatten().filter(|date| *date > now).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states_at(json: &str, now: i64) -> String {
        let set = KeySet::parse(json).unwrap();
        let names: Vec<_> = states(&set, now).iter().map(|state| state.name()).collect();
        names.join(" ")
    }

    #[test]
    fn a_rotation_seen_over_time() {
        let set = r#"{"keys":[
            {"kty":"EC","use":"sig","alg":"ES256","kid":"a","iat":100,"exp":300},
            {"kty":"EC","use":"sig","alg":"ES256","kid":"b","iat":150,"nbf":200}]}"#;
        assert_eq!(states_at(set, 160), "active pending");
        assert_eq!(states_at(set, 199), "active pending");
        assert_eq!(states_at(set, 200), "retired active");
        assert_eq!(states_at(set, 299), "retired active");
        assert_eq!(states_at(set, 300), "expired active");
    }

    #[test]
    fn lines_do_not_meet() {
        let set = r#"{"keys":[
            {"kty":"EC","use":"sig","alg":"ES256"},
            {"kty":"RSA","use":"sig","alg":"RS256"},
            {"kty":"RSA","use":"enc","alg":"RSA-OAEP"},
            {"kty":"RSA","use":"sig"},
            {"kty":"EC","crv":"P-256","use":"sig"}]}"#;
        assert_eq!(states_at(set, 0), "active active active active active");
    }

    #[test]
    fn among_undated_keys_the_last_is_active() {
        let set = r#"{"keys":[{"kty":"oct"},{"kty":"oct"}]}"#;
        assert_eq!(states_at(set, 0), "retired active");
        let set = r#"{"keys":[{"kty":"oct","iat":2},{"kty":"oct","iat":1},{"kty":"oct"}]}"#;
        assert_eq!(states_at(set, 3), "active retired retired");
    }

    #[test]
    fn among_keys_that_began_together_the_newest_is_active() {
        let set = r#"{"keys":[{"kty":"oct","nbf":5,"iat":4},{"kty":"oct","nbf":5,"iat":3}]}"#;
        assert_eq!(states_at(set, 5), "active retired");
    }

    #[test]
    fn a_line_ends_when_its_successor_in_another_begins() {
        let set = r#"{"keys":[
            {"kty":"RSA","use":"sig","alg":"RS256","kid":"a","iat":1},
            {"kty":"RSA","use":"sig","alg":"RS256","kid":"b","iat":2,"jwks_successor":"c"},
            {"kty":"EC","use":"sig","alg":"ES256","kid":"c","iat":3,"nbf":10}]}"#;
        assert_eq!(states_at(set, 9), "retired active pending");
        assert_eq!(states_at(set, 10), "retired retired active");
        let lost = set.replace("\"kid\":\"c\"", "\"kid\":\"d\"");
        assert_eq!(states_at(&lost, 10), "retired active active");
    }

    #[test]
    fn successors_that_lead_around_follow_nobody() {
        let key = |alg: &str, kid: &str, successor: &str| {
            format!(
                r#"{{"kty":"RSA","use":"sig","alg":"{alg}","kid":"{kid}","jwks_successor":"{successor}"}}"#
            )
        };
        let circle = [key("RS256", "a", "b"), key("RS384", "b", "a")].join(",");
        let leading = key("RS512", "c", "a");
        let own_line = [key("PS256", "d", "e"), key("PS256", "e", "d")].join(",");
        let set = format!(r#"{{"keys":[{circle},{leading},{own_line}]}}"#);
        assert_eq!(states_at(&set, 0), "active active retired retired active");
    }

    #[test]
    fn the_next_change_is_the_next_date_ahead() {
        let json = r#"{"keys":[{"nbf":5,"exp":20},{"nbf":10}]}"#;
        let set = KeySet::parse(json).unwrap();
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        assert_eq!(next_change(&headers, 0), Some(5));
        assert_eq!(next_change(&headers, 5), Some(10));
        assert_eq!(next_change(&headers, 20), None);
    }
}
