//! `jwks rotate --push` to an Authlete, whose settings name the key that signs.

use crate::authlete::Service;
use crate::hydra::site::Site;
use crate::rotate_hydra::{DAY, HOUR, START};
use crate::servers::authlete::Version;
use crate::support::kids_in;
use serde_json::Value;
use std::collections::BTreeMap;

const SCHEDULE: &str = "--every 30d --publish-delay 1h --retire-after 24h --push prod";
const MOVING: &str = "--move-signature-kid";
const FIELDS: [&str; 2] = ["accessTokenSignatureKeyId", "idTokenSignatureKeyId"];

/// A service that signs with the key `first` of the set `api`.
fn with_a_signer(version: Version) -> Service {
    let service = Service::start(version);
    let create = format!("create api --kid first --now {START}");
    service.run(&create).ok();
    service
        .run(&format!("push api prod --yes --now {START}"))
        .ok();
    for field in FIELDS {
        service.authlete.use_key_id(field, "first");
    }
    service
}

/// The keys there, each with whether its private part is there.
fn there(service: &Service) -> BTreeMap<String, bool> {
    let keys = service.authlete.keys().into_iter();
    keys.map(|key| (kid(&key), key["d"].is_string())).collect()
}

fn kid(key: &Value) -> String {
    key["kid"].as_str().expect("a kid").to_owned()
}

/// The keys here, each with its state.
fn here(service: &Service, now: i64) -> BTreeMap<String, String> {
    let listed = service.run(&format!("list api --json --now {now}")).ok();
    let listed = listed.json();
    let keys = listed["keys"].as_array().expect("keys").iter();
    let state = |key: &Value| key["state"].as_str().expect("a state").to_owned();
    keys.map(|key| (kid(key), state(key))).collect()
}

fn active(service: &Service, now: i64) -> String {
    let mut keys = here(service, now).into_iter();
    let active = keys.find(|(_, state)| state == "active");
    active.expect("an active key").0
}

/// The service but for what a rotation is to change.
fn rest(service: &Service) -> String {
    let mut rest: Value = serde_json::from_str(&service.rest()).expect("a service");
    for field in FIELDS {
        rest[field] = Value::Null;
    }
    rest.to_string()
}

#[test]
fn the_settings_follow_the_active_key_for_two_months() {
    for version in [Version::V3, Version::V2] {
        let service = with_a_signer(version);
        let before = rest(&service);
        let (mut now, mut random) = (START, 54321_u64);
        let (mut since, mut until) = (BTreeMap::new(), BTreeMap::new());
        let mut signs = "first".to_owned();
        while now < START + 61 * DAY {
            let schedule = SCHEDULE.replace("30d", "10d");
            service
                .run(&format!("rotate api {schedule} {MOVING} --now {now}"))
                .ok();
            let lives = here(&service, now).into_iter();
            let lives: BTreeMap<_, _> =
                lives.map(|(kid, state)| (kid, state == "active")).collect();
            let named = lives.iter().find(|(_, signs)| **signs);
            let named = named.expect("an active key").0.clone();
            for field in FIELDS {
                assert_eq!(service.authlete.service()[field], named);
            }
            assert_eq!(there(&service), lives);
            for kid in there(&service).into_keys() {
                since.entry(kid).or_insert(now);
            }
            if named != signs {
                assert!(now - since[&named] >= HOUR, "{named} was not known");
                until.insert(std::mem::replace(&mut signs, named), now);
            }
            for (kid, end) in &until {
                let is_there = there(&service).contains_key(kid);
                assert!(is_there || now >= end + DAY, "{kid} is gone");
            }
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
            now += (12 + i64::try_from((random >> 33) % 49).expect("small")) * HOUR;
        }
        assert!(until.len() >= 5, "{until:?}");
        assert_eq!(rest(&service), before);
    }
}

/// The key that the settings name keeps its private part there, and is kept here, until they name
/// another.
#[test]
fn without_the_flag_the_named_key_stays() {
    for version in [Version::V3, Version::V2] {
        let service = with_a_signer(version);
        let due = START + 30 * DAY;
        for now in [START, due - 2 * HOUR] {
            service
                .run(&format!("rotate api {SCHEDULE} --now {now}"))
                .ok();
        }
        let (service_before, posts) = (service.authlete.service(), service.posts().len());
        for now in [due + HOUR, due + 20 * HOUR, due + 5 * DAY] {
            let rotate = format!("rotate api {SCHEDULE} --now {now}");
            let refused = service.fails(4, &rotate, MOVING);
            assert!(refused.stderr.contains("first"), "{refused:#?}");
            assert_eq!(here(&service, now)["first"], "retired");
            assert_eq!(here(&service, now + DAY)["first"], "retired");
        }
        assert_eq!(service.posts().len(), posts);
        assert_eq!(service.authlete.service(), service_before);
        // With it all goes on, and the key goes when its tokens have run out.
        let moved = due + 6 * DAY;
        let rotate = format!("rotate api {SCHEDULE} {MOVING}");
        service.run(&format!("{rotate} --now {moved}")).ok();
        let new = active(&service, moved);
        assert_eq!(service.authlete.service()[FIELDS[0]], new);
        assert!(!there(&service)["first"]);
        service
            .run(&format!("{rotate} --now {}", moved + DAY - HOUR))
            .ok();
        assert!(!there(&service)["first"]);
        service
            .run(&format!("{rotate} --now {}", moved + DAY + HOUR))
            .ok();
        assert_eq!(there(&service), BTreeMap::from([(new, true)]));
    }
}

