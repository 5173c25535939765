//! What takes several steps: certificates, changes of mind, checks, completion, deliveries, encryption, examples, kills, faults, histories, hooks, layouts, locks, losses, other tools, permissions,
//! pipelines, publication, repair, rotation, signers, streams, terminals, timelines, tokens, verifiers, waits, damage, the log; and everything with a server, in a folder of its own.

#[path = "flows/advise.rs"]
mod advise;
#[path = "flows/certificates.rs"]
mod certificates;
#[path = "flows/changes_of_mind.rs"]
mod changes_of_mind;
#[path = "flows/checks.rs"]
mod checks;
#[path = "flows/completion.rs"]
mod completion;
#[path = "flows/crash.rs"]
mod crash;
#[path = "flows/damage.rs"]
mod damage;
#[path = "flows/deliveries.rs"]
mod deliveries;
#[path = "flows/deliveries_held.rs"]
mod deliveries_held;
#[path = "flows/encryption/mod.rs"]
mod encryption;
#[path = "flows/examples.rs"]
mod examples;
#[path = "flows/export.rs"]
mod export;
#[path = "flows/faults.rs"]
mod faults;
#[path = "flows/frugal.rs"]
mod frugal;
#[path = "flows/help.rs"]
mod help;
#[path = "flows/history.rs"]
mod history;
#[path = "flows/history_damage.rs"]
mod history_damage;
#[path = "flows/history_faults.rs"]
mod history_faults;
#[path = "flows/history_kills.rs"]
mod history_kills;
#[path = "flows/hooks.rs"]
mod hooks;
#[path = "flows/hygiene.rs"]
mod hygiene;
#[path = "flows/interop.rs"]
mod interop;
#[path = "flows/interop_deployment.rs"]
mod interop_deployment;
#[path = "flows/interop_password.rs"]
mod interop_password;
#[path = "flows/kid_sources.rs"]
mod kid_sources;
#[path = "flows/kids.rs"]
mod kids;
#[path = "flows/layouts.rs"]
mod layouts;
#[path = "flows/locking.rs"]
mod locking;
#[path = "flows/log.rs"]
mod log;
#[path = "flows/losses.rs"]
mod losses;
#[path = "flows/meant.rs"]
mod meant;
#[path = "flows/owners.rs"]
mod owners;
#[path = "flows/permissions.rs"]
mod permissions;
#[path = "flows/pipelines.rs"]
mod pipelines;
#[path = "flows/publication.rs"]
mod publication;
#[path = "flows/repair.rs"]
mod repair;
#[path = "flows/rotation.rs"]
mod rotation;
#[path = "flows/rotation_faults.rs"]
mod rotation_faults;
#[path = "flows/rotation_schedules.rs"]
mod rotation_schedules;
#[path = "support/servers/mod.rs"]
mod servers;
#[path = "flows/shells.rs"]
mod shells;
#[path = "flows/side_files.rs"]
mod side_files;
#[path = "flows/signals.rs"]
mod signals;
#[path = "flows/signers.rs"]
mod signers;
#[path = "flows/status.rs"]
mod status;
#[path = "flows/streams.rs"]
mod streams;
#[path = "support/mod.rs"]
mod support;
#[path = "flows/terminal.rs"]
mod terminal;
#[path = "flows/timeline.rs"]
mod timeline;
#[path = "flows/tokens.rs"]
mod tokens;
#[path = "flows/tokens_interop.rs"]
mod tokens_interop;
#[path = "flows/tokens_online.rs"]
mod tokens_online;
#[path = "flows/verifiers.rs"]
mod verifiers;
#[path = "flows/waiting.rs"]
mod waiting;

