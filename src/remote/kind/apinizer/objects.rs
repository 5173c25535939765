//! The objects of a project: the calls that list, export, create and delete them.

use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::key::strict_json::MOST_FOREIGN_KEYS;
use crate::keyset::{FOREIGN_LIMIT, KeySet};
use crate::remote::http::{Answer, Client, Request, parse};
use crate::remote::kind::apinizer::APINIZER;
use crate::remote::kind::{Form, Listed};
use crate::remote::location::Location;
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use ureq::http::Method;

/// The most objects of a project.
const MOST_OBJECTS: usize = 2_000;

/// Why a call failed.
enum Failure {
    /// The object does not exist.
    NoObject(Error),
    /// The change was made in the project, but not deployed to the gateways.
    NotDeployed(Error),
    /// The server refused the call.
    Refused(Error),
    /// It is not known whether the call was carried out.
    Unclear(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::NoObject(error)
            | Failure::NotDeployed(error)
            | Failure::Refused(error)
            | Failure::Unclear(error) => error,
        }
    }
}

/// A project, and the objects in it.
pub struct Apinizer {
    client: Client,
    project: String,
    /// The client whose secret is exchanged for a token; `None` if the secret is the token.
    client_id: Option<String>,
    secret: Option<Secret<String>>,
    has_token: Cell<bool>,
}

/// The members around every answer, in either of two forms.
#[derive(Default, Deserialize)]
struct Envelope {
    success: Option<bool>,
    status: Option<String>,
    #[serde(rename = "resultMessage")]
    message: Option<String>,
    #[serde(rename = "deploymentResult")]
    deployment: Option<Deployment>,
}

#[derive(Default, Deserialize)]
struct Deployment {
    success: Option<bool>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Access {
    access_token: String,
}

/// An object and its key.
pub struct Object {
    /// Its name in the project.
    pub name: String,
    /// Its key.
    pub key: Key<'static>,
}

impl Apinizer {
    /// Returns the project of a location. Without a client ID, the token is sent unchanged.
    pub fn new(client: Client, location: &Location, token: Option<&Secret<String>>) -> Apinizer {
        let secret = token.map(|token| Secret::new(token.expose().clone()));
        if let (None, Some(token)) = (&location.client_id, &secret) {
            client.authorize("Bearer", token);
        }
        Apinizer {
            client,
            project: location.project.clone().unwrap_or_default(),
            client_id: location.client_id.clone(),
            secret,
            has_token: Cell::new(false),
        }
    }

    /// Returns the project's name.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Returns the path of a call about its objects.
    fn path(&self, rest: &[&str]) -> Vec<String> {
        let path = ["apiops", "projects", &self.project, "jwks"];
        let path = path.iter().chain(rest);
        path.map(|segment| (*segment).to_owned()).collect()
    }

