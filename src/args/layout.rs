//! Layouts and private parts on the command line.

use crate::layout::{LAYOUTS, Layout};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// The keys whose private part is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// Every key
    All,
    /// The keys that sign now; the others are public
    Active,
}

/// The layout that an option names.
#[derive(Clone, Copy, Debug)]
pub struct LayoutArg(pub &'static Layout);

/// Parses the name of a layout.
pub fn layout_parser() -> impl TypedValueParser<Value = LayoutArg> {
    let values = LAYOUTS
        .iter()
        .map(|layout| PossibleValue::new(layout.name).help(layout.about));
    PossibleValuesParser::new(values).try_map(|name| Layout::named(&name).map(LayoutArg))
}
