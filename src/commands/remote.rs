//! `jwks remote`: the named servers.

mod describe;

use crate::args::connection::ConnectionArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::{Narrow, Tone};
use crate::remote::entry::{Entry, TOKEN};
use crate::remote::http::{Traffic, is_loopback};
use crate::remote::kind::{Auth, KINDS, Sets};
use crate::remote::location::Location;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueHint};
use describe::{can, describe_token_source, described, header_names, location, shown_address};
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  $ jwks remote add local --kind hydra --url http://127.0.0.1:4445
  $ jwks remote list
  $ jwks remote show prod
  $ jwks remote test prod";

const ADD_EXAMPLES: &str = "\
Examples:
  $ jwks remote add hydra --kind hydra --url https://hydra.example:4445 --cacert ca.pem
  $ jwks remote add network --kind ory --project-slug happy-cat --token-env ORY_ACCESS_TOKEN
  $ jwks remote add service --kind authlete --region eu --service-id 715948317 --token-file token
  $ jwks remote add instance --kind clerk
  $ jwks remote add gateway --kind apinizer --url https://apinizer.example --project orders --token-command 'pass apinizer'
  $ jwks remote add issuer --kind oidc --issuer https://issuer.example";

/// Manage the named servers that hold key sets
///
/// A remote is a server with a name: its address, its kind, and where its token comes from. The token
/// itself is never stored.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RemoteArgs {
    #[command(subcommand)]
    command: RemoteCommand,
}

#[derive(Debug, Subcommand)]
enum RemoteCommand {
    Add(Box<AddArgs>),
    List(ListArgs),
    Show(ShowArgs),
    Test(TestArgs),
    Remove(RemoveArgs),
}

/// Add a remote
///
/// The token comes from an environment variable, a file or a command. By default, it comes from the
/// variable that the service's own clients read (CLERK_SECRET_KEY, CLERK_BEARER_AUTH, AUTHLETE_BEARER,
/// ORY_ACCESS_TOKEN). If there is none, jwks asks for it on the terminal.
#[derive(Debug, Args)]
#[command(after_help = ADD_EXAMPLES)]
struct AddArgs {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,

    /// The kind of server
    #[arg(long, value_name = "KIND")]
    #[arg(value_parser = PossibleValuesParser::new(KINDS.iter().map(|kind| kind.name)))]
    kind: String,

    /// The address of the server, or of a JWK Set
    ///
    /// The address of Hydra's admin API, of Apinizer's manager, or of a JWK Set. Write {token} if the whole
    /// address is a secret, such as a presigned one.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    url: Option<String>,

    /// The slug of an Ory Network project
    #[arg(long, value_name = "SLUG")]
    project_slug: Option<String>,

    /// The ID of an Authlete service (Authlete 2: its API key)
    #[arg(long, value_name = "ID")]
    service_id: Option<String>,

    /// The region of Authlete: us, jp, eu or br
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The project of Apinizer
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,

    /// The Apinizer client whose secret is exchanged for tokens
    ///
    /// The secret comes from the same sources as a token.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,

    /// The issuer of the keys
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    issuer: Option<String>,

    /// The environment variable that holds the token
    #[arg(long, value_name = "VAR", conflicts_with_all = ["token_file", "token_command"])]
    token_env: Option<String>,

    /// The file that holds the token
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "token_command")]
    token_file: Option<PathBuf>,

    /// The shell command that prints the token
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    token_command: Option<String>,

    /// A header for each call; can be repeated
    ///
    /// {token} in the value stands for the token. The token is then sent only there.
    #[arg(long = "header", value_name = "NAME:VALUE")]
    headers: Vec<String>,

    /// The certificate authorities to trust, as PEM
    ///
    /// They replace those of the platform.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cacert: Option<PathBuf>,

    /// The client certificate for mutual TLS, as PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// The private key of the client certificate, as PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,

    /// Replace a remote with the same name
    #[arg(short, long)]
    force: bool,
}

/// List the remotes
#[derive(Debug, Args)]
#[command(visible_alias = "ls")]
struct ListArgs {}

