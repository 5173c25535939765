//! Reads `NAME=value` lines, as in dotenv files and shell scripts.

use crate::secret::Secret;

/// A variable: its name and its value.
pub type Variable<'a> = (&'a str, Secret<String>);

/// Returns the variables of a text. Returns `None` if the first line that is neither blank nor a
/// comment is not a variable. Later lines without a variable are ignored.
pub fn read(text: &str) -> Option<Vec<Variable<'_>>> {
    let mut variables = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or_default();
        let after = rest.split_once('\n').map_or("", |(_, after)| after);
        let is_blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        let Some((name, start)) = assignment(line) else {
            if variables.is_empty() && !is_blank {
                return None;
            }
            rest = after;
            continue;
        };
        let value = &rest[start..];
        let (value, after) = match value.as_bytes().first() {
            Some(b'\'') => quoted(value, '\'').unwrap_or((plain(line, start), after)),
            Some(b'"') => quoted(value, '"').unwrap_or((plain(line, start), after)),
            _ => (plain(line, start), after),
        };
        variables.push((name, value));
        rest = after;
    }
    (!variables.is_empty()).then_some(variables)
}

/// Returns the name in a line, and the position of its value.
fn assignment(line: &str) -> Option<(&str, usize)> {
    let (before, _) = line.split_once('=')?;
    let name = before.trim_start();
    let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
    let is_name_character = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_name = !name.is_empty() && name.chars().all(is_name_character);
    is_name.then_some((name, before.len() + 1))
}

fn plain(line: &str, start: usize) -> Secret<String> {
    Secret::new(line[start..].trim().to_owned())
}

/// Returns a value in quotes, which can have several lines, and the text after its last line. In
/// double quotes, a backslash escapes a character.
fn quoted(value: &str, quote: char) -> Option<(Secret<String>, &str)> {
    let length = value[1..].find(quote)?;
    let mut text = Secret::new(String::with_capacity(length));
    let mut characters = value.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if quote == '"' => match characters.next()?.1 {
                'n' => text.expose_mut().push('\n'),
                'r' => text.expose_mut().push('\r'),
                other => text.expose_mut().push(other),
            },
            end if end == quote => {
                let after = &value[at + 1..];
                return Some((text, after.split_once('\n').map_or("", |(_, after)| after)));
            }
            other => text.expose_mut().push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(text: &str) -> Option<Vec<(&str, String)>> {
        let variables = read(text)?.into_iter();
        Some(
            variables
                .map(|(name, value)| (name, value.expose().clone()))
                .collect(),
        )
    }

    #[test]
    fn values_are_read_with_and_without_quotes() {
        let text = "# a comment\nA=1\n\nexport B='{\"k\":1}' # more\nC=\"x\\ny\\\"z\"\n  D='one\ntwo'\nno variable\nE=\nF='open\nG=2";
        let expected = [
            ("A", "1"),
            ("B", "{\"k\":1}"),
            ("C", "x\ny\"z"),
            ("D", "one\ntwo"),
            ("E", ""),
            ("F", "'open"),
            ("G", "2"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(variables(text).unwrap(), expected);
    }

    #[test]
    fn other_texts_have_no_variables() {
        for text in [
            "",
            "\n",
            "{\"a\":\"=\"}",
            "a b=c",
            "=",
            "-----BEGIN X-----\nA=",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
