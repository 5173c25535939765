//! The header of a key: the members that identify it and place it in its line.

use crate::key::Key;
use crate::key::algorithm::effective_use;
use crate::key::base64url;
use crate::key::key_type::Kty;
use crate::key::members::{Members, Text, is_date};
use crate::key::parts::{SUCCESSOR, WITHHELD};
use crate::key::rsa::bit_length;
use crate::key::step_counter;
use serde::Deserialize;
use std::borrow::Cow;

/// The members that identify a key and decide its state, read in one pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header<'a> {
    /// `kid`, if it is a string.
    pub kid: Option<Cow<'a, str>>,
    /// `kty`, if it is a string.
    pub kty: Option<Cow<'a, str>>,
    /// `crv`, if it is a string.
    pub crv: Option<Cow<'a, str>>,
    /// `alg`, if it is a string.
    pub alg: Option<Cow<'a, str>>,
    /// `use`, if it is a string.
    pub usage: Option<Cow<'a, str>>,
    /// `iat` in seconds since 1970.
    pub iat: Option<i64>,
    /// `nbf` in seconds since 1970.
    pub nbf: Option<i64>,
    /// `exp` in seconds since 1970.
    pub exp: Option<i64>,
    /// [`SUCCESSOR`], if it is a string.
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
    /// Returns true if a date is after the year 9999.
    fn has_odd_date(&self) -> bool {
        let dates = [self.iat, self.nbf, self.exp];
        dates.into_iter().flatten().any(|date| !is_date(date))
    }
}

impl<'a> Header<'a> {
    /// Reads the header of a key. Members that are missing or have a wrong type are `None`.
    pub fn of(key: &'a Key) -> Header<'a> {
        step_counter::count_text(key.json());
        let seconds = |value: Option<f64>| value.map(|value| value.floor() as i64);
        let text = |value: Option<Text<'a>>| value.map(|text| text.0);
        // serde would read the elements of an array as the members.
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
            // A member has a wrong type: read the others one by one.
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

    /// Returns the purpose of the key: `use`, or the purpose of `alg` if there is no `use`.
    pub fn effective_use(&self) -> Option<&str> {
        effective_use(self.usage.as_deref(), self.alg.as_deref())
    }
}

/// Returns the size in bits of an RSA modulus or a symmetric key.
pub fn size(members: &Members) -> Option<u32> {
    let octets = |name| base64url::decode_lenient(&members.string(name)?);
    match members.kty()? {
        Kty::Rsa => Some(bit_length(&octets("n")?)),
        Kty::Oct => match octets("k") {
            Some(k) => Some(k.len() as u32 * 8),
            None => members.raw(WITHHELD)?.parse().ok(),
        },
        Kty::Ec | Kty::Okp | Kty::Akp => None,
    }
}
