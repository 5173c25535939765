//! Every command on a keystore of each kind.

use crate::site::{Site, everywhere, kids};
use crate::support::{JWKS, Sandbox, finish};

/// Nothing of the keystore is on this machine.
fn assert_nothing_here(site: &Site) {
    assert_eq!(site.sandbox.all_store_entries(), [""; 0]);
    assert!(!site.sandbox.path().join("vault:secret").exists());
    assert!(!site.sandbox.path().join("kubernetes:").exists());
}

#[test]
fn sets_are_created_listed_changed_and_deleted() {
    everywhere(|site| {
        assert_eq!(site.ok("list"), "");
        site.run("get api").fails(3);
        site.ok("create api --kid first");
        site.ok("create api --kid second");
        site.ok("create other --alg EdDSA");
        let listed = site.json("list");
        let names: Vec<_> = listed["sets"]
            .as_array()
            .expect("sets")
            .iter()
            .map(|set| set["set"].clone())
            .collect();
        assert_eq!(names, ["api", "other"]);
        assert_eq!(kids(&site.json("get api")), ["first", "second"]);
        assert!(site.json("get api")["keys"][0]["d"].is_null());
        assert!(site.json("get api first --private")["d"].is_string());
        let there = site.text("api").expect("the set");
        assert!(there.contains("\"d\":"), "{there}");

        site.ok("set api --kid first --exp +30d");
        site.ok("export api -o public.json");
        site.ok("set third public.json --on-conflict skip");
        assert_eq!(kids(&site.json("get third")), ["first", "second"]);
        site.ok("check api");
        site.ok("diff api public.json");
        site.ok("thumbprint api");
        site.ok("list api --timeline");
        site.ok("advise api");

        site.ok("delete api first --yes");
        assert_eq!(kids(&site.json("get api")), ["second"]);
        site.run("delete api --yes").fails(4);
        site.ok("delete api --yes --force");
        site.run("get api").fails(3);
        site.run("delete api --yes --force").fails(3);
        assert_eq!(site.ok("list --format names"), "other\nthird\n");
        // A set can come again after it was deleted.
        site.ok("create api --kid again");
        assert_eq!(kids(&site.json("get api")), ["again"]);
        assert_nothing_here(site);
    });
}

#[test]
fn an_encrypted_set_is_the_same_file_as_in_a_directory() {
    everywhere(|site| {
        site.sandbox.write("pass", "of this set\n");
        site.sandbox.write("next", "another one\n");
        let with = |line: &str| format!("{line} --passphrase-file pass");
        site.ok(&with("create api --kid first --encrypt --p2c 1000"));
        let there = site.text("api").expect("the set");
        assert_eq!(there.trim().split('.').count(), 5, "a compact JWE: {there}");
        // The public part needs no passphrase.
        assert_eq!(kids(&site.json("get api")), ["first"]);
        site.ok(&with("create api --kid second"));
        assert!(site.json(&with("get api second --private"))["d"].is_string());
        site.ok(&with("passwd api --new-passphrase-file next --p2c 1000"));
        site.run(&with("get api first --private")).fails(7);
        // The text works as a file of a keystore in a directory.
        let text = site.text("api").expect("the set");
        site.sandbox.write("store/api.jwe", text);
        let here = site
            .sandbox
            .json(["get", "api", "--private", "--passphrase-file", "next"]);
        assert_eq!(kids(&here), ["first", "second"]);
        std::fs::remove_file(site.sandbox.path().join("store/api.jwe")).expect("the file");

        site.ok("passwd api --remove --passphrase-file next");
        assert!(site.text("api").expect("the set").contains("\"d\":"));
        site.ok("passwd api --passphrase-file pass --p2c 1000");
        assert!(!site.text("api").expect("the set").contains("\"d\":"));
    });
}

