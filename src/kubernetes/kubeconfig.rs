//! The kubeconfig: the files of `kubectl` with clusters, users and contexts.
//!
//! `KUBECONFIG` is a list of files. The first file with a value wins, as in `kubectl`. A setting that jwks does not
//! honor is an error, because ignoring it could call another server, or call as another user.

mod document;

use crate::credential::Pem;
use crate::environment::{self, KUBECONFIG};
use crate::error::{Error, Result};
use crate::files::kept::{self, Links};
use crate::files::ownership;
use crate::kubernetes::plugin::{Plugin, VERSIONS};
use crate::kubernetes::user::{TokenSource, User};
use crate::kubernetes::{Cluster, DEFAULT_NAMESPACE, Namespace, Warn};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use document::{ClusterEntry, Document, ExecEntry, Named, Text, UserEntry};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The largest file, in bytes.
const LIMIT: u64 = 1 << 20;

/// The name of the extension with the settings of a plugin for a cluster.
const EXEC_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// A file of the kubeconfig.
struct Source {
    path: PathBuf,
    document: Document,
}

/// An entry, and the file in which it stands.
struct Found<'a, T> {
    name: &'a str,
    entry: &'a T,
    path: &'a Path,
}

/// Returns the cluster of the current context; `None` if there is no kubeconfig, or an empty one. Returns an error
/// if a file or the context cannot be used.
pub(super) fn cluster(warn: Warn) -> Result<Option<Cluster>> {
    let sources = read_all(&files(), warn)?;
    if sources.iter().all(|source| source.document.is_empty()) {
        return Ok(None);
    }
    let paths: Vec<_> = sources
        .iter()
        .map(|it| it.path.display().to_string())
        .collect();
    let paths = paths.join(", ");
    let current = sources.iter().find_map(|source| {
        let name = source.document.current_context.as_deref();
        name.filter(|name| !name.is_empty())
    });
    let current = current.ok_or_else(|| {
        Error::usage(format!("{paths}: there is no current context"))
            .hint("run `kubectl config use-context NAME`")
    })?;
    let missing = |what: &str, name: &str| {
        Error::usage(format!("{paths}: there is no {what} {name:?}"))
            .hint("run `kubectl config get-contexts` to see the contexts")
    };
    let context = find(&sources, current, |it| it.contexts.as_deref());
    let context = context.ok_or_else(|| missing("context", current))?;
    let name = context.entry.cluster.as_deref().unwrap_or_default();
    let cluster = find(&sources, name, |it| it.clusters.as_deref());
    let cluster = cluster.ok_or_else(|| missing("cluster", name))?;
    let authority = cluster.authority()?;
    let user = match context.entry.user.as_deref() {
        None | Some("") => User::default(),
        Some(name) => {
            let user = find(&sources, name, |it| it.users.as_deref());
            user.ok_or_else(|| missing("user", name))?.user(&cluster)?
        }
    };
    let namespace = context
        .entry
        .namespace
        .as_deref()
        .filter(|name| !name.is_empty());
    Ok(Some(Cluster {
        server: cluster.server()?.to_owned(),
        authority,
        source: format!("the context {current:?} of {}", context.path.display()),
        namespace: Namespace::Name(namespace.unwrap_or(DEFAULT_NAMESPACE).to_owned()),
        user,
    }))
}

/// Returns the files of the kubeconfig, which need not exist.
fn files() -> Vec<PathBuf> {
    match environment::value(KUBECONFIG) {
        Some(list) => std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => environment::home_directory()
            .map(|home| home.join(".kube").join("config"))
            .into_iter()
            .collect(),
    }
}

fn read_all(files: &[PathBuf], warn: Warn) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in files {
        let Some(kept) = kept::read(path, Links::All, LIMIT)? else {
            continue;
        };
        let shown = path.display();
        if kept.is_open {
            warn(&format!(
                "{shown} holds credentials and other users have access to it: run `chmod 600 {shown}`"
            ));
        }
        let octets = Secret::new(kept.octets);
        let document = document::read(&octets).map_err(|error| error.about(shown))?;
        sources.push(Source {
            path: path.clone(),
            document,
        });
    }
    Ok(sources)
}

