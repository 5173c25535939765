//! A year of hourly `jwks rotate --push` to each Hydra, with faults: no token may break.
//!
//! The server makes tokens by its own rules. They live for a day. Verifiers keep copies of the
//! published set for up to an hour. A token is broken if the server cannot make it, or if any copy
//! that a verifier may hold during its life lacks its key.
//!
//! A run before the next change that the one before promised does nothing, so only the others are
//! made. Time is that of `--now` and of the test server's own clock.

use crate::hydra::site::{Site, public, set_of};
use crate::servers::cut::{Cut, Cutting};
use crate::servers::hydra::{Database, Hydra, Version};
use crate::wire::each;
use serde_json::Value;
use std::collections::BTreeSet;

const SET: &str = "hydra.openid.id-token";

const START: i64 = 1_800_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// What goes wrong during a run.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The server fails, and does nothing.
    Fails,
    /// The connection is cut before the write reaches the server, or after it is done.
    Cut(Cut),
    /// Somebody else adds a key after our look at the set, or while we write.
    Between,
    During,
}

const FAULTS: [Fault; 5] = [
    Fault::Fails,
    Fault::Cut(Cut::Before),
    Fault::Cut(Cut::After),
    Fault::Between,
    Fault::During,
];

/// What a server signs with and publishes from a moment until the next one.
struct Moment {
    begins: i64,
    signer: Option<String>,
    published: BTreeSet<String>,
}

struct Year {
    site: Site,
    /// A public key of somebody else.
    theirs: Value,
    moments: Vec<Moment>,
}

impl Year {
    fn begin(version: Version, database: Database) -> Year {
        let hydra = Hydra::with_database(version, database);
        hydra.seconds_pass();
        let site = Site::beside(hydra, version);
        let alg = if site.is_1() { "RS256" } else { "ES256" };
        site.ok(&format!("create tokens --alg {alg} --now {START}"));
        let theirs = public(&site.key("theirs", ""));
        let mut year = Year {
            site,
            theirs,
            moments: Vec::new(),
        };
        // The server signs with a key of its own before jwks comes.
        year.note(START - DAY);
        year
    }

    fn note(&mut self, now: i64) {
        let token = self.site.hydra.token(SET);
        let keys = self.site.hydra.keys(SET);
        let kid = |key: &Value| key["kid"].as_str().expect("a kid").to_owned();
        self.moments.push(Moment {
            begins: now,
            signer: token.ok().map(|token| token.kid),
            published: keys.iter().map(kid).collect(),
        });
    }

    /// What somebody else writes: the set as they saw it, and a key of theirs.
    fn with_theirs(&self) -> Value {
        let mut keys = self.site.hydra.keys(SET);
        keys.retain(|key| key["kid"] != self.theirs["kid"]);
        keys.push(self.theirs.clone());
        keys.reverse();
        set_of(&keys.iter().collect::<Vec<_>>())
    }

    /// One run; when the next one has something to do.
    fn run(&mut self, now: i64, fault: Option<Fault>) -> i64 {
        let hydra = &self.site.hydra;
        let remote = |address: &str| {
            let kind = self.site.kind();
            let line = format!("remote add prod --kind {kind} --url {address} --force");
            self.site.ok(&line);
        };
        let mut gateway = None;
        match fault {
            Some(Fault::Fails) => hydra.rejects_next(500, "{}"),
            Some(Fault::Between) => hydra.changes_between(SET, &self.with_theirs()),
            Some(Fault::During) => hydra.changes_during(SET, &self.with_theirs()),
            Some(Fault::Cut(when)) => {
                let cutting = Cutting::in_front_of(&hydra.address(), when, "PUT", 1);
                remote(&cutting.address());
                gateway = Some(cutting);
            }
            None => {}
        }
        let run = self.site.run(&format!(
            "rotate tokens --every 73d --publish-delay 1h --retire-after 24h --push prod:{SET} --json --now {now}"
        ));
        if gateway.is_some() {
            remote(&hydra.address());
        }
        assert!(matches!(run.code, Some(0 | 4 | 6)), "{fault:?}: {run:#?}");
        assert!(run.code == Some(0) || fault.is_some(), "{run:#?}");
        let next = run.json()["sets"][0]["next_change"].as_i64();
        let next = next.filter(|_| run.code == Some(0)).unwrap_or(now);
        let hours = (next - now + HOUR - 1) / HOUR;
        now + hours.max(1) * HOUR
    }

    /// For how many hours the server made no tokens, or made tokens that break.
    fn broken_hours(&self) -> i64 {
        let mut broken = 0;
        for (i, moment) in self.moments.iter().enumerate() {
            let ends = self.moments.get(i + 1).map(|next| next.begins);
            let Some(ends) = ends else {
                break;
            };
            let is_known = |kid: &String| {
                self.moments.iter().enumerate().all(|(j, other)| {
                    let next = self.moments.get(j + 1);
                    let is_before = next.is_some_and(|next| next.begins <= moment.begins - HOUR);
                    let is_after = other.begins >= ends + DAY;
                    is_before || is_after || other.published.contains(kid)
                })
            };
            if !moment.signer.as_ref().is_some_and(is_known) {
                eprintln!("{:?} at {}", moment.signer, moment.begins - START);
                broken += (ends - moment.begins + HOUR - 1) / HOUR;
            }
        }
        broken
    }
}

fn no_token_breaks(servers: &[(Version, Database)]) {
    each(servers, |&(version, database)| {
        eprintln!("{version:?} on {database:?}");
        let mut year = Year::begin(version, database);
        let (mut now, mut random) = (START, 12345_u64);
        let mut faults = 0;
        while now < START + YEAR {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
            let which = usize::try_from(random >> 40).expect("small");
            let fault = (which % 2 == 0).then(|| FAULTS[which / 2 % FAULTS.len()]);
            faults += usize::from(fault.is_some());
            let next = year.run(now, fault);
            year.note(now);
            now = next;
        }
        let signers: BTreeSet<_> = year.moments.iter().map(|moment| &moment.signer).collect();
        assert!(signers.len() >= 6, "{signers:?}");
        assert!(faults >= 5, "{faults}");
        assert_eq!(year.broken_hours(), 0, "{version:?} on {database:?}");
    });
}

#[test]
fn no_token_of_version_1_breaks_in_a_year() {
    no_token_breaks(&[
        (Version::V1_0, Database::Postgres),
        (Version::V1_10, Database::Sqlite),
        (Version::V1_11, Database::Mysql),
    ]);
}

#[test]
fn no_token_of_version_2_breaks_in_a_year() {
    no_token_breaks(&[
        (Version::V2_0, Database::Postgres),
        (Version::V2_2, Database::Mysql),
        (Version::V26_2, Database::Sqlite),
    ]);
}
