//! The state of each key, which follows from its dates and the time. The dates are `iat`, `nbf` and
//! `exp` in seconds since 1970, as registered for keys by OpenID Federation 1.0.

use crate::key::Key;
use crate::key::check::{Budget, findings, is_supported, may_sign, public_findings_of};
use crate::key::header::Header;
use crate::key::key_type::KeyType;
use crate::key::members::Members;
use crate::key::parts::{UNCONFIRMED, is_private};
use crate::key::step_counter;
use crate::keyset::KeySet;
use crate::keyset::key_name::KeyName;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The state of a key in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// Published before it signs; nbf is in the future
    Pending,
    /// Signs; the newest key of its line whose nbf has passed
    Active,
    /// No longer signs; published until exp
    Retired,
    /// exp has passed; left out of public exports
    Expired,
}

impl State {
    /// Returns the name in output and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Active => "active",
            State::Retired => "retired",
            State::Expired => "expired",
        }
    }
}

/// The fields that the keys of a line share: use and alg, or use, kty and crv if they have no alg.
pub(super) type Line<'h> = (Option<&'h str>, &'h str, &'h str);

pub(super) fn line<'h>(header: &'h Header) -> Line<'h> {
    step_counter::count();
    match header.alg.as_deref() {
        Some(alg) => (header.effective_use(), alg, ""),
        None => (
            header.effective_use(),
            header.kty.as_deref().unwrap_or_default(),
            header.crv.as_deref().unwrap_or_default(),
        ),
    }
}

/// Returns what the keys of a line share, to tell lines apart.
pub fn line_of<'h>(header: &'h Header) -> impl Ord + 'h {
    line(header)
}

/// Returns the name of a key's line for messages: `sig ES256`.
pub(super) fn describe_line(header: &Header) -> String {
    let (usage, kind, curve) = line(header);
    let words = [usage.unwrap_or_default(), kind, curve];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Returns the short name of a key's line: its algorithm, or else its curve, or else its key type.
pub fn line_name<'h>(header: &'h Header) -> &'h str {
    let name = header.alg.as_deref().or(header.crv.as_deref());
    name.or(header.kty.as_deref()).unwrap_or_default()
}

/// Returns the state of each key of a set. `now` is in seconds since 1970.
///
/// Of the keys of a line that [can sign](can_sign) and have begun, the one that began last is active; then
/// the one with the newest `iat`; then the last in the set. If it names a successor in another line, it
/// is retired once that one begins. All other keys of the line that have begun are retired. If no key of
/// a line can sign, somebody else holds the private keys, and a key that has begun has no state.
pub fn states(set: &KeySet, now: i64) -> Vec<Option<State>> {
    states_where(&set.keys, now, can_sign)
}

/// Returns the keys that sign now.
pub fn active<'s, 'k>(set: &'s KeySet<'k>, now: i64) -> impl Iterator<Item = &'s Key<'k>> {
    let keys = set.keys.iter().zip(states(set, now));
    keys.filter(|(_, state)| *state == Some(State::Active))
        .map(|(key, _)| key)
}

/// Returns the same states as [`states`], but also checks the private parts, with OpenSSL. Decides which
/// private parts are sent to a server.
pub fn signing_states(set: &KeySet, now: i64, budget: &Budget) -> Vec<Option<State>> {
    states_where(&set.keys, now, |key| {
        can_sign(key) && may_sign(&findings(key, budget))
    })
}

/// Returns the same states as [`states`], with another rule for which keys can sign.
pub fn states_where(keys: &[Key], now: i64, can_sign: impl Fn(&Key) -> bool) -> Vec<Option<State>> {
    let headers: Vec<_> = keys.iter().map(Header::of).collect();
    states_of(&headers, now, |position| can_sign(&keys[position]))
}

/// Returns the active key of each line, by the name of the line.
pub(super) fn active_keys(keys: &[Key], now: i64) -> BTreeMap<String, KeyName> {
    let states = states_where(keys, now, can_sign);
    let active = keys.iter().zip(states);
    let active = active.filter(|(_, state)| *state == Some(State::Active));
    let named = |(key, _): (&Key, _)| (describe_line(&Header::of(key)), KeyName::of(key));
    active.map(named).collect()
}

/// Returns true if a key can sign or decrypt: it has its private part, even if encrypted, its `key_ops`
/// allow to use that, its type and curve are supported, and its public part is valid. Works without OpenSSL.
pub fn can_sign(key: &Key) -> bool {
    let Ok(members) = key.members() else {
        return false;
    };
    is_supported(&members)
        && is_private(&members)
        && allows_private_operation(&members)
        && may_sign(&public_findings_of(&members))
}

