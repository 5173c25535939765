//! The house: which layer may know which, held over the `use` lines.

#[path = "support/sources.rs"]
mod sources;

use sources::sources;
use std::fs;
use std::path::Path;

/// Each layer and the layers that it may use beside itself, from the top down. A folder is one
/// layer; so is a file at the top of `src`.
const LAYERS: &[(&str, &[&str])] = &[
    ("main", &[]),
    ("lib", &["cli", "error", "hardening", "output"]),
    (
        "cli",
        &[
            "args",
            "commands",
            "context",
            "environment",
            "error",
            "files",
            "key",
            "keyset",
            "keystore",
            "nearest",
            "output",
            "passphrase",
            "prompt",
            "remote",
            "report",
            "store",
            "time",
        ],
    ),
    (
        "commands",
        &[
            "args",
            "context",
            "credential",
            "environment",
            "error",
            "files",
            "jwe",
            "jws",
            "key",
            "keyset",
            "keystore",
            "layout",
            "nearest",
            "output",
            "prompt",
            "remote",
            "report",
            "secret",
            "shell",
            "source",
            "time",
        ],
    ),
    (
        "layout",
        &[
            "error",
            "key",
            "keyset",
            "kubernetes",
            "nearest",
            "remote",
            "secret",
        ],
    ),
    (
        "source",
        &[
            "args",
            "context",
            "credential",
            "error",
            "files",
            "key",
            "keyset",
            "keystore",
            "output",
            "remote",
            "report",
            "secret",
        ],
    ),
    (
        "report",
        &[
            "context", "error", "key", "keyset", "keystore", "output", "remote", "time",
        ],
    ),
    (
        "args",
        &[
            "context",
            "credential",
            "error",
            "interrupt",
            "jwe",
            "key",
            "keyset",
            "keystore",
            "layout",
            "nearest",
            "output",
            "remote",
            "secret",
            "time",
        ],
    ),
    (
        "context",
        &[
            "error",
            "files",
            "jwe",
            "key",
            "keyset",
            "keystore",
            "output",
            "passphrase",
            "prompt",
            "remote",
        ],
    ),
    (
        "store",
        &[
            "credential",
            "environment",
            "error",
            "keystore",
            "kubernetes",
            "remote",
            "secret",
        ],
    ),
    (
        "passphrase",
        &[
            "credential",
            "environment",
            "error",
            "output",
            "prompt",
            "secret",
        ],
    ),
    ("prompt", &["error", "interrupt", "output", "secret"]),
    ("output", &["environment", "error"]),
    (
        "keystore",
        &[
            "error", "files", "jwe", "key", "keyset", "nearest", "secret",
        ],
    ),
    (
        "remote",
        &[
            "credential",
            "environment",
            "error",
            "files",
            "key",
            "keyset",
            "kubernetes",
            "nearest",
            "secret",
        ],
    ),
    (
        "kubernetes",
        &[
            "credential",
            "environment",
            "error",
            "files",
            "keyset",
            "secret",
        ],
    ),
    ("keyset", &["error", "jwe", "key", "nearest", "secret"]),
    ("jwe", &["error", "key", "secret"]),
    ("jws", &["error", "key", "secret", "time"]),
    ("key", &["error", "nearest", "secret"]),
    (
        "credential",
        &["environment", "error", "files", "secret", "shell"],
    ),
    ("shell", &[]),
    ("files", &["error"]),
    ("environment", &["error", "secret"]),
    ("hardening", &[]),
    ("time", &["error"]),
    ("interrupt", &[]),
    ("secret", &[]),
    ("nearest", &["error"]),
    ("error", &[]),
];

