//! Kills, full disks and crowds: an encrypted set is the old one or the new one, and never a third.

use super::{desk, open, read_jwe, run, with, with_a_set};
use crate::crash::{assert_all_private, assert_both_seen, calls_of, kill};
use crate::support::{JWKS, LOCK_WAIT, Sandbox, finish, has_tool, wait_until};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

const ENCRYPT: &str = "passwd api --passphrase-file passphrase.txt --p2c 1000";
const CHANGE: &str =
    "passwd api --passphrase-file passphrase.txt --new-passphrase-file next.txt --p2c 1000";
const REMOVE: &str = "passwd api --passphrase-file passphrase.txt --remove";

/// How a set can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opens {
    Without,
    WithTheOld,
    WithTheNew,
}

/// What opens the set, and its keys. It is opened in exactly one way.
#[track_caller]
fn opened(sandbox: &Sandbox) -> (Opens, Vec<Value>) {
    let get = "get api --private -q";
    let mut ways = [
        (Opens::Without, run(sandbox, get)),
        (Opens::WithTheOld, with(sandbox, "passphrase.txt", get)),
        (Opens::WithTheNew, with(sandbox, "next.txt", get)),
    ];
    if ways[0].1.code == Some(0) {
        // A plain set asks for no passphrase, right or wrong.
        ways[1..].iter_mut().for_each(|way| way.1.code = Some(7));
    }
    let mut found = ways.into_iter().filter(|(_, run)| run.code == Some(0));
    let (way, run) = found.next().expect("a set that opens");
    assert!(found.next().is_none(), "two ways open it");
    (way, run.json()["keys"].as_array().expect("keys").clone())
}

/// A copy of the keystore's files and of their history, to come back to.
fn files(store: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(store).expect("the keystore") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        if entry.path().is_dir() {
            let below = self::files(&entry.path()).into_iter();
            files.extend(below.map(|(file, content)| (format!("{name}/{file}"), content)));
        } else {
            files.push((name, fs::read(entry.path()).expect("a file")));
        }
    }
    files.sort();
    files
}

fn put_back(sandbox: &Sandbox, before: &[(String, Vec<u8>)]) {
    let store = sandbox.store();
    for entry in fs::read_dir(&store).expect("the keystore") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            fs::remove_dir_all(path).expect("removed");
        } else {
            fs::remove_file(path).expect("removed");
        }
    }
    for (name, content) in before {
        super::secret_file(sandbox, &format!("store/{name}"), content);
    }
}

/// Kills a command at one call after the other. `is_new` tells what is left of a set that opens.
fn kill_at_each_call(
    sandbox: &Sandbox,
    command: &str,
    is_new: impl Fn(Opens, &[Value], &[Value]) -> Option<bool>,
) {
    if !has_tool("strace") {
        return;
    }
    let command: Vec<_> = command.split(' ').collect();
    let before = files(&sandbox.store());
    let (_, old) = opened(sandbox);
    let calls = calls_of(sandbox, &command);
    let mut new = 0;
    for call in &calls {
        put_back(sandbox, &before);
        kill(sandbox, &command, call);
        assert_all_private(sandbox);
        let (way, left) = opened(sandbox);
        let is_new = is_new(way, &left, &old);
        assert!(
            is_new.is_some(),
            "killed at {call:?}: {way:?}, {} keys",
            left.len()
        );
        new += usize::from(is_new == Some(true));
        // What was left behind stands in nobody's way.
        match way {
            // A passphrase would demand that the set is encrypted.
            Opens::Without => run(sandbox, "create api"),
            Opens::WithTheOld => open(sandbox, "create api"),
            Opens::WithTheNew => with(sandbox, "next.txt", "create api"),
        }
        .ok();
        let name = match way {
            Opens::Without => "api.json",
            _ => "api.jwe",
        };
        assert_eq!(sandbox.store_entries(), [".lock", name], "{call:?}");
        assert_eq!(opened(sandbox).1[..left.len()], left, "{call:?}");
    }
    assert_both_seen(new, calls.len());
}

/// The keys are the same, and one of two ways opens them.
fn either(before: Opens, after: Opens) -> impl Fn(Opens, &[Value], &[Value]) -> Option<bool> {
    move |way, left, old| {
        let is_either = left == old && (way == before || way == after);
        is_either.then_some(way == after)
    }
}

#[test]
fn a_killed_encryption_leaves_the_plain_or_the_encrypted_set() {
    let sandbox = desk();
    run(&sandbox, "create api --count 2").ok();
    kill_at_each_call(&sandbox, ENCRYPT, either(Opens::Without, Opens::WithTheOld));
}

#[test]
fn a_killed_change_leaves_the_old_or_the_new_passphrase() {
    let sandbox = with_a_set();
    kill_at_each_call(
        &sandbox,
        CHANGE,
        either(Opens::WithTheOld, Opens::WithTheNew),
    );
}

