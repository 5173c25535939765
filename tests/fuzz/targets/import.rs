//! The recognizer of foreign documents, and every reader behind it.
#![no_main]

use jwks::key::read::document_password::Ask;
use jwks::keyset::import::{self, Options};
use jwks::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let password: Ask = &|| Ok(Secret::new("correct horse battery staple".to_owned()));
    let options = Options {
        password,
        ..Options::default()
    };
    let _ = import::read(document, &options);
});
