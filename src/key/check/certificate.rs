//! Checks `x5c`, `x5t` and `x5t#S256` (RFC 7517 sections 4.7 to 4.9). `x5u` is never fetched.

use crate::key::certificate::{Certificate, DigestForm, Validity, read_digest};
use crate::key::check::{Budget, Report, Rule};
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

const UNCHECKED: &str = "too many certificates to check them all";

/// Checks the certificates of a key against it and against their digests.
pub fn check(members: &Members, budget: &Budget, report: &mut Report) {
    let leaf = check_chain(members, budget, report);
    for (name, length) in [("x5t", 20), ("x5t#S256", 32)] {
        let Some(text) = members.string(name) else {
            continue;
        };
        let Some((digest, form)) = read_digest(&text, length) else {
            let message = format!("{name} is not base64url of {length} bytes");
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
        } else if form == DigestForm::Hexadecimal {
            let message = format!("{name} is a hexadecimal digest, not base64url");
            report.add(Rule::X5tHex, message);
        }
    }
}

/// Checks x5c and returns its first certificate.
fn check_chain(members: &Members, budget: &Budget, report: &mut Report) -> Option<Certificate> {
    let chain = members.texts("x5c").ok().flatten()?;
    if !budget.spend_on_parsing(chain.len()) {
        report.add(Rule::X5cUnchecked, UNCHECKED);
        return None;
    }
    let mut certificates = Vec::new();
    for (i, text) in chain.iter().enumerate() {
        // Invalid base64 is reported by the shape check.
        let der = STANDARD.decode(text.as_bytes()).ok()?;
        match Certificate::parse(&der) {
            Some(certificate) => certificates.push(certificate),
            None => {
                let message = format!("element {i} of x5c is not a certificate");
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

/// Checks that each certificate is valid now and until the key expires. Certificates are not needed
/// before `nbf` and after `exp` of the key. `now` is in seconds since 1970.
pub fn check_dates(members: &Members, now: i64, budget: &Budget, report: &mut Report) {
    let date = |name| members.seconds(name).ok().flatten();
    let (nbf, exp) = (date("nbf"), date("exp"));
    let needed = nbf.map_or(now, |nbf| nbf.max(now));
    if exp.is_some_and(|exp| exp <= now) {
        return;
    }
    let number = members
        .texts("x5c")
        .ok()
        .flatten()
        .unwrap_or_default()
        .len();
    if number == 0 || is_unchecked(report) {
        return;
    }
    if !budget.spend_on_parsing(number) {
        return report.add(Rule::X5cUnchecked, UNCHECKED);
    }
    for (i, certificate) in Certificate::chain_of(members).iter().enumerate() {
        let Some(Validity {
            not_before,
            not_after,
        }) = certificate.validity()
        else {
            continue;
        };
        let name = || match i {
            0 => "the certificate".to_owned(),
            _ => format!("certificate {i} of x5c ({})", certificate.subject()),
        };
        if not_after < now {
            let message = format!("{} expired at {}", name(), time(not_after));
            report.add(Rule::X5cExpired, message);
        } else if exp.is_some_and(|exp| not_after.saturating_add(1) < exp) {
            let end = time(not_after);
            let message = format!("{} expires at {end}, before the key", name());
            report.add(Rule::X5cEndsBeforeKey, message);
        }
        if not_before > needed {
            let message = format!("{} is not valid before {}", name(), time(not_before));
            report.add(Rule::X5cNotYetValid, message);
        }
    }
}

fn is_unchecked(report: &Report) -> bool {
    let mut rules = report.0.iter().map(|finding| finding.rule);
    rules.any(|rule| rule == Rule::X5cUnchecked)
}

/// Formats seconds since 1970 as RFC 3339.
fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::certificate::attach;
    use crate::key::generate::{Plan, Request};
    use crate::key::write::distinguished_name::DistinguishedName;
    use crate::key::write::self_signed::self_signed;

    /// A key, and a certificate for it that is valid in these seconds.
    fn certified(not_before: i64, not_after: i64) -> (Members<'static>, Certificate) {
        let key = Plan::new(Request::default()).unwrap().generate().unwrap();
        let validity = Validity {
            not_before,
            not_after,
        };
        let subject = DistinguishedName::common_name("root")
            .unwrap()
            .to_der()
            .unwrap();
        let certificate = self_signed(&key, &subject, validity).unwrap();
        (key, certificate)
    }

    #[test]
    fn every_certificate_of_a_chain_is_checked() {
        let (mut key, leaf) = certified(100, 1_000);
        let (_, above) = certified(200, 500);
        attach(&[&leaf, &above], &mut key);
        let found = |key: &Members, now| {
            let mut report = Report::default();
            check_dates(key, now, &Budget::default(), &mut report);
            report
                .0
                .into_iter()
                .map(|finding| (finding.rule, finding.message))
                .collect::<Vec<_>>()
        };
        let texts = |findings: Vec<(Rule, String)>| {
            let texts = findings.into_iter().map(|(_, message)| message);
            texts.collect::<Vec<_>>()
        };
        assert_eq!(found(&key, 300), []);
        assert_eq!(
            found(&key, 600),
            [(
                Rule::X5cExpired,
                "certificate 1 of x5c (CN=root) expired at 1970-01-01T00:08:20Z".into()
            )]
        );
        assert_eq!(texts(found(&key, 50)).len(), 2);
        key.set_number("exp", 900);
        assert_eq!(
            texts(found(&key, 300)),
            ["certificate 1 of x5c (CN=root) expires at 1970-01-01T00:08:20Z, before the key"]
        );
        // A key with a later nbf needs its certificates from then.
        key.set_number("nbf", 150);
        assert_eq!(
            texts(found(&key, 50))[1],
            "certificate 1 of x5c (CN=root) is not valid before 1970-01-01T00:03:20Z"
        );
    }
}
