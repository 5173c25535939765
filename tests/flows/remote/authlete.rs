//! Authlete, versions 3 and 2: the one set of a service, which is written with the whole service.

use crate::servers::Call;
use crate::servers::authlete::{Authlete, SERVICE_ID, Version};
use crate::support::{JWKS, Run, Sandbox, finish, kids_in};
use crate::wire::each;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The members of a service that name the kid of a key in use.
const KEY_ID_FIELDS: [&str; 7] = [
    "accessTokenSignatureKeyId",
    "idTokenSignatureKeyId",
    "userInfoSignatureKeyId",
    "authorizationSignatureKeyId",
    "introspectionSignatureKeyId",
    "resourceSignatureKeyId",
    "federationSignatureKeyId",
];

/// A service, and a sandbox that knows it as `prod`.
pub struct Service {
    pub authlete: Authlete,
    pub sandbox: Sandbox,
}

impl Service {
    /// A service of this version, with credentials that may do everything.
    pub fn start(version: Version) -> Service {
        let (authlete, sandbox) = (Authlete::start(version), Sandbox::new());
        let (kind, credentials) = match version {
            Version::V3 => ("authlete", authlete.token().to_owned()),
            Version::V2 => ("authlete-v2", in_one(authlete.owner_credentials())),
        };
        let address = authlete.address();
        let add = ["remote", "add", "prod", "--kind", kind, "--url", &address];
        let more = ["--service-id", SERVICE_ID, "--token-command", "cat token"];
        sandbox.ok(add.into_iter().chain(more));
        sandbox.write("token", credentials);
        Service { authlete, sandbox }
    }

    /// The same with the key `one`, which is in the local set `api` too.
    fn with_a_key(version: Version) -> Service {
        let service = Service::start(version);
        service.run("create api --kid one").ok();
        let set = service.run("get api --private").ok();
        service.authlete.set_jwks(set.stdout);
        service
    }

    pub fn run(&self, line: &str) -> Run {
        self.sandbox.run(line.split(' '))
    }

    /// Runs the program, which must fail with this code and these words.
    #[track_caller]
    pub fn fails(&self, code: i32, line: &str, words: &str) -> Run {
        let run = self.run(line).fails(code);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
        run
    }

    fn kids(&self) -> Vec<String> {
        let kid = |key: &Value| key["kid"].as_str().expect("a kid").to_owned();
        self.authlete.keys().iter().map(kid).collect()
    }

    fn calls(&self) -> Vec<Call> {
        self.authlete.server.calls()
    }

    /// The calls that write.
    pub fn posts(&self) -> Vec<Call> {
        let calls = self.calls().into_iter();
        calls.filter(|call| call.method != "GET").collect()
    }

    /// The service in its own writing, without what every write changes.
    pub fn rest(&self) -> String {
        let text = self.authlete.service_text();
        let mut members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&text).expect("a service");
        members.retain(|name, _| name != "jwks" && name != "modifiedAt");
        serde_json::to_string(&members).expect("JSON")
    }

    /// Makes the key `two`, in `two.json` and in the local set `other`.
    fn write_another_key(&self) {
        self.run("create other --kid two").ok();
        let key = self.run("get other --private").ok().stdout;
        self.sandbox.write("two.json", key);
    }
}

fn in_one((key, secret): (&str, &str)) -> String {
    format!("{key}:{secret}")
}

const BOTH: [Version; 2] = [Version::V3, Version::V2];

#[test]
fn a_service_has_one_set_that_is_called_as_it_is() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        let names = service.run("list --remote prod --format names").ok();
        assert_eq!(names.stdout.trim(), SERVICE_ID);
        let sets = service.run("list --remote prod --json").ok().json();
        assert_eq!(sets["sets"][0]["key_count"], 1);
        let keys = service.run(&format!("list {SERVICE_ID} --remote prod --json"));
        assert_eq!(keys.ok().json()["keys"][0]["kid"], "one");
        let test = service.run("remote test prod").ok();
        assert!(test.stdout.contains("has keys: 1"), "{test:#?}");
    }
}

#[test]
fn a_set_and_a_key_are_got_in_public_or_whole() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        let whole = service.run("get --remote prod --private").ok().json();
        assert_eq!(whole["keys"], json!(service.authlete.keys()));
        let public = service.run("get --remote prod").ok().json();
        assert_eq!(public, service.run("get api").ok().json());
        let key = service.run(&format!("get {SERVICE_ID} one --remote prod"));
        assert_eq!(key.ok().json(), public["keys"][0]);
        let missing = format!("get {SERVICE_ID} two --remote prod");
        service.run(&missing).fails(3);
    }
}

