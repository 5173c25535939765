//! The header of a key: the members that identify it and place it in its line.

use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::base64url;
use crate::key::members::{Members, Text, is_date};
use crate::key::parts::{SUCCESSOR, WITHHELD};
use crate::key::rsa::bit_length;
use crate::key::step_counter;
use serde::Deserialize;
use std::borrow::Cow;

/// The members by which keys are told apart, read in one pass and nothing else kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header<'a> {
    /// `kid`, where it is a string.
    pub kid: Option<Cow<'a, str>>,
    /// `kty`, where it is a string.
    pub kty: Option<Cow<'a, str>>,
    /// `crv`, where it is a string.
    pub crv: Option<Cow<'a, str>>,
    /// `alg`, where it is a string.
    pub alg: Option<Cow<'a, str>>,
    /// `use`, where it is a string.
    pub usage: Option<Cow<'a, str>>,
    /// `iat` in seconds since 1970.
    pub iat: Option<i64>,
    /// `nbf` in seconds since 1970.
    pub nbf: Option<i64>,
    /// `exp` in seconds since 1970.
    pub exp: Option<i64>,
    /// [`SUCCESSOR`], where it is a string.
    pub successor: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Quick<'a> {
    #[serde(borrow)]
    kid: Option<Text<'a>>,
    #[serde(borrow)]
    kty: Option<Text<'a>>,
    #[serde(borrow)]
    crv: Option<Text<'a>>,
    #[serde(borrow)]
    alg: Option<Text<'a>>,
    #[serde(borrow, rename = "use")]
    usage: Option<Text<'a>>,
    iat: Option<f64>,
    nbf: Option<f64>,
    exp: Option<f64>,
    #[serde(borrow, rename = "jwks_successor")]
    successor: Option<Text<'a>>,
}

impl Quick<'_> {
    /// Whether a date is outside of the years that calendars have.
    fn has_odd_date(&self) -> bool {
        let dates = [self.iat, self.nbf, self.exp];
        dates.into_iter().flatten().any(|date| !is_date(date))
    }
}

impl<'a> Header<'a> {
    /// Reads the header of a key; what is missing or of another type is `None`.
    pub fn of(key: &'a Key) -> Header<'a> {
        step_counter::count();
        let seconds = |value: Option<f64>| value.map(|value| value.floor() as i64);
        let text = |value: Option<Text<'a>>| value.map(|text| text.0);
        // An array would be taken for the members in their order.
        if !key.json().starts_with('{') {
            return Header::default();
        }
        match serde_json::from_str::<Quick>(key.json()) {
            Ok(quick) if quick.has_odd_date() => Header::slowly(&key.members().unwrap_or_default()),
            Ok(quick) => Header {
                kid: text(quick.kid),
                kty: text(quick.kty),
                crv: text(quick.crv),
                alg: text(quick.alg),
                usage: text(quick.usage),
                iat: seconds(quick.iat),
                nbf: seconds(quick.nbf),
                exp: seconds(quick.exp),
                successor: text(quick.successor),
            },
            // Something is of a wrong type: take what is not.
            Err(_) => Header::slowly(&key.members().unwrap_or_default()),
        }
    }

    fn slowly(members: &Members) -> Header<'a> {
        let text = |name| {
            members
                .string(name)
                .map(|text| Cow::Owned(text.into_owned()))
        };
        let seconds = |name| members.seconds(name).ok().flatten();
        Header {
            kid: text("kid"),
            kty: text("kty"),
            crv: text("crv"),
            alg: text("alg"),
            usage: text("use"),
            iat: seconds("iat"),
            nbf: seconds("nbf"),
            exp: seconds("exp"),
            successor: text(SUCCESSOR),
        }
    }

    /// What the key is for: `use`, or else what its algorithm is for.
    pub fn effective_use(&self) -> Option<&str> {
        let by_alg = || {
            let algorithm = Algorithm::named(self.alg.as_deref()?)?;
            Some(algorithm.usage.name())
        };
        self.usage.as_deref().or_else(by_alg)
    }
}

/// The bits of an RSA modulus or of a symmetric key.
pub fn size(members: &Members) -> Option<u32> {
    let octets = |name| base64url::decode_lenient(&members.string(name)?);
    match members.string("kty")?.as_ref() {
        "RSA" => Some(bit_length(&octets("n")?)),
        "oct" => match octets("k") {
            Some(k) => Some(k.len() as u32 * 8),
            None => members.raw(WITHHELD)?.parse().ok(),
        },
        _ => None,
    }
}
