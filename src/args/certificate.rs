//! Self-signed certificates, as `create` and `export` make them.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::certificate::Certificate;
use crate::key::members::Members;
use crate::key::write::distinguished_name::DistinguishedName;
use crate::key::write::self_signed::{self_signed, validity_of};
use clap::Args;

/// How long a certificate is valid by default, in days.
const DAYS: u32 = 365;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// The options of a self-signed certificate.
#[derive(Debug, Args)]
pub struct CertificateArgs {
    /// The subject of the certificate [default: CN=SET]
    ///
    /// A distinguished name, such as 'CN=api, O=Example'.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// The validity of the certificate [default: 365]
    ///
    /// The number of days from the key's nbf, or from now. If the key has an exp, the certificate expires
    /// with the key, and --days is ignored.
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
}

impl CertificateArgs {
    /// Returns true if one of the options is given.
    pub fn are_given(&self) -> bool {
        self.subject.is_some() || self.days.is_some()
    }

    /// Returns a maker of certificates. Their subject is the set's name by default.
    pub fn maker(&self, ctx: &Context, set: &str) -> Result<Maker> {
        let subject = match &self.subject {
            Some(subject) => DistinguishedName::parse(subject)?,
            None => DistinguishedName::common_name(set).map_err(|_| {
                Error::usage("the set's name is too long for a common name")
                    .hint("give a --subject, such as 'CN=api'")
            })?,
        };
        Ok(Maker {
            subject,
            days: self.days,
            now: ctx.now,
        })
    }
}

/// Makes self-signed certificates.
pub struct Maker {
    subject: DistinguishedName,
    days: Option<u32>,
    now: i64,
}

impl Maker {
    /// Makes a certificate for a private key and signs it with that key. The certificate is valid from
    /// the key's `nbf`, or from now, to the key's `exp`, or for `--days`.
    pub fn certify(&self, members: &Members) -> Result<Certificate> {
        let seconds = i64::from(self.days.unwrap_or(DAYS)) * DAY;
        let validity = validity_of(members, self.now, seconds);
        self_signed(members, &self.subject.to_der()?, validity)
    }

    /// Warns if `--days` is given and the key's `exp` ends the certificate instead.
    pub fn warn_of_days(&self, ctx: &Context, members: &Members) {
        if self.days.is_some() && members.has("exp") {
            ctx.out
                .warn("--days is ignored: the certificate expires with the key");
        }
    }
}
