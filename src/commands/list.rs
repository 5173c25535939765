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

/// How a listing is printed.
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
/// The state of a key follows from its dates: pending before nbf, active while it is the newest
/// of its line, retired when a newer one has begun, expired from exp on. A line is the keys with
/// the same use and algorithm, or the same type and curve where they name no algorithm. What breaks a rule is listed as invalid, what jwks does not know as
/// unsupported.
///
/// --timeline draws when each key is pending, active and retired. The picture reaches from the
/// first date to the last; a date that lies 30 times as far away as the others, or more than a
/// hundred years, is beyond its edge. Times are in UTC.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// The set; without it the sets are listed
    #[arg(value_name = "SET")]
    set: Option<String>,

    /// How to print; table by default, and json with --json whatever is said here
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// Draw the life of each key on a time axis
    #[arg(long)]
    timeline: bool,

    /// Write that picture to a file, as an SVG; - is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,

    /// Overwrite a file that is there, whatever it holds
    #[arg(short, long, requires = "svg")]
    force: bool,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

impl ListArgs {
    /// Whether a timeline is asked for.
    fn draws(&self) -> bool {
        self.timeline || self.svg.is_some()
    }

    /// Refuses what makes no sense together.
    fn check(&self, ctx: &Context) -> Result<()> {
        if self.draws() && self.format == Some(Format::Names) && !ctx.out.is_json() {
            return Err(Error::usage("a timeline is no list of names")
                .hint("leave out --format names, or --timeline and --svg"));
        }
        if self.draws() && self.set.is_none() {
            return Err(Error::usage("a timeline is of the keys of a set").hint("name the set"));
        }
        if self.set.is_none() && !self.filter.to_filter().is_empty() {
            return Err(Error::usage("filters are for the keys of a set").hint("name the set"));
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
                return Err(Error::usage(format!("{kind} keeps no dates of keys")).hint(
                    "a timeline is drawn of a set in the keystore: jwks list SET --timeline",
                ));
            }
            let name = set_name(remote, args.set.as_deref(), None)?;
            let set = remote.load(&name, Form::Private)?;
            let states = remote.kind.rules.states(&set, ctx.now);
            let positions = set.filter_by(&args.filter.to_filter(), &states);
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
            let name = SetName::new(name)?;
            let document = ctx.look(&name)?;
            let set = document.parse()?;
            let states = lifecycle::states(&set, ctx.now);
            let positions = set.filter_by(&args.filter.to_filter(), &states);
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

/// Whether a server tells when keys begin and end.
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
