//! The only module that reads environment variables and finds the platform's directories.

use crate::error::{Error, Result};
use crate::secret::Secret;
use directories::ProjectDirs;
use std::env::{self, VarError};
use std::path::PathBuf;

/// The variable for the keystore: a directory, or a store on a server.
const STORE: &str = "JWKS_STORE";

/// The variable for the passphrase of encrypted sets.
pub const PASSPHRASE: &str = "JWKS_PASSPHRASE";

/// The variable for the path of a file with the passphrase.
pub const PASSPHRASE_FILE: &str = "JWKS_PASSPHRASE_FILE";

/// The variable for the time for which earlier versions of sets are kept.
pub const KEEP_HISTORY: &str = "JWKS_KEEP_HISTORY";

/// The variable that makes jwks refuse sets that are not encrypted.
pub const REQUIRE_ENCRYPTED: &str = "JWKS_REQUIRE_ENCRYPTED";

/// The variable that turns colors off (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// The variable for the path of a file with the token of a keystore on a server. The file is read again for each
/// call.
pub const STORE_TOKEN_FILE: &str = "JWKS_STORE_TOKEN_FILE";

/// The variable for the path of a PEM file with the only certificate authorities to trust, for a keystore on a
/// server.
pub const STORE_CACERT: &str = "JWKS_STORE_CACERT";

/// The variable that lets object storage have private keys without encryption.
pub const ALLOW_PLAINTEXT: &str = "JWKS_ALLOW_PLAINTEXT";

/// The variable for the list of files of the kubeconfig.
pub const KUBECONFIG: &str = "KUBECONFIG";

/// The variable for the address of a self-hosted Ory Hydra.
pub const ORY_ADDRESS: &str = "ORY_SDK_URL";

/// The variables that jwks itself reads, for the manual. Those for tokens are listed in the kinds of
/// servers.
pub const NAMES: &[&str] = &[
    STORE,
    STORE_TOKEN_FILE,
    STORE_CACERT,
    ALLOW_PLAINTEXT,
    PASSPHRASE,
    PASSPHRASE_FILE,
    KEEP_HISTORY,
    REQUIRE_ENCRYPTED,
    NO_COLOR,
    KUBECONFIG,
    ORY_ADDRESS,
];

/// Returns true if a variable is set and not empty.
pub fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Returns true if a variable is set, and is not empty, 0, no or false.
pub fn is_on(name: &str) -> bool {
    let value = env::var_os(name).unwrap_or_default();
    !["", "0", "no", "false"].iter().any(|off| value == *off)
}

/// Returns the value of a variable; `None` if it is not set or empty. Bytes that are not UTF-8 become
/// U+FFFD, so that such a value is rejected later.
pub fn value(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().into_owned();
    Some(value).filter(|value| !value.is_empty())
}

/// Returns the secret in a variable; `None` if it is not set or empty. Returns an error if it is not
/// UTF-8.
pub fn secret(name: &str) -> Result<Option<Secret<String>>> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(Secret::new(value))),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::invalid(format!(
            "the variable {name} is not UTF-8 text"
        ))),
    }
}

/// Returns the directory of `remotes.json`; `None` without a home directory. It differs from the
/// keystore's on every platform, because the keystore would take the file for a set.
pub fn configuration_directory() -> Option<PathBuf> {
    let directories = ProjectDirs::from("", "", "jwks")?;
    Some(directories.preference_dir().to_owned())
}

/// Returns the keystore: `named`, or JWKS_STORE, or the platform's data directory.
/// Returns an error if `named` is empty, or if there is no home directory.
pub fn store(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(directory) = named {
        if directory.as_os_str().is_empty() {
            return Err(Error::usage("--store is empty"));
        }
        return Ok(directory);
    }
    if is_set(STORE) {
        return Ok(env::var_os(STORE).unwrap_or_default().into());
    }
    match ProjectDirs::from("", "", "jwks") {
        Some(directories) => Ok(directories.data_dir().to_owned()),
        None => Err(Error::usage("there is no home directory for the keystore")
            .hint("choose a keystore with --store DIR or JWKS_STORE")),
    }
}

/// Returns the home directory; `None` if there is none, or it is relative.
pub fn home_directory() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.is_absolute())
}

/// Returns the directory in a variable such as XDG_DATA_HOME, or else `usual` below the home directory.
/// A relative path is ignored (XDG Base Directory Specification).
pub fn base_directory(variable: &str, usual: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let named = named.filter(|directory| directory.is_absolute());
    named.or_else(|| Some(home_directory()?.join(usual)))
}
