//! `jwks rotate --push` where more happens than time passing: a key is compromised, or a line moves.

use crate::hydra::site::{Site, kids};
use crate::rotate_hydra::{
    DAY, HOUR, START, active, here, in_state, is_as_here, signer, with_a_switch,
};
use crate::servers::hydra::Version;
use std::sync::atomic::Ordering;

const SCHEDULE: &str = "--every 30d --publish-delay 1h --retire-after 24h --push prod";

/// A set with a retired, an active and a pending key, here and there, in this order; and the time.
fn with_every_state(site: &Site) -> (i64, [String; 3]) {
    site.ok(&format!("create api --alg EdDSA --now {START}"));
    let begun = START + 30 * DAY;
    for now in [START, begun - 2 * HOUR, begun] {
        site.ok(&format!("rotate api {SCHEDULE} --now {now}"));
    }
    let now = begun + HOUR;
    site.ok(&format!("rotate api {SCHEDULE} --force --now {now}"));
    is_as_here(site, "api", now);
    let keys = ["retired", "active", "pending"].map(|state| {
        let mut kids = in_state(site, "api", state, now);
        assert_eq!(kids.len(), 1, "{state}: {kids:?}");
        kids.remove(0)
    });
    (now, keys)
}

/// The algorithm of a key of the set here.
#[track_caller]
fn alg(site: &Site, kid: &str) -> String {
    let keys = site.local("api");
    let key = keys.iter().find(|key| key["kid"] == kid);
    key.expect("the key")["alg"]
        .as_str()
        .expect("a name")
        .to_owned()
}

/// Nobody waits for anything: the key is gone in the same run, here and there.
#[test]
fn a_compromised_key_is_gone_there_at_once() {
    for (number, state) in ["retired", "active", "pending"].into_iter().enumerate() {
        eprintln!("{state}");
        let site = Site::newest();
        let (now, keys) = with_every_state(&site);
        let (kid, now) = (&keys[number], now + 60);
        let taken = format!("rotate api {SCHEDULE} --json --compromised {kid} --now {now}");
        let report = site.json(&taken);
        let removed = kids(&report["sets"][0]["removed"]);
        assert!(removed.contains(&&**kid), "{report}");
        assert!(!here(&site, "api", now).contains_key(kid));
        is_as_here(&site, "api", now);
        let signs = site.hydra.signer("api");
        match state {
            "active" => assert!(!keys.contains(&signs.expect("a signer")), "a fresh key"),
            _ => assert_eq!(signs.as_ref(), Some(&keys[1])),
        }
        // The same once more is about a key that is not there; a plain one has nothing to do.
        site.run(&taken).fails(3);
        let puts = site.puts();
        site.ok(&format!("rotate api {SCHEDULE} --now {}", now + 1));
        assert_eq!(site.puts(), puts);
    }
}

/// The server does not hear of it: the key is expired here, nobody gets it any more, and the next
/// run takes it away there.
#[test]
fn a_compromised_key_is_taken_away_when_the_server_is_back() {
    for (number, state) in ["retired", "active", "pending"].into_iter().enumerate() {
        eprintln!("{state}");
        let (site, is_down) = with_a_switch(Version::V2_2);
        let (now, keys) = with_every_state(&site);
        let (kid, now) = (&keys[number], now + 60);
        is_down.store(true, Ordering::SeqCst);
        let taken = format!("rotate api {SCHEDULE} --compromised {kid} --now {now}");
        for _ in 0..2 {
            site.run(&taken).fails(6);
            assert_eq!(here(&site, "api", now)[kid], "expired");
        }
        let mine = site.local("api");
        let key = mine
            .iter()
            .find(|key| key["kid"] == **kid)
            .expect("the key");
        assert_eq!(key["revoked"]["reason"], "compromised");
        site.ok(&format!("check api --now {now}"));
        for line in ["export api", "export api --with-dates"] {
            let exported = site.ok(&format!("{line} --now {now}"));
            assert!(!exported.stdout.contains(&**kid), "{line}: {exported:#?}");
        }
        let signs = active(&site, "api", now);
        assert_ne!(&signs, kid);
        // Its own time would have come meanwhile.
        for now in [now + HOUR, now + 3 * HOUR] {
            let run = site
                .run(&format!("rotate api {SCHEDULE} --now {now}"))
                .fails(6);
            assert!(!run.stderr.contains("fails its check"), "{run:#?}");
            assert_ne!(&active(&site, "api", now), kid);
        }
        is_down.store(false, Ordering::SeqCst);
        let back = now + 4 * HOUR;
        site.ok(&format!("rotate api {SCHEDULE} --now {back}"));
        assert!(!here(&site, "api", back).contains_key(kid));
        is_as_here(&site, "api", back);
    }
}

