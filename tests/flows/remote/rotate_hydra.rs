//! `jwks rotate --push` to a Hydra: who signs there, what is published there, and for how long.

use crate::hydra::site::Site;
use crate::servers::Answer;
use crate::servers::hydra::{Hydra, Version};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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

/// What verifiers of a server live through.
#[derive(Default)]
struct Diary {
    /// Since when each key is published.
    since: BTreeMap<String, i64>,
    /// When a key that signed was seen to sign no more.
    until: BTreeMap<String, i64>,
    signers: Vec<String>,
}

impl Diary {
    #[track_caller]
    fn note(&mut self, site: &Site, now: i64) {
        let published: BTreeSet<_> = there(site, "api").into_keys().collect();
        for kid in &published {
            self.since.entry(kid.clone()).or_insert(now);
        }
        let signer = signer(site, "api");
        if self.signers.last() != Some(&signer) {
            assert!(!self.signers.contains(&signer), "{signer} signs again");
            if let Some(before) = self.signers.last() {
                let known = now - self.since[&signer];
                assert!(known >= HOUR, "{signer} signs after {known} s");
                self.until.insert(before.clone(), now);
            }
            self.signers.push(signer);
        }
        for kid in &self.signers {
            let ended = self.until.get(kid).copied().unwrap_or(now);
            let is_needed = now < ended + DAY;
            assert!(!is_needed || published.contains(kid), "{kid} is gone");
        }
    }
}

/// Whenever the pipeline happens to run, the server signs with the active key, verifiers know each
/// key before it signs, and its last tokens verify.
#[test]
fn a_year_on_a_server() {
    for (version, steps) in [(Version::V2_2, 243)] {
        eprintln!("{version:?}");
        let site = Site::new(version);
        site.ok(&format!("create api --alg EdDSA --now {START}"));
        let mut diary = Diary::default();
        let (mut now, mut random) = (START, 12345_u64);
        for _ in 0..steps {
            let rotated = site.ok(&format!("rotate api {SCHEDULE} --now {now}"));
            assert!(!rotated.stderr.contains("warning"), "{rotated:#?}");
            is_as_here(&site, "api", now);
            diary.note(&site, now);
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
            now += (12 + i64::try_from((random >> 33) % 49).expect("small")) * HOUR + 17;
        }
        let days = (now - START) / DAY;
        let signers = i64::try_from(diary.signers.len()).expect("small");
        assert!(days > 180, "{days}");
        assert!(
            (days / 35..=days / 30 + 1).contains(&signers),
            "{signers} in {days} days"
        );
    }
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
            assert!(report["sets"][0]["error"].is_string(), "{report}");
        }
        // The first key's end has come here, and the second signs.
        let second = active(&site, "api", now);
        assert_ne!(second, first);
        assert_eq!(here(&site, "api", now)[&first], "expired");

        is_down.store(false, Ordering::SeqCst);
        let back = now + HOUR;
        let report = site.json(&format!("rotate api --json {SCHEDULE} --now {back}"));
        assert_eq!(report["sets"][0]["postponed"], json!([second]), "{report}");
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
#[test]
fn a_server_that_is_gone_keeps_no_rotation_from_happening() {
    let Site { hydra, sandbox, .. } = Site::newest();
    drop(hydra);
    sandbox.ok(["create", "api", "--now", &START.to_string()]);
    let late = (START + 31 * DAY).to_string();
    let rotate = format!("rotate api {SCHEDULE} --now {late}");
    let failed = sandbox.run(rotate.split(' ')).fails(6);
    assert!(
        failed.stderr.contains("jwks push api prod:api --yes"),
        "{failed:#?}"
    );
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
    assert_eq!(report["sets"][0]["pushed"]["sent"][0]["kid"], pending[0]);
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
    assert_eq!(report["sets"][0]["pushed"]["changed"], false);
    assert_eq!(site.puts(), puts);
}
