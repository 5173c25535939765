//! `jwks verify --online`: the issuer that a token names is asked, over https, and only then.

use crate::servers::plain::Plain;
use crate::servers::tls::{Authority, Certificate, Tls};
use crate::support::{Run, Sandbox, finish};
use serde_json::json;

const JWKS: &str = env!("CARGO_BIN_EXE_jwks");

/// An issuer behind https, whose private key is in a keystore of its own.
struct Issuer {
    web: Plain,
    tls: Tls,
    authority: Authority,
    home: Sandbox,
}

impl Issuer {
    fn start() -> Issuer {
        let (web, authority, home) = (Plain::start(), Authority::new(), Sandbox::new());
        let tls = Tls::in_front_of(&web.address(), &authority, Certificate::Valid);
        home.ok(["create", "issuer", "--kid", "one"]);
        let issuer = Issuer {
            web,
            tls,
            authority,
            home,
        };
        issuer
            .web
            .serve("/jwks.json", issuer.home.json(["get", "issuer"]));
        issuer.describe(&issuer.tls.address());
        issuer
    }

    /// Serves a discovery document of this issuer.
    fn describe(&self, issuer: &str) {
        let jwks_uri = format!("{}/jwks.json", self.tls.address());
        let document = json!({"issuer": issuer, "jwks_uri": jwks_uri});
        self.web
            .serve("/.well-known/openid-configuration", document);
    }

    fn token(&self, iss: &str) -> String {
        let token = self.home.ok(["sign", "issuer", "--iss", iss]);
        token.trim_end().to_owned()
    }

    fn verify(&self, token: &str, options: &[&str]) -> Run {
        let sandbox = Sandbox::new();
        let mut jwks = sandbox.command(JWKS);
        jwks.args(["verify", token]).args(options);
        finish(jwks.env("SSL_CERT_FILE", self.authority.file()))
    }
}

/// On Linux, the program believes the authorities in SSL_CERT_FILE.
#[cfg(target_os = "linux")]
#[test]
fn the_issuer_of_a_token_is_asked() {
    let issuer = Issuer::start();
    let address = issuer.tls.address();
    let token = issuer.token(&address);
    let offline = issuer.verify(&token, &[]).fails(3);
    assert!(offline.stderr.contains("--online"), "{offline:#?}");
    assert!(issuer.web.server.calls().is_empty());
    let run = issuer.verify(&token, &["--online", "--iss", &address]).ok();
    assert!(run.stdout.starts_with("valid: key one of "), "{run:#?}");
    let calls = issuer.web.server.calls().len();
    // Nobody is asked about an issuer that is not the demanded one, or not https.
    issuer
        .verify(&token, &["--online", "--iss", "https://other.example"])
        .fails(5);
    for iss in [
        issuer.web.address(),
        "urn:x".into(),
        "https://".into(),
        "https://u:p@h".into(),
    ] {
        let run = issuer.verify(&issuer.token(&iss), &["--online"]).fails(5);
        assert!(run.stderr.contains("issuer"), "{run:#?}");
    }
    assert_eq!(issuer.web.server.calls().len(), calls);
    // The address of a JWK Set, or of a discovery document, is no issuer.
    for path in ["/jwks.json", "/.well-known/openid-configuration"] {
        let iss = format!("{address}{path}");
        issuer.verify(&issuer.token(&iss), &["--online"]).fails(6);
    }
    issuer.describe("https://other.example");
    let run = issuer.verify(&token, &["--online"]).fails(6);
    assert!(run.stderr.contains("describes the issuer"), "{run:#?}");
}

/// The addresses in a header are never asked.
#[test]
fn no_address_in_a_header_is_followed() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let issuer = Issuer::start();
    let token = issuer.token("https://issuer.example");
    let (_, rest) = token.split_once('.').expect("a header");
    let web = issuer.web.url("/jwks.json");
    let jwk = issuer.home.ok(["get", "issuer", "one"]);
    for member in [
        format!(r#""jku":"{web}""#),
        format!(r#""x5u":"{web}""#),
        format!(r#""jwk":{jwk}"#),
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"one",{member}}}"#);
        let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
        let run = issuer.verify(&token, &[]).fails(3);
        assert!(run.stderr.contains("the kid \"one\""), "{run:#?}");
    }
    assert!(issuer.web.server.calls().is_empty());
}
