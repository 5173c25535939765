//! What a target that fails holds back, and what it does not; and what a dry run says of it.

use crate::deliveries::{BEGUN, STAGED, block, delivering, kids, public, signs, unblock};
use crate::publication::{Copy, published};
use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use crate::support::{JWKS, finish};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn a_signer_does_not_get_a_new_kid_before_verifiers_do() {
    let store = delivering();
    store.ok("set api --kid first --rename other --yes", START + HOUR);
    block(&store, "public");
    let run = store.run("rotate --all", START + HOUR);
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert!(
        run.stderr.contains("does not have the new signing key yet"),
        "{run:#?}"
    );
    assert_eq!(signs(&store), "first");
    unblock(&store, "public");
    store.ok("rotate --all", START + 2 * HOUR);
    assert_eq!(signs(&store), "other");
}

#[test]
fn a_shared_secret_stays_in_the_set_while_a_signer_has_it() {
    let store = Store::with_a_key("HS256");
    fs::create_dir(store.sandbox.path().join("private")).expect("a directory");
    let line = format!("{SCHEDULE} --export private/env=supabase --save");
    store.rotate(&line, START);
    store.ok("rotate --all", STAGED);
    block(&store, "private");
    for day in 0..4 {
        let run = store.run("rotate --all", BEGUN + day * DAY);
        assert_ne!(run.code, Some(0), "{run:#?}");
    }
    assert!(store.sandbox.read_set("api").contains("\"first\""));
    unblock(&store, "private");
    store.ok("rotate --all", BEGUN + 4 * DAY);
    store.ok("rotate --all", BEGUN + 5 * DAY - HOUR);
    assert!(store.sandbox.read_set("api").contains("\"first\""));
    store.ok("rotate --all", BEGUN + 5 * DAY + HOUR);
    assert!(!store.sandbox.read_set("api").contains("\"first\""));
}

#[test]
fn a_file_of_another_line_holds_no_signer_back() {
    let store = Store::with_a_key("ES256");
    store.ok("create api --alg RS256 --kid rsa", START);
    for directory in ["other", "private"] {
        fs::create_dir(store.sandbox.path().join(directory)).expect("a directory");
    }
    let files = "--export other/rsa.json=jwks:RS256 --export private/sign.json=spring:ES256";
    store.rotate(&format!("{SCHEDULE} {files} --save"), START);
    assert_eq!(
        kids(&store.sandbox, "other/rsa.json"),
        BTreeSet::from(["rsa".to_owned()])
    );
    store.ok("rotate --all", STAGED);
    block(&store, "other");
    let run = store.run("rotate --all", BEGUN);
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert_ne!(signs(&store), "first", "{run:#?}");
    assert!(!run.stderr.contains("signs only from"), "{run:#?}");
}

#[test]
fn an_undo_does_not_bring_back_an_earlier_end() {
    let store = delivering();
    store.ok("rotate --all", STAGED);
    block(&store, "private");
    for day in 0..3 {
        let run = store.run("rotate --all", BEGUN + day * DAY);
        assert_ne!(run.code, Some(0), "{run:#?}");
    }
    unblock(&store, "private");
    let now = BEGUN + 3 * DAY;
    store.ok("rotate --all", now);
    assert_ne!(signs(&store), "first");
    // The end that the first rotation gave has passed.
    for _ in 0..3 {
        store.ok("undo api --yes", now + MINUTE);
    }
    store.ok("rotate --all", now + HOUR);
    assert!(public(&store).contains("first"), "its last token lives on");
    store.ok("rotate --all", now + DAY + HOUR);
    assert!(!public(&store).contains("first"));
}

#[test]
fn a_dry_run_says_what_stands_in_the_way() {
    let store = Store::with_a_key("ES256");
    store.sandbox.write("key.json", "not ours");
    let line = format!("{SCHEDULE} --export key.json=spring");
    for option in ["", " --force"] {
        let run = store.run(&format!("rotate api {line}{option} --dry-run"), START);
        let run = run.fails(4);
        assert!(
            run.stderr.contains("other content than this set"),
            "{run:#?}"
        );
    }
    assert!(!store.sandbox.store().join(".deliveries/api").exists());
}

