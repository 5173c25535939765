//! Makes the calls to one server, one after the other.

use crate::error::{Error, Result};
use crate::keyset::FOREIGN_LIMIT;
use crate::remote::http::agent::agent;
use crate::remote::http::endpoint::{Endpoint, Privacy};
use crate::remote::http::failure::Failure;
use crate::remote::http::proxy::proxy;
use crate::remote::http::reading::read;
use crate::remote::http::redact::Redactor;
use crate::remote::http::redirect::redirected;
use crate::remote::http::request::{Event, Options, Redirects, Request, Traffic};
use crate::remote::http::response::{Answer, shorten};
use crate::remote::http::retry::{
    FIRST_PAUSE, PATIENCE, jittered, longer, reason_after_answer, reason_after_failure,
    was_never_sent,
};
use crate::remote::http::tls::Trust;
use crate::remote::http::{is_loopback, show};
use crate::secret::Secret;
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::time::Instant;
use ureq::http::{self, Response};
use ureq::{Agent, Body};
use url::Url;

/// The maximum number of redirects of one call.
const MOST_REDIRECTS: usize = 5;

/// A client for one server. Connections are reused.
pub struct Client {
    server: Endpoint,
    /// The address and the certificates, if they were found out later.
    found: OnceCell<(Url, Trust)>,
    options: Options,
    authorization: RefCell<Option<Secret<String>>>,
    agent: OnceCell<Agent>,
    redactor: RefCell<Redactor>,
}

impl Client {
    /// Makes a client. Makes no calls.
    pub fn new(server: Endpoint, options: Options) -> Client {
        let mut redactor = Redactor::default();
        for (_, value) in &server.headers {
            redactor.hide(value.expose());
        }
        if server.privacy == Privacy::Secret {
            redactor.hide_address(&server.base);
        }
        Client {
            server,
            found: OnceCell::new(),
            options,
            authorization: RefCell::default(),
            agent: OnceCell::new(),
            redactor: RefCell::new(redactor),
        }
    }

    /// Sets the `Authorization` header for all later calls: a scheme such as `Bearer`, and a secret.
    pub fn authorize(&self, scheme: &str, secret: &Secret<String>) {
        self.hide(secret.expose());
        let value = Secret::new(format!("{scheme} {}", secret.expose()));
        *self.authorization.borrow_mut() = Some(value);
    }

    /// Hides a secret in all messages.
    pub fn hide(&self, secret: &str) {
        self.redactor.borrow_mut().hide(secret);
    }

    /// Hides the private parts of the keys in a document in all messages.
    pub fn hide_keys(&self, json: &str) {
        self.redactor.borrow_mut().hide_keys(json);
    }

    /// Hides every text in a JSON document in all messages.
    pub fn hide_texts(&self, json: &str) {
        self.redactor.borrow_mut().hide_texts(json);
    }

    /// Returns the remote's name.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Returns the options of the calls.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Sets the base address before the first call, and the certificates that the server's own entry lacks.
    pub fn lead_to(&self, base: Url, mut trust: Trust) {
        let own = &self.server.trust;
        trust.cacert = own.cacert.clone().or(trust.cacert);
        if own.cert.is_some() {
            (trust.cert, trust.key) = (own.cert.clone(), own.key.clone());
        }
        // A second address would be that of another server, so the first one stays.
        let _ = self.found.set((base, trust));
    }

    /// Returns the base address of all calls. It can be a secret.
    pub fn url(&self) -> &Url {
        let found = self.found.get();
        found.map_or(&self.server.base, |(base, _)| base)
    }

    fn trust(&self) -> &Trust {
        let found = self.found.get();
        found.map_or(&self.server.trust, |(_, trust)| trust)
    }

    /// Returns the headers of the remote's entry whose names begin with a prefix, in lower case.
    pub fn headers(&self, prefix: &str) -> impl Iterator<Item = (String, String)> {
        let lower = |(name, value): &(String, Secret<String>)| {
            (name.to_ascii_lowercase(), value.expose().clone())
        };
        let headers = self.server.headers.iter().map(lower);
        headers.filter(move |(name, _)| name.starts_with(prefix))
    }

    /// Returns true if the address is a secret.
    pub fn has_secret_address(&self) -> bool {
        self.server.privacy == Privacy::Secret
    }

    /// Returns true if calls show a client certificate.
    pub fn has_certificate(&self) -> bool {
        self.trust().cert.is_some()
    }

    /// Returns true if calls use TLS.
    pub fn is_https(&self) -> bool {
        self.url().scheme() == "https"
    }

    /// Returns the base address of all calls, for display.
    pub fn base(&self) -> String {
        self.show(self.url())
    }

