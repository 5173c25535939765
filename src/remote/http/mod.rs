//! Calls to servers, and the rules for all of them.
//!
//! Private keys and tokens are sent only over https, or to a loopback address. Calls that have a token or
//! write are not redirected. Calls have time limits, answers a maximum size, and retries are limited.
//! Messages contain neither tokens nor private members.

mod agent;
mod caching;
mod client;
mod endpoint;
mod failure;
mod proxy;
mod reading;
mod redact;
mod redirect;
mod request;
mod response;
mod retry;
mod tls;
mod together;
mod xml_error;

pub use caching::{Caching, LONGEST_LIFETIME};
pub use client::Client;
pub use endpoint::{Endpoint, Privacy};
pub use request::{
    ADVICE_FOR_REMOTES, Advice, Event, Notify, Options, Request, Retries, Traffic, Unanswered,
    Verdict, Watch,
};
pub use response::{Answer, parse};
pub use retry::jittered;
pub use tls::Trust;
pub use together::TOGETHER;
pub use xml_error::element;

use crate::remote::location::has_secret_query;
use std::net::IpAddr;
use url::{Host, Url};

/// Returns an address for display, without user name and password, and without a query that contains a
/// secret, such as that of a presigned address.
pub fn show(url: &Url) -> String {
    let mut url = url.clone();
    if has_secret_query(&url) {
        url.set_query(Some("(secret)"));
    }
    // Only addresses without a host have no place for them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// Returns true if an address is on this machine: 127.0.0.0/8, ::1 or localhost.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
