//! The history has the promises of the sets: kills, faults, and directories of other users.

#![cfg(target_os = "linux")]

use crate::crash::{calls_of, kill};
use crate::history::{history, versions};
use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

fn strace(sandbox: &Sandbox, options: &[&str], line: &str) -> Run {
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]);
    finish(strace.args(options).arg(JWKS).args(line.split(' ')))
}

fn set(sandbox: &Sandbox) -> Option<Value> {
    let text = fs::read_to_string(sandbox.set_file("api")).ok()?;
    Some(serde_json::from_str(&text).expect("a whole set"))
}

/// A set that was created and got a second key, and a file with a passphrase.
fn with_two_changes() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("one", "the first");
    for create in ["create api --kid a", "create api --kid b"] {
        sandbox.ok(create.split(' '));
    }
    sandbox
}

/// A sandbox with the same files.
pub fn copy_of(template: &Sandbox) -> Sandbox {
    let sandbox = Sandbox::new();
    let copy = format!("cp -a '{}'/. .", template.path().display());
    sandbox.shell(&copy).ok();
    sandbox
}

/// Kills a command at one call after the other. Then the set is the old or the new one, and what is
/// new can be undone.
fn kill_at_each_call(line: &str) {
    if !has_tool("strace") {
        return;
    }
    let template = with_two_changes();
    let copy = || copy_of(&template);
    let command: Vec<_> = line.split(' ').collect();
    let old = set(&template);
    let mut new = 0;
    let calls = calls_of(&copy(), &command);
    for call in &calls {
        let sandbox = copy();
        kill(&sandbox, &command, call);
        let is_new = set(&sandbox) != old;
        sandbox.ok(["undo", "api", "--yes"]);
        let undone = set(&sandbox);
        if is_new {
            assert_eq!(undone, old, "{line}: killed at {call:?}");
        } else {
            // What is undone is the change before.
            let keys = &undone.expect("a set")["keys"];
            let number = keys.as_array().map(Vec::len);
            assert_eq!(number, Some(1), "{line}: killed at {call:?}");
        }
        new += usize::from(is_new);
        let left = sandbox.shell("find store -name .writing").ok().stdout;
        assert_eq!(left, "", "{line}: killed at {call:?}");
    }
    assert!(new > 0 && new < calls.len(), "{line}");
}

#[test]
fn a_killed_create_can_be_undone_or_has_not_happened() {
    kill_at_each_call("create api --kid c");
}

#[test]
fn a_killed_delete_can_be_undone_or_has_not_happened() {
    kill_at_each_call("delete api --yes --force");
}

#[test]
fn a_killed_undo_can_be_undone_or_has_not_happened() {
    kill_at_each_call("undo api --yes");
}

/// Kills a command that deletes a history at one call after the other. Then, and after the next change of
/// another set, the old set has its history, or the new state has none.
fn kill_a_removal_at_each_call(line: &str) {
    if !has_tool("strace") {
        return;
    }
    let template = with_two_changes();
    let copy = || copy_of(&template);
    let old = template.read_set("api");
    let command: Vec<_> = line.split(' ').collect();
    let mut new = 0;
    let calls = calls_of(&copy(), &command);
    for call in &calls {
        let sandbox = copy();
        kill(&sandbox, &command, call);
        sandbox.ok(["create", "other", "--kid", "o"]);
        let is_old = fs::read_to_string(sandbox.set_file("api")).is_ok_and(|set| set == old);
        if is_old {
            let undone = sandbox.run(["undo", "api", "--yes"]).ok();
            assert_eq!(
                set(&sandbox).expect("a set")["keys"]
                    .as_array()
                    .map(Vec::len),
                Some(1)
            );
            assert!(
                undone.stderr.contains("created b"),
                "{line}: {call:?}: {undone:#?}"
            );
        } else {
            assert_eq!(versions(&sandbox, "api"), 0, "{line}: killed at {call:?}");
            sandbox.run(["undo", "api"]).fails(3);
        }
        new += usize::from(!is_old);
        let left = sandbox
            .shell("find store -name .writing -o -name .removing")
            .ok();
        assert_eq!(left.stdout, "", "{line}: killed at {call:?}");
    }
    assert!(new > 0 && new < calls.len(), "{line}");
}

#[test]
fn a_killed_purge_leaves_all_or_nothing() {
    kill_a_removal_at_each_call("delete api --yes --force --purge");
}

#[test]
fn a_killed_encryption_leaves_no_plain_version() {
    kill_a_removal_at_each_call("passwd api --p2c 1000 --passphrase-file one");
}

