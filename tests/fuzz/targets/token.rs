//! A token, decoded, and verified with two keys of RFCs.
#![no_main]

use jwks::jws::{Decoded, Token, claims, verify};
use jwks::key::check::Budget;
use jwks::keyset::KeySet;
use libfuzzer_sys::fuzz_target;

const KEYS: &str = r#"{"keys":[
    {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
     "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fuzz_target!(|text: &str| {
    if let Ok(decoded) = Decoded::of(text) {
        let _ = claims::parse(&decoded.payload);
    }
    let Ok(token) = Token::parse(text) else {
        return;
    };
    let Ok(payload) = token.payload(None) else {
        return;
    };
    let set = KeySet::parse(KEYS).expect("a set");
    for key in &set.keys {
        let _ = verify(&token, &payload, key, None, (0, &Budget::default()));
    }
});
