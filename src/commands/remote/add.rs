//! `jwks remote add`: stores the address of a server and the source of its token.

use crate::commands::remote::describe::described;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::remote::entry::{Entry, TOKEN};
use crate::remote::http::{Traffic, is_loopback};
use crate::remote::kind::KINDS;
use crate::remote::location::Location;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use std::path::{Path, PathBuf};

const ADD_EXAMPLES: &str = "\
Examples:
  $ jwks remote add hydra --kind hydra --url https://hydra.example:4445 --cacert ca.pem
  $ jwks remote add network --kind ory --project-slug happy-cat --token-env ORY_ACCESS_TOKEN
  $ jwks remote add service --kind authlete --region eu --service-id 715948317 --token-file token
  $ jwks remote add instance --kind clerk
  $ jwks remote add gateway --kind apinizer --url https://apinizer.example --project orders --token-command 'pass apinizer'
  $ jwks remote add web --kind http-put --url https://www.example/jwks.json
  $ jwks remote add cluster --kind kubernetes --url configmap://apps/keys
  $ jwks remote add issuer --kind oidc --issuer https://issuer.example";

/// Add a remote
///
/// The token comes from an environment variable, a file or a command. By default, it comes from the
/// variable that the service's own clients read (CLERK_SECRET_KEY, CLERK_BEARER_AUTH, AUTHLETE_BEARER,
/// ORY_ACCESS_TOKEN). If there is none, jwks asks for it on the terminal.
#[derive(Debug, Args)]
#[command(after_help = ADD_EXAMPLES)]
pub(super) struct AddArgs {
    /// The name
    #[arg(value_name = "NAME")]
    name: String,

    /// The kind of server
    #[arg(long, value_name = "KIND")]
    #[arg(value_parser = PossibleValuesParser::new(KINDS.iter().map(|kind| kind.name)))]
    kind: String,

    /// The address of the server, or of a JWK Set
    ///
    /// The address of Hydra's admin API, of Apinizer's manager, or of a JWK Set; s3://BUCKET/KEY or
    /// gs://BUCKET/NAME for an object; configmap://NAMESPACE/NAME/KEY or secret://NAMESPACE/NAME/KEY for
    /// Kubernetes, where KEY is jwks.json by default. Write {token} if the whole address is a secret, such
    /// as a presigned one.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    url: Option<String>,

    /// The environment variable that holds the whole address
    ///
    /// For an address that is a secret, such as a presigned one. Short for --url '{token}' --token-env VAR.
    #[arg(long, hide_short_help = true, value_name = "VAR", conflicts_with_all = ["url", "url_command", "token_env", "token_file", "token_command"])]
    url_env: Option<String>,

    /// The shell command that prints the whole address
    #[arg(long, hide_short_help = true, value_name = "CMD", value_hint = ValueHint::CommandString)]
    #[arg(conflicts_with_all = ["url", "token_env", "token_file", "token_command"])]
    url_command: Option<String>,

    /// The address of storage that speaks the protocol of S3, or of a Kubernetes API server
    ///
    /// By default, it is that of Amazon S3 in the region. For Kubernetes, jwks finds the cluster of the pod,
    /// or that of the kubeconfig.
    #[arg(long, hide_short_help = true, value_name = "URL", value_hint = ValueHint::Url)]
    endpoint: Option<String>,

    /// The address where the published document is read
    ///
    /// By default, it is read where it is written. A presigned address usually only writes.
    #[arg(long, hide_short_help = true, value_name = "URL", value_hint = ValueHint::Url)]
    read_url: Option<String>,

    /// The Cache-Control header of the published document
    ///
    /// By default, it is 'public, max-age=N', where N is the publish delay of the set in seconds.
    #[arg(long, hide_short_help = true, value_name = "VALUE")]
    cache_control: Option<String>,

    /// The slug of an Ory Network project
    #[arg(long, value_name = "SLUG")]
    project_slug: Option<String>,

    /// The ID of an Authlete service (Authlete 2: its API key)
    #[arg(long, value_name = "ID")]
    service_id: Option<String>,

    /// The region of Authlete (us, jp, eu or br) or of S3
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
    ///
    /// A kind that publishes also writes the discovery document of this issuer, beside the JWK Set.
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

/// Runs `jwks remote add`.
pub(super) fn add(ctx: &Context, args: &AddArgs) -> Result<()> {
    let entry = Entry {
        name: args.name.clone(),
        kind: args.kind.clone(),
        location: Location {
            url: if args.has_secret_address() {
                Some(TOKEN.to_owned())
            } else {
                args.url.clone()
            },
            project_slug: args.project_slug.clone(),
            service_id: args.service_id.clone(),
            region: args.region.clone(),
            project: args.project.clone(),
            client_id: args.client_id.clone(),
            issuer: args.issuer.clone(),
            endpoint: args.endpoint.clone(),
            read_url: args.read_url.clone(),
            cache_control: args.cache_control.clone(),
        },
        token_env: args.url_env.clone().or(args.token_env.clone()),
        token_file: absolute(&args.token_file)?,
        token_command: args.url_command.clone().or(args.token_command.clone()),
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

impl AddArgs {
    /// Returns true if the address comes from a variable or a command, like a token.
    fn has_secret_address(&self) -> bool {
        self.url_env.is_some() || self.url_command.is_some()
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