/// Returns false if `key_ops` has only operations of the public key (RFC 7517 section 4.3).
fn allows_private_operation(members: &Members) -> bool {
    let is_symmetric = members.key_type().is_some_and(KeyType::is_symmetric);
    let is_public = |operation: &str| match operation {
        "verify" => true,
        "encrypt" | "wrapKey" => !is_symmetric,
        _ => false,
    };
    let operations = members.texts("key_ops").ok().flatten().unwrap_or_default();
    operations.is_empty() || !operations.iter().all(|operation| is_public(operation))
}

/// Returns the states that follow from the dates alone, pending and expired, for keys with which
/// somebody else signs.
pub fn states_by_date(set: &KeySet, now: i64) -> Vec<Option<State>> {
    let keys = set.keys.iter();
    keys.map(|key| by_date(&Header::of(key), now)).collect()
}

fn by_date(header: &Header, now: i64) -> Option<State> {
    match (header.nbf, header.exp) {
        (_, Some(exp)) if exp <= now => Some(State::Expired),
        (Some(nbf), _) if nbf > now => Some(State::Pending),
        _ => None,
    }
}

/// Returns the same states as [`states`], from the headers of the keys. `can_sign` returns whether the
/// key at a position can sign; it is called only if the answer matters.
pub fn states_of(
    headers: &[Header],
    now: i64,
    can_sign: impl Fn(usize) -> bool,
) -> Vec<Option<State>> {
    let mut states: Vec<_> = headers.iter().map(|header| by_date(header, now)).collect();
    let mut lines: HashMap<Line, Vec<usize>> = HashMap::new();
    for (position, header) in headers.iter().enumerate() {
        if states[position].is_none() {
            lines.entry(line(header)).or_default().push(position);
        }
    }
    let successors = successors(headers, &can_sign);
    let has_begun = |i: usize| headers[i].nbf.is_none_or(|nbf| nbf <= now);
    for mut begun in lines.into_values() {
        begun.sort_by_key(|position| Reverse(rank(headers, *position)));
        let Some(signer) = begun.iter().copied().find(|position| can_sign(*position)) else {
            continue;
        };
        for position in begun {
            states[position] = Some(State::Retired);
        }
        if !successors[signer].is_some_and(has_begun) {
            states[signer] = Some(State::Active);
        }
    }
    states
}

/// Returns the time from which a key can sign, in seconds since 1970; `None` is before every date.
pub(super) fn begin(header: &Header) -> Option<i64> {
    header.nbf.or(header.iat)
}

/// Returns the rank of a key in its line. Of the keys that have begun, the one with the highest rank is
/// active.
pub(super) fn rank(headers: &[Header], position: usize) -> (Option<i64>, Option<i64>, usize) {
    step_counter::count();
    let header = &headers[position];
    (begin(header), header.iat, position)
}

/// Returns true if a key ends before it begins, because it was withdrawn while pending.
pub(super) fn never_begins(header: &Header) -> bool {
    matches!((header.nbf, header.exp), (Some(nbf), Some(exp)) if exp <= nbf)
}

/// Returns, for each key, the position of its successor in another line, if both can sign and the
/// successor will begin. Successors that form a circle are ignored, because one of them has to sign.
pub(super) fn successors(
    headers: &[Header],
    can_sign: impl Fn(usize) -> bool,
) -> Vec<Option<usize>> {
    let mut successors = vec![None; headers.len()];
    let named = headers
        .iter()
        .filter_map(|header| header.successor.as_deref());
    let named: HashSet<&str> = named.collect();
    if named.is_empty() {
        return successors;
    }
    let mut positions = HashMap::new();
    for (position, header) in headers.iter().enumerate() {
        if let Some(kid) = header.kid.as_deref()
            && named.contains(kid)
            && !positions.contains_key(kid)
            && can_sign(position)
        {
            positions.insert(kid, position);
        }
    }
    for (position, header) in headers.iter().enumerate() {
        let named = header.successor.as_deref();
        let successor = named.and_then(|kid| positions.get(kid).copied());
        let follows = |successor: &usize| {
            let other = &headers[*successor];
            line(other) != line(header) && !never_begins(other) && can_sign(position)
        };
        successors[position] = successor.filter(follows);
    }
    let is_on_circle = on_circles(&successors);
    for (successor, is_on_circle) in successors.iter_mut().zip(is_on_circle) {
        *successor = successor.filter(|_| !is_on_circle);
    }
    successors
}

/// Returns, for each position, true if following `next` from it leads back to it.
pub(super) fn on_circles(next: &[Option<usize>]) -> Vec<bool> {
    let mut is_on_circle = vec![false; next.len()];
    // The start from which each position was reached first.
    let mut come_from = vec![None; next.len()];
    for start in 0..next.len() {
        let mut here = Some(start);
        while let Some(position) = here.filter(|position| come_from[*position].is_none()) {
            come_from[position] = Some(start);
            here = next[position];
        }
        // If the walk meets itself, the positions from there on form a circle.
        while let Some(position) = here.filter(|position| come_from[*position] == Some(start)) {
            if std::mem::replace(&mut is_on_circle[position], true) {
                break;
            }
            here = next[position];
        }
    }
    is_on_circle
}

