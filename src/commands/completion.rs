//! `jwks completion`: the script that makes a shell ask for completions.

mod install;

use crate::context::Context;
use crate::error::Result;
use clap::{Args, ValueEnum};

/// The hidden command with which a completion script asks for completions: `jwks __complete SHELL
/// WORD…`.
pub const COMPLETE_COMMAND: &str = "__complete";

const EXAMPLES: &str = "\
Examples:
  $ jwks completion --install fish
  $ jwks completion bash > /tmp/jwks.bash";

/// A shell with a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash, 3.2 and later
    Bash,
    /// Elvish
    Elvish,
    /// fish
    Fish,
    /// Nushell
    Nushell,
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
            Shell::Nushell => "nushell",
            Shell::PowerShell => "powershell",
            Shell::Zsh => "zsh",
        }
    }

    /// The completion script.
    fn script(self) -> &'static str {
        match self {
            Shell::Bash => include_str!("../../completions/jwks.bash"),
            Shell::Elvish => include_str!("../../completions/jwks.elv"),
            Shell::Fish => include_str!("../../completions/jwks.fish"),
            Shell::Nushell => include_str!("../../completions/jwks.nu"),
            Shell::PowerShell => include_str!("../../completions/jwks.ps1"),
            Shell::Zsh => include_str!("../../completions/_jwks"),
        }
    }
}

/// Print or install the completion script of a shell
///
/// The script calls the installed jwks, which completes commands, options, files, and the names of sets,
/// keys and remotes. It works offline and never asks for a passphrase. Nothing on the line is executed.
///
/// With --install, the script is written to the place where the shell looks for it, and jwks says what
/// else to do. An earlier script of jwks is replaced. A file that jwks did not write is left alone.
///
/// fish loads ~/.config/fish/completions/jwks.fish, and Nushell ~/.config/nushell/autoload/jwks.nu, without
/// further settings. bash loads ~/.local/share/bash-completion/completions/jwks if the package
/// bash-completion is installed; otherwise, `source` the file in ~/.bashrc. For zsh, the file is
/// ~/.zfunc/_jwks; add ~/.zfunc to fpath before compinit in ~/.zshrc. For Elvish, it is
/// ~/.config/elvish/lib/jwks.elv; add `use jwks` to rc.elv. For PowerShell, it is
/// ~/.config/powershell/jwks.ps1; add `. ~/.config/powershell/jwks.ps1` to $PROFILE.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionArgs {
    /// Put the script where the shell looks for it
    #[arg(long)]
    install: bool,

    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs `jwks completion`.
pub fn run(ctx: &Context, args: &CompletionArgs) -> Result<()> {
    if args.install {
        install::install(ctx, args.shell)
    } else {
        ctx.out.octets(args.shell.script().as_bytes())
    }
}
