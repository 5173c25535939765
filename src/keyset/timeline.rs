//! The periods in which each key of a set is published, signs and is retired, and the time window of
//! a timeline. Times are in seconds since 1970.

mod lifetimes;

pub use lifetimes::lifetimes;

/// The role of a key during a part of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Pending: verifiers have it before it signs.
    Published,
    /// Active: it signs.
    Signing,
    /// Retired: verifiers still have it.
    Retired,
}

impl Phase {
    /// The phase's name in output.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Published => "published",
            Phase::Signing => "signing",
            Phase::Retired => "retired",
        }
    }
}

/// A part of a key's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The role of the key.
    pub phase: Phase,
    /// The start, in seconds since 1970; `None` if no date gives one.
    pub from: Option<i64>,
    /// The end, in seconds since 1970; `None` if no date gives one.
    pub to: Option<i64>,
}

/// The life of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// The name of its line, such as `sig ES256`.
    pub line: String,
    /// Its phases in order; empty if it expired before it was made.
    pub phases: Vec<Stretch>,
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Dates farther from now than this, about a hundred years, are not shown.
const HORIZON: i64 = 36_525 * DAY;

/// The largest factor between the distances of two successive dates from now that are both shown.
const FAR: i64 = 30;

/// The number of nearest dates that are always shown.
const NEAR: usize = 3;

/// The time window of a timeline, in seconds since 1970. It is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The left edge.
    pub from: i64,
    /// The right edge.
    pub to: i64,
}

