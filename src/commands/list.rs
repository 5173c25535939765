//! `jwks list`: the sets, or the keys of one set.

mod keys;
mod picture;
mod sets;
mod svg;
mod time_axis;
mod timeline;

use self::svg::write as write_svg;
use crate::args::connection::RemoteArgs;
use crate::args::filter::FilterArgs;
use crate::commands::shared::server::set_name;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keyset::lifecycle;
use crate::keystore::SetName;
use crate::remote::Remote;
use crate::remote::kind::Form;
use clap::{Args, ValueEnum, ValueHint};
use keys::{Dated, Listing};
use picture::Picture;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  $ jwks list
  $ jwks list api
  $ jwks list api --state active --format names
  $ jwks list api --timeline
  $ jwks list api --svg timeline.svg
  $ jwks list api --remote prod
  $ for set in $(jwks list --format names); do jwks check $set; done";

/// The format of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// JSON, as with --json
    Json,
    /// One name per line, for loops
    Names,
}

/// List the sets, or the keys of a set
///
/// The state of a key follows from its dates. A key is pending before its nbf, active while it is the
/// newest of its line, retired once a newer key is active, and expired from its exp on. A line is the
/// keys with the same use and algorithm, or with the same type and curve if they have no algorithm. A
/// key that breaks a rule is listed as invalid, a key of an unknown type as unsupported.
///
/// --timeline draws when each key is pending, active and retired. The picture reaches from the first
/// date to the last. A date that is 30 times as far away as the others, or more than a hundred years
/// away, lies outside the picture. Times are in UTC.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// The set [default: list all sets]
    #[arg(value_name = "SET")]
    set: Option<String>,

    /// The output format [default: table; json with --json]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// Draw the lifetime of each key on a time axis
    #[arg(long)]
    timeline: bool,

    /// Write the timeline to an SVG file; - is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,

    /// Overwrite an existing file, whatever it holds
    #[arg(short, long, requires = "svg")]
    force: bool,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

impl ListArgs {
    /// Returns true if a timeline is asked for.
    fn draws(&self) -> bool {
        self.timeline || self.svg.is_some()
    }

    /// Refuses options that do not go together.
    fn check(&self, ctx: &Context) -> Result<()> {
        if self.draws() && self.format == Some(Format::Names) && !ctx.out.is_json() {
            return Err(
                Error::usage("--format names cannot be used with --timeline or --svg")
                    .hint("leave one of them out"),
            );
        }
        if self.draws() && self.set.is_none() {
            return Err(
                Error::usage("--timeline requires a SET").hint("run `jwks list` to see the sets")
            );
        }
        if self.set.is_none() && !self.filter.is_empty() {
            return Err(
                Error::usage("filters require a SET").hint("run `jwks list` to see the sets")
            );
        }
        Ok(())
    }
}

/// Runs `jwks list`.
pub fn run(ctx: &Context, args: &ListArgs) -> Result<()> {
    let format = if ctx.out.is_json() {
        Format::Json
    } else {
        args.format.unwrap_or(Format::Table)
    };
    args.check(ctx)?;
    let remote = args.remote.open(ctx)?;
    match (&args.set, &remote) {
        (Some(_), Some(remote)) => {
            let dated = dates_of(remote);
            if args.draws() && dated == Dated::No {
                let kind = remote.kind.name;
                return Err(
                    Error::usage(format!("{kind} does not store the dates of keys"))
                        .hint("run `jwks list SET --timeline` for a set in the keystore"),
                );
            }
            let name = set_name(remote, args.set.as_deref(), None)?;
            let set = remote.load(&name, Form::Private)?;
            let states = remote.kind.rules.states(&set, ctx.now);
            let positions = set.filter_by(&args.filter.filter_for(&set)?, &states);
            let listing = Listing {
                name: &name,
                set: &set,
                states: &states,
                dated,
                positions,
            };
            show_keys(ctx, args, &listing, format)
        }
        (Some(name), None) => {
            let name = SetName::given(name)?;
            let document = ctx.load_public(&name)?;
            let set = document.parse()?;
            let states = lifecycle::states(&set, ctx.now);
            let positions = set.filter_by(&args.filter.filter_for(&set)?, &states);
            let listing = Listing {
                name: name.as_str(),
                set: &set,
                states: &states,
                dated: Dated::Yes,
                positions,
            };
            show_keys(ctx, args, &listing, format)
        }
        (None, Some(remote)) => sets::list_remote_sets(ctx, remote, format),
        (None, None) => sets::list_sets(ctx, format),
    }
}

/// Returns whether a server stores the dates of keys.
fn dates_of(remote: &Remote) -> Dated {
    if ["nbf", "exp"]
        .iter()
        .all(|name| remote.kind.rules.keeps(name))
    {
        Dated::Yes
    } else {
        Dated::No
    }
}

fn show_keys(ctx: &Context, args: &ListArgs, listing: &Listing, format: Format) -> Result<()> {
    if !args.draws() {
        return keys::list_keys(ctx, listing, format);
    }
    if format != Format::Json && listing.says_none(ctx) {
        return Ok(());
    }
    let picture = Picture::of(listing, ctx.now, &ctx.checks)?;
    match (&args.svg, format) {
        (Some(path), _) => write_svg(ctx, &picture, path, args.force),
        (None, Format::Json) => ctx.out.json(&picture.to_json()),
        (None, _) => timeline::draw(ctx, &picture),
    }
}
