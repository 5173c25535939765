//! Tab in the real shells, on a terminal. Each is set up as `jwks completion --install` says, and runs
//! the completed line with a program that notes the words it was given.

use crate::support::terminal::Typist;
use crate::support::{JWKS, Sandbox, has_tool, named_by, wait_until};
use std::time::{Duration, Instant};

/// A Tab, and the words of the line that is then run.
type Case = (&'static str, &'static [&'static str]);

/// Kids that mean something to a shell.
const KIDS: &[&str] = &[
    "$(touch x)",
    "`touch x`",
    "a b",
    "b;c",
    "c|d",
    "*",
    "e'f",
    "g\"h",
    "I\\j",
    "~root",
    "--yes",
    "urn:x:1",
    "urn:x:2",
    "public:KID",
    "k/l+m=@n",
    "o&p",
    "q>r",
    "#s",
    "!t",
    "{u,v}",
    "[w]",
    "=eq",
    "%y",
    "日本 語",
    "it's \"$HOME\"",
    "z$1",
    "z`2",
    "a\u{1b}[31mb",
    "a\nb",
];

/// Lines that each shell takes alike.
const CASES: &[Case] = &[
    ("jwks get v '$(\t", &["get", "v", "$(touch x)"]),
    ("jwks get v '`\t", &["get", "v", "`touch x`"]),
    ("jwks get v 'a\t", &["get", "v", "a b"]),
    ("jwks get v \"a\t", &["get", "v", "a b"]),
    ("jwks get v b\t", &["get", "v", "b;c"]),
    ("jwks get v c\t", &["get", "v", "c|d"]),
    ("jwks get v '*\t", &["get", "v", "*"]),
    ("jwks get v e\t", &["get", "v", "e'f"]),
    ("jwks get v g\t", &["get", "v", "g\"h"]),
    ("jwks get v I\t", &["get", "v", "I\\j"]),
    ("jwks get v '~\t", &["get", "v", "~root"]),
    ("jwks get v -- --\t", &["get", "v", "--", "--yes"]),
    ("jwks get v urn:x:2\t", &["get", "v", "urn:x:2"]),
    ("jwks get v pub\t", &["get", "v", "public:KID"]),
    ("jwks get v k\t", &["get", "v", "k/l+m=@n"]),
    ("jwks get v o\t", &["get", "v", "o&p"]),
    ("jwks get v q\t", &["get", "v", "q>r"]),
    ("jwks get v '#\t", &["get", "v", "#s"]),
    ("jwks get v '!\t", &["get", "v", "!t"]),
    ("jwks get v '{\t", &["get", "v", "{u,v}"]),
    ("jwks get v '[\t", &["get", "v", "[w]"]),
    ("jwks get v '=\t", &["get", "v", "=eq"]),
    ("jwks get v '%\t", &["get", "v", "%y"]),
    ("jwks get v 日\t", &["get", "v", "日本 語"]),
    ("jwks get v \"it\t", &["get", "v", "it's \"$HOME\""]),
    (
        "jwks export v --to=pkcs12\t",
        &["export", "v", "--to=pkcs12"],
    ),
    ("jwks create v --alg=RS2\t", &["create", "v", "--alg=RS256"]),
    ("jwks diff v prod:\t", &["diff", "v", "prod:v"]),
    // Nothing fits, and nothing is inserted.
    ("jwks get v zz\t", &["get", "v", "zz"]),
    ("jwks list v \t", &["list", "v"]),
    // Files.
    (
        "jwks set new ~/keys/m\t",
        &["set", "new", "~/keys/mine.pem"],
    ),
    (
        "jwks export v -o ~/keys/m\t",
        &["export", "v", "-o", "~/keys/mine.pem"],
    ),
    (
        "jwks export v --output=fi\t",
        &["export", "v", "--output=file.pem"],
    ),
    ("jwks set new 'my f\t", &["set", "new", "my file.pem"]),
    ("jwks set new \"my f\t", &["set", "new", "my file.pem"]),
    ("jwks --store di\t", &["--store", "directory"]),
];

/// Lines for shells that quote with a backslash.
const BACKSLASHES: &[Case] = &[
    ("jwks get v \\$\t", &["get", "v", "$(touch x)"]),
    ("jwks get v \\~\t", &["get", "v", "~root"]),
    ("jwks set new my\\ f\t", &["set", "new", "my file.pem"]),
    // The part that the kids have in common ends before a special character.
    ("jwks get v z\t1", &["get", "v", "z1"]),
    ("jwks get v u\t2", &["get", "v", "urn:x:2"]),
];

/// A keystore with the kids, files to complete, and a `jwks` that notes its words if it is not asked for
/// completions.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let key = |(index, kid): (usize, &&str)| {
        let kid = serde_json::Value::from(*kid);
        format!(
            "{{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAA{:02}\",\"kid\":{kid}}}",
            index * 4 % 100
        )
    };
    let keys: Vec<_> = KIDS.iter().enumerate().map(key).collect();
    let file = sandbox.write("kids.json", format!("{{\"keys\":[{}]}}", keys.join(",")));
    sandbox.ok(["set", "v", &file, "--allow-invalid"]);
    sandbox.ok("remote add prod --kind url --url https://example.com/jwks.json".split(' '));
    for file in [
        "keys/mine.pem",
        "file.pem",
        "my file.pem",
        "directory/within",
    ] {
        sandbox.write(file, "");
    }
    let program = format!(
        "#!/bin/sh
if [ \"$1\" = __complete ]; then exec '{JWKS}' \"$@\"; fi
printf '%s\\n' \"$@\" > \"$HOME/words.new\"
mv \"$HOME/words.new\" \"$HOME/words\"
"
    );
    sandbox.write("jwks", program);
    sandbox
        .shell("mkdir bin && install -m 755 jwks bin/jwks")
        .ok();
    sandbox
}

/// Installs the completion of a shell and returns what is then to be done.
fn install(sandbox: &Sandbox, shell: &str) -> String {
    let report = sandbox.json(["completion", "--install", shell, "--json"]);
    let path = report["path"].as_str().expect("a path");
    assert!(std::path::Path::new(path).is_file(), "{path}");
    let next = report["next"].as_str().unwrap_or_default();
    next.rsplit_once(": ").unwrap_or_default().1.to_owned()
}

/// The time between two Enters.
const PAUSE: Duration = Duration::from_millis(300);

/// The number of Enters after which the typed keys are lost.
const ENTERS: usize = 10;

/// Presses Tab in a shell, runs each line, and compares its words.
fn try_cases(sandbox: &Sandbox, shell: &[&str], environment: &[(&str, &str)], cases: &[Case]) {
    let home = sandbox.path().to_str().expect("UTF-8");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{home}/bin:{path}");
    let environment = [environment, &[("PATH", &*path)]].concat();
    let mut typist = Typist::start(sandbox, shell, &environment);
    let words = sandbox.path().join("words");
    for (keys, expected) in cases {
        typist.type_keys(keys);
        // Where the shell shows a choice, the first Enter only takes it. One Enter too many is an empty
        // line. A shell that runs a command, or has not read the last Enter, gets no other, or it would
        // still have many to read when the next keys come.
        let mut pressed: Option<Instant> = None;
        let mut enters = 0;
        wait_until(&format!("{shell:?} runs {keys:?}"), || {
            if typist.reads_keys() && pressed.is_none_or(|at| at.elapsed() > PAUSE) {
                // A busy shell can forget keys that it reads together with an Enter.
                if enters == ENTERS {
                    typist.clear_line();
                    typist.type_keys(keys);
                    enters = 0;
                }
                typist.press("\r");
                pressed = Some(Instant::now());
                enters += 1;
            }
            words.exists()
        });
        let ran = std::fs::read_to_string(&words).expect("the words");
        let ran: Vec<_> = ran.lines().map(|word| word.trim_end_matches('/')).collect();
        let whole = |word: &&str| match word.strip_prefix("~/") {
            Some(below) => format!("{home}/{below}"),
            None => (*word).to_owned(),
        };
        let expected: Vec<_> = expected.iter().map(whole).collect();
        assert_eq!(ran, expected, "{shell:?}: {keys:?}\n{}", typist.shown());
        std::fs::remove_file(&words).expect("the words");
    }
    assert!(!sandbox.path().join("x").exists(), "{shell:?} ran a kid");
}

fn all() -> Vec<Case> {
    [CASES, BACKSLASHES].concat()
}

#[test]
fn bash_completes() {
    if !has_tool("setsid") || !has_tool("bash") {
        return;
    }
    let sandbox = sandbox();
    let line = install(&sandbox, "bash");
    assert!(line.starts_with("source "), "{line}");
    sandbox.write(".bashrc", &line);
    try_cases(&sandbox, &["bash", "-i"], &[], &all());
    let by_variable: Case = (
        "jwks set new $HOME/keys/m\t",
        &["set", "new", "~/keys/mine.pem"],
    );
    try_cases(&sandbox, &["bash", "-i"], &[], &[by_variable]);
    // The package bash-completion loads the script by itself.
    let package = "/usr/share/bash-completion/bash_completion";
    if std::path::Path::new(package).exists() || std::env::var_os("JWKS_TEST_ALL").is_some() {
        sandbox.write(".bashrc", format!("source {package}"));
        try_cases(&sandbox, &["bash", "-i"], &[], &all());
    }
}

/// bash 3.2, which macOS has, lacks these. The real one is tested where `JWKS_TEST_BASH_3_2` names it.
#[test]
fn an_old_bash_completes() {
    if !has_tool("setsid") || !has_tool("bash") {
        return;
    }
    let sandbox = sandbox();
    let line = install(&sandbox, "bash");
    let old = "enable -n compopt mapfile readarray
complete() { [[ $* != *nosort* ]] && builtin complete \"$@\"; }";
    sandbox.write(".bashrc", format!("{old}\n{line}"));
    try_cases(&sandbox, &["bash", "-i"], &[], &all());
    if let Ok(bash) = std::env::var("JWKS_TEST_BASH_3_2") {
        sandbox.write(".bashrc", line);
        // It takes the word after any backquote for a command and asks nobody.
        let mut cases = all();
        cases.retain(|(keys, _)| !keys.contains('`'));
        try_cases(&sandbox, &[&bash, "-i"], &[], &cases);
    }
}

#[test]
fn zsh_completes() {
    if !has_tool("setsid") || !has_tool("zsh") {
        return;
    }
    let sandbox = sandbox();
    let line = install(&sandbox, "zsh");
    sandbox.write(".zshrc", line);
    try_cases(&sandbox, &["zsh", "-i"], &[], &all());
}

#[test]
fn fish_completes() {
    if !has_tool("setsid") || !has_tool("fish") {
        return;
    }
    let sandbox = sandbox();
    assert_eq!(install(&sandbox, "fish"), "");
    // Without this directory, fish reads all manual pages of the machine in the background.
    let generated = sandbox
        .path()
        .join(".local/share/fish/generated_completions");
    std::fs::create_dir_all(generated).expect("a directory");
    try_cases(&sandbox, &["fish", "-i"], &[], &all());
}

#[test]
fn elvish_completes() {
    if !has_tool("setsid") || !has_tool("elvish") {
        return;
    }
    let sandbox = sandbox();
    let line = install(&sandbox, "elvish");
    sandbox.write(".config/elvish/rc.elv", line);
    try_cases(&sandbox, &["elvish"], &[], CASES);
}

/// Its package comes from npm, so its path is in the environment.
#[test]
fn nushell_completes() {
    let Some(nushell) = named_by("JWKS_TEST_NUSHELL").filter(|_| has_tool("setsid")) else {
        return;
    };
    let sandbox = sandbox();
    assert_eq!(install(&sandbox, "nushell"), "");
    sandbox.write(
        ".config/nushell/config.nu",
        "$env.config.show_banner = false",
    );
    try_cases(&sandbox, &[&nushell, "-i"], &[], CASES);
}

/// A file of somebody else stays; an own one is replaced.
#[test]
fn an_installation_replaces_only_its_own_script() {
    let sandbox = Sandbox::new();
    let shells = ["bash", "zsh", "fish", "elvish", "nushell", "powershell"];
    for shell in shells {
        let report = sandbox.json(["completion", "--install", shell, "--json"]);
        let path = report["path"].as_str().expect("a path");
        let script = sandbox.ok(["completion", shell]);
        let read = || std::fs::read_to_string(path).expect("the script");
        assert_eq!(read(), script);
        std::fs::write(path, format!("{script}\n# of an earlier version\n")).expect("a file");
        let run = sandbox.run(["completion", "--install", shell]).ok();
        assert!(run.stderr.contains(path), "{run:#?}");
        assert_eq!((run.stdout.as_str(), read()), ("", script));
        std::fs::write(path, "# of somebody else\n").expect("a file");
        sandbox.run(["completion", "--install", shell]).fails(4);
        assert_eq!(read(), "# of somebody else\n");
    }
    let mut command = sandbox.command(JWKS);
    command.args(["completion", "--install", "fish"]);
    let elsewhere = sandbox.path().join("settings");
    let run = crate::support::finish(command.env("XDG_CONFIG_HOME", &elsewhere)).ok();
    assert!(
        elsewhere.join("fish/completions/jwks.fish").is_file(),
        "{run:#?}"
    );
}