#[test]
fn private_keys_are_asked_for_only_where_they_are_wanted() {
    let service = Service::with_a_key(Version::V3);
    for (line, wanted) in [
        ("get --remote prod", "false"),
        ("get --remote prod --private", "true"),
        ("remote test prod", "false"),
        ("pull prod copy --public", "false"),
    ] {
        service.authlete.server.forget_calls();
        service.run(line).ok();
        let calls = service.calls();
        let asks = |call: &Call| call.query.contains(&format!("includePrivateKeys={wanted}"));
        assert!(calls.iter().all(asks), "{line}: {calls:?}");
    }
}

#[test]
fn a_service_without_keys_has_an_empty_set() {
    for version in BOTH {
        let service = Service::start(version);
        let set = service.run("get --remote prod").ok().json();
        assert_eq!(set, json!({ "keys": [] }));
        service.run("pull prod copy").ok();
        service.run("create api --kid one").ok();
        let difference = service.run("diff api prod --json").ok().json();
        assert_eq!(kids_in(&difference["only_local"]), ["one"]);
    }
}

#[test]
fn a_key_is_set_replaced_and_deleted() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        service.write_another_key();
        let set = format!("set {SERVICE_ID} two.json --remote prod");
        service.run(&set).fails(4);
        service.run(&format!("{set} --yes")).ok();
        assert_eq!(service.kids(), ["one", "two"]);
        let delete = format!("delete {SERVICE_ID} one --remote prod --yes");
        service.run(&delete).ok();
        assert_eq!(service.kids(), ["two"]);
        service.run(&delete).fails(3);
        service.run(&format!("{delete} --if-exists")).ok();
    }
}

#[test]
fn a_whole_set_is_replaced_and_emptied() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        service.write_another_key();
        let replace = format!("set {SERVICE_ID} two.json --replace --remote prod");
        service.fails(4, &replace, "lose 1 private key");
        service.run(&format!("{replace} --yes")).ok();
        assert_eq!(service.kids(), ["two"]);
        let delete = format!("delete {SERVICE_ID} --remote prod --yes");
        service.run(&delete).fails(4);
        service.run(&format!("{delete} --force")).ok();
        assert_eq!(service.kids(), [""; 0]);
    }
}

/// Whoever leaves the set's name out, as there is one set only, means a key and not all of them.
#[test]
fn a_kid_in_the_place_of_the_set_deletes_nothing() {
    let service = Service::with_a_key(Version::V3);
    let run = service.run("delete one --remote prod --yes --force");
    assert!(matches!(run.code, Some(2..=4)), "{run:#?}");
    assert_eq!(service.kids(), ["one"]);
}

#[test]
fn authlete_generates_no_keys() {
    for version in BOTH {
        let service = Service::start(version);
        let create = format!("create {SERVICE_ID} --remote prod --json");
        let run = service.fails(2, &create, " cannot generate keys\"");
        let hint = run.error()["hint"].to_string();
        assert!(hint.starts_with("\"authlete"), "{hint}");
        assert!(
            hint.contains(" can list sets, get sets and keys, set "),
            "{hint}"
        );
        assert!(service.calls().is_empty());
    }
}

/// The write replaces the service: what it leaves out or rounds is lost. The set may come as an
/// object, and goes back as a string.
#[test]
fn a_write_keeps_the_rest_of_the_service_to_the_last_digit() {
    let forms = [|_: &Authlete| (), Authlete::jwks_as_object];
    for (version, form) in BOTH
        .into_iter()
        .flat_map(|version| forms.map(|it| (version, it)))
    {
        let service = Service::with_a_key(version);
        let before = service.rest();
        form(&service.authlete);
        let set = service.run("get --remote prod").ok().json();
        assert_eq!(set["keys"][0]["kid"], "one");
        service.run("create api --kid two").ok();
        service.run("push api prod --yes").ok();
        assert_eq!(service.kids(), ["one", "two"]);
        assert_eq!(service.rest(), before);
        let bodies = service.posts().into_iter().map(|post| post.body);
        let service = bodies.map(|body| serde_json::from_str::<Value>(&body).expect("JSON"));
        assert!(service.map(|it| it["jwks"].is_string()).eq([true]));
    }
}

#[test]
fn a_write_keeps_the_sets_own_members() {
    let service = Service::with_a_key(Version::V3);
    let keys = service.authlete.keys();
    let set = json!({ "issuer": "https://example.org", "keys": keys });
    service.authlete.set_jwks(set);
    service.run("create api --kid two").ok();
    service.run("push api prod --yes").ok();
    let jwks = service.authlete.service()["jwks"].to_string();
    assert!(jwks.contains("https://example.org"), "{jwks}");
}

/// A token without full access is shown four members of the service; written back they would empty
/// it. The service's own credentials of version 2 are shown the keys only.
#[test]
fn what_may_only_read_writes_nothing() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        let (credentials, words) = match version {
            Version::V3 => (service.authlete.limited_token().to_owned(), "full access"),
            Version::V2 => (in_one(service.authlete.service_credentials()), "owner's"),
        };
        service.sandbox.write("token", credentials);
        let set = service.run("get --remote prod").ok().json();
        assert_eq!(set["keys"][0]["kid"], "one");
        service.run("create api --kid two").ok();
        service.fails(7, "push api prod --yes", words);
        assert!(service.posts().is_empty());
    }
}

