//! Words that a new user gets wrong: each error says what was probably meant, and nothing is chosen for
//! anybody.

use crate::support::terminal::on_terminal;
use crate::support::{Sandbox, has_tool};

/// Two sets with a key each, a remote, and some files.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok("create shop --kid key1".split(' '));
    sandbox.ok(["create", "api", "--kid", "my key"]);
    sandbox.ok("remote add prod --kind url --url https://example.com/jwks.json".split(' '));
    sandbox.ok("export shop --to pem --private -o own.pem".split(' '));
    sandbox.ok("export shop -o jwks.json".split(' '));
    sandbox
}

/// Runs a line and returns the hint of its error.
fn hint(sandbox: &Sandbox, line: &str, code: i32) -> String {
    let run = sandbox.run(line.split(' ')).fails(code);
    let hint = run.stderr.split_once("\n  hint: ");
    let (_, hint) = hint.unwrap_or_else(|| panic!("{line}: {run:#?}"));
    hint.trim_end().to_owned()
}

#[test]
fn a_mistyped_set_is_named() {
    let sandbox = sandbox();
    let before = sandbox.read_set("shop");
    for line in [
        "get shpo",
        "list shpo",
        "set shpo --kid key1 --exp +1d",
        "delete shpo --yes --force",
        "delete shpo key1 --yes --force",
        "export shpo",
        "rotate shpo --every 30d",
        "rotate shpo --forget",
        "diff shpo https://127.0.0.1:9/jwks.json",
        "undo shpo --yes",
        "restore shpo@-1h --yes",
        "forget shpo --yes",
        "passwd shpo",
        "thumbprint shpo",
        "check shpo",
    ] {
        assert_eq!(hint(&sandbox, line, 3), "did you mean shop?", "{line}");
    }
    assert_eq!(hint(&sandbox, "restore shpo", 3), "did you mean shop?");
    let log = sandbox.run(["log", "shpo"]).ok();
    assert!(log.stderr.ends_with("did you mean shop?\n"), "{log:#?}");
    assert_eq!(sandbox.read_set("shop"), before);
    assert_eq!(hint(&sandbox, "list other", 3), "sets: api, shop");
    // The history of a deleted set can be meant, too, but not where a set has to exist.
    sandbox.ok("delete shop --yes --force".split(' '));
    assert_eq!(hint(&sandbox, "forget shpo --yes", 3), "did you mean shop?");
    assert_eq!(hint(&sandbox, "list shpo", 3), "sets: api");
}

#[test]
fn a_mistyped_kid_or_remote_is_named() {
    let sandbox = sandbox();
    for line in [
        "get shop ky1",
        "export shop ky1",
        "thumbprint shop ky1",
        "delete shop ky1 --yes",
        "rotate shop --compromised ky1",
        "set shop --kid ky1 --exp +1d",
    ] {
        assert_eq!(hint(&sandbox, line, 3), "did you mean key1?", "{line}");
    }
    assert_eq!(
        hint(&sandbox, "get api mykey", 3),
        "did you mean \"my key\"?"
    );
    let many: Vec<String> = (0..200).map(|i| format!("key{i}00")).collect();
    let line = format!("delete shop {} --yes --if-exists", many.join(" "));
    sandbox.ok(line.split(' '));
    for line in ["list --remote prdo", "pull prdo", "remote show prdo"] {
        assert_eq!(hint(&sandbox, line, 3), "did you mean prod?", "{line}");
    }
}

#[test]
fn a_kid_of_others_is_no_text_for_the_terminal() {
    let sandbox = Sandbox::new();
    let kid = "key1\u{1b}[2J\u{202e}";
    let key = serde_json::json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAA", "kid": kid});
    let file = sandbox.write("key.json", key.to_string());
    sandbox.ok(["set", "shop", &file]);
    let run = sandbox
        .run(["get", "shop", "key1[2J", "--private"])
        .fails(3);
    let said = "did you mean \"key1\\u{1b}[2J\\u{202e}\"?";
    assert!(run.stderr.contains(said), "{run:#?}");
    let run = sandbox
        .run(["delete", "shop", kid, "--yes", "--force"])
        .ok();
    let said = "deleted 1 key of set shop: \"key1\\u{1b}[2J\\u{202e}\"\n";
    assert!(run.stderr.contains(said), "{run:#?}");
}

