//! Several write to one set of a Hydra: what one adds is not lost by what another one does.

use crate::hydra::site::{Site, set_of};
use crate::servers::Answer;
use crate::servers::cut::{Cut, Cutting};
use crate::servers::hydra::{Database, Hydra, Version};
use crate::wire::each;
use serde_json::{Value, json};

/// Tells a story with each kind of database below each kind of server, all at once, because a story
/// mostly waits.
fn everywhere(story: impl Fn(&Site) + Sync) {
    let versions = [
        Version::V1_10,
        Version::V1_11,
        Version::V2_2,
        Version::V26_2,
    ];
    let databases = [Database::Sqlite, Database::Postgres];
    let servers = versions
        .into_iter()
        .flat_map(|version| databases.map(|database| (version, database)));
    each(servers, |(version, database)| {
        eprintln!("{version:?} {database:?}");
        let hydra = Hydra::with_database(version, database);
        story(&Site::beside(hydra, version));
    });
}

/// The kids there, without what 1.x puts before them, each once.
fn kids(site: &Site) -> Vec<String> {
    let keys = site.there("api").into_iter();
    let mut kids: Vec<_> = keys
        .map(|kid| {
            let kid = kid.trim_end_matches('*');
            let half = kid.split_once(':');
            half.map_or(kid, |(_, kid)| kid).to_owned()
        })
        .collect();
    kids.sort();
    kids.dedup();
    kids
}

/// The lines that write `mine` into the set, or rather what is in `own.json`.
const ADDITIONS: [&str; 3] = [
    "push api prod --yes",
    "set api own.json --remote prod --yes",
    "rotate api --every 30d --push prod",
];

fn with_a_key_of_ours() -> impl Fn(&Site) {
    |site| {
        site.sandbox
            .write("own.json", site.key("mine", "").to_string());
        site.ok("set api own.json");
    }
}

/// Adds a key of ours while somebody else adds one of theirs, which `interfere` arranges.
fn both_keys_stay(interfere: impl Fn(&Site, &Value) + Sync) {
    everywhere(|site| {
        with_a_key_of_ours()(site);
        let theirs = set_of(&[&site.key("theirs", "")]);
        for line in ADDITIONS {
            site.hydra.put("api", &json!({ "keys": [] }));
            interfere(site, &theirs);
            let run = site.ok(line);
            assert!(run.stderr.contains("planning again"), "{line}: {run:#?}");
            assert_eq!(kids(site), ["mine", "theirs"], "{line}");
        }
    });
}

#[test]
fn what_another_writes_between_the_look_and_the_write_stays() {
    both_keys_stay(|site, theirs| site.hydra.changes_between("api", theirs));
}

/// PostgreSQL merges the two, and SQLite loses ours.
#[test]
fn what_another_writes_at_the_same_time_stays_and_so_does_ours() {
    both_keys_stay(|site, theirs| site.hydra.changes_during("api", theirs));
}

/// Two pipelines rotate one keystore: the other one has sent what this one was about to.
#[test]
fn what_another_sent_already_is_no_conflict() {
    everywhere(|site| {
        with_a_key_of_ours()(site);
        for line in ["push api prod --yes", "rotate api --every 30d --push prod"] {
            site.ok("push api prod --yes");
            let held: Vec<Value> = site.hydra.keys("api").into_iter().rev().collect();
            site.hydra.put("api", &json!({ "keys": [] }));
            site.hydra.changes_during("api", &json!({ "keys": held }));
            let run = site.ok(line);
            assert!(!run.stderr.contains("error"), "{line}: {run:#?}");
            assert_eq!(kids(site), ["mine"], "{line}");
        }
    });
}

/// Three processes at once, whichever is first.
#[test]
fn overlapping_rotations_all_end_well() {
    for database in [Database::Sqlite, Database::Postgres] {
        let hydra = Hydra::with_database(Version::V26_2, database);
        let site = Site::beside(hydra, Version::V26_2);
        site.ok("create api --now 1800000000");
        for day in [0, 30, 60] {
            let now = 1_800_000_000 + day * 24 * 3600;
            let line = format!("rotate api --every 30d --push prod --now {now}");
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| site.ok(&line));
                }
            });
            site.ok(&format!("diff api prod --exit-code --now {now}"));
        }
    }
}

