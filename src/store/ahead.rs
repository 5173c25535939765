//! The sets that were read while they were listed, so that a command does not read each of them twice.

use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item};
use crate::store::MOST_AHEAD;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The sets that were read ahead. Each is given out once: whoever reads a set again wants the present one.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    found: RefCell<BTreeMap<SetName, Found>>,
    size: Cell<usize>,
}

impl Ahead {
    /// Keeps a set, unless all kept ones would take too much memory.
    pub fn keep(&self, name: &SetName, found: Found) {
        let text = found.text.as_ref();
        let size = self.size.get() + text.map_or(0, |text| text.expose().len());
        if size <= MOST_AHEAD {
            self.size.set(size);
            self.found.borrow_mut().insert(name.clone(), found);
        }
    }

    /// Returns a set that was kept.
    pub fn take(&self, item: Item) -> Option<Found> {
        match item {
            Item::Set(name) => self.found.borrow_mut().remove(name),
            Item::Schedules | Item::Deliveries(_) => None,
        }
    }
}
