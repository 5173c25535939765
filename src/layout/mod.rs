//! Layouts: the file that a signer or a verifier reads, made from a set. Each has an entry in the table
//! and a file.

mod chosen;
mod content;
pub mod deployment;
mod django_oauth_toolkit;
mod hydra;
mod kube_apiserver;
mod oidc_provider;
mod openiddict;
mod public;
mod spring;
mod supabase;

pub use chosen::{Chosen, ChosenKey, Order, arranged};
pub use content::Content;

use crate::error::Result;
use crate::key::Key;
use crate::key::check::Budget;
use crate::key::header::Header;
use crate::keyset::KeySet;
use crate::keyset::kid_from::KidFrom;
use crate::keyset::lifecycle::{State, line_name};
use crate::nearest::unknown;
use crate::remote::kind::ServerKind;
use std::fmt;

/// Who reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Verifiers: the file holds every published key, without private parts.
    Verifiers,
    /// A signer: the file holds private keys.
    Signer,
}

/// The file that one kind of program reads.
pub struct Layout {
    /// The name in `--for`.
    pub name: &'static str,
    /// A short description of the file.
    pub about: &'static str,
    /// Who reads it.
    pub audience: Audience,
    /// The states of the keys in it.
    pub states: &'static [State],
    /// The algorithms with which the signer signs; empty for all.
    pub algorithms: &'static [&'static str],
    /// How many lines it can hold.
    pub lines: Lines,
    /// How the signer computes the kid of a key; `None` if it uses that of the set.
    pub kid: Option<KidFrom>,
    /// True if the file has the kids of its keys.
    pub has_kids: bool,
    /// The variables in the file, if it has lines `NAME='…'`; otherwise empty.
    pub variables: &'static [&'static str],
    /// Writes the file.
    pub write: Write,
}

/// Which lines of a set a signer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// All of them.
    All,
    /// One line for signatures. The file holds no other key.
    One,
    /// One line for signatures. The other keys only verify.
    OneSigns,
}

/// The options of a layout.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The name of the line that signs, if the set has several.
    pub line: Option<&'a str>,
    /// The positions of expired keys that verifiers keep.
    pub keep: &'a [usize],
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// How a layout is written.
#[derive(Clone, Copy)]
pub enum Write {
    /// As text.
    Text(fn(&Chosen, &Budget) -> Result<Content>),
    /// As a PKCS#12 file of the signing key, which needs a password.
    Pkcs12,
    /// As the body of a call to a Hydra of this kind.
    Body(&'static ServerKind),
}

/// Every layout, in the order of the help.
pub static LAYOUTS: &[Layout] = &[
    public::JWKS,
    public::PEM,
    oidc_provider::LAYOUT,
    spring::LAYOUT,
    kube_apiserver::LAYOUT,
    django_oauth_toolkit::LAYOUT,
    supabase::LAYOUT,
    openiddict::LAYOUT,
    hydra::LAYOUT,
    hydra::LAYOUT_V1,
];

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Layout {
    /// Finds the layout with a name. Returns an error for an unknown name.
    pub fn named(name: &str) -> Result<&'static Layout> {
        LAYOUTS
            .iter()
            .find(|layout| layout.name == name)
            .ok_or_else(|| {
                let names: Vec<_> = LAYOUTS.iter().map(|layout| layout.name).collect();
                unknown("layout", name, None, &names)
            })
    }

    /// Returns true if the file holds private keys.
    pub fn is_private(&self) -> bool {
        self.audience == Audience::Signer
    }

    /// Returns the file of the keys that were chosen from a set with these options. Returns an error if the set
    /// does not fit the layout.
    pub fn content(
        &self,
        set: &KeySet,
        chosen: &Chosen,
        options: Options,
        budget: &Budget,
    ) -> Result<Content> {
        let Options { line, now, .. } = options;
        match self.write {
            Write::Text(write) => write(chosen, budget),
            Write::Body(kind) => {
                let is_of_line =
                    |key: &&Key| line.is_none_or(|line| line_name(&Header::of(key)) == line);
                let keys = set.keys.iter().filter(is_of_line).cloned();
                let set = KeySet::from(keys.collect::<Vec<_>>());
                hydra::body(kind, &set, now, budget)
            }
            // The command asks for the password.
            Write::Pkcs12 => Ok(Content::default()),
        }
    }
}
