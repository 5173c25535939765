//! Apinizer's Management API for the JWKs of a project. Each JWK is an object with a name.

mod object;

use super::front::{self, Front};
use super::{Answer, Call, Server, lock, public_form};
use object::Object;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const TOKEN: &str = "apinizer-personal-api-token";
/// The client id and secret. The secret contains characters that a form must percent-encode.
const CLIENT: (&str, &str) = ("apinizer-client", "secret: 50% + more & all");

/// The members around each answer, which report success or failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// `{"success":true,…}` and `{"error","error_description"}`.
    Success,
    /// `{"status":"SUCCESS",…}` and `{"status":"FAILURE","resultMessage"}`.
    Status,
}

/// A simulated Apinizer with one project.
pub struct Apinizer {
    front: Front,
    pub server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    envelope: Envelope,
    project: String,
    objects: Vec<Object>,
    /// The access tokens that were issued and are valid.
    access_tokens: Vec<String>,
    tokens_expire: bool,
    without_permission: bool,
    failing_deployments: usize,
    failing_creates: usize,
    /// Cuts the connection at the next create; true if that create is carried out.
    unanswered_create: Option<bool>,
}

enum Operation<'p> {
    List,
    Get(&'p str),
    Export(&'p str),
    Create,
    Generate,
    Update(&'p str),
    Delete(&'p str),
}

/// An error before it is put into the envelope.
struct Refusal {
    status: u16,
    message: String,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Refusal { status, message }
    }
}

type Outcome<T = Answer> = Result<T, Refusal>;

impl Apinizer {
    pub fn start(envelope: Envelope, project: &str) -> Apinizer {
        let state = Arc::new(Mutex::new(State {
            envelope,
            project: project.to_owned(),
            objects: Vec::new(),
            access_tokens: Vec::new(),
            tokens_expire: false,
            without_permission: false,
            failing_deployments: 0,
            failing_creates: 0,
            unanswered_create: None,
        }));
        let served = Arc::clone(&state);
        let server = Server::start(move |call| lock(&served).answer(call));
        Apinizer {
            front: Front::start(&server),
            server,
            state,
        }
    }

    /// Returns the address of the manager. The API is below `/apiops/`.
    pub fn address(&self) -> String {
        self.front.address()
    }

    /// Returns a personal API token, which does not expire.
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Returns the client id and secret that are exchanged for an access token.
    pub fn client(&self) -> (&'static str, &'static str) {
        CLIENT
    }

    /// Returns the JWK of each object, by the object's name.
    pub fn objects(&self) -> Vec<(String, Value)> {
        let state = lock(&self.state);
        let pair = |object: &Object| (object.name.clone(), object.key.clone());
        state.objects.iter().map(pair).collect()
    }

    /// Adds an object, as if a user had pasted its JWK into the manager.
    pub fn seed(&self, name: &str, jwk: Value) {
        lock(&self.state).objects.push(Object {
            name: name.to_owned(),
            description: Value::Null,
            source_type: "COPY_PASTE",
            source_url: Value::Null,
            key: jwk,
        });
    }

    /// Invalidates the token of the next call, and all access tokens.
    pub fn expire_tokens(&self) {
        lock(&self.state).tokens_expire = true;
    }

    /// Removes the permission for all operations.
    pub fn without_permission(&self) {
        lock(&self.state).without_permission = true;
    }

    /// Makes the next write succeed without being deployed.
    pub fn deployment_fails_next(&self) {
        lock(&self.state).failing_deployments += 1;
    }

    /// Makes the next create fail. Nothing is stored, even if an object was deleted before.
    pub fn create_fails_next(&self) {
        lock(&self.state).failing_creates += 1;
    }

    /// Cuts the connection at the next create instead of answering. `stored` is true if the object is
    /// created anyway.
    pub fn create_is_cut_next(&self, stored: bool) {
        lock(&self.state).unanswered_create = Some(stored);
    }

    /// Makes the next requests fail.
    pub fn fail_next(&self, times: usize) {
        for _ in 0..times {
            let answer = lock(&self.state).failure(trouble());
            self.server.answer_next(answer);
        }
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        let path: Vec<_> = call.path.split('/').map(decoded).collect();
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let outcome = match (call.method.as_str(), path.as_slice()) {
            ("POST", ["", "apiops", "auth", "token"]) => self.give_token(call),
            (method, ["", "apiops", "projects", project, "jwks", rest @ ..]) => {
                match route(method, rest) {
                    Some(operation) => self.carry_out(operation, call, project),
                    None => Ok(not_found()),
                }
            }
            _ => Ok(not_found()),
        };
        outcome.unwrap_or_else(|refusal| self.failure(refusal))
    }

    fn give_token(&mut self, call: &Call) -> Outcome {
        let form: HashMap<String, String> = call.body.split('&').map(field).collect();
        let value = |name: &str| form.get(name).map_or("", String::as_str);
        if value("grant_type") != "client_credentials" {
            return Err(bad_request("Only client_credentials is a grant type here."));
        }
        if (value("client_id"), value("client_secret")) != CLIENT {
            return Err(unauthorized("Bad credentials"));
        }
        let token = format!("apinizer-access-token-{}", uuid::Uuid::new_v4());
        self.access_tokens.push(token.clone());
        let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 });
        Ok(Answer::json(200, body))
    }

    fn carry_out(&mut self, operation: Operation, call: &Call, project: &str) -> Outcome {
        self.admit(call, project)?;
        match operation {
            Operation::List => {
                let overviews = self.objects.iter().map(|object| object.overview(project));
                Ok(self.success(json!({ "resultList": overviews.collect::<Vec<_>>() })))
            }
            Operation::Get(name) => {
                let object = &self.objects[self.position(name)?];
                Ok(self.success(json!({ "resultList": [object.detail(project)] })))
            }
            Operation::Export(name) => {
                let key = self.objects[self.position(name)?].key.clone();
                let public_only = call.query.split('&').any(|part| part == "publicOnly=true");
                let keys = Vec::from_iter(if public_only {
                    public_form(&key)
                } else {
                    Some(key)
                });
                Ok(Answer::json(200, json!({ "keys": keys }))
                    .header("Content-Disposition", "attachment; filename=jwks.json"))
            }
            Operation::Create => self.create(&body(call)?),
            Operation::Generate => self.add(Object::generated(&body(call)?)?),
            Operation::Update(name) => self.update(name, &body(call)?),
            Operation::Delete(name) => {
                self.objects.remove(self.position(name)?);
                Ok(self.written())
            }
        }
    }

    /// Returns an error if the caller has no access.
    fn admit(&mut self, call: &Call, project: &str) -> Outcome<()> {
        if std::mem::take(&mut self.tokens_expire) {
            self.access_tokens.clear();
            return Err(unauthorized("Token is expired"));
        }
        let authorization = call.header("Authorization").unwrap_or_default();
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        if token != TOKEN && !self.access_tokens.iter().any(|good| good == token) {
            return Err(unauthorized("Invalid token"));
        }
        if project != self.project {
            return Err(bad_request(format!("Project ({project}) is not found!")));
        }
        if self.without_permission {
            return Err(bad_request(
                "User does not have required permission for this operation!",
            ));
        }
        Ok(())
    }

    fn create(&mut self, body: &Value) -> Outcome {
        if let Some(left) = self.failing_creates.checked_sub(1) {
            self.failing_creates = left;
            return Err(trouble());
        }
        match self.unanswered_create.take() {
            None => self.add(Object::sourced(body)?),
            Some(stored) => {
                if stored {
                    self.add(Object::sourced(body)?)?;
                }
                Ok(front::cut())
            }
        }
    }

    /// Changes the name and the description. Ignores all other members.
    fn update(&mut self, name: &str, body: &Value) -> Outcome {
        let position = self.position(name)?;
        if let Some(new) = body["name"].as_str() {
            if new != name {
                self.require_new(new)?;
            }
            self.objects[position].name = new.to_owned();
        }
        if let Some(description) = body.get("description") {
            self.objects[position].description = description.clone();
        }
        Ok(self.written())
    }

    fn add(&mut self, object: Object) -> Outcome {
        self.require_new(&object.name)?;
        self.objects.push(object);
        Ok(self.written())
    }

    fn position(&self, name: &str) -> Outcome<usize> {
        let position = self.objects.iter().position(|object| object.name == name);
        position.ok_or_else(|| bad_request(format!("JWK (name: {name}) is not found!")))
    }

    fn require_new(&self, name: &str) -> Outcome<()> {
        match self.position(name) {
            Ok(_) => Err(bad_request(format!(
                "JWK (name: {name}) is already exist! Update that one."
            ))),
            Err(_) => Ok(()),
        }
    }

    /// Returns the answer to a write, which reports whether the deployment succeeded.
    fn written(&mut self) -> Answer {
        let left = self.failing_deployments.checked_sub(1);
        self.failing_deployments = left.unwrap_or_default();
        let deployed = left.is_none();
        let message = if deployed {
            "Done"
        } else {
            "No gateway answers"
        };
        let environment =
            json!({ "environmentName": "production", "success": deployed, "message": message });
        self.success(json!({
            "deploymentResult": {
                "success": deployed,
                "message": message,
                "environmentResults": [environment],
            },
        }))
    }

    fn success(&self, members: Value) -> Answer {
        let mut body = match self.envelope {
            Envelope::Success => json!({ "success": true }),
            Envelope::Status => json!({ "status": "SUCCESS" }),
        };
        for (name, value) in members.as_object().expect("an object") {
            body[name] = value.clone();
        }
        Answer::json(200, body)
    }

    fn failure(&self, Refusal { status, message }: Refusal) -> Answer {
        let error = match status {
            400 => "bad_request",
            401 => "unauthorized_client",
            _ => "server_error",
        };
        let body = match self.envelope {
            Envelope::Success => json!({ "error": error, "error_description": message }),
            Envelope::Status => json!({ "status": "FAILURE", "resultMessage": message }),
        };
        Answer::json(status, body)
    }
}

