//! Apinizer: the set is the list of a project's JWK objects, each of which holds one key.

mod generate;

use super::{Auth, Form, Generate, Kind, Listed, Operation, Server, Sets};
use crate::error::{Error, Kind as Failure, Result};
use crate::key::Key;
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use crate::keyset::KeySet;
use crate::keyset::storage::Storage;
use crate::remote::entry::{Place, parse_setting};
use crate::remote::http::{Answer, Client, Request, Retries, Traffic};
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use ureq::http::Method;

/// The members that are relied upon.
const MEMBERS: &[&str] = &[
    "kty", "kid", "use", "alg", "crv", "x", "y", "n", "e", "k", "d", "p", "q", "dp", "dq", "qi",
];

/// Apinizer.
pub static APINIZER: Kind = Kind {
    name: "apinizer",
    about: "Apinizer, a project; the token is a personal API token, or the secret of --client-id",
    settings: &["--url", "--project", "--client-id"],
    auth: Auth::Required,
    token: "Authorization: Bearer",
    token_variables: &[],
    sets: Sets::One,
    can: &[
        Operation::List,
        Operation::Get,
        Operation::Create,
        Operation::SetSet,
        Operation::SetKey,
        Operation::DeleteSet,
        Operation::DeleteKey,
    ],
    storage: Storage {
        members: Some(MEMBERS),
        signs: true,
        refuses,
        ..Storage::FAITHFUL
    },
    traffic: Traffic::Private,
    retries: Retries {
        statuses: &[500, 502, 503, 504],
        ..Retries::USUAL
    },
    base: |place| {
        Place::required("--project", &place.project, &APINIZER)?;
        parse_setting(place, &APINIZER)
    },
    open: |client, place, token| {
        let secret = token.map(|token| Secret::new(token.expose().clone()));
        if let (None, Some(token)) = (&place.client_id, &secret) {
            client.authorize("Bearer", token);
        }
        Box::new(Apinizer {
            client,
            project: place.project.clone().unwrap_or_default(),
            client_id: place.client_id.clone(),
            secret,
            has_token: Cell::new(false),
        })
    },
};

/// Why Apinizer does not take a key.
fn refuses(members: &Members) -> Option<String> {
    let kty = members.string("kty").unwrap_or_default();
    let known = matches!(&*kty, "RSA" | "EC" | "oct" | "OKP");
    if !known {
        return Some(format!("Apinizer does not know the kty {kty}"));
    }
    (!members.has("kid")).then(|| "Apinizer wants a kid".into())
}

struct Apinizer {
    client: Client,
    project: String,
    /// Whose secret is exchanged for a token; without it the secret is the token.
    client_id: Option<String>,
    secret: Option<Secret<String>>,
    has_token: Cell<bool>,
}

/// What stands around every answer, in either of its forms.
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

/// An object with the key that it holds.
struct Object {
    name: String,
    key: Key<'static>,
}

impl Apinizer {
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

    /// Makes a call; where a fetched token has run out, with a new one.
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

    /// A call that was carried out, its deployment included: 200 alone does not say so.
    fn call(&self, request: &Request) -> Result<Answer> {
        let answer = self.send(request)?;
        if !answer.is_success() {
            return Err(self.error(&answer));
        }
        let envelope: Envelope = serde_json::from_slice(answer.body.expose()).unwrap_or_default();
        let failed = envelope.success == Some(false)
            || envelope.status.is_some_and(|status| status != "SUCCESS");
        if failed {
            let message = envelope
                .message
                .unwrap_or_else(|| "without a reason".into());
            return Err(Error::remote(format!("{} failed: {message}", answer.call)));
        }
        match envelope.deployment {
            Some(deployment) if deployment.success == Some(false) => {
                let message = deployment.message.unwrap_or_default();
                Err(Error::remote(format!(
                    "{} was carried out, but not deployed: {message}",
                    answer.call
                ))
                .hint("the gateways go on with what they had: deploy the project again"))
            }
            _ => Ok(answer),
        }
    }

    /// 400 stands for much here: the words tell what.
    fn error(&self, answer: &Answer) -> Error {
        let words = answer.words.as_deref().unwrap_or_default();
        let message = || format!("{} answered {}: {words}", answer.call, answer.status);
        if words.contains("required permission") {
            return Error::denied(message()).hint("the token's user lacks a right in this project");
        }
        if words.contains("Project (") && words.contains("is not found") {
            return Error::not_found(message()).hint(
                "the project's name counts its capitals; jwks remote show tells which it is",
            );
        }
        if words.contains("is not found") {
            return Error::not_found(message());
        }
        if words.contains("already exist") {
            return Error::refused(message());
        }
        match answer.status {
            404 => answer.error().hint(format!(
                "is {} the manager's address, without apiops?",
                self.client.base()
            )),
            _ => answer.error(),
        }
    }

    fn list(&self) -> Result<Vec<Listed>> {
        let answer = self.call(&Request::get(self.path(&[""])))?;
        let body: Value = answer.json()?;
        let Some(objects) = first_list(&body) else {
            return Err(answer.unlike("the list it should be"));
        };
        let text = |object: &Value, name: &str| object[name].as_str().map(str::to_owned);
        let listed = objects.iter().map(|object| Listed {
            name: text(object, "name").unwrap_or_default(),
            source: text(object, "sourceType").unwrap_or_default(),
            kind: text(object, "type").unwrap_or_default(),
            kid: text(object, "kid"),
        });
        Ok(listed.collect())
    }

