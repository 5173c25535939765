//! Apinizer: a project's JWK objects, each of which holds one key, as one set.

use crate::servers::Answer;
use crate::servers::apinizer::{Apinizer, Envelope};
use crate::servers::plain::Plain;
use crate::support::{Run, Sandbox, kids_in};
use serde_json::{Value, json};

const PROJECT: &str = "Orders";
const PATH: &str = "/apiops/projects/Orders/jwks";

/// An Apinizer with one project, and a sandbox that knows it as `gate`.
struct Gateway {
    apinizer: Apinizer,
    sandbox: Sandbox,
}

impl Gateway {
    fn start(envelope: Envelope) -> Gateway {
        let apinizer = Apinizer::start(envelope, PROJECT);
        let sandbox = Sandbox::new();
        sandbox.write("token", apinizer.token());
        let gateway = Gateway { apinizer, sandbox };
        gateway.add_remote(PROJECT, "");
        gateway
    }

    /// The same with the key `one` of the local set `api` in the object `first`, which was pasted
    /// in by hand and has no dates.
    fn with_a_key(envelope: Envelope) -> Gateway {
        let gateway = Gateway::start(envelope);
        gateway.run("create api --kid one").ok();
        let mut key = gateway.key("api", "one");
        key.as_object_mut().expect("a key").remove("iat");
        gateway.apinizer.seed("first", key);
        gateway
    }

    fn add_remote(&self, project: &str, more: &str) {
        self.add_remote_at(&self.apinizer.address(), project, more);
    }

    fn add_remote_at(&self, address: &str, project: &str, more: &str) {
        let place = format!("--url {address} --project {project} {more}");
        let add = "jwks remote add gate --force --kind apinizer --token-command 'cat token'";
        self.sandbox.shell(&format!("{add} {place}")).ok();
    }

    fn run(&self, line: &str) -> Run {
        self.sandbox.run(line.split(' '))
    }

    /// Runs the program, which must fail with this code and these words.
    #[track_caller]
    fn fails(&self, code: i32, line: &str, words: &str) -> Run {
        let run = self.run(line).fails(code);
        assert!(run.stderr.contains(words), "{line}: {run:#?}");
        run
    }

    /// A local key with its private part.
    fn key(&self, set: &str, kid: &str) -> Value {
        let run = self.run(&format!("get {set} {kid} --private"));
        run.ok().json()
    }

    /// A new key with this kid in the file `own.json`.
    fn write_own_key(&self, kid: &str) -> Value {
        self.run(&format!("create own --kid {kid}")).ok();
        let key = self.key("own", kid);
        self.sandbox.write("own.json", key.to_string());
        key
    }

    fn names(&self) -> Vec<String> {
        let objects = self.apinizer.objects().into_iter();
        objects.map(|(name, _)| name).collect()
    }

    fn only_key(&self) -> Value {
        assert_eq!(self.names().len(), 1, "{:?}", self.names());
        self.apinizer.objects().remove(0).1
    }

    /// The calls that write, without the path of the project's objects.
    fn writes(&self) -> Vec<String> {
        let lines = self.apinizer.server.lines().into_iter();
        let writes = lines.filter(|line| !line.starts_with("GET"));
        writes.map(|line| line.replace(PATH, "")).collect()
    }
}

const BOTH: [Envelope; 2] = [Envelope::Success, Envelope::Status];

#[test]
fn a_project_is_listed_without_key_material() {
    for envelope in BOTH {
        let gateway = Gateway::with_a_key(envelope);
        let listed = gateway.run("list --remote gate --json").ok().json();
        assert_eq!(listed["sets"][0]["set"], PROJECT);
        let first = json!({"name": "first", "source": "COPY_PASTE", "type": "EC", "kid": "one"});
        assert_eq!(listed["sets"][0]["objects"], json!([first]));
        let table = gateway.run("list --remote gate").ok();
        assert!(table.stdout.contains("COPY_PASTE"), "{table:#?}");
        let lines = gateway.apinizer.server.lines();
        assert_eq!(lines, vec![format!("GET {PATH}/"); 2]);
        let test = gateway.run("remote test gate").ok();
        assert!(test.stdout.contains("has keys: 1"), "{test:#?}");
    }
}

