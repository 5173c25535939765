//! A sandbox in which tests run the program: a keystore, a working directory, and a clean environment.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod schemas;
#[cfg(unix)]
pub mod terminal;

use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The program under test.
pub const JWKS: &str = env!("CARGO_BIN_EXE_jwks");

/// The options that make Java's keytool start in half the time.
const QUICK_JAVA: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// The value of --lock-wait for competing writers, in seconds: so long that no writer gives up, even on
/// a slow machine.
pub const LOCK_WAIT: &str = "3600";

/// How long a test waits for a process that hangs. It is a safety net: no test result depends on it.
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
    "advise",
    "status",
    "check",
    "thumbprint",
    "sign",
    "verify",
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

/// The directory in which the sandboxes are: one in memory if programs can run there and 1 GiB is free,
/// because the tests write and flush many small files.
static WORKPLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    #[cfg(target_os = "linux")]
    if let Ok(memory) = rustix::fs::statvfs("/dev/shm")
        && !memory
            .f_flag
            .contains(rustix::fs::StatVfsMountFlags::NOEXEC)
        && memory.f_bavail * memory.f_frsize >= 1 << 30
        && rustix::fs::access("/dev/shm", rustix::fs::Access::WRITE_OK).is_ok()
    {
        return "/dev/shm".into();
    }
    std::env::temp_dir()
});

/// A directory that is deleted at the end of the test. The keystore is the directory `store` in it.
pub struct Sandbox {
    directory: tempfile::TempDir,
    started: Instant,
}

/// Appends the test's name and duration in milliseconds to the file in JWKS_TEST_TIMES, for `.ci/run`.
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

/// The exit code and the output of a command.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        let directory = tempfile::tempdir_in(&*WORKPLACE).expect("a temporary directory");
        Sandbox {
            directory,
            started: Instant::now(),
        }
    }

    /// Returns a sandbox with a set `api` of two keys, and with a third key in the file `own.json`.
    pub fn with_two_keys() -> Self {
        let sandbox = Sandbox::new();
        sandbox.ok(["create", "api", "--count", "2"]);
        sandbox.ok(["create", "own", "--store", "elsewhere"]);
        let own = sandbox.ok(["get", "own", "--private", "--store", "elsewhere"]);
        sandbox.write("own.json", own);
        sandbox
    }

    /// Returns the directory in which commands run.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// Returns the path of a set's file.
    pub fn set_file(&self, set: &str) -> PathBuf {
        self.store().join(format!("{set}.json"))
    }

    pub fn read_set(&self, set: &str) -> String {
        std::fs::read_to_string(self.set_file(set)).expect("the set's file")
    }

    /// Writes a file with mode 0600 to the sandbox, and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, content).expect("a file");
        make_private(&path);
        path.to_str().expect("a UTF-8 path").to_owned()
    }

    /// Copies a program into the sandbox with install(1). If this process wrote the file, a child
    /// process of another test could still have it open for writing, and Linux does not run such a
    /// file.
    #[allow(dead_code, reason = "not every test binary needs it")]
    #[track_caller]
    pub fn install(&self, from: impl AsRef<OsStr>, to: &str) {
        let mut install = self.command("install");
        install.args(["-m", "755"]).arg(from).arg(to);
        finish(&mut install).ok();
    }

    /// Returns a command that runs in the sandbox. It inherits only PATH, with the program's directory
    /// in front.
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

    /// Runs the program. Checks JSON output against the schemas if `--json` is given.
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

    /// Runs the program with `input` on standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: impl AsRef<[u8]>,
    ) -> Run {
        let mut command = self.command(JWKS);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // The program can end before it has read all input. That is not a failure.
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

    /// Runs a command line with `sh`.
    pub fn shell(&self, line: &str) -> Run {
        finish(self.command("sh").args(["-c", line]))
    }

    /// Runs the program and returns its standard output. Fails the test if the program fails.
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        self.run(arguments).ok().stdout
    }

    /// Runs the program and returns the JSON that it prints. Fails the test if the program fails.
    #[track_caller]
    pub fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        self.run(arguments).ok().json()
    }

    /// Returns the names of all files in the keystore's directory except the log, sorted.
    pub fn store_entries(&self) -> Vec<String> {
        let mut names = self.all_store_entries();
        names.retain(|name| name != ".log" && name != ".history");
        names
    }

    /// Returns the text of the keystore's log; empty if there is no log.
    pub fn read_log(&self) -> String {
        std::fs::read_to_string(self.store().join(".log")).unwrap_or_default()
    }

    /// Returns the names of all files in the keystore's directory, sorted.
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

/// Returns a document without thumbprints, which differ in each run.
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

/// Waits until a condition holds. Fails the test if that takes longer than [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Releases a lock. Dropping the file would not be enough: a command that another test starts at the same
/// moment has a copy of it until it is on its way.
pub fn release(lock: std::fs::File) {
    lock.unlock().expect("the lock is held");
}

/// Runs a command until it ends, and returns its output.
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

    /// Asserts that the program failed with this exit code, with a message, and without a panic.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        // With --json, a difference is reported on standard output and not as an error.
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

    /// Returns the error object that the program printed with `--json`.
    #[track_caller]
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        let error: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        error["error"].clone()
    }
}

/// Returns the directory of the test vectors.
pub fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Returns the path of a file in `tests/vectors/cases`. `number` is the number at the start of the
/// folder's name.
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

/// Returns true if a tool that a test needs is installed. If it is missing, prints that the test is
/// skipped. With JWKS_TEST_ALL set, as in CI, a missing tool fails the test instead.
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

/// Returns the value of a variable that a test needs, such as a directory with packages. A missing
/// variable is handled like a missing tool in [`has_tool`].
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
