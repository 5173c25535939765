//! One command, one file: `tests/cmd/*.toml` holds the arguments, the exit code and every
//! character of the output. `TRYCMD=overwrite cargo test --test cmd` writes what came out.

use std::fs;
use std::path::Path;

#[test]
fn commands() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    for store in ["store", "dated", "logged", "encrypted", "rotated", "undone"] {
        make_private(&directory.join("base").join(store));
    }
    for password in ["password", "password-mark"] {
        set_mode(&directory.join("base").join(password), 0o600);
    }
    trycmd::TestCases::new()
        .default_bin_path(env!("CARGO_BIN_EXE_jwks"))
        .case("tests/cmd/*.toml");
}

/// Gives the files of a keystore the modes that they have in use, which a checkout loses.
fn make_private(store: &Path) {
    set_mode(store, 0o700);
    for entry in fs::read_dir(store).expect("the fixture") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            make_private(&path);
        } else {
            set_mode(&path, 0o600);
        }
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own files");
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}