    fn fetch_token(&self) -> Result<()> {
        let (Some(id), Some(secret)) = (&self.client_id, &self.secret) else {
            return Ok(());
        };
        let request = Request::new(Method::POST, ["apiops", "auth", "token"]).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret.expose()),
        ]);
        let access: Access = self.client.send(&request)?.success()?.json()?;
        let token = Secret::new(access.access_token);
        self.client.authorize("Bearer", &token);
        self.has_token.set(true);
        Ok(())
    }

    /// Makes a call. If a token that was requested has expired, requests a new one.
    fn send(&self, request: &Request) -> Result<Answer> {
        if self.client_id.is_some() && !self.has_token.get() {
            self.fetch_token()?;
        }
        let answer = self.client.send(request)?;
        if answer.status != 401 || self.client_id.is_none() {
            return Ok(answer);
        }
        self.fetch_token()?;
        self.client.send(request)
    }

    /// Makes a call and checks that it was carried out and deployed, because status 200 alone does not
    /// prove that.
    fn call(&self, request: &Request) -> Result<Answer, Failure> {
        let answer = self.send(request).map_err(unclear)?;
        if !answer.is_success() {
            return Err(self.failure(&answer));
        }
        let envelope: Envelope = parse(answer.body.expose()).unwrap_or_default();
        let failed = envelope.success == Some(false)
            || envelope.status.is_some_and(|status| status != "SUCCESS");
        if failed {
            let message = envelope.message;
            let message = message.map_or("without a reason".into(), |message| {
                self.client.clean(message)
            });
            let error = Error::remote(format!("{} failed: {message}", answer.call));
            return Err(Failure::Unclear(error));
        }
        match envelope.deployment {
            Some(deployment) if deployment.success == Some(false) => {
                let message = self.client.clean(deployment.message.unwrap_or_default());
                let call = &answer.call;
                let error = Error::remote(format!(
                    "{call} was carried out, but not deployed: {message}"
                ));
                Err(Failure::NotDeployed(error.hint(
                    "the gateways still have the previous state: deploy the project again",
                )))
            }
            _ => Ok(answer),
        }
    }

    /// Finds the meaning of status 400 from the server's message: a missing project, a missing object, a
    /// name that is taken, or a missing right.
    fn failure(&self, answer: &Answer) -> Failure {
        let words = answer.words.as_deref().unwrap_or_default();
        let message = || format!("{} answered {}: {words}", answer.call, answer.status);
        if words.contains("required permission") {
            let hint = "the token's user lacks a right in this project";
            return Failure::Refused(Error::denied(message()).hint(hint));
        }
        if words.contains("Project (") && words.contains("is not found") {
            let hint = "the name of the project is case-sensitive; `jwks remote show` prints it";
            return Failure::Refused(Error::not_found(message()).hint(hint));
        }
        if words.contains("is not found") {
            return Failure::NoObject(Error::not_found(message()));
        }
        if words.contains("already exist") {
            return Failure::Refused(Error::refused(message()));
        }
        match answer.status {
            404 => Failure::Refused(answer.error().hint(format!(
                "is {} the manager's address, without apiops?",
                self.client.base()
            ))),
            400..=499 => Failure::Refused(answer.error()),
            _ => Failure::Unclear(answer.error()),
        }
    }

    /// Returns all objects, without their keys. Returns an error for more than 2,000 objects, because
    /// each of them takes a call to export.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let answer = self.call(&Request::get(self.path(&[""])))?;
        let body: Value = answer.json()?;
        let Some(objects) = first_list(&body) else {
            return Err(answer.unlike("a list"));
        };
        let listed = objects.len();
        if listed > MOST_OBJECTS {
            return Err(Error::remote(format!(
                "project {} has {listed} objects; the limit is {MOST_OBJECTS}",
                self.project
            )));
        }
        let text = |object: &Value, name: &str| object[name].as_str().map(str::to_owned);
        let listed = objects.iter().map(|object| Listed {
            name: text(object, "name").unwrap_or_default(),
            source: text(object, "sourceType").unwrap_or_default(),
            kind: text(object, "type").unwrap_or_default(),
            kid: text(object, "kid"),
        });
        Ok(listed.collect())
    }

    /// Returns an error if the project would have more than 2,000 objects with this many new ones. It could
    /// not be listed again.
    pub fn refuse_too_many(&self, new: usize) -> Result<()> {
        let objects = self.list()?.len() + new;
        if objects <= MOST_OBJECTS {
            return Ok(());
        }
        let project = &self.project;
        Err(Error::refused(format!(
            "project {project} would have {objects} objects; the limit is {MOST_OBJECTS}"
        ))
        .hint("nothing was changed; delete keys from the project first"))
    }

    /// Exports the key of an object, as a set. Returns an error if the object does not exist.
    pub fn export(&self, name: &str, form: Form) -> Result<KeySet<'static>> {
        let public = (form == Form::Public).to_string();
        let request =
            Request::get(self.path(&[name, "export-file", ""])).query("publicOnly", &public);
        self.call(&request)?.key_set()
    }

    /// Returns all objects with their keys. In total, they have at most the keys and bytes of one foreign
    /// document.
    pub fn objects(&self, form: Form) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        let mut size = 0;
        for Listed {
            name, kind, kid, ..
        } in self.list()?
        {
            let mut keys = self.export(&name, form)?.keys;
            // The public export omits symmetric keys, so they are listed here without their secret part.
            if keys.is_empty() && kind == "OCT" {
                keys.push(Key::from_json(
                    json!({"kty": "oct", "kid": kid}).to_string(),
                ));
            }
            for key in keys {
                let name = name.clone();
                size += key.json().len();
                objects.push(Object { name, key });
            }
            if size > FOREIGN_LIMIT || objects.len() > MOST_FOREIGN_KEYS {
                let limit = FOREIGN_LIMIT >> 20;
                return Err(Error::remote(format!(
                    "project {} has more than {MOST_FOREIGN_KEYS} keys, or {limit} MiB of them",
                    self.project
                )));
            }
        }
        Ok(objects)
    }

    /// Deletes an existing object.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.try_to_delete(name).map_err(Error::from)
    }

    fn try_to_delete(&self, name: &str) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, self.path(&[name, ""]));
        match self.call(&request) {
            // The answer to an earlier attempt can have been lost.
            Ok(_) | Err(Failure::NoObject(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Creates an object from a key. Returns an error if the name is taken.
    pub fn create(&self, name: &str, key: &Key) -> Result<()> {
        let form = APINIZER.rules.form(&key.members().unwrap_or_default());
        let kid = form.string("kid").unwrap_or_default().into_owned();
        let body = json!({
            "name": name, "sourceType": "COPY_PASTE", "jwkStr": form.to_json(), "kid": kid,
        });
        self.post(name, &[""], &body)
    }

    /// Creates an object with a POST call. Returns an error if the name is taken. If the outcome is
    /// unknown, reads the object back.
    pub fn post(&self, name: &str, path: &[&str], body: &Value) -> Result<()> {
        // An existing object could be mistaken for the new one.
        if self.list()?.iter().any(|object| object.name == *name) {
            let project = &self.project;
            return Err(Error::refused(format!(
                "project {project} has an object {name:?} already"
            ))
            .hint("choose another kid, or delete that one first"));
        }
        let request = Request::new(Method::POST, self.path(path)).json(body.to_string());
        let look = || self.call(&Request::get(self.path(&[name, ""])));
        match self.call(&request) {
            Ok(_) => Ok(()),
            Err(Failure::Unclear(_)) if look().is_ok() => Ok(()),
            Err(Failure::Unclear(error)) => {
                Err(error.hint("check whether the object exists, then run the same command again"))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Replaces the key of an object, which takes two calls. If the second one fails, restores the old
    /// key.
    pub fn replace(&self, object: &Object, key: &Key) -> Result<()> {
        let name = &object.name;
        // The object is deleted even if that is not deployed.
        match self.try_to_delete(name) {
            Ok(()) | Err(Failure::NotDeployed(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
        self.create(name, key).map_err(|error| {
            // The server can have had the only copy of the old key.
            match self.create(name, &object.key) {
                Ok(()) => error.about(format!(
                    "{name} could not be replaced and has its old key again"
                )),
                Err(_) => error
                    .about(format!("{name} was deleted and could not be created again"))
                    .hint("run the same command again: it creates what is missing"),
            }
        })
    }
}

/// Classifies a call without a usable answer. After network and server errors, the outcome is unknown.
fn unclear(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Remote => Failure::Unclear(error),
        _ => Failure::Refused(error),
    }
}

/// Returns the first list of objects in an answer, at the top level or one level below.
fn first_list(body: &Value) -> Option<&Vec<Value>> {
    let members = body
        .as_object()
        .into_iter()
        .flat_map(|members| members.values());
    [body, &body["resultList"]]
        .into_iter()
        .chain(members)
        .find_map(Value::as_array)
}