#[test]
fn a_killed_removal_leaves_the_encrypted_or_the_plain_set() {
    let sandbox = with_a_set();
    kill_at_each_call(&sandbox, REMOVE, either(Opens::WithTheOld, Opens::Without));
}

#[test]
fn a_killed_rotation_leaves_the_old_or_the_new_set() {
    let sandbox = with_a_set();
    let rotate = "rotate api --force --passphrase-file passphrase.txt";
    kill_at_each_call(&sandbox, rotate, |way, left, old| {
        let kids = |keys: &[Value]| {
            keys.iter()
                .map(|key| key["kid"].clone())
                .collect::<Vec<_>>()
        };
        let is_old = left == old;
        let is_new = left.len() == 2 && kids(&left[..1]) == kids(old);
        (way == Opens::WithTheOld && (is_old || is_new)).then_some(is_new)
    });
}

#[test]
fn a_killed_first_create_leaves_no_set_or_an_encrypted_one() {
    if !has_tool("strace") {
        return;
    }
    let line = "create api --encrypt --p2c 1000 --passphrase-file passphrase.txt";
    let create: Vec<_> = line.split(' ').collect();
    let mut whole = 0;
    let calls = calls_of(&desk(), &create);
    for call in &calls {
        let sandbox = desk();
        kill(&sandbox, &create, call);
        assert_all_private(&sandbox);
        assert!(!sandbox.set_file("api").exists(), "killed at {call:?}");
        let made = sandbox.store().join("api.jwe").exists();
        if made {
            assert_eq!(opened(&sandbox).0, Opens::WithTheOld, "killed at {call:?}");
            whole += 1;
        }
        sandbox.ok(&create);
        assert_eq!(opened(&sandbox).1.len(), 1 + usize::from(made), "{call:?}");
        assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"], "{call:?}");
    }
    assert_both_seen(whole, calls.len());
}

/// No space, or a file system that fails: the old set stays as it is, and no other file.
#[test]
fn a_write_that_fails_leaves_the_old_set() {
    if !has_tool("strace") {
        return;
    }
    let plain = || {
        let sandbox = desk();
        run(&sandbox, "create api").ok();
        sandbox
    };
    let create = "create api --passphrase-file passphrase.txt";
    for (desk, command) in [
        (&plain as &dyn Fn() -> Sandbox, ENCRYPT),
        (&with_a_set, CHANGE),
        (&with_a_set, REMOVE),
        (&with_a_set, create),
    ] {
        for (call, error) in [
            ("/^open", "ENOSPC"),
            ("write", "ENOSPC"),
            ("write", "EIO"),
            ("/sync$", "ENOSPC"),
            ("/^rename", "EROFS"),
        ] {
            let sandbox = desk();
            let without_history = || {
                let mut files = files(&sandbox.store());
                // An encryption removes the history before the new file is in place.
                files.retain(|(name, _)| !name.starts_with(".history"));
                files
            };
            let before = without_history();
            let mut strace = sandbox.command("strace");
            let temporary = sandbox.store().join(".writing");
            strace
                .args(["-f", "-qq", "-o", "/dev/null", "-P"])
                .arg(temporary);
            strace.args(["-e", &format!("inject={call}:error={error}")]);
            let run = finish(strace.arg(JWKS).args(command.split(' '))).fails(1);
            assert!(run.stderr.contains("api.j"), "{command} {call}: {run:#?}");
            assert_eq!(without_history(), before, "{command} {call} {error}");
        }
    }
}

/// The file has its new content and not yet its new name: that is said, and it opens.
#[test]
fn a_renaming_that_fails_leaves_a_set_that_opens() {
    if !has_tool("strace") {
        return;
    }
    for (command, way) in [(ENCRYPT, Opens::WithTheOld), (REMOVE, Opens::Without)] {
        let sandbox = match way {
            Opens::Without => with_a_set(),
            _ => desk(),
        };
        if way != Opens::Without {
            // Without a history, nothing but the set is renamed.
            run(&sandbox, "create api --keep-history 0").ok();
        }
        let name = match way {
            Opens::Without => "api.json",
            _ => "api.jwe",
        };
        // The last one gives the content its name.
        let before = files(&sandbox.store());
        let calls = calls_of(&sandbox, &command.split(' ').collect::<Vec<_>>());
        let mut renames = calls.into_iter().rev();
        let rename = renames.find(|(name, _)| name.starts_with("rename"));
        let (name_of_call, number) = rename.expect("a rename");
        put_back(&sandbox, &before);
        let mut strace = sandbox.command("strace");
        let inject = format!("inject={name_of_call}:error=EIO:when={number}");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject]);
        let run = finish(strace.arg(JWKS).args(command.split(' '))).fails(1);
        let now = match name {
            "api.json" => "set api is no longer encrypted, but cannot rename ",
            _ => "set api is encrypted now, but cannot rename ",
        };
        assert!(run.stderr.contains(now), "{run:#?}");
        assert_ne!(files(&sandbox.store()), before);
        assert_eq!(opened(&sandbox).0, way);
        // A passphrase would demand that the set is encrypted.
        match name {
            "api.json" => super::run(&sandbox, "create api").ok(),
            _ => open(&sandbox, "create api").ok(),
        };
        assert_eq!(sandbox.store_entries(), [".lock", name]);
    }
}