    /// Returns an address for display. Of a secret address, only the server's name is shown.
    fn show(&self, url: &Url) -> String {
        match self.server.privacy {
            Privacy::Shown => show(url),
            Privacy::Secret => format!("{}/(secret)", url.origin().ascii_serialization()),
        }
    }

    /// Returns a call for messages: its method and address.
    pub(super) fn describe(&self, request: &Request, url: &Url) -> String {
        format!("{} {}", request.method, self.address_of(request, url))
    }

    /// Returns the address of a call for messages.
    pub(super) fn address_of(&self, request: &Request, url: &Url) -> String {
        self.show(request.shown.as_ref().unwrap_or(url))
    }

    /// Makes a call and returns its answer, whatever the status. Returns an error if there is no
    /// answer.
    pub fn send(&self, request: &Request) -> Result<Answer> {
        if let Some((_, body)) = &request.body {
            self.redactor.borrow_mut().hide_keys(body.expose());
        }
        let first = self.address(request)?;
        let clean = |words| self.clean(words);
        let mut url = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            self.refuse_plain_http(&url)?;
            let answer = self.persist(request, &url)?;
            if request.redirects == Redirects::Returned {
                return Ok(answer);
            }
            match redirected(request, &url, &answer, self.is_authenticated(), &clean)? {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        let call = self.describe(request, &first);
        Err(Error::remote(format!(
            "{call} was redirected more than {MOST_REDIRECTS} times"
        )))
    }

    pub(super) fn address(&self, request: &Request) -> Result<Url> {
        let mut url = match &request.address {
            Some(address) => {
                if request.shown.is_some() {
                    // The address is signed: its query gives access by itself.
                    self.redactor.borrow_mut().hide_query(address);
                }
                return Ok(address.clone());
            }
            None => self.url().clone(),
        };
        // These segments would address something else, such as the whole set.
        let last = request.path.len().saturating_sub(1);
        let names = request.path.iter().enumerate();
        for (i, name) in names {
            if matches!(&**name, "." | "..") || (name.is_empty() && i != last) {
                return Err(Error::usage(format!(
                    "{name:?} cannot be named in an address"
                )));
            }
        }
        // Only addresses without a host, such as mailto:, have no path.
        if let Ok(mut path) = url.path_segments_mut()
            && !request.path.is_empty()
        {
            path.pop_if_empty().extend(&request.path);
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }

    /// Removes our secrets from a text of the server, and shortens it.
    pub fn clean(&self, words: String) -> String {
        shorten(self.redactor.borrow().clean(words))
    }

    /// Returns true if calls carry a secret, such as a token.
    pub fn is_authenticated(&self) -> bool {
        self.server.privacy == Privacy::Secret
            || self.authorization.borrow().is_some()
            || !self.server.headers.is_empty()
            || self.has_certificate()
    }

    pub(super) fn refuse_plain_http(&self, url: &Url) -> Result<()> {
        let is_private = self.server.traffic == Traffic::Private || self.is_authenticated();
        if url.scheme() == "https" || is_loopback(url) {
            return Ok(());
        }
        if !is_private || self.options.allow_insecure_http {
            let message = format!(
                "{} is not https: others on the network can read and change its answers",
                self.show(url)
            );
            (self.options.notify)(Event::Warning(&message));
            return Ok(());
        }
        Err(Error::refused(format!(
            "private keys and tokens are not sent over plain http to {}",
            self.show(url)
        ))
        .hint(self.options.advice.plain_http))
    }

    /// Makes a call, and retries it according to the options.
    fn persist(&self, request: &Request, url: &Url) -> Result<Answer> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.once(request, url)?;
            let (reason, asked) = match &outcome {
                Ok(answer) => (
                    reason_after_answer(&self.server.retries, request, answer),
                    answer.retry_after,
                ),
                Err(error) => (
                    reason_after_failure(&self.server.retries, request, error),
                    None,
                ),
            };
            let wait = asked.unwrap_or_else(|| jittered(pause));
            let is_hopeless = tries >= self.server.retries.tries
                || start.elapsed().saturating_add(wait) > PATIENCE;
            let Some(reason) = reason.filter(|_| !is_hopeless) else {
                return outcome.map_err(|error| self.error(request, url, &error));
            };
            let reason = format!("{}: {reason}", self.describe(request, url));
            (self.options.notify)(Event::Repeat {
                reason: &reason,
                pause: wait,
            });
            std::thread::sleep(wait);
            pause = longer(pause);
        }
    }