#[test]
fn a_dry_run_names_the_hooks_that_have_not_run() {
    let store = Store::with_a_key("ES256");
    store.rotate(&format!("{SCHEDULE} --hook ./tell --save"), START);
    let run = store.run("rotate api --force", START + HOUR).fails(6);
    assert!(run.stderr.contains("./tell"), "{run:#?}");
    let run = store.run("rotate api --dry-run --exit-code", START + HOUR + MINUTE);
    let run = run.fails(8);
    assert!(run.stderr.contains("would run the hook"), "{run:#?}");
    store.sandbox.write("tell", "#!/bin/sh\n");
    store.sandbox.shell("chmod +x tell").ok();
    store.ok("rotate api", START + HOUR + MINUTE);
    let line = "rotate api --dry-run --exit-code";
    store.ok(line, START + HOUR + 2 * MINUTE);
}

#[test]
fn a_rotation_of_no_set_leaves_nothing() {
    let store = Store::with_a_key("ES256");
    let line = format!("rotate nothing {SCHEDULE} --export a.json --hook true");
    store.run(&line, START).fails(3);
    assert!(!store.sandbox.store().join(".deliveries").exists());
    assert!(!store.sandbox.path().join("a.json").exists());
}

#[test]
fn a_held_key_is_not_listed_as_due() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    store.ok("rotate --all", STAGED);
    let listed = store.ok("list --json", STAGED + MINUTE).json();
    let next = listed["sets"][0]["next_change"].as_i64();
    assert!(next > Some(STAGED + MINUTE), "{listed:#}");
}

#[test]
fn a_schedule_that_is_forgotten_leaves_no_record() {
    let store = delivering();
    let record = store.sandbox.store().join(".deliveries/api");
    assert!(record.exists());
    store.ok("rotate api --forget", START + HOUR);
    assert!(!record.exists());
    // The signer's file still counts when a schedule is saved again.
    let files = "--export public/jwks.json --export private/sign.json=spring";
    store.rotate(&format!("{SCHEDULE} {files} --save"), START + HOUR);
    assert_eq!(signs(&store), "first");
}

#[test]
fn a_lost_file_of_verifiers_delays_a_key_that_nobody_has_seen() {
    let store = delivering();
    let file = store.sandbox.path().join("public/jwks.json");
    fs::write(&file, "").expect("a damaged file");
    store.run("rotate --all", STAGED).fails(4);
    fs::remove_file(&file).expect("the file");
    let run = store.ok("rotate --all", BEGUN);
    assert!(run.stderr.contains("signs only from"), "{run:#?}");
    assert_eq!(signs(&store), "first");
    store.ok("rotate --all", BEGUN + HOUR + 2 * MINUTE);
    assert_ne!(signs(&store), "first");
}

#[test]
fn the_only_copy_of_a_private_key_is_not_replaced() {
    let store = Store::with_a_key("ES256");
    store.ok("create other --alg ES256 --kid away", START);
    let export = |line: &str| store.ok(line, START).stdout;
    let private = export("export other --private");
    let public = export("export other");
    let keys = store.sandbox.write("keys.json", &private);
    store.sandbox.write("public.json", public);
    store.ok("set api public.json", START);
    store.ok("create api --alg HS256 --kid shared", START);
    let secret = r#"{"keys":[{"kty":"oct","kid":"shared","alg":"HS256","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA"}]}"#;
    let shared = store.sandbox.write("shared.json", secret);
    for (target, path, content) in [
        ("keys.json", &keys, private.as_str()),
        ("shared.json=spring:HS256", &shared, secret),
    ] {
        let line = format!("rotate api {SCHEDULE} --export {target} --save");
        store.run(&line, START).fails(4);
        assert_eq!(&fs::read_to_string(path).expect("the file"), content);
    }
    let listed = store.ok("list --json", START).stdout;
    assert!(!listed.contains("export"), "nothing was saved: {listed}");
}

#[test]
fn a_file_that_signs_no_more_keeps_no_key() {
    let store = delivering();
    let line = "--export public/jwks.json --export private/sign.json --save";
    store.rotate(line, START + DAY);
    store.ok("rotate --all", STAGED);
    store.ok("rotate --all", BEGUN);
    store.ok("rotate --all", BEGUN + DAY + HOUR);
    assert!(!store.sandbox.read_set("api").contains("\"first\""));
}