#[test]
fn eight_writers_at_once_lose_no_key() {
    let sandbox = with_a_set();
    let (workers, each) = (8, 10);
    let work = || -> Vec<String> {
        let create = format!("create api --alg HS256 --kid-from uuid -q --lock-wait {LOCK_WAIT}");
        let create = || open(&sandbox, &create).ok().stdout;
        (0..each).map(|_| create().trim().to_owned()).collect()
    };
    let printed: HashSet<String> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let finished = running.into_iter().map(|worker| worker.join());
        finished
            .flat_map(|kids| kids.expect("a worker's kids"))
            .collect()
    });
    assert_eq!(printed.len(), workers * each);
    let names = run(&sandbox, "list api --format names").ok().stdout;
    let there: HashSet<String> = names.lines().map(str::to_owned).collect();
    assert!(printed.is_subset(&there) && there.len() == printed.len() + 1);
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
    assert_eq!(opened(&sandbox).1.len(), 1 + workers * each);
}

/// A set is encrypted while others write into it: each of them has written before, or is told.
#[test]
fn a_set_that_becomes_encrypted_meanwhile_loses_nothing() {
    let sandbox = desk();
    run(&sandbox, "create api --kid first").ok();
    let printed: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let create =
                format!("create api --alg HS256 --kid-from uuid -q --lock-wait {LOCK_WAIT}");
            let runs = (0..20).map(|_| run(&sandbox, &create));
            let done = runs.filter(|run| match run.code {
                Some(0) => true,
                Some(4 | 7) => false,
                _ => panic!("{run:#?}"),
            });
            let kids = done.map(|run| run.stdout.trim().to_owned());
            kids.collect::<Vec<_>>()
        };
        let writers: [_; 3] = std::array::from_fn(|_| scope.spawn(work));
        let encrypt = format!("{ENCRYPT} --lock-wait {LOCK_WAIT}");
        run(&sandbox, &encrypt).ok();
        let kids = writers.map(|writer| writer.join().expect("a writer"));
        kids.concat()
    });
    assert!(read_jwe(&sandbox, "api").starts_with("ey"));
    assert_eq!(sandbox.store_entries(), [".lock", "api.jwe"]);
    let names = run(&sandbox, "list api --format names").ok().stdout;
    for kid in &printed {
        assert!(names.contains(kid), "{kid} is lost");
    }
    assert_eq!(names.lines().count(), printed.len() + 1);
}

/// A set changes its file's name between the two looks of a reader: it is neither lost nor there twice.
#[test]
fn a_set_that_changes_its_name_is_seen() {
    if !has_tool("strace") {
        return;
    }
    for reader in [
        "get api",
        "export api",
        "thumbprint api",
        "set api --kid first --exp 2030-01-01",
    ] {
        for flip in [ENCRYPT, REMOVE] {
            let sandbox = match flip {
                REMOVE => with_a_set(),
                _ => desk(),
            };
            if flip == ENCRYPT {
                run(&sandbox, "create api --kid first").ok();
            }
            // The reader stops after its first look, and goes on when the set has its other name.
            let mut strace = sandbox.command("strace");
            strace.args(["-f", "-qq", "-o", "trace", "-P"]);
            strace.arg(sandbox.store().join("api.json"));
            strace.args(["-e", "inject=%%stat:signal=STOP:when=1"]);
            strace.arg(JWKS).args(reader.split(' '));
            strace.args(["--passphrase-file", "passphrase.txt"]);
            let trace = || fs::read_to_string(sandbox.path().join("trace")).unwrap_or_default();
            let reading = std::thread::scope(|scope| {
                let reading = scope.spawn(|| finish(&mut strace));
                wait_until("the reader stops", || trace().contains("stopped by"));
                let flipped = sandbox.run(flip.split(' '));
                let trace = trace();
                let process = trace.split(' ').next().expect("a process");
                finish(sandbox.command("kill").args(["-CONT", process])).ok();
                flipped.ok();
                reading.join().expect("the reader")
            });
            // A change may be refused, for the set was encrypted or decrypted meanwhile.
            let told = [
                "meanwhile",
                "set api is not encrypted, but --passphrase-file",
            ];
            let is_told = told.iter().any(|words| reading.stderr.contains(words));
            assert!(
                reading.code == Some(0) || is_told,
                "{reader} {flip}: {reading:#?}"
            );
            assert_eq!(opened(&sandbox).1.len(), 1);
        }
    }
}
