//! One key, certificate or request in DER; what is read as a key is written and read again.
#![no_main]

use jwks::key::Key;
use jwks::key::check::{Budget, findings, has_error};
use jwks::key::read::document_password::DocumentPassword;
use jwks::key::read::read_der;
use jwks::key::read::der;
use jwks::key::write;
use jwks::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let password = || Ok(Secret::new("correct horse battery staple".to_owned()));
    let Ok(contents) = read_der(document, &DocumentPassword::new(&password)) else {
        return;
    };
    for members in &contents.keys {
        if has_error(&findings(&Key::from(members.clone()), &Budget::default())) {
            continue;
        }
        let spki = write::spki(members).expect("a sound key has a public form");
        let public = der::read(spki.der()).expect("what was written can be read");
        assert!(public.raw("x") == members.raw("x") && public.raw("n") == members.raw("n"));
    }
});
