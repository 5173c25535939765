//! What a shell gets when somebody presses Tab, asked of the engine as the scripts ask it.

use crate::support::{Run, Sandbox, finish, has_tool};
use std::collections::HashSet;

/// What bash breaks words at by default.
const BREAKS: &str = " \t\n\"'@><=;|&(:";

/// Completes the last of the words, as all shells but bash ask for it.
fn ask(sandbox: &Sandbox, words: &[&str]) -> Run {
    let run = sandbox
        .run(["__complete", "fish"].iter().chain(&words[1..]))
        .ok();
    assert_eq!(run.stderr, "", "completion says nothing: {run:#?}");
    run
}

/// The candidates.
pub fn complete(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let run = ask(sandbox, words);
    let lines = run.stdout.lines().skip(1);
    let values = lines.map(|line| line.split('\t').next().unwrap_or_default());
    values.map(str::to_owned).collect()
}

/// What bash inserts for a line that ends at the cursor.
fn replies(sandbox: &Sandbox, line: &str) -> Vec<String> {
    let run = sandbox.run(["__complete", "bash", line, BREAKS]).ok();
    run.stdout.lines().map(str::to_owned).collect()
}

fn two_sets() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "alpha"]);
    sandbox.ok([
        "create", "api", "--kid", "beta", "--alg", "RS256", "--nbf", "+1h",
    ]);
    sandbox.ok(["create", "web", "--kid", "gamma"]);
    sandbox
}

#[test]
fn commands_sets_and_their_keys() {
    let sandbox = two_sets();
    assert_eq!(complete(&sandbox, &["jwks", "th"]), ["thumbprint"]);
    for command in [
        "create",
        "list",
        "get",
        "set",
        "delete",
        "export",
        "rotate",
        "check",
        "thumbprint",
        "sign",
        "verify",
    ] {
        let found = complete(&sandbox, &["jwks", command, ""]);
        assert!(
            found.contains(&"api".into()) && found.contains(&"web".into()),
            "{command}: {found:?}"
        );
    }
    assert_eq!(complete(&sandbox, &["jwks", "get", "a"]), ["api"]);
    let sign = |option| complete(&sandbox, &["jwks", "sign", "api", option, ""]);
    assert_eq!(sign("--kid"), ["alpha", "beta"]);
    assert_eq!(sign("--line"), ["ES256", "RS256"]);
    for command in ["get", "delete", "export", "thumbprint"] {
        assert_eq!(
            complete(&sandbox, &["jwks", command, "api", ""]),
            ["alpha", "beta"],
            "{command}"
        );
    }
    assert_eq!(complete(&sandbox, &["jwks", "get", "api", "b"]), ["beta"]);
    assert_eq!(complete(&sandbox, &["jwks", "get", "web", ""]), ["gamma"]);
    assert_eq!(
        complete(&sandbox, &["jwks", "delete", "api", "alpha", "b"]),
        ["beta"]
    );
    assert_eq!(
        complete(&sandbox, &["jwks", "set", "api", "--kid", ""]),
        ["alpha", "beta"]
    );
}

