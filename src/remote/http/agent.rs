//! The settings of the HTTP library.

use crate::error::Result;
use crate::remote::http::request::Options;
use crate::remote::http::tls::Trust;
use crate::remote::http::together::TOGETHER;
use ureq::Agent;

/// Returns what makes the calls to one server. Returns an error if a certificate cannot be used.
pub(super) fn agent(options: &Options, trust: &Trust) -> Result<Agent> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("jwks/", env!("CARGO_PKG_VERSION")))
        // By default, name resolution has no time limit.
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_global(Some(options.timeout))
        // Calls that are made together keep their connections for the next ones.
        .max_idle_connections(TOGETHER)
        .max_idle_connections_per_host(TOGETHER)
        .tls_config(trust.config()?)
        .build();
    Ok(config.new_agent())
}
