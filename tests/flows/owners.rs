//! Directories of other users: nothing is written there, and what may not be read is not damaged.
//!
//! Root plays one user, and 65534 the other.

#![cfg(target_os = "linux")]

use crate::support::{JWKS, Run, Sandbox, finish, has_tool};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

/// The user that most systems call nobody.
const OTHER: u32 = 65534;

/// What changes the keystore.
const WRITES: [&str; 8] = [
    "create api",
    "create new",
    "set api public.json",
    "set api --exp +1d",
    "delete api --yes --force",
    "rotate api --force",
    "rotate api --every 30d --save",
    "passwd api --p2c 1000 --passphrase-file passphrase",
];

/// A keystore of ours with a set; `None` if this user cannot give files away.
fn workplace() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--kid", "a"]);
    sandbox.ok(["export", "api", "-o", "public.json"]);
    sandbox.write("passphrase", "of api");
    let probe = sandbox.write("probe", "");
    match chown(probe, Some(OTHER), None) {
        Ok(()) => Some(sandbox),
        Err(_) => {
            eprintln!("only root gives files away: not tested here");
            None
        }
    }
}

fn give_away(path: &Path) {
    chown(path, Some(OTHER), Some(OTHER)).expect("root gives a file away");
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own files");
}

#[test]
fn nothing_is_written_into_a_keystore_of_another_user() {
    let Some(sandbox) = workplace() else { return };
    give_away(&sandbox.store());
    let (set, entries) = (sandbox.read_set("api"), sandbox.all_store_entries());
    for line in WRITES {
        let run = sandbox.run(line.split(' ')).fails(4);
        let words = run.stderr.contains("store belongs to ") && run.stderr.contains("sudo -u ");
        assert!(words && run.stderr.contains("--store"), "{line}: {run:#?}");
        assert_eq!(sandbox.read_set("api"), set, "{line}");
        assert_eq!(sandbox.all_store_entries(), entries, "{line}");
    }
    // Reading goes on, with a warning, and leaves no file of ours there.
    fs::remove_file(sandbox.store().join(".log")).expect("the log");
    let run = sandbox.run(["get", "api", "--private"]).ok();
    assert!(run.stderr.contains("store belongs to "), "{run:#?}");
    assert!(run.stderr.contains("not in the log"), "{run:#?}");
    assert_eq!(
        sandbox.all_store_entries(),
        [".history", ".lock", "api.json"]
    );
}

#[test]
fn no_keystore_is_created_below_a_directory_of_another_user() {
    let Some(sandbox) = workplace() else { return };
    let home = sandbox.path().join("home");
    fs::create_dir_all(home.join("share")).expect("directories");
    give_away(&home);
    for store in ["home/jwks", "home/share/jwks", "home/new/jwks"] {
        let run = sandbox.run(["create", "api", "--store", store]).fails(4);
        assert!(run.stderr.contains("home, which belongs to "), "{run:#?}");
    }
    assert_eq!(fs::read_dir(&home).expect("home").count(), 1);
    assert_eq!(fs::read_dir(home.join("share")).expect("share").count(), 0);
    // The one that owns it is well served.
    let Some(other) = Other::of(&sandbox) else {
        return;
    };
    other.run("create api --store home/jwks").ok();
    other.run("list api --store home/jwks").ok();
}

/// Whoever owns a link can lead it elsewhere.
#[test]
fn a_link_of_another_user_leads_to_no_keystore() {
    let Some(sandbox) = workplace() else { return };
    let link = sandbox.path().join("link");
    std::os::unix::fs::symlink("store", &link).expect("a link");
    sandbox.ok(["create", "api", "--store", "link"]);
    std::os::unix::fs::lchown(&link, Some(OTHER), None).expect("root gives a link away");
    sandbox.run(["create", "api", "--store", "link"]).fails(4);
}

#[test]
fn no_private_key_goes_below_a_directory_that_others_can_write_to() {
    let sandbox = Sandbox::new();
    sandbox.ok(["create", "api", "--store", "elsewhere"]);
    sandbox.ok(["export", "api", "-o", "public.json", "--store", "elsewhere"]);
    let up = sandbox.path().join("up");
    fs::create_dir_all(up.join("between")).expect("directories");
    for store in ["up/store", "up/between/store"] {
        chmod(&up, 0o777);
        let create = ["create", "api", "--store", store];
        let run = sandbox.run(create).fails(4);
        assert!(run.stderr.contains("other users can write to"), "{run:#?}");
        assert!(run.stderr.contains("chmod go-w"), "{run:#?}");
        assert!(!sandbox.path().join(store).join("api.json").exists());
        sandbox.ok(["set", "others", "public.json", "--store", store]);
        // Each file stays its owner's, as in /tmp.
        chmod(&up, 0o1777);
        sandbox.ok(create);
        chmod(&up, 0o777);
        sandbox.run(create).fails(4);
        let read = sandbox.run(["list", "api", "--store", store]).ok();
        assert!(
            read.stderr.contains("other users can write to"),
            "{read:#?}"
        );
    }
}

