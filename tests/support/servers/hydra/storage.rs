//! The database of a Hydra: a row for each key, with the time of its insertion.

use super::{Outcome, Refusal, Version};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The maximum length of a set ID and of a kid in PostgreSQL and MySQL, in characters.
const LONGEST: usize = 255;

const SECOND: u64 = 1_000_000;

/// The database of a Hydra, which decides the precision of `created_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// SQLite. Also stands for the memory database of 1.0.
    Sqlite,
    Postgres,
    /// MySQL or MariaDB, which store `created_at` in whole seconds.
    Mysql,
}

/// When two rows have the same `created_at`.
#[derive(Clone, Copy)]
enum Resolution {
    /// Never.
    Row,
    /// If one call wrote both.
    Call,
    /// If both were written in the same second.
    Second,
}

#[derive(Clone)]
struct Row {
    /// The time of insertion, in microseconds of the simulated clock.
    created_at: u64,
    key: Value,
}

/// The rows of all sets, in the order of insertion.
#[derive(Clone)]
pub struct Storage {
    database: Database,
    resolution: Resolution,
    sets: BTreeMap<String, Vec<Row>>,
    /// The simulated clock, in microseconds since the server started. Each write advances it a little,
    /// and tests can advance it further.
    clock: u64,
}

impl Storage {
    pub fn new(version: Version, database: Database) -> Storage {
        Storage {
            database,
            resolution: match (database, version) {
                (Database::Mysql, _) => Resolution::Second,
                (Database::Postgres, Version::V1_0) => Resolution::Call,
                _ => Resolution::Row,
            },
            sets: BTreeMap::new(),
            clock: 0,
        }
    }

    pub fn database(&self) -> Database {
        self.database
    }

    pub fn advance(&mut self, seconds: u64) {
        self.clock += seconds * SECOND;
    }

    /// Returns the keys of a set, newest first; none if the set does not exist.
    ///
    /// Rows with the same time are in the order of insertion, or in an arbitrary order on MySQL.
    pub fn read(&self, set: &str) -> Vec<Value> {
        let mut rows: Vec<&Row> = self.sets.get(set).into_iter().flatten().collect();
        if self.database == Database::Mysql {
            rows.sort_by_key(|row| scrambled(kid(&row.key)));
        }
        rows.sort_by_key(|row| Reverse(row.created_at));
        rows.into_iter().map(|row| row.key.clone()).collect()
    }

    /// Inserts all of these keys, or returns an error and inserts none.
    pub fn insert(&mut self, set: &str, keys: Vec<Value>) -> Outcome<()> {
        let mut rows = self.sets.get(set).cloned().unwrap_or_default();
        self.clock += 1;
        for key in keys {
            let longest = set.chars().count().max(kid(&key).chars().count());
            if self.database != Database::Sqlite && longest > LONGEST {
                return Err(Refusal::new(
                    500,
                    "Internal Server Error",
                    "The value is too long",
                ));
            }
            if rows.iter().any(|row| kid(&row.key) == kid(&key)) {
                return Err(Refusal::new(
                    409,
                    "Unable to insert or update resource because a resource with that value exists already",
                    "",
                ));
            }
            let created_at = match self.resolution {
                Resolution::Row => {
                    self.clock += 1;
                    self.clock
                }
                Resolution::Call => self.clock,
                Resolution::Second => self.clock / SECOND * SECOND,
            };
            rows.push(Row { created_at, key });
        }
        self.sets.insert(set.to_owned(), rows);
        Ok(())
    }

    pub fn delete(&mut self, set: &str) {
        self.sets.remove(set);
    }

    pub fn delete_key(&mut self, set: &str, deleted: &str) {
        if let Some(rows) = self.sets.get_mut(set) {
            rows.retain(|row| kid(&row.key) != deleted);
        }
    }
}

/// Returns the kid of a key; empty if it has none.
pub fn kid(key: &Value) -> &str {
    key["kid"].as_str().unwrap_or_default()
}

/// Returns a hash of a kid (FNV-1a), for an order that looks arbitrary.
fn scrambled(kid: &str) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    kid.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
