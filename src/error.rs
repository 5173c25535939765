//! The error type: a kind with its exit code, a message, a hint, and the cause.

use std::fmt;

/// The kind of an [`Error`]. Each kind has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The file system or the cryptography failed.
    Failed,
    /// The command line is wrong, whatever the keystore and the servers hold.
    Usage,
    /// Something that the command line names does not exist: a set, key, file, schedule or remote.
    NotFound,
    /// The state of a set, file or server forbids the command: something exists already, conflicts, is
    /// ambiguous, has no fit key, or needs a confirmation.
    Refused,
    /// The input does not parse, or a key fails a check.
    Invalid,
    /// The network or a server fails, or an answer is unexpected.
    Remote,
    /// A token, password or passphrase is missing, empty or refused.
    Denied,
    /// The answer to --exit-code, that the sets differ or a rotation is due, or the answer of status, that a set
    /// has a problem. It is not an error.
    Differs,
}

impl ErrorKind {
    /// Returns the exit code of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Failed => 1,
            ErrorKind::Usage => 2,
            ErrorKind::NotFound => 3,
            ErrorKind::Refused => 4,
            ErrorKind::Invalid => 5,
            ErrorKind::Remote => 6,
            ErrorKind::Denied => 7,
            ErrorKind::Differs => 8,
        }
    }

    /// Returns the name of this kind in JSON: `{"error":{"kind":…}}`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Failed => "failed",
            ErrorKind::Usage => "usage",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Refused => "refused",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Remote => "remote",
            ErrorKind::Denied => "denied",
            ErrorKind::Differs => "differs",
        }
    }
}

/// A reason of a failure that callers act on, in addition to its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The system denies access to a file.
    Permission,
    /// The disk is full.
    Full,
    /// A document is in none of the formats of keys.
    UnknownFormat,
    /// Standard output cannot be written.
    Output,
    /// A call to a server was sent and got no answer: the server may have carried it out.
    Unanswered,
    /// Somebody else changed a set on a server. Read it and plan again.
    Overtaken,
    /// An answer is larger than what is read. A smaller page can be asked for.
    TooLarge,
}

/// A failure with its kind, a message, advice, and the cause below it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    reason: Option<Reason>,
    message: String,
    hint: Option<String>,
    cause: Option<anyhow::Error>,
    /// The subject that the message already names, so that no caller adds it again.
    subject: Option<String>,
}

/// The result of a function that can fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error of a kind that another error has decided.
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            kind,
            reason: None,
            message: message.into(),
            hint: None,
            cause: None,
            subject: None,
        }
    }

    /// Creates an error of the file system or of cryptography: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Failed, message)
    }

    /// Creates an error about the command line: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Usage, message)
    }

    /// Creates an error about something that does not exist: exit code 3.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::NotFound, message)
    }

    /// Creates an error for a refused command, such as a conflict or a missing confirmation: exit code
    /// 4.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Refused, message)
    }

    /// Creates an error about input that does not parse or fails a check: exit code 5.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Invalid, message)
    }

    /// Creates an error of the network or a server: exit code 6.
    pub fn remote(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Remote, message)
    }

    /// Creates an error about a missing or wrong token, password or passphrase: exit code 7.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Denied, message)
    }

    /// Creates the answer that there is a difference or a problem: exit code 8.
    pub fn differs(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Differs, message)
    }

    /// Sets the hint, which says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the cause, which is printed after the message.
    pub fn cause(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Sets the reason that callers act on.
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Puts the subject in front of the message: `subject: message`. Does nothing if the message already
    /// names that subject.
    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        let subject = subject.to_string();
        if self.subject.as_ref() != Some(&subject) {
            self.message = format!("{subject}: {}", self.message);
            self.subject = Some(subject);
        }
        self
    }

    /// Declares that the message already names this subject.
    pub fn names(mut self, subject: impl fmt::Display) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    /// Returns the kind, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns true if the failure has this reason.
    pub fn is_because(&self, reason: Reason) -> bool {
        self.reason == Some(reason)
    }

    /// Returns the hint, if there is one.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause:#}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
