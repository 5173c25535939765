//! The way over a proxy, from the usual environment variables.

use super::is_loopback;
use ureq::Proxy;
use url::Url;

/// The proxy for an address, from the usual variables. Nothing on this machine goes over one.
pub fn proxy(url: &Url) -> Option<Proxy> {
    if is_loopback(url) {
        return None;
    }
    let variable = |names: [&str; 4]| {
        let values = names
            .into_iter()
            .filter_map(|name| std::env::var(name).ok());
        values.into_iter().find(|value| !value.is_empty())
    };
    let address = match url.scheme() {
        "https" => variable(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
        _ => variable(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
    }?;
    let found = Proxy::new(&address).ok()?;
    let mut proxy = Proxy::builder(found.protocol())
        .host(found.host())
        .port(found.port());
    if let Some(name) = found.username() {
        proxy = proxy.username(name);
    }
    if let Some(password) = found.password() {
        proxy = proxy.password(password);
    }
    let exceptions = variable(["no_proxy", "NO_PROXY", "", ""]).unwrap_or_default();
    for exception in exceptions.split(',').map(str::trim) {
        // A name stands for the names below it as well.
        proxy = proxy.no_proxy(exception);
        if !exception.starts_with(['*', '.']) && !exception.is_empty() {
            proxy = proxy.no_proxy(&format!(".{exception}"));
        }
    }
    proxy.build().ok()
}
