//! A gateway in front of a server that decides itself which of its answers are cut off.

use super::cut::{pass_on, read_request};
use super::hostile::Listener;
use super::{Answer, Server};
use std::io::Write as _;

/// The status of an answer that the gateway withholds.
const CUT: u16 = 599;

/// The answer to a call that a [`Front`] cuts off. The server has received the call.
pub fn cut() -> Answer {
    Answer::empty(CUT)
}

/// A gateway that passes each call on to a server; it ends with its value.
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
            // The server may reset the connection after its answer.
            let _ = pass_on(&mut answer, &server, &head, &body);
            if !answer.starts_with(format!("HTTP/1.1 {CUT}").as_bytes()) {
                // The client may have gone.
                let _ = client.write_all(&answer);
            }
        });
        Front { listener }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }
}
