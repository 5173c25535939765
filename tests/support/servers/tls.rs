//! A certificate authority with valid and invalid certificates, and TLS in front of a plain server.

use super::hostile::Listener;
use super::lock;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Builder, X509Name};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::{NamedTempFile, TempDir};

/// What a server's certificate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, signed by the authority.
    Valid,
    /// Signed with its own key.
    SelfSigned,
    Expired,
    NotYetValid,
    /// For a host name that is not this computer's.
    WrongHost,
    /// Signed by an authority that the client does not trust.
    OtherAuthority,
}

/// A certificate authority. Its files are deleted when it is dropped.
pub struct Authority {
    directory: TempDir,
    key: PKey<Private>,
    certificate: X509,
}

/// The files of a client's certificate and private key, with mode 0600.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The purpose of a certificate.
enum Purpose<'n> {
    Authority,
    /// A server with these host names.
    Server(&'n [&'n str]),
    Client,
}

impl Authority {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let key = new_key().expect("a key");
        let name = directory.path().file_name().expect("a name of its own");
        let name = format!("authority {}", name.to_string_lossy());
        let certificate = issue(&name, &key, &Purpose::Authority, -90..90, None);
        let certificate = certificate.expect("the authority's certificate");
        let pem = certificate.to_pem().expect("PEM");
        write(&directory.path().join("authority.pem"), &pem);
        Authority {
            directory,
            key,
            certificate,
        }
    }

    /// Returns the path of the authority's own certificate as PEM, for clients that trust it.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// Returns a new client certificate with its key.
    pub fn client_certificate(&self) -> ClientCertificate {
        let key = new_key().expect("a key");
        let certificate = issue("client", &key, &Purpose::Client, -30..30, Some(self));
        let certificate = certificate.and_then(|certificate| certificate.to_pem());
        let files = ClientCertificate {
            certificate: self.directory.path().join("client.pem"),
            key: self.directory.path().join("client.key"),
        };
        write(&files.certificate, &certificate.expect("a certificate"));
        write(&files.key, &key.private_key_to_pem_pkcs8().expect("PEM"));
        files
    }

    /// Returns a new key and certificate for a server on this computer. `kind` says what is wrong with
    /// it.
    fn server_certificate(&self, kind: Certificate) -> Result<(PKey<Private>, X509), ErrorStack> {
        let other;
        let issuer = match kind {
            Certificate::SelfSigned => None,
            Certificate::OtherAuthority => {
                other = Authority::new();
                Some(&other)
            }
            _ => Some(self),
        };
        let hosts: &[_] = match kind {
            Certificate::WrongHost => &["elsewhere.example"],
            _ => &["localhost", "127.0.0.1"],
        };
        let days = match kind {
            Certificate::Expired => -60..-30,
            Certificate::NotYetValid => 30..60,
            _ => -30..30,
        };
        let key = new_key()?;
        let certificate = issue(hosts[0], &key, &Purpose::Server(hosts), days, issuer)?;
        Ok((key, certificate))
    }
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

/// Issues a certificate that is valid between two days, counted from today. Without an issuer, it is
/// self-signed.
fn issue(
    subject: &str,
    key: &PKey<Private>,
    purpose: &Purpose,
    days: Range<i64>,
    issuer: Option<&Authority>,
) -> Result<X509, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, subject)?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::ONE, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(issuer.map_or(&*name, |it| it.certificate.subject_name()))?;
    builder.set_not_before(&*day(days.start)?)?;
    builder.set_not_after(&*day(days.end)?)?;
    builder.set_pubkey(key)?;
    extend(&mut builder, purpose, issuer)?;
    let signer = issuer.map_or(key, |it| &it.key);
    builder.sign(signer, MessageDigest::sha256())?;
    Ok(builder.build())
}

fn extend(
    builder: &mut X509Builder,
    purpose: &Purpose,
    issuer: Option<&Authority>,
) -> Result<(), ErrorStack> {
    let mut constraints = BasicConstraints::new();
    let mut usage = KeyUsage::new();
    match purpose {
        Purpose::Authority => {
            constraints.ca();
            usage.key_cert_sign().crl_sign();
        }
        Purpose::Server(hosts) => {
            usage.digital_signature();
            builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
            let mut names = SubjectAlternativeName::new();
            for host in *hosts {
                match host.parse::<std::net::IpAddr>() {
                    Ok(_) => names.ip(host),
                    Err(_) => names.dns(host),
                };
            }
            let names = names.build(&builder.x509v3_context(None, None))?;
            builder.append_extension(names)?;
        }
        Purpose::Client => {
            usage.digital_signature();
            builder.append_extension(ExtendedKeyUsage::new().client_auth().build()?)?;
        }
    }
    builder.append_extension(constraints.critical().build()?)?;
    builder.append_extension(usage.critical().build()?)?;
    let own = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(own)?;
    if let Some(issuer) = issuer {
        let context = builder.x509v3_context(Some(&issuer.certificate), None);
        let signer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(signer)?;
    }
    Ok(())
}