#[test]
fn an_address_confirms_a_key_only_under_its_kid() {
    let copy = Copy::start();
    let store = Store::with_a_key("ES256");
    fs::create_dir(store.sandbox.path().join("private")).expect("a directory");
    copy.publish(&store, START);
    let published = format!("--published {}", copy.address());
    let line = format!("{SCHEDULE} --export private/sign.json=spring {published} --save");
    store.rotate(&line, START);
    store.ok("rotate --all", START + 2 * HOUR);
    store.ok("set api --kid first --rename other --yes", START + 2 * HOUR);
    for hour in [2, 4] {
        store.ok("rotate --all", START + hour * HOUR);
        assert_eq!(signs(&store), "first", "hour {hour}");
    }
    copy.publish(&store, START + 4 * HOUR);
    store.ok("rotate --all", START + 5 * HOUR);
    store.ok("rotate --all", START + 7 * HOUR);
    assert_eq!(signs(&store), "other");
}

#[test]
fn the_signer_of_a_compromised_key_waits_for_no_target() {
    let store = delivering();
    fs::create_dir(store.sandbox.path().join("away")).expect("a directory");
    store.rotate(
        "--export public/jwks.json --export away/jwks.json --export private/sign.json=spring --save",
        START,
    );
    block(&store, "away");
    let run = store.run("rotate api --compromised first", START + HOUR);
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert_ne!(signs(&store), "first");
    assert_eq!(public(&store), BTreeSet::from([signs(&store)]));
}

#[test]
fn a_renamed_key_stays_published_under_the_kid_that_signs() {
    let store = delivering();
    block(&store, "private");
    store.ok("set api --kid first --rename other --yes", START + HOUR);
    let run = store.run("rotate --all", START + 2 * HOUR);
    assert_ne!(run.code, Some(0), "{run:#?}");
    let both = ["first", "other"].map(str::to_owned);
    assert_eq!(public(&store), BTreeSet::from(both));
    unblock(&store, "private");
    store.ok("rotate --all", START + 3 * HOUR);
    assert_eq!(signs(&store), "other");
}

#[test]
fn a_schedule_can_be_saved_in_any_directory() {
    let store = Store::with_a_key("ES256");
    let odd = store.sandbox.path().join("a=b");
    fs::create_dir(&odd).expect("a directory");
    for now in [START, STAGED] {
        let line = format!("rotate api {SCHEDULE} --export a.json --save --now {now}");
        let mut command = store.sandbox.command(JWKS);
        command.current_dir(&odd);
        finish(command.args(line.split(' '))).ok();
    }
    store.ok("rotate --all", BEGUN);
    assert_eq!(kids(&store.sandbox, "a=b/a.json").len(), 2);
}

#[test]
fn a_record_that_cannot_be_read_stops_no_emergency() {
    for content in ["[]", "{", ""] {
        let store = delivering();
        let record = store.sandbox.store().join(".deliveries/api/state.json");
        fs::write(&record, content).expect("a damaged record");
        let run = store.run("rotate --all", START + HOUR);
        assert!(run.stderr.contains("state.json"), "{content}: {run:#?}");
        assert_ne!(run.code, Some(0), "{content}: {run:#?}");
        fs::remove_file(&record).expect("the record");
        fs::create_dir(&record).expect("a directory in its place");
        store.ok("rotate api --compromised first", START + HOUR);
        assert_ne!(signs(&store), "first");
    }
}

#[test]
fn a_file_that_waits_was_not_delivered() {
    let copy = Copy::start();
    let store = Store::with_a_key("ES256");
    fs::create_dir(store.sandbox.path().join("private")).expect("a directory");
    copy.publish(&store, START);
    let published = format!("--published {}", copy.address());
    let line = format!("{SCHEDULE} --export private/sign.json=spring {published} --save");
    store.rotate(&line, START);
    store.ok("set api --kid first --rename other --yes", START + HOUR);
    let run = store.ok("rotate --all", START + HOUR);
    assert!(run.stderr.contains("keeps its key until"), "{run:#?}");
    let status = store.run("status api --json", START + HOUR).json();
    let target = &status["sets"][0]["targets"][0];
    assert_eq!(target["delivered"], START, "{status:#}");
}
