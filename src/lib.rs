//! Create, keep, check and publish JSON Web Key Sets.
//!
//! The library serves the program of the same name; it makes no promise of a stable interface.
//! Dependencies run downward only:
//! `main → lib → {cli, hardening} → commands → source → {layout, report, args} → {context, store} → {keystore, remote, passphrase} → prompt → output → kubernetes → keyset → {jwe, jws} → key → {credential, files, nearest, time} → {environment, interrupt, shell} → {secret, error}`.
#![warn(missing_docs)]

pub mod args;
pub mod cli;
pub mod commands;
pub mod context;
pub mod credential;
pub mod environment;
pub mod error;
pub mod files;
mod hardening;
pub mod interrupt;
pub mod jwe;
pub mod jws;
pub mod key;
pub mod keyset;
pub mod keystore;
pub mod kubernetes;
pub mod layout;
pub mod nearest;
pub mod output;
pub mod passphrase;
pub mod prompt;
pub mod remote;
pub mod report;
pub mod secret;
pub mod shell;
pub mod source;
pub mod store;
pub mod time;

use error::{Error, ErrorKind};
use output::Output;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with these arguments, its own name first, and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    hardening::forbid_core_dumps();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if cli::complete::answer(&arguments) {
        return ExitCode::SUCCESS;
    }
    let (cli, out) = match cli::parse(&arguments) {
        Ok(parsed) => parsed,
        Err(code) => return ExitCode::from(code),
    };
    match cli::context(&cli.global, out) {
        Ok(ctx) => match ctx.finish(cli.command.run(&ctx)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                report(&ctx.out, &error);
                ExitCode::from(error.kind().exit_code())
            }
        },
        Err((out, error)) => {
            report(&out, &error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Prints an error. A difference or a problem of a set is an answer, so it is not printed as an error.
fn report(out: &Output, error: &Error) {
    match error.kind() {
        ErrorKind::Differs => out.status(error.to_string()),
        _ => out.error(error),
    }
}
