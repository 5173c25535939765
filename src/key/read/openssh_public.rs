//! Reads SSH public keys as text: one per line as in `authorized_keys` and `known_hosts`, and in the
//! format of RFC 4716.

use crate::error::{Error, Result};
use crate::key::members::Members;
use crate::key::read::bundle::{Bundle, Part};
use crate::key::read::openssh::public;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::PublicKey;
use std::borrow::Cow;

/// The prefixes of the algorithm names.
const ALGORITHMS: &[&str] = &["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];

/// The base64 of the three zero bytes that begin every key: the length of the algorithm name.
const BLOB: &str = "AAAA";

/// The first line of a key in the format of RFC 4716.
const RFC_4716: &str = "---- BEGIN SSH2 ";

/// The prefix of PuTTY's format, for an error that explains how to convert it.
const PUTTY: &str = "PuTTY-User-Key-File-";

/// Returns true if a text looks like SSH public keys, or like a private key in a format of SSH that
/// jwks does not read.
pub fn is_in(text: &str) -> bool {
    let first = lines(text).map(|(_, line)| line).next();
    first.is_some_and(|line| {
        let mut beginnings = [PUTTY, RFC_4716].iter().chain(ALGORITHMS);
        beginnings.any(|beginning| line.starts_with(beginning)) || Entry::of(line).is_some()
    })
}

/// Returns true if a line holds a public key.
pub fn is_line(line: &str) -> bool {
    Entry::of(line.trim()).is_some()
}

/// Returns the lines with content, without white space around them, and their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim);
    let lines = (1..).zip(lines);
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Reads public keys. A line that jwks cannot use is left out, so the contents can be empty. Returns
/// an error for PuTTY's format, and for too many keys.
pub fn read(text: &str) -> Result<Bundle> {
    if text.trim_start().starts_with(PUTTY) {
        return Err(Error::invalid("PuTTY private keys are not supported")
            .hint("run `puttygen KEY -O private-openssh -o NEW` to convert it"));
    }
    let mut contents = Bundle::default();
    let mut lines = lines(text);
    while let Some((number, line)) = lines.next() {
        let name = format!("line {number}");
        if let Some(label) = line.strip_prefix(RFC_4716) {
            let block = lines.by_ref().map(|(_, line)| line);
            let block = block.take_while(|line| !line.starts_with("---- END "));
            let read = if label.starts_with("PUBLIC KEY ") {
                rfc_4716(block)
            } else {
                block.for_each(drop);
                Err(Error::invalid("private keys of ssh.com are not supported")
                    .hint("run `ssh-keygen -i -f KEY > NEW` to convert it"))
            };
            contents.take(&name, Part::Other, read.map(Bundle::from))?;
            continue;
        }
        let read = read_line(line).map(|key| {
            let mut bundle = Bundle::from(key);
            let hosts = Entry::of(line).and_then(|entry| entry.hosts());
            bundle
                .found
                .extend(hosts.map(|hosts| format!("{name} is the key of {hosts}")));
            bundle
        });
        contents.take(&name, Part::Other, read)?;
    }
    Ok(contents)
}

/// Reads the headers and the base64 of a key (RFC 4716 section 3).
fn rfc_4716<'a>(mut lines: impl Iterator<Item = &'a str>) -> Result<Members<'static>> {
    let mut base64 = String::new();
    while let Some(mut line) = lines.next() {
        if line.contains(':') {
            // A header continues on the next line if its line ends in a backslash.
            while line.ends_with('\\') {
                line = lines.next().unwrap_or_default();
            }
        } else {
            base64.push_str(line);
        }
    }
    let broken = || Error::invalid("invalid SSH public key");
    let octets = STANDARD.decode(base64);
    let octets = octets.map_err(|error| broken().cause(error))?;
    let key = PublicKey::from_bytes(&octets).map_err(|error| broken().cause(error))?;
    public(key.key_data())
}

/// The parts of a line with a public key.
struct Entry<'a> {
    /// The marker of a line in `known_hosts`, such as `@revoked`.
    marker: Option<&'a str>,
    /// The options in `authorized_keys` or the names in `known_hosts`.
    before: Option<&'a str>,
    algorithm: &'a str,
    base64: &'a str,
}

impl<'a> Entry<'a> {
    /// Finds the algorithm and the key after at most two other fields: the options in
    /// `authorized_keys`, or the marker and the names in `known_hosts`.
    fn of(line: &'a str) -> Option<Self> {
        let mut rest = line;
        let (mut marker, mut before) = (None, None);
        for _ in 0..3 {
            let (field, after) = field(rest)?;
            let (next, _) = self::field(after).unwrap_or_default();
            let is_algorithm = ALGORITHMS.iter().any(|name| field.starts_with(name));
            if is_algorithm && next.starts_with(BLOB) {
                return Some(Entry {
                    marker,
                    before,
                    algorithm: field,
                    base64: next,
                });
            }
            if field.starts_with('@') {
                marker = Some(field);
            } else {
                before = Some(field);
            }
            rest = after;
        }
        None
    }

