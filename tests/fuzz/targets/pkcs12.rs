//! PKCS#12 keystores with a password that fits the vectors.
#![no_main]

use jwks::key::format::pkcs12;
use jwks::key::format::unlock::Unlock;
use jwks::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let password = || Ok(Secret::new("correct horse battery staple".to_owned()));
    let unlock = Unlock::new(&password);
    let _ = pkcs12::read(document, None, &unlock);
});
