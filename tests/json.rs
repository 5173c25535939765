//! The JSON output: every golden document matches the schema of its command, and jwks-json(7) describes
//! every member.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::schemas::{ERRORS, assert_valid, schema_of, schemas};
use support::{COMMANDS, REMOTE_COMMANDS};

fn at_top(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A golden file: the arguments and the output of one command.
struct Golden {
    name: String,
    arguments: Vec<String>,
    stdout: String,
    stderr: String,
}

/// Reads the golden files of the commands with `--json`. A wildcard without quotes stands for a number.
fn golden() -> Vec<Golden> {
    let files = fs::read_dir(at_top("tests/cmd")).expect("the golden files");
    let paths = files.map(|file| file.expect("a file").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a golden file");
        let arguments = text.lines().find_map(|line| line.strip_prefix("args = "));
        let arguments = serde_json::from_str(arguments.expect("arguments"));
        let stream = |name: &str| {
            let start = format!("\n{name} = \"\"\"\n");
            let (_, rest) = text.split_once(&start)?;
            Some(rest.split("\"\"\"").next()?.replace(":[..]", ":0"))
        };
        Golden {
            name: path.display().to_string(),
            arguments: arguments.expect("arguments in one line"),
            stdout: stream("stdout").unwrap_or_default(),
            stderr: stream("stderr").unwrap_or_default(),
        }
    };
    let golden = paths.map(read);
    let mut golden: Vec<_> = golden
        .filter(|golden| golden.arguments.iter().any(|word| word == "--json"))
        .collect();
    golden.sort_by(|one, other| one.name.cmp(&other.name));
    golden
}

/// Reads a line of JSON. A golden file has `/` for each `\`.
fn parse(line: &str) -> Option<Value> {
    let parsed = serde_json::from_str(line);
    parsed
        .or_else(|_| serde_json::from_str(&line.replace("/\"", "\\\"")))
        .ok()
}

#[test]
fn golden_documents_match_their_schemas() {
    let golden = golden();
    assert!(golden.len() > 20, "the golden files were not found");
    for one in golden {
        let arguments: Vec<_> = one.arguments.iter().map(Into::into).collect();
        if let Some(schema) = schema_of(&arguments, COMMANDS) {
            for line in one.stdout.lines() {
                let document = parse(line).unwrap_or_else(|| panic!("{}: {line}", one.name));
                assert_valid(&schema, &document);
            }
        }
        for line in one.stderr.lines() {
            let document = parse(line).unwrap_or_else(|| panic!("{}: {line}", one.name));
            assert_valid(ERRORS, &document);
        }
    }
}

/// Each command that prints JSON has a schema, and each schema belongs to a command.
#[test]
fn each_command_has_a_schema() {
    let below = REMOTE_COMMANDS.iter().map(|name| format!("remote-{name}"));
    let names = COMMANDS.iter().map(|name| (*name).to_owned()).chain(below);
    // export prints what --to names; remote itself and man print no JSON.
    let without = ["export", "remote", "man"];
    let mut expected: BTreeSet<String> = names.filter(|name| !without.contains(&&**name)).collect();
    expected.extend(["common".to_owned(), ERRORS.to_owned()]);
    let found: BTreeSet<String> = schemas().into_keys().collect();
    assert_eq!(found, expected);
}

/// Collects the names of all members that a schema describes, and fails if an object admits others.
fn members(schema: &Value, path: &str, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                names.extend(properties.keys().cloned());
                let is_jwk = ["/jwk", "get"].iter().any(|end| path.contains(end));
                let is_closed = object.get("additionalProperties") == Some(&Value::Bool(false));
                assert!(is_closed || is_jwk, "{path} admits other members");
            }
            for (name, below) in object {
                members(below, &format!("{path}/{name}"), names);
            }
        }
        Value::Array(array) => array.iter().for_each(|below| members(below, path, names)),
        _ => {}
    }
}

#[test]
fn the_guide_describes_every_member() {
    let guide = fs::read_to_string(at_top("man/jwks-json.7.md")).expect("the guide");
    for (name, schema) in schemas() {
        let mut names = BTreeSet::new();
        members(&schema, &name, &mut names);
        for member in names {
            let is_described = [format!("`{member}`"), format!("\"{member}\"")];
            let is_described = is_described.iter().any(|text| guide.contains(text));
            assert!(
                is_described,
                "jwks-json(7) does not describe {member} of {name}"
            );
        }
    }
}