#[test]
fn keys_are_got_in_the_form_that_is_wanted() {
    let gateway = Gateway::with_a_key(Envelope::Success);
    let public = gateway.run("get --remote gate").ok().json();
    assert_eq!(public["keys"][0]["kid"], "one");
    let key = gateway.run("get Orders one --remote gate").ok().json();
    assert_eq!(key, public["keys"][0]);
    let private = gateway.run("get Orders one --remote gate --private");
    assert_eq!(private.ok().json(), gateway.only_key());
    gateway.run("get Orders two --remote gate").fails(3);
    let calls = gateway.apinizer.server.calls().into_iter();
    let queries = calls.map(|call| call.query).filter(|it| !it.is_empty());
    let (public, private) = ("publicOnly=true", "publicOnly=false");
    assert!(queries.eq([public, public, private, public]));
}

/// The public export of a symmetric key is an empty set; that it is left out must be said all
/// the same.
#[test]
fn a_symmetric_key_is_not_left_out_in_silence() {
    let gateway = Gateway::start(Envelope::Success);
    gateway.run("create api --kid secret --alg HS256").ok();
    let key = gateway.key("api", "secret");
    gateway.apinizer.seed("secret", key);
    gateway.fails(4, "get --remote gate", "1 symmetric");
}

#[test]
fn the_server_generates_every_type_that_it_knows() {
    let gateway = Gateway::start(Envelope::Success);
    for (options, values) in [
        ("--kty RSA --size", "2048 3072 4096"),
        ("--kty EC --crv", "P-256 P-384 P-521 secp256k1"),
        ("--kty oct --size", "128 192 256"),
        ("--kty OKP --crv", "Ed25519 X25519"),
    ] {
        for value in values.split(' ') {
            let create = format!("create Orders --kid k{value} {options} {value} --remote gate");
            assert_eq!(gateway.run(&create).ok().stdout, format!("k{value}\n"));
            let listed = gateway.run("list Orders --remote gate --json").ok().json();
            let made = &listed["keys"][gateway.names().len() - 1];
            let size = value.parse().unwrap_or(0);
            assert!(made["crv"] == value || made["size"] == size, "{made}");
        }
    }
    assert_eq!(gateway.writes(), ["POST /generate"; 12]);
}

#[test]
fn what_the_server_cannot_generate_is_said_beforehand() {
    let gateway = Gateway::start(Envelope::Success);
    for wish in ["RSA --size 2560", "OKP --crv Ed448", "oct --size 512"] {
        let create = format!("create Orders --kty {wish} --remote gate");
        let run = gateway.fails(2, &create, "Apinizer does not generate");
        assert!(run.stderr.contains("it generates RSA of 2048"), "{run:#?}");
    }
    assert_eq!(gateway.apinizer.server.lines(), [""; 0]);
}

/// The server's generator knows types and curves only: the key has no `alg` afterwards.
#[test]
fn an_algorithm_that_the_server_does_not_keep_is_not_promised() {
    let gateway = Gateway::start(Envelope::Success);
    let run = gateway.run("create Orders --alg PS256 --remote gate");
    let is_refused = run.code == Some(2);
    assert!(is_refused || run.stderr.contains("alg"), "{run:#?}");
}

