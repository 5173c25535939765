//! The server of a client.

use crate::remote::http::request::{Retries, Traffic};
use crate::remote::http::tls::Trust;
use crate::secret::Secret;
use url::Url;

/// The properties of a server that a client needs.
#[derive(Debug)]
pub struct Endpoint {
    /// The remote's name, for messages.
    pub name: String,
    /// The base address.
    pub base: Url,
    /// The privacy of the address.
    pub privacy: Privacy,
    /// Headers for each call. Their values can be secret.
    pub headers: Vec<(String, Secret<String>)>,
    /// What its calls carry: private keys or only public data.
    pub traffic: Traffic,
    /// Which calls are repeated.
    pub retries: Retries,
    /// The certificates.
    pub trust: Trust,
}

/// The privacy of a server's address in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// The address can be shown.
    Shown,
    /// The address is a secret, because it gives access by itself.
    Secret,
}
