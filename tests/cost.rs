//! Documents that are made to cost much more than their length. Each operation on a whole set does
//! work in proportion to the number of keys: what is counted at n and 2n are the allocations and the
//! steps that the library counts, and no clock.

use jwks::key::Key;
use jwks::key::check::Budget;
use jwks::key::header::Header;
use jwks::key::step_counter;
use jwks::keyset::adopt::Foreign;
use jwks::keyset::import::{self, Options};
use jwks::keyset::lifecycle;
use jwks::keyset::public_header;
use jwks::keyset::push::{self, Prune};
use jwks::keyset::rotate::{self, Schedule, ServerState};
use jwks::keyset::select::Filter;
use jwks::keyset::server_rules::{ServerRules, Signing};
use jwks::keyset::terms::OnConflict;
use jwks::keyset::terms::Terms;
use jwks::keyset::{KeySet, changes, check, timeline};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the allocations of each thread and the bytes that are in use.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static IN_USE: Cell<i64> = const { Cell::new(0) };
    static MOST_IN_USE: Cell<i64> = const { Cell::new(0) };
}

fn note(allocations: u64, octets: i64) {
    ALLOCATIONS.with(|count| count.set(count.get() + allocations));
    let in_use = IN_USE.with(|in_use| {
        in_use.set(in_use.get() + octets);
        in_use.get()
    });
    MOST_IN_USE.with(|most| most.set(most.get().max(in_use)));
}

// SAFETY: every call goes to the system's allocator as it is; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: i64 = 1_800_000_000;

/// The number of keys, and half of what it is doubled to.
const KEYS: usize = 100;

/// How much more twice the keys may cost. Tables that grow by doubling make it a little more than 2.
const TWICE: f64 = 2.3;

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

/// A shared secret of its own for each number.
fn secret(i: usize, more: &str) -> String {
    format!(r#"{{"kty":"oct","k":"{i:043}","kid":"k{i}"{more}}}"#)
}

fn pair(i: usize, more: &str) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","d":"{D}","kid":"k{i}"{more}}}"#)
}