#[test]
fn a_file_in_the_place_of_a_set_is_noticed() {
    let sandbox = sandbox();
    let said = "own.pem is a file; run `jwks set SET own.pem` to import its keys, or `jwks check own.pem` to check them";
    assert_eq!(hint(&sandbox, "rotate own.pem --every 30d", 3), said);
    // These commands read files, too, but not one with the name of a set.
    for line in ["list own.pem", "get own.pem", "export ./own.pem"] {
        sandbox.ok(line.split(' '));
    }
    let key = std::fs::read(sandbox.path().join("own.pem")).expect("a key");
    sandbox.write("own", key);
    for command in ["list", "get", "export", "check", "thumbprint"] {
        let said = hint(&sandbox, &format!("{command} own"), 3);
        assert_eq!(said, "write ./own to read the file own", "{command}");
        sandbox.ok([command, "./own"]);
    }
    let said = "own is a file; run `jwks set SET own` to import its keys, or `jwks check ./own` to check them";
    assert_eq!(hint(&sandbox, "rotate own --every 30d", 3), said);
    for (line, code, said) in [
        ("set own.pem shop", 2, "run `jwks set shop own.pem`"),
        ("set jwks.json new", 2, "run `jwks set new jwks.json`"),
        (
            "set own.pem jwks.json new",
            2,
            "run `jwks set new own.pem jwks.json`",
        ),
        (
            "export shop out.json",
            3,
            "to write a file, run `jwks export shop -o out.json`",
        ),
        (
            "export shop jwks.json",
            3,
            "to write a file, run `jwks export shop -o jwks.json`",
        ),
        (
            "get shop public.pem",
            3,
            "to write a file, run `jwks export shop --to pem -o public.pem`",
        ),
        ("list shop.json", 3, "did you mean the set shop?"),
        (
            "get shop/key1",
            3,
            "a set and its key are two words: shop key1",
        ),
        ("push prod shop", 3, "did you mean `jwks push shop prod`?"),
        ("diff prod shop", 2, "did you mean `jwks diff shop prod`?"),
        ("pull shop prod", 3, "did you mean `jwks pull prod shop`?"),
        (
            "pull https://127.0.0.1:9/jwks.json",
            2,
            "run `jwks pull 'https://127.0.0.1:9/jwks.json' SET`",
        ),
        (
            "pull https://127.0.0.1:9/?s=1",
            2,
            "run `jwks pull URL SET`",
        ),
    ] {
        assert_eq!(hint(&sandbox, line, code), said, "{line}");
    }
    assert!(!sandbox.set_file("new").exists());
}

#[test]
fn a_set_named_like_a_file_beside_it_is_announced() {
    let sandbox = sandbox();
    sandbox.ok("create own.pem --kid other".split(' '));
    let run = sandbox.run("list own.pem --format names".split(' ')).ok();
    assert_eq!(run.stdout, "other\n");
    assert_eq!(
        run.stderr,
        "warning: own.pem is a set and a file; write ./own.pem for the file\n"
    );
    let of_file = sandbox.run("list ./own.pem --format names".split(' ')).ok();
    assert_eq!(of_file.stderr, "");
    assert_ne!(of_file.stdout, run.stdout);
}

#[test]
fn a_file_in_no_format_is_called_the_same_everywhere() {
    let sandbox = sandbox();
    sandbox.write("junk.txt", "no key\n");
    let said = "unknown key format\n  hint: formats: JWK, JWE, PEM, DER, PKCS#12, JKS, OpenSSH, Kubernetes";
    for line in ["set shop junk.txt", "check junk.txt", "thumbprint junk.txt"] {
        let run = sandbox.run(line.split(' ')).fails(5);
        let said = format!("error: junk.txt: {said}");
        assert!(run.stderr.starts_with(&said), "{line}: {run:#?}");
        let offers_secret = run.stderr.contains("--from secret");
        assert_eq!(offers_secret, line.starts_with("set"), "{run:#?}");
    }
}

#[test]
fn a_page_has_several_names() {
    let sandbox = Sandbox::new();
    for (one, others) in [
        (
            "man remote-add",
            &[
                "man remote add",
                "man jwks-remote-add",
                "man jwks-remote add",
            ][..],
        ),
        ("man check", &["man jwks-check"]),
        ("man delete", &["man rm"]),
        ("man remote-remove", &["man remote rm"]),
        ("man", &["man jwks"]),
        ("man rotation", &["man jwks-rotation"]),
        (
            "help remote add",
            &["help remote-add", "help jwks-remote-add"],
        ),
        ("help check", &["help jwks-check"]),
        ("help rotation", &["help jwks-rotation"]),
    ] {
        let page = sandbox.ok(one.split(' '));
        for other in others {
            assert_eq!(sandbox.ok(other.split(' ')), page, "{other}");
        }
    }
    assert_eq!(hint(&sandbox, "man chekc", 2), "did you mean check?");
    let run = sandbox.run("help remote-ad".split(' ')).fails(2);
    assert!(run.stderr.contains("'add'"), "{run:#?}");
}

