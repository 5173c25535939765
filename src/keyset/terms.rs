//! Where foreign keys come from and what the user allows them to change.

use crate::error::{Error, Result};
use crate::key::certificate;
use crate::key::check::Budget;
use crate::key::members::Members;
use crate::key::parts::DESCRIBING;

/// The source of foreign keys, which decides what they can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server that publishes keys: it has no private keys to give.
    Publisher,
    /// A server that holds private keys, and signs with them.
    Signer,
    /// A document of JWKs that the user gave.
    Jwks,
    /// A document in another format that the user gave, in which certificates are separate from keys.
    Document,
    /// Our own set, on its way to a server.
    Own,
}

impl Origin {
    /// Returns true if a server sent the keys.
    pub fn is_server(self) -> bool {
        matches!(self, Origin::Publisher | Origin::Signer)
    }
}

/// The resolution of a conflict: a new key has the kid of another key of the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnConflict {
    /// Change nothing
    #[default]
    Fail,
    /// Keep the set's key
    Skip,
    /// Take the new key in its place
    Replace,
    /// Give the new key its thumbprint as kid
    Rekey,
}

/// The user's choices for taking keys in.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// The resolution of conflicts.
    pub on_conflict: OnConflict,
    /// The protected members that keys of the set take anyway (`--take`).
    pub take: &'a [String],
    /// The members that the user gave as options; keys of the set take these values, too.
    pub given: Option<&'a Members<'a>>,
    /// The time, in seconds since 1970.
    pub now: i64,
    /// The work that checks of new private parts and certificates can do; `None` for as much as one run
    /// can do.
    pub budget: Option<&'a Budget>,
}

impl Terms<'_> {
    /// Returns true if keys of the set take this value of a protected member.
    pub fn takes(&self, name: &str, value: &str) -> bool {
        let is_named = |name: &str| self.take.iter().any(|other| other == name);
        let with_certificate = certificate::DESCRIBING.contains(&name)
            && certificate::DESCRIBING.iter().any(|name| is_named(name));
        let given = self.given.and_then(|given| given.raw(name));
        is_named(name) || with_certificate || given == Some(value)
    }
}

/// Refuses names of members that `--take` cannot take.
pub fn check_takable(members: &[String]) -> Result<()> {
    match members.iter().find(|name| !DESCRIBING.contains(&&***name)) {
        None => Ok(()),
        Some(name) => Err(Error::usage(format!("cannot take the member {name:?}"))
            .hint(format!("members to take: {}", DESCRIBING.join(", ")))),
    }
}
