//! The cluster of the pod in which the program runs, and the service account of that pod.

use crate::credential::Pem;
use crate::environment;
use crate::kubernetes::user::{TokenSource, User};
use crate::kubernetes::{Cluster, Namespace};
use std::path::Path;

/// The directory with the files of the service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Returns the cluster of the pod. Returns `None` outside of a pod, and in a pod whose service account has no token,
/// unless the caller has a token of its own.
pub(super) fn cluster(has_token: bool) -> Option<Cluster> {
    let account = Path::new(ACCOUNT);
    let token = account.join("token");
    let host = environment::value("KUBERNETES_SERVICE_HOST")?;
    if !has_token && !token.exists() {
        return None;
    }
    let port = environment::value("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".into());
    Some(Cluster {
        server: address(&host, &port),
        authority: Some(Pem::File(account.join("ca.crt"))),
        source: "the service account of the pod".into(),
        namespace: Namespace::File(account.join("namespace")),
        user: User {
            token: Some(TokenSource::File(token)),
            ..User::default()
        },
    })
}

/// Returns true if a file is one of the service account. Other users of the pod can read these.
pub fn is_of_account(file: &Path) -> bool {
    file.starts_with(ACCOUNT)
}

fn address(host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("https://[{host}]:{port}/")
    } else {
        format!("https://{host}:{port}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_has_brackets() {
        assert_eq!(address("10.0.0.1", "443"), "https://10.0.0.1:443/");
        assert_eq!(address("fd00::1", "6443"), "https://[fd00::1]:6443/");
    }
}
