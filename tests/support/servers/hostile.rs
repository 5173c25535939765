//! Servers that misbehave in ways that an HTTP library would not allow, and the listener that they and
//! others use.

use super::{Call, lock};
use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// The time after which endless answers end, longer than any client waits.
const LIMIT: Duration = Duration::from_secs(120);

/// The pause between two bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(100);

/// The Content-Length of an endless body, in bytes.
const TERABYTE: usize = 1_000_000_000_000;

/// The number of paths in the redirect loop.
const HOPS: usize = 100;

const JSON: &str = "application/json";

/// The beginning of an endless JWK Set, followed by one key after the other.
const BEGINNING: &str = r#"{"keys":["#;
const KEY: &str = r#"{"kty":"OKP"},"#;

/// A complete JWK Set. A client must not accept it from an incomplete answer.
const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"good-1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// How a server answers every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    /// Chunks of an endless JWK Set, as fast as possible.
    EndlessChunks,
    /// An endless JWK Set with a Content-Length of a terabyte.
    EndlessLength,
    /// A body of one byte every 100 ms.
    DrippingBody,
    /// A head of one byte every 100 ms.
    DrippingHead,
    /// Endless headers, as fast as possible.
    EndlessHead,
    /// A complete JWK Set, shorter than its Content-Length; then the connection ends.
    CutLength,
    /// A complete JWK Set in one chunk; then the connection ends without the last chunk.
    CutChunks,
    /// The connection ends after the request.
    CutBeforeAnswer,
    /// 10 MB of gzip that unpack to a JWK Set of 10 GB.
    GzipBomb,
    /// A JWK Set with an unknown Content-Encoding.
    UnknownEncoding,
    EmptyBody,
    /// An HTML page with status 200.
    Html,
    /// Half a JWK Set, with the right Content-Length.
    TruncatedJson,
    /// `{"keys":null}`.
    NullKeys,
    /// A JWK Set whose kid is not UTF-8.
    InvalidUtf8,
    /// No answer at all.
    Silent,
    /// Each of 100 paths leads to the next, and the last to the first.
    RedirectLoop,
}

impl Behavior {
    pub const ALL: [Behavior; 17] = [
        Behavior::EndlessChunks,
        Behavior::EndlessLength,
        Behavior::DrippingBody,
        Behavior::DrippingHead,
        Behavior::EndlessHead,
        Behavior::CutLength,
        Behavior::CutChunks,
        Behavior::CutBeforeAnswer,
        Behavior::GzipBomb,
        Behavior::UnknownEncoding,
        Behavior::EmptyBody,
        Behavior::Html,
        Behavior::TruncatedJson,
        Behavior::NullKeys,
        Behavior::InvalidUtf8,
        Behavior::Silent,
        Behavior::RedirectLoop,
    ];
}

/// A server that misbehaves on every connection. It stops when it is dropped.
pub struct Hostile {
    listener: Listener,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Hostile {
    pub fn start(behavior: Behavior) -> Hostile {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&calls);
        let listener = Listener::start("127.0.0.1", move |stream| {
            if let Some(call) = receive(stream) {
                lock(&log).push(call.clone());
                // The client can close the connection before the answer ends.
                let _ = answer(stream, behavior, &call);
            }
        });
        Hostile { listener, calls }
    }

    /// Returns `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        self.listener.connections()
    }

    /// Returns the requests, one for each connection. Chunked bodies are not decoded.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }
}

/// Reads a request. If it is cut off, returns the part that arrived, because that can contain secrets.
fn receive(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut read_line = |to: &mut Vec<u8>| matches!(reader.read_until(b'\n', to), Ok(1..));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && read_line(&mut head) {}
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, target) = (word().to_owned(), word());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    let mut call = Call {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: lines.filter_map(header).collect(),
        body: String::new(),
    };
    let mut body = Vec::new();
    if call.header("Transfer-Encoding").is_some() {
        while !body.ends_with(b"0\r\n\r\n") && read_line(&mut body) {}
    } else if let Some(length) = call.header("Content-Length") {
        // Keep what was read, even if the rest never arrives.
        let _ = reader
            .take(length.parse().unwrap_or(0))
            .read_to_end(&mut body);
    }
    call.body = String::from_utf8_lossy(&body).into_owned();
    Some(call)
}

