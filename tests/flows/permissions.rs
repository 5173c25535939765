//! Who may read and write what, and what stands in a file's place (D1 to D3).

#![cfg(unix)]

use crate::support::{JWKS, Run, Sandbox, wait_until};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

const READING: [&str; 6] = [
    "list api",
    "get api",
    "get api --private",
    "export api",
    "check api",
    "thumbprint api",
];

#[test]
fn without_a_umask_all_is_private_from_the_start() {
    let sandbox = Sandbox::new();
    let create = "umask 000; exec jwks create api --store above/between/store";
    sandbox.shell(create).ok();
    for directory in ["above", "above/between", "above/between/store"] {
        assert_eq!(mode(&sandbox.path().join(directory)), 0o700, "{directory}");
    }
    for file in [".lock", "api.json"] {
        let path = sandbox.path().join("above/between/store").join(file);
        assert_eq!(mode(&path), 0o600, "{file}");
    }
}

#[test]
fn a_private_export_is_private_without_a_umask_too() {
    let sandbox = with_a_set();
    let export = "umask 000; exec jwks export api --private -o";
    sandbox.shell(&format!("{export} backup.json")).ok();
    assert_eq!(mode(&sandbox.path().join("backup.json")), 0o600);

    sandbox.write("open.json", "{}");
    chmod(&sandbox.path().join("open.json"), 0o666);
    sandbox.shell(&format!("{export} open.json --force")).ok();
    assert_eq!(mode(&sandbox.path().join("open.json")), 0o600);
}

#[test]
fn a_private_export_overwrites_nothing_unless_forced() {
    let sandbox = with_a_set();
    let backup = sandbox.write("backup.json", "something dear");
    let export = ["export", "api", "--private", "-o", "backup.json"];
    let run = sandbox.run(export).fails(4);
    assert!(run.stderr.contains("backup.json"), "{run:#?}");
    assert!(run.stderr.contains("--force"), "{run:#?}");
    assert_eq!(
        fs::read_to_string(&backup).expect("the file"),
        "something dear"
    );
    assert_eq!(entries(sandbox.path()), ["backup.json", "store"]);

    sandbox.ok(export.iter().chain(&["--force"]));
    assert!(
        fs::read_to_string(&backup)
            .expect("the file")
            .contains("\"d\"")
    );
    assert_eq!(entries(sandbox.path()), ["backup.json", "store"]);
}

#[test]
fn reading_creates_nothing() {
    for command in READING
        .iter()
        .chain(&["list", "delete api --yes", "set api --exp +1d"])
    {
        let sandbox = Sandbox::new();
        let code = if *command == "list" { 0 } else { 3 };
        let run = sandbox.run(command.split(' '));
        assert_eq!(run.code, Some(code), "{command}: {run:#?}");
        assert!(!sandbox.store().exists(), "{command}");
    }
}

#[test]
fn reading_leaves_a_keystore_as_it_is() {
    let sandbox = with_a_set();
    fs::remove_file(sandbox.store().join(".lock")).expect("the lock file");
    for command in READING {
        sandbox.ok(command.split(' '));
        sandbox
            .run(command.replace("api", "missing").split(' '))
            .fails(3);
        assert_eq!(sandbox.store_entries(), ["api.json"], "{command}");
    }
}

#[test]
fn reading_warns_of_a_set_that_others_can_open() {
    for command in ["list api", "get api", "get api --private", "export api"] {
        warns_of_an_open_set(command);
    }
}

#[test]
fn checking_warns_of_a_set_that_others_can_open() {
    for command in ["check api", "thumbprint api"] {
        warns_of_an_open_set(command);
    }
}

