//! x5c, x5t and x5t#S256 (RFC 7517 sections 4.7 to 4.9). Nothing is ever fetched.

use super::{Budget, Report, Rule};
use crate::key::base64url;
use crate::key::format::certificate::Certificate;
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The cost of a certificate and of the public key in it, in microseconds.
const COST: u64 = 75;

/// Checks the certificates of a key against it and against their digests.
pub fn check(members: &Members, budget: &Budget, report: &mut Report) {
    let leaf = check_chain(members, budget, report);
    for (name, length) in [("x5t", 20), ("x5t#S256", 32)] {
        let Some(text) = members.string(name) else {
            continue;
        };
        let Some((digest, form)) = read_digest(&text, length) else {
            let message = format!("{name} is not base64url of {length} octets");
            report.add_broken(name, Rule::X5tLength, message);
            continue;
        };
        let expected = leaf.as_ref().map(|leaf| match length {
            20 => leaf.sha1(),
            _ => leaf.sha256(),
        });
        if expected.is_some_and(|expected| digest != expected) {
            let message = format!("{name} is not the digest of the first certificate");
            report.add_broken(name, Rule::X5tMismatch, message);
        } else if form == Form::Hexadecimal {
            let message = format!("{name} is the digest in hexadecimal, not base64url");
            report.add(Rule::X5tHex, message);
        }
    }
}

/// How a digest is written.
#[derive(PartialEq)]
enum Form {
    /// Its octets as base64url, as RFC 7517 says.
    Base64url,
    /// Its octets in hexadecimal: as they are (WSO2), or encoded as base64url once more (older
    /// tenants of Auth0, ADAL).
    Hexadecimal,
}

fn read_digest(text: &str, length: usize) -> Option<(Vec<u8>, Form)> {
    let decoded = base64url::decode(text).ok();
    let in_base64url = decoded.clone().filter(|digest| digest.len() == length);
    if let Some(digest) = in_base64url {
        return Some((digest, Form::Base64url));
    }
    let again = decoded.as_deref().and_then(hexadecimal);
    let digest = hexadecimal(text.as_bytes()).or(again);
    let digest = digest.filter(|digest| digest.len() == length)?;
    Some((digest, Form::Hexadecimal))
}

/// The octets of hexadecimal digits, which may have colons between the pairs.
fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.iter().filter(|octet| **octet != b':');
    let digits = digits.map(|octet| char::from(*octet).to_digit(16));
    let digits: Vec<u32> = digits.collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks();
    let octet = |[high, low]: &[u32; 2]| u8::try_from(high << 4 | low).ok();
    let octets: Option<Vec<u8>> = pairs.iter().map(octet).collect();
    octets.filter(|_| rest.is_empty())
}

/// Checks x5c and returns its first certificate.
fn check_chain(members: &Members, budget: &Budget, report: &mut Report) -> Option<Certificate> {
    let chain = members.texts("x5c").ok().flatten()?;
    if !budget.spend(COST.saturating_mul(chain.len() as u64)) {
        report.add(
            Rule::X5cUnchecked,
            "too many certificates to check them all",
        );
        return None;
    }
    let mut certificates = Vec::new();
    for (i, text) in chain.iter().enumerate() {
        // What is not base64 has been reported with the form of x5c.
        let der = STANDARD.decode(text.as_bytes()).ok()?;
        match Certificate::parse(&der) {
            Some(certificate) => certificates.push(certificate),
            None => {
                let message = format!("element {i} of x5c is no certificate");
                report.add_broken("x5c", Rule::X5cCertificate, message);
                return None;
            }
        }
    }
    let leaf = certificates.into_iter().next()?;
    let own = thumbprint(members);
    let certified = leaf.public_key().ok().and_then(|key| thumbprint(&key));
    if own.is_some() && own != certified {
        let message = "the first certificate of x5c is for another key";
        report.add_broken("x5c", Rule::X5cKey, message);
    }
    Some(leaf)
}
