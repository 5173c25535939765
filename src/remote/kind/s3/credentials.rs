//! Finds the credentials of the storage where the vendor's own tools find them. They are kept in memory only.

use crate::environment;
use crate::error::{Error, Result};
use crate::remote::http::{Client, Request, element, parse};
use crate::remote::location::parse_address;
use crate::secret::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use std::path::Path;
use ureq::http::Method;

/// An access key with its secret.
pub struct Credentials {
    /// The ID of the access key.
    pub key: Secret<String>,
    /// Its secret.
    pub secret: Secret<String>,
    /// The session token of temporary credentials.
    pub token: Option<Secret<String>>,
    /// Where they come from, for messages.
    pub source: String,
}

/// The output of a `credential_process`, and the part of it that `aws sts` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    expiration: Option<String>,
    credentials: Option<Box<Printed>>,
}

/// Finds credentials: the given ones, those in the environment, or those of the web identity.
pub fn find(given: Option<&Secret<String>>, region: &str, client: &Client) -> Result<Credentials> {
    let credentials = match given {
        Some(given) => read(given)?,
        None => match from_variables()? {
            Some(credentials) => credentials,
            None => from_web_identity(region, client)?.ok_or_else(missing)?,
        },
    };
    client.hide(credentials.secret.expose());
    if let Some(token) = &credentials.token {
        client.hide(token.expose());
    }
    Ok(credentials)
}

fn missing() -> Error {
    Error::denied("no credentials for s3").hint(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; a remote can also have --token-command CMD",
    )
}

/// Reads `KEY:SECRET`, or the JSON of a `credential_process`.
fn read(given: &Secret<String>) -> Result<Credentials> {
    let malformed = || {
        Error::denied("the token is neither KEY:SECRET nor the JSON of a credential_process").hint(
            "print {\"Version\":1,\"AccessKeyId\":…,\"SecretAccessKey\":…,\"SessionToken\":…}",
        )
    };
    let text = given.expose();
    let source = "the token".to_owned();
    if !text.trim_start().starts_with('{') {
        let (key, secret) = text.split_once(':').ok_or_else(malformed)?;
        return usable(key, secret, None, None, source);
    }
    let printed: Printed = parse(text.as_bytes()).ok_or_else(malformed)?;
    let printed = match printed.credentials {
        Some(inner) => *inner,
        None => printed,
    };
    let key = printed.access_key_id.ok_or_else(malformed)?;
    let secret = Secret::new(printed.secret_access_key.ok_or_else(malformed)?);
    let token = printed.session_token.map(Secret::new);
    let token = token.as_ref().map(|token| token.expose().as_str());
    let expires = printed.expiration.as_deref();
    usable(&key, secret.expose(), token, expires, source)
}

fn from_variables() -> Result<Option<Credentials>> {
    let key = environment::secret("AWS_ACCESS_KEY_ID")?;
    let secret = environment::secret("AWS_SECRET_ACCESS_KEY")?;
    let (Some(key), Some(secret)) = (key, secret) else {
        return Ok(None);
    };
    let token = environment::secret("AWS_SESSION_TOKEN")?;
    let token = token.as_ref().map(|token| token.expose().as_str());
    let source = "the variable AWS_ACCESS_KEY_ID".to_owned();
    usable(key.expose(), secret.expose(), token, None, source).map(Some)
}

/// Exchanges the token of a web identity, such as that of a Kubernetes service account, for credentials.
fn from_web_identity(region: &str, client: &Client) -> Result<Option<Credentials>> {
    let file = environment::value("AWS_WEB_IDENTITY_TOKEN_FILE");
    let (Some(file), Some(role)) = (file, environment::value("AWS_ROLE_ARN")) else {
        return Ok(None);
    };
    let token = crate::credential::file(Path::new(&file))?;
    let token = crate::credential::first_line(&token.octets, &file)?;
    client.hide(token.expose());
    let session = environment::value("AWS_ROLE_SESSION_NAME");
    let session = session.unwrap_or_else(|| "jwks".to_owned());
    let named = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
    let endpoint = named.into_iter().find_map(environment::value);
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    let usual = || format!("https://sts.{region}.amazonaws.com{china}");
    let address = parse_address(&endpoint.unwrap_or_else(usual))?;
    let request = Request::to(Method::POST, address).accept("*/*").form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", &role),
        ("RoleSessionName", &session),
        ("WebIdentityToken", token.expose()),
    ]);
    let answer = client.send(&request)?;
    if !answer.is_success() {
        let error = answer.error();
        return Err(Error::denied(error.to_string())
            .hint("check AWS_ROLE_ARN and the trust policy of the role; a token expires"));
    }
    let text = Secret::new(String::from_utf8_lossy(answer.body.expose()).into_owned());
    let field = |name| element(text.expose(), name);
    let (Some(key), Some(secret)) = (field("AccessKeyId"), field("SecretAccessKey")) else {
        return Err(answer.unlike("a set of credentials"));
    };
    let (token, expires) = (field("SessionToken"), field("Expiration"));
    let source = format!("the web identity in {file}");
    usable(&key, &secret, token.as_deref(), expires.as_deref(), source).map(Some)
}

/// Returns credentials that can be sent. Returns an error if they are malformed or have expired.
fn usable(
    key: &str,
    secret: &str,
    token: Option<&str>,
    expires: Option<&str>,
    source: String,
) -> Result<Credentials> {
    let is_plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    let (key, secret) = (key.trim(), secret.trim());
    let token = token.map(str::trim).filter(|token| !token.is_empty());
    if !is_plain(key) || !is_plain(secret) || !token.is_none_or(is_plain) {
        return Err(Error::denied(format!(
            "the credentials from {source} have characters that no access key has"
        )));
    }
    let expired = expires.and_then(|expires| expires.trim().parse::<Timestamp>().ok());
    if let Some(expired) = expired.filter(|expires| *expires <= Timestamp::now()) {
        return Err(Error::denied(format!(
            "the credentials from {source} have expired at {}",
            expired.strftime("%Y-%m-%dT%H:%M:%SZ")
        ))
        .hint("get new ones"));
    }
    Ok(Credentials {
        key: Secret::new(key.to_owned()),
        secret: Secret::new(secret.to_owned()),
        token: token.map(|token| Secret::new(token.to_owned())),
        source,
    })
}
