//! `jwks get`: a set or a key as JSON.

use crate::args::connection::RemoteArgs;
use crate::args::filter::FilterArgs;
use crate::commands::shared::server::{server_kid, set_name};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::key::parts::holds_secret;
use crate::key::public::Dates;
use crate::keyset::KeySet;
use crate::keyset::publish::pretty_set;
use crate::keystore::SetName;
use crate::remote::kind::Form;
use crate::report::log_entry::Record;
use crate::report::names::{SetLabel, hint_at_output, note_left_out, note_none};
use crate::secret::Secret;
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  $ jwks get api
  $ jwks get api --state active --set
  $ jwks get api $(jwks list api --format names | head -n 1)
  $ jwks get api --private > backup.json
  $ jwks get --remote https://issuer.example/jwks.json";

/// Print a set or a key as JSON, public unless --private
///
/// A set is printed as a JWK Set, a key as a JWK. The public form has only the registered public
/// members. Symmetric keys have no public form. With --remote, the set is read from a server; it is
/// printed in the public form, too, unless you pass --private.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct GetArgs {
    /// The set; optional for a remote with a single set
    #[arg(value_name = "SET", required_unless_present = "remote")]
    set: Option<String>,

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
    filter: FilterArgs,

    #[command(flatten)]
    remote: RemoteArgs,
}

impl GetArgs {
    /// Returns the set of the keystore and the kid, if both are named.
    pub fn named_key(&self) -> Option<(&str, &str)> {
        match self.remote.remote {
            Some(_) => None,
            None => Some((self.set.as_deref()?, self.kid.as_deref()?)),
        }
    }
}

/// Runs `jwks get`.
pub fn run(ctx: &Context, args: &GetArgs) -> Result<()> {
    if let Some(remote) = args.remote.open(ctx)? {
        let name = set_name(&remote, args.set.as_deref(), None)?;
        let form = if args.private {
            Form::Private
        } else {
            Form::Public
        };
        let set = remote.load(&name, form)?;
        let states = remote.kind.rules.states(&set, ctx.now);
        let positions = set.filter_by(&args.filter.filter_for(&set)?, &states);
        let kid = args.kid.as_deref();
        let kid = kid.map(|kid| server_kid(&remote, &set, kid));
        let whose = SetLabel::remote(&name, &remote.name);
        return print(ctx, args, kid.as_deref(), whose, &set, positions);
    }
    let name = SetName::given(args.set.as_deref().unwrap_or_default())?;
    let document = if args.private {
        ctx.load(&name)?
    } else {
        ctx.load_public(&name)?
    };
    let set = document.parse()?;
    let positions = set.filter(&args.filter.filter_for(&set)?, ctx.now);
    let kid = args.kid.as_deref();
    print(
        ctx,
        args,
        kid,
        SetLabel::local(name.as_str()),
        &set,
        positions,
    )
}

fn print(
    ctx: &Context,
    args: &GetArgs,
    kid: Option<&str>,
    whose: SetLabel,
    set: &KeySet,
    mut positions: Vec<usize>,
) -> Result<()> {
    let name = whose.set;
    let about = |error: Error| error.about(format!("set {name}"));
    if let Some(kid) = kid {
        let found = set.find(kid).map_err(|error| {
            let error = match SetName::new(name) {
                Ok(set) if args.remote.remote.is_none() => hint_at_output(error, &set, kid),
                _ => error,
            };
            let is_public_reading = args.remote.remote.is_some() && !args.private;
            if is_public_reading && error.kind() == ErrorKind::NotFound {
                about(error).hint("pass --private for a symmetric key; `jwks list` shows the keys")
            } else {
                about(error)
            }
        })?;
        positions.retain(|position| *position == found);
    }
    if let (true, Some(kid)) = (positions.is_empty(), kid) {
        return Err(about(Error::not_found(format!(
            "the key {kid:?} does not match the filters"
        )))
        .hint("run `jwks list SET` to see its keys"));
    }
    if positions.is_empty() {
        note_none(ctx, name, set);
    }
    let single = args.kid.is_some() && !args.as_set;
    let json = if args.private {
        private_json(set, &positions, single)
    } else {
        Secret::new(public_json(ctx, name, set, &positions, single)?)
    };
    if args.private {
        let keys = positions.iter().map(|i| &set.keys[*i]);
        let keys: Vec<_> = keys.filter(|key| holds_secret(key)).collect();
        Record::of(ctx, whose).exported(None, &keys).append();
    }
    ctx.out.json_text(json.expose())
}

/// The keys as they are kept; the whole set where all of it was asked for.
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
    name: &str,
    set: &KeySet,
    positions: &[usize],
    single: bool,
) -> Result<String> {
    let published = set.publish(positions, Dates::Keep, &ctx.checks);
    if let Some(left_out) = published.left_out() {
        if published.keys.is_empty() {
            return Err(
                Error::refused(format!("nothing public in set {name}: {left_out}")).hint(
                    match published.invalid {
                        0 => "pass --private to print keys with their private part".into(),
                        _ => format!("run `jwks check {name}` to see what is wrong"),
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