#[test]
fn a_rotation_knows_sets_lines_keys_and_remotes() {
    let sandbox = two_sets();
    sandbox.ok(["create", "api", "--kid", "delta", "--alg", "ECDH-ES"]);
    for (name, kind) in [("prod", "hydra"), ("test", "hydra-v1")] {
        let url = "https://keys.example";
        sandbox.ok(["remote", "add", name, "--kind", kind, "--url", url]);
    }
    let ask = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        complete(&sandbox, &words)
    };
    assert_eq!(ask("jwks rotate a"), ["api"]);
    assert_eq!(ask("jwks rotate api w"), ["web"]);
    assert_eq!(ask("jwks rotate --every 30d w"), ["web"]);
    assert_eq!(
        ask("jwks rotate api --line "),
        ["ECDH-ES", "ES256", "RS256"]
    );
    assert_eq!(ask("jwks rotate api --line ES256 --line R"), ["RS256"]);
    assert_eq!(ask("jwks rotate web --line "), ["ES256"]);
    assert_eq!(
        ask("jwks rotate api --compromised "),
        ["alpha", "beta", "delta"]
    );
    assert_eq!(ask("jwks rotate web --compromised g"), ["gamma"]);
    assert_eq!(
        ask("jwks rotate api --compromised alpha --compromised b"),
        ["beta"]
    );
    assert_eq!(ask("jwks rotate api --push "), ["prod", "test"]);
    assert_eq!(ask("jwks rotate --all --push p"), ["prod"]);
    assert_eq!(ask("jwks push --all p"), ["prod"]);
    assert_eq!(ask("jwks pull --all p"), ["prod"]);
    assert_eq!(ask("jwks rotate api --use "), ["sig", "enc"]);
    assert_eq!(ask("jwks rotate api --crv P-2"), ["P-256"]);
    // Only algorithms that keys are made for.
    let made = ask("jwks create new --alg ");
    assert_eq!(ask("jwks rotate api --alg "), made);
    assert!(made.len() < ask("jwks get api --alg ").len(), "{made:?}");
    assert_eq!(ask("jwks rotate api --comp"), ["--compromised"]);
    // Where no set stands on the line, or one that is not there, there is nothing to name.
    for words in ["jwks rotate --line ", "jwks rotate none --compromised "] {
        assert!(ask(words).is_empty(), "{words}");
    }
}

#[test]
fn keys_come_with_algorithm_and_state() {
    let run = ask(&two_sets(), &["jwks", "get", "api", ""]);
    assert_eq!(
        run.stdout,
        "words\t\nalpha\tES256 active\nbeta\tRS256 pending\n"
    );
}

#[test]
fn the_store_on_the_line_counts() {
    let sandbox = two_sets();
    let elsewhere = sandbox.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().expect("UTF-8");
    sandbox.ok(["--store", elsewhere, "create", "other", "--kid", "delta"]);
    assert_eq!(
        complete(&sandbox, &["jwks", "--store", elsewhere, "get", ""]),
        ["other"]
    );
    assert_eq!(
        complete(
            &sandbox,
            &["jwks", "get", "--store", elsewhere, "other", ""]
        ),
        ["delta"]
    );
}

#[test]
fn values_of_options() {
    let sandbox = Sandbox::new();
    let ask = |words: &[&str]| complete(&sandbox, words);
    assert_eq!(
        ask(&["jwks", "create", "x", "--alg", "ES2"]),
        ["ES256", "ES256K"]
    );
    assert_eq!(
        ask(&["jwks", "create", "x", "--crv", "X"]),
        ["X25519", "X448"]
    );
    assert_eq!(ask(&["jwks", "create", "x", "--kty", "o"]), ["oct"]);
    assert_eq!(
        ask(&["jwks", "create", "x", "--kid-from", ""]),
        ["thumbprint", "uuid", "date", "spki", "x5t", "x5t#S256"]
    );
    assert_eq!(
        ask(&["jwks", "create", "x", "--key-ops", "sign,ver"]),
        ["sign,verify"]
    );
    assert_eq!(
        ask(&["jwks", "export", "x", "--to", "p"]),
        ["pem", "pkcs1", "pkcs1-der", "pkcs12"]
    );
    assert_eq!(
        ask(&["jwks", "list", "--format", ""]),
        ["table", "json", "names"]
    );
    assert_eq!(ask(&["jwks", "get", "x", "--state", "p"]), ["pending"]);
    assert_eq!(ask(&["jwks", "completion", "f"]), ["fish"]);
    assert_eq!(ask(&["jwks", "man", "th"]), ["thumbprint"]);
    // Options come when somebody types a dash.
    assert_eq!(ask(&["jwks", "get", "x", "--pri"]), ["--private"]);
}

