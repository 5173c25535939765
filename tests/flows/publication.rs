//! Keys that sign only after published addresses have served them for long enough.

use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use crate::servers::{Answer, Call, Server};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const STAGED: i64 = START + 30 * DAY - HOUR - 2 * MINUTE;

/// A web server with a copy of the set, which a test publishes by hand.
pub struct Copy {
    server: Server,
    body: Arc<Mutex<Answer>>,
}

impl Copy {
    pub fn start() -> Copy {
        let body = Arc::new(Mutex::new(Answer::empty(404)));
        let shown = body.clone();
        let server = Server::start(move |_| shown.lock().expect("an answer").clone());
        Copy { server, body }
    }

    pub fn address(&self) -> String {
        format!("{}/jwks.json", self.server.address())
    }

    /// The requests so far.
    pub fn calls(&self) -> Vec<Call> {
        self.server.calls()
    }

    pub fn serve(&self, answer: Answer) {
        *self.body.lock().expect("an answer") = answer;
    }

    /// Serves what an export gives at a time.
    pub fn publish(&self, store: &Store, now: i64) {
        let set = store.ok("export api", now).stdout;
        self.serve(Answer::json(200, set));
    }

    /// Serves what an export gives at a time, with this `Cache-Control`.
    pub fn publish_for(&self, store: &Store, now: i64, cache_control: &str) {
        let set = store.ok("export api", now).stdout;
        self.serve(Answer::json(200, set).header("Cache-Control", cache_control));
    }
}

/// A set `api` that is published at each of these addresses.
pub fn published(copies: &[&Copy]) -> Store {
    let store = Store::with_a_key("ES256");
    let addresses = copies
        .iter()
        .map(|copy| format!(" --published {}", copy.address()));
    let addresses: String = addresses.collect();
    for copy in copies {
        copy.publish(&store, START);
    }
    store.rotate(&format!("{SCHEDULE}{addresses} --save"), START);
    store
}

fn active(store: &Store, now: i64) -> String {
    let listed = store.ok("list api --json", now).json();
    let keys = listed["keys"].as_array().expect("keys");
    let is_active = |key: &&Value| key["state"] == "active";
    let active: Vec<_> = keys.iter().filter(is_active).collect();
    assert_eq!(active.len(), 1, "{listed:#}");
    active[0]["kid"].as_str().expect("a kid").to_owned()
}

#[test]
fn a_key_signs_when_every_address_has_served_it_for_the_publish_delay() {
    let copies = [Copy::start(), Copy::start()];
    let store = published(&[&copies[0], &copies[1]]);
    let run = store.ok("rotate --all", STAGED);
    assert!(
        run.stderr
            .contains("which signs once its publication is confirmed"),
        "{run:#?}"
    );
    // However late the next run is, nobody has seen the key.
    let late = STAGED + 10 * DAY;
    assert_eq!(active(&store, late), "first");
    copies[0].publish(&store, late);
    let run = store.ok("rotate --all", late);
    assert!(
        run.stderr.contains("does not serve the key yet"),
        "{run:#?}"
    );
    copies[1].publish(&store, late);
    store.ok("rotate --all", late + HOUR);
    let run = store.ok("rotate --all", late + 2 * HOUR - 1);
    assert!(run.stderr.contains("only since"), "{run:#?}");
    assert_eq!(active(&store, late + 2 * HOUR), "first");
    let run = store.ok("rotate --all", late + 2 * HOUR);
    assert!(run.stderr.contains("it has been published for long enough"));
    assert_ne!(active(&store, late + 2 * HOUR), "first");
    // The old key ends a day later, not a day after it was planned to.
    let first = &store.keys()[0];
    assert_eq!(first["exp"], late + 2 * HOUR + DAY + MINUTE);
    for key in store.keys() {
        assert!(key.get("jwks_nbf").is_none(), "{key}");
    }
}

#[test]
fn a_confirmed_key_begins_when_it_was_planned_to() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    let staged = START + 30 * DAY - 2 * HOUR - 2 * MINUTE;
    store.ok("rotate --all", staged);
    copy.publish(&store, staged);
    store.ok("rotate --all", staged + MINUTE);
    let run = store.ok("rotate --all", staged + HOUR + MINUTE);
    assert!(run.stderr.contains("signs from "), "{run:#?}");
    assert_eq!(store.keys()[1]["nbf"], START + 30 * DAY);
}

