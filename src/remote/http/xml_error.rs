//! Reads the code and the message of an error in XML, as object storage answers it. Other elements are not
//! read: they can repeat a signature or an access key.

use std::borrow::Cow;

/// The elements that are shown.
const SHOWN: [&str; 2] = ["Code", "Message"];

/// The most bytes of an element that are read. Only the beginning of a message is shown.
const LONGEST: usize = 4 << 10;

/// Returns the code and the message of an XML error; `None` for another document, such as a web page.
pub(super) fn words(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    if !text.contains("<Error") {
        return None;
    }
    let found = SHOWN.iter().filter_map(|name| element(&text, name));
    let parts: Vec<_> = found.map(Cow::into_owned).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Returns the text of the first element with a name, on one line; `None` if there is none, or if it has
/// elements of its own.
pub fn element<'x>(xml: &'x str, name: &str) -> Option<Cow<'x, str>> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, rest) = rest.split_once('<')?;
    rest.strip_prefix('/')?.strip_prefix(name)?;
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text[..end].trim();
    if text.is_empty() {
        return None;
    }
    if !text.contains(['&', '\n', '\r']) {
        return Some(Cow::Borrowed(text));
    }
    // The ampersand comes last, so that nothing is decoded twice.
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    Some(text.split_whitespace().collect::<Vec<_>>().join(" ").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_and_message_are_shown() {
        let xml = |inner: &str| format!("<?xml version=\"1.0\"?>\n<Error>{inner}</Error>");
        for (body, said) in [
            (
                xml(
                    "<Code>SignatureDoesNotMatch</Code><Message>no &amp; no</Message><SignatureProvided>5ec2e7</SignatureProvided>",
                ),
                Some("SignatureDoesNotMatch; no & no"),
            ),
            (
                xml("<Message>a\n RequestId:1\nTime:2</Message>"),
                Some("a RequestId:1 Time:2"),
            ),
            (xml("<Code><Deep/></Code>"), None),
            (xml("<Code></Code>"), None),
            (xml("<Code>cut"), None),
            ("<html><Code>x</Code></html>".to_owned(), None),
            (xml("<Message>&amp;lt;</Message>"), Some("&lt;")),
        ] {
            assert_eq!(words(body.as_bytes()).as_deref(), said, "{body}");
        }
    }
}