#[test]
fn a_key_is_taken_from_an_address() {
    let gateway = Gateway::start(Envelope::Status);
    let web = Plain::start();
    gateway.run("create partner --kid theirs").ok();
    gateway.run("create partner --kid other").ok();
    web.serve("/jwks.json", gateway.run("get partner").ok().stdout);
    let create = "create Orders --kid theirs --remote gate --from-url";
    let run = gateway.run(&format!("{create} {}", web.url("/jwks.json")));
    assert_eq!(run.ok().stdout, "theirs\n");
    let listed = gateway.run("list --remote gate --json").ok().json();
    assert_eq!(listed["sets"][0]["objects"][0]["source"], "URL");
    let got = gateway.run("get Orders theirs --remote gate").ok().json();
    assert_eq!(got, gateway.run("get partner theirs").ok().json());
}

#[test]
fn a_key_is_set_and_deleted() {
    for envelope in BOTH {
        let gateway = Gateway::with_a_key(envelope);
        let own = gateway.write_own_key("two");
        let set = "set Orders own.json --remote gate";
        gateway.run(set).fails(4);
        gateway.run(&format!("{set} --yes")).ok();
        let (name, key) = gateway.apinizer.objects().remove(1);
        assert_eq!((name.as_str(), &key["d"]), ("two", &own["d"]));
        let delete = "delete Orders one --remote gate --yes";
        gateway.run(delete).ok();
        gateway.run(delete).fails(3);
        assert_eq!(gateway.writes(), ["POST /", "DELETE /first/"]);
        let all = "delete Orders --remote gate --yes";
        gateway.run(all).fails(4);
        gateway.run(&format!("{all} --force")).ok();
        assert_eq!(gateway.names(), [""; 0]);
    }
}

/// No dates are kept there: a key that is pending here must not pass for the one that signs.
#[test]
fn the_last_key_that_signs_is_not_deleted_by_the_way() {
    let gateway = Gateway::start(Envelope::Success);
    gateway.run("create api --kid signer").ok();
    gateway.run("create api --kid pending --nbf +1d").ok();
    gateway.run("push api gate --yes").ok();
    let delete = "delete Orders signer --remote gate --yes";
    gateway.fails(4, delete, "no active signing key");
}

#[test]
fn a_whole_set_is_set_by_its_difference() {
    let gateway = Gateway::with_a_key(Envelope::Success);
    gateway.run("create own --kid gone").ok();
    gateway.apinizer.seed("gone", gateway.key("own", "gone"));
    gateway.run("create api --kid two").ok();
    let set = gateway.run("get api --private").ok().stdout;
    gateway.sandbox.write("api.json", set);
    let replace = "set Orders api.json --replace --remote gate";
    gateway.fails(4, replace, "lose 1 private key");
    gateway.run(&format!("{replace} --yes")).ok();
    assert_eq!(gateway.writes(), ["POST /", "DELETE /gone/"]);
    assert_eq!(gateway.names(), ["first", "two"]);
}

/// Nobody asked for a change of an object without a kid, which policies may refer to by its name.
#[test]
fn an_object_without_a_kid_is_left_alone() {
    let gateway = Gateway::start(Envelope::Success);
    let mut nameless = gateway.write_own_key("old");
    nameless.as_object_mut().expect("a key").remove("kid");
    gateway.apinizer.seed("legacy", nameless.clone());
    gateway.write_own_key("two");
    gateway.run("set Orders own.json --remote gate --yes").ok();
    assert_eq!(gateway.writes(), ["POST /"]);
    assert_eq!(gateway.apinizer.objects()[0], ("legacy".into(), nameless));
}

#[test]
fn what_was_pushed_is_the_same_there_and_pulled_again() {
    let gateway = Gateway::start(Envelope::Success);
    gateway.run("create api --kid one --alg ES256").ok();
    gateway.run("create api --kid two --alg RS256").ok();
    gateway.run("push api gate --yes").ok();
    assert_eq!(gateway.names(), ["one", "two"]);
    gateway.run("diff api gate --exit-code").ok();
    let again = gateway.run("push api gate --yes --json").ok().json();
    assert_eq!(again["changed"], false);
    assert_eq!(gateway.writes(), ["POST /"; 2]);
    gateway.run("pull gate copy --yes").ok();
    let private = |set: &str| gateway.key(set, "one")["d"].clone();
    assert_eq!(private("copy"), private("api"));
    gateway.run("create api --kid three --alg ES384").ok();
    let difference = gateway.run("diff api gate --exit-code --json").fails(8);
    assert_eq!(kids_in(&difference.json()["only_local"]), ["three"]);
}