#[test]
fn a_copy_that_lags_lies_or_is_down_postpones() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    let old = store.ok("export api", START).stdout;
    store.ok("rotate --all", STAGED);
    let mut now = STAGED;
    copy.publish(&store, now);
    store.ok("rotate --all", now);
    let held = store.keys()[1].clone();
    let planted = json!({"kty": "OKP", "crv": "Ed25519", "kid": held["kid"],
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let huge = format!("{{\"keys\":[{}]}}", " ".repeat(17 << 20));
    for (answer, word) in [
        (Answer::json(200, &old), "does not serve the key yet"),
        (Answer::html(200, "<p>maintenance"), "cannot be read"),
        (Answer::empty(500), "cannot be read"),
        (
            Answer::json(200, json!({"keys": [planted]})),
            "another key under the kid",
        ),
        (Answer::json(200, huge), "cannot be read"),
    ] {
        now += 2 * HOUR;
        copy.serve(answer);
        let run = store.ok("rotate --all", now);
        assert!(run.stderr.contains(word), "{word}: {run:#?}");
        assert_eq!(active(&store, now), "first", "{word}");
    }
    // After the gap, the time counts anew.
    copy.publish(&store, now);
    store.ok("rotate --all", now + 2 * HOUR);
    assert_eq!(active(&store, now + 2 * HOUR), "first");
    store.ok("rotate --all", now + 3 * HOUR);
    assert_ne!(active(&store, now + 3 * HOUR), "first");
}

#[test]
fn foreign_and_private_keys_at_an_address_are_reported() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    let foreign = json!({"kty": "OKP", "crv": "Ed25519", "kid": "planted", "use": "sig",
        "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"});
    let mut set: Value = serde_json::from_str(&store.ok("export api", START).stdout).expect("it");
    set["keys"].as_array_mut().expect("keys").push(foreign);
    copy.serve(Answer::json(200, &set));
    let before = store.sandbox.read_set("api");
    let run = store.ok("rotate --all", START + DAY);
    for word in [
        "serves 1 key that the set does not have",
        "serves private keys",
    ] {
        assert!(run.stderr.contains(word), "{word}: {run:#?}");
    }
    assert_eq!(store.sandbox.read_set("api"), before);
    let run = store.ok("rotate --all", START + 2 * DAY);
    assert!(!run.stderr.contains("does not have"), "said once: {run:#?}");
}

#[test]
fn an_emergency_does_not_wait() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    store.ok("rotate --all", STAGED);
    copy.serve(Answer::empty(500));
    store.rotate("--compromised first", STAGED + HOUR);
    assert_ne!(active(&store, STAGED + HOUR), "first");
}

#[test]
fn a_move_to_another_algorithm_waits_too() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    let now = START + DAY;
    store.rotate("--alg EdDSA", now);
    assert_eq!(active(&store, now + 10 * DAY), "first");
    copy.publish(&store, now);
    store.ok("rotate --all", now + HOUR);
    store.ok("rotate --all", now + 3 * HOUR);
    assert_ne!(active(&store, now + 3 * HOUR), "first");
    let first = &store.keys()[0];
    assert_eq!(first["exp"], now + 3 * HOUR + DAY + 2 * MINUTE);
}

#[test]
fn a_held_key_is_pending_everywhere() {
    let copy = Copy::start();
    let store = published(&[&copy]);
    store.ok("rotate --all", STAGED);
    let key = store.keys()[1].clone();
    assert_eq!(key["nbf"], 253_402_300_799_i64);
    let now = STAGED + 100 * DAY;
    let list = store.ok("list api", now).stdout;
    assert!(list.contains("pending") && !list.contains("9999"), "{list}");
    let timeline = store.ok("list api --timeline", now).stdout;
    assert!(!timeline.contains("9999"), "{timeline}");
    store.ok("check api --strict", now);
    let public = store.ok("export api", now).stdout;
    assert!(public.contains(key["kid"].as_str().expect("a kid")));
    assert!(!public.contains("jwks_"));
}
