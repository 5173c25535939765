//! PKCS#12 keystores with a password that fits the vectors, and the conversion of BER to DER.
#![no_main]

use jwks::key::read::ber;
use jwks::key::read::document_password::DocumentPassword;
use jwks::key::read::pkcs12;
use jwks::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    if let Some(der) = ber::to_der(document) {
        assert!(der.expose().len() <= document.len() + 32, "DER is longer than BER");
        let again = ber::to_der(der.expose()).expect("DER is BER");
        assert!(again.expose() == der.expose(), "DER is changed");
    }
    let password = || Ok(Secret::new("correct horse battery staple".to_owned()));
    let unlock = DocumentPassword::new(&password);
    let _ = pkcs12::read(document, None, &unlock);
});