fn warns_of_an_open_set(command: &str) {
    let sandbox = with_a_set();
    let file = sandbox.set_file("api");
    let run = sandbox.run(command.split(' ')).ok();
    assert!(!run.stderr.contains("warning"), "{command}: {run:#?}");
    for open in [0o640, 0o604, 0o620, 0o602, 0o666] {
        chmod(&file, open);
        let run = sandbox.run(command.split(' ')).ok();
        let mut lines = run.stderr.lines();
        let warning = lines.find(|line| line.starts_with("warning: "));
        let warning = warning.unwrap_or_else(|| panic!("{command}, {open:o}: no warning"));
        assert!(warning.contains("api.json"), "{command}: {warning}");
        assert!(warning.contains("chmod 600"), "{command}: {warning}");
    }
    let run = sandbox.run(command.split(' ').chain(["--quiet"])).ok();
    assert_eq!(run.stderr, "", "{command}");
}

#[test]
fn a_change_makes_an_open_set_private() {
    let sandbox = with_a_set();
    chmod(&sandbox.set_file("api"), 0o644);
    sandbox.ok(["create", "api"]);
    assert_eq!(mode(&sandbox.set_file("api")), 0o600);
}

#[test]
fn no_private_key_goes_where_others_can_write() {
    let sandbox = with_a_set();
    let old = sandbox.read_set("api");
    for open in [0o770, 0o720, 0o702, 0o777, 0o1777] {
        chmod(&sandbox.store(), open);
        for command in ["create api", "create new", "set api --exp +1d"] {
            let run = sandbox.run(command.split(' '));
            assert_eq!(run.code, Some(4), "{command}, {open:o}: {run:#?}");
            assert!(run.stderr.contains("chmod go-w"), "{command}: {run:#?}");
            assert_eq!(sandbox.read_set("api"), old, "{command}, {open:o}");
            assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
        }
    }
    chmod(&sandbox.store(), 0o755);
    sandbox.ok(["create", "api"]);
}

#[test]
fn public_keys_may_go_where_others_can_write() {
    let sandbox = with_a_set();
    sandbox.ok(["export", "api", "-o", "public.json"]);
    chmod(&sandbox.store(), 0o777);
    sandbox.ok(["set", "others", "public.json"]);
}

#[test]
fn a_link_in_the_place_of_a_set_is_not_written_through() {
    let sandbox = with_a_set();
    let victim = sandbox.path().join("victim.json");
    fs::rename(sandbox.set_file("api"), &victim).expect("a victim");
    symlink(&victim, sandbox.set_file("api")).expect("a link");
    let old = fs::read(&victim).expect("the victim");
    for command in ["create api", "set api --exp +1d"] {
        let run = sandbox.run(command.split(' ')).fails(1);
        assert!(
            run.stderr.contains("api.json is a symbolic link"),
            "{run:#?}"
        );
        assert_eq!(fs::read(&victim).expect("the victim"), old, "{command}");
        assert!(sandbox.set_file("api").is_symlink(), "{command}");
        assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
    }
    sandbox.run(["delete", "api", "--yes", "--force"]);
    assert_eq!(fs::read(&victim).expect("the victim"), old);
}

#[test]
fn a_link_to_nothing_is_not_written_through() {
    for planted in ["api.json", ".lock", ".writing"] {
        let sandbox = with_a_set();
        let target = sandbox.path().join("target");
        let _ = fs::remove_file(sandbox.store().join(planted));
        symlink(&target, sandbox.store().join(planted)).expect("a link");
        let run = sandbox.run(["create", "api"]);
        // What stands in the way of the temporary file is swept.
        let code = if planted == ".writing" { 0 } else { 1 };
        assert_eq!(run.code, Some(code), "{planted}: {run:#?}");
        assert!(!target.exists(), "{planted}");
    }
}

