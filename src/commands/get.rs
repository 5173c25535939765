//! `jwks get`: prints a set or a key as JSON.

use crate::args::connection::RemoteArgs;
use crate::args::filter::FilterArgs;
use crate::args::password::PasswordArgs;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::key::parts::holds_secret;
use crate::key::public::Dates;
use crate::keyset::KeySet;
use crate::keyset::publish::pretty_set;
use crate::report::log_entry::Record;
use crate::report::names::{hint_at_output, note_left_out, note_none};
use crate::secret::Secret;
use crate::source::target::{self, Access, Origin, Source};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  $ jwks get api
  $ jwks get api --state active --set
  $ jwks get api $(jwks list api --format names | head -n 1)
  $ jwks get api --private > backup.json
  $ jwks get own.pem
  $ jwks get --remote https://issuer.example/jwks.json";

/// Print a set or a key as JSON, public unless --private
///
/// Prints a set as a JWK Set, and a key as a JWK. The public form has only the registered public
/// members. Symmetric keys have no public form. A file, an address or a server can take the place of a
/// set. It is also printed in the public form unless you pass --private.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct GetArgs {
    /// A set, a file, an address, a remote, or - for standard input
    ///
    /// A word without a slash is a SET, REMOTE or REMOTE:NAME. If there is none and it ends in the
    /// suffix of a key file, such as .pem, it is a file. Write ./FILE for any file. With --remote, it
    /// is the set on the server, and optional for a remote with a single set.
    #[arg(value_name = "SET|FILE|URL", required_unless_present = "remote")]
    target: Option<String>,

    /// The key: its kid, a prefix of at least 4 characters, or its thumbprint
    #[arg(value_name = "KID")]
    kid: Option<String>,

    /// Print private and symmetric keys with all their members
    #[arg(long)]
    private: bool,

    /// Print a single key as a JWK Set
    #[arg(long = "set", id = "as_set")]
    as_set: bool,

    #[command(flatten)]
    password: PasswordArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

impl GetArgs {
    /// Returns the target and the kid, if both are given and the target is not on --remote.
    pub fn named_key(&self) -> Option<(&str, &str)> {
        match self.remote.remote {
            Some(_) => None,
            None => Some((self.target.as_deref()?, self.kid.as_deref()?)),
        }
    }
}

/// Runs `jwks get`.
pub fn run(ctx: &Context, args: &GetArgs) -> Result<()> {
    let access = if args.private {
        Access::Whole
    } else {
        Access::Public
    };
    let target = args.target.as_deref();
    let source = match args.remote.open(ctx)? {
        Some(remote) => target::of_server(remote, target, access)?,
        None => {
            let connection = &args.remote.connection;
            let target = target.unwrap_or_default();
            target::read(ctx, target, access, &args.password, connection)?
        }
    };
    let set = source.set()?;
    let states = source.states(&set, ctx.now);
    let mut positions = set.filter_by(&args.filter.filter_for(&set)?, &states);
    if let Some(kid) = &args.kid {
        let found = find(args, &source, &set, kid)?;
        positions.retain(|position| *position == found);
        if positions.is_empty() {
            let message = format!("the key {kid:?} does not match the filters");
            return Err(Error::not_found(message)
                .about(&source.title)
                .hint("run `jwks list SET` to see its keys"));
        }
    }
    if positions.is_empty() {
        note_none(ctx, &source.title, &set);
    }
    let single = args.kid.is_some() && !args.as_set;
    let json = if args.private {
        private_json(&set, &positions, single)
    } else {
        Secret::new(public_json(ctx, &source, &set, &positions, single)?)
    };
    if let (true, Some(whose)) = (args.private, source.label()) {
        let keys = positions.iter().map(|i| &set.keys[*i]);
        let keys: Vec<_> = keys.filter(|key| holds_secret(key)).collect();
        Record::of(ctx, whose).exported(None, &keys).append();
    }
    ctx.out.json_text(json.expose())
}

/// Returns the position of a key. The hint of an error says how to find a key that is not printed.
fn find(args: &GetArgs, source: &Source, set: &KeySet, kid: &str) -> Result<usize> {
    set.find(&source.kid(set, kid)).map_err(|error| {
        let is_missing = error.kind() == ErrorKind::NotFound;
        let error = error.about(&source.title);
        match &source.origin {
            Origin::Keystore(name) => hint_at_output(error, name, kid),
            Origin::Server(_) if is_missing && !args.private => {
                error.hint("pass --private for a symmetric key; `jwks list` shows the keys")
            }
            Origin::Server(_) | Origin::Document => error,
        }
    })
}

/// Returns the keys with all their members, as a JWK if `single` is true. If `positions` covers the
/// whole set, the JWK Set keeps the other members of the set, too.
fn private_json(set: &KeySet, positions: &[usize], single: bool) -> Secret<String> {
    if positions.len() == set.keys.len() && !single {
        return Secret::new(set.to_json());
    }
    let keys: Vec<Key> = positions.iter().map(|i| set.keys[*i].clone()).collect();
    Secret::new(match (&keys[..], single) {
        ([key], true) => match key.members() {
            Ok(members) => members.to_pretty_json(0) + "\n",
            Err(_) => key.json().to_owned() + "\n",
        },
        _ => KeySet::from(keys).to_json(),
    })
}

fn public_json(
    ctx: &Context,
    source: &Source,
    set: &KeySet,
    positions: &[usize],
    single: bool,
) -> Result<String> {
    let published = set.publish(positions, Dates::Keep, &ctx.checks);
    if let Some(left_out) = published.left_out() {
        if published.keys.is_empty() {
            return Err(
                Error::refused(format!("nothing public in {}: {left_out}", source.title)).hint(
                    match published.invalid {
                        0 => "pass --private to print keys with their private part".into(),
                        _ => source.check_hint(),
                    },
                ),
            );
        }
        note_left_out(&ctx.out, &left_out);
    }
    Ok(match (&published.keys[..], single) {
        ([key], true) => key.to_pretty_json(0) + "\n",
        (keys, _) => pretty_set(keys),
    })
}
