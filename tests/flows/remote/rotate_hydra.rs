//! `jwks rotate --push` to a Hydra: who signs there, what is published there, and for how long.

use crate::hydra::site::{Site, kids};
use crate::servers::Answer;
use crate::servers::hydra::{Hydra, Version};
use crate::wire::each;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// When the stories begin, in seconds since 1970.
pub const START: i64 = 1_800_000_000;

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;

const SCHEDULE: &str = "--every 30d --publish-delay 1h --retire-after 24h --push prod";

/// The keys of a set here at a time, each with its state.
pub fn here(site: &Site, set: &str, now: i64) -> BTreeMap<String, String> {
    let listed = site.json(&format!("list {set} --json --now {now}"));
    let keys = listed["keys"].as_array().expect("keys").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    keys.map(|key| (text(&key["kid"]), text(&key["state"])))
        .collect()
}

/// The kids of the keys here that are in a state.
pub fn in_state(site: &Site, set: &str, state: &str, now: i64) -> Vec<String> {
    let keys = here(site, set, now).into_iter();
    let keys = keys.filter(|(_, other)| other == state);
    keys.map(|(kid, _)| kid).collect()
}

/// The key that signs here.
#[track_caller]
pub fn active(site: &Site, set: &str, now: i64) -> String {
    let active = in_state(site, set, "active", now);
    assert_eq!(active.len(), 1, "{active:?}");
    active[0].clone()
}

/// A kid without what 1.x puts before it.
fn plain(kid: &str) -> &str {
    let half = kid.split_once(':');
    half.map_or(kid, |(_, kid)| kid)
}

/// The keys there by their plain kids, each with whether its private part is there.
pub fn there(site: &Site, set: &str) -> BTreeMap<String, bool> {
    let mut keys = BTreeMap::new();
    for key in site.there(set) {
        let kid = plain(key.trim_end_matches('*')).to_owned();
        *keys.entry(kid).or_default() |= key.ends_with('*');
    }
    keys
}

/// The plain kid of the key that signs there.
#[track_caller]
pub fn signer(site: &Site, set: &str) -> String {
    plain(&site.hydra.signer(set).expect("a signer")).to_owned()
}

/// Whoever signs here signs there, with the only private part; all that lives is published there,
/// and nothing else is.
#[track_caller]
pub fn is_as_here(site: &Site, set: &str, now: i64) {
    let lives = here(site, set, now).into_iter();
    let lives = lives.filter(|(_, state)| state != "expired");
    let wanted: BTreeMap<_, _> = lives.map(|(kid, state)| (kid, state == "active")).collect();
    assert_eq!(there(site, set), wanted);
    assert_eq!(wanted.get(&signer(site, set)), Some(&true));
}

/// A key begins between two runs, and the server goes on with the one before until the second: its
/// tokens run out a token's life after that.
#[test]
fn a_key_stays_published_for_a_tokens_life_after_the_server_signed_with_it() {
    let site = Site::newest();
    site.ok(&format!("create api --kid old --now {START}"));
    site.ok(&format!(
        "create api --kid new --nbf {} --now {START}",
        START + DAY
    ));
    site.ok(&format!("push api prod --yes --now {START}"));
    // The new key has signed here for a while; nobody has told the server.
    let late = START + DAY + 20 * HOUR;
    site.ok(&format!("rotate api {SCHEDULE} --now {late}"));
    assert_eq!(site.hydra.signer("api").as_deref(), Some("new"));
    site.ok(&format!(
        "rotate api {SCHEDULE} --now {}",
        late + DAY - HOUR
    ));
    assert!(site.there("api").contains(&"old".to_owned()));
    site.ok(&format!(
        "rotate api {SCHEDULE} --now {}",
        late + DAY + HOUR
    ));
    assert_eq!(site.there("api"), ["new*"]);
}

/// A site whose server can be switched off.
pub fn with_a_switch(version: Version) -> (Site, Arc<AtomicBool>) {
    let is_down = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_down);
    let hydra = Hydra::behind(version, move |_| {
        let down = switch.load(Ordering::SeqCst);
        down.then(|| Answer::html(500, "<html>down for days</html>"))
    });
    (Site::beside(hydra, version), is_down)
}