/// Somebody who writes again and again is not waited for without end.
#[test]
fn five_attempts_are_enough() {
    let site = Site::newest();
    with_a_key_of_ours()(&site);
    for number in 0..6 {
        let theirs = site.key(&format!("theirs-{number}"), "");
        site.hydra.changes_during("api", &set_of(&[&theirs]));
    }
    let run = site.run("push api prod --yes").fails(4);
    assert!(run.stderr.contains("was changed meanwhile"), "{run:#?}");
    assert!(run.stderr.contains("hint: "), "{run:#?}");
    assert_eq!(site.puts(), 5);
}

/// A 409 of a PUT is another write, and never a kid to choose anew.
#[test]
fn a_conflict_of_a_put_is_planned_again() {
    let site = Site::newest();
    with_a_key_of_ours()(&site);
    site.hydra
        .rejects_next(409, json!({ "error": "exists already" }));
    site.ok("push api prod --yes");
    assert_eq!(site.there("api"), ["mine*"]);
    for _ in 0..5 {
        site.hydra
            .rejects_next(409, json!({ "error": "exists already" }));
    }
    site.ok("create api --kid next --alg RS256");
    let run = site.run("push api prod --yes").fails(4);
    assert!(!run.stderr.contains("choose another"), "{run:#?}");
    assert!(!run.stderr.contains("--kid"), "{run:#?}");
}

/// A key that is added alone is put alone: a PUT of the whole set would take away what somebody else
/// adds at that moment.
#[test]
fn one_key_that_signs_nothing_yet_is_put_by_itself() {
    let site = Site::newest();
    site.ok("create api --kid now --alg RS256");
    site.ok("push api prod --yes");
    site.ok("create api --kid next --alg RS256 --nbf +1d");
    site.hydra.server.forget_calls();
    site.ok("push api prod --yes");
    let writes = site.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].line(), "PUT /admin/keys/api/next");
    assert_eq!(site.hydra.token("api").expect("a token").kid, "now");
}

/// A site whose server's write timeout is over before the answer to the first call of a method.
fn impatient(version: Version, method: &'static str) -> (Site, Cutting) {
    let site = Site::new(version);
    let cutting = Cutting::in_front_of(&site.hydra.address(), Cut::After, method, 1);
    let (kind, address) = (site.kind(), cutting.address());
    site.ok(&format!(
        "remote add prod --kind {kind} --url {address} --force"
    ));
    (site, cutting)
}

fn calls(site: &Site, method: &str) -> usize {
    let writes = site.writes();
    writes.iter().filter(|call| call.method == method).count()
}

#[test]
fn a_key_that_was_made_without_an_answer_is_found() {
    for version in [Version::V1_0, Version::V1_11, Version::V2_0, Version::V26_2] {
        let (site, cutting) = impatient(version, "POST");
        let run = site.ok("create api --remote prod --alg RS256 --kid made");
        assert_eq!(run.stdout.trim(), site.kid("made"));
        assert_eq!((cutting.cuts(), calls(&site, "POST")), (1, 1));
        site.run("create api --remote prod --alg RS256 --kid made")
            .fails(4);
    }
}

#[test]
fn a_write_that_was_carried_out_without_an_answer_is_not_repeated() {
    for version in [Version::V1_11, Version::V26_2] {
        for (method, line) in [
            ("PUT", "push api prod --yes"),
            ("DELETE", "delete api --remote prod --yes --force"),
        ] {
            let (site, cutting) = impatient(version, method);
            with_a_key_of_ours()(&site);
            if method == "DELETE" {
                site.ok("push api prod --yes");
            }
            site.ok(line);
            assert_eq!((cutting.cuts(), calls(&site, method)), (1, 1), "{line}");
            assert_eq!(site.there("api").is_empty(), method == "DELETE");
        }
    }
}

/// It may still come: nothing is sent a second time.
pub fn a_key_that_was_not_made_is_not_asked_for_again() {
    let site = Site::newest();
    site.hydra.answers_next_write(Answer::withheld());
    let run = site.run("create api --remote prod --timeout 1").fails(6);
    assert!(
        run.stderr
            .contains("check before you run the command again"),
        "{run:#?}"
    );
    assert_eq!(calls(&site, "POST"), 1);
}
