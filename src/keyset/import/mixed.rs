//! Splits a text with keys in several formats one after another: PEM, SSH public keys and JSON.

use crate::key::read::openssh_public;
use crate::key::read::pem::MARKER;
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// The format of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Pem,
    Ssh,
    Json,
}

/// Returns the parts of a text and the numbers of their first lines; `None` if all parts have the same
/// format. Other lines, such as comments, are in no part.
pub fn parts(text: &str) -> Option<Vec<(usize, &str)>> {
    let mut parts = Vec::new();
    // The part that has begun: its line, its first byte and its format.
    let mut open: Option<(usize, usize, Form)> = None;
    let (mut end, mut value_end) = (0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let start = end;
        end += line.len();
        let begun = open.map(|(.., form)| form);
        if start < value_end {
            continue;
        }
        let new = if line.starts_with(MARKER) {
            Form::Pem
        } else if begun == Some(Form::Pem) {
            if line.starts_with("-----END ") {
                parts.extend(open.take().map(|part| (part, end)));
            }
            continue;
        } else if openssh_public::is_line(line) {
            Form::Ssh
        } else if begun.is_none() && line.starts_with(['{', '[']) {
            Form::Json
        } else {
            continue;
        };
        parts.extend(open.take().map(|part| (part, start)));
        let length = (new == Form::Json)
            .then(|| value_length(&text[start..]))
            .flatten();
        if let Some(length) = length {
            value_end = start + length;
            parts.push(((number, start, new), value_end));
        } else if new == Form::Ssh {
            parts.push(((number, start, new), end));
        } else {
            open = Some((number, start, new));
        }
    }
    parts.extend(open.map(|part| (part, end)));
    let (_, _, first) = parts.first()?.0;
    let is_mixed = parts.iter().any(|((.., form), _)| *form != first);
    let parts = parts.into_iter();
    let parts = parts.map(|((number, start, _), end)| (number, &text[start..end]));
    is_mixed.then(|| parts.collect())
}

/// Returns the length of the JSON value at the beginning of a text; `None` if there is none.
fn value_length(text: &str) -> Option<usize> {
    let mut values = Deserializer::from_str(text).into_iter::<&RawValue>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN X-----\nAAAA\n-----END X-----\n";
    const SSH: &str = "ssh-ed25519 AAAAC3Nz me\n";

    #[test]
    fn a_text_is_split_by_format() {
        let text = format!("# mine\n{PEM}\n{{\n  \"kty\": 1\n}}\n{SSH}{SSH}{PEM}");
        let parts = parts(&text).unwrap();
        let json = "{\n  \"kty\": 1\n}";
        assert_eq!(parts, [(2, PEM), (6, json), (9, SSH), (10, SSH), (11, PEM)]);
    }

    #[test]
    fn a_value_of_json_ends_where_it_ends() {
        let text = format!("{{\"a\":1}}\n# mine\n{SSH}{{\"b\":2}}\n[3,\n4]\n{PEM}");
        let parts = parts(&text).unwrap();
        let expected = [
            (1, "{\"a\":1}"),
            (3, SSH),
            (4, "{\"b\":2}"),
            (5, "[3,\n4]"),
            (7, PEM),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn one_format_is_not_split() {
        for text in ["", SSH, "{}\n{}", "[host]:22 ssh-rsa AAAAB3Nz\n"] {
            assert_eq!(parts(text), None, "{text}");
        }
        assert_eq!(parts(&format!("Bag Attributes\n{PEM}{PEM}")), None);
        assert_eq!(
            parts(&format!("{{\"key\":\"{}\"}}", PEM.replace('\n', "\\n"))),
            None
        );
    }

    #[test]
    fn a_part_ends_where_another_begins() {
        let cut = "-----BEGIN X-----\nAAAA\n";
        let text = format!("{{\n{cut}{PEM}{SSH}");
        let parts = parts(&text).unwrap();
        assert_eq!(parts, [(1, "{\n"), (2, cut), (4, PEM), (7, SSH)]);
    }
}
