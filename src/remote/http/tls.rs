//! The TLS settings: trusted authorities and the client certificate.

use crate::credential::Pem;
use crate::error::{Error, Result};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// The certificates: the authorities to trust instead of the platform's, and the client certificate.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The only certificate authorities to trust.
    pub cacert: Option<Pem>,
    /// The client's certificate chain.
    pub cert: Option<Pem>,
    /// The private key of the client's certificate.
    pub key: Option<Pem>,
}

impl Trust {
    /// Returns the TLS settings. Certificates are always verified. Returns an error if a file cannot be
    /// read, or if the client certificate and its key do not match.
    pub(super) fn config(&self) -> Result<TlsConfig> {
        let provider = Arc::new(ring::default_provider());
        let roots = match &self.cacert {
            Some(pem) => RootCerts::new_with_certs(&authorities(pem)?),
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
        let pem = key.read()?;
        let unusable = |_| {
            Error::invalid(format!("{key} holds no private key"))
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
                Error::invalid(format!("{cert} and {key} do not match")).cause(error)
            })?;
        let private = PrivateKey::from_pem(pem.expose());
        let private = private
            .map_err(|error| Error::invalid(format!("{key} cannot be read")).cause(error))?;
        Ok(Some(ClientCert::new_with_certs(&chain, private)))
    }
}

/// Reads certificate authorities. The client itself would ignore invalid ones.
fn authorities(pem: &Pem) -> Result<Vec<Certificate<'static>>> {
    let authorities = certificates(pem)?;
    for authority in &authorities {
        RootCertStore::empty()
            .add(der(authority))
            .map_err(|error| {
                Error::invalid(format!("{pem} is not a CA certificate")).cause(error)
            })?;
    }
    Ok(authorities)
}

fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.der().to_vec())
}

fn certificates(pem: &Pem) -> Result<Vec<Certificate<'static>>> {
    let text = pem.read()?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(text.expose()) {
        let certificate = certificate.map_err(|error| Error::invalid(format!("{pem}: {error}")))?;
        certificates.push(Certificate::from_der(&certificate).to_owned());
    }
    if certificates.is_empty() {
        return Err(Error::invalid(format!("{pem} holds no certificate"))
            .hint("certificates are read as PEM"));
    }
    Ok(certificates)
}
