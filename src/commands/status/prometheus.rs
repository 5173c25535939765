//! Writes the status of sets as metrics in the text exposition format of Prometheus.

use crate::commands::status::set::SetStatus;
use crate::output::escape;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How the output begins, by which an earlier file is recognized.
pub(super) const BEGINNING: &str = "# HELP jwks_";

/// The series of a metric: its labels and its value.
type Series = BTreeMap<String, i64>;

/// A metric, which is a gauge.
struct Metric {
    name: &'static str,
    help: &'static str,
    series: Series,
}

/// Returns the metrics of sets. Of two series with the same labels, the smaller value counts.
pub(super) fn metrics(sets: &[SetStatus], now: i64) -> String {
    let mut text = String::new();
    for metric in all(sets, now) {
        if metric.series.is_empty() {
            continue;
        }
        let Metric { name, help, series } = metric;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in series {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

fn all(sets: &[SetStatus], now: i64) -> Vec<Metric> {
    let of_set = |value: &dyn Fn(&SetStatus) -> Option<i64>| {
        let series = sets
            .iter()
            .filter_map(|set| Some((labels(&[("set", &set.set)]), value(set)?)));
        series.collect::<Series>()
    };
    let status = Metric {
        name: "jwks_status_timestamp_seconds",
        help: "When these metrics were written.",
        series: Series::from([(String::new(), now)]),
    };
    let mut metrics = vec![
        status,
        Metric {
            name: "jwks_problems",
            help: "The number of problems of the set that need a person.",
            series: of_set(&|set| Some(set.problems.len() as i64)),
        },
        Metric {
            name: "jwks_set_readable",
            help: "1 if the set can be read, and 0 if not.",
            series: of_set(&|set| Some(set.error.is_none().into())),
        },
        Metric {
            name: "jwks_next_change_timestamp_seconds",
            help: "When a date or a rotation next changes the set.",
            series: of_set(&|set| set.next_change),
        },
        Metric {
            name: "jwks_rotation_overdue",
            help: "1 if a rotation has been due for too long, and 0 if not.",
            series: of_set(&|set| set.scheduled.then_some(set.overdue.into())),
        },
        Metric {
            name: "jwks_publish_delay_seconds",
            help: "The publish delay of the schedule.",
            series: of_set(&|set| set.publish_delay),
        },
        Metric {
            name: "jwks_hooks_pending",
            help: "The number of hooks that have not run since a change.",
            series: of_set(&|set| set.scheduled.then_some(set.hooks.len() as i64)),
        },
    ];
    metrics.extend(of_lines(sets, now));
    metrics.extend(of_targets(sets));
    metrics.extend(of_addresses(sets));
    metrics
}

/// Adds a series. Of equal labels, the smaller value counts.
fn add(series: &mut Series, labels: String, value: i64) {
    series
        .entry(labels)
        .and_modify(|known| *known = value.min(*known))
        .or_insert(value);
}

fn of_lines(sets: &[SetStatus], now: i64) -> Vec<Metric> {
    let (mut ages, mut certificates) = (Series::new(), Series::new());
    for set in sets {
        for line in &set.lines {
            let usage = line.usage.as_deref().unwrap_or_default();
            let labels = labels(&[("set", &set.set), ("line", &line.line), ("use", usage)]);
            if let (Some(_), Some(since)) = (&line.signer, line.since) {
                add(&mut ages, labels, now.saturating_sub(since).max(0));
            }
        }
        for ending in &set.certificates {
            let kid = ending.key.handle().unwrap_or_default();
            let labels = labels(&[("set", &set.set), ("kid", kid)]);
            add(&mut certificates, labels, ending.not_after);
        }
    }
    vec![
        Metric {
            name: "jwks_signer_age_seconds",
            help: "How long the active key of the line signs.",
            series: ages,
        },
        Metric {
            name: "jwks_certificate_not_after_timestamp_seconds",
            help: "When the first certificate in the chain of the key ends.",
            series: certificates,
        },
    ]
}

fn of_targets(sets: &[SetStatus]) -> Vec<Metric> {
    let (mut delivered, mut failed) = (Series::new(), Series::new());
    for set in sets {
        for target in &set.targets {
            let labels = labels(&[("set", &set.set), ("target", &target.target)]);
            if let Some(time) = target.delivered {
                add(&mut delivered, labels.clone(), time);
            }
            add(&mut failed, labels, target.failure.is_some().into());
        }
    }
    vec![
        Metric {
            name: "jwks_target_last_success_timestamp_seconds",
            help: "When the file or server last got the set.",
            series: delivered,
        },
        Metric {
            name: "jwks_target_failed",
            help: "1 if the last delivery to the file or server failed, and 0 if not.",
            series: failed,
        },
    ]
}

fn of_addresses(sets: &[SetStatus]) -> Vec<Metric> {
    let (mut read, mut failed) = (Series::new(), Series::new());
    let (mut ages, mut foreign) = (Series::new(), Series::new());
    for set in sets {
        for address in &set.published {
            let labels = labels(&[("set", &set.set), ("address", &address.address)]);
            if let Some(time) = address.read {
                add(&mut read, labels.clone(), time);
            }
            if let Some(age) = address.max_age.and_then(|age| i64::try_from(age).ok()) {
                add(&mut ages, labels.clone(), age);
            }
            add(&mut foreign, labels.clone(), address.foreign_count as i64);
            add(&mut failed, labels, address.failure.is_some().into());
        }
    }
    vec![
        Metric {
            name: "jwks_published_last_read_timestamp_seconds",
            help: "When the published address was last read.",
            series: read,
        },
        Metric {
            name: "jwks_published_failed",
            help: "1 if the last reading of the published address failed, and 0 if not.",
            series: failed,
        },
        Metric {
            name: "jwks_published_max_age_seconds",
            help: "How long caches can use what the published address serves.",
            series: ages,
        },
        Metric {
            name: "jwks_published_foreign_keys",
            help: "The number of keys that the address serves and the set does not have.",
            series: foreign,
        },
    ]
}

/// Returns labels with their values escaped.
fn labels(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}=\"{}\"", label_value(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// Escapes the value of a label. The format has escapes for a backslash, a quote and a line feed. Other control
/// and invisible characters become `\u{…}` first, because a terminal can show the metrics.
fn label_value(value: &str) -> String {
    let mut escaped = String::new();
    for (i, line) in value.split('\n').enumerate() {
        if i > 0 {
            escaped.push_str("\\n");
        }
        escaped += &escape(line).replace('\\', "\\\\").replace('"', "\\\"");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_labels_stay_in_their_quotes() {
        for (value, escaped) in [
            ("plain-1", "plain-1"),
            (
                "a\"} 1\njwks_problems{set=\"b",
                "a\\\"} 1\\njwks_problems{set=\\\"b",
            ),
            ("C:\\keys", "C:\\\\keys"),
            ("a\u{1b}[2J", "a\\\\u{1b}[2J"),
            ("a\rb\0", "a\\\\u{d}b\\\\u{0}"),
            ("鍵", "鍵"),
        ] {
            assert_eq!(label_value(value), escaped, "{value:?}");
        }
    }
}
