//! The command line: the global flags, the commands, and the one match that runs them.

pub mod complete;
mod usage;

use crate::args::connection::{answer_interruptions, notify};
use crate::commands::{
    advise, check, completion, create, delete, diff, export, forget, get, list, log, man, passwd,
    pull, push, remote, restore, rotate, set, sign, status, thumbprint, undo, verify,
};
use crate::context::Context;
use crate::environment::{self, ALLOW_PLAINTEXT, KEEP_HISTORY, REQUIRE_ENCRYPTED};
use crate::error::{Error, Result};
use crate::files::lock;
use crate::key::check::Budget;
use crate::keystore::Keystore;
use crate::keystore::history::KeepHistory;
use crate::output::Output;
use crate::passphrase::Passphrases;
use crate::prompt::Prompt;
use crate::remote::http::{Options, Watch};
use crate::remote::registry::Registry;
use crate::store;
use crate::time;
use clap::ValueHint;
use clap::error::ErrorKind;
use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::time::Duration;

/// Create, keep, check and publish JSON Web Key Sets.
///
/// The keys are in a local keystore of JWK Set files, plain or encrypted. Private keys are printed and
/// exported only with --private, or in the file of a signer (export --for). `jwks help COMMAND` and
/// `jwks man COMMAND` explain a command.
#[derive(Debug, Parser)]
#[command(
    name = "jwks",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    styles = usage::STYLES
)]
#[command(after_help = EXAMPLES)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  $ jwks create api
  $ jwks list api
  $ jwks export api";

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl When {
    /// Returns whether colors are forced on or off; `None` if the terminal decides.
    fn forced(self) -> Option<bool> {
        match self {
            When::Auto => None,
            When::Always => Some(true),
            When::Never => Some(false),
        }
    }
}

/// The default time for which earlier versions of sets are kept, in seconds: 30 days.
const DEFAULT_KEEP_HISTORY: i64 = 30 * 24 * 60 * 60;

/// The time limits for calls to a store on a server: for connecting, and for a whole call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The options that every command has. The short help of a command only names them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = man::GLOBAL_OPTIONS)]
pub struct Global {
    /// The keystore: a directory, vault:MOUNT/PREFIX, kubernetes:NAMESPACE, or s3://BUCKET/PREFIX [default:
    /// JWKS_STORE, or the platform's data directory]
    #[arg(long, global = true, hide_short_help = true, value_name = "STORE")]
    #[arg(value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,

    /// Print JSON, errors included
    #[arg(long, global = true, hide_short_help = true)]
    pub json: bool,

    /// Print no status lines and no warnings
    #[arg(short, long, global = true, hide_short_help = true)]
    pub quiet: bool,

    /// Show each call to a server: method, address, status, time
    #[arg(short, long, global = true, hide_short_help = true)]
    pub verbose: bool,

    /// When to use colors; NO_COLOR is respected
    #[arg(long, global = true, hide_short_help = true, value_name = "WHEN")]
    #[arg(value_enum, default_value_t = When::Auto)]
    pub color: When,

    /// Never ask, even on a terminal
    #[arg(long, global = true, hide_short_help = true)]
    pub no_input: bool,

    /// Answer yes to every question
    #[arg(short, long, global = true, hide_short_help = true)]
    pub yes: bool,

    /// Read the passphrase of encrypted sets from the first line of FILE; - is standard input. Commands
    /// that change, push or check a set then refuse a plain one [default: JWKS_PASSPHRASE_FILE,
    /// JWKS_PASSPHRASE, or the terminal]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<String>,

    /// Read the passphrase from the output of a command
    #[arg(long, global = true, hide_short_help = true, value_name = "COMMAND")]
    #[arg(value_hint = ValueHint::CommandString, conflicts_with = "passphrase_file")]
    pub passphrase_command: Option<String>,

    /// Refuse sets that are not encrypted [default: JWKS_REQUIRE_ENCRYPTED]
    #[arg(long, global = true, hide_short_help = true)]
    pub require_encrypted: bool,

    /// Keep private keys in object storage without encryption [default: JWKS_ALLOW_PLAINTEXT]
    #[arg(long, global = true, hide_short_help = true)]
    pub allow_plaintext: bool,

    /// How long to wait for another jwks process that is writing
    #[arg(long, global = true, hide_short_help = true, value_name = "SECONDS")]
    #[arg(default_value_t = 30)]
    pub lock_wait: u64,

    /// How long to keep the earlier versions of the sets that this command changes, for `jwks undo` and
    /// `jwks restore`. With 0, a change deletes the history of its set [default: JWKS_KEEP_HISTORY, or 30d]
    #[arg(long, global = true, hide_short_help = true, value_name = "SPAN")]
    pub keep_history: Option<String>,