/// For days around the change nobody reaches the server: here all goes its way, and there the new
/// key gets its time before it signs.
#[test]
fn an_outage_delays_the_change_there_and_loses_nothing() {
    for version in [Version::V2_2, Version::V1_11] {
        let (site, is_down) = with_a_switch(version);
        site.ok(&format!("create api --alg EdDSA --now {START}"));
        site.ok(&format!("rotate api {SCHEDULE} --now {START}"));
        let first = signer(&site, "api");
        is_down.store(true, Ordering::SeqCst);
        let mut now = START;
        for hours in [28 * 24, 30 * 24 - 2, 30 * 24 + 3, 31 * 24 + 5, 33 * 24] {
            now = START + hours * HOUR;
            let failed = site.run(&format!("rotate api --json {SCHEDULE} --now {now}"));
            let failed = failed.fails(6);
            let hint = failed.error()["hint"].to_string();
            assert!(hint.contains("jwks push api prod:api --yes"), "{failed:#?}");
            let report = failed.json();
            assert!(report["sets"][0]["error"]["kind"].is_string(), "{report}");
        }
        // The first key's end has come here, and the second signs.
        let second = active(&site, "api", now);
        assert_ne!(second, first);
        assert_eq!(here(&site, "api", now)[&first], "expired");

        is_down.store(false, Ordering::SeqCst);
        let back = now + HOUR;
        let report = site.json(&format!("rotate api --json {SCHEDULE} --now {back}"));
        assert_eq!(kids(&report["sets"][0]["postponed"]), [&second]);
        is_as_here(&site, "api", back);
        assert_eq!(signer(&site, "api"), first);
        let soon = back + HOUR + 61;
        site.ok(&format!("rotate api {SCHEDULE} --now {soon}"));
        is_as_here(&site, "api", soon);
        assert_eq!(signer(&site, "api"), second);
        let before = soon + DAY - HOUR;
        site.ok(&format!("rotate api {SCHEDULE} --now {before}"));
        assert_eq!(here(&site, "api", before)[&first], "retired");
        is_as_here(&site, "api", before);
        let after = soon + DAY + HOUR;
        site.ok(&format!("rotate api {SCHEDULE} --now {after}"));
        assert_eq!(
            here(&site, "api", after).into_keys().collect::<Vec<_>>(),
            [second]
        );
        is_as_here(&site, "api", after);
    }
}

/// Nobody listens at the server's address.
pub fn a_server_that_is_gone_keeps_no_rotation_from_happening() {
    let Site { hydra, sandbox, .. } = Site::newest();
    drop(hydra);
    sandbox.ok(["create", "api", "--now", &START.to_string()]);
    let late = (START + 31 * DAY).to_string();
    sandbox.ok(["create", "new", "--now", &late]);
    // A dry run with nothing to do gives the advice about the address, too.
    let runs = [
        ("api", "jwks push api prod:api --yes"),
        ("new --dry-run", "hint: "),
    ];
    each(runs, |(set, words)| {
        let line = format!("rotate {set} {SCHEDULE} --now {late}");
        let failed = sandbox.run(line.split(' ')).fails(6);
        assert!(failed.stderr.contains(words), "{failed:#?}");
    });
    let listed = sandbox.json(["list", "api", "--json", "--now", &late]);
    assert_eq!(listed["keys"].as_array().expect("keys").len(), 2);
}

