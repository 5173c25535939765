//! A keystore in Kubernetes: labels, data of others, names, limits, roles, the renewed token.

use crate::servers::kubernetes::{Kubernetes, encode};
use crate::servers::tls::{Authority, Certificate, Tls};
use crate::site::{Place, Site, kids};
use crate::support::finish;
use serde_json::json;

fn kubernetes(site: &Site) -> &Kubernetes {
    match &site.place {
        Place::Kubernetes(kubernetes) => kubernetes,
        _ => unreachable!("a site with Kubernetes"),
    }
}

#[test]
fn a_set_is_a_secret_with_labels() {
    let site = Site::kubernetes();
    site.ok("create api --kid first");
    let object = kubernetes(&site)
        .object("apps/jwks-api")
        .expect("the Secret");
    assert_eq!(object["type"], "Opaque");
    let labels = &object["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/managed-by"], "jwks");
    assert_eq!(labels["jwks/keystore"], "jwks");
    site.sandbox.write("pass", "of this set\n");
    site.ok("passwd api --passphrase-file pass --p2c 1000");
    let data = kubernetes(&site)
        .object("apps/jwks-api")
        .expect("the Secret")["data"]
        .clone();
    let names: Vec<_> = data.as_object().expect("data").keys().collect();
    assert_eq!(names, ["jwks.jwe"]);
}

#[test]
fn what_others_keep_in_the_secret_stays() {
    let site = Site::kubernetes();
    site.ok("create api --kid first");
    kubernetes(&site).edit("apps/jwks-api", |object| {
        object["data"]["note"] = encode("of a team").into();
        object["metadata"]["annotations"] = json!({ "owner": "team a" });
    });
    site.ok("create api --kid second");
    let object = kubernetes(&site)
        .object("apps/jwks-api")
        .expect("the Secret");
    assert_eq!(object["data"]["note"], encode("of a team"));
    assert_eq!(object["metadata"]["annotations"]["owner"], "team a");
}

#[test]
fn a_secret_of_somebody_else_is_neither_listed_nor_changed() {
    let site = Site::kubernetes();
    let foreign = json!({
        "metadata": { "name": "jwks-api", "labels": { "app": "api" } },
        "data": { "jwks.json": encode("{\"keys\":[]}") },
    });
    kubernetes(&site).add("apps/jwks-api", foreign.clone());
    assert_eq!(site.ok("list --format names"), "");
    for command in ["get api", "create api", "delete api --yes --force"] {
        let run = site.run(command).fails(4);
        assert!(
            run.stderr.contains("kubectl label secret jwks-api"),
            "{run:#?}"
        );
    }
    let object = kubernetes(&site)
        .object("apps/jwks-api")
        .expect("the Secret");
    assert_eq!(object["data"], foreign["data"]);
}

/// The sets of a keystore whose prefix begins with the prefix of another one are not sets of the other one.
#[test]
fn keystores_in_one_namespace_are_kept_apart() {
    let site = Site::kubernetes();
    let other = |line: &str| {
        let mut command = site.command();
        command.env("JWKS_STORE", format!("{}/jwks-team", site.store()));
        crate::support::finish(command.args(line.split(' ')))
    };
    other("create api --kid theirs").ok();
    site.ok("create web");
    assert_eq!(site.ok("list --format names"), "web\n");
    assert_eq!(other("list --format names").ok().stdout, "api\n");
    site.run("create team-api").fails(4);
    site.run("get team-api").fails(4);
}

#[test]
fn sets_on_several_pages_are_listed() {
    let site = Site::kubernetes();
    for set in ["a", "b", "c", "d", "e"] {
        site.ok(&format!("create {set}"));
    }
    site.forget_calls();
    assert_eq!(site.ok("list --format names"), "a\nb\nc\nd\ne\n");
    // The pages have the sets, so none is read by itself.
    let lines = site.lines();
    let of_sets = lines
        .iter()
        .filter(|line| line.contains("/jwks-") && !line.contains("--"));
    assert_eq!(of_sets.count(), 0, "{lines:#?}");
}

