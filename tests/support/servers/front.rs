//! A gateway in front of a server, which can withhold an answer by cutting the connection.

use super::hostile::Listener;
use super::{Answer, Server};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

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
            if pass_on(&server, &head, &body, &mut answer).is_ok()
                && !answer.starts_with(format!("HTTP/1.1 {CUT}").as_bytes())
            {
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

/// The head and the body of a request.
pub fn read_request(client: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let lowercase = head.to_ascii_lowercase();
    let length = lowercase.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

/// Makes the call to a server at `HOST:PORT`, and copies what it answers.
pub fn pass_on(
    server: &str,
    head: &str,
    body: &[u8],
    mut answer: impl io::Write,
) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(&[head.as_bytes(), body].concat())?;
    io::copy(&mut server, &mut answer).map(drop)
}
