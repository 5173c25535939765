//! A keystore in the key-value engine of HashiCorp Vault or OpenBao, version 2: a secret for each set, with
//! the text of the set in one field.
//!
//! Each write has the check-and-set parameter. Version 1 of the engine has none and would write without a
//! condition, so the version is asked for before the first call.

mod wire;

use crate::environment::{STORE_CACERT, STORE_TOKEN_FILE, home_directory};
use crate::error::{Error, Result};
use crate::keystore::SetName;
use crate::keystore::medium::{Found, Item, Outcome, Server, Version};
use crate::remote::http::{Answer, Client, Options, Request};
use crate::secret::Secret;
use crate::store::address::Address;
use crate::store::ahead::Ahead;
use crate::store::credentials::{client, token_in, token_of, variable};
use crate::store::failure::failure;
use crate::store::{MOST_SETS, too_many};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use ureq::http::Method;
use url::Url;
use wire::{Listing, Mount, Secrets, body, is_missing, read};

/// The field of a secret with the text of a set, with the schedules, or with the deliveries of a set.
const SET: &str = "jwks";
const SCHEDULES: &str = "schedules";
const DELIVERIES: &str = "deliveries";

/// The address of a server that runs on this machine, which the service's own tools use, too.
const LOCAL: &str = "https://127.0.0.1:8200";

const ACCESS: &str = "check that the token is valid and that its policy allows create, read and update on MOUNT/data/PREFIX/* and list on MOUNT/metadata/PREFIX";

/// A keystore in Vault.
#[derive(Debug)]
pub(super) struct Vault {
    shown: String,
    client: Client,
    path: Vec<String>,
    /// The number of segments of the path that are the mount of the engine, once it was asked for.
    mount: OnceCell<usize>,
    ahead: Ahead,
}

impl Vault {
    /// Opens a store. Makes no calls.
    pub fn open(address: &Address, options: Options) -> Result<Vault> {
        if address.path.is_empty() {
            return Err(Error::usage(format!("{} names no mount", address.shown))
                .hint("use vault:MOUNT/PREFIX, such as vault:secret/jwks"));
        }
        let server = match &address.server {
            Some(server) => server.clone(),
            None => {
                let named = variable(&["VAULT_ADDR", "BAO_ADDR"]);
                parse_server(named.as_deref().unwrap_or(LOCAL))?
            }
        };
        let base = server.join("v1").map_err(|error| {
            Error::usage("the address of the Vault server cannot be used").cause(error)
        })?;
        let mut headers = vec![
            ("X-Vault-Request".to_owned(), Secret::new("true".to_owned())),
            ("X-Vault-Token".to_owned(), token(&options)?),
        ];
        if let Some(namespace) = variable(&["VAULT_NAMESPACE", "BAO_NAMESPACE"]) {
            headers.push(("X-Vault-Namespace".to_owned(), Secret::new(namespace)));
        }
        let cacert = variable(&[STORE_CACERT, "VAULT_CACERT", "BAO_CACERT"]).map(PathBuf::from);
        Ok(Vault {
            client: client(&address.shown, base, headers, cacert, options),
            shown: address.shown.clone(),
            path: address.path.clone(),
            mount: OnceCell::new(),
            ahead: Ahead::default(),
        })
    }

    /// Returns the mount of the engine and the prefix below it. Returns an error if the engine is not the
    /// key-value engine of version 2.
    fn mount(&self) -> Result<(&[String], &[String])> {
        let mount = match self.mount.get() {
            Some(mount) => *mount,
            None => {
                let found = self.find_mount()?;
                *self.mount.get_or_init(|| found)
            }
        };
        Ok(self.path.split_at(mount))
    }

    fn find_mount(&self) -> Result<usize> {
        let path = ["sys", "internal", "ui", "mounts"].into_iter();
        let request = Request::get(path.chain(self.path.iter().map(String::as_str)));
        let answer = self.client.send(&request)?;
        if !answer.is_success() {
            return Err(self.failure(&answer));
        }
        let Mount {
            path,
            kind,
            options,
        } = answer.json::<Secrets<Mount>>()?.data;
        let options = options.unwrap_or_default();
        let mount: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        if kind != "kv" && kind != "generic" || options.version.as_deref() != Some("2") {
            let version = options.version.unwrap_or_else(|| "1".into());
            let what = match &*kind {
                "kv" | "generic" => format!("the key-value engine of version {version}"),
                kind => format!("the engine {kind}"),
            };
            return Err(Error::refused(format!(
                "{} is {what}, which has no conditional writes for sets",
                mount.join("/")
            ))
            .hint(
                "use a key-value engine of version 2: `vault secrets enable -path=MOUNT kv-v2`",
            ));
        }
        if !self
            .path
            .iter()
            .map(String::as_str)
            .take(mount.len())
            .eq(mount.iter().copied())
        {
            return Err(answer.unlike("about this mount"));
        }
        Ok(mount.len())
    }

    fn request(&self, method: Method, part: &str, name: Option<&str>) -> Result<Request> {
        let (mount, prefix) = self.mount()?;
        let names = mount.iter().map(String::as_str).chain([part]);
        let names = names.chain(prefix.iter().map(String::as_str)).chain(name);
        Ok(Request::new(method, names))
    }