/// Whatever somebody does to a set after a kill, the history that its new state does not expose stays.
#[test]
fn a_hand_edit_after_a_killed_encryption_loses_no_history() {
    if !has_tool("strace") {
        return;
    }
    let template = with_two_changes();
    let old = template.read_set("api");
    let line = "passwd api --p2c 1000 --passphrase-file one";
    let command: Vec<_> = line.split(' ').collect();
    let (mut edited, mut removed) = (0, 0);
    for call in &calls_of(&copy_of(&template), &command) {
        for edit in ["sed -i s/ES256/ES256K/ store/api.json", "rm store/api.json"] {
            let sandbox = copy_of(&template);
            kill(&sandbox, &command, call);
            if fs::read_to_string(sandbox.set_file("api")).is_ok_and(|set| set == old) {
                edited += 1;
                sandbox.shell(edit).ok();
                sandbox.ok(["create", "other"]);
                assert!(versions(&sandbox, "api") >= 2, "{edit}: {call:?}");
                removed += usize::from(versions(&sandbox, "api") > 2);
                sandbox.ok(["undo", "api", "--yes"]);
                assert!(old.contains(sandbox.read_set("api").trim_end_matches("\n  ]\n}\n")));
                let left = sandbox.shell("find store -name '.[nrw]*ing' -o -name .next");
                assert_eq!(left.ok().stdout, "", "{edit}: {call:?}");
            }
        }
    }
    assert!(edited > 0 && removed > 0);
}

/// Another program need not have flushed the file that becomes a version, and one call flushes it and its
/// name.
#[test]
fn a_version_is_flushed_once() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    sandbox.ok(["create", "api"]);
    let mut strace = sandbox.command("strace");
    strace.args(["-f", "-qq", "-y", "-o", "trace"]);
    strace.args(["-e", "trace=fsync,fdatasync,link,linkat,/^rename"]);
    finish(strace.arg(JWKS).args(["create", "api"])).ok();
    let trace = fs::read_to_string(sandbox.path().join("trace")).expect("a trace");
    let calls: Vec<_> = trace.lines().collect();
    let is_flush = |line: &&str| line.contains("sync(");
    // The new file, the version, and the keystore.
    assert_eq!(calls.iter().copied().filter(is_flush).count(), 3, "{trace}");
    let position = |of: &dyn Fn(&str) -> bool| calls.iter().position(|line| of(line));
    let link = position(&|line| line.contains("link"));
    let flush = position(&|line| line.contains("sync(") && line.contains(".history/api/000003"));
    let rename = position(&|line| line.contains("rename"));
    assert!(link.is_some() && link < flush && flush < rename, "{trace}");
}

#[test]
fn a_killed_forget_is_completed() {
    if !has_tool("strace") {
        return;
    }
    let command = ["forget", "api", "--yes"];
    let template = with_two_changes();
    for call in &calls_of(&copy_of(&template), &command) {
        let sandbox = copy_of(&template);
        kill(&sandbox, &command, call);
        let again = sandbox.run(command);
        assert!(matches!(again.code, Some(0 | 3)), "{call:?}: {again:#?}");
        sandbox.ok(["create", "other"]);
        assert_eq!(versions(&sandbox, "api"), 0, "killed at {call:?}");
        let left = sandbox
            .shell("find store -name .writing -o -name .removing")
            .ok();
        assert_eq!(left.stdout, "", "killed at {call:?}");
    }
}

/// A history that cannot be deleted is not read any more, and the next change tries again.
#[test]
fn a_history_that_cannot_be_deleted_is_reported_and_deleted_later() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = with_two_changes();
    let encrypt = "passwd api --p2c 1000 --passphrase-file one";
    let run = strace(&sandbox, &["-e", "inject=unlinkat:error=EIO"], encrypt).fails(1);
    assert!(run.stderr.contains("the change is made"), "{run:#?}");
    assert!(!run.stderr.contains("deleted"), "{run:#?}");
    let removing = sandbox.store().join(".history/.removing");
    let kept = removing.join(".api");
    assert!(kept.is_dir());
    // What an earlier run has left makes no change fail.
    let failing = ["-P", kept.to_str().expect("UTF-8")];
    let failing = [&failing[..], &["-e", "inject=unlinkat:error=EIO"]].concat();
    strace(&sandbox, &failing, "undo api --yes").fails(3);
    for line in [
        "create api --kid e --passphrase-file one",
        "create api --kid f --passphrase-file one --keep-history 0",
    ] {
        let run = strace(&sandbox, &failing, line).ok();
        let hint = format!("remove {}\n", removing.display());
        assert!(run.stderr.contains("warning: cannot complete"), "{run:#?}");
        assert!(run.stderr.contains(&hint), "{run:#?}");
        assert!(kept.is_dir());
    }
    assert_eq!(versions(&sandbox, "api"), 0);
    sandbox.ok(["create", "other"]);
    let left = sandbox
        .shell("grep -rl '\"d\"' store; ls -A store/.history")
        .ok();
    assert_eq!(left.stdout, "store/other.json\n.swept\nother\n");
}

