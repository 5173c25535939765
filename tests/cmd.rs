//! One command, one file: `tests/cmd/*.toml` holds the arguments, the exit code and every
//! character of the output. `TRYCMD=overwrite cargo test --test cmd` writes what came out.

use std::fs;
use std::path::Path;

#[test]
fn commands() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    for store in ["store", "dated", "logged", "encrypted", "rotating"] {
        make_private(&directory.join("base").join(store));
    }
    trycmd::TestCases::new()
        .default_bin_path(env!("CARGO_BIN_EXE_jwks"))
        .case("tests/cmd/*.toml");
}

/// A checkout does not know that the keystore's files are private.
#[cfg(unix)]
fn make_private(store: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own files");
    };
    set(store, 0o700);
    for entry in fs::read_dir(store).expect("the fixture") {
        set(&entry.expect("an entry").path(), 0o600);
    }
}

#[cfg(not(unix))]
fn make_private(_: &Path) {}
