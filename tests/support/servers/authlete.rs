//! Authlete 2 and 3. The JWK Set is a member of the service, as a string of JSON.

use super::{Answer, Call, Server, lock, public_form};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The service's number in the addresses of version 3, and its API key in version 2.
pub const SERVICE_ID: &str = "21653835348762";

const TOKEN: &str = "authlete-full-access-token";
const LIMITED_TOKEN: &str = "authlete-limited-token";
const SERVICE_CREDENTIALS: (&str, &str) = (SERVICE_ID, "authlete-service-secret");
const OWNER_CREDENTIALS: (&str, &str) = ("7203955122", "authlete-owner-secret");

/// The members that a token without full access is shown.
const LIMITED_VIEW: [&str; 4] = ["apiKey", "number", "serviceName", "description"];

/// The initial service, which has no keys. It has numbers that a client must not round.
const SERVICE: &str = r#"{
    "number": 5041,
    "apiKey": 21653835348762,
    "serviceName": "Order service",
    "description": "Orders, \"sandbox\" \u0026 t\u00e9st \/ 1",
    "issuer": "https://orders.example.com",
    "serviceOwnerNumber": 2,
    "createdAt": 1700000000000,
    "modifiedAt": 1700000500000,
    "jwks": null,
    "jwksUri": "https://orders.example.com/jwks",
    "authorizationEndpoint": "https://orders.example.com/authorize",
    "tokenEndpoint": "https://orders.example.com/token",
    "accessTokenType": "Bearer",
    "accessTokenSignAlg": "ES256",
    "accessTokenSignatureKeyId": null,
    "idTokenSignatureKeyId": null,
    "userInfoSignatureKeyId": null,
    "authorizationSignatureKeyId": null,
    "introspectionSignatureKeyId": null,
    "resourceSignatureKeyId": null,
    "federationSignatureKeyId": null,
    "accessTokenDuration": 86400,
    "idTokenDuration": 3600,
    "refreshTokenDuration": 864000,
    "pkceRequired": true,
    "directAuthorizationEndpointEnabled": false,
    "supportedAcrs": null,
    "supportedGrantTypes": ["AUTHORIZATION_CODE", "REFRESH_TOKEN", "CLIENT_CREDENTIALS"],
    "supportedResponseTypes": ["CODE"],
    "supportedScopes": [
        {"name": "openid", "defaultEntry": false, "description": null, "attributes": []},
        {"name": "orders", "defaultEntry": true, "descriptions": [{"tag": "fr", "value": "Commandes"}]}
    ],
    "supportedDisplays": [],
    "metadata": [{"key": "team", "value": "checkout"}],
    "mtlsEndpointAliases": [{"name": "token_endpoint", "uri": "https://mtls.example.com/token"}],
    "hsks": [],
    "futureSettings": {
        "quota": 12345678901234567890,
        "ceiling": 123456789012345678901234567890,
        "ratio": 0.30,
        "small": 1.5e-7,
        "nested": {"empty": {}, "none": null}
    }
}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V2,
    V3,
}

/// A simulated Authlete with one service.
pub struct Authlete {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    version: Version,
    /// Each member of the service, with its original JSON text.
    service: BTreeMap<String, Box<RawValue>>,
    jwks_as_object: bool,
    result_code_as_number: bool,
    changes_after_get: bool,
    forgets_writes: bool,
}

#[derive(Clone, Copy)]
enum Operation {
    Keys,
    Get,
    Update,
}