#[test]
fn no_private_key_is_exported_into_a_directory_of_another_user() {
    let Some(sandbox) = workplace() else { return };
    let out = sandbox.path().join("out");
    fs::create_dir(&out).expect("a directory");
    give_away(&out);
    let export = ["export", "api", "--private", "-o", "out/keys.json"];
    sandbox.run(export).fails(4);
    assert_eq!(fs::read_dir(&out).expect("the directory").count(), 0);
    sandbox.ok(["export", "api", "-o", "out/public.json"]);
}

/// `remotes.json` names commands that are run for a token.
#[test]
fn the_remotes_of_another_user_are_not_used() {
    let Some(sandbox) = workplace() else { return };
    let add = "remote add idp --kind hydra --url http://127.0.0.1:9 --token-command touch${IFS}run";
    sandbox.ok(add.split(' '));
    give_away(&sandbox.path().join(".config/jwks"));
    for line in ["push api idp --yes", "get api --remote idp"] {
        let run = sandbox.run(line.split(' ')).fails(4);
        assert!(run.stderr.contains("jwks belongs to "), "{run:#?}");
    }
    assert!(!sandbox.path().join("run").exists());
}

#[test]
fn no_remote_is_added_for_another_user() {
    let Some(sandbox) = workplace() else { return };
    let config = sandbox.path().join(".config");
    fs::create_dir(&config).expect("a directory");
    give_away(&config);
    let add = "remote add idp --kind url --url https://idp.example/jwks.json";
    let run = sandbox.run(add.split(' ')).fails(4);
    assert!(run.stderr.contains("which belongs to "), "{run:#?}");
    assert_eq!(fs::read_dir(&config).expect("it").count(), 0);
}

#[test]
fn what_may_not_be_read_is_not_damaged() {
    let Some(sandbox) = workplace() else { return };
    let Some(other) = Other::of(&sandbox) else {
        return;
    };
    sandbox.ok(["create", "web", "--kid", "w"]);
    sandbox.ok(["rotate", "web", "--every", "30d", "--save"]);
    sandbox.ok(["rotate", "api", "--every", "30d", "--save"]);
    for entry in sandbox.all_store_entries() {
        give_away(&sandbox.store().join(entry));
    }
    sandbox.shell("chown -R 65534:65534 store/.history").ok();
    give_away(&sandbox.store());
    chown(sandbox.set_file("api"), Some(0), Some(0)).expect("root's set");

    let list = other.run("list").fails(1);
    assert!(list.stdout.contains("no permission"), "{list:#?}");
    assert!(list.stdout.contains("web  1 "), "{list:#?}");
    let json = other.run("list --json").fails(1).json();
    assert_eq!(json["sets"].as_array().map(Vec::len), Some(2));
    let rotate = other.run("rotate --all --force").fails(1);
    assert!(rotate.stderr.contains("web: staged"), "{rotate:#?}");
    for run in [
        list,
        rotate,
        other.run("get api").fails(1),
        other.run("create api").fails(1),
        other.run("delete api --yes --force").fails(1),
    ] {
        let words = "no permission to read ";
        assert!(run.stderr.contains(words), "{run:#?}");
        assert!(run.stderr.contains("api.json"), "{run:#?}");
        assert!(run.stderr.contains("sudo chown "), "{run:#?}");
        let wrong = ["damaged", "restore"]
            .iter()
            .any(|word| run.stderr.contains(word));
        assert!(!wrong, "{run:#?}");
    }
    for file in [".lock", ".schedules.json"] {
        let path = sandbox.store().join(file);
        chown(&path, Some(0), Some(0)).expect("root's file");
        let run = other.run("rotate web --force --save --every 30d").fails(1);
        assert!(run.stderr.contains("no permission to "), "{run:#?}");
        assert!(run.stderr.contains(file), "{run:#?}");
        give_away(&path);
    }
}

/// The other user, with a program that it may run.
struct Other<'a>(&'a Sandbox);

impl<'a> Other<'a> {
    /// `None` if there is no tool to become that user.
    fn of(sandbox: &'a Sandbox) -> Option<Self> {
        if !has_tool("setpriv") {
            return None;
        }
        chmod(sandbox.path(), 0o755);
        // The way to the one that was built may be closed.
        sandbox.install(JWKS, "jwks");
        Some(Other(sandbox))
    }

    fn run(&self, line: &str) -> Run {
        let mut command = self.0.command("setpriv");
        let user = OTHER.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
        finish(command.arg("./jwks").args(line.split(' ')))
    }
}
