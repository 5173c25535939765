//! The filters that `get`, `list` and others share.

use crate::keyset::lifecycle::State;
use crate::keyset::select::Filter;
use clap::Args;

/// Which keys of a set are meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Only keys for this use: sig or enc
    #[arg(long = "use", value_name = "USE")]
    pub usage: Option<String>,

    /// Only keys for this algorithm
    #[arg(long, value_name = "ALG")]
    pub alg: Option<String>,

    /// Only keys of this type
    #[arg(long, value_name = "KTY")]
    pub kty: Option<String>,

    /// Only keys in this state
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
}

impl FilterArgs {
    /// The filter that the flags describe.
    pub fn to_filter(&self) -> Filter {
        Filter {
            usage: self.usage.clone(),
            alg: self.alg.clone(),
            kty: self.kty.clone(),
            state: self.state,
        }
    }
}
