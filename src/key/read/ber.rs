//! Converts BER (X.690 section 8) to DER. Writers that stream, such as NSS and BouncyCastle, write
//! keystores with indefinite lengths, and with strings in several segments.

use crate::key::read::der::{self, Kind};
use crate::secret::Secret;

/// The maximum size of a document, in bytes. Its elements need up to 16 times as much memory.
const LARGEST: usize = 1 << 20;

/// The maximum depth of nesting. A keystore needs less than half of it.
const DEPTH: usize = 32;

const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CONSTRUCTED: u8 = 0x20;
/// The tag of the ciphertext in EncryptedContentInfo (RFC 5652 section 6.1), in several segments.
const CIPHERTEXT: u8 = 0xa0;

/// Detects a PKCS#12 keystore or a PKCS#7 bundle in BER. The other kinds are only read in DER.
pub fn kind(document: &[u8]) -> Option<Kind> {
    let kind = der::kind(to_der(document)?.expose());
    kind.filter(|kind| matches!(kind, Kind::Pkcs12 | Kind::Pkcs7))
}

/// Converts a document to DER. Lengths become definite and short, and the segments of a string are
/// joined. Returns `None` if it is not BER, or too large or too deeply nested.
pub fn to_der(document: &[u8]) -> Option<Secret<Vec<u8>>> {
    if document.len() > LARGEST {
        return None;
    }
    let mut rest = document;
    let element = Element::read(&mut rest, DEPTH)?;
    let mut der = Secret::new(Vec::with_capacity(element.most()));
    element.write(der.expose_mut())?;
    rest.is_empty().then_some(der)
}

/// An element with its tag.
struct Element<'a> {
    tag: u8,
    content: Content<'a>,
}