    /// Returns the error for an unsuccessful answer.
    fn failure(&self, answer: &Answer) -> Error {
        let is_sealed = answer.status == 503
            && answer
                .words
                .as_ref()
                .is_some_and(|words| words.contains("sealed"));
        match answer.status {
            _ if is_sealed => {
                failure(answer, ACCESS).hint("unseal the server: `vault operator unseal`")
            }
            404 => failure(answer, ACCESS).hint("check the address and the mount"),
            _ => failure(answer, ACCESS),
        }
    }

    /// Reads several sets at the same time, for later.
    fn read_together(&self, names: &[SetName]) -> Result<()> {
        let request = |name: &SetName| self.request(Method::GET, "data", Some(name.as_str()));
        let found = |name: &SetName, answer: &Answer| self.found(Item::Set(name), answer);
        self.ahead.read(&self.client, names, request, found)
    }

    fn found(&self, item: Item, answer: &Answer) -> Result<Found> {
        let (_, field) = place(item);
        match answer.status {
            200 | 404 => read(answer, field).map_err(|error| error.about(item)),
            _ => Err(self.failure(answer)),
        }
    }

    fn put(&self, item: Item, text: Option<&Secret<String>>, version: &Version) -> Result<Outcome> {
        let (name, field) = place(item);
        let body = body(field, text, version)?;
        if let Some(beside) = &version.beside {
            self.client.hide_texts(beside.expose());
        }
        let request = self
            .request(Method::POST, "data", Some(&name))?
            .body("application/json", body);
        let answer = self.client.send(&request)?;
        self.client.options().watch.settle();
        let is_overtaken = || {
            let words = answer.words.as_deref().unwrap_or_default();
            answer.status == 400 && words.contains("did not match the current version")
        };
        if answer.is_success() {
            Ok(Outcome::Done)
        } else if is_overtaken() {
            Ok(Outcome::Overtaken)
        } else {
            Err(self.failure(&answer))
        }
    }
}

impl Server for Vault {
    fn shown(&self) -> &str {
        &self.shown
    }

    fn names(&self) -> Result<Vec<SetName>> {
        let request = self
            .request(Method::GET, "metadata", Some(""))?
            .query("list", "true");
        let answer = self.client.send(&request)?;
        if answer.status == 404 && is_missing(&answer) {
            return Ok(Vec::new());
        }
        if !answer.is_success() {
            return Err(self.failure(&answer));
        }
        let listed = answer.json::<Secrets<Listing>>()?.data.keys;
        let listed: Vec<_> = listed
            .iter()
            .filter_map(|name| SetName::new(name).ok())
            .collect();
        if listed.len() > MOST_SETS {
            return Err(too_many(&self.shown));
        }
        // A deleted set is still listed, so each one is read.
        let read_together = |names: &[SetName]| self.read_together(names);
        self.ahead
            .existing(&listed, read_together, |item| self.read(item))
    }

    fn read(&self, item: Item) -> Result<Found> {
        if let Some(found) = self.ahead.take(item) {
            return Ok(found);
        }
        let (name, _) = place(item);
        let request = self.request(Method::GET, "data", Some(&name))?;
        self.found(item, &self.client.send(&request)?)
    }

    fn write(&self, item: Item, text: &Secret<String>, version: &Version) -> Result<Outcome> {
        self.put(item, Some(text), version)
    }

    /// The call of the API that deletes a secret has no condition. A write can have one, so the field is
    /// removed, and a secret without it is no set.
    fn delete(&self, item: Item, version: &Version) -> Result<Outcome> {
        self.put(item, None, version)
    }

    fn earlier_versions(&self, name: &SetName) -> Option<String> {
        let path = self.path.join("/");
        Some(format!(
            "Vault keeps earlier versions of the secret, which stay readable; run `vault kv get {path}/{name}` for the number of the present version, and `vault kv destroy -versions=N,… {path}/{name}` for earlier ones"
        ))
    }
}

/// Returns the name of the secret of an item, and the field with its text.
fn place(item: Item) -> (String, &'static str) {
    match item {
        Item::Set(name) => (name.to_string(), SET),
        // No set has such a name, because names never begin with a dot.
        Item::Schedules => (".schedules".to_owned(), SCHEDULES),
        Item::Deliveries(name) => (format!(".deliveries.{name}"), DELIVERIES),
    }
}

/// Returns the token, from where the service's own tools take it.
fn token(options: &Options) -> Result<Secret<String>> {
    if let Some(token) = token_in(&["VAULT_TOKEN", "BAO_TOKEN"])? {
        return Ok(token);
    }
    if let Some(named) = variable(&[STORE_TOKEN_FILE]) {
        return token_of(Path::new(&named), options);
    }
    match home_directory().map(|home| home.join(".vault-token")) {
        Some(file) if file.exists() => token_of(&file, options),
        _ => Err(Error::denied("no token for Vault").hint(
            "set VAULT_TOKEN or JWKS_STORE_TOKEN_FILE, or run `vault login`, which writes ~/.vault-token",
        )),
    }
}

fn parse_server(address: &str) -> Result<Url> {
    let url = Url::parse(address).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    // The address can contain a password, so the message does not repeat it.
    let mut url = url.ok_or_else(|| {
        Error::usage("VAULT_ADDR is not an address")
            .hint("use an address such as https://vault.example:8200")
    })?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}
