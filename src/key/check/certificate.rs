//! Checks `x5c`, `x5t` and `x5t#S256` (RFC 7517 sections 4.7 to 4.9). `x5u` is never fetched.

use crate::key::algorithm::effective_use;
use crate::key::certificate::{Certificate, DigestForm, Validity, read_digest};
use crate::key::check::{Budget, Report, Rule};
use crate::key::members::Members;
use crate::key::parts::UNCONFIRMED;
use crate::key::thumbprint::thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

const UNCHECKED: &str = "too many certificates to check them all";

/// Checks the certificates of a key against it and against their digests, and returns them.
pub fn check(members: &Members, budget: &Budget, report: &mut Report) -> Vec<Certificate> {
    let chain = check_form(members, budget, report);
    let leaf = chain.first();
    for (name, length) in [("x5t", 20), ("x5t#S256", 32)] {
        let Some(text) = members.string(name) else {
            continue;
        };
        let Some((digest, form)) = read_digest(&text, length) else {
            let message = format!("{name} is not base64url of {length} bytes");
            report.add_broken(name, Rule::X5tLength, message);
            continue;
        };
        let expected = leaf.map(|leaf| match length {
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
    chain
}

/// Checks that each certificate of a chain certifies the one before it (RFC 7517 section 4.7). Verifies signatures
/// within the budget.
pub fn check_chain(chain: &[Certificate], budget: &Budget, report: &mut Report) {
    for (i, pair) in chain.windows(2).enumerate() {
        let [certificate, issuer] = pair else {
            continue;
        };
        if issuer.is_named_by(certificate) && !budget.spend_on_chain(issuer.verification_cost()) {
            return report.add(Rule::X5cUnchecked, UNCHECKED);
        }
        if !issuer.certifies(certificate) {
            let message = format!(
                "certificate {} of x5c does not certify certificate {i}",
                i + 1
            );
            return report.add_broken("x5c", Rule::X5cChain, message);
        }
    }
}

/// Checks that the first certificate of a chain allows what the key is for (RFC 7517 section 4.7).
pub fn check_usage(members: &Members, chain: &[Certificate], report: &mut Report) {
    let (usage, alg) = (members.string("use"), members.string("alg"));
    let Some(usage) = effective_use(usage.as_deref(), alg.as_deref()) else {
        return;
    };
    if !matches!(usage, "sig" | "enc") {
        return;
    }
    if let Some(usages) = chain.first().and_then(Certificate::usages)
        && !usages.iter().any(|(_, of)| of.name() == usage)
    {
        let names: Vec<_> = usages.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let message = format!("the key is for {usage}, and the certificate is for {names}");
        report.add_broken("x5c", Rule::X5cUse, message);
    }
}

/// Checks x5c and returns its certificates. Returns none if one of them is broken.
fn check_form(members: &Members, budget: &Budget, report: &mut Report) -> Vec<Certificate> {
    let Some(chain) = members.texts("x5c").ok().flatten() else {
        return Vec::new();
    };
    if !budget.spend_on_parsing(chain.len()) {
        report.add(Rule::X5cUnchecked, UNCHECKED);
        return Vec::new();
    }
    let mut certificates = Vec::new();
    for (i, text) in chain.iter().enumerate() {
        // Invalid base64 is reported by the shape check.
        let Ok(der) = STANDARD.decode(text.as_bytes()) else {
            return Vec::new();
        };
        let Some(certificate) = Certificate::parse(&der) else {
            let message = format!("element {i} of x5c is not a certificate");
            report.add_broken("x5c", Rule::X5cCertificate, message);
            return Vec::new();
        };
        certificates.push(certificate);
    }
    if let Some(leaf) = certificates.first() {
        let own = thumbprint(members);
        let certified = leaf.public_key().ok().and_then(|key| thumbprint(&key));
        if own.is_some() && own != certified {
            let message = "the first certificate of x5c is for another key";
            report.add_broken("x5c", Rule::X5cKey, message);
        }
    }
    certificates
}

/// Checks that each certificate is valid now and until the key expires. Certificates are not needed
/// before `nbf` and after `exp` of the key. `now` is in seconds since 1970.
pub fn check_dates(members: &Members, now: i64, budget: &Budget, report: &mut Report) {
    let date = |name| members.seconds(name).ok().flatten();
    let (nbf, exp) = (date("nbf"), date("exp"));
    // It is not known when a held key begins.
    let nbf = nbf.filter(|nbf| *nbf != UNCONFIRMED);
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
    use crate::key::Key;
    use crate::key::certificate::attach;
    use crate::key::check::findings;
    use crate::key::generate::{Plan, Request};
    use crate::key::write::distinguished_name::DistinguishedName;
    use crate::key::write::self_signed::self_signed;
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::x509::extension::KeyUsage;
    use openssl::x509::{X509, X509Name};

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

    /// A certificate for the key of `subject`, signed by `issuer`, with these usages.
    fn issued(
        subject: (&str, &PKey<Private>),
        issuer: (&str, &PKey<Private>),
        usage: Option<&KeyUsage>,
    ) -> Certificate {
        let name = |name: &str| {
            let mut builder = X509Name::builder().unwrap();
            builder.append_entry_by_text("CN", name).unwrap();
            builder.build()
        };
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name(subject.0)).unwrap();
        builder.set_issuer_name(&name(issuer.0)).unwrap();
        builder.set_pubkey(subject.1).unwrap();
        let (from, to) = (Asn1Time::from_unix(0), Asn1Time::from_unix(4_000_000_000));
        builder.set_not_before(&from.unwrap()).unwrap();
        builder.set_not_after(&to.unwrap()).unwrap();
        if let Some(usage) = usage {
            builder.append_extension(usage.build().unwrap()).unwrap();
        }
        builder.sign(issuer.1, MessageDigest::sha256()).unwrap();
        Certificate::parse(&builder.build().to_der().unwrap()).unwrap()
    }

    fn pair() -> PKey<Private> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    /// The rules that a key with this chain breaks.
    fn broken(chain: &[&Certificate], more: &[(&'static str, &str)], budget: &Budget) -> Vec<Rule> {
        let mut key = chain[0].public_key().unwrap();
        attach(chain, &mut key);
        more.iter()
            .for_each(|(name, value)| key.set_text(name, value));
        let findings = findings(&Key::from(key), budget);
        findings.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_certificate_certifies_the_one_before_it() {
        let [key, above, root, other] = [pair(), pair(), pair(), pair()];
        let leaf = issued(("leaf", &key), ("ca", &above), None);
        let ca = issued(("ca", &above), ("root", &root), None);
        let root_certificate = issued(("root", &root), ("root", &root), None);
        let namesake = issued(("ca", &other), ("root", &root), None);
        let stranger = issued(("b", &above), ("root", &root), None);
        let rules = |chain: &[&Certificate]| broken(chain, &[], &Budget::default());
        assert_eq!(rules(&[&leaf]), []);
        assert_eq!(rules(&[&leaf, &ca]), []);
        assert_eq!(rules(&[&leaf, &ca, &root_certificate]), []);
        for chain in [
            &[&leaf, &root_certificate][..],
            &[&leaf, &root_certificate, &ca],
            &[&leaf, &namesake],
            &[&leaf, &stranger],
            &[&leaf, &ca, &namesake],
        ] {
            assert_eq!(rules(chain), [Rule::X5cChain]);
        }
        // Enough is left to parse the certificates, and not to verify a signature.
        let budget = Budget::default();
        budget.spend_on_chain(499_800);
        assert_eq!(broken(&[&leaf, &ca], &[], &budget), [Rule::X5cUnchecked]);
    }

    #[test]
    fn the_use_of_a_key_is_one_of_its_certificate() {
        let key = pair();
        let with = |usage: &KeyUsage| issued(("leaf", &key), ("leaf", &key), Some(usage));
        let signs = with(KeyUsage::new().digital_signature());
        let agrees = with(KeyUsage::new().key_agreement());
        let both = with(KeyUsage::new().digital_signature().key_encipherment());
        let all = issued(("leaf", &key), ("leaf", &key), None);
        let rules = |certificate: &Certificate, member| {
            broken(&[certificate], &[member], &Budget::default())
        };
        for (certificate, member) in [
            (&signs, ("use", "enc")),
            (&agrees, ("use", "sig")),
            (&signs, ("alg", "ECDH-ES")),
            (&agrees, ("alg", "ES256")),
        ] {
            assert_eq!(rules(certificate, member), [Rule::X5cUse], "{member:?}");
        }
        for certificate in [&both, &all] {
            for usage in ["sig", "enc", "other"] {
                assert!(!rules(certificate, ("use", usage)).contains(&Rule::X5cUse));
            }
        }
        assert_eq!(rules(&signs, ("use", "sig")), []);
        assert_eq!(rules(&signs, ("kid", "a")), []);
    }
}
