//! The problems of a set that need a person.

use serde::Serialize;

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The set, its schedule or its record of deliveries cannot be read.
    Unreadable,
    /// A rotation is due, and `rotate` has not run.
    Overdue,
    /// No key of a line signs.
    NoSigner,
    /// A key waits for its publication for too long.
    Held,
    /// Keys that have expired are still in the set.
    Expired,
    /// A file or server did not get the set.
    Target,
    /// A hook has not run since a change.
    Hook,
    /// A published address cannot be read.
    Address,
    /// A published address does not serve the key that signs.
    Stale,
    /// A published address serves keys that the set does not have.
    Foreign,
    /// Caches can keep the published set for longer than the publish delay.
    MaxAge,
    /// A certificate ends before its key.
    Certificate,
}

impl Kind {
    /// Returns the name in output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Unreadable => "unreadable",
            Kind::Overdue => "rotation-overdue",
            Kind::NoSigner => "no-signer",
            Kind::Held => "held-key",
            Kind::Expired => "expired-keys",
            Kind::Target => "target-failed",
            Kind::Hook => "hook-pending",
            Kind::Address => "address-failed",
            Kind::Stale => "address-stale",
            Kind::Foreign => "foreign-keys",
            Kind::MaxAge => "max-age",
            Kind::Certificate => "certificate-ends",
        }
    }
}

/// A problem of a set.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// What kind of problem it is.
    #[serde(rename = "problem", serialize_with = "as_name")]
    pub(super) kind: Kind,
    /// What is wrong, and what to do.
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Problem { kind, message }
    }
}

fn as_name<S: serde::Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}
