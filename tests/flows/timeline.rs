//! The timeline as a file, of many keys, and of a server's.

use crate::servers::hydra::{Hydra, Version};
use crate::servers::plain::Plain;
use crate::support::Sandbox;
use std::fs;

#[test]
fn an_svg_replaces_an_earlier_one_and_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "</text><script>"]);
    let draw = ["list", "api", "--timeline", "--svg", "timeline.svg"];
    for _ in 0..2 {
        let run = sandbox.run(draw).ok();
        assert_eq!(
            (&*run.stdout, &*run.stderr),
            ("", "wrote timeline.svg\n"),
            "{run:#?}"
        );
    }
    let path = sandbox.path().join("timeline.svg");
    let svg = fs::read_to_string(&path).expect("the picture");
    assert!(svg.contains("&lt;/text&gt;&lt;script&gt;"), "{svg}");
    assert!(!svg.contains("<script"), "{svg}");
    assert_eq!(
        sandbox.ok(["list", "api", "--svg", "-"]).lines().count(),
        svg.lines().count()
    );

    let own = "<svg>somebody's drawing</svg>";
    sandbox.write("timeline.svg", own);
    sandbox.run(draw).fails(4);
    assert_eq!(fs::read_to_string(&path).expect("the drawing"), own);
    sandbox.run(draw.into_iter().chain(["--force"])).ok();
    assert!(
        fs::read_to_string(&path)
            .expect("the picture")
            .contains("script")
    );
    sandbox.run(["list", "api", "--force"]).fails(2);
}

/// A set of so many keys, of which all but one have expired.
fn many(number: usize) -> String {
    let key = |i: usize| {
        let exp = if i == 0 {
            String::new()
        } else {
            format!(r#","exp":{}"#, 1000 + i)
        };
        format!(
            r#"{{"kty":"oct","alg":"HS256","kid":"k{i}","k":"{}","iat":{i}{exp}}}"#,
            "A".repeat(43)
        )
    };
    let keys: Vec<_> = (0..number).map(key).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

#[test]
fn nobody_reads_a_picture_of_a_thousand_keys() {
    let sandbox = Sandbox::new();
    sandbox.write("store/some.json", many(501));
    sandbox.write("store/all.json", many(2001));
    let run = sandbox.run(["list", "some", "--timeline"]).fails(4);
    assert!(run.stderr.contains("--state, --use, --alg"), "{run:#?}");
    let active = ["--timeline", "--state", "active"];
    let shown = sandbox.ok(["list", "some"].into_iter().chain(active));
    assert!(shown.contains("k0"), "{shown}");
    let run = sandbox.run(["list", "all"].into_iter().chain(active));
    let run = run.fails(4);
    assert!(run.stderr.contains("2001"), "{run:#?}");
}

#[test]
fn a_server_that_drops_dates_has_no_timeline() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "first"]);
    let hydra = Hydra::start(Version::V2_2);
    let address = hydra.address();
    sandbox.ok([
        "remote", "add", "prod", "--kind", "hydra", "--url", &*address,
    ]);
    sandbox.ok(["push", "api", "prod", "--yes"]);
    let run = sandbox.run(["list", "api", "--remote", "prod", "--timeline"]);
    let run = run.fails(2);
    assert!(
        run.stderr.contains("hydra does not store the dates"),
        "{run:#?}"
    );

    let issuer = Plain::start();
    issuer.serve("/jwks.json", sandbox.ok(["export", "api", "--with-dates"]));
    let address = issuer.url("/jwks.json");
    let set = sandbox.ok(["list", "--remote", &*address, "--format", "names"]);
    let shown = sandbox.ok(["list", set.trim(), "--remote", &*address, "--timeline"]);
    // Who signs at an issuer is not ours to say.
    assert!(shown.contains("first  -"), "{shown}");
}
