//! The elements of ASN.1 values, and the names of object identifiers.

use openssl::asn1::Asn1Object;
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{Decode as _, Reader as _, SliceReader, Tag};

/// Returns the elements of a SEQUENCE; `None` for other values.
pub(super) fn children<'a>(outer: &AnyRef<'a>) -> Option<Vec<AnyRef<'a>>> {
    if outer.header().tag() != Tag::Sequence {
        return None;
    }
    let mut reader = SliceReader::new(outer.value()).ok()?;
    let mut children = Vec::new();
    while !reader.is_finished() {
        children.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(children)
}

/// Returns OpenSSL's name of an object identifier, or its digits if OpenSSL does not know it.
pub(super) fn name(oid: &ObjectIdentifier) -> String {
    let digits = oid.to_string();
    let object = Asn1Object::from_str(&digits).ok();
    let name = object.and_then(|object| object.nid().long_name().ok());
    match name {
        Some(name) if name != "undefined" => name.to_owned(),
        _ => digits,
    }
}
