//! The options of a rotation schedule, from the command line or saved with a set.

use crate::args::target::{FileTarget, is_server};
use crate::error::{Error, Result};
use crate::keyset::KeySet;
use crate::keyset::kid_from::KidFrom;
use crate::keyset::rotate::{Policy, Schedule, plan};
use crate::keystore::deliveries::Deliveries;
use crate::keystore::{Keystore, Schedules, SetName};
use crate::time::parse_duration;
use clap::{Args, ValueHint};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The default publish delay.
const PUBLISH_DELAY: &str = "1h";

/// The default time for which a retired key is kept.
const RETIRE_AFTER: &str = "24h";

/// The value of an option that can be repeated and has no values.
const NONE: &str = "none";

/// How a set is rotated.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Schedule")]
pub struct ScheduleArgs {
    /// How long a key signs, such as 30d, 12h or P90D
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<String>,

    /// Time between publication and use [default: 1h]
    ///
    /// How long a key is published before it signs: the cache lifetime of the verifiers. A longer delay
    /// applies only to keys that are staged later.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_delay: Option<String>,

    /// Time from retirement to removal [default: 24h]
    ///
    /// How long a key is published after it signed: the lifetime of a token. Shorten it only after the
    /// tokens with a longer lifetime have expired.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    retire_after: Option<String>,

    /// Keep at least N retired keys per line
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<usize>,

    /// Rotate only this line; can be repeated
    ///
    /// A line is named by its algorithm, or by its curve or key type if it has no algorithm.
    #[arg(long, value_name = "LINE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    line: Vec<String>,

    /// Rotate only the lines for this use: sig or enc
    #[arg(long = "use", hide_short_help = true, value_name = "USE")]
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,

    /// Move to this algorithm
    ///
    /// The first key of the new line is staged. The old line ends when that key signs.
    #[arg(long, value_name = "ALG")]
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,

    /// The curve of new keys
    ///
    /// A line on another curve gets its first key on this curve now.
    #[arg(long, hide_short_help = true, value_name = "CRV")]
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,

    /// The size of new RSA or symmetric keys, in bits
    ///
    /// A line of another size gets its first key of this size now.
    #[arg(long, hide_short_help = true, value_name = "BITS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u32>,

    /// How to choose the kid of new keys [default: thumbprint]
    #[arg(long, hide_short_help = true, value_name = "SOURCE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    kid_from: Option<KidFrom>,

    /// Push the set to this remote after each run; can be repeated
    ///
    /// Keys that an earlier run could not send are sent, too. NAME is the name of the set on the server.
    /// `none` leaves out the saved remotes; --export, --published and --hook accept it, too.
    #[arg(long, value_name = "REMOTE[:NAME]")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub push: Vec<String>,

    /// Write the set to this file after each run; can be repeated
    ///
    /// The file is written only if it changes. LAYOUT is one of `jwks export --for`, and `jwks` by default.
    /// Write LAYOUT:LINE to choose the line that a signer uses. Verifiers get a new key before signers do.
    #[arg(long, value_name = "PATH[=LAYOUT]", value_hint = ValueHint::FilePath)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export: Vec<String>,

    /// Hold a new key until this address serves it; can be repeated
    ///
    /// The key signs when each of these addresses has served it for the publish delay. The address of an
    /// issuer leads to its JWK Set.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<String>,

    /// Run this command after a change; can be repeated
    ///
    /// The command gets the change as JSON on standard input. If it fails, the next rotation runs it again.
    #[arg(long, value_name = "COMMAND")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hook: Vec<String>,

    /// The time limit for a hook [default: 60]
    #[arg(long, hide_short_help = true, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_timeout: Option<u64>,

    /// Update the signature key in Authlete's settings
    ///
    /// If the settings name a key that no longer signs, they are changed to the key that does.
    #[arg(long, hide_short_help = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub move_signature_kid: bool,

    /// Send alg Ed25519 as EdDSA, as Hydra expects it
    #[arg(long, hide_short_help = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ed25519_as_eddsa: bool,
}

impl ScheduleArgs {
    /// Returns these options. Those that are not given come from the saved ones. The value `none` leaves out the
    /// saved values of an option that can be repeated.
    pub fn over(&self, saved: ScheduleArgs) -> ScheduleArgs {
        let own = self.clone();
        let or = |mut own: Vec<String>, saved| {
            if own.is_empty() {
                return saved;
            }
            own.retain(|value| value != NONE);
            own
        };
        ScheduleArgs {
            every: own.every.or(saved.every),
            publish_delay: own.publish_delay.or(saved.publish_delay),
            retire_after: own.retire_after.or(saved.retire_after),
            keep: own.keep.or(saved.keep),
            line: or(own.line, saved.line),
            usage: own.usage.or(saved.usage),
            alg: own.alg.or(saved.alg),
            crv: own.crv.or(saved.crv),
            size: own.size.or(saved.size),
            kid_from: own.kid_from.or(saved.kid_from),
            push: or(own.push, saved.push),
            export: or(own.export, saved.export),
            published: or(own.published, saved.published),
            hook: or(own.hook, saved.hook),
            hook_timeout: own.hook_timeout.or(saved.hook_timeout),
            move_signature_kid: own.move_signature_kid || saved.move_signature_kid,
            ed25519_as_eddsa: own.ed25519_as_eddsa || saved.ed25519_as_eddsa,
        }
    }

