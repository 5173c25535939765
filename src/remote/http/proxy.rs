//! Finds the proxy for an address in the usual environment variables.

use crate::environment;
use crate::error::{Error, Result};
use crate::remote::http::is_loopback;
use ureq::{Proxy, ProxyProtocol};
use url::Url;

/// Returns the proxy for an address; `None` for a direct connection. Addresses on this machine use no
/// proxy. Returns an error if the proxy is invalid, because a direct connection may be forbidden.
pub fn proxy(url: &Url) -> Result<Option<Proxy>> {
    let address = match url.scheme() {
        _ if is_loopback(url) => None,
        "https" => variable(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
        _ => variable(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
    };
    let Some(address) = address else {
        return Ok(None);
    };
    let proxy = build(&address).ok_or_else(|| {
        // The proxy can contain a password, so the message does not repeat it.
        Error::usage("the proxy in the environment is invalid")
            .hint("use a proxy such as http://host:port; SOCKS is not supported")
    })?;
    let address = url.as_str().parse().unwrap_or_default();
    Ok(Some(proxy).filter(|proxy| !proxy.is_no_proxy(&address)))
}

fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| environment::value(name))
}

fn build(address: &str) -> Option<Proxy> {
    let found = Proxy::new(address).ok()?;
    if !matches!(found.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return None;
    }
    let mut proxy = Proxy::builder(found.protocol())
        .host(found.host())
        .port(found.port());
    if let Some(name) = found.username() {
        proxy = proxy.username(name);
    }
    if let Some(password) = found.password() {
        proxy = proxy.password(password);
    }
    let exceptions = variable(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    for exception in exceptions.split(',').map(str::trim) {
        // A name also matches its subdomains.
        proxy = proxy.no_proxy(exception);
        if !exception.starts_with(['*', '.']) && !exception.is_empty() {
            proxy = proxy.no_proxy(&format!(".{exception}"));
        }
    }
    proxy.build().ok()
}
