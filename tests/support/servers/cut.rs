//! A gateway that closes connections without an answer.

use super::hostile::Listener;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// When the gateway cuts the connection of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// After it has received the whole request. The server does not receive it.
    Before,
    /// After the server has carried out the request and answered, as after its write timeout.
    After,
    /// The same, and every later call fails with status 500.
    AndGone,
}

/// A gateway in front of a server. It cuts the connection at the first calls of a method.
pub struct Cutting {
    listener: Listener,
    cut: Arc<AtomicUsize>,
}

impl Cutting {
    /// Starts the gateway. `server` is the address of the server, `http://127.0.0.1:PORT`.
    pub fn in_front_of(server: &str, when: Cut, method: &'static str, times: usize) -> Cutting {
        let server = server.replace("http://", "");
        let cut = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&cut);
        let listener = Listener::start("127.0.0.1", move |mut client| {
            let Ok((head, body)) = read_request(client) else {
                return;
            };
            if when == Cut::AndGone && count.load(Ordering::SeqCst) >= times {
                let _ = client.write_all(GONE);
                return;
            }
            let is_due = head.starts_with(method) && count.load(Ordering::SeqCst) < times;
            if !is_due {
                let _ = pass_on(&mut client, &server, &head, &body);
                return;
            }
            count.fetch_add(1, Ordering::SeqCst);
            if when != Cut::Before {
                let _ = pass_on(&mut io::sink(), &server, &head, &body);
            }
        });
        Cutting { listener, cut }
    }

    /// Returns `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Returns the number of connections that were cut.
    pub fn cuts(&self) -> usize {
        self.cut.load(Ordering::SeqCst)
    }
}

/// The answer of a gateway whose server is gone.
const GONE: &[u8] =
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Returns the head and the body of a request.
pub fn read_request(client: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    if !head.ends_with("\r\n\r\n") {
        // The client is gone. The server would wait for the rest.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let lowercase = head.to_ascii_lowercase();
    let length = lowercase.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

/// Sends a request to a server, and its whole answer to the client. The answer has `Connection: close`,
/// so that the client makes no other call on the connection.
pub fn pass_on(
    client: &mut impl io::Write,
    server: &str,
    head: &str,
    body: &[u8],
) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = BufReader::new(server);
    let mut status = String::new();
    answer.read_line(&mut status)?;
    client.write_all(format!("{status}Connection: close\r\n").as_bytes())?;
    io::copy(&mut answer, client).map(drop)
}