/// The shapes of hostile sets: a name, and the key with each number of how many.
type Shape = (&'static str, fn(usize, usize) -> String);

const SHAPES: &[Shape] = &[
    ("empty keys", |_, _| "{}".into()),
    ("no objects", |_, _| "1".into()),
    ("one successor that is not there", |_, _| {
        r#"{"jwks_successor":"z"}"#.into()
    }),
    ("one kid for many types", |i, _| {
        format!(r#"{{"kid":"a","kty":"t{i}"}}"#)
    }),
    ("one secret under many kids", |i, _| {
        format!(r#"{{"kty":"oct","k":"AAAA","kid":"k{i}"}}"#)
    }),
    ("one public key under many kids", |i, _| {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"k{i}"}}"#)
    }),
    ("one public key without a kid", |_, _| {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#)
    }),
    ("one public key with another member each time", |i, _| {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","m{i}":1}}"#)
    }),
    ("one key pair under one kid", |_, _| pair(0, "")),
    ("one key pair under many kids", |i, _| pair(i, "")),
    ("a first key longer than all others", |i, of| match i {
        0 => pair(i, &format!(r#","more":"{}""#, "m".repeat(1000 * of))),
        _ => secret(i, ""),
    }),
    ("one line for each key", |i, _| {
        secret(i, &format!(r#","alg":"a{i}""#))
    }),
    ("one line of old keys", |i, _| {
        let (iat, exp) = (i, NOW + i as i64);
        secret(
            i,
            &format!(r#","alg":"HS256","iat":{iat},"nbf":{iat},"exp":{exp}"#),
        )
    }),
    ("one line of pending keys", |i, _| {
        secret(i, &format!(r#","alg":"HS256","nbf":{}"#, NOW + i as i64))
    }),
    ("a chain of successors", |i, _| {
        secret(
            i,
            &format!(r#","alg":"a{i}","iat":1,"jwks_successor":"k{}""#, i + 1),
        )
    }),
    ("a circle of successors", |i, of| {
        let next = (i + 1) % of;
        secret(
            i,
            &format!(r#","alg":"a{i}","iat":1,"jwks_successor":"k{next}""#),
        )
    }),
    ("a chain of expired successors", |i, _| {
        let next = i + 1;
        secret(
            i,
            &format!(r#","alg":"a{i}","iat":1,"exp":2,"jwks_successor":"k{next}""#),
        )
    }),
    ("one successor for all", |i, _| {
        secret(
            i,
            &format!(r#","alg":"a{i}","iat":1,"jwks_successor":"k0""#),
        )
    }),
    ("one kid that expired, and who follows it", |i, of| {
        let half = if i < of / 2 {
            r#","exp":2"#
        } else {
            r#","jwks_successor":"z""#
        };
        let kid = if i < of / 2 {
            "z".into()
        } else {
            format!("k{i}")
        };
        format!(r#"{{"kty":"oct","k":"{i:043}","kid":"{kid}","alg":"a{i}","iat":1{half}}}"#)
    }),
];

fn document(shape: &Shape, count: usize) -> String {
    let keys: Vec<_> = (0..count).map(|i| shape.1(i, count)).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// The same set with other kids, and without the private parts.
fn other(json: &str) -> String {
    json.replace("\"kid\":\"k", "\"kid\":\"o")
        .replace(&format!(r#""d":"{D}","#), "")
}

const SIGNER: ServerRules = ServerRules {
    signing: Signing::FirstSecret,
    ..ServerRules::FAITHFUL
};

fn rotation<'a>(servers: &'a [ServerState<'a>], alg: Option<&'a str>) -> rotate::Policy<'a> {
    rotate::Policy {
        schedule: Schedule {
            every: Some(1000),
            publish_delay: 10,
            retire_after: 10,
            keep: 1,
        },
        alg,
        servers,
        now: NOW,
        ..rotate::Policy::default()
    }
}

fn push_all(local: &KeySet, remote: &KeySet, rules: &ServerRules) {
    let policy = push::Policy {
        prune: Prune::All,
        now: NOW,
        ..push::Policy::default()
    };
    let _ = push::plan(local, remote, rules, policy, &Budget::default());
}

/// An operation on a set, which the document with the same keys under other kids may be part of.
type Operation = (&'static str, fn(&str, &str));

fn parse(json: &str) -> KeySet<'_> {
    KeySet::parse(json).expect("a JWK Set")
}

const OPERATIONS: &[Operation] = &[
    ("import", |json, _| {
        import::read(json.as_bytes(), &Options::default())
            .map(drop)
            .unwrap_or_default();
    }),
    ("import of keys inside another document", |json, _| {
        let text = serde_json::Value::from(json);
        for document in [format!(r#"{{"data":{json}}}"#), format!("[{text}]")] {
            import::read(document.as_bytes(), &Options::default())
                .map(drop)
                .unwrap_or_default();
        }
    }),
    ("check", |json, _| {
        check::findings(&parse(json), NOW, true, &Budget::default());
    }),
    ("states", |json, _| {
        lifecycle::states(&parse(json), NOW);
        lifecycle::signing_states(&parse(json), NOW, &Budget::default());
    }),
    ("timeline", |json, _| {
        let set = parse(json);
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        timeline::lifetimes(&headers, NOW, |position| position % 3 > 0);
    }),
    ("select", |json, _| {
        let set = parse(json);
        let _ = (set.find("k1"), set.find_exactly("none"), set.find("none"));
        let filter = Filter {
            usage: Some("sig".into()),
            ..Filter::default()
        };
        set.filter(&filter, NOW);
    }),
    ("changes", |json, other| {
        for (one, next) in [(json, json), (json, other), (other, json)] {
            parse(one).changes_to(&parse(next), changes::is_alike);
        }
    }),
    ("losses", |json, other| {
        let (set, other) = (parse(json), parse(other));
        set.lost_in(&other);
        set.absent_from(&other);
    }),
    ("adoption", |json, other| {
        for (own, given) in [(json, json), (json, other), (other, json)] {
            for on_conflict in [OnConflict::Fail, OnConflict::Rekey] {
                let terms = Terms {
                    on_conflict,
                    now: NOW,
                    ..Terms::default()
                };
                let given = Foreign::of_jwks(parse(given).into_owned());
                let _ = parse(own).into_owned().adopt(&[given], &terms);
            }
        }
    }),
    ("public part", |json, _| {
        public_header::header(&parse(json));
    }),
    ("push", |json, other| {
        for (local, remote) in [(json, json), (json, other), (other, json)] {
            for rules in [SIGNER, ServerRules::FAITHFUL] {
                push_all(&parse(local), &parse(remote), &rules);
            }
        }
    }),
    ("rotation", |json, _| {
        let set = parse(json);
        let _ = rotate::plan(&set, &rotation(&[], None));
        let _ = rotate::plan(&set, &rotation(&[], Some("HS512")));
    }),
    ("rotation of a server", |json, _| {
        let set = parse(json);
        let kids: Vec<_> = set
            .keys
            .iter()
            .filter_map(|key| Header::of(key).kid.map(|kid| kid.into_owned()))
            .collect();
        for rules in [SIGNER, ServerRules::FAITHFUL] {
            let there = ServerState {
                set: &set,
                rules: &rules,
                named: &kids,
            };
            let _ = rotate::plan(&set, &rotation(&[there], None));
        }
    }),
];

/// What an operation costs: allocations and steps, and the bytes it had in use at most.
fn cost(operation: fn(&str, &str), shape: &Shape, count: usize) -> (u64, i64) {
    let json = document(shape, count);
    let other = other(&json);
    // What is computed once a process is not part of the cost.
    let count = || ALLOCATIONS.with(Cell::get) + step_counter::counted();
    let (before, in_use) = (count(), IN_USE.with(Cell::get));
    MOST_IN_USE.with(|most| most.set(in_use));
    operation(&json, &other);
    (count() - before, MOST_IN_USE.with(Cell::get) - in_use)
}

#[test]
fn twice_the_keys_cost_twice_as_much() {
    let mut worse = Vec::new();
    for (name, operation) in OPERATIONS {
        // The first time makes tables that stay.
        cost(*operation, &SHAPES[0], 1);
        for shape in SHAPES {
            let (once, octets) = cost(*operation, shape, KEYS);
            let (twice, more_octets) = cost(*operation, shape, 2 * KEYS);
            // A little is needed for no keys at all.
            let fits = |one: f64, two: f64, least: f64| two <= TWICE * one.max(least);
            let is_linear = fits(once as f64, twice as f64, 1000.0)
                && fits(octets as f64, more_octets as f64, 100_000.0);
            if !is_linear {
                worse.push(format!(
                    "{name}, {}: {once} to {twice} steps, {octets} to {more_octets} bytes",
                    shape.0
                ));
            }
        }
    }
    assert!(worse.is_empty(), "{}", worse.join("\n"));
}

#[test]
fn twice_the_documents_cost_twice_as_much() {
    let shape: Shape = ("a key in each document", |i, _| secret(i, ""));
    let adopt: fn(&str, &str) = |json, _| {
        let one = |key: &Key<'static>| Foreign::of_documents(KeySet::from(vec![key.clone()]));
        let given: Vec<_> = parse(json).into_owned().keys.iter().map(one).collect();
        let terms = Terms::default();
        let merged = KeySet::default().adopt(&given, &terms);
        assert_eq!(merged.expect("they fit").added.len(), given.len());
    };
    cost(adopt, &shape, 1);
    let (once, _) = cost(adopt, &shape, KEYS);
    let (twice, _) = cost(adopt, &shape, 2 * KEYS);
    assert!(
        twice as f64 <= TWICE * once as f64,
        "{once} to {twice} steps"
    );
}