enum Content<'a> {
    Primitive(&'a [u8]),
    Constructed(Vec<Element<'a>>),
}

impl<'a> Element<'a> {
    /// Reads one element, and leaves the rest.
    fn read(rest: &mut &'a [u8], depth: usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        let (&[tag, length], after) = rest.split_first_chunk()?;
        // Tags of several bytes, and the end of a content, are no elements.
        if tag == 0 || tag & 0x1f == 0x1f {
            return None;
        }
        *rest = after;
        let is_constructed = tag & CONSTRUCTED != 0;
        let mut elements = Vec::new();
        if length == 0x80 {
            while !rest.starts_with(&[0, 0]) {
                elements.push(Element::read(rest, depth)?);
            }
            *rest = &rest[2..];
            let content = Content::Constructed(elements);
            return is_constructed.then_some(Element { tag, content });
        }
        let length = match length {
            0..0x80 => usize::from(length),
            _ => {
                let (digits, after) = rest.split_at_checked(usize::from(length & 0x7f))?;
                *rest = after;
                digits.iter().try_fold(0, |length: usize, digit| {
                    length.checked_mul(0x100)?.checked_add((*digit).into())
                })?
            }
        };
        let (mut content, after) = rest.split_at_checked(length)?;
        *rest = after;
        if !is_constructed {
            let content = Content::Primitive(content);
            return Some(Element { tag, content });
        }
        while !content.is_empty() {
            elements.push(Element::read(&mut content, depth)?);
        }
        let content = Content::Constructed(elements);
        Some(Element { tag, content })
    }

    /// Returns the largest number of bytes in DER. A buffer that grows would leave copies of a key behind.
    fn most(&self) -> usize {
        // A tag and a length have at most 10 bytes.
        10 + match &self.content {
            Content::Primitive(octets) => octets.len(),
            Content::Constructed(elements) => elements.iter().map(Element::most).sum(),
        }
    }

    /// Appends the element in DER. Returns `None` for a string whose segments do not belong to it.
    fn write(&self, der: &mut Vec<u8>) -> Option<()> {
        let elements = match &self.content {
            Content::Primitive(octets) => {
                append(der, self.tag, octets);
                return Some(());
            }
            Content::Constructed(elements) => elements,
        };
        let mut content = Secret::new(Vec::with_capacity(self.most()));
        let mut tag = self.tag;
        if is_string(tag) {
            tag &= !CONSTRUCTED;
            self.join(tag, content.expose_mut())?;
        } else {
            for (i, element) in elements.iter().enumerate() {
                if i == 2 && tag == SEQUENCE && is_ciphertext(elements) {
                    let mut ciphertext = Vec::new();
                    element.join(OCTET_STRING, &mut ciphertext)?;
                    append(content.expose_mut(), CIPHERTEXT & !CONSTRUCTED, &ciphertext);
                } else {
                    element.write(content.expose_mut())?;
                }
            }
        }
        append(der, tag, content.expose());
        Some(())
    }

    /// Appends the segments of a string. Each one is a string of the same type, or an octet string
    /// (X.690 section 8.21).
    fn join(&self, tag: u8, string: &mut Vec<u8>) -> Option<()> {
        match &self.content {
            Content::Primitive(octets) => string.extend(*octets),
            Content::Constructed(segments) => {
                for segment in segments {
                    let own = segment.tag & !CONSTRUCTED;
                    if own != tag && own != OCTET_STRING {
                        return None;
                    }
                    segment.join(tag, string)?;
                }
            }
        }
        Some(())
    }
}

/// Returns true for the tag of a string in several segments: a universal type that is not a SEQUENCE
/// or SET. The segments of a BIT STRING cannot be joined, and do not occur.
fn is_string(tag: u8) -> bool {
    matches!(tag, 0x24 | 0x2c | 0x32..=0x3e)
}

/// Returns true for an EncryptedContentInfo whose ciphertext is in several segments. It is the only
/// structure of an object identifier, a SEQUENCE and a string with a context-specific tag.
fn is_ciphertext(elements: &[Element]) -> bool {
    let [one, two, last] = elements else {
        return false;
    };
    let Content::Constructed(segments) = &last.content else {
        return false;
    };
    [one.tag, two.tag, last.tag] == [OBJECT_IDENTIFIER, SEQUENCE, CIPHERTEXT]
        && segments
            .iter()
            .all(|it| it.tag & !CONSTRUCTED == OCTET_STRING)
}

/// Appends an element with its tag and its length.
fn append(der: &mut Vec<u8>, tag: u8, content: &[u8]) {
    der.push(tag);
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|digit| **digit == 0).count();
    let digits = &length[zeros..];
    match digits {
        [] => der.push(0),
        [digit @ 0..0x80] => der.push(*digit),
        // A length has at most 8 digits.
        _ => {
            der.push(0x80 | digits.len() as u8);
            der.extend(digits);
        }
    }
    der.extend(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(ber: &[u8]) -> Option<Vec<u8>> {
        to_der(ber).map(|der| der.expose().clone())
    }

    #[test]
    fn lengths_become_definite_and_short() {
        for (ber, der) in [
            (&b"\x30\x80\x00\x00"[..], &b"\x30\x00"[..]),
            (b"\x30\x80\x02\x01\x05\x00\x00", b"\x30\x03\x02\x01\x05"),
            (
                b"\x30\x84\x00\x00\x00\x03\x02\x01\x05",
                b"\x30\x03\x02\x01\x05",
            ),
            (b"\x04\x81\x01a", b"\x04\x01a"),
            (
                b"\x30\x80\xa0\x80\x05\x00\x00\x00\x00\x00",
                b"\x30\x04\xa0\x02\x05\x00",
            ),
        ] {
            assert_eq!(converted(ber).as_deref(), Some(der), "{ber:x?}");
            assert_eq!(converted(der).as_deref(), Some(der), "{der:x?}");
        }
        let long = [&b"\x30\x80\x04\x82\x01\x00"[..], &[7; 256], b"\0\0"].concat();
        let der = [&b"\x30\x82\x01\x04\x04\x82\x01\x00"[..], &[7; 256]].concat();
        assert_eq!(converted(&long), Some(der));
    }

    #[test]
    fn the_segments_of_a_string_are_joined() {
        for (ber, der) in [
            (
                &b"\x24\x80\x04\x01a\x04\x02bc\x00\x00"[..],
                &b"\x04\x03abc"[..],
            ),
            (b"\x24\x07\x04\x01a\x04\x02bc", b"\x04\x03abc"),
            (
                b"\x24\x80\x24\x80\x04\x01a\x00\x00\x04\x01b\x00\x00",
                b"\x04\x02ab",
            ),
            (b"\x3e\x06\x1e\x01a\x04\x01b", b"\x1e\x02ab"),
            // An explicit tag keeps its string, and an implicit one takes its place.
            (
                b"\xa0\x80\x24\x80\x04\x01a\x00\x00\x00\x00",
                b"\xa0\x03\x04\x01a",
            ),
            (
                b"\x30\x80\x06\x01\x2a\x30\x00\xa0\x80\x04\x01a\x04\x01b\x00\x00\x00\x00",
                b"\x30\x09\x06\x01\x2a\x30\x00\x80\x02ab",
            ),
            (
                b"\x30\x80\x06\x01\x2a\xa0\x80\x04\x01a\x00\x00\x00\x00",
                b"\x30\x08\x06\x01\x2a\xa0\x03\x04\x01a",
            ),
        ] {
            assert_eq!(converted(ber).as_deref(), Some(der), "{ber:x?}");
        }
        assert_eq!(converted(b"\x24\x03\x02\x01a"), None);
    }

    #[test]
    fn other_bytes_are_not_ber() {
        let deep = |depth| [b"\x30\x80".repeat(depth), b"\0\0".repeat(depth)].concat();
        assert!(converted(&deep(DEPTH)).is_some());
        for ber in [
            &b""[..],
            b"\x30",
            b"\x30\x80",
            b"\x30\x80\x00",
            b"\x04\x80\x00\x00",
            b"\x04\x02a",
            b"\x30\x02\x00\x00",
            b"\x1f\x01a",
            b"\x30\x00\x00",
            b"\x04\xffa",
            b"\x04\x89\x01\0\0\0\0\0\0\0\0a",
            &deep(DEPTH + 1),
            &deep(LARGEST / 4 + 1),
        ] {
            assert_eq!(converted(ber), None, "{:x?}", &ber[..ber.len().min(20)]);
        }
    }
}