    /// Use this time as the current time, for simulations and tests, such as 2026-12-31 or +1h
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME")]
    #[arg(allow_hyphen_values = true)]
    pub now: Option<String>,
}

/// The commands. The options of a command are defined when it is parsed: the definitions of all would be
/// a quarter of a short run.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
#[allow(
    missing_docs,
    reason = "a doc comment here would hide the help in the command's own file"
)]
pub enum Command {
    Create(create::CreateArgs),
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    Get(get::GetArgs),
    Set(set::SetArgs),
    #[command(visible_alias = "rm")]
    Delete(delete::DeleteArgs),
    Export(export::ExportArgs),
    Rotate(rotate::RotateArgs),
    Advise(advise::AdviseArgs),
    Status(status::StatusArgs),
    Check(check::CheckArgs),
    Thumbprint(thumbprint::ThumbprintArgs),
    Sign(sign::SignArgs),
    Verify(verify::VerifyArgs),
    Push(push::PushArgs),
    Pull(pull::PullArgs),
    Diff(diff::DiffArgs),
    Passwd(passwd::PasswdArgs),
    Log(log::LogArgs),
    Undo(undo::UndoArgs),
    Restore(restore::RestoreArgs),
    Forget(forget::ForgetArgs),
    Remote(remote::RemoteArgs),
    Completion(completion::CompletionArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Runs the command.
    pub fn run(&self, ctx: &Context) -> Result<()> {
        match self {
            Command::Create(args) => create::run(ctx, args),
            Command::List(args) => list::run(ctx, args),
            Command::Get(args) => get::run(ctx, args),
            Command::Set(args) => set::run(ctx, args),
            Command::Delete(args) => delete::run(ctx, args),
            Command::Export(args) => export::run(ctx, args),
            Command::Rotate(args) => rotate::run(ctx, args),
            Command::Advise(args) => advise::run(ctx, args),
            Command::Status(args) => status::run(ctx, args),
            Command::Check(args) => check::run(ctx, args),
            Command::Thumbprint(args) => thumbprint::run(ctx, args),
            Command::Sign(args) => sign::run(ctx, args),
            Command::Verify(args) => verify::run(ctx, args),
            Command::Push(args) => push::run(ctx, args),
            Command::Pull(args) => pull::run(ctx, args),
            Command::Diff(args) => diff::run(ctx, args),
            Command::Passwd(args) => passwd::run(ctx, args),
            Command::Log(args) => log::run(ctx, args),
            Command::Undo(args) => undo::run(ctx, args),
            Command::Restore(args) => restore::run(ctx, args),
            Command::Forget(args) => forget::run(ctx, args),
            Command::Remote(args) => remote::run(ctx, args),
            Command::Completion(args) => completion::run(ctx, args),
            Command::Man(args) => man::run(ctx, args, Cli::command()),
        }
    }
}

/// Parses the command line. Prints help or a usage error itself, and then returns only the exit code.
pub fn parse(arguments: &[OsString]) -> Result<(Cli, Output), u8> {
    let arguments = usage::without_help_command(arguments);
    match read_arguments(&arguments) {
        Ok(cli) => {
            let global = &cli.global;
            let color = global.color.forced();
            let out = Output::new(global.json, global.quiet, global.verbose, color);
            Ok((cli, out))
        }
        Err(error) => Err(usage::report(&arguments, error)),
    }
}

fn read_arguments(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    // Do not free the definitions of the options: that takes time, and the process ends soon.
    let mut program = ManuallyDrop::new(program_for(arguments));
    let parsed = program
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.or_else(|error| match error.kind() {
        ErrorKind::DisplayVersion => Err(error),
        _ => usage::read_again(arguments),
    })
}

/// Returns the program with only the commands whose names are among the arguments, so that it parses a
/// correct command line as [`Cli`] does. clap copies the global options into each command, which would be
/// a third of a short run.
fn program_for(arguments: &[OsString]) -> clap::Command {
    let is_named = |command: &&clap::Command| {
        let mut names = command.get_all_aliases().chain([command.get_name()]);
        names.any(|name| arguments.iter().any(|argument| argument == name))
    };
    let commands = Command::augment_subcommands(clap::Command::default());
    let program = clap::Command::new(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true);
    Global::augment_args(program).subcommands(commands.get_subcommands().filter(is_named).cloned())
}

/// Creates the context of a command from the global options.
pub fn context(global: &Global, out: Output) -> Result<Context, (Output, Error)> {
    let real_now = jiff::Timestamp::now().as_second();
    let now = match time::parse_option(&global.now, real_now) {
        Ok(now) => now.unwrap_or(real_now),
        Err(error) => return Err((out, error.about("--now"))),
    };
    let keep_history = match keep_history(global.keep_history.as_deref()) {
        Ok(keep_history) => keep_history,
        Err(error) => return Err((out, error)),
    };
    let lock_wait = Duration::from_secs(global.lock_wait);
    let store = match keystore(global, out, now, lock_wait) {
        Ok(store) => store,
        Err(error) => return Err((out, error)),
    };
    lock::when_waiting(move |holder| {
        let holder = holder.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        out.status(format!("waiting for another jwks{holder}"));
    });
    let remotes = Registry::new(environment::configuration_directory(), lock_wait);
    let secrets = match global.passphrase_command {
        Some(_) => remotes.token_variables(),
        None => Vec::new(),
    };
    Ok(Context {
        // With an option, the retention time applies only to the sets that this run changes.
        store: store.with_history(keep_history, global.keep_history.is_none(), now),
        passphrases: Passphrases::new(
            global.passphrase_file.clone(),
            global.passphrase_command.clone(),
            secrets,
        ),
        require_encrypted: if global.require_encrypted {
            Some("--require-encrypted")
        } else {
            Some(REQUIRE_ENCRYPTED).filter(|variable| environment::is_on(variable))
        },
        changes: RefCell::default(),
        remotes,
        warned_of_weak_passphrase: Cell::new(false),
        checked_directory: Cell::new(false),
        checks: Budget::default(),
        prompt: Prompt::new(global.yes, global.no_input),
        out,
        now,
    })
}

/// Returns the keystore: a directory, or a store on a server. Makes no calls.
fn keystore(global: &Global, out: Output, now: i64, lock_wait: Duration) -> Result<Keystore> {
    let named = environment::store(global.store.clone())?;
    let Some(address) = store::Address::parse(named.as_os_str())? else {
        return Ok(Keystore::new(named, lock_wait));
    };
    let watch = Watch::default();
    answer_interruptions(out, watch.clone(), "jwks list");
    let options = Options {
        connect_timeout: CONNECT_TIMEOUT,
        timeout: TIMEOUT,
        allow_insecure_http: false,
        advice: &store::ADVICE,
        now,
        notify: notify(out),
        watch,
    };
    let allow_plaintext = global.allow_plaintext || environment::is_on(ALLOW_PLAINTEXT);
    Ok(Keystore::on_server(store::at(
        address,
        options,
        allow_plaintext,
    )))
}

/// Returns the keystore if it is a directory. Completion and usage errors make no calls, so they do without a
/// store on a server.
fn directory(named: Option<PathBuf>) -> Option<Keystore> {
    let named = environment::store(named).ok()?;
    let is_directory = !store::Address::is_in(named.as_os_str());
    is_directory.then(|| Keystore::new(named, Duration::ZERO))
}

/// Returns how long earlier versions of sets are kept. `given` is the option; otherwise the environment
/// or the default decides.
fn keep_history(given: Option<&str>) -> Result<KeepHistory> {
    let in_environment = environment::value(KEEP_HISTORY);
    let (text, source) = match given {
        Some(text) => (text, "--keep-history"),
        None => (in_environment.as_deref().unwrap_or_default(), KEEP_HISTORY),
    };
    let seconds = match text {
        "" if given.is_none() => DEFAULT_KEEP_HISTORY,
        "0" => 0,
        text => time::parse_duration(text).map_err(|error| error.about(source))?,
    };
    Ok(match seconds {
        0 => KeepHistory::Nothing,
        seconds => KeepHistory::For(seconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the commands, and the ids of the options before them.
    fn parts(program: &clap::Command) -> (Vec<&str>, Vec<&str>) {
        let commands = program.get_subcommands().map(clap::Command::get_name);
        let options = program.get_arguments().map(|option| option.get_id());
        (commands.collect(), options.map(|id| id.as_str()).collect())
    }

    #[test]
    fn a_program_has_the_commands_among_its_arguments_and_all_global_options() {
        let whole = Cli::command();
        let (_, options) = parts(&whole);
        for command in whole.get_subcommands() {
            for name in command.get_all_aliases().chain([command.get_name()]) {
                let program = program_for(&["jwks".into(), "--store".into(), name.into()]);
                let expected = (vec![command.get_name()], options.clone());
                assert_eq!(parts(&program), expected, "{name}");
                assert_eq!(program.render_version(), whole.render_version());
            }
        }
        assert_eq!(parts(&program_for(&["jwks".into()])), (vec![], options));
    }
}
