//! The recognizer of foreign documents, and every reader behind it.
#![no_main]

use jwks::error::Result;
use jwks::key::read::document_password::Ask;
use jwks::keyset::import::{self, Options};
use jwks::secret::Secret;
use libfuzzer_sys::fuzz_target;

/// The passwords of the vectors, and an empty one.
struct Passwords;

impl Ask for Passwords {
    fn given(&self) -> Result<Vec<Secret<String>>> {
        let passwords = ["correct horse battery staple", "", "changeit"];
        Ok(passwords.map(|text| Secret::new(text.to_owned())).into())
    }

    fn ask(&self, _: Option<&str>) -> Result<Secret<String>> {
        unreachable!("passwords are given")
    }
}

fuzz_target!(|document: &[u8]| {
    let options = Options {
        password: &Passwords,
        ..Options::default()
    };
    let _ = import::read(document, &options);
});
