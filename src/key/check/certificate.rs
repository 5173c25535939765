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
        let Some(digest) = base64url::decode(&text).ok().filter(|d| d.len() == length) else {
            let message = format!("{name} is not base64url of {length} octets");
            report.add(Rule::X5tLength, message);
            continue;
        };
        if let Some(leaf) = &leaf {
            let expected = if length == 20 {
                leaf.sha1()
            } else {
                leaf.sha256()
            };
            if digest != expected {
                let message = format!("{name} is not the digest of the first certificate");
                report.add(Rule::X5tMismatch, message);
            }
        }
    }
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
                report.add(Rule::X5cCertificate, message);
                return None;
            }
        }
    }
    let leaf = certificates.into_iter().next()?;
    let own = thumbprint(members);
    let certified = leaf.public_key().ok().and_then(|key| thumbprint(&key));
    if own.is_some() && own != certified {
        let message = "the first certificate of x5c is for another key";
        report.add(Rule::X5cKey, message);
    }
    Some(leaf)
}
