//! The options for a target that is a file or an address.

use crate::args::connection::ConnectionArgs;
use crate::args::password::PasswordArgs;
use clap::Args;

/// The options for a target that is a file or an address: its password, and the connection.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// The password of the file.
    #[command(flatten)]
    pub password: PasswordArgs,

    /// How to connect to the address.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}
