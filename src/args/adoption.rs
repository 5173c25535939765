//! The options for taking in foreign keys.

use crate::error::Result;
use crate::keyset::adopt::PrivateParts;
use crate::keyset::terms::check_takable;
use clap::Args;

/// The options for foreign keys.
#[derive(Debug, Args)]
pub struct AdoptionArgs {
    /// Take private keys from a publisher, too
    ///
    /// Take private and symmetric keys from a server that only publishes keys.
    #[arg(long)]
    private: bool,

    /// Let the source change these members of your keys
    ///
    /// A list such as exp or alg,use.
    #[arg(long, value_name = "MEMBER,…", value_delimiter = ',')]
    pub take: Vec<String>,
}

impl AdoptionArgs {
    /// Refuses members that cannot be taken.
    pub fn check(&self) -> Result<()> {
        check_takable(&self.take)
    }

    /// Returns what to do with the private parts that a publisher sends.
    pub fn private_parts(&self) -> PrivateParts {
        if self.private {
            PrivateParts::Take
        } else {
            PrivateParts::LeaveOut
        }
    }
}