/// Returns the first entry with a name.
fn find<'a, T: 'a>(
    sources: &'a [Source],
    name: &str,
    list: impl Fn(&'a Document) -> Option<&'a [Named<T>]>,
) -> Option<Found<'a, T>> {
    sources.iter().find_map(|source| {
        let entries = list(&source.document).unwrap_or_default();
        let named = entries.iter().find(|named| &*named.name == name)?;
        Some(Found {
            name: &named.name,
            entry: &named.entry,
            path: &source.path,
        })
    })
}

impl<T> Found<'_, T> {
    /// Returns an error about this entry.
    fn error(&self, what: &str, error: fn(String) -> Error) -> Error {
        error(format!("{}: {:?} {what}", self.path.display(), self.name))
    }

    /// Returns the path of a file. A relative one is relative to the kubeconfig.
    fn file(&self, path: &str) -> PathBuf {
        let directory = self.path.parent().filter(|it| !it.as_os_str().is_empty());
        // A file named `-` is not standard input.
        directory.unwrap_or(Path::new(".")).join(path)
    }

    /// Returns PEM from the kubeconfig itself, or else from a file.
    fn pem(&self, data: Option<&str>, file: Option<&str>, member: &str) -> Result<Option<Pem>> {
        let given = |text: &&str| !text.is_empty();
        let Some(data) = data.filter(given) else {
            return Ok(file.filter(given).map(|file| Pem::File(self.file(file))));
        };
        let compact: String = data.split_ascii_whitespace().collect();
        let compact = Secret::new(compact);
        let octets = STANDARD.decode(compact.expose()).map_err(|_| {
            self.error(
                &format!("has a {member}-data that is not base64"),
                Error::invalid,
            )
        })?;
        let source = format!(
            "the {member}-data of {:?} in {}",
            self.name,
            self.path.display()
        );
        Ok(Some(Pem::Text(Rc::new(Secret::new(octets)), source)))
    }
}

impl Found<'_, ClusterEntry> {
    /// Returns the address of the API server. Returns an error for settings that jwks does not honor.
    fn server(&self) -> Result<&str> {
        let entry = self.entry;
        let server = entry.server.as_deref().unwrap_or_default();
        if server.is_empty() {
            return Err(self.error("names no server", Error::invalid));
        }
        if entry.insecure_skip_tls_verify == Some(true) {
            return Err(self
                .error(
                    "has insecure-skip-tls-verify, but certificates are always verified",
                    Error::refused,
                )
                .hint("set certificate-authority to the authority of the server instead"));
        }
        // The name in the certificate is always that of the address.
        if entry
            .tls_server_name
            .as_deref()
            .is_some_and(|name| !name.is_empty())
        {
            return Err(self
                .error(
                    "has tls-server-name, which jwks does not support",
                    Error::refused,
                )
                .hint("use an address that is in the certificate of the server"));
        }
        if entry
            .proxy_url
            .as_deref()
            .is_some_and(|url| !url.is_empty())
        {
            return Err(self
                .error("has proxy-url, which jwks does not support", Error::refused)
                .hint("name the proxy in HTTPS_PROXY instead"));
        }
        Ok(server)
    }

    fn authority(&self) -> Result<Option<Pem>> {
        let entry = self.entry;
        self.pem(
            entry.certificate_authority_data.as_deref(),
            entry.certificate_authority.as_deref(),
            "certificate-authority",
        )
    }

    /// Returns the cluster as a plugin gets it.
    fn described(&self) -> Result<Value> {
        let mut described = json!({ "server": self.server()? });
        if let Some(authority) = self.authority()? {
            let pem = authority.read()?;
            described["certificate-authority-data"] = STANDARD.encode(pem.expose()).into();
        }
        let extensions = self.entry.extensions.iter().flatten();
        let mut extensions = extensions.filter(|extension| extension["name"] == EXEC_EXTENSION);
        if let Some(extension) = extensions.next() {
            described["config"] = extension["extension"].clone();
        }
        Ok(described)
    }
}