/// A deletion needs no space.
#[test]
fn a_history_is_deleted_on_a_full_disk() {
    if !has_tool("strace") {
        return;
    }
    for line in ["forget api --yes", "delete api --purge --yes --force"] {
        let sandbox = Sandbox::new();
        sandbox.ok(["create", "api", "--kid", "a"]);
        let full = "inject=/^(mkdir|rename|link).*:error=ENOSPC";
        strace(&sandbox, &["-e", full], line).ok();
        assert_eq!(versions(&sandbox, "api"), 0, "{line}");
    }
}

/// No set inherits the schedule of a deleted one.
#[test]
fn a_killed_delete_leaves_its_schedule_to_no_other_set() {
    if !has_tool("strace") {
        return;
    }
    let template = Sandbox::new();
    template.ok(["create", "api", "--kid", "a"]);
    template.ok(["rotate", "api", "--every", "30d", "--save"]);
    let copy = || copy_of(&template);
    let delete = ["delete", "api", "--yes", "--force"];
    for call in &calls_of(&copy(), &delete) {
        let sandbox = copy();
        kill(&sandbox, &delete, call);
        if !sandbox.set_file("api").exists() {
            sandbox.ok(["create", "api", "--kid", "b"]);
            let schedules = fs::read_to_string(sandbox.store().join(".schedules.json"));
            assert!(
                !schedules.expect("it").contains("api"),
                "killed at {call:?}"
            );
        }
    }
}

/// A set that is not restored gets no schedule.
#[test]
fn an_undo_that_fails_restores_no_schedule() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["rotate", "api", "--every", "30d", "--save"]);
    sandbox.ok(["delete", "api", "--yes", "--force"]);
    let schedules = || fs::read_to_string(sandbox.store().join(".schedules.json")).expect("it");
    let before = schedules();
    let path = sandbox.store().join(".writing");
    let failing = ["-P", path.to_str().expect("UTF-8")];
    let failing = [&failing[..], &["-e", "inject=/sync$:error=EIO"]].concat();
    strace(&sandbox, &failing, "undo api --yes").fails(1);
    assert!(!sandbox.set_file("api").exists());
    assert_eq!(schedules(), before);
    sandbox.ok(["undo", "api", "--yes"]);
    assert!(schedules().contains("api"));
}

/// The schedule that cannot be taken back is told of.
#[test]
fn an_undo_that_leaves_a_schedule_says_so() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["rotate", "api", "--every", "30d", "--save"]);
    sandbox.ok(["delete", "api", "--yes", "--force"]);
    // The first rename is that of the schedules.
    let fault = "inject=/^rename:error=EIO:when=2+";
    let run = strace(&sandbox, &["-e", fault], "undo api --yes").fails(1);
    assert!(!sandbox.set_file("api").exists());
    let left = "the schedule of set api is restored, but the set is not";
    assert!(run.stderr.contains(left), "{run:#?}");
}

/// A change that fails deletes no history.
#[test]
fn a_purge_that_fails_keeps_the_history() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = with_two_changes();
    let file = sandbox.set_file("api");
    let path = file.to_str().expect("UTF-8");
    let inject = "inject=/^unlink:error=EACCES";
    let purge = "delete api --yes --force --purge";
    strace(&sandbox, &["-P", path, "-e", inject], purge).fails(1);
    assert_eq!(versions(&sandbox, "api"), 2);
    sandbox.ok(["undo", "api", "--yes"]);
}

