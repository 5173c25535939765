//! Installs a completion script in the directory where its shell looks for it.

use super::Shell;
use crate::context::Context;
use crate::environment::{base_directory, home_directory};
use crate::error::{Error, Result};
use crate::files::kept::{self, Links};
use crate::files::{self, Access, Existing};
use crate::report::names::shell_word;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A text that only completion scripts of jwks contain. A file without it is not replaced.
const MARK: &str = "printed by `jwks completion ";

/// The maximum size in bytes of an existing file that jwks reads before it replaces the file.
const LIMIT: u64 = 1 << 20;

/// The name of the script's file until the script is complete.
const TEMPORARY: &str = ".jwks-completion.writing";

#[derive(Serialize)]
struct Report<'a> {
    shell: &'a str,
    path: &'a str,
    /// The step that the user has to take; `None` if the shell loads the script without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

/// Installs the completion script of a shell. Returns an error if the file exists and jwks did not
/// write it, or if there is no home directory.
pub fn install(ctx: &Context, shell: Shell) -> Result<()> {
    let path = place(shell)?;
    let earlier = kept::read(&path, Links::All, LIMIT)?;
    if earlier.is_some_and(|earlier| !is_own(&earlier.octets)) {
        let message = format!("{} exists and is not a script of jwks", path.display());
        return Err(Error::refused(message)
            .hint("remove it, or write the output of `jwks completion` to another file"));
    }
    files::directories::create(&files::parent(&path))?;
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

/// Returns the path of the file that the shell loads. Returns an error if there is no home directory.
fn place(shell: Shell) -> Result<PathBuf> {
    let (base, file) = match shell {
        Shell::Bash => (
            base_directory("XDG_DATA_HOME", ".local/share"),
            "bash-completion/completions/jwks",
        ),
        Shell::Elvish => (settings(), "elvish/lib/jwks.elv"),
        Shell::Fish => (
            base_directory("XDG_CONFIG_HOME", ".config"),
            "fish/completions/jwks.fish",
        ),
        Shell::Nushell if cfg!(target_os = "macos") => (
            base_directory("XDG_CONFIG_HOME", "Library/Application Support"),
            "nushell/autoload/jwks.nu",
        ),
        Shell::Nushell => (settings(), "nushell/autoload/jwks.nu"),
        Shell::PowerShell if cfg!(windows) => (home_directory(), "Documents/PowerShell/jwks.ps1"),
        Shell::PowerShell => (
            base_directory("XDG_CONFIG_HOME", ".config"),
            "powershell/jwks.ps1",
        ),
        Shell::Zsh => (home_directory(), ".zfunc/_jwks"),
    };
    let base = base.ok_or_else(|| {
        Error::usage("no home directory for the script")
            .hint("set HOME, or write the output of `jwks completion` to a file")
    })?;
    Ok(base.join(file))
}

/// Returns the configuration directory of programs that use APPDATA on Windows and XDG_CONFIG_HOME
/// elsewhere; `None` if there is no home directory.
fn settings() -> Option<PathBuf> {
    if cfg!(windows) {
        base_directory("APPDATA", "AppData/Roaming")
    } else {
        base_directory("XDG_CONFIG_HOME", ".config")
    }
}

/// Returns what the user has to do after the script is installed; `None` if the shell loads it by
/// itself.
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