/// Returns the operation for the path after `jwks`. All paths end in a slash, which leaves an empty
/// last segment, except that of `generate`.
fn route<'p>(method: &str, rest: &[&'p str]) -> Option<Operation<'p>> {
    Some(match (method, rest) {
        ("GET", [""]) => Operation::List,
        ("POST", [""]) => Operation::Create,
        ("POST", ["generate"]) => Operation::Generate,
        ("GET", [name, ""]) => Operation::Get(name),
        ("PUT", [name, ""]) => Operation::Update(name),
        ("DELETE", [name, ""]) => Operation::Delete(name),
        ("GET", [name, "export-file", ""]) => Operation::Export(name),
        _ => return None,
    })
}

fn body(call: &Call) -> Outcome<Value> {
    let body: Option<Value> = serde_json::from_str(&call.body).ok();
    let object = body.filter(Value::is_object);
    object.ok_or_else(|| bad_request("The body is no JSON object"))
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(400, message)
}

fn unauthorized(message: &str) -> Refusal {
    Refusal::new(401, message)
}

fn trouble() -> Refusal {
    Refusal::new(500, "An unexpected error occurred")
}

fn not_found() -> Answer {
    Answer::html(404, "<html><body><h1>404 Not Found</h1></body></html>")
}

/// Parses a field of a form.
fn field(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (
        decoded(&name.replace('+', " ")),
        decoded(&value.replace('+', " ")),
    )
}

/// Decodes percent-encoding. A percent sign without two hexadecimal digits stays.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).map(|digits| u8::from_str_radix(digits, 16));
        if let Some(Ok(byte)) = code {
            bytes.push(byte);
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        } else {
            bytes.push(b'%');
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
