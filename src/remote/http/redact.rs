//! Removes secrets from the messages of servers, because some repeat what they were sent.

use crate::key::parts::is_private_member;
use crate::secret::Secret;
use serde_json::Value;
use std::collections::HashSet;
use url::Url;

/// The minimum length of a secret that is hidden. Shorter ones would hide ordinary words.
const SHORTEST: usize = 8;

/// The most bytes of a text that are searched for secrets; a server's words are shown up to 400
/// characters.
const SEARCHED: usize = 4 << 10;

/// The text in place of a secret.
const SECRET: &str = "(secret)";

/// The secrets that were sent.
#[derive(Default)]
pub struct Redactor(Vec<Secret<String>>);

impl Redactor {
    /// Adds a secret to hide.
    pub fn hide(&mut self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.0.push(Secret::new(secret.to_owned()));
        }
    }

    /// Hides an address and each part of its path and query, because a server can repeat any of them.
    pub fn hide_address(&mut self, url: &Url) {
        self.hide(url.as_str());
        url.path_segments()
            .into_iter()
            .flatten()
            .for_each(|part| self.hide(part));
        self.hide_query(url);
    }

    /// Hides the values in the query of an address, in both forms.
    pub fn hide_query(&mut self, url: &Url) {
        for (_, value) in url.query_pairs() {
            self.hide(&value);
        }
        let raw = url.query().unwrap_or_default().split('&');
        for value in raw.filter_map(|pair| Some(pair.split_once('=')?.1)) {
            self.hide(value);
        }
    }

    /// Adds the private members of every key in a JSON document, and in JSON documents in its strings.
    pub fn hide_keys(&mut self, json: &str) {
        if let Ok(value) = serde_json::from_str(json) {
            self.hide_value(&value);
        }
    }

    /// Adds every text in a JSON document, because each of them can be a secret.
    pub fn hide_texts(&mut self, json: &str) {
        if let Ok(value) = serde_json::from_str(json) {
            self.hide_texts_in(&value);
        }
    }

    fn hide_texts_in(&mut self, value: &Value) {
        match value {
            Value::Object(members) => members.values().for_each(|value| self.hide_texts_in(value)),
            Value::Array(values) => values.iter().for_each(|value| self.hide_texts_in(value)),
            Value::String(text) => self.hide(text),
            _ => {}
        }
    }

    fn hide_value(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(text) if is_secret(name) => self.hide(text),
                        value => self.hide_value(value),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.hide_value(value)),
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                self.hide_keys(text);
            }
            _ => {}
        }
    }

    /// Returns the first 4 KiB of a text without the secrets.
    pub fn clean(&self, mut text: String) -> String {
        let is_cut = text.len() > SEARCHED;
        let mut end = SEARCHED.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        // A push can send many thousand secrets. Most are ruled out by their first bytes.
        let beginnings: HashSet<&[u8]> = text.as_bytes().windows(SHORTEST).collect();
        let can_occur =
            |secret: &&Secret<String>| beginnings.contains(&secret.expose().as_bytes()[..SHORTEST]);
        let candidates: Vec<_> = self.0.iter().filter(can_occur).collect();
        for secret in candidates {
            text = text.replace(secret.expose(), SECRET);
        }
        // The text may now end in the first half of a secret, which is not found. What is left of a text
        // without secrets is too long for its end to be shown.
        if is_cut && let Some(last) = text.rfind(SECRET) {
            text.truncate(last + SECRET.len());
        }
        text
    }
}

/// Returns true if the value of a member is a secret, judged by its name.
fn is_secret(member: &str) -> bool {
    let name = member.to_ascii_lowercase();
    let mut words = ["secret", "password", "token"].iter();
    is_private_member(member) || words.any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_said() {
        let mut redactor = Redactor::default();
        redactor.hide("token-token");
        redactor
            .hide_keys(r#"{"jwks":"{\"keys\":[{\"kid\":\"public-kid\",\"d\":\"private-d\"}]}"}"#);
        let said = "token-token, public-kid, private-d".to_owned();
        assert_eq!(redactor.clean(said), "(secret), public-kid, (secret)");
    }

    #[test]
    fn each_text_of_a_document_is_hidden() {
        let mut redactor = Redactor::default();
        redactor.hide_texts(r#"{"a":"first text","b":[{"c":"second text"}],"d":12345678}"#);
        let said = "first text, second text, 12345678".to_owned();
        assert_eq!(redactor.clean(said), "(secret), (secret), 12345678");
    }

    #[test]
    fn a_query_is_hidden_as_it_is_sent_and_as_it_is_meant() {
        let mut redactor = Redactor::default();
        let url = Url::parse("https://h/p?token=a%2Fb%2Fc%2Fd%2Fe&n=1").unwrap();
        redactor.hide_query(&url);
        let said = "a/b/c/d/e or a%2Fb%2Fc%2Fd%2Fe".to_owned();
        assert_eq!(redactor.clean(said), "(secret) or (secret)");
    }

    #[test]
    fn half_of_a_secret_is_not_said() {
        let mut redactor = Redactor::default();
        let secret = "s".repeat(SEARCHED / 3);
        redactor.hide(&secret);
        let said = format!("no: {}", secret.repeat(10));
        assert_eq!(redactor.clean(said), "no: (secret)(secret)");
        let harmless = "é".repeat(SEARCHED);
        assert_eq!(redactor.clean(harmless).len(), SEARCHED);
    }
}
