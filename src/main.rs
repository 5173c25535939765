//! The `jwks` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    jwks::run(std::env::args_os())
}
