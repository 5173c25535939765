//! The one error type: what failed, what to do next, and the exit code.

use std::fmt;

/// What kind of failure an [`Error`] is; each kind has one exit code.
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
    /// The answer to --exit-code: the sets differ, or a rotation is due. It is not an error.
    Differs,
}

impl ErrorKind {
    /// The process exit code of this kind.
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

    /// The kind's name in `{"error":{"kind":…}}`.
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
    /// Standard output cannot be written.
    Output,
    /// A call to a server was sent and got no answer: the server may have carried it out.
    Unanswered,
    /// Somebody else changed a set on a server. Read it and plan again.
    Overtaken,
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

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of a kind that something else decided.
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

    /// The file system or the cryptography failed: exit 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Failed, message)
    }

    /// The command line makes no sense: exit 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Usage, message)
    }

    /// Something that was named is not there: exit 3.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::NotFound, message)
    }

    /// Refused so that nothing is lost: exit 4.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Refused, message)
    }

    /// Input that does not parse or fails a check: exit 5.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Invalid, message)
    }

    /// The network, a server, or an unexpected answer: exit 6.
    pub fn remote(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Remote, message)
    }

    /// A token, password or passphrase is refused, or there is none: exit 7.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Denied, message)
    }

    /// What was compared is not the same: exit 8.
    pub fn differs(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Differs, message)
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the failure below this one; it is printed after the message.
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

    /// The kind, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns true if the failure has this reason.
    pub fn is_because(&self, reason: Reason) -> bool {
        self.reason == Some(reason)
    }

    /// What to do next, where there is something to advise.
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