fn day(from_today: i64) -> Result<Asn1Time, ErrorStack> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a clock after 1970").as_secs();
    Asn1Time::from_unix(now.cast_signed() + from_today * 86_400)
}

/// Writes a file with mode 0600, which temporary files have from the beginning.
fn write(path: &Path, content: &[u8]) {
    let mut file = NamedTempFile::new_in(path.parent().expect("a directory")).expect("a file");
    file.write_all(content).expect("its content");
    file.persist(path).expect("its name");
}

/// TLS in front of a plain server: decrypts, and passes bytes on unchanged, so that the server behaves
/// the same over https. Stops when it is dropped.
pub struct Tls {
    listener: Listener,
}

impl Tls {
    /// Starts TLS in front of a plain server. `server` is its address, `http://127.0.0.1:PORT`.
    pub fn in_front_of(server: &str, authority: &Authority, certificate: Certificate) -> Tls {
        Tls::start(server, authority, certificate, None)
    }

    /// Starts TLS with a valid certificate that accepts only clients with one of `clients` (mutual
    /// TLS).
    pub fn requiring_client_certificate(
        server: &str,
        authority: &Authority,
        clients: &Authority,
    ) -> Tls {
        Tls::start(server, authority, Certificate::Valid, Some(clients))
    }

    fn start(
        server: &str,
        authority: &Authority,
        certificate: Certificate,
        clients: Option<&Authority>,
    ) -> Tls {
        let acceptor = acceptor(authority, certificate, clients).expect("TLS");
        let server = server.trim_start_matches("http://").to_owned();
        let listener = Listener::start("127.0.0.1", move |client| {
            serve(&acceptor, client, &server);
        });
        Tls { listener }
    }

    /// Returns `https://127.0.0.1:PORT`, without a slash at the end.
    pub fn address(&self) -> String {
        format!("https://{}", self.listener.address())
    }

    /// Returns the same address with the host name: `https://localhost:PORT`.
    pub fn named_address(&self) -> String {
        format!("https://localhost:{}", self.listener.address().port())
    }

    /// Returns the number of connections, including those whose handshake failed.
    pub fn connections(&self) -> usize {
        self.listener.connections()
    }
}

fn acceptor(
    authority: &Authority,
    certificate: Certificate,
    clients: Option<&Authority>,
) -> Result<SslAcceptor, ErrorStack> {
    let (key, certificate) = authority.server_certificate(certificate)?;
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_certificate(&certificate)?;
    builder.set_private_key(&key)?;
    if let Some(clients) = clients {
        let mut trusted = X509StoreBuilder::new()?;
        trusted.add_cert(clients.certificate.clone())?;
        builder.set_cert_store(trusted.build());
        builder.add_client_ca(&clients.certificate)?;
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        // Without this, OpenSSL does not resume the session of a verified client.
        builder.set_session_id_context(b"jwks")?;
    }
    Ok(builder.build())
}

/// Passes bytes on in both directions until one side ends the stream.
fn serve(acceptor: &SslAcceptor, client: &TcpStream, server: &str) {
    let Ok(encrypted) = acceptor.accept(client) else {
        return drain(client);
    };
    let Ok(plain) = TcpStream::connect(server) else {
        return;
    };
    plain.set_nodelay(true).expect("a stream");
    let encrypted = Mutex::new(encrypted);
    std::thread::scope(|scope| {
        scope.spawn(|| pass_requests(&encrypted, client, &plain));
        pass_responses(&plain, &encrypted);
        let _ = lock(&encrypted).shutdown();
        let _ = client.shutdown(Shutdown::Both);
    });
}

/// Waits for bytes without the lock, because the other direction needs it. The buffer holds a whole TLS
/// record, so that no bytes stay inside the TLS stream.
fn pass_requests(encrypted: &Mutex<SslStream<&TcpStream>>, client: &TcpStream, mut to: &TcpStream) {
    let mut buffer = [0; 16_384];
    while matches!(client.peek(&mut [0]), Ok(1)) {
        let read = lock(encrypted).read(&mut buffer);
        match read {
            Ok(read) if read > 0 && to.write_all(&buffer[..read]).is_ok() => {}
            _ => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn pass_responses(mut from: &TcpStream, encrypted: &Mutex<SslStream<&TcpStream>>) {
    let mut buffer = [0; 16_384];
    acknowledge_at_once(from);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        acknowledge_at_once(from);
        if lock(encrypted).write_all(&buffer[..read]).is_err() {
            break;
        }
    }
}

/// Acknowledges data at once. Without TCP_NODELAY, a server waits for the acknowledgment before it
/// sends the rest of an answer, and Linux delays that by 40 ms. The option must be set again after each
/// read.
fn acknowledge_at_once(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = std::os::linux::net::TcpStreamExt::set_quickack(stream, true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Reads the rest of a refused client's data. Closing before that would reset the connection, and the
/// client might not see the reason.
fn drain(mut client: &TcpStream) {
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.set_read_timeout(Some(Duration::from_secs(120)));
    let mut buffer = [0; 4096];
    for _ in 0..100 {
        if !matches!(client.read(&mut buffer), Ok(1..)) {
            break;
        }
    }
}
