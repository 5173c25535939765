//! Self-signed certificates, as `create` and `export` make them.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::format::certificate::Certificate;
use crate::key::format::self_signed::self_signed;
use crate::key::format::subject::Subject;
use crate::key::members::Members;
use clap::Args;

/// How long a certificate is valid that nobody said more about, in days.
const DAYS: u32 = 365;

/// What stands in a certificate that is made here.
#[derive(Debug, Args)]
pub struct CertificateArgs {
    /// The subject of the certificate, such as 'CN=api, O=Example'; CN is the set's name by default
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// How many days the certificate is valid from now on; 365 by default
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
}

impl CertificateArgs {
    /// Whether anything was said about the certificate.
    pub fn are_given(&self) -> bool {
        self.subject.is_some() || self.days.is_some()
    }

    /// Makes certificates, with the set's name as common name where no subject was given.
    pub fn maker(&self, ctx: &Context, set: &str) -> Result<Maker> {
        let subject = match &self.subject {
            Some(subject) => Subject::parse(subject)?,
            None => Subject::common_name(set).map_err(|_| {
                Error::usage("the set's name is too long for a common name")
                    .hint("give a --subject, such as 'CN=api'")
            })?,
        };
        Ok(Maker {
            subject,
            days: self.days.unwrap_or(DAYS),
            now: ctx.now,
        })
    }
}

/// Makes self-signed certificates.
pub struct Maker {
    subject: Subject,
    days: u32,
    now: i64,
}

impl Maker {
    /// A certificate for a private key, signed with it.
    pub fn certify(&self, members: &Members) -> Result<Certificate> {
        self_signed(members, &self.subject, self.now, self.days)
    }
}
