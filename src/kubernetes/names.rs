//! The names that Kubernetes allows.

use crate::error::{Error, Result};

/// The longest name of an object or a key, in characters.
const LONGEST: usize = 253;

/// The longest name of a namespace, in characters.
const LONGEST_LABEL: usize = 63;

/// Returns an error for a name that no object can have: it must be a DNS subdomain name (RFC 1123). `what` says for
/// what the name is.
pub fn check_name(name: &str, what: &str) -> Result<()> {
    if name.len() <= LONGEST && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(
        Error::usage(format!("{what} cannot be named {name:?} in Kubernetes")).hint(
            "use at most 253 lower-case letters, digits, - and ., with a letter or digit on both sides of each .",
        ),
    )
}

/// Returns an error for a name that no namespace can have: it must be a DNS label (RFC 1123).
pub fn check_namespace(name: &str) -> Result<()> {
    if name.len() <= LONGEST_LABEL && is_label(name) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "a namespace cannot be named {name:?} in Kubernetes"
    ))
    .hint("use at most 63 lower-case letters, digits and -, with a letter or digit at both ends"))
}

/// Returns an error for a name that no key in the data of a ConfigMap or a Secret can have.
pub fn check_key(key: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_fine = (1..=LONGEST).contains(&key.len()) && key.chars().all(is_plain);
    if is_fine && key != "." && !key.starts_with("..") {
        return Ok(());
    }
    Err(
        Error::usage(format!("a key cannot be named {key:?} in Kubernetes"))
            .hint("use letters, digits, '-', '_' and '.', such as jwks.json"),
    )
}

fn is_label(label: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    label.starts_with(is_end)
        && label.ends_with(is_end)
        && label.chars().all(|c| is_end(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        for good in ["a", "api", "api-1.example", "1"] {
            assert!(check_name(good, "it").is_ok(), "{good}");
        }
        let long = "a".repeat(254);
        for bad in [
            "", "Api", "a_b", "-a", "a-", ".a", "a..b", "a.-b", "a/b", &long,
        ] {
            assert!(check_name(bad, "it").is_err(), "{bad:?}");
        }
        assert!(check_namespace(&long[..63]).is_ok());
        for bad in ["", "a.b", "Api", "a-", &long[..64]] {
            assert!(check_namespace(bad).is_err(), "{bad:?}");
        }
        for good in ["jwks.json", "A_b-1", ".hidden"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "..data", "a/b", "a b", "é", &long] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }
}
