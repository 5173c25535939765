//! The options for encryption: --p2c for the iteration count, and --encrypt for new sets.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::jwe::{ITERATIONS, LEAST_ITERATIONS, MOST_ITERATIONS, WEAK_ITERATIONS};
use crate::keystore::{Protection, SetName, Stored};
use clap::Args;

/// The option for the iteration count of an encryption.
#[derive(Clone, Copy, Debug, Args)]
pub struct IterationsArgs {
    /// The PBKDF2 iteration count [default: 600000]
    ///
    /// More iterations make guessing slower, but other tools may refuse to open the file.
    #[arg(long, hide_short_help = true, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(i64::from(LEAST_ITERATIONS)..=i64::from(MOST_ITERATIONS)))]
    p2c: Option<u32>,
}

impl IterationsArgs {
    /// Returns true if an iteration count is given.
    pub fn are_given(&self) -> bool {
        self.p2c.is_some()
    }

    /// Returns the iteration count, and warns if it is small. `secret` is the word for the warning:
    /// passphrase or password.
    pub fn get(self, ctx: &Context, secret: &str) -> u32 {
        let iterations = self.p2c.unwrap_or(ITERATIONS);
        if iterations < WEAK_ITERATIONS {
            ctx.out.warn(format!(
                "with {iterations} iterations the {secret} can be guessed quickly: choose a long one"
            ));
        }
        iterations
    }
}

/// The options for encrypting a new set.
#[derive(Clone, Copy, Debug, Args)]
pub struct EncryptArgs {
    /// Encrypt a new set with a passphrase
    ///
    /// For an existing set, run `jwks passwd`.
    #[arg(long, conflicts_with = "remote")]
    encrypt: bool,

    #[command(flatten)]
    iterations: IterationsArgs,
}

impl EncryptArgs {
    /// Refuses --p2c without --encrypt.
    pub fn check(self) -> Result<()> {
        if self.iterations.p2c.is_some() && !self.encrypt {
            Err(Error::usage("--p2c requires --encrypt"))
        } else {
            Ok(())
        }
    }

    /// Returns the passphrase and iteration count of an encrypted set, or of a new set with --encrypt;
    /// `None` for a plain set. Returns an error if --encrypt is given for an existing plain set, if
    /// --p2c differs from an existing encrypted set, or if the passphrase is wrong or missing.
    pub fn protection(self, ctx: &Context, name: &SetName) -> Result<Option<Protection>> {
        self.check()?;
        if !self.encrypt {
            return ctx.protection_or_new(name);
        }
        match ctx.store.read(name)? {
            Some(Stored::Encrypted(encrypted)) => match self.iterations.p2c {
                Some(p2c) if p2c != encrypted.iterations() => {
                    let iterations = encrypted.iterations();
                    Err(
                        Error::refused(format!("set {name} exists with {iterations} iterations"))
                            .hint(format!(
                                "run `jwks passwd {name} --p2c {p2c}` to change the iteration count"
                            )),
                    )
                }
                _ => ctx.protection(name),
            },
            Some(Stored::Plain(_)) => Err(Error::refused(format!(
                "set {name} exists and is not encrypted"
            ))
            .hint(format!("run `jwks passwd {name}` to encrypt it"))),
            None => {
                let what = format!("set {name}");
                let new = ctx.passphrases.new_one(&ctx.prompt, &ctx.out, &what)?;
                Ok(Some(Protection {
                    passphrase: new,
                    iterations: self.iterations.get(ctx, "passphrase"),
                }))
            }
        }
    }
}