#[test]
fn a_change_that_is_not_deployed_is_an_error() {
    for envelope in BOTH {
        let gateway = Gateway::with_a_key(envelope);
        gateway.write_own_key("two");
        for line in [
            "create Orders --kid made --remote gate",
            "set Orders own.json --remote gate --yes",
            "delete Orders one --remote gate --yes --force",
        ] {
            gateway.apinizer.deployment_fails_next();
            let run = gateway.fails(6, line, "not deployed: No gateway answers");
            assert!(run.stderr.contains("deploy the project"), "{run:#?}");
        }
    }
}

#[test]
fn what_is_missing_forbidden_or_there_already_is_told_apart() {
    for envelope in BOTH {
        let gateway = Gateway::with_a_key(envelope);
        let create = "create Orders --kid first --remote gate";
        gateway.fails(4, create, "has an object \"first\" already");
        // Somebody deletes it after the list is read.
        let list = json!({"success": true, "resultList": [{"name": "ghost"}]});
        gateway.apinizer.server.answer_next(Answer::json(200, list));
        gateway.fails(3, "get --remote gate", "JWK (name: ghost) is not found!");
        for project in ["orders", "Other"] {
            gateway.add_remote(project, "");
            let words = format!("Project ({project}) is not found!");
            let run = gateway.fails(3, "list --remote gate", &words);
            assert!(run.stderr.contains("case-sensitive"), "{run:#?}");
        }
        gateway.add_remote(PROJECT, "");
        gateway.apinizer.without_permission();
        gateway.fails(7, "list --remote gate", "lacks a right");
        gateway.sandbox.write("token", "no-such-token");
        let run = gateway.fails(7, "list --remote gate", "Invalid token");
        assert!(!run.stderr.contains("no-such-token"), "{run:#?}");
    }
}

#[test]
fn a_clients_secret_is_exchanged_for_a_token() {
    let gateway = Gateway::with_a_key(Envelope::Success);
    let (client, secret) = gateway.apinizer.client();
    gateway.add_remote(PROJECT, &format!("--client-id {client}"));
    gateway.sandbox.write("token", secret);
    gateway.run("get --remote gate").ok();
    assert_eq!(gateway.writes(), ["POST /apiops/auth/token"]);
    gateway.apinizer.expire_tokens();
    gateway.write_own_key("two");
    gateway.run("set Orders own.json --remote gate --yes").ok();
    let token = "POST /apiops/auth/token";
    assert_eq!(gateway.writes(), [token, token, token, "POST /"]);
    gateway.sandbox.write("token", "wrong secret");
    let run = gateway.fails(7, "get --remote gate", "Bad credentials");
    assert!(!run.stderr.contains("wrong secret"), "{run:#?}");
}

pub fn a_server_in_trouble_is_asked_again() {
    let gateway = Gateway::with_a_key(Envelope::Success);
    gateway.apinizer.fail_next(1);
    let run = gateway.run("get --remote gate").ok();
    assert!(run.stderr.contains("status 500; again in"), "{run:#?}");
}

#[test]
fn a_create_that_was_never_answered_is_settled_by_a_look() {
    for (stored, code) in [(true, 0), (false, 6)] {
        let gateway = Gateway::start(Envelope::Success);
        gateway.write_own_key("two");
        gateway.apinizer.create_is_cut_next(stored);
        let set = "set Orders own.json --remote gate --yes";
        let run = gateway.run(set);
        assert_eq!(run.code, Some(code), "{run:#?}");
        assert!(!run.stderr.contains("may have made the change"), "{run:#?}");
        gateway.run(set).ok();
        assert_eq!(gateway.names(), ["two"]);
    }
}

