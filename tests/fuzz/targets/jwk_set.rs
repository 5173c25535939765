//! JWK Sets: whatever parses can be listed, checked, published and written, and comes back as it was.
#![no_main]

use jwks::key::check::Budget;
use jwks::key::parts::holds_secret;
use jwks::key::public::{Dates, known_part};
use jwks::key::summary::Summary;
use jwks::keyset::{KeySet, check, lifecycle};
use jwks::keyset::public_header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &str| {
    let Ok(set) = KeySet::parse(document) else {
        return;
    };
    check::findings(&set, 1_800_000_000, true, &Budget::default());
    let states = lifecycle::states(&set, 1_800_000_000);
    assert_eq!(states.len(), set.keys.len());
    let positions: Vec<usize> = (0..set.keys.len()).collect();
    let published = set.publish(&positions, Dates::Keep, &Budget::default());
    for key in &published.keys {
        assert!(!["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"].iter().any(|name| key.has(name)));
    }
    for key in &set.keys {
        Summary::of(key, &Budget::default());
        assert_eq!(known_part(key).has("jwks_private"), holds_secret(key));
    }
    let written = set.to_json();
    let again = KeySet::parse(&written).expect("a set that was written");
    assert!(again == set, "it comes back as another set");
    let header = public_header::header(&set);
    let part = header.raw(public_header::PUBLIC_PART).expect("a public part");
    let part = KeySet::parse(part).expect("a set in the header");
    assert!(public_header::is_public_part(&part, &set));
});
