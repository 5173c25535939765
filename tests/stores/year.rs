//! A year of `jwks rotate --all` by 16 runners at once, of which some are killed, some lose the answers to their
//! writes, and some read old versions where the server allows it: no token may break.
//!
//! The set signs tokens that live for a day. Verifiers keep copies of the published set for up to an hour. A
//! token is broken if no key or more than one signs in its line, or if any copy that a verifier may hold
//! during its life lacks its key.
//!
//! A run before the next change that the one before promised does nothing, so only the others are made.

use crate::servers::cut::{Cut, Cutting};
use crate::site::{Place, Site, everywhere, kids};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const RUNNERS: u64 = 16;
const LINES: [&str; 2] = ["ES256", "EdDSA"];

const START: i64 = 1_800_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The pause before the next attempt if every runner has failed.
const PAUSE: i64 = 600;

/// What signs and what is published from a moment until the next one.
struct Moment {
    begins: i64,
    /// The key that signs, for each algorithm.
    signers: BTreeMap<String, String>,
    published: BTreeSet<String>,
}

/// Numbers that look random, the same in each run of the test.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// Lets all runners rotate at once. Returns how many succeeded, and how many were killed.
fn rotate(site: &Site, now: i64, random: &mut Random) -> (usize, usize) {
    let method = match &site.place {
        Place::Vault(vault) => {
            vault.lag_behind(random.below(6) as usize);
            "POST"
        }
        Place::Kubernetes(_) => "PATCH",
        Place::S3(_) => "PUT",
    };
    let cut = [Cut::Before, Cut::After][random.below(2) as usize];
    let times = random.below(8) as usize;
    let gateway = Cutting::in_front_of(site.address(), cut, method, times);
    let (finished, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..RUNNERS {
            let mut runner = match random.below(2) {
                0 => site.command(),
                _ => site.command_to(&gateway.address()),
            };
            let life = Duration::from_millis(random.below(60));
            let dies = random.below(3) == 0;
            let (finished, killed) = (&finished, &killed);
            scope.spawn(move || {
                let line = format!("rotate --all --no-input -q --now {now}");
                runner.args(line.split(' ')).stderr(Stdio::null());
                let mut running = runner.spawn().expect("a runner");
                if dies {
                    std::thread::sleep(life);
                    let _ = running.kill();
                }
                match running.wait().expect("its end").code() {
                    Some(0) => finished.fetch_add(1, Ordering::SeqCst),
                    None => killed.fetch_add(1, Ordering::SeqCst),
                    Some(code) => {
                        assert!(matches!(code, 4 | 6), "exit code {code}");
                        0
                    }
                };
            });
        }
    });
    if let Place::Vault(vault) = &site.place {
        vault.lag_behind(0);
    }
    (finished.into_inner(), killed.into_inner())
}

fn moment(site: &Site, now: i64) -> Moment {
    let listed = site.json(&format!("list api --now {now}"));
    let keys = listed["keys"].as_array().expect("keys");
    assert!(keys.len() <= 3 * LINES.len(), "{listed}");
    let active = keys.iter().filter(|key| key["state"] == "active");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let signers: Vec<_> = active
        .map(|key| (text(&key["alg"]), text(&key["kid"])))
        .collect();
    assert_eq!(signers.len(), LINES.len(), "{listed}");
    let exported = site.json(&format!("export api --now {now}"));
    Moment {
        begins: now,
        signers: signers.into_iter().collect(),
        published: kids(&exported).into_iter().map(str::to_owned).collect(),
    }
}

/// Returns the algorithms and moments of tokens that break.
fn broken(moments: &[Moment]) -> Vec<(&str, i64)> {
    let mut broken = Vec::new();
    for pair in moments.windows(2) {
        let [moment, next] = pair else {
            unreachable!("windows of two")
        };
        // The copies that verifiers may hold, from the oldest at the first token to the newest at the end of the
        // last one.
        let (oldest, newest) = (moment.begins - HOUR, next.begins + DAY);
        let held = moments
            .windows(2)
            .filter(|pair| pair[1].begins > oldest && pair[0].begins < newest);
        let held: Vec<_> = held.map(|pair| &pair[0].published).collect();
        for alg in LINES {
            let signer = moment.signers.get(alg);
            if !signer.is_some_and(|kid| held.iter().all(|published| published.contains(kid))) {
                broken.push((alg, moment.begins - START));
            }
        }
    }
    broken
}

#[test]
fn no_token_breaks_in_a_year_of_many_runners() {
    everywhere(|site| {
        for alg in LINES {
            site.ok(&format!("create api --alg {alg} --now {START}"));
        }
        site.ok(&format!(
            "rotate api --every 30d --publish-delay 1h --retire-after 24h --save --now {START}"
        ));
        let mut random = Random(12345);
        let (mut now, mut killed, mut failed) = (START, 0, 0);
        let mut moments = vec![moment(site, START)];
        while now < START + YEAR {
            let (finished, died) = rotate(site, now, &mut random);
            killed += died;
            failed += RUNNERS as usize - finished - died;
            moments.push(moment(site, now));
            let planned = site.json(&format!("rotate api --dry-run --now {now}"));
            let planned = &planned["sets"][0];
            let next = planned["next_change"].as_i64().expect("the next change");
            now = if planned["changed"] == true {
                now + PAUSE
            } else {
                next.max(now + 1)
            };
        }
        let changes: BTreeSet<_> = moments.iter().map(|moment| &moment.signers).collect();
        println!(
            "{}: {} moments, {killed} runners killed, {failed} failed",
            site.store(),
            moments.len()
        );
        assert_eq!(changes.len(), 13, "twelve successors of each line");
        assert!(killed > 20, "{killed}");
        assert_eq!(broken(&moments), []);
    });
}
