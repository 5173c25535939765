//! The reasons why a token is refused.

use crate::error::Error;

/// The kind of reason why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The text is not a compact JWS with a valid header.
    Malformed,
    /// The header has `crit` with an extension that jwks does not know (RFC 7515 section 4.1.11).
    Critical,
    /// The header has the algorithm `none`.
    Unsigned,
    /// The algorithm of the header is not that of the key, or not the one that was asked for.
    Algorithm,
    /// No key has the kid of the token, or no key has its algorithm.
    UnknownKey,
    /// The key is invalid or too weak.
    InvalidKey,
    /// The key is not for verifying signatures, by its `use`, `key_ops` or `alg`.
    Purpose,
    /// The key has expired, or it was revoked.
    EndedKey,
    /// The signature does not match.
    Signature,
    /// The payload is not a JSON object of claims, or a registered claim has the wrong type.
    Claims,
    /// `exp` has passed.
    Expired,
    /// `nbf` is in the future.
    NotYetValid,
    /// `iat` is in the future.
    IssuedAhead,
    /// `iss` is not the issuer that was asked for.
    Issuer,
    /// `aud` does not have the audience that was asked for.
    Audience,
    /// `typ` is not the type that was asked for.
    Type,
}

impl Cause {
    /// Returns the name in JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Malformed => "malformed",
            Cause::Critical => "critical_extension",
            Cause::Unsigned => "unsigned",
            Cause::Algorithm => "algorithm",
            Cause::UnknownKey => "unknown_key",
            Cause::InvalidKey => "invalid_key",
            Cause::Purpose => "key_purpose",
            Cause::EndedKey => "key_ended",
            Cause::Signature => "signature",
            Cause::Claims => "claims",
            Cause::Expired => "expired",
            Cause::NotYetValid => "not_yet_valid",
            Cause::IssuedAhead => "issued_ahead",
            Cause::Issuer => "issuer",
            Cause::Audience => "audience",
            Cause::Type => "type",
        }
    }
}

/// A reason why a token is refused, with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of reason.
    pub cause: Cause,
    /// What is wrong with the token.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Refusal {
    /// Creates a refusal without a hint.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Refusal {
            cause,
            message: message.into(),
            hint: None,
        }
    }

    /// Sets the hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Refusal> for Error {
    /// Returns an error with exit code 3 for an unknown key, and 5 for all other causes.
    fn from(refusal: Refusal) -> Error {
        let error = match refusal.cause {
            Cause::UnknownKey => Error::not_found(refusal.message),
            _ => Error::invalid(refusal.message),
        };
        match refusal.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
