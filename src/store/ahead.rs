//! The sets that were read before they were asked for: while they were listed, or several at once.

use crate::error::{ErrorKind, Result};
use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item};
use crate::remote::http::{Answer, Client, Request, TOGETHER};
use crate::store::{MOST_AHEAD, MOST_FAILURES};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

/// The sets that were read ahead. Each is given out once: whoever reads a set again wants the present one.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    found: RefCell<BTreeMap<SetName, Found>>,
    /// The size of the texts, in bytes.
    size: Cell<usize>,
    /// The sets that were listed and not read since, in the order in which they are usually read.
    listed: RefCell<VecDeque<SetName>>,
}

impl Ahead {
    /// Keeps a set, unless all kept ones would take too much memory.
    pub fn keep(&self, name: &SetName, found: Found) {
        let size = self.size.get() + size(&found);
        if size <= MOST_AHEAD {
            self.size.set(size);
            self.found.borrow_mut().insert(name.clone(), found);
        }
    }

    /// Returns a set that was kept.
    pub fn take(&self, item: Item) -> Option<Found> {
        let Item::Set(name) = item else {
            return None;
        };
        let found = self.found.borrow_mut().remove(name)?;
        self.size.set(self.size.get() - size(&found));
        Some(found)
    }

    /// Reads sets at the same time, and keeps those that can be read. One that cannot is reported when it is read by
    /// itself.
    pub fn read(
        &self,
        client: &Client,
        names: &[SetName],
        request: impl Fn(&SetName) -> Result<Request>,
        found: impl Fn(&SetName, &Answer) -> Result<Found>,
    ) -> Result<()> {
        let requests: Vec<_> = names.iter().map(request).collect::<Result<_>>()?;
        for (name, answer) in names.iter().zip(client.send_together(&requests)?) {
            if let Some(Ok(found)) = answer.map(|answer| found(name, &answer)) {
                self.keep(name, found);
            }
        }
        Ok(())
    }

    /// Returns those of the sets that are there, and keeps them. A set that cannot be read is among them, because it
    /// is reported when it is read by itself. Returns an error if the server fails several times.
    pub fn existing(
        &self,
        names: &[SetName],
        read_together: impl Fn(&[SetName]) -> Result<()>,
        read: impl Fn(Item) -> Result<Found>,
    ) -> Result<Vec<SetName>> {
        let mut existing = Vec::with_capacity(names.len());
        let mut failures = 0;
        for some in names.chunks(TOGETHER) {
            read_together(some)?;
            for name in some {
                match read(Item::Set(name)) {
                    Ok(found) if found.text.is_none() => continue,
                    Ok(found) => self.keep(name, found),
                    Err(error) if error.kind() == ErrorKind::Remote => {
                        failures += 1;
                        if failures == MOST_FAILURES {
                            return Err(error);
                        }
                    }
                    Err(_) => {}
                }
                existing.push(name.clone());
            }
        }
        Ok(existing)
    }

    /// Remembers which sets were listed.
    pub fn remember(&self, names: &[SetName]) {
        let mut names = names.to_vec();
        names.sort();
        self.listed.replace(names.into());
    }

    /// Returns a set and those that are read after it if all listed sets are read; nothing if the set was not
    /// listed, or read already.
    pub fn after(&self, item: Item) -> Vec<SetName> {
        let mut listed = self.listed.borrow_mut();
        let Item::Set(name) = item else {
            return Vec::new();
        };
        let Some(position) = listed.iter().position(|listed| listed == name) else {
            return Vec::new();
        };
        listed.drain(..position);
        let most = listed.len().min(TOGETHER);
        listed.drain(..most).collect()
    }
}

fn size(found: &Found) -> usize {
    found.text.as_ref().map_or(0, |text| text.expose().len())
}
