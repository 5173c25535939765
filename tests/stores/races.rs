//! Many machines at once: nothing is lost, and each line gets exactly one successor.

use crate::servers::cut::{Cut, Cutting};
use crate::site::{Place, Site, everywhere, kids};
use std::collections::BTreeSet;

#[test]
fn many_writers_at_once_lose_no_key() {
    everywhere(|site| {
        let (workers, rounds) = (32, 3);
        let create = "create api --alg HS256 --kid-from uuid -q";
        let work = || -> Vec<String> { (0..rounds).map(|_| site.ok(create)).collect() };
        let printed: BTreeSet<String> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let finished = running.into_iter().map(|worker| worker.join());
            let kids = finished.flat_map(|kids| kids.expect("a worker's kids"));
            kids.map(|kid| kid.trim().to_owned()).collect()
        });
        assert_eq!(printed.len(), workers * rounds);
        let names = site.ok("list api --format names");
        let names: BTreeSet<_> = names.lines().map(str::to_owned).collect();
        assert_eq!(names, printed);
    });
}

#[test]
fn many_runners_make_one_successor_of_each_line() {
    everywhere(|site| {
        for set in ["api", "web"] {
            site.ok(&format!("create {set} --alg ES256 --kid {set}-ec"));
            site.ok(&format!("create {set} --alg EdDSA --kid {set}-ed"));
            site.ok(&format!(
                "rotate {set} --every 30d --publish-delay 1h --retire-after 1d --save"
            ));
        }
        for (day, number) in [("+31d", 4), ("+31d", 4), ("+62d", 4)] {
            let rotate = format!("rotate --all --now {day}");
            std::thread::scope(|scope| {
                for _ in 0..12 {
                    scope.spawn(|| site.ok(&rotate));
                }
            });
            for set in ["api", "web"] {
                let listed = site.json(&format!("get {set} --now {day}"));
                assert_eq!(kids(&listed).len(), number, "{set} {day}: {listed}");
            }
        }
    });
}

/// Runners that save schedules at the same time keep the schedules of each other.
#[test]
fn schedules_of_many_runners_are_kept() {
    everywhere(|site| {
        let sets: Vec<String> = (0..8).map(|number| format!("set{number}")).collect();
        std::thread::scope(|scope| {
            for set in &sets {
                scope.spawn(move || {
                    site.ok(&format!("create {set}"));
                    site.ok(&format!("rotate {set} --every 30d --save"));
                });
            }
        });
        let listed = site.json("list");
        for set in listed["sets"].as_array().expect("sets") {
            assert!(!set["schedule"].is_null(), "{set}");
        }
    });
}

/// The server carries out a write, and its answer is lost: the change is not made twice.
#[test]
fn a_lost_answer_does_not_repeat_a_change() {
    for (place, method) in [
        (Site::vault as fn() -> Site, "POST"),
        (Site::kubernetes, "POST"),
        (Site::kubernetes, "PATCH"),
        (Site::s3, "PUT"),
    ] {
        for cut in [Cut::Before, Cut::After] {
            let mut site = place();
            if method == "PATCH" {
                site.ok("create api --kid zero");
            }
            let gateway = Cutting::in_front_of(site.address(), cut, method, 1);
            site.go_through(gateway.address());
            let created = site.ok("create api");
            assert_eq!(gateway.cuts(), 1, "{method} {cut:?}");
            let listed = site.json("get api");
            assert_eq!(
                kids(&listed).last(),
                Some(&created.trim()),
                "{method} {cut:?}"
            );
            let number = if method == "PATCH" { 2 } else { 1 };
            assert_eq!(kids(&listed).len(), number);
        }
    }
}

#[test]
fn a_lost_answer_to_a_deletion_is_found_out() {
    for place in [Site::vault as fn() -> Site, Site::kubernetes, Site::s3] {
        let mut site = place();
        site.ok("create api");
        let method = match site.place {
            Place::Vault(_) => "POST",
            Place::Kubernetes(_) => "DELETE",
            Place::S3(_) => "PUT",
        };
        let gateway = Cutting::in_front_of(site.address(), Cut::After, method, 1);
        site.go_through(gateway.address());
        site.ok("delete api --yes --force");
        assert_eq!(gateway.cuts(), 1);
        site.run("get api").fails(3);
    }
}

/// A server that fails each write is left after a few attempts, and nothing is said that is not so.
#[test]
fn a_server_that_fails_each_write_is_left_in_time() {
    for (place, method) in [
        (Site::vault as fn() -> Site, "POST"),
        (Site::kubernetes, "PATCH"),
    ] {
        let mut site = place();
        site.ok("create api --kid first");
        site.ok("rotate api --every 30d --save");
        let gateway = Cutting::in_front_of(site.address(), Cut::Before, method, usize::MAX);
        site.go_through(gateway.address());
        for command in [
            "create api",
            "rotate api --every 9d --save",
            "set api --kid first --exp +9d",
        ] {
            let begun = std::time::Instant::now();
            let run = site.run(command).fails(6);
            assert!(run.stderr.contains("may have made the change"), "{run:#?}");
            assert!(!run.stderr.contains("by others"), "{run:#?}");
            assert!(begun.elapsed() < std::time::Duration::from_secs(60));
        }
        assert_eq!(kids(&site.json("get api")), ["first"]);
        // The server is gone after it has carried out the write.
        let gateway =
            Cutting::in_front_of(site.server().address().as_str(), Cut::AndGone, method, 1);
        site.go_through(gateway.address());
        let run = site.run("create api --kid second").fails(6);
        assert!(run.stderr.contains("may have made the change"), "{run:#?}");
    }
}

/// Two addresses of one place are one keystore.
#[test]
fn two_stores_that_name_the_same_place_are_one() {
    let site = Site::vault();
    site.ok("create api --kid first");
    let mut other = site.command();
    let store = format!("vault:{}/secret/jwks/", site.address());
    other.env_remove("VAULT_ADDR").env("JWKS_STORE", store);
    crate::support::finish(other.args(["create", "api", "--kid", "second"])).ok();
    assert_eq!(kids(&site.json("get api")), ["first", "second"]);
}
