//! Servers that send their clients elsewhere (E2), and another host for them to be sent to.

use super::hostile::Listener;
use super::{Answer, Server};
use std::io::copy;
use std::net::{Shutdown, TcpStream};

/// The statuses that redirect.
pub const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// Makes servers that redirect; what they were asked is in [`Server::calls`].
pub struct Redirect;

impl Redirect {
    /// Redirects every request there, be it an address, a path, or something that is neither.
    pub fn to(status: u16, location: &str) -> Server {
        let answer = Answer::empty(status).header("Location", location);
        Server::start(move |_| answer.clone())
    }

    /// Redirects the first request only, so that a location may lead back to the same server,
    /// which gives `last` to all others.
    pub fn once(status: u16, location: &str, last: Answer) -> Server {
        let server = Server::start(move |_| last.clone());
        server.answer_next(Answer::empty(status).header("Location", location));
        server
    }

    /// Redirects, but does not say where to.
    pub fn without_location(status: u16) -> Server {
        Server::start(move |_| Answer::empty(status))
    }

    /// Redirects this many times before it gives `last`: from any path to `/hop/1`, and on from
    /// there.
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

/// The same server as another host: `localhost` in place of 127.0.0.1.
pub fn by_name(address: &str) -> String {
    address.replace("127.0.0.1", "localhost")
}

/// A plain server at 127.0.0.2 as well. It ends with its value.
pub struct OtherHost {
    listener: Listener,
}

impl OtherHost {
    /// Takes the address of the server, `http://127.0.0.1:PORT`.
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

    /// `http://127.0.0.2:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }
}

/// Copies what comes until one side ends; then the other one ends as well.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