#[test]
fn a_kid_needs_no_option() {
    let sandbox = sandbox();
    let run = sandbox.run("get shop --kid key1".split(' ')).fails(2);
    let said = "the KID has no option: write it after the SET";
    assert!(run.stderr.contains(said), "{run:#?}");
}

#[test]
fn a_rotation_without_a_set_names_the_choice() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(["rotate"]).fails(2);
    assert!(run.stderr.contains("--all"), "{run:#?}");
    sandbox.run("rotate api --all".split(' ')).fails(2);
}

#[test]
fn status_lines_quote_kids_with_blanks() {
    let sandbox = sandbox();
    let run = sandbox.run(["create", "api", "--kid", "a second"]).ok();
    let said = "\"a second\" signs from now on; \"my key\" is retired\n";
    assert!(run.stderr.contains(said), "{run:#?}");
    assert!(run.stdout == "a second\n", "{run:#?}");
    let run = sandbox.run(["undo", "api", "--yes"]).ok();
    let said = "removed 1 key: \"a second\"\n";
    assert!(run.stderr.contains(said), "{run:#?}");
    let run = sandbox.run(["delete", "api", "my key", "--yes", "--force"]);
    let said = "deleted 1 key of set api: \"my key\"\n";
    assert!(run.ok().stderr.contains(said));
}

/// The name of a curve is not a mistyped algorithm.
#[test]
fn a_curve_in_place_of_an_algorithm_is_told_apart() {
    let sandbox = sandbox();
    for (line, words) in [
        (
            "create new --alg X25519",
            "X25519 is a curve, not an algorithm",
        ),
        ("create new --alg X25519", "takes --crv X25519"),
        (
            "set api --alg p-256",
            "algorithms for this curve: ES256, ECDH-ES",
        ),
        ("create new --alg ed25519", "did you mean Ed25519?"),
    ] {
        let run = sandbox.run(line.split(' ')).fails(2);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
    }
    sandbox.ok(["create", "new", "--crv", "X25519"]);
}

#[test]
fn standard_input_that_is_a_terminal_is_announced() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = sandbox();
    for line in ["jwks set new -", "jwks check -", "jwks thumbprint -"] {
        let run = on_terminal(&sandbox, line, "", &[]);
        let said = "reading standard input; end it with Ctrl-D";
        assert_eq!(run.stdout.matches(said).count(), 1, "{line}: {run:#?}");
    }
    for line in [
        "jwks create new --encrypt --p2c 1000 --passphrase-file -",
        "jwks export api --private --to pem --password-file - -o new.pem",
    ] {
        let run = on_terminal(&sandbox, line, "", &[]);
        let said = "reading standard input; end it with Ctrl-D";
        assert_eq!(run.stdout.matches(said).count(), 1, "{line}: {run:#?}");
    }
    let run = sandbox.run_with_input(["check", "-"], "{\"keys\":[]}").ok();
    assert!(!run.stderr.contains("reading"), "{run:#?}");
}

/// One line for a change, and headings that stand in one line.
#[test]
fn tables_are_readable_on_narrow_terminals() {
    if !has_tool("setsid") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok("create api --kid signing-key-1".split(' '));
    sandbox.ok(["create", "api"]);
    sandbox.ok("create hydra.openid.id-token --exp +30d".split(' '));
    sandbox.ok("get api --private".split(' '));
    sandbox.ok("delete api signing-key-1 --yes".split(' '));
    let bad = r#"{"keys":[{"kty":"oct","k":"AA==","kid":"IJpoVxD8JCzHaIVibTVs4cC8BmE9g0EDfSeHJ76dxec"}]}"#;
    sandbox.write("bad.json", bad);
    for width in [79, 60, 40] {
        for (line, number, shown) in [
            ("jwks log", 6, "sign"),
            ("jwks log api", 5, "sign"),
            ("jwks list", 3, "ACTIVE"),
        ] {
            let line = format!("stty cols {width}; {line}");
            let run = on_terminal(&sandbox, &line, "", &[("NO_COLOR", "1")]).ok();
            let lines: Vec<_> = run.stdout.lines().map(str::trim_end).collect();
            assert_eq!(lines.len(), number, "{line}: {run:#?}");
            assert!(lines.iter().all(|line| line.chars().count() <= width));
            assert!(run.stdout.contains(shown), "{line}: {run:#?}");
        }
        let line = format!("stty cols {width}; jwks check bad.json");
        let run = on_terminal(&sandbox, &line, "", &[("NO_COLOR", "1")]);
        let lines: Vec<_> = run.stdout.lines().map(str::trim_end).collect();
        assert!(lines.len() < 12, "{line}: {run:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= width));
    }
}
