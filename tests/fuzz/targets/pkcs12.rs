//! PKCS#12 keystores with a password that fits the vectors.
#![no_main]

use jwks::key::read::pkcs12;
use jwks::key::read::document_password::DocumentPassword;
use jwks::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let password = || Ok(Secret::new("correct horse battery staple".to_owned()));
    let unlock = DocumentPassword::new(&password);
    let _ = pkcs12::read(document, None, &unlock);
});