// Files of all kinds.
#[path = "flows/sources/ber.rs"]
mod ber;
#[path = "flows/sources/broken_members.rs"]
mod broken_members;
#[path = "flows/sources/bundles.rs"]
mod bundles;
#[path = "flows/sources/halves.rs"]
mod halves;
#[path = "flows/sources/hostile.rs"]
mod hostile_files;
#[path = "flows/sources/keystores.rs"]
mod keystores;
#[path = "flows/sources/manifests.rs"]
mod manifests;
#[path = "flows/sources/mixed.rs"]
mod mixed;
#[path = "flows/sources/openssh.rs"]
mod openssh;
#[path = "flows/sources/passwords.rs"]
mod passwords;
#[path = "flows/sources/targets.rs"]
mod targets;

// Servers.
#[path = "flows/remote/addresses.rs"]
mod addresses;
#[path = "flows/remote/apinizer.rs"]
mod apinizer;
#[path = "flows/remote/authlete.rs"]
mod authlete;
#[cfg(unix)]
#[path = "flows/remote/azure_blob.rs"]
mod azure_blob;
#[path = "flows/remote/canary.rs"]
mod canary;
#[path = "flows/remote/canary_interrupt.rs"]
mod canary_interrupt;
#[path = "flows/remote/clerk.rs"]
mod clerk;
#[path = "flows/remote/discovery.rs"]
mod discovery;
#[cfg(unix)]
#[path = "flows/remote/gcs.rs"]
mod gcs;
#[path = "flows/remote/http_put.rs"]
mod http_put;
#[cfg(unix)]
#[path = "flows/remote/http_put_servers.rs"]
mod http_put_servers;
#[path = "flows/remote/hydra.rs"]
mod hydra;
#[path = "flows/remote/hydra_faults.rs"]
mod hydra_faults;
#[path = "flows/remote/hydra_place.rs"]
mod hydra_place;
#[path = "flows/remote/hydra_server.rs"]
mod hydra_server;
#[path = "flows/remote/hydra_signer.rs"]
mod hydra_signer;
#[path = "flows/remote/hydra_together.rs"]
mod hydra_together;
#[path = "flows/remote/hydra_v1.rs"]
mod hydra_v1;
#[path = "flows/remote/hydra_version.rs"]
mod hydra_version;
#[path = "flows/remote/hydra_year.rs"]
mod hydra_year;
#[cfg(unix)]
#[path = "flows/remote/kubeconfig.rs"]
mod kubeconfig;
#[path = "flows/remote/kubernetes.rs"]
mod kubernetes;
#[path = "flows/remote/ory.rs"]
mod ory;
#[path = "flows/remote/peer.rs"]
mod peer;
#[path = "flows/remote/presigned.rs"]
mod presigned;
#[path = "flows/remote/remotes.rs"]
mod remotes;
#[path = "flows/remote/remotes_file.rs"]
mod remotes_file;
#[path = "flows/remote/remotes_tokens.rs"]
mod remotes_tokens;
#[path = "flows/remote/rotate_authlete.rs"]
mod rotate_authlete;
#[path = "flows/remote/rotate_hydra.rs"]
mod rotate_hydra;
#[path = "flows/remote/rotate_other.rs"]
mod rotate_other;
#[path = "flows/remote/s3.rs"]
mod s3;
#[cfg(unix)]
#[path = "flows/remote/s3_servers.rs"]
mod s3_servers;
#[path = "flows/remote/service_accounts.rs"]
mod service_accounts;
#[path = "flows/remote/transfer.rs"]
mod transfer;
#[path = "flows/remote/transfer_back.rs"]
mod transfer_back;
#[path = "flows/remote/transfer_diff.rs"]
mod transfer_diff;
#[path = "flows/remote/transfer_export.rs"]
mod transfer_export;
#[path = "flows/remote/trust.rs"]
mod trust;
#[path = "flows/remote/wire.rs"]
mod wire;
#[path = "flows/remote/wire_certificates.rs"]
mod wire_certificates;
#[path = "flows/remote/wire_hostile.rs"]
mod wire_hostile;
#[path = "flows/remote/wire_proxies.rs"]
mod wire_proxies;
#[path = "flows/remote/wire_redirects.rs"]
mod wire_redirects;
