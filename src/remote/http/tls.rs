//! Certificates: whom to trust, and who we are.

use crate::error::{Error, Result};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// Files with certificates, where the platform's own do not do.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The authorities to trust, and no others: PEM.
    pub cacert: Option<PathBuf>,
    /// The client's certificate with its chain: PEM.
    pub cert: Option<PathBuf>,
    /// The private key of the client's certificate: PEM.
    pub key: Option<PathBuf>,
}

impl Trust {
    /// The settings for TLS. Certificates are always verified.
    pub(super) fn config(&self) -> Result<TlsConfig> {
        let provider = Arc::new(ring::default_provider());
        let roots = match &self.cacert {
            Some(file) => RootCerts::new_with_certs(&certificates(file)?),
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
        let pem = read(key)?;
        let unusable = |error: String| {
            Error::invalid(format!("{}: {error}", key.display()))
                .hint("--key takes the private key of --cert as PEM, without a passphrase")
        };
        // The client takes it for granted that the two belong together.
        let chain = read(cert)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain).flatten().collect();
        let private = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| unusable("no private key in it".into()))?;
        rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_root_certificates(rustls::RootCertStore::empty())
                    .with_client_auth_cert(chain, private)
            })
            .map_err(|error| unusable(error.to_string()))?;
        let private = PrivateKey::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        let chain = certificates(cert)?;
        Ok(Some(ClientCert::new_with_certs(&chain, private)))
    }
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