impl Found<'_, UserEntry> {
    fn user(&self, cluster: &Found<ClusterEntry>) -> Result<User> {
        let entry = self.entry;
        let given = |text: &Option<Text>| text.as_deref().is_some_and(|text| !text.is_empty());
        if given(&entry.username) || given(&entry.password) {
            return Err(self
                .error(
                    "has a user name and a password, which API servers do not accept any more",
                    Error::refused,
                )
                .hint("use a token, a client certificate or an exec plugin"));
        }
        if entry.auth_provider.is_some() {
            return Err(self
                .error(
                    "has an auth-provider, which kubectl does not support any more",
                    Error::refused,
                )
                .hint("use an exec plugin instead"));
        }
        let acts_as = given(&entry.act_as) || given(&entry.as_uid);
        if acts_as || entry.as_groups.is_some() || entry.as_user_extra.is_some() {
            return Err(self
                .error(
                    "acts as another user, which jwks does not support",
                    Error::refused,
                )
                .hint("use a context without as"));
        }
        let source = format!("{:?} in {}", self.name, self.path.display());
        let token = match (entry.token_file.as_deref(), entry.token.as_deref()) {
            (Some(file), _) if !file.is_empty() => Some(TokenSource::File(self.file(file))),
            (_, Some(token)) if !token.is_empty() => {
                Some(TokenSource::Text(Secret::new(token.to_owned()), source))
            }
            _ => None,
        };
        let certificate = self.pem(
            entry.client_certificate_data.as_deref(),
            entry.client_certificate.as_deref(),
            "client-certificate",
        )?;
        let key = self.pem(
            entry.client_key_data.as_deref(),
            entry.client_key.as_deref(),
            "client-key",
        )?;
        let certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                return Err(self.error(
                    "has only one of client-certificate and client-key",
                    Error::invalid,
                ));
            }
        };
        let plugin = entry.exec.as_ref();
        let plugin = plugin.map(|exec| self.plugin(exec, cluster)).transpose()?;
        Ok(User {
            token,
            certificate,
            plugin,
        })
    }

    /// Refuses to run a program if other users can change a file that decides what runs.
    fn refuse_shared(&self, file: &Path) -> Result<()> {
        let Some(fault) = ownership::fault_of_file(file) else {
            return Ok(());
        };
        let path = fault.path().display();
        Err(self
            .error(
                &format!("runs a program, and other users can change {path}"),
                Error::refused,
            )
            .hint(format!("run `chmod go-w {path}`, or check who owns it")))
    }

    fn plugin(&self, exec: &ExecEntry, cluster: &Found<ClusterEntry>) -> Result<Plugin> {
        self.refuse_shared(self.path)?;
        let version = exec.api_version.as_deref().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            return Err(self
                .error(
                    &format!("has exec of an unknown apiVersion {version:?}"),
                    Error::invalid,
                )
                .hint(format!("jwks knows {}", VERSIONS.join(" and "))));
        }
        let command = exec.command.as_deref().unwrap_or_default();
        if command.is_empty() {
            return Err(self.error("has exec without a command", Error::invalid));
        }
        if exec.interactive_mode.as_deref() == Some("Always") {
            return Err(self
                .error(
                    "has exec with interactiveMode Always, but jwks passes no input on",
                    Error::refused,
                )
                .hint("use --token-command, or another context"));
        }
        let program = if command.contains(std::path::is_separator) {
            // Otherwise, the program would depend on the working directory.
            let program = std::path::absolute(self.file(command));
            let failed = |cause| Error::failed(format!("cannot find {command}")).cause(cause);
            let program = program.map_err(failed)?;
            self.refuse_shared(&program)?;
            program.into()
        } else {
            command.into()
        };
        let variables = exec.env.iter().flatten().map(|variable| {
            let value = variable.value.as_deref().unwrap_or_default();
            (variable.name.to_string(), value.to_owned())
        });
        let arguments = exec.args.iter().flatten().map(|text| text.to_string());
        let wants_cluster = exec.provide_cluster_info == Some(true);
        Ok(Plugin {
            version: version.to_owned(),
            program,
            arguments: arguments.collect(),
            variables: variables.collect(),
            cluster: wants_cluster.then(|| cluster.described()).transpose()?,
            install_hint: exec.install_hint.as_deref().map(str::to_owned),
            printed: RefCell::default(),
        })
    }
}
