//! Reads the certificates of PKCS#7 bundles (RFC 2315 section 9, RFC 5652 section 5.1).

use crate::error::{Error, Result};
use crate::key::certificate::Certificate;
use crate::key::read::asn1::children;
use crate::key::read::ber;
use crate::key::read::bundle::{Bundle, Part};
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Reads all certificates of SignedData, in DER or BER. The signature is not checked. Returns an error
/// for other types of content.
pub fn read(document: &[u8]) -> Result<Bundle> {
    signed_data(document).or_else(|error| match ber::to_der(document) {
        Some(der) => signed_data(der.expose()),
        None => Err(error),
    })
}

fn signed_data(document: &[u8]) -> Result<Bundle> {
    let broken = || Error::invalid("invalid PKCS#7 bundle");
    let outer = AnyRef::from_der(document).map_err(|_| broken())?;
    let outer = children(&outer).ok_or_else(broken)?;
    let [content_type, content] = &outer[..] else {
        return Err(broken());
    };
    if content_type.decode_as() != Ok(SIGNED_DATA) {
        return Err(Error::invalid(
            "the PKCS#7 bundle is not SignedData, so it has no certificates",
        ));
    }
    let mut contents = Bundle::default();
    for (i, certificate) in certificates(content).ok_or_else(broken)?.iter().enumerate() {
        let broken = || Error::invalid("invalid certificate");
        let certificate = Certificate::parse(certificate).ok_or_else(broken);
        let certificate = certificate.map(Bundle::from);
        contents.take(&format!("certificate {}", i + 1), Part::Other, certificate)?;
    }
    contents.or_nothing("the PKCS#7 bundle has no certificates")
}

/// Returns the encoded certificates, in the order of the bundle. They keep their exact bytes, because
/// digests identify them.
fn certificates<'a>(content: &AnyRef<'a>) -> Option<Vec<&'a [u8]>> {
    let signed = AnyRef::from_der(content.value()).ok()?;
    let is_list = |field: &AnyRef| match field.tag() {
        Tag::ContextSpecific { number, .. } => number.value() == 0,
        _ => false,
    };
    let Some(list) = children(&signed)?.into_iter().find(is_list) else {
        return Some(Vec::new());
    };
    let mut reader = SliceReader::new(list.value()).ok()?;
    let mut certificates = Vec::new();
    while !reader.is_finished() {
        certificates.push(reader.tlv_bytes().ok()?);
    }
    Some(certificates)
}
