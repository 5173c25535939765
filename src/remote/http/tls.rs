//! The TLS settings: trusted authorities and the client certificate.

use crate::error::{Error, Result};
use crate::secret::Secret;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// The certificate files: the authorities to trust instead of the platform's, and the client certificate.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A PEM file with the only certificate authorities to trust.
    pub cacert: Option<PathBuf>,
    /// A PEM file with the client's certificate chain.
    pub cert: Option<PathBuf>,
    /// A PEM file with the private key of the client's certificate.
    pub key: Option<PathBuf>,
}

impl Trust {
    /// Returns the TLS settings. Certificates are always verified. Returns an error if a file cannot be
    /// read, or if the client certificate and its key do not match.
    pub(super) fn config(&self) -> Result<TlsConfig> {
        let provider = Arc::new(ring::default_provider());
        let roots = match &self.cacert {
            Some(file) => RootCerts::new_with_certs(&authorities(file)?),
            None => RootCerts::PlatformVerifier,
        };
        Ok(TlsConfig::builder()
            .root_certs(roots)
            .client_cert(self.client_certificate(&provider)?)
            .unversioned_rustls_crypto_provider(provider)
            .build())
    }

    fn client_certificate(&self, provider: &Arc<CryptoProvider>) -> Result<Option<ClientCert>> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Ok(None);
        };
        let pem = Secret::new(read(key)?);
        let unusable = |_| {
            Error::invalid(format!("{} holds no private key", key.display()))
                .hint("--key takes the private key of --cert as PEM, without a passphrase")
        };
        let chain = certificates(cert)?;
        let private = PrivateKeyDer::from_pem_slice(pem.expose()).map_err(unusable)?;
        // The HTTP client does not check that the certificate and the key belong together, but rustls
        // does.
        rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_root_certificates(RootCertStore::empty())
                    .with_client_auth_cert(chain.iter().map(der).collect(), private)
            })
            .map_err(|error| {
                let (cert, key) = (cert.display(), key.display());
                Error::invalid(format!("{cert} and {key} do not match")).cause(error)
            })?;
        let private = PrivateKey::from_pem(pem.expose());
        let private = private.map_err(|error| {
            Error::invalid(format!("{} cannot be read", key.display())).cause(error)
        })?;
        Ok(Some(ClientCert::new_with_certs(&chain, private)))
    }
}

/// Reads the certificate authorities in a file. The client itself would ignore invalid ones.
fn authorities(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let authorities = certificates(file)?;
    for authority in &authorities {
        RootCertStore::empty()
            .add(der(authority))
            .map_err(|error| {
                Error::invalid(format!("{} is not a CA certificate", file.display())).cause(error)
            })?;
    }
    Ok(authorities)
}

fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.der().to_vec())
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let pem = read(file)?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|error| Error::invalid(format!("{}: {error}", file.display())))?;
        certificates.push(Certificate::from_der(&certificate).to_owned());
    }
    if certificates.is_empty() {
        return Err(
            Error::invalid(format!("{} holds no certificate", file.display()))
                .hint("certificates are read as PEM"),
        );
    }
    Ok(certificates)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!("no file {}", file.display())),
        _ => Error::failed(format!("cannot read {}", file.display())).cause(error),
    })
}
