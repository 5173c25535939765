//! Escapes foreign text for a terminal: control, invisible and misleading characters.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes a text for a terminal. Control and invisible characters become `\u{…}`. Backslashes in front
/// of such an escape, or of a literal `u{`, are doubled, so that the two differ.
pub fn escape(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    push_escaped(&mut escaped, text);
    Cow::Owned(escaped)
}

/// Escapes a message for a terminal. In double quotes, backslashes are already escaped, because `{:?}`
/// wrote the quotes.
pub fn escape_message(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, quoted)) = rest.split_once('"') {
        push_escaped(&mut escaped, before);
        let end = end_of_quote(quoted);
        escaped.push('"');
        for c in quoted[..end].chars() {
            push_char(&mut escaped, c);
        }
        rest = &quoted[end..];
    }
    push_escaped(&mut escaped, rest);
    Cow::Owned(escaped)
}

/// Escapes control and invisible characters in the strings of a JSON text. Every value stays the same.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    // Line feeds and tabs are allowed between tokens; inside strings they are already escaped.
    let acts = |c: char| is_treacherous(c) && !matches!(c, '\n' | '\r' | '\t');
    let is_plain = |byte| matches!(byte, b' '..=b'~' | b'\n');
    if json.bytes().all(is_plain) || !json.contains(acts) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Returns true for a control or invisible character, and for a blank that is not a space (Unicode
/// Standard Annex #44: general category and Default_Ignorable_Code_Point).
fn is_treacherous(c: char) -> bool {
    // Skip the Unicode tables for ordinary letters.
    if matches!(c, ' '..='~') {
        return false;
    }
    let is_blank = matches!(
        CodePointMapData::<GeneralCategory>::new().get(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator
    );
    // Symbols and letters whose glyph is empty have no property of their own: the blank of
    // Braille, the null notehead, the fillers of the Khitan script and of hieroglyphs.
    is_blank
        || matches!(
            c,
            '\u{2800}' | '\u{1d159}' | '\u{16fe4}' | '\u{13441}' | '\u{13442}'
        )
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Returns true if a text needs no escapes; fast for most texts.
fn is_harmless(text: &str) -> bool {
    let is_printable_ascii = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    (is_printable_ascii || !text.contains(is_treacherous)) && !text.contains("\\u{")
}

fn push_escaped(escaped: &mut String, text: &str) {
    let mut backslashes = 0;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            backslashes += 1;
            continue;
        }
        let is_doubled = is_treacherous(c) || (c == 'u' && rest.as_str().starts_with('{'));
        let times = if is_doubled { 2 } else { 1 };
        escaped.extend(std::iter::repeat_n('\\', backslashes * times));
        backslashes = 0;
        push_char(escaped, c);
    }
    escaped.extend(std::iter::repeat_n('\\', backslashes));
}

fn push_char(escaped: &mut String, c: char) {
    if is_treacherous(c) {
        escaped.extend(c.escape_unicode())
    } else {
        escaped.push(c)
    }
}

/// Returns the position after the closing quote of a quoted text; its length if there is none.
fn end_of_quote(quoted: &str) -> usize {
    let mut is_escaped = false;
    for (i, c) in quoted.char_indices() {
        match c {
            '"' if !is_escaped => return i + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    quoted.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_reaches_a_terminal() {
        assert_eq!(escape("plain ü 🔑 鍵"), "plain ü 🔑 鍵");
        assert_eq!(escape("\u{1b}[31m\n"), "\\u{1b}[31m\\u{a}");
        assert_eq!(escape("a\u{202e}b\u{9b}"), "a\\u{202e}b\\u{9b}");
        for c in [
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{2007}',
            '\u{2028}',
            '\u{2066}',
            '\u{2069}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fffa}',
            '\u{1bca0}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{e0fff}',
        ] {
            let text = c.to_string();
            assert!(escape(&text).is_ascii(), "{c:?}");
            assert!(escape_message(&text).is_ascii(), "{c:?}");
            assert!(escape_json(&text).is_ascii(), "{c:?}");
        }
    }

    #[test]
    fn a_literal_escape_is_told_from_a_real_one() {
        assert_eq!(escape(r"\u{1b}"), r"\\u{1b}");
        assert_eq!(escape("\\\u{1b}"), r"\\\u{1b}");
        assert_eq!(escape(r"\\u{1b}"), r"\\\\u{1b}");
        assert_eq!(escape(r"C:\users\u"), r"C:\users\u");
        let quoted = |text: &str| escape_message(&format!("no key {text:?}")).into_owned();
        assert_eq!(quoted("\u{1b}"), r#"no key "\u{1b}""#);
        assert_eq!(quoted(r"\u{1b}"), r#"no key "\\u{1b}""#);
        assert_eq!(quoted("a\" \u{3164}"), r#"no key "a\" \u{3164}""#);
        assert_eq!(escape_message(r"key \u{1b}"), r"key \\u{1b}");
    }

    #[test]
    fn json_keeps_its_values() {
        for text in [
            "plain",
            "del \u{7f} c1 \u{9b} bidi \u{202e}",
            "tag \u{e0041}",
            "blank \u{3164}\u{2800}",
            "\n",
        ] {
            let json = serde_json::to_string(text).unwrap();
            let escaped = escape_json(&json);
            assert!(escaped.chars().all(|c| !is_treacherous(c)), "{escaped}");
            assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
