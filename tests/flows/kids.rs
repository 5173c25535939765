//! Kids on command lines, in every tool's hands.

use crate::support::Sandbox;

/// One thumbprint in 64 begins with a dash, and would be taken for an option.
#[test]
fn a_new_kid_does_not_look_like_an_option() {
    let sandbox = Sandbox::new();
    let kids = sandbox.ok(["create", "api", "--alg", "EdDSA", "--count", "400", "-q"]);
    assert_eq!(kids.lines().count(), 400);
    assert!(kids.lines().all(|kid| !kid.starts_with('-')));
}

#[test]
fn a_kid_that_looks_like_an_option_can_be_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid=-Qabc"]);
    sandbox.ok(["create", "api", "--kid", "other"]);
    for command in [
        &["get", "api", "-Qabc"][..],
        &["get", "api", "--private", "-Qabc"],
        &["get", "--alg", "ES256", "api", "-Qabc", "--set"],
        &["export", "api", "-Qabc", "--to", "pem"],
        &["thumbprint", "api", "-Qabc", "--uri"],
        &["set", "api", "--kid", "-Qabc", "--use", "sig"],
        &["delete", "api", "--yes", "--", "-Qabc"],
    ] {
        sandbox.ok(command);
    }
    // What is neither a kid of the set nor an option is a mistyped option.
    for (line, option, nearest) in [
        ("get api --privat", "--privat", "'--private'"),
        ("export api --format pem", "--format", "'--to'"),
        ("get api -Qabd", "-Q", "put it after '--'"),
        ("get none --privat", "--privat", "'--private'"),
    ] {
        let run = sandbox.run(line.split(' ')).fails(2);
        let unexpected = format!("unexpected argument '{option}' found");
        assert!(run.stderr.contains(&unexpected), "{run:#?}");
        assert!(run.stderr.contains(nearest), "{run:#?}");
    }
    let run = sandbox.run(["thumbprint", "api", "--urii"]).fails(3);
    assert!(run.stderr.contains("it is not an option"), "{run:#?}");
}

#[test]
fn kids_from_the_clock_are_told_apart() {
    let sandbox = Sandbox::new();
    let kids = sandbox.ok(["create", "api", "--kid-from", "date", "--count", "3", "-q"]);
    let kids: Vec<_> = kids.lines().collect();
    assert_eq!(kids[1], format!("{}-2", kids[0]));
    assert_eq!(kids[2], format!("{}-3", kids[0]));
    assert_eq!(kids[0].len(), "2026-11-20T12-00-00Z".len());
}
