//! The filters that `get`, `list` and others share.

use super::complete;
use crate::keyset::lifecycle::State;
use crate::keyset::select::Filter;
use clap::Args;
use clap_complete::ArgValueCandidates;

/// Which keys of a set are meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Only keys for this use: sig or enc
    #[arg(long = "use", value_name = "USE", add = ArgValueCandidates::new(complete::uses))]
    pub usage: Option<String>,

    /// Only keys for this algorithm
    #[arg(long, value_name = "ALG", add = ArgValueCandidates::new(complete::algorithms))]
    pub alg: Option<String>,

    /// Only keys of this type
    #[arg(long, value_name = "KTY", add = ArgValueCandidates::new(complete::key_types))]
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
