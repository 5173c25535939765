//! The meaning of the storage's answers, and the errors with what to do.

use crate::error::Error;
use crate::remote::http::{Answer, element};
use std::borrow::Cow;

/// The largest difference of the clocks that is not worth a word, in seconds.
const SKEW: i64 = 300;

/// The meaning of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Success.
    Done,
    /// The object does not exist.
    NoObject,
    /// The object does not exist, or must not be read.
    Denied,
    /// The condition of a write does not hold, or two writes met.
    Overtaken,
    /// The storage does not know conditional writes.
    NoConditions,
    /// Anything else.
    Failure,
}

/// Returns the meaning of an answer.
pub fn meaning(answer: &Answer) -> Meaning {
    let code = field(answer, "Code");
    match (answer.status, code.as_deref()) {
        (200..=299, _) => Meaning::Done,
        // Without one of these codes, the answer is that of something else than storage.
        (404, Some("NoSuchKey" | "NotFound")) => Meaning::NoObject,
        (403, Some("AccessDenied")) if !is_about_time(answer) => Meaning::Denied,
        (412, _) | (409, Some("ConditionalRequestConflict" | "OperationAborted")) => {
            Meaning::Overtaken
        }
        (501, _) => Meaning::NoConditions,
        _ => Meaning::Failure,
    }
}

/// What the credentials are used for, which decides how the user can change their settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A remote, which has options.
    Remote,
    /// A keystore, whose settings are in the environment.
    Keystore,
}

impl Purpose {
    fn set_region(self, region: &str) -> String {
        match self {
            Purpose::Remote => format!("pass --region {region} to `jwks remote add`"),
            Purpose::Keystore => format!("set AWS_REGION={region}"),
        }
    }

    fn check_place(self) -> &'static str {
        match self {
            Purpose::Remote => "check --region and --endpoint of the remote",
            Purpose::Keystore => "check AWS_REGION and AWS_ENDPOINT_URL_S3",
        }
    }

    fn check_bucket(self) -> &'static str {
        match self {
            Purpose::Remote => {
                "create the bucket, or check the address and the region of the remote"
            }
            Purpose::Keystore => "create the bucket, or check its name and AWS_REGION",
        }
    }

    fn need(self) -> &'static str {
        match self {
            Purpose::Remote => "the credentials need s3:GetObject and s3:PutObject for the object",
            Purpose::Keystore => {
                "the credentials need s3:GetObject, s3:PutObject and s3:ListBucket"
            }
        }
    }
}

/// Returns the error for an unsuccessful answer.
pub fn error(answer: &Answer, purpose: Purpose) -> Error {
    let usual = answer.error();
    let code = field(answer, "Code");
    let region = answer.header("x-amz-bucket-region").map(Cow::Borrowed);
    let region = region.or_else(|| field(answer, "Region"));
    let message = || usual.to_string();
    match (answer.status, code.as_deref().unwrap_or_default()) {
        (301 | 307 | 308, _)
        | (
            _,
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "IllegalLocationConstraintException",
        ) => {
            let hint = match region.filter(|region| is_region(region)) {
                Some(region) => format!(
                    "the bucket is in the region {region}: {}",
                    purpose.set_region(&region)
                ),
                None => purpose.check_place().to_owned(),
            };
            Error::remote(message()).hint(hint)
        }
        (_, "NoSuchBucket") => Error::remote(message()).hint(purpose.check_bucket()),
        (_, "RequestTimeTooSkewed") => Error::denied(message()).hint(clock(answer)),
        (403, "AccessDenied") if is_about_time(answer) => {
            Error::denied(message()).hint(clock(answer))
        }
        (_, "ExpiredToken" | "ExpiredTokenException") => {
            Error::denied(message()).hint("the credentials have expired; get new ones")
        }
        (_, "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "InvalidToken") => {
            Error::denied(message()).hint("check the access key, its secret, and the session token")
        }
        (403, _) => Error::denied(message()).hint(purpose.need()),
        (400, _) => Error::remote(message()).hint(purpose.check_place()),
        _ => usual,
    }
}

/// Returns true if a signature was refused because of its time.
fn is_about_time(answer: &Answer) -> bool {
    let message = field(answer, "Message")
        .unwrap_or_default()
        .to_ascii_lowercase();
    ["expired", "not yet valid", "too skewed"]
        .iter()
        .any(|it| message.contains(it))
}

/// Returns the hint about the clock of this machine. The answer has the time of the server.
fn clock(answer: &Answer) -> String {
    let now = jiff::Timestamp::now().as_second();
    let date = answer.header("date");
    let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    match date.map(|date| now - date.timestamp().as_second()) {
        Some(skew) if skew.abs() > SKEW => {
            let side = if skew > 0 { "ahead of" } else { "behind" };
            format!(
                "the clock of this machine is {} min {side} that of the server",
                skew.abs() / 60
            )
        }
        _ => "check the clock of this machine".to_owned(),
    }
}

fn is_region(region: &str) -> bool {
    region.len() <= 40
        && region
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<Cow<'a, str>> {
    let text = std::str::from_utf8(answer.body.expose()).ok()?;
    element(text, name)
}
