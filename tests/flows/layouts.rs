//! The files of signers: which keys they hold, with which parts, in which order and form.

use crate::rotation::{DAY, HOUR, MINUTE, SCHEDULE, START, Store};
use crate::servers::hydra::{Hydra, Version};
use crate::support::{has_tool, named_by};
use serde_json::Value;

/// When the successor of the first key signs, and a moment before and after it.
const BEGIN: i64 = START + 30 * DAY;
const BEFORE: i64 = BEGIN - 30 * MINUTE;
const AFTER: i64 = BEGIN + 30 * MINUTE;

/// A set `api` whose first key of this algorithm has a successor from `BEGIN` on.
fn rotated(alg: &str) -> Store {
    let store = Store::with_a_key(alg);
    store.rotate(SCHEDULE, BEGIN - HOUR - MINUTE);
    assert_eq!(store.keys().len(), 2);
    store
}

fn successor(store: &Store) -> String {
    let keys = store.keys();
    keys[1]["kid"].as_str().expect("a kid").to_owned()
}

fn export(store: &Store, options: &str, now: i64) -> String {
    let line = format!("export api {options}");
    store.ok(line.trim_end(), now).stdout
}

/// The kid of each key, and `*` for a private one.
fn kids(set: &str) -> Vec<String> {
    let set: Value = serde_json::from_str(set).expect("a set");
    let keys = set["keys"].as_array().expect("keys").iter();
    keys.map(|key| {
        let private = if key["d"].is_string() { "*" } else { "" };
        format!("{}{private}", key["kid"].as_str().expect("a kid"))
    })
    .collect()
}

#[test]
fn each_signer_gets_the_keys_that_it_takes() {
    let store = rotated("RS256");
    let next = successor(&store);
    let layout = |layout: &str, now| kids(&export(&store, &format!("--for {layout}"), now));
    let (old, new) = ("first*".to_owned(), format!("{next}*"));
    for (now, active, other) in [(BEFORE, &old, &new), (AFTER, &new, &old)] {
        assert_eq!(layout("oidc-provider", now), [active.as_str(), other]);
        assert_eq!(layout("spring", now), [active.as_str()]);
        assert_eq!(layout("jwks", now), ["first", &next]);
    }
    // No date and no member of our own is in the file, so it stays the same when dates change.
    let file = export(&store, "--for oidc-provider", AFTER);
    for name in ["nbf", "exp", "iat", "jwks_"] {
        assert!(!file.contains(name), "{name}: {file}");
    }
    assert_eq!(
        export(&store, "--for jwks", AFTER),
        export(&store, "", AFTER)
    );
}

#[test]
fn a_signer_never_gets_a_pending_key_alone() {
    let store = Store::with_a_key("RS256");
    store.rotate("--alg ES256 --publish-delay 1h", START + DAY);
    let file = export(&store, "--for oidc-provider", START + DAY);
    assert_eq!(kids(&file), ["first*"]);
    let file = export(&store, "--for oidc-provider", START + DAY + 2 * HOUR);
    assert_eq!(kids(&file).len(), 1, "{file}");
    assert!(!file.contains("first"));
}

#[test]
fn a_set_that_does_not_fit_is_an_error_that_names_the_choice() {
    let store = rotated("RS256");
    store.ok("create api --alg ES256 --kid ec", START);
    for layout in ["spring", "kube-apiserver", "supabase", "openiddict"] {
        let run = store
            .run(&format!("export api --for {layout}"), AFTER)
            .fails(4);
        for word in [layout, "RS256, ES256", "--line RS256"] {
            assert!(run.stderr.contains(word), "{word}: {run:#?}");
        }
    }
    let line = kids(&export(&store, "--for spring --line ES256", AFTER));
    assert_eq!(line, ["ec*"]);
    // Only the RSA line fits.
    export(&store, "--for django-oauth-toolkit", AFTER);
    store.ok("create other --alg EdDSA --kid ed", START);
    let run = store
        .run("export other --for kube-apiserver", AFTER)
        .fails(4);
    assert!(run.stderr.contains("EdDSA"), "{run:#?}");
    let run = store
        .run("export other --for spring --line XX", AFTER)
        .fails(3);
    assert!(run.stderr.contains("lines: EdDSA"), "{run:#?}");
    store.run("export other --for sprin", AFTER).fails(2);
    let run = store
        .run("export api --for oidc-provider", START + 400 * DAY)
        .ok();
    assert!(!run.stdout.contains("first"), "it has expired");
    store.ok("export other -o public.json", START);
    let run = store
        .run("export ./public.json --for spring", START)
        .fails(4);
    assert!(run.stderr.contains("no key signs now"), "{run:#?}");
}