#[test]
fn a_link_in_the_place_of_the_lock_is_not_followed() {
    let sandbox = with_a_set();
    let old = sandbox.read_set("api");
    let victim = sandbox.write("victim", "something dear");
    let lock = sandbox.store().join(".lock");
    fs::remove_file(&lock).expect("the lock file");
    symlink(&victim, &lock).expect("a link");
    chmod(Path::new(&victim), 0o644);
    let run = sandbox.run(["create", "api"]).fails(1);
    assert!(run.stderr.contains(".lock"), "{run:#?}");
    assert_eq!(
        fs::read_to_string(&victim).expect("the victim"),
        "something dear"
    );
    assert_eq!(mode(Path::new(&victim)), 0o644);
    assert_eq!(sandbox.read_set("api"), old);
}

#[test]
fn a_link_in_the_place_of_the_temporary_file_is_swept() {
    let sandbox = with_a_set();
    let victim = sandbox.write("victim", "something dear");
    for hard in [false, true] {
        let planted = sandbox.store().join(".writing");
        if hard {
            fs::hard_link(&victim, planted).expect("a hard link")
        } else {
            symlink(&victim, planted).expect("a link")
        }
        sandbox.ok(["create", "api"]);
        assert_eq!(
            fs::read_to_string(&victim).expect("the victim"),
            "something dear"
        );
        assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
        assert!(!sandbox.set_file("api").is_symlink());
    }
}

#[test]
fn another_name_of_a_set_keeps_the_old_content() {
    let sandbox = with_a_set();
    let other_name = sandbox.path().join("victim.json");
    fs::hard_link(sandbox.set_file("api"), &other_name).expect("a hard link");
    let old = sandbox.read_set("api");
    sandbox.ok(["create", "api"]);
    assert_eq!(fs::read_to_string(&other_name).expect("the victim"), old);
    assert_ne!(sandbox.read_set("api"), old);
}

#[test]
fn what_is_no_regular_file_is_no_set() {
    for make in ["mkfifo", "mkdir"] {
        let sandbox = with_a_set();
        fs::remove_file(sandbox.set_file("api")).expect("the set");
        sandbox.shell(&format!("{make} store/api.json")).ok();
        let changing = ["create api", "set api --exp +1d", "delete api --yes"];
        for command in READING.iter().chain(&changing) {
            let run = in_time(&sandbox, command);
            assert_eq!(run.code, Some(1), "{make}, {command}: {run:#?}");
            assert!(
                run.stderr.contains("api.json"),
                "{make}, {command}: {run:#?}"
            );
            assert!(
                run.stderr.contains("not a regular file"),
                "{command}: {run:#?}"
            );
            assert_eq!(sandbox.store_entries(), [".lock", "api.json"], "{command}");
        }
        in_time(&sandbox, "list").fails(1);
    }
}

#[test]
fn what_is_no_regular_file_is_no_lock() {
    for make in ["mkfifo", "mkdir"] {
        let sandbox = with_a_set();
        let old = sandbox.read_set("api");
        fs::remove_file(sandbox.store().join(".lock")).expect("the lock file");
        sandbox.shell(&format!("{make} store/.lock")).ok();
        let run = in_time(&sandbox, "create api").fails(1);
        assert!(run.stderr.contains(".lock"), "{make}: {run:#?}");
        assert_eq!(sandbox.read_set("api"), old, "{make}");
    }
}

#[test]
fn a_fifo_in_the_place_of_the_temporary_file_is_swept() {
    let sandbox = with_a_set();
    sandbox.shell("mkfifo store/.writing").ok();
    in_time(&sandbox, "create api").ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
}

#[test]
fn an_export_goes_through_no_link() {
    let sandbox = with_a_set();
    let victim = sandbox.write("victim", "something dear");
    symlink(&victim, sandbox.path().join("link")).expect("a link");
    symlink("nowhere", sandbox.path().join("dangling")).expect("a link");
    for link in ["link", "dangling"] {
        for options in ["", " --force", " --private", " --private --force"] {
            let run = sandbox
                .run(format!("export api -o {link}{options}").split(' '))
                .fails(1);
            assert!(
                run.stderr.contains("symbolic link"),
                "{link}{options}: {run:#?}"
            );
            assert!(sandbox.path().join(link).is_symlink(), "{link}{options}");
        }
    }
    assert_eq!(
        fs::read_to_string(&victim).expect("the victim"),
        "something dear"
    );
    assert_eq!(
        entries(sandbox.path()),
        ["dangling", "link", "store", "victim"]
    );
}

