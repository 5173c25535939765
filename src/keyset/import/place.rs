//! The place of a key inside a document, such as `data.jwks`.

use std::fmt;

/// The longest name that is shown, in characters.
const SHOWN: usize = 60;

/// A place inside a document. It is formatted only when it is shown, because names can be long.
pub struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
    depth: usize,
}

enum Step<'a> {
    Root(&'a str),
    Member(&'a str),
    Element(usize),
}

impl<'a> Place<'a> {
    /// Creates the place of a whole document. A name is shown as it is, and is empty if the document
    /// has none.
    pub fn root(name: &'a str) -> Self {
        Place {
            parent: None,
            step: Step::Root(name),
            depth: 0,
        }
    }

    /// Returns the place of a member of this one.
    pub fn member(&'a self, name: &'a str) -> Place<'a> {
        self.child(Step::Member(name))
    }

    /// Returns the place of an element of this one.
    pub fn element(&'a self, position: usize) -> Place<'a> {
        self.child(Step::Element(position))
    }

    fn child(&'a self, step: Step<'a>) -> Place<'a> {
        Place {
            parent: Some(self),
            step,
            depth: self.depth + 1,
        }
    }

    /// Returns the number of steps from the whole document.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the place that a note names: that of the array for an element, and none for the whole
    /// document.
    pub fn of_note(&self) -> Option<String> {
        match (&self.step, self.parent) {
            (Step::Root(_), _) => None,
            (Step::Element(_), Some(array)) if array.parent.is_some() => Some(array.to_string()),
            (Step::Element(_), _) => Some("a list".into()),
            (Step::Member(_), _) => Some(self.to_string()),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        let is_first = self
            .parent
            .is_none_or(|parent| matches!(parent.step, Step::Root("")));
        match self.step {
            Step::Root(name) => f.write_str(name),
            Step::Element(position) => write!(f, "[{position}]"),
            Step::Member(name) => {
                let dot = if is_first { "" } else { "." };
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                let shown: String = name.chars().take(SHOWN).collect();
                let cut = if shown.len() < name.len() { "…" } else { "" };
                if !shown.is_empty() && shown.chars().all(is_plain) {
                    write!(f, "{dot}{shown}{cut}")
                } else {
                    write!(f, "{dot}{shown:?}{cut}")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path() {
        let root = Place::root("");
        let data = root.member("data");
        let keys = data.member("a.b");
        let key = keys.element(2);
        assert_eq!(key.to_string(), "data.\"a.b\"[2]");
        assert_eq!(key.of_note().unwrap(), "data.\"a.b\"");
        assert_eq!(root.element(0).to_string(), "[0]");
        assert_eq!(root.of_note(), None);
        let long = "x".repeat(100);
        assert_eq!(root.member(&long).to_string().chars().count(), SHOWN + 1);
    }
}
