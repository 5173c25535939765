//! The elements of ASN.1 values.

use pkcs8::der::asn1::AnyRef;
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