    fn export(&self, name: &str, form: Form) -> Result<KeySet<'static>> {
        let public = (form == Form::Public).to_string();
        let request =
            Request::get(self.path(&[name, "export-file", ""])).query("publicOnly", &public);
        self.call(&request)?.key_set()
    }

    fn objects(&self, form: Form) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        for Listed { name, .. } in self.list()? {
            for key in self.export(&name, form)?.keys {
                let name = name.clone();
                objects.push(Object { name, key });
            }
        }
        Ok(objects)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let request = Request::new(Method::DELETE, self.path(&[name, ""]));
        self.call(&request).map(drop)
    }

    /// Creates an object from a key.
    fn create(&self, name: &str, key: &Key) -> Result<()> {
        let form = APINIZER.storage.form(&key.members().unwrap_or_default());
        let kid = form.string("kid").unwrap_or_default().into_owned();
        let body = json!({
            "name": name, "sourceType": "COPY_PASTE", "jwkStr": form.to_json(), "kid": kid,
        });
        self.post(name, &[""], &body)
    }

    /// Posts an object. Where no clear answer comes, a look tells whether it is there.
    fn post(&self, name: &str, path: &[&str], body: &Value) -> Result<()> {
        let request = Request::new(Method::POST, self.path(path)).json(body.to_string());
        let error = match self.call(&request) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let is_unclear = error.kind() == Failure::Remote && !error.to_string().contains("deployed");
        let look = || self.call(&Request::get(self.path(&[name, ""])));
        match is_unclear && look().is_ok() {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Puts a key in the place of an object, which the API does in two steps.
    fn replace(&self, name: &str, key: &Key) -> Result<()> {
        self.delete(name)?;
        self.create(name, key).map_err(|error| {
            error
                .about(format!("{name} is deleted, and not created again"))
                .hint("run the same command again: it creates what is missing")
        })
    }
}

/// The first list of objects in an answer, at its top or one member down.
fn first_list(body: &Value) -> Option<&Vec<Value>> {
    let members = body
        .as_object()
        .into_iter()
        .flat_map(|members| members.values());
    std::iter::once(body)
        .chain(members)
        .find_map(Value::as_array)
}

/// A name for the object of a key: its kid where that will do, else its thumbprint.
fn object_name(key: &Key) -> String {
    let members = key.members().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kid = members
        .string("kid")
        .filter(|kid| !kid.is_empty() && kid.chars().all(plain) && !kid.chars().all(|c| c == '.'));
    let kid = kid.map(|kid| kid.into_owned());
    kid.or_else(|| thumbprint(&members)).unwrap_or_default()
}

/// Whether two keys have one kid.
fn share_a_kid(one: &Key, other: &Key) -> bool {
    let kid = |key: &Key| {
        let members = key.members().unwrap_or_default();
        members.string("kid").map(|kid| kid.into_owned())
    };
    kid(one).is_some() && kid(one) == kid(other)
}

impl Server for Apinizer {
    fn test(&self) -> Result<String> {
        let keys = self.list()?.len();
        Ok(format!("project {} has keys: {keys}", self.project))
    }

    fn sets(&self) -> Result<Vec<String>> {
        Ok(vec![self.project.clone()])
    }

    fn listed(&self) -> Result<Option<Vec<Listed>>> {
        self.list().map(Some)
    }

    fn get(&self, _: &str, form: Form) -> Result<Option<KeySet<'static>>> {
        let objects = self.objects(form)?.into_iter();
        let keys: Vec<_> = objects.map(|object| object.key).collect();
        Ok(Some(KeySet::from(keys)))
    }

    fn generate(&self, _: &str, key: &Generate) -> Result<KeySet<'static>> {
        let name = &key.kid;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !name.chars().all(is_plain) {
            return Err(
                Error::usage(format!("{name:?} is no name for an object of Apinizer"))
                    .hint("names are of letters, digits, '.', '_' and '-'"),
            );
        }
        if let Some(url) = &key.from_url {
            let body = json!({"name": name, "sourceType": "URL", "url": url, "kid": name});
            self.post(name, &[""], &body)?;
        } else {
            self.post(name, &["generate"], &generate::body(name, key)?)?;
        }
        self.export(name, Form::Private)
    }

    fn put_set(&self, _: &str, _: &KeySet, after: &KeySet) -> Result<()> {
        let objects = self.objects(Form::Private)?;
        let is_same = |one: &Key, other: &Key| APINIZER.storage.differences(one, other).is_empty();
        let mut replaced = Vec::new();
        let mut created = Vec::new();
        for key in &after.keys {
            match objects.iter().find(|object| share_a_kid(&object.key, key)) {
                Some(object) if is_same(&object.key, key) => {}
                Some(object) => replaced.push((object, key)),
                None => created.push(key),
            }
        }
        // What is new comes first, what goes goes last: a failure between leaves more keys, not
        // fewer.
        for key in created {
            self.create(&object_name(key), key)?;
        }
        for (object, key) in replaced {
            self.replace(&object.name, key)?;
        }
        for object in &objects {
            let stays = after.keys.iter().any(|key| share_a_kid(&object.key, key));
            if !stays {
                self.delete(&object.name)?;
            }
        }
        Ok(())
    }

    fn put_key(&self, set: &str, before: &KeySet, key: &Key) -> Result<()> {
        self.put_set(set, before, &before.with(key))
    }

    fn delete_set(&self, set: &str, before: &KeySet) -> Result<()> {
        self.put_set(set, before, &KeySet::default())
    }

    fn delete_keys(&self, set: &str, before: &KeySet, keys: &[Key]) -> Result<()> {
        self.put_set(set, before, &before.without(keys))
    }
}
