//! The envelope of encrypted documents, and what is behind it where it takes little time.
#![no_main]

use jwks::jwe::{self, DerivedKeys, Envelope};
use jwks::secret::Secret;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &str| {
    let is_one = Envelope::is_in(document);
    let Ok(envelope) = Envelope::parse(document) else {
        return;
    };
    assert!(is_one, "an envelope that nobody recognizes");
    if envelope.total_iterations() <= 4_000 {
        let passphrase = Secret::new("hunter2-but-longer".to_owned());
        let _ = jwe::open(&envelope, &passphrase, &mut DerivedKeys::default());
    }
});