/// A change that cannot be undone is not made, and says how to make it nevertheless.
#[test]
fn a_change_fails_if_its_history_cannot_be_written() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let (old, number) = (sandbox.read_set("api"), versions(&sandbox, "api"));
    for (path, call, error) in [
        (history(&sandbox, "api"), "/sync$", "EIO"),
        (history(&sandbox, "api"), "/sync$", "ENOSPC"),
    ] {
        let path = path.to_str().expect("UTF-8");
        let inject = format!("inject={call}:error={error}");
        let run = strace(&sandbox, &["-P", path, "-e", &inject], "create api --kid b").fails(1);
        assert!(
            run.stderr.contains("cannot keep the history of set api"),
            "{run:#?}"
        );
        assert!(run.stderr.contains("--keep-history 0"), "{run:#?}");
        assert_eq!(sandbox.read_set("api"), old);
        assert_eq!(versions(&sandbox, "api"), number);
        assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
    }
    // The version of a new set is an empty file in a directory of its own.
    let inject = "inject=/^mkdir:error=EIO";
    let run = strace(&sandbox, &["-e", inject], "create new --kid b").fails(1);
    let hint = "nothing was changed; pass --keep-history 0";
    assert!(run.stderr.contains(hint), "{run:#?}");
    assert_eq!(sandbox.store_entries(), [".lock", "api.json"]);
    assert_eq!(versions(&sandbox, "new"), 0);
    // No link and no copy.
    let full = "inject=/^link:error=ENOSPC";
    let none = "inject=/^(fsync|fdatasync):error=ENOSPC";
    let run = strace(&sandbox, &["-e", full, "-e", none], "create api --kid b").fails(1);
    assert!(run.stderr.contains("No space left"), "{run:#?}");
    assert_eq!(sandbox.read_set("api"), old);
    assert_eq!(versions(&sandbox, "api"), number);
    // A file system without hard links.
    let run = strace(
        &sandbox,
        &["-e", "inject=/^link:error=EPERM"],
        "create api --kid b",
    )
    .ok();
    assert_eq!(run.stdout, "b\n");
    assert_eq!(versions(&sandbox, "api"), number + 1);
    sandbox.ok(["undo", "api", "--yes"]);
    assert_eq!(sandbox.read_set("api"), old);
}

#[test]
fn a_history_that_is_not_ours_stops_a_change_aloud() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    let top = sandbox.store().join(".history");
    let old = sandbox.read_set("api");
    let refuses = |words: &str| {
        let run = sandbox.run(["create", "api", "--kid", "b"]).fails(4);
        assert!(run.stderr.contains(words), "{run:#?}");
        assert!(run.stderr.contains("nothing was changed"), "{run:#?}");
        sandbox.run(["undo", "api", "--yes"]).fails(4);
        assert_eq!(sandbox.read_set("api"), old);
        sandbox.ok(["get", "api"]);
        sandbox.ok(["log"]);
    };
    fs::set_permissions(&top, fs::Permissions::from_mode(0o777)).expect("own");
    refuses("other users can write to");
    fs::set_permissions(&top, fs::Permissions::from_mode(0o700)).expect("own");
    if chown(&top, Some(65534), None).is_ok() {
        refuses("belongs to");
        chown(&top, Some(0), None).expect("root takes it back");
    }
    let elsewhere = sandbox.path().join("elsewhere");
    fs::rename(&top, &elsewhere).expect("own");
    symlink(&elsewhere, &top).expect("a link");
    refuses("is a symbolic link");
    // The change is possible without a history, and says what it leaves.
    let run = sandbox.run(["create", "api", "--kid", "b", "--keep-history", "0"]);
    assert_eq!(run.stdout, "b\n", "{run:#?}");
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("the change is made"), "{run:#?}");
    // A purge must leave nothing.
    let purge = ["delete", "api", "--yes", "--force", "--purge"];
    sandbox.run(purge).fails(4);
    assert!(sandbox.set_file("api").exists());
}

#[test]
fn the_history_is_private() {
    let sandbox = Sandbox::new();
    sandbox
        .shell("umask 000; jwks create api; chmod 644 store/api.json; jwks create api; jwks delete api --yes --force; jwks undo")
        .ok();
    let open = sandbox.shell("find store -perm /077").ok();
    assert_eq!(open.stdout, "");
}

/// Commands that change nothing read no history.
#[test]
fn reading_costs_nothing() {
    if !has_tool("strace") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api"]);
    for line in ["get api", "list", "list api", "export api"] {
        let mut strace = sandbox.command("strace");
        strace.args(["-f", "-qq", "-o", "trace", "-e", "trace=%file"]);
        finish(strace.arg(JWKS).args(line.split(' '))).ok();
        let trace = fs::read_to_string(sandbox.path().join("trace")).expect("a trace");
        assert!(!trace.contains(".history"), "{line}: {trace}");
    }
}