/// Without such settings the service signs with any private key that it has.
#[test]
fn where_no_setting_names_a_key_the_private_one_lives_on_for_its_tokens() {
    let service = Service::start(Version::V3);
    service
        .run(&format!("create api --kid first --now {START}"))
        .ok();
    let due = START + 30 * DAY;
    for now in [START, due - 2 * HOUR] {
        service
            .run(&format!("rotate api {SCHEDULE} --now {now}"))
            .ok();
    }
    let late = due + 20 * HOUR;
    service
        .run(&format!("rotate api {SCHEDULE} --now {late}"))
        .ok();
    assert!(!there(&service)["first"]);
    service
        .run(&format!(
            "rotate api {SCHEDULE} --now {}",
            late + DAY - HOUR
        ))
        .ok();
    assert!(there(&service).contains_key("first"));
    service
        .run(&format!(
            "rotate api {SCHEDULE} --now {}",
            late + DAY + HOUR
        ))
        .ok();
    assert!(!there(&service).contains_key("first"));
}

/// Somebody else's key stays named, whether the service has it or not.
#[test]
fn a_setting_that_names_a_foreign_key_stays() {
    let service = with_a_signer(Version::V3);
    service
        .run(&format!("create aside --kid theirs --now {START}"))
        .ok();
    service.run("push aside prod --yes").ok();
    let foreign = ["federationSignatureKeyId", "userInfoSignatureKeyId"];
    service.authlete.use_key_id(foreign[0], "theirs");
    service.authlete.use_key_id(foreign[1], "of-an-hsm");
    let due = START + 30 * DAY;
    for now in [START, due - 2 * HOUR, due + HOUR, due + 2 * DAY] {
        service
            .run(&format!("rotate api {SCHEDULE} {MOVING} --now {now}"))
            .ok();
        let settings = service.authlete.service();
        assert_eq!(settings[foreign[0]], "theirs");
        assert_eq!(settings[foreign[1]], "of-an-hsm");
        assert_eq!(settings[FIELDS[0]], active(&service, now));
        assert!(there(&service)["theirs"]);
    }
}

/// Settings alone are something to send, too.
#[test]
fn a_dry_run_sees_that_a_setting_is_to_move() {
    let service = with_a_signer(Version::V3);
    let begun = START + 2 * DAY;
    service
        .run(&format!(
            "create api --kid next --nbf {begun} --now {START}"
        ))
        .ok();
    service
        .run(&format!("rotate api {SCHEDULE} --now {START}"))
        .ok();
    service
        .run(&format!("push api prod --private-all --yes --now {START}"))
        .ok();
    for field in FIELDS {
        service.authlete.use_key_id(field, "next");
    }
    // Back, as by a mistake, when both have begun.
    let now = begun + HOUR;
    let rotate = format!("rotate api {SCHEDULE} {MOVING} --now {now}");
    service.run(&rotate).ok();
    service.run(&rotate).ok();
    let dry = format!("{rotate} --dry-run --exit-code");
    service.run(&dry).ok();
    service.authlete.use_key_id(FIELDS[1], "first");
    let posts = service.posts().len();
    let told = service.run(&dry).fails(8);
    assert!(told.stderr.contains("next instead of first"), "{told:#?}");
    assert_eq!(service.posts().len(), posts);
    let report = service.run(&format!("{rotate} --json")).ok().json();
    assert_eq!(kids_in(&report["sets"][0]["activated"]), ["next"]);
    assert_eq!(service.authlete.service()[FIELDS[1]], "next");
    service.run(&dry).ok();
}

/// A compromised key that the settings name is let go only where they may name another.
#[test]
fn a_compromised_key_that_is_named_is_followed_at_once() {
    let service = with_a_signer(Version::V3);
    let now = START + DAY;
    let taken = format!("rotate api {SCHEDULE} --compromised first --now {now}");
    service.fails(4, &taken, MOVING);
    assert_eq!(here(&service, now)["first"], "expired");
    service
        .run(&format!("rotate api {SCHEDULE} {MOVING} --now {}", now + 1))
        .ok();
    let new = active(&service, now + 1);
    assert_eq!(there(&service), BTreeMap::from([(new.clone(), true)]));
    for field in FIELDS {
        assert_eq!(service.authlete.service()[field], new);
    }
    assert!(!here(&service, now + 1).contains_key("first"));
}

#[test]
fn a_hydra_has_no_settings_that_name_keys() {
    let site = Site::newest();
    site.ok("create api");
    let before = site.sandbox.read_set("api");
    for more in ["--force", "--save", "--dry-run"] {
        let line = format!("rotate api {SCHEDULE} {MOVING} {more}");
        site.run(&line).fails(2);
    }
    assert_eq!(site.sandbox.read_set("api"), before);
    site.run("rotate api --forget").fails(3);
    assert_eq!(site.writes().len(), 0);
}
