//! `jwks completion`: the script that makes a shell ask for completions.

use crate::context::Context;
use crate::environment::COMPLETE;
use crate::error::{Error, Result};
use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

const EXAMPLES: &str = "\
Examples:
  $ jwks completion bash > /tmp/jwks.bash
  $ jwks completion fish > /tmp/jwks.fish";

/// A shell with a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Elvish
    Elvish,
    /// fish
    Fish,
    /// PowerShell
    #[value(name = "powershell")]
    PowerShell,
    /// zsh
    Zsh,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Elvish => "elvish",
            Shell::Fish => "fish",
            Shell::PowerShell => "powershell",
            Shell::Zsh => "zsh",
        }
    }
}

/// Print the completion script of a shell
///
/// The script calls the installed jwks, which completes the names of sets, keys and remotes, too.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs `jwks completion`.
pub fn run(ctx: &Context, args: &CompletionArgs) -> Result<()> {
    ctx.out.octets(&script(args.shell)?)
}

/// The script of a shell.
pub fn script(shell: Shell) -> Result<Vec<u8>> {
    let unknown = || Error::failed(format!("no completion for {}", shell.name()));
    let shells = Shells::builtins();
    let completer = shells.completer(shell.name()).ok_or_else(unknown)?;
    let mut script = Vec::new();
    completer
        .write_registration(COMPLETE, "jwks", "jwks", "jwks", &mut script)
        .map_err(|error| Error::failed("cannot write the script").cause(error))?;
    Ok(match shell {
        Shell::Bash => quoting_files(script),
        Shell::Zsh => autoloaded(script),
        _ => script,
    })
}

/// Lets bash quote candidates that are files, whose names may have blanks.
fn quoting_files(script: Vec<u8>) -> Vec<u8> {
    let script = String::from_utf8_lossy(&script);
    let quoting = "    if [[ -n ${COMPREPLY[0]-} && -e ${COMPREPLY[0]} ]]; then
        compopt -o filenames 2> /dev/null
    fi
}
if [[";
    script.replacen("}\nif [[", quoting, 1).into_bytes()
}

/// Makes the script complete when zsh loads it as the function `_jwks` from its fpath, which it
/// does at the first Tab, as well as when it is sourced.
fn autoloaded(script: Vec<u8>) -> Vec<u8> {
    let script = String::from_utf8_lossy(&script);
    let register = "compdef _clap_dynamic_completer_jwks jwks";
    let either = format!(
        "if [ \"$funcstack[1]\" = \"_jwks\" ]; then
    _clap_dynamic_completer_jwks \"$@\"
else
    {register}
fi"
    );
    script.replacen(register, &either, 1).into_bytes()
}
