//! The guides: manual pages about a subject instead of a command. Their sources are the Markdown files
//! `man/*.7.md`, from which the tests generate the pages.

/// A guide.
pub struct Guide {
    /// Its name, without `jwks-`.
    pub name: &'static str,
    /// Its page in roff.
    pub page: &'static str,
    /// Its source in Markdown.
    pub source: &'static str,
}

macro_rules! guide {
    ($name:literal) => {
        Guide {
            name: $name,
            page: include_str!(concat!("../../../man/jwks-", $name, ".7")),
            source: include_str!(concat!("../../../man/jwks-", $name, ".7.md")),
        }
    };
}

/// All guides.
pub const GUIDES: &[Guide] = &[
    guide!("rotation"),
    guide!("servers"),
    guide!("formats"),
    guide!("pipelines"),
    guide!("json"),
    guide!("security"),
    guide!("contributing"),
];

/// Returns a guide; `name` is its name with or without `jwks-`.
pub fn guide(name: &str) -> Option<&'static Guide> {
    let name = name.strip_prefix("jwks-").unwrap_or(name);
    GUIDES.iter().find(|guide| guide.name == name)
}
