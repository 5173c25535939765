//! The claims of tokens: from options, a JSON file, or lines of JSON.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::jws::claims;
use crate::key::members::{Members, quoted};
use crate::key::strict_json;
use crate::keyset::FOREIGN_LIMIT;
use crate::source::document::read_at_most;
use crate::time;
use clap::{Args, ValueHint};
use serde_json::value::RawValue;
use uuid::Uuid;

/// How long a token is valid by default, in seconds: one hour.
const LIFE: i64 = 60 * 60;

/// The most tokens that one command signs.
const MOST_TOKENS: usize = 100_000;

/// The value of --exp for a token without an end.
const NONE: &str = "none";

/// The options that describe claims, which --payload excludes.
pub(super) const IDS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "jti",
    "claim",
    "claims",
    "claims_lines",
    "count",
];

/// The options for claims (RFC 7519 section 4.1).
#[derive(Debug, Args)]
#[command(next_help_heading = "Claims")]
pub(super) struct ClaimArgs {
    /// The issuer
    #[arg(long, value_name = "URL")]
    iss: Option<String>,

    /// The subject
    #[arg(long, value_name = "NAME")]
    sub: Option<String>,

    /// The audience; can be repeated
    #[arg(long, value_name = "NAME")]
    aud: Vec<String>,

    /// When the token ends: a time, or none [default: +1h]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    exp: Option<String>,

    /// When the token begins
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    nbf: Option<String>,

    /// The identifier of the token [default: a random UUID]
    #[arg(long, value_name = "ID", hide_short_help = true, conflicts_with_all = ["count", "claims_lines"])]
    jti: Option<String>,

    /// Add a claim with a JSON value, such as admin=true; can be repeated
    ///
    /// A string has its quotes: --claim 'role="admin"'.
    #[arg(long, value_name = "NAME=JSON")]
    claim: Vec<String>,

    /// Read claims from a JSON object in FILE
    ///
    /// - is standard input. Options replace the claims of the file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    claims: Option<String>,

    /// Sign a token for each line of FILE, a JSON object of claims
    ///
    /// - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true, conflicts_with_all = ["claims", "count"])]
    claims_lines: Option<String>,

    /// Sign N tokens, each with its own jti
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_TOKENS as i64))]
    count: Option<u32>,
}

/// Splits NAME=VALUE. Returns a usage error if there is no name or no `=`.
pub(super) fn split<'a>(pair: &'a str, option: &str) -> Result<(&'a str, &'a str)> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(
            Error::usage(format!("{option} {pair:?} has no name and value"))
                .hint(format!("write {option} NAME=VALUE")),
        ),
    }
}

impl ClaimArgs {
    /// Returns an error if an option is invalid.
    pub(super) fn check(&self, ctx: &Context) -> Result<()> {
        self.given(ctx).map(|_| ())
    }

    /// Returns the claims of each token.
    pub(super) fn read(&self, ctx: &Context) -> Result<Vec<Members<'static>>> {
        let given = self.given(ctx)?;
        let mut read_claims = Vec::new();
        if let Some(path) = &self.claims {
            let octets = read_at_most(FOREIGN_LIMIT, path, &ctx.out)?;
            read_claims.push(claims::parse(&octets).map_err(|why| Error::from(why).about(path))?);
        }
        if let Some(path) = &self.claims_lines {
            let octets = read_at_most(FOREIGN_LIMIT, path, &ctx.out)?;
            read_claims = lines(&octets).map_err(|error| error.about(path))?;
        }
        if self.claims.is_none() && self.claims_lines.is_none() {
            read_claims.push(Members::default());
        }
        let times = self.count.unwrap_or(1);
        let mut tokens = Vec::new();
        for claims in read_claims {
            for _ in 0..times {
                tokens.push(self.complete(claims.clone(), &given, ctx.now));
            }
        }
        Ok(tokens)
    }

    /// Returns the claims of a token: those that were read, those of the options, and the defaults.
    fn complete(
        &self,
        mut claims: Members<'static>,
        given: &Members,
        now: i64,
    ) -> Members<'static> {
        for (name, value) in given.iter() {
            claims.set_raw(name.to_owned(), value.to_owned());
        }
        if claims.raw("iat").is_none() {
            claims.set_number("iat", now);
        }
        if self.exp.as_deref() == Some(NONE) {
            claims.remove("exp");
        } else if claims.raw("exp").is_none() {
            claims.set_number("exp", now.saturating_add(LIFE));
        }
        // Each of several tokens has its own.
        if claims.raw("jti").is_none() || self.count.is_some_and(|count| count > 1) {
            claims.set_text("jti", &Uuid::new_v4().to_string());
        }
        claims
    }

    /// Returns the claims that the options give.
    fn given(&self, ctx: &Context) -> Result<Members<'static>> {
        let mut given = Members::default();
        let texts = [("iss", &self.iss), ("sub", &self.sub), ("jti", &self.jti)];
        for (name, text) in texts {
            if let Some(text) = text {
                given.set_text(name, text);
            }
        }
        match &self.aud[..] {
            [] => {}
            [only] => given.set_text("aud", only),
            several => given.set_texts("aud", several),
        }
        for (name, text) in [("nbf", &self.nbf), ("exp", &self.exp)] {
            if let Some(text) = text
                .as_deref()
                .filter(|text| name != "exp" || *text != NONE)
            {
                let time = time::parse(text, ctx.now);
                let time = time.map_err(|error| error.about(format!("--{name}")))?;
                given.set_number(name, time);
            }
        }
        for pair in &self.claim {
            let (name, json) = split(pair, "--claim")?;
            let is_none = name == "exp" && self.exp.as_deref() == Some(NONE);
            if given.raw(name).is_some() || is_none {
                return Err(Error::usage(format!("the claim {name:?} is given twice")));
            }
            given.set_raw(name.to_owned(), value(pair, name, json)?);
        }
        claims::check_types(&given).map_err(|why| Error::usage(why.message))?;
        Ok(given)
    }
}

/// Checks the JSON value of a claim.
fn value(pair: &str, name: &str, json: &str) -> Result<String> {
    let hint = || {
        let text = format!("{name}={}", quoted(json));
        format!("for a string, write --claim '{text}'")
    };
    strict_json::check(json).map_err(|error| error.about(format!("--claim {pair:?}")))?;
    let value: Result<&RawValue, _> = serde_json::from_str(json);
    value.map(|value| value.get().to_owned()).map_err(|_| {
        let error = Error::usage(format!("the value in --claim {pair:?} is not JSON"));
        error.hint(hint())
    })
}

/// Parses lines of JSON. Empty lines are left out.
fn lines(octets: &[u8]) -> Result<Vec<Members<'static>>> {
    let mut read = Vec::new();
    for (number, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if read.len() == MOST_TOKENS {
            return Err(Error::invalid(format!(
                "it has more than {MOST_TOKENS} lines"
            )));
        }
        let line = claims::parse(line);
        read.push(line.map_err(|why| Error::from(why).about(format!("line {}", number + 1)))?);
    }
    match read.len() {
        0 => Err(Error::invalid("it has no claims")),
        _ => Ok(read),
    }
}
