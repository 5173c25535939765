//! `jwks list`: lists the sets, or the keys of one set.

mod keys;
mod picture;
mod sets;
mod svg;
mod time_axis;
mod timeline;

use self::svg::write as write_svg;
use crate::args::connection::RemoteArgs;
use crate::args::filter::FilterArgs;
use crate::args::password::PasswordArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::remote::Remote;
use crate::source::target::{self, Access, Origin};
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
  $ jwks list keystore.p12 --password-file password
  $ jwks list https://issuer.example/jwks.json
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
/// newest of its line, retired once a newer key is active, and expired once its exp is reached. A line
/// is the keys with the same use and algorithm, or with the same type and curve if they have no
/// algorithm. A key that breaks a rule is listed as invalid, a key of an unknown type as unsupported.
///
/// --timeline draws when each key is pending, active and retired. The picture spans all dates. A date
/// that is more than 30 times as far away as the next nearer one, or more than a hundred years away,
/// is outside the picture. Times are in UTC.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// A set, a file, an address, a remote, or - for standard input [default: list all sets]
    ///
    /// A word without a slash is a SET, REMOTE or REMOTE:NAME. If there is none and it ends in the
    /// suffix of a key file, such as .pem, it is a file. Write ./FILE for any file. With --remote, it
    /// is the set on the server.
    #[arg(value_name = "SET|FILE|URL")]
    target: Option<String>,

    /// The output format [default: table; json with --json]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// Draw the lifetime of each key on a time axis
    #[arg(long)]
    timeline: bool,

    /// Write the timeline to an SVG file; - is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,

    /// Overwrite an existing file, whatever its content
    #[arg(short, long, requires = "svg")]
    force: bool,

    #[command(flatten)]
    password: PasswordArgs,

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

    /// Refuses a timeline of a server that does not store dates.
    fn refuse_undated(&self, remote: &Remote) -> Result<()> {
        if !self.draws() || dates_of(remote) == Dated::Yes {
            return Ok(());
        }
        let kind = remote.kind.name;
        Err(
            Error::usage(format!("{kind} does not store the dates of keys"))
                .hint("run `jwks list SET --timeline` for a set in the keystore"),
        )
    }

    /// Refuses options that do not go together.
    fn check(&self, ctx: &Context) -> Result<()> {
        if self.draws() && self.format == Some(Format::Names) && !ctx.out.is_json() {
            return Err(
                Error::usage("--format names cannot be used with --timeline or --svg")
                    .hint("leave one of them out"),
            );
        }
        if self.draws() && self.target.is_none() {
            return Err(
                Error::usage("--timeline requires a SET").hint("run `jwks list` to see the sets")
            );
        }
        if self.target.is_none() && !self.filter.is_empty() {
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
    let target = args.target.as_deref();
    let source = match (target, remote) {
        (Some(_), Some(remote)) => {
            args.refuse_undated(&remote)?;
            target::of_server(remote, target, Access::Listing)?
        }
        (Some(target), None) => {
            let connection = &args.remote.connection;
            target::read(ctx, target, Access::Listing, &args.password, connection)?
        }
        (None, Some(remote)) => return sets::list_remote_sets(ctx, &remote, format),
        (None, None) => return sets::list_sets(ctx, format),
    };
    let dated = match &source.origin {
        Origin::Server(remote) => {
            args.refuse_undated(remote)?;
            dates_of(remote)
        }
        Origin::Keystore(_) | Origin::Document => Dated::Yes,
    };
    let set = source.set()?;
    let states = source.states(&set, ctx.now);
    let positions = set.filter_by(&args.filter.filter_for(&set)?, &states);
    let listing = Listing {
        name: &source.name,
        title: &source.title,
        set: &set,
        states: &states,
        dated,
        positions,
    };
    show_keys(ctx, args, &listing, format)
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