fn answer(mut stream: &TcpStream, behavior: Behavior, call: &Call) -> io::Result<()> {
    match behavior {
        Behavior::EndlessChunks => {
            stream.write_all(&head("200 OK", JSON, "Transfer-Encoding: chunked"))?;
            stream.write_all(&chunk(BEGINNING))?;
            without_end(stream, &chunk(&KEY.repeat(1000)))
        }
        Behavior::EndlessLength => {
            stream.write_all(&head("200 OK", JSON, &length(TERABYTE)))?;
            stream.write_all(BEGINNING.as_bytes())?;
            without_end(stream, KEY.repeat(1000).as_bytes())
        }
        Behavior::DrippingBody => {
            stream.write_all(&head("200 OK", JSON, &length(TERABYTE)))?;
            drip(stream, BEGINNING, b' ')
        }
        Behavior::DrippingHead => drip(stream, "HTTP/1.1 200 OK\r\nX-Filler: ", b'a'),
        Behavior::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            let header = format!("X-Filler: {}\r\n", "a".repeat(1000));
            without_end(stream, header.as_bytes())
        }
        Behavior::CutLength => {
            stream.write_all(&head("200 OK", JSON, &length(SET.len() + 1000)))?;
            stream.write_all(SET.as_bytes())
        }
        Behavior::CutChunks => {
            stream.write_all(&head("200 OK", JSON, "Transfer-Encoding: chunked"))?;
            stream.write_all(&chunk(SET))
        }
        Behavior::CutBeforeAnswer => Ok(()),
        Behavior::GzipBomb => bomb(stream),
        Behavior::UnknownEncoding => {
            let encoding = "Content-Encoding: unheard-of\r\n".to_owned();
            stream.write_all(&head("200 OK", JSON, &(encoding + &length(SET.len()))))?;
            stream.write_all(SET.as_bytes())
        }
        Behavior::EmptyBody => whole(stream, JSON, b""),
        Behavior::Html => {
            let page = b"<!DOCTYPE html>\n<title>Sign in</title>\n<p>Please sign in.</p>\n";
            whole(stream, "text/html", page)
        }
        Behavior::TruncatedJson => whole(stream, JSON, &SET.as_bytes()[..SET.len() / 2]),
        Behavior::NullKeys => whole(stream, JSON, br#"{"keys":null}"#),
        Behavior::InvalidUtf8 => {
            let (before, after) = SET.split_once("good-1").expect("a kid");
            let set = [before.as_bytes(), b"\xff\xfe", after.as_bytes()].concat();
            whole(stream, JSON, &set)
        }
        Behavior::Silent => io::copy(&mut stream, &mut io::sink()).map(drop),
        Behavior::RedirectLoop => {
            let hop = call.path.strip_prefix("/hop/");
            let hop = hop.and_then(|hop| hop.parse().ok()).unwrap_or(0);
            let next = (hop + 1) % HOPS;
            let location = format!("Location: /hop/{next}\r\n{}", length(0));
            stream.write_all(&head("302 Found", "text/plain", &location))
        }
    }
}

fn whole(mut stream: &TcpStream, content_type: &str, body: &[u8]) -> io::Result<()> {
    stream.write_all(&head("200 OK", content_type, &length(body.len())))?;
    stream.write_all(body)
}

/// Returns the head of an answer, including the empty line.
fn head(status: &str, content_type: &str, headers: &str) -> Vec<u8> {
    let first = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {content_type}");
    format!("{first}\r\n{headers}\r\n\r\n").into_bytes()
}

fn length(octets: impl Display) -> String {
    format!("Content-Length: {octets}")
}

fn chunk(content: &str) -> Vec<u8> {
    format!("{:x}\r\n{content}\r\n", content.len()).into_bytes()
}

