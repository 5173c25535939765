//! A gateway that cuts connections when the simulated server behind it decides so.

use super::cut::{pass_on, read_request};
use super::hostile::Listener;
use super::{Answer, Server};
use std::io::Write as _;

/// The status of an answer that the gateway withholds.
const CUT: u16 = 599;

/// The answer that makes a [`Front`] cut the connection. The server has received the call.
pub fn cut() -> Answer {
    Answer::empty(CUT)
}

/// A gateway that passes each call on to a server. It stops when it is dropped.
pub struct Front {
    listener: Listener,
}

impl Front {
    pub fn start(server: &Server) -> Front {
        let server = server.address().replace("http://", "");
        let listener = Listener::start("127.0.0.1", move |mut client| {
            let Ok((head, body)) = read_request(client) else {
                return;
            };
            let mut answer = Vec::new();
            // The server can reset the connection after its answer.
            let _ = pass_on(&mut answer, &server, &head, &body);
            if !answer.starts_with(format!("HTTP/1.1 {CUT}").as_bytes()) {
                // The client can have closed the connection.
                let _ = client.write_all(&answer);
            }
        });
        Front { listener }
    }

    /// Returns `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }
}