/// Show a remote, and where its token comes from
#[derive(Debug, Args)]
struct ShowArgs {
    /// The remote
    #[arg(value_name = "REMOTE")]
    remote: String,
}

/// Test a remote with one harmless call
#[derive(Debug, Args)]
struct TestArgs {
    /// The remote, or an address
    #[arg(value_name = "REMOTE")]
    remote: String,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Remove a remote; its server is left alone
#[derive(Debug, Args)]
#[command(visible_alias = "rm")]
struct RemoveArgs {
    /// The remote
    #[arg(value_name = "REMOTE")]
    remote: String,
}

/// Runs `jwks remote`.
pub fn run(ctx: &Context, args: &RemoteArgs) -> Result<()> {
    match &args.command {
        RemoteCommand::Add(args) => add(ctx, args),
        RemoteCommand::List(_) => list(ctx),
        RemoteCommand::Show(args) => show(ctx, args),
        RemoteCommand::Test(args) => test(ctx, args),
        RemoteCommand::Remove(args) => remove(ctx, args),
    }
}

fn add(ctx: &Context, args: &AddArgs) -> Result<()> {
    let entry = Entry {
        name: args.name.clone(),
        kind: args.kind.clone(),
        location: Location {
            url: args.url.clone(),
            project_slug: args.project_slug.clone(),
            service_id: args.service_id.clone(),
            region: args.region.clone(),
            project: args.project.clone(),
            client_id: args.client_id.clone(),
            issuer: args.issuer.clone(),
        },
        token_env: args.token_env.clone(),
        token_file: absolute(&args.token_file)?,
        token_command: args.token_command.clone(),
        headers: args.headers.clone(),
        cacert: absolute(&args.cacert)?,
        cert: absolute(&args.cert)?,
        key: absolute(&args.key)?,
        ..Entry::default()
    };
    entry.check()?;
    for file in [&entry.cacert, &entry.cert, &entry.key]
        .into_iter()
        .flatten()
    {
        if !file.exists() {
            ctx.out.warn(format!("no file {}", file.display()));
        }
    }
    warn_of_plain_http(ctx, &entry)?;
    refuse_keystore_directory(ctx)?;
    ctx.remotes.add(entry, args.force)?;
    let name = &args.name;
    ctx.record_change(format!("added remote {name}"));
    ctx.out.status(format!(
        "added remote {name}; run `jwks remote test {name}` to test it"
    ));
    if ctx.out.is_json() {
        ctx.out.json(&described(&ctx.remotes.find(name)?)?)
    } else {
        Ok(())
    }
}

/// Returns the absolute path of a file, because remotes are used from any directory.
fn absolute(file: &Option<PathBuf>) -> Result<Option<PathBuf>> {
    let absolute = |file: &PathBuf| {
        std::path::absolute(file)
            .map_err(|error| Error::failed(format!("cannot find {}", file.display())).cause(error))
    };
    file.as_ref().map(absolute).transpose()
}

/// Warns that private keys and tokens are not sent to a plain http address without
/// --allow-insecure-http.
fn warn_of_plain_http(ctx: &Context, entry: &Entry) -> Result<()> {
    if entry.has_secret_address() {
        return Ok(());
    }
    let (kind, base) = (entry.kind()?, entry.base()?);
    if kind.traffic == Traffic::Private && base.scheme() == "http" && !is_loopback(&base) {
        ctx.out.warn(
            "the address is not https: private keys and tokens are sent there only with --allow-insecure-http",
        );
    }
    Ok(())
}

/// Returns an error if the keystore is the configuration directory: `remotes.json` there would pass for
/// a set.
fn refuse_keystore_directory(ctx: &Context) -> Result<()> {
    let directory = ctx.remotes.directory()?;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if ctx.store.directory().map(real) == Some(real(directory)) {
        Err(Error::usage(format!(
            "{} is the keystore, and also the directory of remotes",
            directory.display()
        ))
        .hint("choose another keystore with --store DIR or JWKS_STORE"))
    } else {
        Ok(())
    }
}

fn list(ctx: &Context) -> Result<()> {
    ctx.warn_open_remotes();
    let entries = ctx.remotes.entries()?;
    if ctx.out.is_json() {
        let entries: Result<Vec<_>> = entries.iter().map(described).collect();
        return ctx.out.json(&json!({ "remotes": entries? }));
    }
    if entries.is_empty() {
        ctx.out
            .status("no remotes; run `jwks remote add NAME --kind KIND` to add one");
        return Ok(());
    }
    let row = |entry: &Entry| {
        let token = entry.kind().map(|kind| describe_token_source(entry, kind));
        let token = token.unwrap_or_else(|_| "-".into());
        let cells = [
            entry.name.clone(),
            entry.kind.clone(),
            location(entry),
            token,
        ];
        cells.map(|text| (text, Tone::Plain)).to_vec()
    };
    let header = ["REMOTE", "KIND", "WHERE", "TOKEN"];
    ctx.out
        .table(&header, entries.iter().map(row).collect(), Narrow::WrapLast)
}

fn show(ctx: &Context, args: &ShowArgs) -> Result<()> {
    let entry = ctx.remote(&args.remote)?;
    if ctx.out.is_json() {
        return ctx.out.json(&described(&entry)?);
    }
    let kind = entry.kind()?;
    let mut rows = vec![
        ("name", entry.name.clone()),
        ("kind", format!("{}: {}", kind.name, kind.about)),
    ];
    for (name, value) in entry.location.settings() {
        let value = match name {
            "--url" | "--issuer" => shown_address(value),
            _ => value.to_owned(),
        };
        rows.push((name.trim_start_matches('-'), value));
    }
    rows.push(("token", describe_token_source(&entry, kind)));
    let in_header = entry.headers.iter().any(|header| header.contains(TOKEN));
    let has_token = entry.token_source().is_some() || kind.auth == Auth::Required;
    if has_token && !in_header && !entry.has_secret_address() {
        rows.push(("sent as", kind.token.to_owned()));
    }
    for header in header_names(&entry) {
        rows.push(("header", header.to_owned()));
    }
    let files = [
        ("cacert", &entry.cacert),
        ("cert", &entry.cert),
        ("key", &entry.key),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            rows.push((name, file.display().to_string()));
        }
    }
    rows.push(("can", can(kind).join(", ")));
    print(ctx, rows)
}

