//! The table behind a Hydra: one row for each key, with the time at which it was inserted.

use super::{Outcome, Refusal, Version};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The longest set ID and the longest kid that a column of PostgreSQL and MySQL takes.
const LONGEST: usize = 255;

const SECOND: u64 = 1_000_000;

/// The database behind a Hydra, which decides how exact `created_at` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// Stands for 1.0 in memory as well.
    Sqlite,
    Postgres,
    /// MySQL or MariaDB: `created_at` is in whole seconds.
    Mysql,
}

/// When `created_at` of two rows is the same.
#[derive(Clone, Copy)]
enum Resolution {
    /// Never: each row has a time of its own.
    Row,
    /// When one call wrote both.
    Call,
    /// When both were written in the same second.
    Second,
}

#[derive(Clone)]
struct Row {
    /// In microseconds of the logical clock.
    created_at: u64,
    key: Value,
}

/// The rows of every set, in the order in which they were inserted.
#[derive(Clone)]
pub struct ServerRules {
    database: Database,
    resolution: Resolution,
    sets: BTreeMap<String, Vec<Row>>,
    /// Microseconds since the server started. It moves a little with each write, and further only
    /// when a test says so.
    clock: u64,
}

impl ServerRules {
    pub fn new(version: Version, database: Database) -> ServerRules {
        ServerRules {
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

    /// The keys of a set, newest first; none if there is no such set.
    ///
    /// Rows that tie come in the order in which they were inserted, or, on MySQL, in an order that
    /// has nothing to do with it.
    pub fn read(&self, set: &str) -> Vec<Value> {
        let mut rows: Vec<&Row> = self.sets.get(set).into_iter().flatten().collect();
        if self.database == Database::Mysql {
            rows.sort_by_key(|row| scrambled(kid(&row.key)));
        }
        rows.sort_by_key(|row| Reverse(row.created_at));
        rows.into_iter().map(|row| row.key.clone()).collect()
    }

    /// Inserts all of these keys or none of them.
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

/// The kid of a key; a key without one has the empty kid.
pub fn kid(key: &Value) -> &str {
    key["kid"].as_str().unwrap_or_default()
}

/// A number that has nothing to do with the order of kids (FNV-1a).
fn scrambled(kid: &str) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    kid.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