#[test]
fn a_key_that_the_service_names_is_not_taken_away() {
    for field in KEY_ID_FIELDS {
        let service = Service::with_a_key(Version::V3);
        service.authlete.use_key_id(field, "one");
        service.write_another_key();
        for line in [
            "push other prod --prune --yes".to_owned(),
            "push api prod --public --yes".to_owned(),
            format!("delete {SERVICE_ID} one --remote prod --yes --force"),
            format!("delete {SERVICE_ID} --remote prod --yes --force"),
        ] {
            service.fails(4, &line, field);
        }
        service.run("push other prod --yes").ok();
        assert_eq!(service.kids(), ["two", "one"]);
    }
}

/// Here a key is public only once its successor is active; there it may still sign.
#[test]
fn a_key_that_the_service_signs_with_keeps_its_private_part() {
    let service = Service::with_a_key(Version::V3);
    let field = "idTokenSignatureKeyId";
    service.authlete.use_key_id(field, "one");
    service.run("create api --kid two").ok();
    let run = service.fails(4, "push api prod --yes", "private part");
    assert!(run.stderr.contains(field), "{run:#?}");
    service.authlete.use_key_id(field, "two");
    service.run("push api prod --yes").ok();
    let keys = service.authlete.keys();
    let private = keys.iter().map(|key| key.get("d").is_some());
    assert_eq!(private.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_change_by_somebody_else_is_not_overwritten() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        service.run("create api --kid two").ok();
        service.authlete.changes_between();
        let pushed = service.run("push api prod --yes").ok();
        assert!(pushed.stderr.contains("planning again"), "{pushed:#?}");
        assert_eq!(service.posts().len(), 1);
        assert_eq!(service.kids(), ["one", "two", "of-another-administrator"]);
    }
}

#[test]
fn a_write_that_the_server_forgets_is_an_error() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        service.run("create api --kid two").ok();
        service.authlete.forgets_writes();
        service.fails(6, "push api prod --yes", "differs from what was sent");
    }
}

#[test]
fn what_was_pushed_is_pulled_again_and_not_pushed_twice() {
    for version in BOTH {
        let service = Service::start(version);
        service.run("create api --kid one").ok();
        let first = service.run("push api prod --yes --json").ok().json();
        assert_eq!(kids_in(&first["sent"]), ["one"]);
        assert_eq!(first["sent"][0]["private"], true);
        assert_eq!(service.posts().len(), 1);
        let second = service.run("push api prod --yes --json").ok().json();
        assert_eq!(second["changed"], false);
        assert_eq!(second["sent"], json!([]));
        assert_eq!(service.posts().len(), 1);
        service.run("diff api prod --exit-code").ok();
        service.run("pull prod copy --yes").ok();
        let whole = |set: &str| service.run(&format!("get {set} --private")).ok().json();
        assert_eq!(whole("copy"), whole("api"));
    }
}

#[test]
fn authletes_words_come_with_their_result_code() {
    for version in BOTH {
        let service = Service::start(version);
        for _ in ["a string", "a number"] {
            service.authlete.fail_next(1, 400);
            let run = service.fails(6, "get --remote prod", "400: [A001");
            assert!(run.stderr.contains("Told to fail."), "{run:#?}");
            service.authlete.result_code_as_number();
        }
    }
}

pub fn a_server_in_trouble_is_asked_again() {
    each([429, 500, 503], |status| {
        let service = Service::with_a_key(Version::V3);
        service.authlete.fail_next(1, status);
        let run = service.run("get --remote prod").ok();
        assert!(run.stderr.contains(&status.to_string()), "{run:#?}");
    });
}

#[test]
fn wrong_credentials_are_denied_and_not_repeated() {
    for version in BOTH {
        let service = Service::with_a_key(version);
        service.sandbox.write("token", "somebody:wrong-secret");
        for line in ["get --remote prod", "push api prod --yes"] {
            let run = service.fails(7, line, "401: [A001");
            assert!(!run.stderr.contains("wrong-secret"), "{run:#?}");
        }
        assert_eq!(service.calls().len(), 2);
    }
}

#[test]
fn the_token_may_come_from_authletes_own_variable() {
    let service = Service::start(Version::V3);
    let address = service.authlete.address();
    let add = "remote add own --kind authlete --service-id";
    let add = format!("{add} {SERVICE_ID} --url {address}");
    service.run(&add).ok();
    service.fails(7, "get --remote own", "AUTHLETE_BEARER");
    let mut get = service.sandbox.command(JWKS);
    let get = get.args(["get", "--remote", "own"]);
    finish(get.env("AUTHLETE_BEARER", service.authlete.token())).ok();
}