/// An object that was there before is no proof.
#[test]
fn a_create_is_not_settled_by_an_older_object() {
    let gateway = Gateway::with_a_key(Envelope::Success);
    gateway.apinizer.create_is_cut_next(false);
    let create = "create Orders --kid first --from-url http://127.0.0.1:9/ --remote gate";
    let run = gateway.run(create);
    assert!(matches!(run.code, Some(4 | 6)), "{run:#?}");
}

/// Puts new key material into the object with the kid of `own.json`.
const REPLACE: &str = "set Orders own.json --on-conflict replace --remote gate --yes";

/// New key material takes a DELETE and a POST. Where the second fails the old key is put back; where
/// that fails as well it is said, and the same command brings the new one.
#[test]
fn a_replacement_that_fails_half_way_is_repaired_by_repeating_it() {
    let fails: fn(&Apinizer) = |apinizer| apinizer.create_fails_next();
    let is_cut: fn(&Apinizer) = |apinizer| apinizer.create_is_cut_next(false);
    for (faults, said) in [
        (
            &[fails][..],
            "first could not be replaced and has its old key again",
        ),
        (
            &[is_cut],
            "first could not be replaced and has its old key again",
        ),
        (
            &[fails, fails],
            "first was deleted and could not be created again",
        ),
    ] {
        let gateway = Gateway::with_a_key(Envelope::Success);
        let old = gateway.only_key();
        let own = gateway.write_own_key("one");
        faults.iter().for_each(|fault| fault(&gateway.apinizer));
        let run = gateway.fails(6, REPLACE, said);
        assert!(run.stderr.contains("the same command"), "{run:#?}");
        let secret = own["d"].as_str().expect("a private member");
        assert!(!run.stderr.contains(secret), "{run:#?}");
        if faults.len() == 1 {
            assert_eq!(gateway.only_key()["d"], old["d"]);
        }
        gateway.run(REPLACE).ok();
        assert_eq!(gateway.only_key()["d"], own["d"]);
    }
}

/// A DELETE that was carried out is carried out, deployed or not: to stop there would lose the key.
#[test]
fn a_replacement_goes_on_after_a_deletion_that_was_not_deployed() {
    let gateway = Gateway::with_a_key(Envelope::Success);
    let own = gateway.write_own_key("one");
    gateway.apinizer.deployment_fails_next();
    gateway.run(REPLACE);
    assert_eq!(gateway.only_key()["d"], own["d"]);
}

/// A project of more objects than can be listed would refuse each later command.
#[test]
fn a_full_project_gets_no_more_objects() {
    let gateway = Gateway::start(Envelope::Success);
    // Straight to the server, the 2000 calls need one connection.
    gateway.add_remote_at(&gateway.apinizer.server.address(), PROJECT, "");
    for i in 0..1999 {
        let key = json!({"kty": "oct", "k": "AAAA", "kid": format!("k{i}")});
        gateway.apinizer.seed(&format!("k{i}"), key);
    }
    gateway.run("create api --kid one").ok();
    gateway.run("create api --kid two").ok();
    let words = "project Orders would have 2001 objects; the limit is 2000";
    // One more would fit, but not two.
    gateway.fails(4, "push api gate --yes", words);
    assert_eq!(gateway.writes(), [""; 0]);
}

/// Each object costs a call, so an endless list must not lead to endless calls.
#[test]
fn a_project_with_too_many_objects_is_refused_before_any_export() {
    let gateway = Gateway::with_a_key(Envelope::Success);
    let list = json!({ "resultList": vec![json!({ "name": "first" }); 2_001] });
    gateway.apinizer.server.answer_next(Answer::json(200, list));
    let words = "project Orders has 2001 objects; the limit is 2000";
    gateway.fails(6, "get --remote gate", words);
    assert_eq!(gateway.apinizer.server.lines(), [format!("GET {PATH}/")]);
}
