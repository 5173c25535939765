//! Decides how each local key is sent to a server: with its private part, public only, or not at all.

use crate::key::Key;
use crate::key::check::{Breaks, Budget, breaks, broken_members, findings};
use crate::key::header::Header;
use crate::key::members::Members;
use crate::key::parts::has_private_member;
use crate::key::public::{Dates, Unpublishable, public_form};
use crate::keyset::check::is_factorable;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::State;
use crate::keyset::push::{Ed25519, Policy, Private};
use crate::keyset::server_rules::ServerRules;

/// How a local key is sent to a server.
pub enum Selection {
    /// It is sent in this form.
    Key(Key<'static>),
    /// It has expired, so it is not sent, and can be pruned from the server.
    Expired,
    /// It is not sent, because the user named other keys. The server's copy stays.
    NotNamed,
    /// It is not sent, for this reason.
    LeftOut(&'static str),
    /// The server does not accept it, for this reason.
    Refused(String),
}

/// Decides how a local key is sent.
pub fn wanted(
    key: &Key,
    state: Option<State>,
    rules: &ServerRules,
    policy: Policy,
    budget: &Budget,
) -> Selection {
    let name = KeyName::of(key);
    if !policy.only.is_empty() && !policy.only.iter().any(|only| name.is(only)) {
        return Selection::NotNamed;
    }
    if state == Some(State::Expired) {
        return Selection::Expired;
    }
    let dates = if rules.publishes {
        Dates::Drop
    } else {
        Dates::Keep
    };
    let public = public_form(key, dates, budget);
    let wanted = match public {
        Err(Unpublishable::Invalid) => return Selection::LeftOut("invalid"),
        Err(Unpublishable::Unsupported) => return Selection::LeftOut("unsupported"),
        Err(Unpublishable::Symmetric) if policy.only.is_empty() => {
            return Selection::LeftOut("symmetric: sent only when named");
        }
        Err(Unpublishable::Symmetric) if rules.publishes && policy.private != Private::All => {
            return Selection::LeftOut("symmetric: published only with --private-all");
        }
        Err(Unpublishable::Symmetric) => match whole(key, Members::default(), budget) {
            Ok(whole) => whole,
            Err(why) => return Selection::LeftOut(why),
        },
        Ok(public) if sends_private_part(key, state, rules, policy.private) => {
            match whole(key, public, budget) {
                Ok(whole) => whole,
                Err(why) => return Selection::LeftOut(why),
            }
        }
        Ok(public) => public,
    };
    let wanted = match policy.ed25519 {
        Ed25519::AsEdDsa if wanted.string("alg").as_deref() == Some("Ed25519") => {
            let mut wanted = wanted;
            wanted.set_text("alg", "EdDSA");
            wanted
        }
        _ => wanted,
    };
    match (rules.refuses)(&wanted) {
        Some(why) => Selection::Refused(why),
        None => Selection::Key(Key::from(wanted)),
    }
}

/// Returns the form of a key with its private part for a server, or why the private part must not be sent.
fn whole(
    key: &Key,
    public: Members<'static>,
    budget: &Budget,
) -> Result<Members<'static>, &'static str> {
    let findings = findings(key, budget);
    match breaks(&findings) {
        Breaks::Key => Err("invalid"),
        // The server could sign with a key that is not for signing.
        Breaks::Purpose => Err("its use, alg or key_ops is broken"),
        _ if is_factorable(key, budget) => Err("anybody can factor its modulus"),
        Breaks::Member | Breaks::Nothing => {
            Ok(private_form(key, public, &broken_members(&findings)))
        }
    }
}

/// Returns the form of a key with its private part for a server.
pub fn with_private_part(key: &Key, budget: &Budget) -> Key<'static> {
    let public = public_form(key, Dates::Keep, budget).unwrap_or_default();
    let broken = broken_members(&findings(key, budget));
    Key::from(private_form(key, public, &broken))
}

/// Returns the public form with the private members and the members that describe a private key. Members
/// that are not registered are left out, because they can be secret. So are broken members.
fn private_form(key: &Key, mut form: Members<'static>, broken: &[&str]) -> Members<'static> {
    const DESCRIBING: &[&str] = &["kty", "kid", "use", "alg", "key_ops", "iat", "nbf", "exp"];
    let members = key.members().unwrap_or_default();
    let key_type = members.key_type();
    let private = key_type.map_or(&[][..], |key_type| key_type.private);
    for (name, value) in members.iter() {
        let is_wanted = private.contains(&name) || DESCRIBING.contains(&name);
        if is_wanted && members.has(name) && !broken.contains(&name) {
            form.set_raw(name.to_owned(), value.to_owned());
        }
    }
    form
}

fn sends_private_part(
    key: &Key,
    state: Option<State>,
    rules: &ServerRules,
    private: Private,
) -> bool {
    match private {
        Private::None => false,
        Private::All => has_private_member(key),
        Private::Signing => {
            rules.signs()
                && state == Some(State::Active)
                && Header::of(key).effective_use() == Some("sig")
                && has_private_member(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::read::der;
    use openssl::bn::{BigNum, BigNumContext, BigNumRef};
    use openssl::pkey::PKey;
    use openssl::rsa::RsaPrivateKeyBuilder;

    /// A private key whose primes are neighbors.
    fn with_close_primes() -> Key<'static> {
        let mut ctx = BigNumContext::new().unwrap();
        let mut p = BigNum::new().unwrap();
        p.generate_prime(1024, false, None, None).unwrap();
        let mut q = p.to_owned().unwrap();
        q.add_word(2).unwrap();
        while !q.is_prime(20, &mut ctx).unwrap() {
            q.add_word(2).unwrap();
        }
        let mut product = |one: &BigNumRef, other: &BigNumRef| {
            let mut product = BigNum::new().unwrap();
            product.checked_mul(one, other, &mut ctx).unwrap();
            product
        };
        let n = product(&p, &q);
        let less = |number: &BigNumRef| {
            let mut less = number.to_owned().unwrap();
            less.sub_word(1).unwrap();
            less
        };
        let order = product(&less(&p), &less(&q));
        let e = BigNum::from_u32(65537).unwrap();
        let mut d = BigNum::new().unwrap();
        d.mod_inverse(&e, &order, &mut ctx).unwrap();
        let remainder = |prime: &BigNum| {
            let (mut remainder, mut ctx) = (BigNum::new().unwrap(), BigNumContext::new().unwrap());
            remainder.checked_rem(&d, &less(prime), &mut ctx).unwrap();
            remainder
        };
        let (dp, dq, mut qi) = (remainder(&p), remainder(&q), BigNum::new().unwrap());
        qi.mod_inverse(&q, &p, &mut ctx).unwrap();
        let key = RsaPrivateKeyBuilder::new(n, e, d).unwrap();
        let key = key.set_factors(p, q).unwrap();
        let key = key.set_crt_params(dp, dq, qi).unwrap().build();
        let der = PKey::from_rsa(key).unwrap().private_key_to_pkcs8().unwrap();
        Key::from(der::read(&der).unwrap())
    }

    #[test]
    fn a_private_key_that_anybody_can_factor_is_not_sent() {
        let key = with_close_primes();
        let budget = Budget::default();
        assert_eq!(breaks(&findings(&key, &budget)), Breaks::Nothing);
        let public = public_form(&key, Dates::Keep, &budget).ok().unwrap();
        let sent = whole(&key, public.clone(), &budget).err();
        assert_eq!(sent, Some("anybody can factor its modulus"));
        // An empty budget does not allow the check.
        assert!(whole(&key, public, &Budget::none()).is_ok());
    }
}