#[test]
fn a_warning_names_the_kids_that_a_signer_computes() {
    let store = rotated("RS256");
    let run = store.ok("export api --for kube-apiserver", BEFORE);
    assert!(
        run.stderr.contains("kube-apiserver gives first the kid "),
        "{run:#?}"
    );
    let spki = store
        .ok("thumbprint api first --kid-from spki", BEFORE)
        .stdout;
    assert!(run.stderr.contains(spki.trim()), "{run:#?}");
    let rename = format!("set api --kid first --rename {} --yes", spki.trim());
    store.ok(&rename, BEFORE);
    let run = store.ok("export api --for kube-apiserver", BEFORE);
    assert_eq!(run.stderr, "");
    assert!(run.stdout.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(run.stdout.matches("BEGIN").count(), 1);
}

#[test]
fn exactly_one_key_of_supabase_signs() {
    let store = rotated("ES256");
    let next = successor(&store);
    for (now, active, other) in [(BEFORE, "first", &*next), (AFTER, &*next, "first")] {
        let file = export(&store, "--for supabase", now);
        let value = |name: &str| -> Value {
            let mut lines = file.lines();
            let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            let line = line.expect("a line").trim_matches('\'');
            serde_json::from_str(line).expect("JSON")
        };
        let keys = value("GOTRUE_JWT_KEYS");
        let keys = keys.as_array().expect("an array");
        let operations = |key: &Value| {
            let kid = key["kid"].as_str().expect("a kid").to_owned();
            (kid, key["key_ops"].to_string(), key["d"].is_string())
        };
        assert_eq!(
            keys.iter().map(operations).collect::<Vec<_>>(),
            [
                (active.to_owned(), r#"["sign","verify"]"#.into(), true),
                (other.to_owned(), r#"["verify"]"#.into(), false),
            ]
        );
        let verifiers = value("JWT_JWKS").to_string();
        assert!(!verifiers.contains("\"d\""), "{verifiers}");
        assert!(verifiers.contains(active) && verifiers.contains(other));
    }
}

#[test]
fn django_signs_with_the_first_variable() {
    let store = rotated("RS256");
    let next = successor(&store);
    let file = store.run("export api --for django-oauth-toolkit -o django.env", AFTER);
    assert!(file.ok().stderr.contains("gives first the kid"));
    let thumbprint = |variable: &str| {
        let line = format!(". ./django.env; printf %s \"${variable}\" | jwks thumbprint -");
        store.sandbox.shell(&line).ok().stdout
    };
    assert_eq!(thumbprint("OIDC_RSA_PRIVATE_KEY").trim(), next);
    let first = store.ok("thumbprint api first", AFTER).stdout;
    assert_eq!(thumbprint("OIDC_RSA_PRIVATE_KEYS_INACTIVE"), first);
    if let Some(python) = named_by("JWKS_TEST_PYTHON") {
        let program = "from dotenv import dotenv_values; import sys; \
            sys.stdout.write(dotenv_values('django.env')['OIDC_RSA_PRIVATE_KEY'])";
        let line = format!("{python} -c \"{program}\" | jwks thumbprint -");
        assert_eq!(store.sandbox.shell(&line).ok().stdout.trim(), next);
    }
}

#[test]
fn the_certificate_of_a_pkcs12_file_begins_when_the_key_does() {
    if !has_tool("openssl") {
        return;
    }
    let store = rotated("RS256");
    store.sandbox.write("password.txt", "correct horse\n");
    let now = AFTER.to_string();
    let line =
        format!("export api --for openiddict --password-file password.txt -o key.p12 --now {now}");
    store.sandbox.ok(line.split(' '));
    let show = "openssl pkcs12 -in key.p12 -passin file:password.txt -nokeys | \
        openssl x509 -noout -startdate -dateopt iso_8601";
    let begins = store.sandbox.shell(show).ok().stdout;
    assert_eq!(begins.trim(), "notBefore=2027-02-14 08:00:00Z");
    let run = store
        .run("rotate api --every 30d --export key.p12=openiddict", AFTER)
        .fails(2);
    assert!(run.stderr.contains("password"), "{run:#?}");
}

#[test]
fn the_body_for_hydra_is_what_a_push_sends() {
    for (version, layout) in [(Version::V2_2, "hydra"), (Version::V1_10, "hydra-v1")] {
        let server = Hydra::start(version);
        let store = rotated("RS256");
        let add = format!("remote add prod --kind {layout} --url {}", server.address());
        store.ok(&add, AFTER);
        let body: Value =
            serde_json::from_str(&export(&store, &format!("--for {layout}"), AFTER)).expect("JSON");
        server.put("api", &body);
        let report = store.ok("push api prod --dry-run --json", AFTER).json();
        assert_eq!(report["sent"], Value::Array(Vec::new()), "{report:#}");
    }
}

#[test]
fn switches_choose_and_arrange_keys() {
    let store = rotated("ES256");
    let next = successor(&store);
    let of = |options: &str| kids(&export(&store, options, AFTER));
    assert_eq!(of("--order active-first"), [&next, "first"]);
    assert_eq!(of("--private=active"), ["first", &format!("{next}*")]);
    assert_eq!(of("--state active --private"), [format!("{next}*")]);
    assert_eq!(of("--state retired,pending"), ["first"]);
    let pem = export(&store, "--private=active --to pem", AFTER);
    assert_eq!(pem.matches("BEGIN PUBLIC KEY").count(), 1);
    assert_eq!(pem.matches("BEGIN PRIVATE KEY").count(), 1);
    let lines = export(&store, "--private --state active --to dotenv-pem", AFTER);
    assert!(lines.starts_with("PRIVATE_KEY='-----BEGIN PRIVATE KEY-----\n"));
    let lines = export(&store, "--to dotenv-pem --name KEYS", AFTER);
    assert!(lines.starts_with("KEYS='-----BEGIN PUBLIC KEY-----\n"));
    store
        .run("export api --private=active --to der", AFTER)
        .fails(2);
    store.run("export api --state expired", AFTER).fails(3);
    store.run("export api first --state active", AFTER).fails(2);
    store
        .run("export api --for spring --to pem", AFTER)
        .fails(2);
}

#[test]
fn a_file_that_has_not_changed_is_not_written_again() {
    use std::os::unix::fs::MetadataExt as _;
    let store = rotated("ES256");
    store.ok("export api --for spring -o spring.json", BEFORE);
    let file = store.sandbox.path().join("spring.json");
    let metadata = || std::fs::metadata(&file).expect("the file");
    assert_eq!(metadata().mode() & 0o777, 0o600);
    let before = (metadata().ino(), metadata().mtime_nsec());
    let run = store.ok(
        "export api --for spring -o spring.json --force",
        BEFORE + 60,
    );
    assert!(run.stderr.contains("is unchanged"), "{run:#?}");
    assert_eq!((metadata().ino(), metadata().mtime_nsec()), before);
    store
        .run("export api --for spring -o spring.json", AFTER)
        .fails(4);
}
