//! PEM (RFC 7468): one or several blocks, text around them allowed.

use super::certificate::{self, Certificate};
use super::der::{self, Kind};
use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::thumbprint::thumbprint;

/// How a block begins; a file with this in it is PEM.
pub const MARKER: &str = "-----BEGIN ";

/// Reads every key of a PEM file. Certificates that follow each other as issued make one chain;
/// a chain joins the key of the file that its leaf is for, or else gives its public key.
pub fn read(text: &str) -> Result<Vec<Members<'static>>> {
    let blocks = pem::parse_many(text)
        .map_err(|error| Error::invalid(format!("a PEM block that does not parse: {error}")))?;
    let announced = text.matches(MARKER).count();
    if blocks.len() != announced {
        let message = format!("only {} of {announced} PEM blocks are whole", blocks.len());
        return Err(Error::invalid(message).hint("each needs its END line"));
    }
    let mut keys = Vec::new();
    let mut chains: Vec<Vec<Certificate>> = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        let about = |error: Error| error.about(format!("PEM block {}", i + 1));
        match read_block(block).map_err(about)? {
            Block::Key(members) => keys.push(members),
            Block::Certificate(certificate) => match chains.last_mut() {
                Some(chain) if chain.last().is_some_and(|last| certificate.issued(last)) => {
                    chain.push(certificate);
                }
                _ => chains.push(vec![certificate]),
            },
            Block::Nothing => {}
        }
    }
    for chain in chains {
        join(&chain, &mut keys)?;
    }
    if keys.is_empty() {
        return Err(Error::invalid("no key in the PEM file"));
    }
    Ok(keys)
}

fn join(chain: &[Certificate], keys: &mut Vec<Members<'static>>) -> Result<()> {
    let mut certified = chain[0].public_key()?;
    let own = thumbprint(&certified);
    match keys
        .iter_mut()
        .find(|key| thumbprint(key) == own && !key.has("x5c"))
    {
        Some(key) => certificate::attach(chain, key),
        None => {
            certificate::attach(chain, &mut certified);
            keys.push(certified);
        }
    }
    Ok(())
}

enum Block {
    Key(Members<'static>),
    Certificate(Certificate),
    /// Curve parameters, which the key that follows repeats.
    Nothing,
}

fn read_block(block: &pem::Pem) -> Result<Block> {
    let label = block.tag();
    if block.headers().get("Proc-Type").is_some() {
        return Err(Error::invalid(format!("a passphrase-protected {label}"))
            .hint("decrypt it on the way: openssl pkey -in KEY | jwks set SET -"));
    }
    let expected = match label {
        "EC PARAMETERS" => return Ok(Block::Nothing),
        "PRIVATE KEY" => Kind::Pkcs8,
        "ENCRYPTED PRIVATE KEY" => Kind::EncryptedPkcs8,
        "RSA PRIVATE KEY" => Kind::Pkcs1Private,
        "EC PRIVATE KEY" => Kind::Sec1,
        "PUBLIC KEY" => Kind::Spki,
        "RSA PUBLIC KEY" => Kind::Pkcs1Public,
        "CERTIFICATE" | "X509 CERTIFICATE" => Kind::Certificate,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Kind::Request,
        "OPENSSH PRIVATE KEY" => {
            return Err(
                Error::invalid("an OpenSSH private key, which is not read yet")
                    .hint("rewrite a copy of it as PEM: ssh-keygen -p -m PEM -f COPY"),
            );
        }
        other => {
            return Err(Error::invalid(format!(
                "{other:?} is no key that jwks reads"
            )));
        }
    };
    match der::kind(block.contents()) {
        Some(kind) if kind == expected => {}
        Some(kind) => {
            let found = kind.in_words();
            return Err(Error::invalid(format!(
                "the label says {label}, the content is {found}"
            )));
        }
        None => {
            return Err(Error::invalid(format!(
                "{label} whose content is no such thing in DER"
            )));
        }
    }
    if expected == Kind::Certificate {
        let certificate = Certificate::parse(block.contents());
        let broken = || Error::invalid("a certificate that does not parse");
        return certificate.map(Block::Certificate).ok_or_else(broken);
    }
    der::read(block.contents()).map(Block::Key)
}
