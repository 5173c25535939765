//! The JSON Schemas of the program's output, in `tests/schemas`: one for each command, `errors` for the
//! lines on standard error, and `common` for shared definitions.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The schema of the lines on standard error.
pub const ERRORS: &str = "errors";

/// The schemas, by the name of the file.
pub fn schemas() -> BTreeMap<String, Value> {
    let files = fs::read_dir(directory()).expect("the schemas");
    let read = |file: std::io::Result<fs::DirEntry>| {
        let path = file.expect("a file").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("a UTF-8 name").to_owned();
        let text = fs::read_to_string(&path).expect("a schema");
        let schema = serde_json::from_str(&text);
        (
            name,
            schema.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        )
    };
    files.map(read).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas")
}

/// Returns the name of the schema for a command line, which is the name of the command; `None` if the
/// output has no schema.
pub fn schema_of(arguments: &[OsString], commands: &[&str]) -> Option<String> {
    let words = arguments.iter().filter_map(|word| word.to_str());
    let mut words = words.skip_while(|word| !commands.contains(word));
    let name = match (words.next()?, words.next()) {
        ("remote", Some(below)) => format!("remote-{below}"),
        // The format of an export depends on --to.
        ("export", _) => return None,
        (command, _) => command.to_owned(),
    };
    Some(name)
}

/// Fails if a document does not match the schema of a name.
#[track_caller]
pub fn assert_valid(name: &str, document: &Value) {
    static COMPILED: OnceLock<(Schemas, BTreeMap<String, SchemaIndex>)> = OnceLock::new();
    let (schemas, indexes) = COMPILED.get_or_init(compile);
    let Some(index) = indexes.get(name) else {
        panic!("no schema for {name}: {document}");
    };
    if let Err(error) = schemas.validate(document, *index) {
        panic!("{error:#}\n{document:#}");
    }
}

fn compile() -> (Schemas, BTreeMap<String, SchemaIndex>) {
    let (mut compiler, mut compiled) = (Compiler::new(), Schemas::new());
    let all = schemas();
    let address = |name: &str| format!("https://jwks.invalid/{name}.json");
    for (name, schema) in &all {
        let added = compiler.add_resource(&address(name), schema.clone());
        added.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let index = |name: &String| {
        let index = compiler.compile(&address(name), &mut compiled);
        let index = index.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        (name.clone(), index)
    };
    let indexes = all.keys().map(index).collect();
    (compiled, indexes)
}