    /// Returns the host names in a line of `known_hosts`, cut after 100 characters. `None` for hashed
    /// names, for options, and for names without a dot or colon.
    fn hosts(&self) -> Option<Cow<'a, str>> {
        const SHOWN: usize = 100;
        let hosts = self.before?;
        let is_host = hosts.contains(['.', ':']) && !hosts.contains(['=', '"', '|']);
        let end = hosts.char_indices().nth(SHOWN).map(|(end, _)| end);
        is_host.then(|| match end {
            Some(end) => format!("{}…", &hosts[..end]).into(),
            None => hosts.into(),
        })
    }
}

/// Splits a line after its first field. White space in double quotes is a part of the field.
fn field(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let (mut is_quoted, mut is_escaped) = (false, false);
    let end = line.find(|character: char| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            _ => return !is_quoted && character.is_ascii_whitespace(),
        }
        false
    });
    let (field, rest) = line.split_at(end.unwrap_or(line.len()));
    (!field.is_empty()).then_some((field, rest))
}

fn read_line(line: &str) -> Result<Members<'static>> {
    let entry = Entry::of(line).ok_or_else(|| Error::invalid("invalid OpenSSH public key"))?;
    if entry.marker == Some("@revoked") {
        return Err(Error::invalid("the key is revoked"));
    }
    if entry.algorithm.contains("-cert-v0") {
        return Err(Error::invalid("it is an OpenSSH certificate, not a key")
            .hint("import the file with the public key; `ssh-keygen -L -f FILE` shows the certificate"));
    }
    let key = PublicKey::from_openssh(&format!("{} {}", entry.algorithm, entry.base64));
    let key = key.map_err(|error| Error::invalid("invalid OpenSSH public key").cause(error))?;
    public(key.key_data())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE64: &str = "AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

    fn key_of(text: &str) -> Option<String> {
        assert!(is_in(text), "{text}");
        let contents = read(text).unwrap();
        assert!(
            contents.left_out.is_empty(),
            "{text}: {:?}",
            contents.left_out
        );
        contents.keys.first().map(|key| key.to_json())
    }

    #[test]
    fn each_form_of_text_gives_the_key() {
        let expected = key_of(&format!("ssh-ed25519 {BASE64}"));
        assert!(expected.is_some());
        let (first, second) = BASE64.split_at(40);
        for text in [
            format!("  ssh-ed25519\t{BASE64} me@example.com\r\n"),
            format!("# a comment\n\n\tssh-ed25519 {BASE64}"),
            format!("no-pty,command=\"echo \\\"ssh-rsa AAAA\\\"\" ssh-ed25519 {BASE64}"),
            format!("host.example,192.0.2.1 ssh-ed25519 {BASE64}"),
            format!("|1|c2FsdA==|aGFzaA== ssh-ed25519 {BASE64}"),
            format!("@cert-authority *.example ssh-ed25519 {BASE64} a comment"),
            format!(
                "---- BEGIN SSH2 PUBLIC KEY ----\nComment: \"a\\\nb\"\nx-key: 1\n{first}\n{second}\n---- END SSH2 PUBLIC KEY ----\n"
            ),
        ] {
            assert_eq!(key_of(&text), expected, "{text}");
        }
    }

    #[test]
    fn the_names_of_hosts_are_found() {
        let found = |text: String| read(&text).unwrap().found.join("");
        let line = format!("\nhost.example,192.0.2.1 ssh-ed25519 {BASE64}");
        assert_eq!(found(line), "line 2 is the key of host.example,192.0.2.1");
        for text in ["|1|c2FsdA==|aGFzaA==", "no-pty", "command=\"a.b\""] {
            assert_eq!(found(format!("{text} ssh-ed25519 {BASE64}")), "");
        }
    }

    #[test]
    fn unusable_lines_are_reported() {
        for (text, expected) in [
            (format!("@revoked * ssh-ed25519 {BASE64}"), "revoked"),
            (
                format!("ssh-ed25519-cert-v01@openssh.com {BASE64}"),
                "it is an OpenSSH certificate, not a key",
            ),
            (
                "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nAAAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----".into(),
                "private keys of ssh.com",
            ),
        ] {
            assert!(is_in(&text), "{text}");
            let left_out = &read(&text).unwrap().left_out;
            assert!(left_out[0].to_string().contains(expected), "{left_out:?}");
        }
        for text in ["", "a b c ssh-rsa AAAA", "\"", "\"\\"] {
            assert!(!is_in(text), "{text}");
        }
    }
}
