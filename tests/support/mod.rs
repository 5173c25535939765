//! A sandbox to run the program in: its own keystore, its own directory, a clean environment.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod schemas;
#[cfg(unix)]
pub mod terminal;

use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program under test.
pub const JWKS: &str = env!("CARGO_BIN_EXE_jwks");

/// Makes Java's keytool start twice as quickly.
const QUICK_JAVA: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// The value of --lock-wait, in seconds, for writers that compete: one that takes its turn never waits
/// so long, however slow the machine is.
pub const LOCK_WAIT: &str = "3600";

/// How long a test waits for a process that hangs. No test passes or fails by how long it takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Every command of the program.
pub const COMMANDS: &[&str] = &[
    "create",
    "list",
    "get",
    "set",
    "delete",
    "export",
    "rotate",
    "check",
    "thumbprint",
    "push",
    "pull",
    "diff",
    "passwd",
    "log",
    "undo",
    "restore",
    "forget",
    "remote",
    "completion",
    "man",
];

/// The commands below `remote`.
pub const REMOTE_COMMANDS: &[&str] = &["add", "list", "show", "test", "remove"];

/// A directory that is removed when the test ends; the keystore is `store` in it.
pub struct Sandbox {
    directory: tempfile::TempDir,
    started: Instant,
}

/// Adds the test and its milliseconds to the file that JWKS_TEST_TIMES names, for `.ci/run`.
impl Drop for Sandbox {
    fn drop(&mut self) {
        let Some(file) = std::env::var_os("JWKS_TEST_TIMES") else {
            return;
        };
        let thread = std::thread::current();
        let time = self.started.elapsed().as_millis();
        let line = format!("{time} {}\n", thread.name().unwrap_or("a thread"));
        let file = std::fs::File::options().append(true).open(file);
        // The times are for information only.
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Sandbox {
            directory,
            started: Instant::now(),
        }
    }

    /// A set `api` of two keys, and a third one in `own.json`.
    pub fn with_two_keys() -> Self {
        let sandbox = Sandbox::new();
        sandbox.ok(["create", "api", "--count", "2"]);
        sandbox.ok(["create", "own", "--store", "elsewhere"]);
        let own = sandbox.ok(["get", "own", "--private", "--store", "elsewhere"]);
        sandbox.write("own.json", own);
        sandbox
    }

    /// The directory that commands run in.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// The file of a set.
    pub fn set_file(&self, set: &str) -> PathBuf {
        self.store().join(format!("{set}.json"))
    }

    pub fn read_set(&self, set: &str) -> String {
        std::fs::read_to_string(self.set_file(set)).expect("the set's file")
    }

    /// Puts a file that only its owner can read into the sandbox and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, content).expect("a file");
        make_private(&path);
        path.to_str().expect("a UTF-8 path").to_owned()
    }

    /// Copies a program into the sandbox. Another process does it: a child of another test could still
    /// hold a file that this process has written, and Linux runs no file that is open for writing.
    #[allow(dead_code, reason = "not every test binary needs it")]
    #[track_caller]
    pub fn install(&self, from: impl AsRef<OsStr>, to: &str) {
        let mut install = self.command("install");
        install.args(["-m", "755"]).arg(from).arg(to);
        finish(&mut install).ok();
    }

    /// Puts a file into the sandbox that nobody else may read, and returns its path.
    pub fn write_private(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write(name, content);
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("permissions");
        path
    }

    /// Any command in the sandbox, with nothing of the caller's environment but its PATH, and
    /// the program's directory in front of it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let own = Path::new(JWKS).parent().expect("a directory").to_owned();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&others)));
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", path.expect("a PATH"))
            .env("HOME", self.path())
            .env("JWKS_STORE", self.store())
            .env("RUST_BACKTRACE", "1")
            .env("JAVA_TOOL_OPTIONS", QUICK_JAVA)
            .stdin(Stdio::null());
        command
    }

    /// Runs the program. What it prints with `--json` must match the schemas.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        let arguments: Vec<_> = arguments
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        let run = finish(self.command(JWKS).args(&arguments));
        if arguments.iter().any(|word| word == "--json") {
            run.assert_valid(&arguments);
        }
        run
    }

    /// Runs the program with something on standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: impl AsRef<[u8]>,
    ) -> Run {
        let mut command = self.command(JWKS);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // A program that does not read all of it is none of our concern here.
        let _ = child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input.as_ref());
        Run::from(child.wait_with_output().expect("the program ends"))
    }

    /// Runs the program and returns its peak memory in MiB; `None` if GNU time is not installed.
    pub fn peak_memory<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Option<(Run, u64)> {
        if !has_tool("time") {
            return None;
        }
        let mut command = self.command("time");
        command.args(["-o", "peak", "-f", "%M", JWKS]);
        let run = finish(command.args(arguments));
        let peak = std::fs::read_to_string(self.path().join("peak")).expect("what time measured");
        let kib: u64 = peak
            .lines()
            .last()
            .and_then(|line| line.parse().ok())
            .expect("KiB");
        Some((run, kib / 1024))
    }

    /// Runs a shell command line.
    pub fn shell(&self, line: &str) -> Run {
        finish(self.command("sh").args(["-c", line]))
    }

    /// Runs the program, which must succeed, and returns its standard output.
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        self.run(arguments).ok().stdout
    }

    /// Runs the program, which must succeed and print JSON.
    #[track_caller]
    pub fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        self.run(arguments).ok().json()
    }

    /// The names of everything in the keystore's directory but its log, sorted.
    pub fn store_entries(&self) -> Vec<String> {
        let mut names = self.all_store_entries();
        names.retain(|name| name != ".log" && name != ".history");
        names
    }

    /// The log of the keystore; empty where there is none.
    pub fn read_log(&self) -> String {
        std::fs::read_to_string(self.store().join(".log")).unwrap_or_default()
    }

    /// The names of everything in the keystore's directory, sorted.
    pub fn all_store_entries(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.store()) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a UTF-8 name")
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