#[test]
fn a_schedule_is_kept_on_the_server() {
    everywhere(|site| {
        site.ok("create api --kid first");
        site.ok("create other");
        site.ok("rotate api --every 30d --publish-delay 1h --retire-after 1d --save");
        let status = site.json("status");
        assert_eq!(status["sets"].as_array().expect("sets").len(), 2);
        site.ok("rotate --all");
        assert_eq!(kids(&site.json("get api")), ["first"]);
        site.ok("rotate --all --now +31d");
        assert_eq!(kids(&site.json("get api")).len(), 2);
        assert_eq!(kids(&site.json("get other")).len(), 1);
        site.ok("rotate --all --now +31d");
        assert_eq!(kids(&site.json("get api")).len(), 2);
        // A new set of the name has no schedule.
        site.ok("delete api --yes --force");
        site.ok("create api");
        let run = site.run("rotate --all --now +99d").ok();
        assert!(run.stderr.contains("no set has a schedule"), "{run:#?}");
        site.run("rotate api --forget").fails(3);
        assert_nothing_here(site);
    });
}

#[test]
fn what_a_server_does_not_keep_is_said() {
    everywhere(|site| {
        site.ok("create api");
        for command in ["log", "undo api --yes", "restore api", "forget api --yes"] {
            let run = site.run(command).fails(4);
            assert!(run.stderr.contains("keeps no "), "{run:#?}");
            assert!(run.stderr.contains(&site.store()), "{run:#?}");
        }
        let run = site
            .run("rotate api --every 30d --save --export jwks.json")
            .fails(4);
        assert!(run.stderr.contains("on one machine"), "{run:#?}");
        assert!(!site.sandbox.path().join("jwks.json").exists());
        assert_nothing_here(site);
    });
}

/// A hook and a published address are recorded beside the set, so that the next runner knows of them.
#[test]
fn a_hook_runs_on_the_machine_that_makes_the_change() {
    everywhere(|site| {
        site.ok("create api --kid first");
        let save = [
            "rotate",
            "api",
            "--every",
            "30d",
            "--save",
            "--hook",
            "echo ran >> ran",
        ];
        crate::support::finish(site.command().args(save)).ok();
        site.ok("rotate --all --now +31d");
        site.ok("rotate --all --now +31d");
        let ran = std::fs::read_to_string(site.sandbox.path().join("ran"));
        assert_eq!(ran.expect("the hook ran"), "ran\n");
        assert_nothing_here(site);
    });
}

#[test]
fn completion_makes_no_call() {
    everywhere(|site| {
        site.ok("create api --kid first");
        site.forget_calls();
        for words in [&["get", ""][..], &["get", "api", ""], &["delete", "a"]] {
            let mut command = site.command();
            command
                .env("JWKS_COMPLETE", "bash")
                .arg("--")
                .arg("jwks")
                .args(words);
            crate::support::finish(&mut command);
        }
        site.run("get api first extra").fails(2);
        assert_eq!(site.lines(), [""; 0]);
    });
}

#[test]
fn a_directory_can_have_the_name_of_a_server() {
    everywhere(|site| {
        let mut command = site.command();
        command.args(["create", "api", "--store", "./vault:x"]);
        crate::support::finish(&mut command).ok();
        assert!(site.sandbox.path().join("vault:x/api.json").is_file());
        assert_eq!(site.lines(), [""; 0]);
    });
}

/// Commands that need no keystore need no credentials either.
#[test]
fn what_needs_no_keystore_needs_no_credentials() {
    for store in ["vault:secret/jwks", "s3://keys/jwks", "kubernetes:apps"] {
        let sandbox = Sandbox::new();
        for line in [
            "man create",
            "completion bash",
            "remote list",
            "check key.json",
        ] {
            sandbox.write("key.json", "{\"keys\":[]}");
            let mut command = sandbox.command(JWKS);
            command.env("JWKS_STORE", store).args(line.split(' '));
            finish(&mut command).ok();
        }
        let mut command = sandbox.command(JWKS);
        let run = finish(command.env("JWKS_STORE", store).arg("list"));
        assert_ne!(run.code, Some(0), "{run:#?}");
    }
}