/// Sends the same bytes again and again, as fast as possible.
fn without_end(mut stream: &TcpStream, octets: &[u8]) -> io::Result<()> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        stream.write_all(octets)?;
    }
    Ok(())
}

/// Sends a beginning, and then the same byte again and again, slowly.
fn drip(mut stream: &TcpStream, beginning: &str, then: u8) -> io::Result<()> {
    let start = Instant::now();
    for octet in beginning.bytes().chain(std::iter::repeat(then)) {
        if start.elapsed() > LIMIT {
            break;
        }
        stream.write_all(&[octet])?;
        sleep(DRIP);
    }
    Ok(())
}

/// Sends gzip data of `{"keys":[`, 10,000,000,600 spaces and `]}`. Deflate encodes a repetition of 258
/// bytes in two zero bits, so the data is zeros except for the two ends.
fn bomb(mut stream: &TcpStream) -> io::Result<()> {
    let size = BOMB_START.len() + BOMB_ZEROS + BOMB_END.len();
    let encoding = "Content-Encoding: gzip\r\n".to_owned();
    stream.write_all(&head("200 OK", JSON, &(encoding + &length(size))))?;
    stream.write_all(&BOMB_START)?;
    io::copy(&mut io::repeat(0).take(BOMB_ZEROS as u64), &mut stream)?;
    stream.write_all(&BOMB_END)
}

const BOMB_ZEROS: usize = 9_689_922;

/// The gzip header, the beginning of the JSON, and the Huffman code for the spaces.
const BOMB_START: [u8; 42] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xaa, 0x56, 0xca, 0x4e, 0xad, 0x2c,
    0x56, 0xb2, 0x8a, 0x06, 0x00, 0x00, 0x00, 0xff, 0xff, 0xec, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00,
    0xc2, 0xa0, 0x2a, 0xeb, 0x9f, 0xd2, 0x10, 0xbe, 0x40, 0x01,
];

/// The end of the JSON, the checksum of all 10,000,000,611 bytes, and their number modulo 2^32.
const BOMB_END: [u8; 18] = [
    0x7c, 0x06, 0x00, 0x00, 0xff, 0xff, 0x8b, 0xad, 0x05, 0x00, 0x61, 0xa3, 0x58, 0xc7, 0x63, 0xe6,
    0x0b, 0x54,
];

/// Listens on a loopback address, with a thread for each connection. Everything stops when it is
/// dropped.
pub struct Listener {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// The number of connections, which also numbers them.
    accepted: usize,
    open: HashMap<usize, TcpStream>,
    is_over: bool,
}

impl Listener {
    /// Passes each connection to `serve`, and closes it afterwards.
    pub fn start(host: &str, serve: impl Fn(&TcpStream) + Send + Sync + 'static) -> Listener {
        let listener = TcpListener::bind((host, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared::default()));
        let state = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let (serve, state) = (&serve, &state);
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    if lock(state).is_over {
                        break;
                    }
                    if let Ok((number, stream)) = stream.and_then(|it| enter(state, it)) {
                        scope.spawn(move || {
                            serve(&stream);
                            let _ = stream.shutdown(Shutdown::Both);
                            lock(state).open.remove(&number);
                        });
                    }
                }
            });
        });
        Listener {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        lock(&self.shared).accepted
    }
}

/// Registers a connection, so that it can be closed from another thread.
fn enter(shared: &Mutex<Shared>, stream: TcpStream) -> io::Result<(usize, TcpStream)> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut shared = lock(shared);
    shared.accepted += 1;
    let number = shared.accepted;
    shared.open.insert(number, stream.try_clone()?);
    if shared.is_over {
        stream.shutdown(Shutdown::Both)?;
    }
    Ok((number, stream))
}

impl Drop for Listener {
    fn drop(&mut self) {
        {
            let mut shared = lock(&self.shared);
            shared.is_over = true;
            for stream in shared.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // Wakes up the accepting thread, so that it sees the end.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
