//! Puts a completion script where its shell looks for it.

use super::Shell;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::kept::{self, Links};
use crate::files::{self, Access, Existing};
use crate::report::names::shell_word;
use serde::Serialize;
use std::env;
use std::path::{Path, PathBuf};

/// What only the scripts of jwks contain.
const MARK: &str = "printed by `jwks completion ";

/// The largest file that is looked at before it is replaced, in octets.
const LIMIT: u64 = 1 << 20;

/// The temporary file for the script.
const TEMPORARY: &str = ".jwks-completion.writing";

#[derive(Serialize)]
struct Report<'a> {
    shell: &'a str,
    path: &'a str,
    /// What the user has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

/// Writes the script of a shell to its place.
pub fn install(ctx: &Context, shell: Shell) -> Result<()> {
    let path = place(shell)?;
    let earlier = kept::read(&path, Links::All, LIMIT)?;
    if earlier.is_some_and(|earlier| !is_own(&earlier.octets)) {
        let message = format!("{} exists and is not a script of jwks", path.display());
        return Err(Error::refused(message)
            .hint("remove it, or write the output of `jwks completion` to another file"));
    }
    files::create_private_directory(&files::parent(&path))?;
    let script = shell.script().as_bytes();
    files::write(&path, script, Access::Shared, Existing::Replace, TEMPORARY)??;
    let next = next(shell, &path);
    if ctx.out.is_json() {
        return ctx.out.json(&Report {
            shell: shell.name(),
            path: &path.to_string_lossy(),
            next: next.as_deref(),
        });
    }
    let name = shell.name();
    ctx.out.status(format!(
        "installed the {name} completion in {}",
        path.display()
    ));
    if let Some(next) = next {
        ctx.out.status(next);
    }
    Ok(())
}

fn is_own(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets);
    text.lines().take(3).any(|line| line.contains(MARK))
}

/// The file that the shell loads.
fn place(shell: Shell) -> Result<PathBuf> {
    let path = match shell {
        Shell::Bash => {
            base("XDG_DATA_HOME", ".local/share")?.join("bash-completion/completions/jwks")
        }
        Shell::Elvish => settings()?.join("elvish/lib/jwks.elv"),
        Shell::Fish => base("XDG_CONFIG_HOME", ".config")?.join("fish/completions/jwks.fish"),
        Shell::Nushell if cfg!(target_os = "macos") => {
            let usual = "Library/Application Support";
            base("XDG_CONFIG_HOME", usual)?.join("nushell/autoload/jwks.nu")
        }
        Shell::Nushell => settings()?.join("nushell/autoload/jwks.nu"),
        Shell::PowerShell if cfg!(windows) => home()?.join("Documents/PowerShell/jwks.ps1"),
        Shell::PowerShell => base("XDG_CONFIG_HOME", ".config")?.join("powershell/jwks.ps1"),
        Shell::Zsh => home()?.join(".zfunc/_jwks"),
    };
    Ok(path)
}

/// What is to be done after the script is in its place.
fn next(shell: Shell, path: &Path) -> Option<String> {
    let word = path.to_string_lossy();
    let word = shell_word(&word);
    let next = match shell {
        Shell::Fish | Shell::Nushell => return None,
        Shell::Bash => format!(
            "bash loads it if the package bash-completion is installed; otherwise, add this line to ~/.bashrc: source {word}"
        ),
        Shell::Elvish => "add this line to rc.elv: use jwks".to_owned(),
        Shell::PowerShell => format!("add this line to $PROFILE: . {word}"),
        Shell::Zsh => "add this line to ~/.zshrc, if it has none like it: fpath+=(~/.zfunc); autoload -Uz compinit; compinit".to_owned(),
    };
    Some(next)
}

/// The directory of settings for programs that follow the platform.
fn settings() -> Result<PathBuf> {
    let roaming = env::var_os("APPDATA").filter(|_| cfg!(windows));
    match roaming {
        Some(roaming) => Ok(PathBuf::from(roaming)),
        None => base("XDG_CONFIG_HOME", ".config"),
    }
}

/// The directory that a variable names, or the usual one below the home directory. A relative one does
/// not count (XDG Base Directory Specification).
fn base(variable: &str, usual: &str) -> Result<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    match named.filter(|directory| directory.is_absolute()) {
        Some(directory) => Ok(directory),
        None => Ok(home()?.join(usual)),
    }
}

fn home() -> Result<PathBuf> {
    let home = env::home_dir().filter(|home| home.is_absolute());
    home.ok_or_else(|| {
        Error::usage("no home directory for the script")
            .hint("set HOME, or write the output of `jwks completion` to a file")
    })
}
