//! The addresses of objects, such as `s3://BUCKET/KEY`.

use crate::error::{Error, Result};

/// Splits the address of an object in a scheme, such as `s3`, into the bucket and the segments of the key. Returns
/// an error for an address that means something else.
pub fn parse<'a>(scheme: &str, address: &'a str) -> Result<(&'a str, Vec<&'a str>)> {
    let rest = address.strip_prefix(scheme);
    let rest = rest.and_then(|rest| rest.strip_prefix("://"));
    let parts = rest.and_then(|rest| rest.split_once('/'));
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
    let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '?' | '#' | '\\');
    let parts = parts.filter(|(bucket, key)| {
        !bucket.is_empty()
            && bucket.chars().all(is_name)
            && key.split('/').all(is_segment)
            && key.chars().all(is_plain)
    });
    let (bucket, key) = parts.ok_or_else(|| {
        Error::usage(format!("the address of an object is {scheme}://BUCKET/KEY")).hint(format!(
            "for example: --url {scheme}://keys.example/jwks.json"
        ))
    })?;
    Ok((bucket, key.split('/').collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_a_bucket_and_a_key() {
        let (bucket, key) = parse("s3", "s3://keys.example/a b/jwks.json").unwrap();
        assert_eq!((bucket, &*key), ("keys.example", &["a b", "jwks.json"][..]));
        for bad in [
            "gs://b/k",
            "s3:b/k",
            "s3://b",
            "s3:///k",
            "s3://b/",
            "s3://b/a//k",
            "s3://b/../k",
            "s3://b/k?v=1",
            "s3://b/k#f",
            "s3://b/k\\l",
            "s3://b c/k",
            "s3://b/k\n",
            "s3://b/ké",
        ] {
            assert!(parse("s3", bad).is_err(), "{bad}");
        }
    }
}
