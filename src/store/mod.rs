//! Keystores on servers: HashiCorp Vault or OpenBao, Kubernetes, and object storage that speaks the protocol of S3.
//!
//! A kind of store implements [`Server`] with the conditional writes of its API. The rules for calls, such as
//! time limits, redirects and retries, are those of [`crate::remote::http`].

mod address;
mod ahead;
mod credentials;
mod failure;
mod kubernetes;
mod s3;
mod unopened;
mod vault;

pub use address::Address;

use crate::error::Error;
use crate::keystore::medium::Server;
use crate::remote::http::{Advice, Answer, Options, Retries, Unanswered, Verdict};
use unopened::Unopened;

/// The maximum number of sets of a store on a server.
const MOST_SETS: usize = 10_000;

/// The maximum number of answers that list the sets of a store. A server could go on forever.
const MOST_PAGES: usize = 1000;

/// The most bytes of sets that are kept in memory after they are listed, until they are read.
const MOST_AHEAD: usize = 64 << 20;

/// The number of reads that fail before the others are not tried. A server can take the whole time limit for each.
const MOST_FAILURES: u32 = 4;

/// Which failures are retried. A write that can have been carried out is never repeated, because the keystore
/// first reads what the server has.
const RETRIES: Retries = Retries {
    tries: 4,
    statuses: &[412, 502, 503, 504],
    unanswered: Unanswered::Look,
    judge: |answer: &Answer| match answer.status {
        // The server did not carry out the call.
        429 => Verdict::ByStatus,
        _ if answer.call.starts_with("GET ") => Verdict::ByStatus,
        _ => Verdict::Final,
    },
};

/// How the user can change the connection to a store. Its time limits are fixed.
pub static ADVICE: Advice = Advice {
    connect_timeout: "check the address and the network",
    timeout: "run the command again later",
    authority: "set JWKS_STORE_CACERT to a file with the authority that signed the server's certificate",
    certificate: "the server can require a client certificate, which only a kubeconfig can have",
    plain_http: "use an https address",
};

/// Returns the error for a store with more sets than jwks lists.
fn too_many(store: &str) -> Error {
    Error::refused(format!(
        "{store} has more than {MOST_SETS} sets, or its list of sets does not end"
    ))
}

/// Returns the store at an address. Its first call opens it, and fails if the address or the environment lacks what
/// the kind needs.
///
/// If `allow_plaintext` is true, object storage can have private keys without encryption.
pub fn at(address: Address, options: Options, allow_plaintext: bool) -> Box<dyn Server> {
    Box::new(Unopened::new(address, options, allow_plaintext))
}
