//! The tables that the manual pages share: exit codes, files, environment variables, references.

/// The exit codes.
pub(super) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "Success, even if there was nothing to do."),
    ("1", "The file system or the cryptography failed."),
    ("2", "The command line is wrong."),
    ("3", "A set, key, file or remote was not found."),
    (
        "4",
        "Refused: it exists already, conflicts, needs a confirmation, or the lock is held.",
    ),
    (
        "5",
        "The input is invalid, keys fail a check, or a token is refused.",
    ),
    (
        "6",
        "The network or a server failed, or the answer was unexpected.",
    ),
    (
        "7",
        "Denied: a token, password or passphrase is missing or was refused.",
    ),
    (
        "8",
        "A difference (diff --exit-code), a rotation is due (rotate --dry-run --exit-code), or a set has a \
         problem (status).",
    ),
    ("130", "Interrupted."),
];

/// Where jwks keeps its files.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "~/.local/share/jwks/SET.json",
        "A set that is not encrypted: a JWK Set, mode 0600, in a directory of mode 0700. This is the \
         place on Linux. On macOS it is ~/Library/Application Support/jwks, on Windows \
         %APPDATA%\\jwks\\data.",
    ),
    (
        "~/.local/share/jwks/SET.jwe",
        "An encrypted set: a JWE in compact serialization, with the public keys in its protected \
         header.",
    ),
    (
        "~/.local/share/jwks/.lock",
        "The lock of the keystore. The file is never removed. The kernel releases the lock when its \
         holder ends.",
    ),
    (
        "~/.local/share/jwks/.schedules.json",
        "The schedules that rotate --save stores, by set.",
    ),
    (
        "~/.local/share/jwks/.log",
        "The log, mode 0600: a line of JSON for each key that was changed, sent, or printed or exported \
         with its private part. It holds no secrets. Only jwks log and jwks undo read it.",
    ),
    (
        "~/.local/share/jwks/.history/SET",
        "The earlier versions of a set, mode 0600: a file for each change, deleted after --keep-history. \
         jwks log, undo, restore and forget read them.",
    ),
    (
        "~/.config/jwks/remotes.json",
        "The remotes: the address of each server, and where its token comes from, but never the token. \
         On macOS the directory is ~/Library/Preferences/jwks, on Windows %APPDATA%\\jwks\\config.",
    ),
];

/// The environment variables that jwks reads.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "JWKS_STORE",
        "The keystore, like --store: a directory, or a store on a server.",
    ),
    (
        "JWKS_STORE_TOKEN_FILE, JWKS_STORE_CACERT",
        "For a keystore on a server: the file with the token, which is read again for each call, and the \
         PEM file with the only certificate authorities to trust.",
    ),
    (
        "JWKS_ALLOW_PLAINTEXT",
        "Lets object storage have private keys without encryption, like --allow-plaintext. 0, no and false turn \
         it off.",
    ),
    (
        "VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT, BAO_ADDR, BAO_TOKEN, BAO_NAMESPACE, BAO_CACERT",
        "For a keystore in Vault or OpenBao, as their own tools read them.",
    ),
    (
        "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT",
        "For Kubernetes, the API server. Each pod has them.",
    ),
    (
        "KUBECONFIG",
        "For Kubernetes outside of a pod, the files of the kubeconfig. By default, it is ~/.kube/config.",
    ),
    (
        "JWKS_PASSPHRASE_FILE, JWKS_PASSPHRASE",
        "The file with the passphrase of encrypted sets, or the passphrase itself. They apply if \
         neither --passphrase-file nor --passphrase-command is given. Other processes of the same user \
         can see a passphrase in the environment.",
    ),
    (
        "JWKS_KEEP_HISTORY",
        "How long to keep the earlier versions of sets, as --keep-history; 0 for no history.",
    ),
    (
        "JWKS_REQUIRE_ENCRYPTED",
        "Refuses sets that are not encrypted, like --require-encrypted. 0, no and false turn it off.",
    ),
    (
        "CLERK_SECRET_KEY, CLERK_BEARER_AUTH, AUTHLETE_BEARER, ORY_ACCESS_TOKEN",
        "The token for a remote of that service, if the remote has no token source of its own.",
    ),
    (
        "ORY_SDK_URL",
        "The address for remotes of kind hydra, hydra-v1 and ory that have none.",
    ),
    (
        "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy for http and https addresses, and the hosts that need none. The names in lower \
         case work, too. Connections to this machine never use a proxy.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The trusted certificate authorities, on Linux.",
    ),
    (
        "NO_COLOR",
        "If it is set and not empty, there are no colors, unless --color always.",
    ),
];

/// The commands to read about next, by command.
pub(super) const RELATED: &[(&str, &[&str])] = &[
    ("create", &["list", "rotate", "set"]),
    ("list", &["get", "log", "check"]),
    ("get", &["export", "list"]),
    ("set", &["check", "create", "pull"]),
    ("delete", &["list", "rotate"]),
    ("export", &["get", "push"]),
    ("rotate", &["advise", "list", "push", "status"]),
    ("advise", &["check", "rotate"]),
    ("status", &["list", "rotate"]),
    ("check", &["list", "thumbprint"]),
    ("thumbprint", &["check", "list"]),
    ("sign", &["list", "rotate", "verify"]),
    ("verify", &["check", "list", "sign"]),
    ("push", &["diff", "pull", "remote"]),
    ("pull", &["diff", "push", "remote"]),
    ("diff", &["pull", "push"]),
    ("passwd", &["create", "list"]),
    ("log", &["list", "undo"]),
    ("undo", &["log", "restore", "forget"]),
    ("restore", &["log", "undo", "forget"]),
    ("forget", &["log", "delete", "undo"]),
    ("remote", &["pull", "push"]),
    ("completion", &["man"]),
    ("man", &["completion"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::NAMES;
    use crate::remote::kind::KINDS;
    use std::collections::BTreeSet;

    #[test]
    fn every_variable_is_documented_and_no_other() {
        // The libraries for proxies and TLS read these variables, not jwks.
        let stores = "KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT";
        let vault = ["ADDR", "TOKEN", "NAMESPACE", "CACERT"];
        let vault = vault.map(|name| [format!("VAULT_{name}"), format!("BAO_{name}")]);
        let libraries = "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR";
        let tokens = KINDS.iter().flat_map(|kind| kind.token_variables);
        let read = NAMES.iter().chain(tokens).copied();
        let read = read.chain(vault.iter().flatten().map(String::as_str));
        let read = read.chain(stores.split(' '));
        let read: BTreeSet<_> = read.chain(libraries.split(' ')).collect();
        let documented = ENVIRONMENT.iter().flat_map(|(names, _)| names.split(", "));
        assert_eq!(documented.collect::<BTreeSet<_>>(), read);
    }
}