    /// Makes a call once.
    fn once(&self, request: &Request, url: &Url) -> Result<Result<Answer, ureq::Error>> {
        let call = self.describe(request, url);
        if request.changes() {
            self.options.watch.begin(call.clone());
        }
        let start = Instant::now();
        let answered = self.exchange(request, url)?;
        let took = start.elapsed();
        let outcome = match answered {
            Ok(response) => read(call, response, FOREIGN_LIMIT, |words| self.clean(words)),
            Err(error) => Ok(Err(error)),
        };
        (self.options.notify)(Event::Call {
            method: request.method.as_str(),
            address: &self.address_of(request, url),
            status: match &outcome {
                Ok(Ok(answer)) => Some(answer.status),
                _ => None,
            },
            took,
        });
        outcome
    }

    fn exchange(
        &self,
        request: &Request,
        url: &Url,
    ) -> Result<Result<Response<Body>, ureq::Error>> {
        let call = self.call(request, url);
        let agent = self.agent()?;
        let proxy = proxy(url)?;
        let invalid = |error: http::Error| {
            Error::usage(format!("cannot call {}", self.show(url))).cause(error)
        };
        Ok(match &request.body {
            Some((media_type, body)) => {
                let call = call.header("Content-Type", *media_type);
                let call = call.body(body.expose().as_str()).map_err(invalid)?;
                let call = agent.configure_request(call).proxy(proxy).build();
                agent.run(call)
            }
            None => {
                let call = call.body(()).map_err(invalid)?;
                let call = agent.configure_request(call).proxy(proxy).build();
                agent.run(call)
            }
        })
    }

    /// Returns a call without its body.
    pub(super) fn call(&self, request: &Request, url: &Url) -> http::request::Builder {
        let mut call = http::Request::builder()
            .method(&request.method)
            .uri(url.as_str())
            .header("Accept", request.accept);
        // Credentials for this server must not go to another one.
        if url.origin() == self.url().origin() {
            for (name, value) in self.server.headers.iter().chain(&request.headers) {
                call = call.header(name, value.expose());
            }
            if let Some(authorization) = &*self.authorization.borrow() {
                call = call.header("Authorization", authorization.expose());
            }
        }
        call
    }

    pub(super) fn agent(&self) -> Result<&Agent> {
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let agent = agent(&self.options, self.trust())?;
        Ok(self.agent.get_or_init(|| agent))
    }

    fn error(&self, request: &Request, url: &Url, error: &ureq::Error) -> Error {
        let over_proxy = match proxy(url) {
            Ok(Some(proxy)) => format!(" over the proxy {}", proxy.host()),
            _ => String::new(),
        };
        let call = format!("{}{over_proxy}", self.describe(request, url));
        let failure = Failure {
            error,
            options: &self.options,
            is_https: url.scheme() == "https",
            may_have_changed: request.changes() && !was_never_sent(error),
        };
        failure.about(&call, |text| self.clean(text))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::http::ADVICE_FOR_REMOTES;
    use crate::remote::http::{Event, Retries, Watch};
    use std::rc::Rc;
    use std::time::Duration;

    /// A call may not wait for the name of a host longer than for a connection.
    #[test]
    fn resolving_a_name_has_a_limit() {
        let connect_timeout = Duration::from_secs(7);
        let endpoint = Endpoint {
            name: "prod".into(),
            base: Url::parse("https://h.example").unwrap(),
            privacy: Privacy::Shown,
            headers: Vec::new(),
            traffic: Traffic::Public,
            retries: Retries::USUAL,
            trust: Trust::default(),
        };
        let options = Options {
            connect_timeout,
            timeout: Duration::from_secs(9),
            allow_insecure_http: false,
            advice: &ADVICE_FOR_REMOTES,
            now: 0,
            notify: Rc::new(|_: Event| {}),
            watch: Watch::default(),
        };
        let client = Client::new(endpoint, options);
        let timeouts = client.agent().unwrap().config().timeouts();
        assert_eq!(timeouts.resolve, Some(connect_timeout));
        assert_eq!(timeouts.connect, Some(connect_timeout));
        let said = |error: ureq::Error| {
            let request = Request::get([""; 0]);
            client
                .error(&request, &client.server.base, &error)
                .to_string()
        };
        use ureq::Timeout::{Connect, Global, RecvBody, Resolve};
        for (limit, words) in [
            (Resolve, "the name of the host was not resolved within 7 s"),
            (Connect, "no connection within 7 s"),
            (Global, "no complete answer within 9 s"),
            (RecvBody, "no complete answer within 9 s"),
        ] {
            let error = said(ureq::Error::Timeout(limit));
            assert!(error.contains(words), "{error}");
        }
    }
}