/// Returns the next time at which a date changes the state of a key, in seconds since 1970.
pub fn next_change(headers: &[Header], now: i64) -> Option<i64> {
    let dates = headers.iter().flat_map(|header| [header.nbf, header.exp]);
    let is_known = |date: &i64| *date > now && *date < UNCONFIRMED;
    dates.flatten().filter(is_known).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states_at(json: &str, now: i64) -> String {
        let set = KeySet::parse(json).unwrap();
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        names(&states_of(&headers, now, |_| true))
    }

    fn names(states: &[Option<State>]) -> String {
        let names = states.iter().map(|state| state.map_or("-", State::name));
        names.collect::<Vec<_>>().join(" ")
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
    fn a_successor_that_ends_when_it_begins_follows_nobody() {
        let set = r#"{"keys":[
            {"kty":"RSA","alg":"RS256","kid":"a","jwks_successor":"b"},
            {"kty":"EC","alg":"ES256","kid":"b","nbf":10,"exp":10}]}"#;
        assert_eq!(states_at(set, 10), "active expired");
    }

    #[test]
    fn of_equal_kids_the_first_key_is_the_successor() {
        let set = r#"{"keys":[
            {"kty":"RSA","alg":"RS256","kid":"a","jwks_successor":"b"},
            {"kty":"EC","alg":"ES256","kid":"b"},
            {"kty":"EC","alg":"ES384","kid":"b","nbf":10}]}"#;
        assert_eq!(states_at(set, 0), "retired active pending");
    }

    /// The key of RFC 8037 with its private part, without it, and with a broken public part.
    fn key(kid: &str, part: &str, more: &str) -> String {
        let x = match part {
            "broken" => "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR",
            _ => "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        };
        let d = match part {
            "public" => "",
            _ => r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#,
        };
        format!(r#"{{"kty":"OKP","crv":"Ed25519","use":"sig","kid":"{kid}","x":"{x}"{d}{more}}}"#)
    }

    fn states_of_keys(keys: &[String], now: i64) -> String {
        let json = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        names(&states(&KeySet::parse(&json).unwrap(), now))
    }

    #[test]
    fn a_key_that_cannot_sign_retires_nobody() {
        for part in ["public", "broken"] {
            let keys = [
                key("a", "private", r#","iat":1"#),
                key("b", part, r#","iat":5"#),
                key("c", part, r#","nbf":90"#),
                key("d", part, r#","exp":5"#),
            ];
            assert_eq!(states_of_keys(&keys, 10), "active retired pending expired");
            let successor = key("a", "private", r#","jwks_successor":"b""#);
            let other_line = key("b", part, r#","alg":"EdDSA""#);
            assert_eq!(states_of_keys(&[successor, other_line], 10), "active -");
        }
    }

    #[test]
    fn a_key_whose_operations_are_those_of_the_public_key_does_not_sign() {
        for (operations, state) in [
            (r#""verify""#, "-"),
            (r#""verify","sign""#, "active"),
            ("", "active"),
        ] {
            let more = format!(r#","key_ops":[{operations}]"#);
            assert_eq!(states_of_keys(&[key("a", "private", &more)], 10), state);
        }
        let before = key("a", "private", r#","iat":1"#);
        let verifies = key("b", "private", r#","iat":5,"key_ops":["verify"]"#);
        assert_eq!(states_of_keys(&[before, verifies], 10), "active retired");
        let secret = |operations: &str| {
            let secret = r#""kty":"oct","use":"enc","k":"AAAAAAAAAAAAAAAAAAAAAA""#;
            format!(r#"{{{secret},"key_ops":["{operations}"]}}"#)
        };
        assert_eq!(states_of_keys(&[secret("encrypt")], 10), "active");
    }

    #[test]
    fn a_key_with_the_private_part_of_another_key_is_not_sent_to_sign() {
        let wrong = key("b", "private", r#","iat":5"#).replace("nWGxne_9W", "AWGxne_9W");
        let keys = [key("a", "private", r#","iat":1"#), wrong].join(",");
        let json = format!(r#"{{"keys":[{keys}]}}"#);
        let set = KeySet::parse(&json).unwrap();
        let states = signing_states(&set, 10, &Budget::default());
        assert_eq!(names(&states), "active retired");
    }

    #[test]
    fn of_a_line_that_somebody_else_signs_with_only_the_dates_tell() {
        let keys = [
            key("a", "public", ""),
            key("b", "public", r#","nbf":90"#),
            key("c", "public", r#","exp":5"#),
            key("d", "broken", ""),
        ];
        assert_eq!(states_of_keys(&keys, 10), "- pending expired -");
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
