//! The filters that `get`, `list` and others share.

use crate::error::Result;
use crate::key::algorithm::ALGORITHMS;
use crate::key::header::Header;
use crate::key::key_type::KEY_TYPES;
use crate::keyset::KeySet;
use crate::keyset::lifecycle::State;
use crate::keyset::select::Filter;
use crate::nearest::unknown;
use clap::Args;

/// The options that select keys of a set.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Only keys with this use: sig or enc
    #[arg(long = "use", value_name = "USE")]
    pub usage: Option<String>,

    /// Only keys with this algorithm
    #[arg(long, value_name = "ALG")]
    pub alg: Option<String>,

    /// Only keys of this key type
    #[arg(long, value_name = "KTY")]
    pub kty: Option<String>,

    /// Only keys in this state
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
}

impl FilterArgs {
    /// Returns true if no filter is given.
    pub fn is_empty(&self) -> bool {
        self.to_filter().is_empty()
    }

    /// Returns the filter for a set. Returns an error for a value that is not registered and that no
    /// key of the set has, because it is probably mistyped.
    pub fn filter_for(&self, set: &KeySet) -> Result<Filter> {
        let algorithms = ALGORITHMS.iter().map(|algorithm| algorithm.name);
        let types = KEY_TYPES.iter().map(|key_type| key_type.name);
        let uses = vec!["sig", "enc"];
        check("algorithm", &self.alg, algorithms.collect(), set, |key| {
            key.alg.as_deref()
        })?;
        check("key type", &self.kty, types.collect(), set, |key| {
            key.kty.as_deref()
        })?;
        check("use", &self.usage, uses, set, |key| key.effective_use())?;
        Ok(self.to_filter())
    }

    fn to_filter(&self) -> Filter {
        Filter {
            usage: self.usage.clone(),
            alg: self.alg.clone(),
            kty: self.kty.clone(),
            state: self.state,
        }
    }
}

/// Returns an error for a value that is neither in `known` nor the value of a key of the set.
fn check(
    what: &str,
    value: &Option<String>,
    known: Vec<&str>,
    set: &KeySet,
    of_key: impl for<'h> Fn(&'h Header) -> Option<&'h str>,
) -> Result<()> {
    let Some(value) = value.as_deref() else {
        return Ok(());
    };
    let has_value = |key| of_key(&Header::of(key)) == Some(value);
    if known.contains(&value) || set.keys.iter().any(has_value) {
        return Ok(());
    }
    Err(unknown(what, value, None, &known))
}