#[test]
fn what_a_rotation_is_about() {
    let sandbox = two_sets();
    for name in ["prod", "test"] {
        let add = format!("remote add {name} --kind url --url https://{name}.example/jwks.json");
        sandbox.ok(add.split(' '));
    }
    let ask = |line: &str| complete(&sandbox, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(ask("jwks rotate w"), ["web"]);
    assert_eq!(ask("jwks rotate api w"), ["web"]);
    assert_eq!(ask("jwks rotate api --line "), ["ES256", "RS256"]);
    assert_eq!(ask("jwks rotate api --line ES256 --line R"), ["RS256"]);
    assert_eq!(ask("jwks rotate web --line "), ["ES256"]);
    assert_eq!(ask("jwks rotate api --use "), ["sig", "enc"]);
    assert_eq!(ask("jwks rotate api --compromised "), ["alpha", "beta"]);
    assert_eq!(ask("jwks rotate api --compromised b"), ["beta"]);
    assert_eq!(ask("jwks rotate api --push "), ["prod", "test"]);
    assert_eq!(ask("jwks rotate api --every 30d --push p"), ["prod"]);
    assert_eq!(ask("jwks rotate api --crv P-2"), ["P-256"]);
    assert_eq!(ask("jwks rotate api --alg ES2"), ["ES256", "ES256K"]);
    // As for create: of what no keys are made there is nothing to move to.
    let algorithms = ask("jwks create api --alg ");
    assert_eq!(ask("jwks rotate api --alg "), algorithms);
}

#[test]
fn files_where_files_are_meant() {
    let sandbox = two_sets();
    let kind = |words: &[&str]| {
        let run = ask(&sandbox, words);
        run.stdout.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(kind(&["jwks", "set", "api", "ke"]), "files\t");
    assert_eq!(kind(&["jwks", "check", "ke"]), "files\t");
    assert_eq!(kind(&["jwks", "get", "ke"]), "files\t");
    assert_eq!(kind(&["jwks", "diff", "api", "ke"]), "files\t");
    assert_eq!(kind(&["jwks", "rotate", "ke"]), "words\t");
    assert_eq!(kind(&["jwks", "export", "api", "-o", "ke"]), "files\t");
    assert_eq!(
        kind(&["jwks", "export", "api", "--output=ke"]),
        "files\t--output="
    );
    assert_eq!(kind(&["jwks", "export", "api", "-foke"]), "files\t-fo");
    assert_eq!(kind(&["jwks", "--store", "ke"]), "directories\t");
    // bash gets the files themselves: it cannot join its own with the sets.
    sandbox.write("key.pem", "");
    sandbox.write("api keys/a.pem", "");
    sandbox.write(".hidden", "");
    assert_eq!(replies(&sandbox, "jwks set api ke"), ["key.pem "]);
    assert_eq!(replies(&sandbox, "jwks check ap"), ["api", "api\\ keys/"]);
    assert_eq!(replies(&sandbox, "jwks thumbprint ./ke"), ["./key.pem "]);
    assert_eq!(replies(&sandbox, "jwks set api ~/ke"), ["~/key.pem "]);
    // bash is asked for what only it knows.
    assert_eq!(replies(&sandbox, "jwks set api '~/ke"), ["\t"]);
    assert_eq!(replies(&sandbox, "jwks set api $HOME/ke"), ["\t"]);
    assert_eq!(replies(&sandbox, "jwks set api 'api k"), ["api keys/"]);
    assert_eq!(
        replies(&sandbox, "jwks set api api\\ keys/"),
        ["api\\ keys/a.pem "]
    );
    assert_eq!(
        replies(&sandbox, "jwks export api --output=ke"),
        ["key.pem "]
    );
    assert_eq!(replies(&sandbox, "jwks export api -foke"), ["-fokey.pem "]);
    assert_eq!(replies(&sandbox, "jwks get api 2>ke"), ["key.pem "]);
    assert_eq!(replies(&sandbox, "jwks get >ke ap"), ["api", "api\\ keys/"]);
    assert_eq!(replies(&sandbox, "jwks --store ap"), ["api\\ keys/"]);
    assert_eq!(replies(&sandbox, "jwks set api .h"), [".hidden "]);
}

/// The options of a command come before the global ones. What was given and cannot be repeated is not
/// offered again.
#[test]
fn options_and_values_are_offered_once() {
    let sandbox = two_sets();
    for name in ["prod", "test"] {
        let add = format!("remote add {name} --kind url --url https://{name}.example/jwks.json");
        sandbox.ok(add.split(' '));
    }
    let ask = |line: &str| complete(&sandbox, &line.split(' ').collect::<Vec<_>>());
    let options = ask("jwks delete api --");
    let place = |name: &str| options.iter().position(|option| option == name);
    assert_eq!(options[0], "--expired");
    assert!(place("--help") < place("--store"), "{options:?}");
    for line in [
        "jwks delete api --",
        "jwks export api -",
        "jwks -",
        "jwks remote add x --",
    ] {
        let options = ask(line);
        assert!(options.len() > 5, "{line}: {options:?}");
        let different: HashSet<_> = options.iter().collect();
        assert_eq!(different.len(), options.len(), "{line}: {options:?}");
    }
    assert_eq!(ask("jwks delete api --expired --if-exists --e"), [""; 0]);
    assert_eq!(
        ask("jwks rotate api --compromised alpha --compr"),
        ["--compromised"]
    );
    assert_eq!(ask("jwks --json list --js"), [""; 0]);
    assert_eq!(ask("jwks delete api alpha "), ["beta"]);
    assert_eq!(ask("jwks rotate api "), ["web"]);
    assert_eq!(ask("jwks create x --key-ops sign,verify,s"), [""; 0]);
    assert_eq!(ask("jwks pull --all "), ["prod", "test"]);
    assert_eq!(ask("jwks rotate --all "), [""; 0]);
    assert_eq!(ask("jwks man remote t"), ["test"]);
    assert_eq!(ask("jwks man create "), [""; 0]);
    // A single dash offers long names, and a short one only where it is typed.
    let dash = ask("jwks export api -");
    assert!(dash.iter().all(|name| name.starts_with("--")), "{dash:?}");
    assert_eq!(ask("jwks export api -o"), ["-o"]);
    // Nothing but values after `--`, and no option unless somebody types a dash.
    assert_eq!(ask("jwks get api -- --"), [""; 0]);
    assert_eq!(ask("jwks list api "), [""; 0]);
    assert_eq!(ask("jwks get api --alg=ES256K"), ["--alg=ES256K"]);
    assert_eq!(ask("jwks diff api prod:a"), ["prod:api"]);
    assert_eq!(ask("jwks diff api none:"), [""; 0]);
    assert_eq!(ask("jwks help rot"), ["rotate", "rotation"]);
    assert_eq!(ask("jwks help remote a"), ["add"]);
    assert_eq!(ask("jwks rem"), ["remote"]);
    assert_eq!(ask("jwks ls"), ["ls"]);
}

/// A set with keys of these kids.
fn with_kids(kids: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let key = |kid: &&str| {
        let kid = serde_json::Value::from(*kid);
        format!("{{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"kid\":{kid}}}")
    };
    let keys: Vec<_> = kids.iter().map(key).collect();
    let file = sandbox.write("kids.json", format!("{{\"keys\":[{}]}}", keys.join(",")));
    sandbox.ok(["set", "v", &file]);
    sandbox
}

/// Every kid that can be shown is offered, and bash's own reading of a reply is the kid.
#[test]
fn bash_reads_each_reply_as_the_kid() {
    let kids = [
        "$(touch x)",
        "`touch x`",
        "a b",
        "a;b",
        "a|b",
        "*",
        "a'b",
        "a\"b",
        "a\\b",
        "~root",
        "a:b",
        "a&b",
        "a>b",
        "#a",
        "!x",
        "{a,b}",
        "ä",
        "'",
        "''",
        "\"",
        "=a",
        "a\\",
        "$'a'",
        "^a^b",
        "a~",
        "-- ",
        "( )",
        "日本 語",
    ];
    let sandbox = with_kids(&[&kids[..], &["a\u{1b}[31m", "a\nb", "a\u{202e}b", "--yes"]].concat());
    let offered: HashSet<_> = complete(&sandbox, &["jwks", "get", "v", "--", ""])
        .into_iter()
        .collect();
    let expected: HashSet<_> = kids
        .iter()
        .chain(&["--yes"])
        .map(|kid| (*kid).to_owned())
        .collect();
    assert_eq!(offered, expected);
    if !has_tool("bash") {
        return;
    }
    let numbered: Vec<_> = (10..)
        .zip(kids)
        .map(|(n, kid)| format!("{n}{kid}"))
        .collect();
    let numbered: Vec<&str> = numbered.iter().map(String::as_str).collect();
    let sandbox = with_kids(&numbered);
    let (mut script, mut expected) = (String::new(), String::new());
    for kid in numbered {
        for quote in ["", "'", "\""] {
            let replies = replies(&sandbox, &format!("jwks get v {quote}{}", &kid[..2]));
            let [reply] = &*replies else {
                panic!("{kid}: {replies:?}")
            };
            // As readline does, unless the last character is this quote.
            let end = if reply.ends_with(quote) { "" } else { quote };
            script += &format!("printf '%s\\n' {quote}{reply}{end}\n");
            expected += &format!("{kid}\n");
        }
    }
    let mut bash = sandbox.command("bash");
    let read = finish(bash.args(["--norc", "-c", &script])).ok().stdout;
    assert_eq!(read, expected);
    assert!(!sandbox.path().join("x").exists());
}

/// The program would take such a kid for an option, so the key is offered by its thumbprint.
#[test]
fn a_kid_that_looks_like_an_option() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid=--yes"]);
    let thumbprint = sandbox.ok(["thumbprint", "api"]);
    let thumbprint = thumbprint.trim_end();
    if !thumbprint.starts_with('-') {
        assert_eq!(
            complete(&sandbox, &["jwks", "get", "api", ""]),
            [thumbprint]
        );
        sandbox.ok(["get", "api", thumbprint]);
    }
    assert_eq!(
        complete(&sandbox, &["jwks", "get", "api", "--", ""]),
        ["--yes"]
    );
    let by_option = ["jwks", "rotate", "api", "--compromised", ""];
    assert_eq!(complete(&sandbox, &by_option), ["--yes"]);
    let attached = ["jwks", "rotate", "api", "--compromised=-"];
    assert_eq!(complete(&sandbox, &attached), ["--compromised=--yes"]);
}

/// bash inserts what its candidates have in common, so that is never half of an escaped character.
#[test]
fn what_replies_have_in_common_can_be_inserted() {
    let sandbox = with_kids(&["a b", "a$c", "x\\1", "x\"2"]);
    assert_eq!(replies(&sandbox, "jwks get v a"), ["a' 'b", "a\\$c"]);
    assert_eq!(
        replies(&sandbox, "jwks get v \"x"),
        ["x\"'\\'\"1", "x\\\"2"]
    );
}

/// bash replaces only what stands behind the last character at which it breaks words.
#[test]
fn bash_gets_the_part_that_it_replaces() {
    let sandbox = with_kids(&["urn:x:1", "urn:x:2"]);
    assert_eq!(replies(&sandbox, "jwks get v u"), ["urn:x:1", "urn:x:2"]);
    assert_eq!(replies(&sandbox, "jwks get v urn:x:"), ["1", "2"]);
    assert_eq!(replies(&sandbox, "jwks get v urn:x:1"), ["1 "]);
    assert_eq!(replies(&sandbox, "jwks get v urn\\:x:1"), ["1 "]);
    assert_eq!(replies(&sandbox, "jwks get v urn\\:x\\:1"), ["urn:x:1 "]);
    assert_eq!(replies(&sandbox, "jwks get v 'urn:x:1"), ["urn:x:1"]);
    assert_eq!(replies(&sandbox, "jwks get v 'urn:'x:1"), ["1 "]);
    assert_eq!(replies(&sandbox, "jwks get v --alg=HS25"), ["HS256 "]);
    assert_eq!(replies(&sandbox, "jwks get v --alg"), ["--alg "]);
    let run = sandbox
        .run(["__complete", "bash", "jwks get v urn:x:1", " "])
        .ok();
    assert_eq!(run.stdout, "urn:x:1 \n");
}

/// Whatever is wrong, a shell in the middle of a line hears nothing of it.
#[test]
fn nothing_is_said_where_something_is_wrong() {
    let sandbox = Sandbox::new();
    let offers_nothing = |words: &[&str]| {
        let found = complete(&sandbox, words);
        assert!(found.is_empty(), "{words:?}: {found:?}");
    };
    offers_nothing(&["jwks", "get", "../x", ""]);
    assert!(!sandbox.store().exists(), "completion creates nothing");
    std::fs::create_dir(sandbox.store()).expect("a directory");
    std::fs::write(sandbox.set_file("broken"), "{").expect("a file");
    offers_nothing(&["jwks", "get", "broken", ""]);
    offers_nothing(&["jwks", "get", "none", ""]);
    // A file that never ends, and one that is too large.
    sandbox
        .shell("mkfifo store/pipe.json; truncate -s 400M store/large.json")
        .ok();
    offers_nothing(&["jwks", "get", "pipe", ""]);
    offers_nothing(&["jwks", "get", "large", ""]);
    for arguments in [
        &["__complete"][..],
        &["__complete", "bash"],
        &["__complete", "bash", "jwks get '"],
        &["__complete", "bash", "", ""],
        &["__complete", "fish"],
        &["__complete", "fish", "--", "--x=", "-", "--store"],
    ] {
        let run = sandbox.run(arguments);
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
    }
}

/// The words of the public part are enough: completion never asks for a passphrase.
#[test]
fn an_encrypted_set_is_completed_without_its_passphrase() {
    let sandbox = Sandbox::new();
    sandbox.write("passphrase", "correct horse");
    let create = "create api --kid alpha --encrypt --p2c 1000 --passphrase-file passphrase";
    sandbox.ok(create.split(' '));
    assert_eq!(complete(&sandbox, &["jwks", "get", "api", ""]), ["alpha"]);
}

/// `undo` and `forget` know the sets that are gone, and `restore` the times.
#[test]
fn deleted_sets_and_their_versions() {
    let sandbox = Sandbox::new();
    sandbox.ok("create old --kid one --now -3h".split(' '));
    sandbox.ok("create old --kid two --now -2h".split(' '));
    sandbox.ok("delete old --yes --force --now -1h".split(' '));
    assert_eq!(complete(&sandbox, &["jwks", "undo", "o"]), ["old"]);
    assert_eq!(complete(&sandbox, &["jwks", "forget", ""]), ["old"]);
    assert_eq!(complete(&sandbox, &["jwks", "get", ""]), [""; 0]);
    assert_eq!(complete(&sandbox, &["jwks", "restore", "o"]), ["old@"]);
    assert_eq!(replies(&sandbox, "jwks restore o"), ["old@"]);
    let times = complete(&sandbox, &["jwks", "restore", "old@"]);
    assert_eq!(times.len(), 2, "{times:?}");
    for (version, kids) in times.iter().zip([&["one", "two"][..], &["one"]]) {
        sandbox.ok(["restore", version, "--yes"]);
        assert_eq!(complete(&sandbox, &["jwks", "get", "old", ""]), kids);
    }
    assert_eq!(complete(&sandbox, &["jwks", "restore", "none@"]), [""; 0]);
    assert_eq!(complete(&sandbox, &["jwks", "restore", "../x@"]), [""; 0]);
}