impl Authlete {
    pub fn start(version: Version) -> Authlete {
        let state = Arc::new(Mutex::new(State {
            version,
            service: serde_json::from_str(SERVICE).expect("a service"),
            jwks_as_object: false,
            result_code_as_number: false,
            changes_after_get: false,
            forgets_writes: false,
        }));
        let served = Arc::clone(&state);
        let server = Server::start(move |call| lock(&served).answer(call));
        Authlete { server, state }
    }

    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Returns a token of version 3 with full access to the service.
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Returns a token of version 3 that sees only some members of the service.
    pub fn limited_token(&self) -> &'static str {
        LIMITED_TOKEN
    }

    /// Returns the service's API key and secret of version 2, which can read the key set.
    pub fn service_credentials(&self) -> (&'static str, &'static str) {
        SERVICE_CREDENTIALS
    }

    /// Returns the service owner's key and secret of version 2, which can read and write the service.
    pub fn owner_credentials(&self) -> (&'static str, &'static str) {
        OWNER_CREDENTIALS
    }

    /// Returns the keys of the service.
    pub fn keys(&self) -> Vec<Value> {
        lock(&self.state).keys()
    }

    /// Gives the service this JWK Set, with the original JSON text.
    pub fn set_jwks(&self, jwks: impl ToString) {
        lock(&self.state).set("jwks", jwks.to_string());
    }

    pub fn service(&self) -> Value {
        serde_json::from_str(&self.service_text()).expect("a service")
    }

    /// Returns the JSON text of the service, with each member as the client sent it, so that tests see
    /// rounded numbers.
    pub fn service_text(&self) -> String {
        serde_json::to_string(&lock(&self.state).service).expect("a service")
    }

    /// Sets a member such as `idTokenSignatureKeyId` to a kid.
    pub fn use_key_id(&self, field: &str, kid: &str) {
        lock(&self.state).set(field, kid);
    }

    /// From now on, answers have `jwks` as an object. Writes still need a string.
    pub fn jwks_as_object(&self) {
        lock(&self.state).jwks_as_object = true;
    }

    /// From now on, answers have `resultCode` as a number.
    pub fn result_code_as_number(&self) {
        lock(&self.state).result_code_as_number = true;
    }

    /// Makes another administrator add a key after the service is read for the next time.
    pub fn changes_between(&self) {
        lock(&self.state).changes_after_get = true;
    }

    /// From now on, accepts and echoes updates, but keeps the old `jwks`.
    pub fn forgets_writes(&self) {
        lock(&self.state).forgets_writes = true;
    }

    /// Answers the next requests with this status, and with an error in Authlete's form.
    pub fn fail_next(&self, times: usize, status: u16) {
        for _ in 0..times {
            let answer = lock(&self.state).error(status, "Told to fail.");
            self.server.answer_next(answer);
        }
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        let Some((operation, service)) = self.route(call) else {
            return Answer::html(404, "<html><body>Not Found</body></html>");
        };
        let Some(full) = self.has_full_access(operation, call) else {
            return self.error(401, "The credentials are missing or wrong.");
        };
        if service != SERVICE_ID {
            return self.error(403, "The credentials do not reach this service.");
        }
        match operation {
            Operation::Keys => self.read_keys(call),
            Operation::Get => {
                let answer = Answer::json(200, self.view(&self.service, full));
                if std::mem::take(&mut self.changes_after_get) {
                    self.change_as_another_administrator();
                }
                answer
            }
            Operation::Update => self.update(call, full),
        }
    }

    fn route<'c>(&self, call: &'c Call) -> Option<(Operation, &'c str)> {
        let path: Vec<_> = call.path.split('/').skip(1).collect();
        Some(
            match (self.version, call.method.as_str(), path.as_slice()) {
                (Version::V3, "GET", ["api", id, "service", "jwks", "get"]) => {
                    (Operation::Keys, *id)
                }
                (Version::V3, "GET", ["api", id, "service", "get"]) => (Operation::Get, *id),
                (Version::V3, "POST" | "PUT", ["api", id, "service", "update"]) => {
                    (Operation::Update, *id)
                }
                // In version 2, the credentials identify the service.
                (Version::V2, "GET", ["api", "service", "jwks", "get"]) => {
                    (Operation::Keys, SERVICE_ID)
                }
                (Version::V2, "GET", ["api", "service", "get", id]) => (Operation::Get, *id),
                (Version::V2, "POST", ["api", "service", "update", id]) => (Operation::Update, *id),
                _ => return None,
            },
        )
    }

    /// Returns true for full access, and false for a limited view; `None` if the credentials are wrong.
    fn has_full_access(&self, operation: Operation, call: &Call) -> Option<bool> {
        let authorization = call.header("Authorization")?;
        match (self.version, operation) {
            (Version::V3, _) => match authorization.strip_prefix("Bearer ")? {
                TOKEN => Some(true),
                LIMITED_TOKEN => Some(false),
                _ => None,
            },
            (Version::V2, Operation::Keys) => {
                (authorization == basic(SERVICE_CREDENTIALS)).then_some(true)
            }
            (Version::V2, _) => (authorization == basic(OWNER_CREDENTIALS)).then_some(true),
        }
    }

    fn read_keys(&self, call: &Call) -> Answer {
        let mut keys = self.keys();
        if keys.is_empty() {
            return Answer::empty(204);
        }
        let is_on = |name: &str| call.query.split('&').any(|part| part == name);
        if !is_on("includePrivateKeys=true") {
            keys = keys.iter().filter_map(public_form).collect();
        }
        let set = json!({ "keys": keys });
        if is_on("pretty=true") {
            Answer::json(200, format!("{set:#}"))
        } else {
            Answer::json(200, set)
        }
    }

    /// Replaces the service. Members that the body lacks are removed.
    fn update(&mut self, call: &Call, full: bool) -> Answer {
        let Ok(mut new) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(&call.body)
        else {
            return self.error(400, "The body is no JSON object.");
        };
        let jwks = new.get("jwks").map_or("null", |jwks| jwks.get());
        let Ok(jwks) = serde_json::from_str::<Option<String>>(jwks) else {
            return self.error(400, "The member jwks is no string.");
        };
        let kept = jwks.as_deref().and_then(rewritten);
        if jwks.is_some() && kept.is_none() {
            return self.error(400, "The member jwks holds no JWK Set.");
        }
        new.insert("jwks".to_owned(), raw(kept));
        new.insert("modifiedAt".to_owned(), raw(self.modified_at() + 1000));
        let answer = Answer::json(200, self.view(&new, full));
        if self.forgets_writes {
            new.insert("jwks".to_owned(), self.service["jwks"].clone());
        }
        self.service = new;
        answer
    }

    /// Returns the service as the caller is allowed to see it.
    fn view(&self, service: &BTreeMap<String, Box<RawValue>>, full: bool) -> String {
        let mut shown = service.clone();
        if !full {
            shown.retain(|name, _| LIMITED_VIEW.contains(&name.as_str()));
        }
        if let (true, Some(jwks)) = (self.jwks_as_object, shown.get_mut("jwks")) {
            let text: Option<String> = serde_json::from_str(jwks.get()).expect("a string");
            if let Some(Ok(object)) = text.map(RawValue::from_string) {
                *jwks = object;
            }
        }
        serde_json::to_string(&shown).expect("a service")
    }

    fn change_as_another_administrator(&mut self) {
        let mut key = Jwk::generate_ec_key(EcCurve::P256).expect("an EC key");
        key.set_key_id("of-another-administrator");
        let members: &serde_json::Map<String, Value> = key.as_ref();
        let mut keys = self.keys();
        keys.push(Value::Object(members.clone()));
        self.set("jwks", json!({ "keys": keys }).to_string());
        self.set("modifiedAt", self.modified_at() + 1000);
    }

    fn keys(&self) -> Vec<Value> {
        let text: Option<String> = serde_json::from_str(self.service["jwks"].get()).ok();
        let set: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
        let keys = set.and_then(|set| set["keys"].as_array().cloned());
        keys.unwrap_or_default()
    }

    fn modified_at(&self) -> u64 {
        let text = self.service["modifiedAt"].get();
        text.parse().expect("a number")
    }

    fn set(&mut self, member: &str, value: impl Into<Value>) {
        self.service.insert(member.to_owned(), raw(value));
    }

    fn error(&self, status: u16, message: &str) -> Answer {
        let number = match status {
            400 => 1201,
            401 => 1202,
            403 => 1203,
            _ => 1204,
        };
        let text = format!("A{number:06}");
        let message = format!("[{text}] {message}");
        let code = if self.result_code_as_number {
            json!(number)
        } else {
            json!(text)
        };
        Answer::json(
            status,
            json!({ "resultCode": code, "resultMessage": message }),
        )
    }
}

fn basic((key, secret): (&str, &str)) -> String {
    let credentials = openssl::base64::encode_block(format!("{key}:{secret}").as_bytes());
    format!("Basic {credentials}")
}

fn raw(value: impl Into<Value>) -> Box<RawValue> {
    to_raw_value(&value.into()).expect("JSON")
}

/// Returns a JWK Set with other white space and another order of members; `None` if the text is not a
/// JWK Set.
fn rewritten(jwks: &str) -> Option<String> {
    let set: Value = serde_json::from_str(jwks).ok()?;
    let keys = set.get("keys")?.as_array()?;
    keys.iter()
        .all(Value::is_object)
        .then(|| format!("{:#}", reversed(set)))
}

fn reversed(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().rev();
            Value::Object(members.map(|(name, it)| (name, reversed(it))).collect())
        }
        Value::Array(items) => items.into_iter().map(reversed).collect(),
        other => other,
    }
}
