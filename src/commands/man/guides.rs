//! The guides: manual pages about a subject instead of a command. Their sources are the Markdown files
//! `man/*.7.md`, from which the tests generate the pages.

/// The name of each guide, without `jwks-`, and its page in roff.
pub const GUIDES: &[(&str, &str)] = &[
    ("rotation", include_str!("../../../man/jwks-rotation.7")),
    ("servers", include_str!("../../../man/jwks-servers.7")),
    ("formats", include_str!("../../../man/jwks-formats.7")),
    ("pipelines", include_str!("../../../man/jwks-pipelines.7")),
    ("json", include_str!("../../../man/jwks-json.7")),
    ("security", include_str!("../../../man/jwks-security.7")),
    (
        "contributing",
        include_str!("../../../man/jwks-contributing.7"),
    ),
];

/// Returns the page of a guide in roff; `name` is its name with or without `jwks-`.
pub fn guide(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("jwks-").unwrap_or(name);
    let found = GUIDES.iter().find(|(guide, _)| *guide == name);
    found.map(|(_, page)| *page)
}
