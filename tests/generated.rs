//! `man/` is generated from the command definitions and committed. A file that differs is drift:
//! `JWKS_UPDATE=1 cargo test --test generated` writes it anew.

#[path = "support/manual.rs"]
mod manual;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{COMMANDS, REMOTE_COMMANDS, Sandbox, has_tool};

fn at_top(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a committed file with what the program prints, or writes it.
fn check(path: &Path, content: &str) {
    if std::env::var_os("JWKS_UPDATE").is_some() {
        fs::write(path, content).expect("the file is written");
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == content,
        "{} has drifted: JWKS_UPDATE=1 cargo test --test generated",
        path.display()
    );
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("a UTF-8 name")
    };
    entries.map(name).collect()
}

/// The program prints the scripts that are committed.
#[test]
fn the_completion_scripts_are_printed() {
    let sandbox = Sandbox::new();
    let scripts = [
        ("bash", "jwks.bash"),
        ("elvish", "jwks.elv"),
        ("fish", "jwks.fish"),
        ("nushell", "jwks.nu"),
        ("powershell", "jwks.ps1"),
        ("zsh", "_jwks"),
    ];
    for (shell, file) in scripts {
        let script = fs::read_to_string(at_top("completions").join(file)).expect("the script");
        assert_eq!(sandbox.ok(["completion", shell]), script);
    }
    let expected = scripts.map(|(_, file)| file.to_owned()).into();
    assert_eq!(names_in(&at_top("completions")), expected);
}

/// The guides: manual pages that are generated from Markdown.
const GUIDES: &[&str] = &[
    "rotation",
    "servers",
    "formats",
    "pipelines",
    "json",
    "security",
    "contributing",
];

#[test]
fn the_manual_is_up_to_date() {
    let sandbox = Sandbox::new();
    // The picture is checked with the example that makes it.
    let mut expected = BTreeSet::from(["timeline.svg".to_owned()]);
    let below = REMOTE_COMMANDS
        .iter()
        .map(|below| format!("remote-{below}"));
    let commands = COMMANDS.iter().map(|command| (*command).to_owned());
    for command in std::iter::once(String::new()).chain(commands).chain(below) {
        let page = sandbox.ok(["man", &command].iter().filter(|word| !word.is_empty()));
        let file = match &*command {
            "" => "jwks.1".to_owned(),
            command => format!("jwks-{command}.1"),
        };
        check(&at_top("man").join(&file), &page);
        // A page refers to the pages that are related to it, and so never to itself.
        let (_, see_also) = page.split_once(".SH SEE ALSO").expect("references");
        let own = format!("jwks-{command}").replace('-', "\\-");
        assert!(!see_also.contains(&format!("{own}\\fR")), "{command}");
        expected.insert(file);
    }
    // The program knows no page that this test does not.
    let pages = sandbox.run(["man", "none"]).fails(2).stderr;
    let number = expected.len() + GUIDES.len() - 1;
    assert_eq!(pages.matches(", ").count() + 2, number, "{pages}");
    for guide in GUIDES {
        expected.insert(format!("jwks-{guide}.7"));
        expected.insert(format!("jwks-{guide}.7.md"));
    }
    assert_eq!(names_in(&at_top("man")), expected);
}

#[test]
fn the_guides_are_up_to_date() {
    let program = fs::read_to_string(at_top("man/jwks.1")).expect("the page");
    let title = program
        .lines()
        .find_map(|line| line.strip_prefix(".TH JWKS 1 "));
    let title = title.expect("the title of the page");
    for guide in GUIDES {
        let file = format!("man/jwks-{guide}.7");
        let source = fs::read_to_string(at_top(&format!("{file}.md"))).expect("the source");
        check(&at_top(&file), &manual::page(&source, title));
    }
}

/// `jwks man` prints the guides. It has them from the time when it was built.
#[test]
fn the_program_prints_the_guides() {
    let sandbox = Sandbox::new();
    for guide in GUIDES {
        let page = fs::read_to_string(at_top(&format!("man/jwks-{guide}.7"))).expect("the page");
        assert_eq!(sandbox.ok(["man", guide]), page);
        assert_eq!(sandbox.ok(["man", &format!("jwks-{guide}")]), page);
    }
}

#[test]
fn mandoc_accepts_the_guides() {
    if !support::has_tool("mandoc") {
        return;
    }
    for guide in GUIDES {
        let mut mandoc = std::process::Command::new("mandoc");
        mandoc.args(["-T", "lint"]);
        mandoc.arg(at_top(&format!("man/jwks-{guide}.7")));
        let found = support::finish(&mut mandoc);
        assert_eq!(found.stdout, "");
    }
}

/// The pages have the sections of man-pages(7), and mandoc finds nothing to say.
#[test]
fn the_manual_is_laid_out_as_manuals_are() {
    const SECTIONS: &[&str] = &[
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "EXIT STATUS",
        "FILES",
        "ENVIRONMENT",
        "SEE ALSO",
    ];
    let pages = names_in(&at_top("man"));
    let pages = pages.iter().filter(|name| name.ends_with(".1"));
    for path in pages.map(|name| at_top("man").join(name)) {
        let page = fs::read_to_string(&path).expect("the page");
        let places = SECTIONS
            .iter()
            .map(|name| page.find(&format!(".SH {name}\n")));
        assert!(places.clone().all(|place| place.is_some()), "{path:?}");
        assert!(places.is_sorted(), "{path:?}");
        if has_tool("mandoc") {
            let lint = Command::new("mandoc")
                .args(["-T", "lint"])
                .arg(&path)
                .output();
            let lint = lint.expect("mandoc runs");
            assert_eq!(String::from_utf8_lossy(&lint.stdout), "", "{path:?}");
        }
    }
}

/// Each rule stands in the manual of `check`.
#[test]
fn the_rules_are_documented() {
    let page = fs::read_to_string(at_top("man/jwks-check.1")).expect("the page");
    for rule in jwks::key::check::RULES {
        let name = rule.name().replace('-', "\\-");
        assert!(page.contains(&format!("\\fB{name}\\fR")), "{name}");
    }
}

/// Each value of `--from` and `--to` stands in its table of the guide.
#[test]
fn the_formats_are_documented() {
    use clap::ValueEnum;
    fn check<T: ValueEnum>(table: &str) {
        for format in T::value_variants() {
            let value = format.to_possible_value().expect("a value");
            assert!(
                table.contains(&format!("`{}`", value.get_name())),
                "{value:?}"
            );
        }
    }
    let guide = fs::read_to_string(at_top("man/jwks-formats.7.md")).expect("the guide");
    let table = |header: &str| {
        let (_, table) = guide.split_once(header).expect("a table");
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        rows.map(|row| row.split('|').nth(1).expect("a cell").to_owned())
            .collect::<String>()
    };
    check::<jwks::keyset::import::Form>(&table("| `--from` | what is read |\n"));
    check::<jwks::commands::export::To>(&table(
        "| `--to` | public | with `--private` | read by |\n",
    ));
}