/// What is sent is refused, or the run ends before: the next one sends it.
#[test]
fn what_did_not_get_there_is_sent_by_the_next_run() {
    let site = Site::newest();
    site.ok(&format!("create api --now {START}"));
    site.ok(&format!("rotate api {SCHEDULE} --now {START}"));
    let staged = START + 30 * DAY - 2 * HOUR;
    site.hydra.rejects_next(500, "{}");
    site.run(&format!("rotate api {SCHEDULE} --now {staged}"))
        .fails(6);
    assert_eq!(site.there("api").len(), 1);
    let pending = in_state(&site, "api", "pending", staged);
    assert_eq!(pending.len(), 1);
    let later = staged + 30 * 60;
    let report = site.json(&format!("rotate api --json {SCHEDULE} --now {later}"));
    assert_eq!(report["sets"][0]["pushed"][0]["sent"][0]["kid"], pending[0]);
    is_as_here(&site, "api", later);
    // The run that was to change over ended after it had changed the set here.
    let local = SCHEDULE.replace("--push prod", "");
    let begun = START + 30 * DAY + HOUR;
    site.ok(&format!("rotate api {local} --now {begun}"));
    assert_ne!(site.hydra.signer("api"), Some(pending[0].clone()));
    site.ok(&format!("rotate api {SCHEDULE} --now {begun}"));
    assert_eq!(site.hydra.signer("api"), Some(pending[0].clone()));
    is_as_here(&site, "api", begun);
    // Nothing is left to be done.
    let puts = site.puts();
    let report = site.json(&format!("rotate api --json {SCHEDULE} --now {begun}"));
    assert_eq!(report["sets"][0]["changed"], false);
    assert_eq!(report["sets"][0]["pushed"][0]["changed"], false);
    assert_eq!(site.puts(), puts);
}

const OWN: &str = "hydra.openid.id-token";

/// The server signs with a key of its own, which nobody has pulled: ours is published first.
#[test]
fn the_first_rotation_onto_a_set_that_the_server_signs_with_publishes_first() {
    for version in [Version::V1_11, Version::V26_2] {
        let site = Site::new(version);
        let theirs = site.hydra.token(OWN).expect("a token").kid;
        site.ok(&format!("create api --alg RS256 --kid mine --now {START}"));
        let schedule = SCHEDULE.replace("prod", &format!("prod:{OWN}"));
        let first = site.ok(&format!("rotate api {schedule} --now {START}"));
        assert_eq!(there(&site, OWN).get("mine"), Some(&false), "{first:#?}");
        assert_eq!(site.hydra.token(OWN).expect("a token").kid, theirs);
        // Nothing more is made while it waits.
        let again = START + HOUR;
        site.ok(&format!("rotate api {schedule} --now {again}"));
        assert_eq!(here(&site, "api", again).len(), 1);
        assert_eq!(site.hydra.token(OWN).expect("a token").kid, theirs);
        let later = START + HOUR + 61;
        site.ok(&format!("rotate api {schedule} --now {later}"));
        assert_eq!(
            site.hydra.token(OWN).expect("a token").kid,
            site.kid("mine")
        );
        assert!(
            there(&site, OWN).contains_key(plain(&theirs)),
            "it stays published"
        );
    }
}

/// Tokens carry the kid: verifiers have to know the new one before.
#[test]
fn the_same_key_under_another_kid_is_published_first() {
    let site = Site::newest();
    site.ok(&format!("create api --kid old --now {START}"));
    site.ok(&format!("push api prod:{OWN} --yes --now {START}"));
    let mut key = site.local("api").remove(0);
    key["kid"] = "new".into();
    site.sandbox.write("new.json", key.to_string());
    site.ok("set renamed new.json");
    let schedule = SCHEDULE.replace("prod", &format!("prod:{OWN}"));
    site.ok(&format!("rotate renamed {schedule} --now {START}"));
    assert_eq!(there(&site, OWN).get("new"), Some(&false));
    assert_eq!(signer(&site, OWN), "old");
}

/// Whatever a server does not take is no success.
#[test]
fn a_rotation_that_could_send_nothing_is_refused() {
    let site = Site::newest();
    site.ok(&format!("create api --alg ES256K --kid mine --now {START}"));
    let run = site.run(&format!("rotate api {SCHEDULE} --json --now {START}"));
    let refused = run.fails(4).json()["sets"][0]["pushed"][0]["refused"].clone();
    assert_eq!(refused[0]["kid"], "mine");
    site.run("push api prod --yes").fails(4);
    site.ok(&format!("create api --alg ES256 --kid other --now {START}"));
    for line in [
        format!("rotate api {SCHEDULE} --now {START}"),
        format!("push api prod --yes --now {START}"),
    ] {
        let partial = site.run(&line).fails(4);
        assert!(partial.stderr.contains("(mine)"), "{partial:#?}");
        assert_eq!(site.there("api"), ["other*"]);
    }
}