/// The key that a line was to move to is compromised while the server is down: the old line goes on.
#[test]
fn a_line_goes_on_when_the_key_that_it_was_to_move_to_is_compromised() {
    for down in [false, true] {
        let (site, is_down) = with_a_switch(Version::V2_2);
        site.ok(&format!("create api --alg EdDSA --now {START}"));
        site.ok(&format!("rotate api {SCHEDULE} --now {START}"));
        site.ok(&format!(
            "rotate api {SCHEDULE} --alg ES256 --now {}",
            START + HOUR
        ));
        let next = in_state(&site, "api", "pending", START + HOUR).remove(0);
        is_down.store(down, Ordering::SeqCst);
        let taken = format!(
            "rotate api {SCHEDULE} --compromised {next} --now {}",
            START + HOUR + 60
        );
        assert_eq!(site.run(&taken).code, Some(if down { 6 } else { 0 }));
        let then = START + 9 * HOUR;
        site.run(&format!("rotate api {SCHEDULE} --now {then}"));
        let signs = active(&site, "api", then);
        assert_eq!(alg(&site, &signs), "EdDSA", "down: {down}");
        is_down.store(false, Ordering::SeqCst);
        site.ok(&format!("rotate api {SCHEDULE} --now {}", then + HOUR));
        is_as_here(&site, "api", then + HOUR);
        assert_eq!(alg(&site, &signer(&site, "api")), "EdDSA");
    }
}

/// Clients that know one algorithm learn the other one's key before it signs.
#[test]
fn a_move_to_another_algorithm_changes_the_signer_when_the_new_key_begins() {
    for version in [Version::V2_2, Version::V1_11] {
        let site = Site::new(version);
        site.ok(&format!("create api --alg RS256 --now {START}"));
        site.ok(&format!("rotate api {SCHEDULE} --now {START}"));
        let old = signer(&site, "api");
        let moved = START + DAY;
        site.ok(&format!("rotate api {SCHEDULE} --alg ES256 --now {moved}"));
        is_as_here(&site, "api", moved);
        assert_eq!(signer(&site, "api"), old);
        let new = in_state(&site, "api", "pending", moved).remove(0);
        for (now, signs) in [
            (moved + HOUR, &old),
            (moved + HOUR + 61, &new),
            (moved + DAY, &new),
        ] {
            site.ok(&format!("rotate api {SCHEDULE} --now {now}"));
            is_as_here(&site, "api", now);
            assert_eq!(&signer(&site, "api"), signs);
            assert!(here(&site, "api", now).contains_key(&old));
        }
        let end = moved + DAY + 2 * HOUR;
        site.ok(&format!("rotate api {SCHEDULE} --now {end}"));
        assert_eq!(
            here(&site, "api", end).into_keys().collect::<Vec<_>>(),
            [new]
        );
        is_as_here(&site, "api", end);
    }
}

/// The other line gets new keys, and the server goes on in the one that it signs with.
#[test]
fn the_signer_stays_in_its_line_when_another_one_moves() {
    let site = Site::newest();
    site.ok(&format!("create api --alg EdDSA --kid signs --now {START}"));
    site.ok(&format!("rotate api {SCHEDULE} --now {START}"));
    site.ok(&format!("create api --alg ES256 --kid other --now {START}"));
    let days = [0, 1, 2];
    for now in days.map(|day| START + day * DAY + 60) {
        site.ok(&format!(
            "rotate api {SCHEDULE} --line ES256 --alg ES384 --now {now}"
        ));
        assert_eq!(site.hydra.signer("api").as_deref(), Some("signs"));
    }
    assert!(
        !site
            .there("api")
            .iter()
            .any(|key| key.starts_with("other*"))
    );
    let due = START + 30 * DAY;
    for now in [due - 2 * HOUR, due + HOUR] {
        site.ok(&format!("rotate api {SCHEDULE} --now {now}"));
    }
    let signs = signer(&site, "api");
    assert_eq!(alg(&site, &signs), "EdDSA");
    assert_ne!(signs, "signs");
}

/// A key that was staged there, and will never sign because its line moves, goes there too.
#[test]
fn a_staged_key_that_will_never_sign_is_gone_there_too() {
    for (change, down) in [
        ("--alg ES384", false),
        ("--alg ES384", true),
        ("--size 3072", false),
        ("--size 3072", true),
    ] {
        eprintln!("{change}, down: {down}");
        let (site, is_down) = with_a_switch(Version::V2_2);
        let alg = if change.contains("size") {
            "RS256"
        } else {
            "ES256"
        };
        site.ok(&format!("create api --alg {alg} --kid old --now {START}"));
        site.ok(&format!("rotate api {SCHEDULE} --now {START}"));
        // Staged two days before it signs.
        let staged = START + DAY;
        site.ok(&format!(
            "create api --alg {alg} --kid never --nbf {} --now {staged}",
            staged + 2 * DAY
        ));
        site.ok(&format!("rotate api {SCHEDULE} --now {staged}"));
        is_as_here(&site, "api", staged);
        is_down.store(down, Ordering::SeqCst);
        let moved = staged + HOUR;
        let code = if down { 6 } else { 0 };
        let run = site.run(&format!("rotate api {SCHEDULE} {change} --now {moved}"));
        assert_eq!(run.code, Some(code), "{run:#?}");
        let begun = moved + 3 * HOUR;
        let run = site.run(&format!("rotate api {SCHEDULE} --now {begun}"));
        assert_eq!(run.code, Some(code), "{run:#?}");
        active(&site, "api", begun);
        is_down.store(false, Ordering::SeqCst);
        let back = begun + HOUR;
        site.ok(&format!("rotate api {SCHEDULE} --now {back}"));
        is_as_here(&site, "api", back);
        assert!(!here(&site, "api", back).contains_key("never"));
        assert_eq!(here(&site, "api", back).len(), 2);
    }
}
