//! Servers that redirect, and a second host as the target of redirects.

use super::hostile::Listener;
use super::{Answer, Server};
use std::io::copy;
use std::net::{Shutdown, TcpStream};

/// The statuses that redirect.
pub const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// Starts servers that redirect. [`Server::calls`] has the requests that they received.
pub struct Redirect;

impl Redirect {
    /// Redirects every request to a location, which can be an address, a path or invalid.
    pub fn to(status: u16, location: &str) -> Server {
        let answer = Answer::empty(status).header("Location", location);
        Server::start(move |_| answer.clone())
    }

    /// Redirects the first request only, so that the location can be the same server. All others get
    /// `last`.
    pub fn once(status: u16, location: &str, last: Answer) -> Server {
        let server = Server::start(move |_| last.clone());
        server.answer_next(Answer::empty(status).header("Location", location));
        server
    }

    /// Redirects without a Location header.
    pub fn without_location(status: u16) -> Server {
        Server::start(move |_| Answer::empty(status))
    }

    /// Redirects `hops` times, from any path to `/hop/1`, `/hop/2` and so on. The last one answers with
    /// `last`.
    pub fn chain(status: u16, hops: usize, last: Answer) -> Server {
        Server::start(move |call| {
            let hop = call.path.strip_prefix("/hop/");
            let hop = hop.and_then(|hop| hop.parse().ok()).unwrap_or(0);
            if hop < hops {
                Answer::empty(status).header("Location", format!("/hop/{}", hop + 1))
            } else {
                last.clone()
            }
        })
    }
}

/// Returns the address with the host `localhost` in place of 127.0.0.1.
pub fn by_name(address: &str) -> String {
    address.replace("127.0.0.1", "localhost")
}

/// Makes a plain server available at 127.0.0.2, too. Stops when it is dropped.
pub struct OtherHost {
    listener: Listener,
}

impl OtherHost {
    /// Starts the second host. `server` is the address of the server, `http://127.0.0.1:PORT`.
    pub fn of(server: &str) -> OtherHost {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = Listener::start("127.0.0.2", move |client| {
            if let Ok(server) = TcpStream::connect(&server) {
                server.set_nodelay(true).expect("a stream");
                std::thread::scope(|scope| {
                    scope.spawn(|| pass_on(client, &server));
                    pass_on(&server, client);
                });
            }
        });
        OtherHost { listener }
    }

    /// Returns `http://127.0.0.2:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }
}

/// Copies bytes until one side ends the stream, and then ends the other side.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