/// Packages that only some layers may use: the package, and the beginnings of the paths.
const PACKAGES: &[(&str, &[&str])] = &[
    (
        "clap",
        &["src/args/", "src/cli/", "src/commands/", "src/source/"],
    ),
    ("comfy_table", &["src/output"]),
    ("indicatif", &["src/output.rs"]),
    ("rpassword", &["src/prompt.rs"]),
    ("josekit", &["src/key/", "src/jwe/", "src/jws/"]),
    ("openssl", &["src/key/", "src/jwe/", "src/jws/"]),
    ("pkcs5", &["src/key/read/encryption.rs"]),
    ("pkcs12", &["src/key/read/", "src/key/write"]),
    ("sha1", &["src/key/"]),
    ("yaml_rust2", &["src/keyset/import/yaml.rs"]),
    ("tempfile", &["src/files/mod.rs"]),
    (
        "rustix",
        &[
            "src/files/",
            "src/hardening.rs",
            "src/interrupt.rs",
            "src/shell.rs",
        ],
    ),
    ("directories", &["src/environment.rs"]),
    ("ureq", &["src/remote/", "src/store/"]),
    ("rustls", &["src/remote/http/"]),
    ("url", &["src/remote/", "src/store/"]),
    ("signal_hook", &["src/interrupt.rs"]),
    ("icu_properties", &["src/output/escape.rs"]),
    ("ssh_key", &["src/key/read/", "src/key/write"]),
    ("x509_cert", &["src/key/"]),
    ("rusty_s3", &["src/remote/kind/s3", "src/store/s3.rs"]),
    ("strsim", &["src/nearest.rs"]),
    ("svg", &["src/commands/list/svg.rs"]),
    ("unicode_width", &["src/output.rs"]),
];

/// What the pure layers must not touch.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "println!",
    "eprintln!",
];

fn layer_of(file: &str) -> &str {
    let name = file.trim_start_matches("src/");
    name.split(['/', '.']).next().unwrap_or_default()
}

/// The layers that a source names as `crate::layer`.
fn named_layers(code: &str) -> Vec<&str> {
    let layers = code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    });
    layers
        .filter(|layer| LAYERS.iter().any(|(name, _)| name == layer))
        .collect()
}

#[test]
fn layers_look_down_only() {
    let sources = sources();
    assert!(sources.len() > 30, "the sources were not found");
    for (file, code) in &sources {
        let layer = layer_of(file);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            panic!("{file} is in no layer");
        };
        for named in named_layers(code) {
            assert!(
                named == layer || allowed.contains(&named),
                "{file}: {layer} must not know {named}"
            );
        }
    }
}

#[test]
fn packages_stay_in_their_rooms() {
    for (file, code) in sources() {
        for (package, rooms) in PACKAGES {
            let used = code.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with(&format!("use {package}::"))
                    || line.starts_with(&format!("use {package};"))
                    || (!line.starts_with("//")
                        && !line.starts_with("#[derive")
                        && line.contains(&format!(" {package}::")))
            });
            let at_home = rooms.iter().any(|room| file.starts_with(room));
            assert!(!used || at_home, "{file} must not use {package}");
        }
    }
}

#[test]
fn keys_and_sets_are_pure() {
    for (file, code) in sources() {
        if matches!(layer_of(&file), "key" | "keyset" | "jwe" | "jws") {
            for impure in IMPURE {
                assert!(!code.contains(impure), "{file} must not touch {impure}");
            }
        }
    }
}

#[test]
fn only_output_writes_to_the_terminal() {
    for (file, code) in sources() {
        for way in [
            "println!",
            "print!(",
            "eprintln!",
            "eprint!(",
            "stdout()",
            "stderr()",
            "dbg!",
        ] {
            let allowed = file == "src/output.rs" || (file == "src/prompt.rs" && way == "stderr()");
            assert!(allowed || !code.contains(way), "{file} must not use {way}");
        }
    }
}

#[test]
fn only_environment_reads_variables() {
    for (file, code) in sources() {
        let allowed = file == "src/environment.rs";
        assert!(allowed || !code.contains("env::var"), "{file}");
    }
}

#[test]
fn main_is_a_glance() {
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs"));
    assert!(main.expect("main.rs").lines().count() <= 15);
}

/// A file has one subject: near 400 lines a second one has moved in.
#[test]
fn no_file_is_long() {
    for (file, code) in sources() {
        assert!(code.lines().count() <= 400, "{file} is long");
    }
}

