//! The state of each key, derived from its dates and a clock (`iat`, `nbf` and `exp`, which
//! OpenID Federation 1.0 registers for keys; seconds since 1970).

use super::KeySet;
use crate::key::Key;
use crate::key::check::{findings, has_error};
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
pub fn signing_states(set: &KeySet, now: i64) -> Vec<State> {
    let mut states = states(set, now);
    let signs = |key: &Key| is_key_pair(key) && !has_error(&findings(key));
    let keys = set.keys.iter().enumerate();
    let signers = keys.filter(|(_, key)| signs(key));
    let (positions, keys): (Vec<usize>, Vec<Key>) = signers
        .map(|(position, key)| (position, key.clone()))
        .unzip();
    let among_signers = self::states(&KeySet::from(keys), now);
    for (position, state) in positions.into_iter().zip(among_signers) {
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
    for i in newest.into_values() {
        if !is_succeeded(&headers[i], headers, now) {
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

/// The key of another line that a key names as its successor, where it is there and begins some day.
pub(super) fn successor(header: &Header, headers: &[Header]) -> Option<usize> {
    let named = header.successor.as_deref()?;
    let is_named = |other: &Header| other.kid.as_deref() == Some(named);
    let position = headers.iter().position(is_named)?;
    (!never_begins(&headers[position])).then_some(position)
}

/// Whether a key's successor in another line has begun.
fn is_succeeded(header: &Header, headers: &[Header], now: i64) -> bool {
    let successor = successor(header, headers);
    successor.is_some_and(|i| headers[i].nbf.is_none_or(|nbf| nbf <= now))
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
    fn the_next_change_is_the_next_date_ahead() {
        let json = r#"{"keys":[{"nbf":5,"exp":20},{"nbf":10}]}"#;
        let set = KeySet::parse(json).unwrap();
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        assert_eq!(next_change(&headers, 0), Some(5));
        assert_eq!(next_change(&headers, 5), Some(10));
        assert_eq!(next_change(&headers, 20), None);
    }
}
