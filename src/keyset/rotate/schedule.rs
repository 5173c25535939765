//! The schedule of a rotation: how long keys are published, sign, and are kept.

use crate::error::{Error, Result};

/// A point in time, in seconds since 1970.
pub(super) type Time = i64;

/// A duration in seconds.
pub(super) type Seconds = i64;

/// The largest difference between the clocks of the systems that rotate, sign, publish and verify. It
/// is added to the publish delay and to the time for which a retired key is kept.
pub const CLOCK_DIFFERENCE: Seconds = 60;

/// The schedule of a rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How long a key signs. `None` is without limit.
    pub every: Option<Seconds>,
    /// How long a key is published before it signs: at least as long as verifiers cache the set.
    pub publish_delay: Seconds,
    /// How long a key is published after it has signed: at least the lifetime of a token.
    pub retire_after: Seconds,
    /// How many retired keys of each line are kept without an end.
    pub keep: usize,
}

impl Schedule {
    /// Returns an error if the schedule is contradictory.
    pub fn check(&self) -> Result<()> {
        if self.publish_delay < 0 || self.retire_after < 0 {
            return Err(Error::usage(
                "--publish-delay and --retire-after must not be negative",
            ));
        }
        match self.every {
            Some(every) if every <= 0 => Err(Error::usage("--every must be longer than zero")
                .hint("pass a duration such as 30d")),
            Some(_) if !self.leaves_time_to_publish() => {
                Err(Error::usage("--publish-delay is longer than --every")
                    .hint("choose a longer --every or a shorter --publish-delay"))
            }
            _ => Ok(()),
        }
    }

    /// Returns true if a key signs at least as long as its successor is published before it signs.
    pub fn leaves_time_to_publish(&self) -> bool {
        self.every.is_none_or(|every| every >= self.publish_delay)
    }

    /// The time from staging a key until it signs.
    pub(super) fn lead(&self) -> Seconds {
        match self.publish_delay {
            // Verifiers without a cache see the key at once.
            0 => 0,
            delay => delay.saturating_add(CLOCK_DIFFERENCE),
        }
    }

    /// Returns the time from the last signature of a key until its end.
    pub fn grace(&self) -> Seconds {
        self.retire_after.saturating_add(CLOCK_DIFFERENCE)
    }
}