/// `unwrap` and `expect` stand only where the reason why they hold stands above them.
#[test]
fn nothing_panics_without_a_reason() {
    for (file, code) in sources() {
        let lines: Vec<&str> = code.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let panics = [".unwrap()", ".expect(", "panic!(", "unreachable!("];
            if panics.iter().any(|word| line.contains(word)) && !line.trim_start().starts_with("//")
            {
                let reason = lines[i.saturating_sub(3)..i]
                    .iter()
                    .any(|above| above.contains("// "));
                assert!(reason, "{file}:{}: {line}", i + 1);
            }
        }
    }
}

#[test]
fn no_command_uses_another() {
    for (file, code) in sources() {
        let Some(rest) = file.strip_prefix("src/commands/") else {
            continue;
        };
        let own = rest.split(['/', '.']).next().unwrap_or_default();
        for named in code.split("crate::commands::").skip(1) {
            let other = named.split([':', ';']).next().unwrap_or_default();
            assert!(
                [own, "shared"].contains(&other) || own == "shared",
                "{file} must not use the command {other}"
            );
        }
    }
}

/// The module path of a source file, such as `keyset::push::selection`.
fn module_of(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").replace('/', "::")
}

/// Returns true if a path is a module or an item in it.
fn is_within(path: &str, module: &str) -> bool {
    let rest = path.strip_prefix(module);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The modules that a source names as `crate::a::b`: of each path, the longest that is a module.
fn named_modules<'a>(code: &str, modules: &'a [String]) -> Vec<&'a str> {
    let paths = code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        &rest[..end.unwrap_or(rest.len())]
    });
    let longest = paths.filter_map(|path| {
        let around = modules.iter().filter(|module| is_within(path, module));
        around.max_by_key(|module| module.len())
    });
    longest.map(String::as_str).collect()
}

/// Files that use each other are one subject in two places. A file uses the files in the folder of its
/// name, and they can use it.
#[test]
fn no_circle_of_files() {
    let sources = sources();
    let modules: Vec<String> = sources.iter().map(|(file, _)| module_of(file)).collect();
    let mut uses: Vec<(&str, Vec<&str>)> = Vec::new();
    for ((_, code), own) in sources.iter().zip(&modules) {
        let named = named_modules(code, &modules);
        let named = named.into_iter().filter(|module| !is_within(own, module));
        let folder = modules.iter().map(String::as_str);
        let folder = folder.filter(|module| module != own && is_within(module, own));
        uses.push((own, named.chain(folder).collect()));
    }
    // Files that use nothing in a circle, or that nothing in a circle uses, are in none.
    loop {
        let before = uses.len();
        let left: Vec<&str> = uses.iter().map(|(module, _)| *module).collect();
        let used: Vec<&str> = uses.iter().flat_map(|(_, named)| named.clone()).collect();
        uses.retain(|(module, named)| {
            used.contains(module) && named.iter().any(|module| left.contains(module))
        });
        if uses.len() == before {
            break;
        }
    }
    assert!(uses.is_empty(), "these files use each other: {uses:#?}");
}

/// Enums of formats and key types, for which a forgotten arm would write or read the wrong thing.
const TOTAL: &[&str] = &["Form::", "To::", "Kty::", "Takes::"];

/// A match over a format or key type names each of them: with `_ =>`, a new one would pass for another.
#[test]
fn no_format_passes_for_another() {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    for (file, code) in sources() {
        let lines: Vec<&str> = code.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if !line.trim_start().starts_with("_ =>") {
                continue;
            }
            let above = lines[..i].iter().rev();
            let arms = above.take_while(|other| {
                other.trim().is_empty() || indentation(other) >= indentation(line)
            });
            let mut arms = arms.filter(|other| indentation(other) == indentation(line));
            let is_total = arms.any(|arm| {
                let arm = arm.trim_start().trim_start_matches("Some(");
                TOTAL.iter().any(|name| arm.starts_with(name))
            });
            assert!(!is_total, "{file}:{}: {line}", i + 1);
        }
    }
}
