//! The options of commands that call servers, and the connections that they open.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::output::Output;
use crate::remote::entry::Entry;
use crate::remote::http::{ADVICE_FOR_REMOTES, Event, Notify, Options, Watch};
use crate::remote::kind::Auth;
use crate::remote::token::{self, Token};
use crate::remote::{Remote, entry_of_address, is_address};
use clap::Args;
use serde_json::json;
use std::rc::Rc;
use std::time::Duration;

/// The options of every command that can call a server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Remote options")]
pub struct ConnectionArgs {
    /// The time limit for name resolution, and for connecting
    #[arg(
        long,
        hide_short_help = true,
        value_name = "SECONDS",
        default_value_t = 10
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    connect_timeout: u64,

    /// The time limit for a whole call
    #[arg(
        long,
        hide_short_help = true,
        value_name = "SECONDS",
        default_value_t = 30
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// Send private keys and tokens over plain http, even to other machines
    #[arg(long, hide_short_help = true)]
    allow_insecure_http: bool,
}

/// The options of commands that work on the keystore or on a server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Remote options")]
pub struct RemoteArgs {
    /// Use this server instead of the keystore
    ///
    /// The name of a remote, or an address to read from.
    #[arg(long, value_name = "REMOTE")]
    pub remote: Option<String>,

    /// How to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl RemoteArgs {
    /// Returns the options for calls to an address.
    pub fn options(&self, ctx: &Context) -> Options {
        self.connection.options(ctx)
    }

    /// Opens the server that --remote names; `None` without --remote. Fails as [`ConnectionArgs::open`]
    /// does.
    pub fn open(&self, ctx: &Context) -> Result<Option<Remote>> {
        let Some(name) = self.remote.as_deref() else {
            return Ok(None);
        };
        check_scheme(name)?;
        if let (remote, Some(set)) = split_name(name) {
            return Err(
                Error::usage("--remote takes the name of a remote, without a set")
                    .hint(format!("write the set first: {set} --remote {remote}")),
            );
        }
        self.connection.open(ctx, name).map(Some)
    }
}

impl ConnectionArgs {
    /// Returns the options for the calls of this command. Also prints a message if the command is
    /// interrupted during a write, because the server can have carried it out.
    pub fn options(&self, ctx: &Context) -> Options {
        let watch = Watch::default();
        answer_interruptions(ctx.out, watch.clone(), "jwks diff");
        Options {
            connect_timeout: Duration::from_secs(self.connect_timeout.min(self.timeout)),
            timeout: Duration::from_secs(self.timeout),
            allow_insecure_http: self.allow_insecure_http,
            advice: &ADVICE_FOR_REMOTES,
            now: ctx.now,
            notify: notify(ctx.out),
            watch,
        }
    }

    /// Opens the server with this name or at this address. Returns an error if the name is unknown, or
    /// if a required token is missing.
    pub fn open(&self, ctx: &Context, name: &str) -> Result<Remote> {
        check_scheme(name)?;
        let entry = if is_address(name) {
            entry_of_address(name)?
        } else {
            ctx.remote(name)?
        };
        let options = self.options(ctx);
        let token = find_token(ctx, &entry, &options.notify)?;
        Remote::open(&entry, token, options)
    }
}

/// Returns an error for an address without a scheme, such as `localhost:4445`, which would be taken for
/// a name.
fn check_scheme(name: &str) -> Result<()> {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let has_port = name.split_once(':').is_some_and(|(_, port)| is_port(port));
    if is_address(name) || !(name.contains('/') || has_port) {
        return Ok(());
    }
    let error = Error::usage(format!(
        "{name:?} is neither the name of a remote nor an address"
    ));
    if name.contains("://") {
        return Err(error.hint("an address begins with https:// or http://"));
    }
    let is_here = name.starts_with("127.") || name.starts_with("localhost");
    let scheme = if is_here { "http" } else { "https" };
    Err(error.hint(format!("did you mean {scheme}://{name}?")))
}

/// Returns the token of a remote; `None` if it needs none. Asks on the terminal if the remote needs one
/// and has no source for it.
fn find_token(ctx: &Context, entry: &Entry, notify: &Notify) -> Result<Option<Token>> {
    let kind = entry.kind()?;
    let secrets = match entry.token_command {
        Some(_) => ctx.remotes.token_variables(),
        None => Vec::new(),
    };
    let found = token::find(entry, kind, &secrets, notify)?;
    if found.is_some() || kind.auth != Auth::Required {
        return Ok(found);
    }
    let typed = ctx.prompt.secret(&format!("Token for {}", entry.name))?;
    typed.map(token::typed).transpose()
}

/// Returns a listener that shows calls and warnings to the user.
pub fn notify(out: Output) -> Notify {
    Rc::new(move |event| match event {
        Event::Call {
            method,
            address,
            status,
            took,
        } => {
            let milliseconds = took.as_millis();
            let shown = status.map_or_else(|| "no answer".into(), |status| status.to_string());
            out.call(format!("{method} {address} {shown} {milliseconds} ms"), || {
                json!({"method": method, "address": address, "status": status, "milliseconds": milliseconds as u64})
            });
        }
        Event::Repeat { reason, pause } => {
            let seconds = pause.as_secs_f32();
            out.status(format!("{reason}; again in {seconds:.1} s"));
        }
        Event::Warning(text) => out.warn(text),
    })
}

/// Makes an interruption during a write to a server print which call it was. `look` is the command that shows what the
/// server has.
pub fn answer_interruptions(out: Output, watch: Watch, look: &'static str) {
    interrupt::last_words(move || {
        if let Some(call) = watch.under_way() {
            let error = Error::remote(format!("interrupted after {call} began"));
            out.error(&error.hint(format!(
                "the server may hold the change already: run `{look}` to see"
            )));
        }
    });
}

/// Splits `REMOTE:NAME` into the remote and the name of the set. The colon of an address does not
/// count.
pub fn split_name(remote: &str) -> (&str, Option<&str>) {
    match remote.split_once(':') {
        Some((name, set)) if !is_address(remote) => (name, Some(set)),
        _ => (remote, None),
    }
}