    /// Returns these options with absolute paths, which do not depend on the directory of the next run.
    /// Returns an error for an invalid path.
    pub fn absolute(&self) -> Result<ScheduleArgs> {
        let mut options = self.clone();
        for file in &mut options.export {
            *file = FileTarget::parse(file)?.to_string();
        }
        Ok(options)
    }

    /// Returns true if a name in the record of deliveries is that of a file or server of these options.
    pub fn has_target(&self, id: &str) -> bool {
        let is_file = |text: &String| FileTarget::parse(text).is_ok_and(|file| file.id() == id);
        self.push.iter().any(|value| is_server(id, value)) || self.export.iter().any(is_file)
    }

    /// Returns true if a rotation with these options keeps a record of deliveries.
    pub fn keeps_record(&self) -> bool {
        let lists = [&self.push, &self.export, &self.published, &self.hook];
        lists.iter().any(|list| !list.is_empty())
    }

    /// Returns true if the options say how long a key signs (`--every`).
    pub fn has_period(&self) -> bool {
        self.every.is_some()
    }

    /// Returns true if the options ask for another algorithm, curve or size.
    pub fn asks_for_another_key(&self) -> bool {
        self.alg.is_some() || self.crv.is_some() || self.size.is_some()
    }

    /// Returns the schedule of these options. Returns an error if a duration does not parse, or if the
    /// schedule is contradictory.
    pub fn schedule(&self) -> Result<Schedule> {
        let length = |flag: &str, text: &str| {
            parse_duration(text).map_err(|error| error.about(format!("--{flag}")))
        };
        let or = |text: &Option<String>, default: &str| text.clone().unwrap_or(default.into());
        let every = self.every.as_deref();
        let schedule = Schedule {
            every: every.map(|text| length("every", text)).transpose()?,
            publish_delay: length("publish-delay", &or(&self.publish_delay, PUBLISH_DELAY))?,
            retire_after: length("retire-after", &or(&self.retire_after, RETIRE_AFTER))?,
            keep: self.keep.unwrap_or_default(),
        };
        if schedule.every > Some(0) && !schedule.leaves_time_to_publish() {
            return Err(self.too_short());
        }
        schedule.check()?;
        Ok(schedule)
    }

    /// The error for a key that would sign for a shorter time than the publish delay.
    fn too_short(&self) -> Error {
        let delay = match &self.publish_delay {
            Some(delay) => delay.clone(),
            None => format!("{PUBLISH_DELAY}, the default"),
        };
        let every = self.every.as_deref().unwrap_or_default();
        Error::usage(format!(
            "--publish-delay ({delay}) is longer than --every ({every})"
        ))
        .hint("choose a longer --every or a shorter --publish-delay")
    }

    /// Returns the options of a rotation with this schedule.
    pub fn policy(&self, schedule: Schedule, now: i64) -> Policy<'_> {
        Policy {
            schedule,
            lines: &self.line,
            usage: self.usage.as_deref(),
            alg: self.alg.as_deref(),
            crv: self.crv.as_deref(),
            size: self.size,
            kid_from: self.kid_from.unwrap_or_default(),
            now,
            ..Policy::default()
        }
    }

    /// Returns the options as JSON, to be saved.
    pub fn to_json(&self) -> Value {
        // Serialization cannot fail: the options are texts, numbers and lists.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Returns the saved options of a set; `None` if it has none. Returns an error if they are invalid.
pub fn saved(schedules: &Schedules, name: &SetName) -> Result<Option<ScheduleArgs>> {
    let Some(schedule) = schedules.get(name.as_str()) else {
        return Ok(None);
    };
    let read = ScheduleArgs::deserialize(schedule);
    read.map(Some).map_err(|error| {
        Error::invalid(format!("the saved schedule of set {name} is invalid"))
            .cause(error)
            .hint(format!(
                "run `jwks rotate {name} --forget`, and save the schedule again"
            ))
    })
}

/// Returns the next time at which a date or a rotation changes a set with a saved schedule, in seconds
/// since 1970. If a rotation is due, that is `now`.
pub fn next_rotation(
    store: &Keystore,
    name: &SetName,
    set: &KeySet,
    schedules: &Schedules,
    now: i64,
) -> Result<Option<i64>> {
    let options = saved(schedules, name)?.unwrap_or_default();
    let known = if options.keeps_record() {
        store.deliveries(name)?
    } else {
        Deliveries::default()
    };
    let (signing, signed) = (known.signing(), known.signed(now));
    let publication = known.publication(&options.published);
    let policy = Policy {
        signing: &signing,
        signed: &signed,
        publication: publication.as_ref(),
        ..options.policy(options.schedule()?, now)
    };
    let plan = plan(set, &policy)?;
    Ok(if plan.is_empty() {
        plan.next_change
    } else {
        Some(now)
    })
}