/// Pages that are too large to be read are asked for again with fewer Secrets.
#[test]
fn large_secrets_are_listed() {
    let site = Site::kubernetes();
    kubernetes(&site).list_long_pages();
    site.ok("create api --kid first");
    let mut object = kubernetes(&site)
        .object("apps/jwks-api")
        .expect("the Secret");
    object["data"]["of-others"] = encode(&"x".repeat(1_000_000)).into();
    for number in 0..30 {
        let name = format!("jwks-set{number}");
        object["metadata"]["name"] = name.clone().into();
        kubernetes(&site).add(&format!("apps/{name}"), object.clone());
    }
    let names = site.ok("list --format names");
    assert_eq!(names.lines().count(), 31);
}

#[test]
fn names_that_kubernetes_does_not_allow_are_refused() {
    let site = Site::kubernetes();
    for name in ["Api", "a_b", "a..b", "a.-b", "api-"] {
        let run = site.run(&format!("create {name}")).fails(2);
        assert!(run.stderr.contains("Kubernetes"), "{run:#?}");
    }
    assert_eq!(site.writes(), 0);
    site.ok("create hydra.openid.id-token");
}

/// A write into a namespace that does not exist fails at once, because no other writer was faster.
#[test]
fn a_missing_namespace_is_no_race() {
    let site = Site::kubernetes();
    kubernetes(&site).remove_namespace("apps");
    let run = site.run("create api").fails(6);
    assert!(run.stderr.contains("namespace apps exists"), "{run:#?}");
    assert_eq!(site.writes(), 1);
}

#[test]
fn the_token_is_read_again_for_each_call() {
    let site = Site::kubernetes();
    site.ok("create api --kid first");
    kubernetes(&site).renew_token("renewed.token.of-the-pod");
    let run = site.run("get api").fails(7);
    assert!(run.stderr.contains("Unauthorized"), "{run:#?}");
    site.sandbox.write("token", "renewed.token.of-the-pod\n");
    assert_eq!(kids(&site.json("get api")), ["first"]);
}

#[test]
fn limits_and_roles_are_said_in_the_words_of_the_server() {
    let site = Site::kubernetes();
    site.ok("create api --kid first");
    kubernetes(&site).edit("apps/jwks-api", |object| object["immutable"] = true.into());
    let run = site.run("create api").fails(6);
    assert!(run.stderr.contains("immutable"), "{run:#?}");
    kubernetes(&site).edit("apps/jwks-api", |object| object["immutable"] = false.into());
    kubernetes(&site).forbid("list");
    let run = site.run("list").fails(7);
    assert!(run.stderr.contains("cannot list resource"), "{run:#?}");
    site.ok("get api");
    kubernetes(&site).forbid("patch");
    site.run("create api").fails(7);
    assert_eq!(kids(&site.json("get api")), ["first"]);
}

#[test]
fn a_secret_over_the_limit_is_refused_by_the_server_and_unchanged() {
    let site = Site::kubernetes();
    site.ok("create api --kid first");
    let run = site
        .run("create api --alg HS512 --size 2040 --count 3000 -q")
        .fails(6);
    assert!(run.stderr.contains("1 MiB"), "{run:#?}");
    assert_eq!(kids(&site.json("get api")), ["first"]);
}

/// As in a pod: the API server is named by the environment and speaks https with the cluster's own authority.
#[test]
fn a_pod_finds_its_api_server() {
    let site = Site::kubernetes();
    let authority = Authority::new();
    let tls = Tls::in_front_of(site.address(), &authority, Certificate::Valid);
    let address = tls.address().replace("https://", "");
    let (host, port) = address.split_once(':').expect("a port");
    let in_pod = |store: &str, authority: &Authority| {
        let mut command = site.command();
        command
            .env("JWKS_STORE", store)
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port)
            .env("JWKS_STORE_CACERT", authority.file());
        finish(command.args(["create", "api", "--kid", "first"]))
    };
    in_pod("kubernetes:apps", &authority).ok();
    assert!(kubernetes(&site).object("apps/jwks-api").is_some());
    let run = in_pod("kubernetes:apps", &Authority::new()).fails(6);
    assert!(run.stderr.contains("certificate"), "{run:#?}");
    // The namespace of the pod is in a file that is not here.
    in_pod("kubernetes:", &authority).fails(2);
}