impl Window {
    /// Returns the window that shows the lives and `now`.
    ///
    /// The window spans all dates with a margin, and at least an hour. Dates more than a hundred years
    /// from now are outside. If there are more than three dates, so is a date that is more than 30 times
    /// as far from now as the next nearer one, with all dates beyond it; otherwise the nearer dates
    /// could not be distinguished. Without dates, the window is the month around now.
    pub fn of<'l>(lives: impl IntoIterator<Item = &'l Life>, now: i64) -> Window {
        let phases = lives.into_iter().flat_map(|life| &life.phases);
        let dates = phases.flat_map(|stretch| [stretch.from, stretch.to]);
        let is_near = |date: &i64| date.abs_diff(now) <= HORIZON.unsigned_abs();
        let mut dates: Vec<i64> = dates.flatten().filter(is_near).collect();
        if dates.is_empty() {
            return Window {
                from: now - 15 * DAY,
                to: now + 15 * DAY,
            };
        }
        let distance = |date: &i64| (date - now).abs();
        dates.sort_unstable_by_key(|date| (distance(date), *date));
        dates.dedup();
        let is_far = |i: &usize| distance(&dates[*i]) > FAR * distance(&dates[i - 1]).max(1);
        let shown = (NEAR..dates.len()).find(is_far).unwrap_or(dates.len());
        let (mut from, mut to) = (now, now);
        for date in &dates[..shown] {
            from = from.min(*date);
            to = to.max(*date);
        }
        let missing = (HOUR - (to - from)).max(0);
        (from, to) = (from - missing / 2, to + missing / 2);
        let length = to - from;
        Window {
            from: from - length / 20,
            to: to + length / 10,
        }
    }

    /// Returns the position of a time in the window, from 0 to 1. Times outside are moved to the edge.
    pub fn fraction(self, moment: i64) -> f64 {
        let moment = moment.clamp(self.from, self.to);
        (moment - self.from) as f64 / (self.to - self.from) as f64
    }

    /// Returns the index of a time among `places` columns of equal width. The right edge and later times
    /// have the index `places`.
    pub fn place(self, moment: i64, places: usize) -> usize {
        let moment = moment.clamp(self.from, self.to);
        let (passed, length) = (moment - self.from, self.to - self.from);
        // The value is between 0 and `places`.
        (i128::from(passed) * places as i128 / i128::from(length)) as usize
    }

    /// Returns true if a phase that begins at this time starts before the left edge.
    pub fn cuts_beginning(self, from: Option<i64>) -> bool {
        from.is_none_or(|from| from < self.from)
    }

    /// Returns true if a phase that ends at this time continues beyond the right edge.
    pub fn cuts_end(self, to: Option<i64>) -> bool {
        to.is_none_or(|to| to > self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::header::Header;
    use crate::keyset::KeySet;

    const NOW: i64 = 1_780_000_000;

    fn lives_of(keys: &str, now: i64) -> Vec<Life> {
        let json = format!(r#"{{"keys":[{keys}]}}"#);
        let set = KeySet::parse(&json).unwrap();
        let headers: Vec<_> = set.keys.iter().map(Header::of).collect();
        lifetimes(&headers, now, |_| true)
    }

    /// `published 100..150, signing 150..` for each key.
    fn described(keys: &str, now: i64) -> Vec<String> {
        let date = |date: Option<i64>| date.map_or_else(String::new, |date| date.to_string());
        let stretch = |stretch: &Stretch| {
            let (from, to) = (date(stretch.from), date(stretch.to));
            format!("{} {from}..{to}", stretch.phase.name())
        };
        let lives = lives_of(keys, now).into_iter();
        lives
            .map(|life| {
                let phases: Vec<_> = life.phases.iter().map(stretch).collect();
                phases.join(", ")
            })
            .collect()
    }

    #[test]
    fn a_rotation() {
        let keys = r#"{"kty":"oct","iat":100,"exp":300}, {"kty":"oct","iat":150,"nbf":200}"#;
        let expected = [
            "signing 100..200, retired 200..300",
            "published 150..200, signing 200..",
        ];
        for now in [50, 120, 160, 250, 1000] {
            let shown = described(keys, now);
            match now {
                // A key that exists counts as made, even if its `iat` is in the future.
                50 => assert_ne!(shown, expected),
                _ => assert_eq!(shown[..1], expected[..1], "{now}"),
            }
        }
        assert_eq!(described(keys, 160), expected);
    }

    #[test]
    fn a_key_takes_no_place_before_it_was_made() {
        let keys = r#"{"kty":"oct","iat":100}, {"kty":"oct","iat":200}"#;
        assert_eq!(
            described(keys, 300),
            ["signing 100..200, retired 200..", "signing 200.."]
        );
    }

    #[test]
    fn keys_without_dates_are_there_all_the_time() {
        let keys = r#"{"kty":"oct"}, {"kty":"oct"}"#;
        assert_eq!(described(keys, 300), ["retired ..", "signing .."]);
        let keys = r#"{"kty":"oct"}, {"kty":"oct","nbf":200}"#;
        assert_eq!(
            described(keys, 100),
            [
                "signing ..200, retired 200..",
                "published ..200, signing 200.."
            ]
        );
    }

    #[test]
    fn odd_dates() {
        for (key, expected) in [
            (r#""iat":100,"nbf":300,"exp":200"#, "published 100..200"),
            (r#""nbf":300,"exp":200"#, "published ..200"),
            (r#""iat":300,"exp":200"#, ""),
            (r#""iat":-5,"exp":1e15"#, "signing -5.."),
            (r#""iat":900"#, "signing 500.."),
        ] {
            let key = format!(r#"{{"kty":"oct",{key}}}"#);
            assert_eq!(described(&key, 500), [expected], "{key}");
        }
    }

    #[test]
    fn an_older_key_signs_again_when_the_newer_one_expires() {
        let keys = r#"{"kty":"oct","iat":100}, {"kty":"oct","iat":150,"exp":200}"#;
        assert_eq!(
            described(keys, 300)[0],
            "signing 100..150, retired 150..200, signing 200.."
        );
    }

    fn window(dates: &[i64]) -> (i64, i64) {
        let phases = dates.iter().map(|date| Stretch {
            phase: Phase::Signing,
            from: Some(NOW + date * DAY),
            to: None,
        });
        let life = Life {
            line: String::new(),
            phases: phases.collect(),
        };
        let window = Window::of([&life], NOW);
        assert!(window.from < NOW && NOW < window.to, "{window:?}");
        let days = |edge: i64| (edge - NOW).div_euclid(DAY);
        (days(window.from), days(window.to))
    }

    #[test]
    fn the_window_shows_what_can_be_told_apart() {
        assert_eq!(window(&[]), (-15, 15));
        assert_eq!(window(&[-100, 100]), (-110, 120));
        assert_eq!(window(&[-100]), (-105, 10));
        assert_eq!(window(&[100]), (-5, 110));
        // One date far away squeezes no others; few dates are all shown.
        assert_eq!(window(&[-30, -2, 5, 3650]), (-32, 8));
        assert_eq!(window(&[-30, -2, 5, 3650, 3651, -4000]), (-32, 8));
        assert_eq!(window(&[-30, 3650]), (-214, 4018));
        assert_eq!(window(&[-30, -2, 5, 800]), (-72, 883));
        // Nobody waits for the year 9999.
        assert_eq!(window(&[-100, 2_900_000]), (-105, 10));
        assert_eq!(window(&[2_900_000, -700_000]), (-15, 15));
    }

    #[test]
    fn a_window_is_an_hour_at_least() {
        let life = &lives_of(&format!(r#"{{"kty":"oct","iat":{NOW}}}"#), NOW)[0];
        let window = Window::of([life], NOW);
        assert_eq!((window.from, window.to), (NOW - 1980, NOW + 2160));
        assert_eq!(window.place(window.from, 50), 0);
        assert_eq!(window.place(i64::MIN, 50), 0);
        assert_eq!(window.place(window.to, 50), 50);
        assert_eq!(window.fraction(i64::MAX), 1.0);
    }
}
