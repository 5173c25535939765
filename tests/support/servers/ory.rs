//! Ory Network: a gateway in front of a Hydra, with API keys and a rate limit.

use super::hydra::{Hydra, Version};
use super::{Answer, Call, lock};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The maximum number of requests of a project in a period.
const RATE_LIMIT: usize = 100;

/// The possible forms of the gateway's errors. Which one it uses is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// `{"error":{"code","status","message","reason","request"}}`.
    Nested,
    /// `{"error","error_description"}`, as Hydra's own.
    Flat,
}

/// A simulated project of Ory Network.
pub struct Ory {
    /// The Hydra behind the gateway.
    pub hydra: Hydra,
    gateway: Arc<Mutex<Gateway>>,
}

struct Gateway {
    token: String,
    error_form: ErrorForm,
    without_permission: bool,
}

impl Ory {
    /// Starts a project that has this API key.
    pub fn start(token: &str, error_form: ErrorForm) -> Ory {
        let has_prefix = token.starts_with("ory_pat_") || token.starts_with("ory_apikey_");
        assert!(has_prefix, "no API key of a project begins so");
        let gateway = Arc::new(Mutex::new(Gateway {
            token: token.to_owned(),
            error_form,
            without_permission: false,
        }));
        let asked = Arc::clone(&gateway);
        Ory {
            hydra: Hydra::behind(Version::V2_2, move |call| lock(&asked).refusal(call)),
            gateway,
        }
    }

    /// Returns the project's address, `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.hydra.address()
    }

    /// Removes the permission for the admin API from the API key.
    pub fn without_permission(&self) {
        lock(&self.gateway).without_permission = true;
    }

    /// Answers the next requests with status 429, because there are too many.
    pub fn limit_next(&self, times: usize, reset_seconds: u64) {
        for _ in 0..times {
            let answer = lock(&self.gateway).error(429, "Too Many Requests");
            let answer = answer
                .header("x-ratelimit-limit", RATE_LIMIT)
                .header("x-ratelimit-remaining", 0)
                .header("x-ratelimit-reset", reset_seconds);
            self.hydra.server.answer_next(answer);
        }
    }
}

impl Gateway {
    /// Returns the gateway's answer to a call that it does not pass on. Only the admin API needs a key.
    fn refusal(&self, call: &Call) -> Option<Answer> {
        if !call.path.starts_with("/admin") {
            return None;
        }
        let authorization = call.header("Authorization").unwrap_or_default();
        if authorization.strip_prefix("Bearer ") != Some(&self.token) {
            return Some(self.error(401, "Unauthorized"));
        }
        self.without_permission
            .then(|| self.error(403, "Forbidden"))
    }

    fn error(&self, code: u16, status: &str) -> Answer {
        let reason = "The gateway does not let this request through";
        Answer::json(code, self.error_body(code, status, reason))
    }

    fn error_body(&self, code: u16, status: &str, reason: &str) -> Value {
        match self.error_form {
            ErrorForm::Nested => json!({ "error": {
                "code": code,
                "status": status,
                "message": "Not let through",
                "reason": reason,
                "request": "7c1e2a90-55d3-4b0e-9a4f-0f6f1d2b8c33",
            }}),
            ErrorForm::Flat => json!({ "error": status, "error_description": reason }),
        }
    }
}
