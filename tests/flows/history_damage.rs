//! An earlier version comes back over a damaged file, and nothing that the file holds is lost.

use crate::support::Sandbox;
use crate::support::terminal::on_terminal;
use std::fs;
use std::path::PathBuf;

fn run(sandbox: &Sandbox, line: &str) -> crate::support::Run {
    sandbox.run(line.split(' '))
}

/// The set `api`: key `a` from 2030-01-01, and key `b`, which no version has, from 2030-01-02.
fn with_two_keys() -> Sandbox {
    let sandbox = Sandbox::new();
    for (kid, day) in [("a", 1), ("b", 2)] {
        let create = format!("create api --kid {kid} --now 2030-01-0{day}");
        run(&sandbox, &create).ok();
    }
    sandbox
}

fn kids(sandbox: &Sandbox) -> String {
    let run = run(sandbox, "list api --format names");
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn aside(sandbox: &Sandbox) -> PathBuf {
    sandbox.store().join("api.json.damaged")
}

#[test]
fn an_undo_keeps_the_damaged_file() {
    let whole = with_two_keys().read_set("api").into_bytes();
    let mut not_utf_8 = whole.clone();
    not_utf_8[20] = 0xff;
    for damaged in [
        whole[..whole.len() - 10].to_vec(),
        Vec::new(),
        vec![0; whole.len()],
        not_utf_8,
        b"<!DOCTYPE html>".to_vec(),
        b"{\"keys\":[],\"keys\":[]}".to_vec(),
    ] {
        let sandbox = with_two_keys();
        fs::write(sandbox.set_file("api"), &damaged).expect("the damaged set");
        sandbox.shell("chmod 644 store/api.json").ok();
        let error = run(&sandbox, "get api").fails(5);
        assert!(error.stderr.contains("`jwks undo api`"), "{error:#?}");
        for line in ["undo api", "restore api@2030-01-01 --now 2030-01-03"] {
            let refused = run(&sandbox, line).fails(4);
            let words = "the damaged file of set api would be moved aside (";
            assert!(refused.stderr.contains(words), "{refused:#?}");
            assert!(
                fs::read(sandbox.set_file("api")).expect("the set") == damaged,
                "{line}"
            );
        }
        let undone = run(&sandbox, "undo --yes").ok();
        let path = aside(&sandbox);
        assert!(
            undone.stderr.contains(&format!(" now {};", path.display())),
            "{undone:#?}"
        );
        assert_eq!(kids(&sandbox), "a");
        assert!(fs::read(&path).expect("the damaged file") == damaged);
        let open = sandbox.shell("find store -perm /077").ok();
        assert_eq!(open.stdout, "");
        assert_eq!(
            sandbox.store_entries(),
            [".lock", "api.json", "api.json.damaged"]
        );
        assert_eq!(sandbox.ok(["list", "--format", "names"]), "api\n");
        // The way back is a change like any other, and the file stays.
        run(&sandbox, "log").ok();
        run(&sandbox, "create api --kid c").ok();
        run(&sandbox, "delete api --force --yes").ok();
        assert!(fs::read(&path).expect("the damaged file") == damaged);
    }
}

/// The file that was moved aside can hold private keys, and no passphrase protects it.
#[test]
fn passwd_names_a_damaged_file_that_stays_readable() {
    let sandbox = with_two_keys();
    fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
    run(&sandbox, "undo --yes").ok();
    sandbox.write("one", "a passphrase");
    let passwd = run(&sandbox, "passwd api --p2c 1000 --passphrase-file one").ok();
    let named = format!("{} of set api is not encrypted", aside(&sandbox).display());
    assert!(passwd.stderr.contains(&named), "{passwd:#?}");
}

/// The damaged file cannot come back, so the next undo changes nothing.
#[test]
fn the_undo_of_an_undo_of_a_damaged_set_deletes_nothing() {
    let sandbox = with_two_keys();
    fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
    run(&sandbox, "undo --yes --now 2030-01-03").ok();
    let undone = sandbox.read_set("api");
    for line in [
        "undo --yes",
        "undo api --yes",
        "restore api@2030-01-02T12:00:00Z --yes --now 2030-01-04",
    ] {
        let error = run(&sandbox, line).fails(3);
        let path = aside(&sandbox);
        let hint = format!("the damaged file is {};", path.display());
        assert!(error.stderr.contains(&hint), "{error:#?}");
        assert_eq!(sandbox.read_set("api"), undone, "{line}");
    }
    // Later changes can be undone, and so can a second damage.
    run(&sandbox, "create api --kid c --now 2030-01-05").ok();
    run(&sandbox, "undo --yes --now 2030-01-06").ok();
    assert_eq!(kids(&sandbox), "a");
    for day in [7, 8] {
        fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
        let error = run(&sandbox, "get api").fails(5);
        assert!(error.stderr.contains("`jwks undo api`"), "{error:#?}");
        run(&sandbox, &format!("undo --yes --now 2030-01-0{day}")).ok();
        run(&sandbox, "undo --yes").fails(3);
    }
    assert!(kids(&sandbox).starts_with('a'));
    run(&sandbox, "delete api --force --yes").ok();
    run(&sandbox, "undo").ok();
    assert!(kids(&sandbox).starts_with('a'));
}

/// A damaged file can hold the private keys that a purge is to delete.
#[test]
fn a_purge_and_a_forget_delete_the_damaged_files() {
    for (line, said) in [
        ("delete api --purge --force", "api.json.damaged-2, for good"),
        (
            "delete api a --purge --force",
            "api.json.damaged-2, for good",
        ),
        ("forget api", "api.json.damaged-2 would be deleted for good"),
    ] {
        let sandbox = with_two_keys();
        for _ in 0..2 {
            fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
            run(
                &sandbox,
                "restore api@2030-01-01T12:00:00Z --yes --now 2030-01-03",
            )
            .ok();
        }
        fs::write(sandbox.store().join("api2.json.damaged"), "").expect("another file");
        fs::write(sandbox.store().join("api.json.bak"), "").expect("another file");
        let refused = run(&sandbox, line).fails(4);
        assert!(refused.stderr.contains(said), "{refused:#?}");
        assert!(aside(&sandbox).exists());
        let done = run(&sandbox, &format!("{line} --yes")).ok();
        assert!(done.stderr.contains("api.json.damaged-2"), "{done:#?}");
        let mut left = sandbox.store_entries();
        left.retain(|name| name != "api.json");
        assert_eq!(
            left,
            [".lock", "api.json.bak", "api2.json.damaged"],
            "{line}"
        );
    }
    // The files can be all that is left.
    let sandbox = Sandbox::new();
    run(&sandbox, "create api").ok();
    fs::write(aside(&sandbox), "").expect("a damaged file");
    run(&sandbox, "forget api --yes").ok();
    fs::write(aside(&sandbox), "").expect("a damaged file");
    let deleted = run(&sandbox, "delete api --purge --yes --force --json")
        .ok()
        .json();
    let path = aside(&sandbox).display().to_string();
    assert_eq!(deleted["damaged_files_deleted"], serde_json::json!([path]));
    assert_eq!(deleted["history_deleted"], false);
    assert_eq!(sandbox.store_entries(), [".lock"]);
}

#[test]
fn no_damaged_file_replaces_another() {
    let sandbox = with_two_keys();
    for (ending, content) in [("", "one"), ("-2", "two"), ("-3", "three")] {
        fs::write(sandbox.set_file("api"), content).expect("the damaged set");
        let line = "restore api@2030-01-01T12:00:00Z --yes --json --now 2030-01-03";
        let restored = run(&sandbox, line).ok().json();
        let path = format!("{}{ending}", aside(&sandbox).display());
        assert_eq!(restored["damaged_file"], path);
        assert_eq!(restored["set_created"], false);
        assert_eq!(fs::read_to_string(path).expect("it"), content);
        assert_eq!(kids(&sandbox), "a");
    }
}

/// A damaged set has no present state.
#[test]
fn a_damaged_set_is_not_called_unchanged() {
    let sandbox = with_two_keys();
    fs::write(sandbox.set_file("api"), "").expect("an empty file");
    let error = run(&sandbox, "restore api@2030-01-03 --yes --now 2030-01-04").fails(5);
    assert!(error.stderr.contains("versions: "), "{error:#?}");
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
}

#[test]
fn a_set_without_an_earlier_version_is_moved_aside() {
    let sandbox = Sandbox::new();
    run(&sandbox, "create api --kid a").ok();
    fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
    let error = run(&sandbox, "get api").fails(5);
    assert!(!error.stderr.contains("undo"), "{error:#?}");
    let refused = run(&sandbox, "undo api").fails(4);
    assert!(
        refused.stderr.contains("and no set is left"),
        "{refused:#?}"
    );
    run(&sandbox, "undo api --yes").ok();
    assert_eq!(sandbox.store_entries(), [".lock", "api.json.damaged"]);
}

#[test]
fn the_error_names_the_command_that_helps() {
    let sandbox = with_two_keys();
    run(&sandbox, "delete api --yes --force").ok();
    run(&sandbox, "create api --kid c").ok();
    fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
    let error = run(&sandbox, "create api").fails(5);
    assert!(
        error.stderr.contains("run `jwks restore api@TIME`"),
        "{error:#?}"
    );
    run(&sandbox, "forget api --yes").ok();
    for line in [
        "create api",
        "get api",
        "delete api --yes",
        "list",
        "list api",
    ] {
        let error = run(&sandbox, line).fails(5);
        let hint = "hint: correct the file, restore it from a backup, or remove it";
        assert!(error.stderr.contains(hint), "{line}: {error:#?}");
    }
}

#[test]
fn an_encrypted_version_comes_back_without_a_passphrase() {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    let create = "create api --kid a --encrypt --p2c 1000 --passphrase-file one";
    run(&sandbox, create).ok();
    let old = fs::read(sandbox.store().join("api.jwe")).expect("the set");
    run(&sandbox, "create api --kid b --passphrase-file one").ok();
    sandbox.shell("truncate -s 300 store/api.jwe").ok();
    let error = run(&sandbox, "list api").fails(5);
    assert!(error.stderr.contains("`jwks undo api`"), "{error:#?}");
    run(&sandbox, "undo api --yes").ok();
    assert!(fs::read(sandbox.store().join("api.jwe")).expect("the set") == old);
    assert_eq!(
        sandbox.store_entries(),
        [".lock", "api.jwe", "api.jwe.damaged"]
    );
}

#[test]
fn the_schedule_of_a_damaged_set_stays() {
    let sandbox = with_two_keys();
    run(&sandbox, "rotate api --every 30d --save").ok();
    let schedules = || fs::read_to_string(sandbox.store().join(".schedules.json")).expect("it");
    let before = schedules();
    fs::write(sandbox.set_file("api"), "").expect("an empty file");
    run(&sandbox, "undo api --yes").ok();
    assert_eq!(schedules(), before);
}

#[test]
fn the_person_at_the_terminal_is_asked() {
    if !crate::support::has_tool("setsid") {
        return;
    }
    let sandbox = with_two_keys();
    fs::write(sandbox.set_file("api"), "").expect("an empty file");
    let run = on_terminal(&sandbox, "jwks undo api", "n\n", &[]);
    assert_eq!(run.code, Some(4), "{run:#?}");
    assert!(run.stdout.contains("would be moved aside"), "{run:#?}");
    assert_eq!(sandbox.read_set("api"), "");
    on_terminal(&sandbox, "jwks undo api", "y\n", &[]).ok();
    assert_eq!(kids(&sandbox), "a");
}

/// After a kill, the damaged file is at one of its two places, and the next undo brings the version back.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_undo_loses_no_damaged_file() {
    use crate::crash::{calls_of, kill};
    if !crate::support::has_tool("strace") {
        return;
    }
    let template = with_two_keys();
    fs::write(template.set_file("api"), "damaged").expect("the damaged set");
    let undo = ["undo", "api", "--yes"];
    let copy = || {
        let sandbox = Sandbox::new();
        let copy = format!("cp -a '{}'/. .", template.path().display());
        sandbox.shell(&copy).ok();
        sandbox
    };
    let (mut old, mut new) = (0, 0);
    for call in &calls_of(&copy(), &undo) {
        let sandbox = copy();
        kill(&sandbox, &undo, call);
        let left = fs::read_to_string(sandbox.set_file("api"));
        if left.as_deref().is_ok_and(|left| left != "damaged") {
            new += 1;
        } else {
            old += 1;
            sandbox.ok(undo);
        }
        assert_eq!(kids(&sandbox), "a", "{call:?}");
        let damaged = fs::read_to_string(aside(&sandbox)).expect("the damaged file");
        assert_eq!(damaged, "damaged", "{call:?}");
    }
    assert!(old > 0 && new > 0);
}

/// A version that cannot be written leaves the damaged file where it was.
#[cfg(target_os = "linux")]
#[test]
fn an_undo_that_fails_moves_nothing() {
    if !crate::support::has_tool("strace") {
        return;
    }
    let sandbox = with_two_keys();
    fs::write(sandbox.set_file("api"), "damaged").expect("the damaged set");
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]);
    strace.args(["-e", "inject=/^(fsync|fdatasync):error=ENOSPC:when=2+"]);
    let undo = strace
        .arg(crate::support::JWKS)
        .args(["undo", "api", "--yes"]);
    crate::support::finish(undo).fails(1);
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
    assert_eq!(sandbox.read_set("api"), "damaged");
}
