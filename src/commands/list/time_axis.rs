//! Chooses the dates on the axis of a timeline, such as the first days of months.

use crate::keyset::timeline::Window;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A date on the axis.
pub(super) struct Tick {
    /// The moment, in seconds since 1970.
    pub(super) at: i64,
    /// The date in UTC, as precise as the step requires.
    pub(super) label: String,
}

/// The distance between two ticks, in seconds or in calendar months.
#[derive(Clone, Copy)]
enum Step {
    Seconds(i64),
    Months(i64),
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The possible steps, the smallest first.
const STEPS: &[Step] = &[
    Step::Seconds(10 * MINUTE),
    Step::Seconds(30 * MINUTE),
    Step::Seconds(HOUR),
    Step::Seconds(3 * HOUR),
    Step::Seconds(6 * HOUR),
    Step::Seconds(12 * HOUR),
    Step::Seconds(DAY),
    Step::Seconds(2 * DAY),
    Step::Seconds(7 * DAY),
    Step::Seconds(14 * DAY),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(240),
    Step::Months(600),
];

impl Step {
    /// Returns the shortest possible length of the step in seconds. A month counts as 28 days.
    fn seconds(self) -> i64 {
        match self {
            Step::Seconds(seconds) => seconds,
            Step::Months(months) => months * 28 * DAY,
        }
    }

    fn format(self) -> &'static str {
        match self {
            Step::Seconds(seconds) if seconds < DAY => "%m-%d %H:%M",
            Step::Seconds(_) => "%Y-%m-%d",
            Step::Months(months) if months % 12 == 0 => "%Y",
            Step::Months(_) => "%Y-%m",
        }
    }

    /// Returns the width of a label in columns.
    fn columns(self) -> usize {
        match self.format() {
            "%m-%d %H:%M" => 11,
            "%Y-%m-%d" => 10,
            "%Y-%m" => 7,
            _ => 4,
        }
    }

    /// Returns the times in the window that are whole multiples of the step, in seconds since 1970.
    fn moments(self, window: Window) -> Vec<i64> {
        match self {
            Step::Seconds(seconds) => {
                // Weeks begin on Mondays; 1970-01-05 was one.
                let origin = if seconds % (7 * DAY) == 0 { 4 * DAY } else { 0 };
                let first = (window.from - origin).div_euclid(seconds) * seconds + origin;
                let moments = std::iter::successors(Some(first), |last| Some(last + seconds));
                within(window, moments)
            }
            Step::Months(months) => {
                let Ok(start) = Timestamp::from_second(window.from) else {
                    return Vec::new();
                };
                let start = start.to_zoned(TimeZone::UTC);
                let month = i64::from(start.year()) * 12 + i64::from(start.month()) - 1;
                let first = month.div_euclid(months) * months;
                let numbers = std::iter::successors(Some(first), |last| Some(last + months));
                within(window, numbers.map_while(first_of_month))
            }
        }
    }
}

fn within(window: Window, moments: impl Iterator<Item = i64>) -> Vec<i64> {
    let moments = moments.skip_while(|at| *at < window.from);
    moments.take_while(|at| *at < window.to).collect()
}

/// Returns the beginning of a month in seconds since 1970; `None` if the calendar does not support its
/// year. Months are counted from January of the year 0.
fn first_of_month(number: i64) -> Option<i64> {
    let year = i16::try_from(number.div_euclid(12)).ok()?;
    let month = i8::try_from(number.rem_euclid(12) + 1).ok()?;
    let date = Date::new(year, month, 1).ok()?;
    let midnight = date.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_second())
}

/// Returns the dates of the smallest step whose labels fit side by side into `columns` columns.
pub(super) fn ticks(window: Window, columns: usize) -> Vec<Tick> {
    let length = window.to - window.from;
    let fits = |step: &&Step| {
        let most = (length / step.seconds()) as usize + 1;
        most * (step.columns() + 2) <= columns
    };
    let coarsest = STEPS.len() - 1;
    let step = STEPS.iter().find(fits).unwrap_or(&STEPS[coarsest]);
    let tick = |at: i64| {
        let moment = Timestamp::from_second(at).ok()?;
        let label = moment.strftime(step.format()).to_string();
        Some(Tick { at, label })
    };
    step.moments(window).into_iter().filter_map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_ONE: i64 = 1_767_225_600; // 2026-01-01

    fn labels(from: i64, length: i64) -> Vec<String> {
        let from = DAY_ONE + from;
        let to = from + length;
        let ticks = ticks(Window { from, to }, 50);
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn dates_are_round() {
        assert_eq!(labels(-1, HOUR), ["01-01 00:00", "01-01 00:30"]);
        assert_eq!(labels(-1, 30 * DAY), ["2026-01-05", "2026-01-19"]);
        assert_eq!(
            labels(-1, 400 * DAY),
            ["2026-01", "2026-04", "2026-07", "2026-10", "2027-01"]
        );
        assert_eq!(
            labels(-1, 3650 * DAY),
            ["2026", "2028", "2030", "2032", "2034"]
        );
        assert_eq!(
            labels(-1, 36500 * DAY),
            ["2040", "2060", "2080", "2100", "2120"]
        );
    }
}
