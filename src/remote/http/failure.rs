//! The error for a call without an answer.

use crate::error::{Error, Reason};
use crate::remote::http::request::{Advice, Options};
use rustls::{CertificateError, InvalidMessage};
use std::io;
use ureq::Timeout;

/// A call without an answer.
pub(super) struct Failure<'a> {
    /// What went wrong.
    pub error: &'a ureq::Error,
    /// The options of the call.
    pub options: &'a Options,
    /// True if the call used TLS.
    pub is_https: bool,
    /// True if the call was a write that the server may have carried out.
    pub may_have_changed: bool,
}

impl Failure<'_> {
    /// Returns the error about a call. `clean` removes secrets from a text.
    pub fn about(&self, call: &str, clean: impl Fn(String) -> String) -> Error {
        let error = Error::remote(format!("{call}: {}", clean(self.reason())));
        if self.may_have_changed {
            error
                .because(Reason::Unanswered)
                .hint("the server may have made the change: check before you run the command again")
        } else {
            error.hint(self.advice())
        }
    }

    fn reason(&self) -> String {
        let connect = self.options.connect_timeout.as_secs();
        match self.error {
            ureq::Error::HostNotFound => "no such host".into(),
            ureq::Error::Timeout(Timeout::Resolve) => {
                format!("the name of the host was not resolved within {connect} s")
            }
            ureq::Error::Timeout(Timeout::Connect) => format!("no connection within {connect} s"),
            ureq::Error::Timeout(_) => format!(
                "no complete answer within {} s",
                self.options.timeout.as_secs()
            ),
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        }
    }

    fn advice(&self) -> String {
        let advice = self.options.advice;
        let words = match (self.error, tls_error(self.error)) {
            (ureq::Error::Timeout(Timeout::Connect), _) if self.is_https => {
                return format!(
                    "check that the port speaks https, or {}",
                    advice.connect_timeout
                );
            }
            (ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect), _) => {
                advice.connect_timeout
            }
            (ureq::Error::Timeout(_), _) => advice.timeout,
            (_, Some(error)) => tls_advice(error, advice),
            (ureq::Error::Io(error), None)
                if !self.is_https && error.kind() == io::ErrorKind::UnexpectedEof =>
            {
                "use an https address if the port speaks https"
            }
            _ => "check the address, and that the server is running",
        };
        words.to_owned()
    }
}

/// Returns the TLS error that an error of the client wraps, if there is one.
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    let io = match error {
        ureq::Error::Rustls(error) => return Some(error),
        ureq::Error::Io(error) => error,
        _ => return None,
    };
    let mut cause = io
        .get_ref()
        .map(|error| error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

fn tls_advice(error: &rustls::Error, advice: &Advice) -> &'static str {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "check that the port speaks https"
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => advice.authority,
        rustls::Error::InvalidCertificate(_) => "certificates are always verified",
        rustls::Error::AlertReceived(_) => advice.certificate,
        _ => "check the address, and that the server is running",
    }
}