fn print(ctx: &Context, rows: Vec<(&str, String)>) -> Result<()> {
    let rows = rows
        .into_iter()
        .map(|(name, value)| vec![(name.to_owned(), Tone::Faint), (value, Tone::Plain)]);
    ctx.out
        .table(&["WHAT", "VALUE"], rows.collect(), Narrow::WrapLast)
}

fn test(ctx: &Context, args: &TestArgs) -> Result<()> {
    let server = args.connection.open(ctx, &args.remote)?;
    let found = server.test()?;
    let token = match &server.token_source {
        Some(source) => format!("a token from {source}"),
        None => "no token".into(),
    };
    let sets = match server.kind.sets {
        Sets::Named => "any number, by name",
        Sets::One => "one",
    };
    if ctx.out.is_json() {
        let mut report = json!({
            "remote": server.name, "kind": server.kind.name, "address": server.address,
            "found": found, "can": can(server.kind),
        });
        if let Some(source) = &server.token_source {
            report["token"] = json!(source);
        }
        return ctx.out.json(&report);
    }
    print(
        ctx,
        vec![
            ("remote", server.name.clone()),
            ("kind", server.kind.name.into()),
            ("address", server.address.clone()),
            ("found", found),
            ("authenticated by", token),
            ("sets", sets.into()),
            ("can", can(server.kind).join(", ")),
        ],
    )
}

fn remove(ctx: &Context, args: &RemoveArgs) -> Result<()> {
    ctx.remotes.remove(&args.remote)?;
    ctx.record_change(format!("removed remote {}", args.remote));
    ctx.out.status(format!("removed remote {}", args.remote));
    if ctx.out.is_json() {
        ctx.out.json(&json!({ "remote": args.remote }))
    } else {
        Ok(())
    }
}