#[test]
fn an_export_replaces_no_fifo_socket_device_or_directory() {
    let sandbox = with_a_set();
    sandbox.shell("mkfifo fifo && mkdir directory").ok();
    let _socket = UnixListener::bind(sandbox.path().join("socket")).expect("a socket");
    let mut targets = vec!["fifo", "directory", "socket"];
    // Only root makes devices. One of its own, lest a mistake here replaces /dev/null.
    if sandbox.shell("mknod device c 1 3").code == Some(0) {
        targets.push("device");
    }
    for target in targets {
        let path = sandbox.path().join(target);
        let kind = fs::symlink_metadata(&path).expect("the target").file_type();
        for options in ["", " --force", " --private", " --private --force"] {
            let run = in_time(&sandbox, &format!("export api -o {target}{options}"));
            assert_eq!(run.code, Some(1), "{target}{options}: {run:#?}");
            assert!(
                run.stderr.contains("not a regular file"),
                "{target}: {run:#?}"
            );
            let now = fs::symlink_metadata(&path).expect("the target").file_type();
            assert_eq!(now, kind, "{target}{options}");
            assert!(now.is_dir() || now.is_fifo() || now.is_socket() || now.is_char_device());
        }
    }
}

fn with_a_set() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    sandbox
}

/// Runs the program, and fails if it hangs.
fn in_time(sandbox: &Sandbox, command: &str) -> Run {
    let mut program = sandbox.command(JWKS);
    program
        .args(command.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = program.spawn().expect("the program starts");
    wait_until(command, || child.try_wait().expect("its state").is_some());
    Run::from(child.wait_with_output().expect("its output"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

/// The names of everything in a directory, sorted.
fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("a UTF-8 name"))
        .collect();
    names.sort();
    names
}

#[test]
fn reading_warns_of_a_keystore_that_others_can_write_into() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    let commands = [
        &["list"][..],
        &["list", "api"],
        &["get", "api"],
        &["check", "api"],
    ];
    for (mode, warned) in [
        (0o700, false),
        (0o755, false),
        (0o777, true),
        (0o1777, true),
    ] {
        fs::set_permissions(sandbox.store(), fs::Permissions::from_mode(mode)).expect("own files");
        for command in commands {
            let run = sandbox.run(command).ok();
            let said = run.stderr.contains("other users can write to");
            assert_eq!(said, warned, "{mode:o} {command:?}: {run:#?}");
        }
    }
}

/// Once is enough, however many sets are read.
#[test]
fn an_open_keystore_is_warned_about_once() {
    let sandbox = Sandbox::new();
    for set in ["api", "web"] {
        sandbox.ok(["create", set]);
        sandbox.ok(["rotate", set, "--every", "30d", "--save"]);
    }
    chmod(&sandbox.store(), 0o777);
    let run = sandbox.run(["rotate", "--all"]).ok();
    let warned = run.stderr.matches("other users can write to").count();
    assert_eq!(warned, 1, "{run:#?}");
}

/// Private keys are not exported to where others could put a file of their own in their place.
#[test]
fn a_private_export_avoids_open_directories() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    for (mode, code) in [(0o755, 0), (0o1777, 0), (0o777, 4)] {
        let directory = sandbox.path().join("out");
        fs::create_dir(&directory).expect("a directory");
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("own files");
        let run = sandbox.run(["export", "api", "--private", "-o", "out/keys.json"]);
        assert_eq!(run.code, Some(code), "{mode:o}: {run:#?}");
        fs::remove_dir_all(directory).expect("the directory");
    }
}