/// Returns the kids of an array of keys, in their order.
#[track_caller]
pub fn kids_in(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().expect("an array of keys").iter();
    keys.map(|key| key["kid"].as_str().unwrap_or_default())
        .collect()
}

/// Returns a document without the thumbprints of its keys, which differ each time.
pub fn without_thumbprints(mut document: Value) -> Value {
    match &mut document {
        Value::Object(members) => {
            members.remove("thumbprint");
            for value in members.values_mut() {
                *value = without_thumbprints(value.take());
            }
        }
        Value::Array(values) => {
            for value in values {
                *value = without_thumbprints(value.take());
            }
        }
        _ => {}
    }
    document
}

/// Waits until a condition holds, and fails if the process that should bring it about hangs.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Run {
    Run::from(command.output().expect("the command starts"))
}

impl From<std::process::Output> for Run {
    fn from(output: std::process::Output) -> Self {
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

#[cfg(unix)]
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("own file");
}

#[cfg(not(unix))]
fn make_private(_: &Path) {}

impl Run {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// It failed with this exit code, and in an orderly way.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        // A difference is the answer to a question; with --json, standard output tells it.
        assert!(
            code == 8 || !self.stderr.is_empty(),
            "a failure without a word: {self:#?}"
        );
        self
    }

    /// Fails if JSON on standard output or standard error does not match its schema.
    #[track_caller]
    fn assert_valid(&self, arguments: &[OsString]) {
        let document = serde_json::from_str(&self.stdout).ok();
        let schema = schemas::schema_of(arguments, COMMANDS);
        if let (Some(document), Some(schema)) = (document, schema) {
            schemas::assert_valid(&schema, &document);
        }
        for line in self.stderr.lines() {
            if let Ok(line @ Value::Object(_)) = serde_json::from_str(line) {
                schemas::assert_valid(schemas::ERRORS, &line);
            }
        }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The error object of `--json`.
    #[track_caller]
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        let error: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        error["error"].clone()
    }
}

/// The directory of the vectors.
pub fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// A file of a case from real life, by the number of its folder in `tests/vectors/cases`.
pub fn case(number: &str, file: &str) -> String {
    let cases = std::fs::read_dir(vectors().join("cases")).expect("the cases");
    let folders = cases.map(|entry| entry.expect("a folder").path());
    let mut folders = folders.filter(|path| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with(&format!("{number}-")))
    });
    let path = folders.next().expect("the case").join(file);
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// Returns true if a tool is installed that a test needs. Where it is not the test says so and ends; with
/// `JWKS_TEST_ALL` in the environment, as in CI, that is a failure.
pub fn has_tool(tool: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|directory| directory.join(tool).is_file());
    assert!(
        found || std::env::var_os("JWKS_TEST_ALL").is_none(),
        "{tool} is not installed, and JWKS_TEST_ALL wants every test to run"
    );
    if !found {
        eprintln!("{tool} is not installed: not tested here");
    }
    found
}

/// What a variable of the environment names that a test needs, such as a directory with packages;
/// missing it is as with [`has_tool`].
pub fn named_by(variable: &str) -> Option<String> {
    let named = std::env::var(variable).ok();
    assert!(
        named.is_some() || std::env::var_os("JWKS_TEST_ALL").is_none(),
        "{variable} is not set, and JWKS_TEST_ALL wants every test to run"
    );
    if named.is_none() {
        eprintln!("{variable} is not set: not tested here");
    }
    named
}
