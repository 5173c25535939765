//! Calls to the API server of a Kubernetes cluster. The cluster and the identity of the caller are found at the first
//! call, unless the client has the address already.

use crate::credential;
use crate::error::Result;
use crate::kubernetes::{Cluster, PURPOSE};
use crate::remote::http::{Answer, Client, Event, Request, Trust, parse};
use crate::remote::location::parse_address;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;
use std::cell::OnceCell;
use std::path::PathBuf;

/// The label of the objects that jwks creates.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY`], and the manager of the fields of these objects.
pub const MANAGER: &str = "jwks";

/// The label of the sets of a keystore, whose value is the prefix of the keystore. Without it, the keystore `a` would
/// take the set `c` of the keystore `a-b` for its own set `b-c`.
pub const KEYSTORE: &str = "jwks/keystore";

/// The longest part of a text that is hidden by itself, in characters.
const PIECE: usize = 12;

/// How a call gets its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The user of the cluster that is found has one; without such a cluster, calls have none.
    Found,
    /// The client sends one already.
    Client,
    /// It stands in this file, which is read again for each call.
    File(PathBuf),
}

/// The API server of a cluster.
pub struct Api {
    client: Client,
    caller: Caller,
    /// True if the address of the client is that of the API server.
    is_given: bool,
    cluster: OnceCell<Cluster>,
}

impl Api {
    /// Returns the API server at the address of the client.
    pub fn at(client: Client, caller: Caller) -> Api {
        Api {
            client,
            caller,
            is_given: true,
            cluster: OnceCell::new(),
        }
    }

    /// Returns the API server of the pod or of the kubeconfig, whatever the address of the client.
    pub fn sought(client: Client, caller: Caller) -> Api {
        Api {
            is_given: false,
            ..Api::at(client, caller)
        }
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Makes a call. Returns an error if there is no cluster, no usable token, or no answer.
    pub fn send(&self, request: &Request) -> Result<Answer> {
        let cluster = self.cluster()?;
        let token = match (&self.caller, cluster) {
            (Caller::Found, Some(cluster)) => cluster.token()?,
            (Caller::File(file), _) => Some(credential::token_of(file, PURPOSE)?.0),
            (Caller::Found, None) | (Caller::Client, _) => None,
        };
        if let Some(token) = token {
            self.client.authorize("Bearer", &token);
        }
        self.client.send(request)
    }

    /// Returns the namespace of the pod or of the context of the kubeconfig; `None` if the address was given.
    pub fn namespace(&self) -> Result<Option<String>> {
        self.cluster()?.map(Cluster::namespace).transpose()
    }

    /// Returns the origin of the identity, if it is that of a user of the cluster, and once the cluster was found.
    pub fn identity(&self) -> Option<&str> {
        let cluster = self.cluster.get().filter(|_| self.caller == Caller::Found);
        cluster.map(|cluster| &*cluster.source)
    }

    /// Hides a text in messages, in the form in which it is sent. A server that repeats a part of the text does not
    /// repeat the whole.
    pub fn hide(&self, encoded: &str) {
        let pieces = encoded.as_bytes().chunks(PIECE);
        for piece in pieces.filter_map(|piece| std::str::from_utf8(piece).ok()) {
            self.client.hide(piece);
        }
    }

    /// Returns the cluster, which the first call finds; `None` if the address was given.
    fn cluster(&self) -> Result<Option<&Cluster>> {
        if self.is_given || self.cluster.get().is_some() {
            return Ok(self.cluster.get());
        }
        let notify = &self.client.options().notify;
        let has_token = self.caller != Caller::Found;
        let cluster = Cluster::find(has_token, &|text| notify(Event::Warning(text)))?;
        let base = parse_address(&cluster.server).map_err(|error| error.about(&cluster.source))?;
        let mut trust = Trust {
            cacert: cluster.authority.clone(),
            ..Trust::default()
        };
        // With a token of its own, the caller is not the user of the cluster.
        if !has_token && let Some((cert, key)) = cluster.certificate()? {
            (trust.cert, trust.key) = (Some(cert), Some(key));
        }
        self.client.lead_to(base, trust);
        Ok(Some(self.cluster.get_or_init(|| cluster)))
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Reads a resourceVersion. An empty one would be no condition of a write.
pub fn resource_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let version = String::deserialize(deserializer)?;
    if version.is_empty() {
        return Err(D::Error::custom("an empty resourceVersion"));
    }
    Ok(version)
}

/// Returns true for the answer about an object that does not exist. Other servers have other words for an address
/// that does not exist.
pub fn is_missing(answer: &Answer) -> bool {
    let status = parse::<Value>(answer.body.expose());
    let is_status = |it: Value| it["kind"] == "Status" && it["reason"] == "NotFound";
    answer.status == 404 && status.is_some_and(is_status)
}
