//! Checks, before a server's set is written, that the server can still sign tokens with it.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::header::Header;
use crate::key::parts::is_key_pair;
use crate::keyset::KeySet;
use crate::keyset::index::Index;
use crate::keyset::issuer::{Issuer, Unfit, WithoutKey};
use crate::keyset::key_name::KeyName;
use crate::keyset::push::counterpart;
use crate::remote::Remote;
use crate::report::names::{list_names, shell_word};

/// A planned change of a server's set.
pub struct Change<'a> {
    /// The server.
    pub server: &'a Remote,
    /// The name of the set there.
    pub set: &'a str,
    /// The set before the change.
    pub before: &'a KeySet<'a>,
    /// The set after the change.
    pub after: &'a KeySet<'a>,
    /// Where the new keys come from, for hints.
    pub source: Source<'a>,
}

/// Where the keys of a change come from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A set of the keystore: its name, and its keys.
    Keystore(&'a str, &'a KeySet<'a>),
    /// The command line.
    Files,
    /// The server: no key is new.
    Server,
}

/// What to do if a server would have no private key left to sign its tokens.
#[derive(Clone, Copy)]
pub enum Keyless {
    /// Refuse it, with this hint.
    Refuse(&'static str),
    /// Warn.
    Allow,
}

impl Change<'_> {
    /// Refuses a change after which the server could not sign its own tokens. Warns if only tokens
    /// that are signed with other sets would fail.
    pub fn check(&self, ctx: &Context, keyless: Keyless) -> Result<()> {
        let rules = &self.server.kind.rules;
        if !rules.order_decides() {
            return Ok(());
        }
        if !self.after.keys.iter().any(is_key_pair) {
            self.check_keyless(ctx, keyless)?;
        }
        let Some(issuer) = rules.issuer else {
            return Ok(());
        };
        self.check_symmetric(ctx, issuer)?;
        // If no key signs yet, the write puts the first key pair in front.
        let first_pair = || self.after.keys.iter().find(|key| is_key_pair(key));
        let signer = rules.signer(self.after).or_else(first_pair);
        match signer.and_then(|key| Some((key, issuer.unfit(key)?))) {
            Some((key, unfit)) if unfit != Unfit::Symmetric => {
                self.check_unfit(ctx, issuer, key, &unfit)
            }
            _ => Ok(()),
        }
    }

    /// Runs [`check`](Self::check) only for sets with which the server signs its own tokens.
    pub fn check_own(&self, ctx: &Context, keyless: Keyless) -> Result<()> {
        if self.is_own() {
            self.check(ctx, keyless)
        } else {
            Ok(())
        }
    }

    fn target(&self) -> String {
        format!("{}:{}", self.server.name, self.set)
    }

    /// Returns true if the server signs tokens of its own with this set.
    fn is_own(&self) -> bool {
        self.server.kind.rules.issuer_of(self.set).is_some()
    }

    fn check_keyless(&self, ctx: &Context, keyless: Keyless) -> Result<()> {
        let (target, kind) = (self.target(), self.server.kind.name);
        let issuer = self.server.kind.rules.issuer;
        let without_key = issuer.map(|issuer| issuer.without_key);
        let left = format!("no private key would be left in {target}");
        let message = match (without_key, self.is_own()) {
            (Some(WithoutKey::Fails), true) => {
                format!("{left}: {kind} could issue no tokens and would not start again")
            }
            (Some(WithoutKey::Fails), false) => {
                format!("{left}: {kind} does not generate one")
            }
            (_, true) => format!("{left}: {kind} generates one of its own for the next token"),
            (_, false) => {
                format!("{left}: {kind} generates one of its own if it signs with this set")
            }
        };
        match (without_key, keyless) {
            (Some(WithoutKey::Fails), Keyless::Refuse(hint)) if self.is_own() => {
                Err(Error::refused(message).hint(hint))
            }
            _ => {
                ctx.out.warn(message);
                Ok(())
            }
        }
    }

    /// Refuses, or warns about, symmetric keys in a set that the server publishes: its JWK Set endpoint
    /// would answer with an error.
    fn check_symmetric(&self, ctx: &Context, issuer: &Issuer) -> Result<()> {
        let is_symmetric = |key: &&Key| issuer.unfit(key) == Some(Unfit::Symmetric);
        let symmetric = self.after.keys.iter().filter(is_symmetric);
        let there = Index::of(self.before);
        let (old, new): (Vec<_>, Vec<_>) = symmetric.partition(|key| self.is_there(key, &there));
        let names = |keys: &[&Key]| {
            let names: Vec<_> = keys.iter().map(|key| handle(key)).collect();
            list_names(&names)
        };
        let (target, name) = (self.target(), &self.server.name);
        if !new.is_empty() && self.is_own() {
            let names = names(&new);
            return Err(Error::refused(format!(
                "{target} cannot hold a symmetric key ({names}): /.well-known/jwks.json would fail for everybody"
            ))
            .hint("put it into a set that the server does not sign its own tokens with"));
        }
        if !new.is_empty() {
            let names = names(&new);
            ctx.out.warn(format!(
                "{names} is symmetric: if {name} publishes {target}, /.well-known/jwks.json fails for everybody"
            ));
        }
        if !old.is_empty() && self.is_own() {
            let names = names(&old);
            ctx.out.warn(format!(
                "{target} holds a symmetric key ({names}), so /.well-known/jwks.json fails for everybody; run `jwks delete {} {} --remote {name} --force`",
                self.set,
                old.iter().map(|key| shell_word(&handle(key)).into_owned()).collect::<Vec<_>>().join(" ")
            ));
        }
        Ok(())
    }

    fn check_unfit(&self, ctx: &Context, issuer: &Issuer, key: &Key, unfit: &Unfit) -> Result<()> {
        let (target, kid, why) = (self.target(), handle(key), unfit.why());
        let rules = &self.server.kind.rules;
        let is_first = rules
            .signer(self.before)
            .is_some_and(|now| rules.name(now) == rules.name(key));
        let is_kept =
            is_first && self.is_there(key, &Index::of(self.before)) && self.local(key).is_none();
        if self.is_own() && !is_kept {
            let message = format!("{target} cannot sign tokens with the key {kid:?}: {why}");
            return Err(Error::refused(message).hint(self.remedy(issuer, key, unfit)));
        }
        let warning = if self.is_own() {
            format!("{target} cannot sign tokens with its key {kid:?}: {why}")
        } else {
            format!(
                "tokens fail if {} signs with {target}: {why} ({kid:?})",
                self.server.name
            )
        };
        ctx.out.warn(warning);
        Ok(())
    }

    /// The hint for a key that the server cannot sign with.
    fn remedy(&self, issuer: &Issuer, key: &Key, unfit: &Unfit) -> String {
        let Some(alg) = issuer.alg_for(key) else {
            let alg = issuer.algorithms.first().copied().unwrap_or_default();
            return match self.source {
                Source::Keystore(set, _) => {
                    format!("run `jwks create {set} --alg {alg}` for a key that it can sign with")
                }
                Source::Files | Source::Server => {
                    format!("give it a key for {}", issuer.algorithms.join(", "))
                }
            };
        };
        match (self.source, unfit) {
            (Source::Keystore(set, _), Unfit::OldName) => {
                let kid = self.local(key).unwrap_or_default();
                let kid = shell_word(&kid);
                format!(
                    "pass --ed25519-as-eddsa to send it as {alg}, or run `jwks set {set} --kid {kid} --alg {alg}`"
                )
            }
            (Source::Keystore(set, _), _) => {
                let kid = self.local(key).unwrap_or_default();
                let kid = shell_word(&kid);
                format!("run `jwks set {set} --kid {kid} --alg {alg}`, then send it again")
            }
            (Source::Files, Unfit::NoAlg) => format!("pass --alg {alg}"),
            (Source::Files, _) => format!("change its alg to {alg}"),
            (Source::Server, _) => "delete that key first, or pass --force".into(),
        }
    }

    /// Returns the kid in the keystore of a key; `None` if the key does not come from there.
    fn local(&self, key: &Key) -> Option<String> {
        let Source::Keystore(_, set) = self.source else {
            return None;
        };
        let rules = &self.server.kind.rules;
        let name = rules.name(key);
        let mut keys = set.keys.iter();
        let local = keys.find(|local| rules.name(local) == name)?;
        KeyName::of(local).handle().map(str::to_owned)
    }

    /// Returns true if the server already has the key with the same members.
    fn is_there(&self, key: &Key, there: &Index) -> bool {
        let rules = &self.server.kind.rules;
        let place = counterpart(key, there, rules).map(|i| &self.before.keys[i]);
        place.is_some_and(|other| rules.differences(key, other).is_empty())
    }
}

/// Refuses to let a server generate a key with which it cannot sign its own tokens. Only warns for sets
/// that it signs no tokens of its own with.
pub fn check_generated(ctx: &Context, server: &Remote, set: &str, alg: &str) -> Result<()> {
    let Some(issuer) = server.kind.rules.issuer else {
        return Ok(());
    };
    if issuer.algorithms.contains(&alg) {
        return Ok(());
    }
    let (name, known) = (&server.name, issuer.algorithms.join(", "));
    if issuer.owns(set) {
        return Err(
            Error::refused(format!("{name}:{set} cannot sign tokens with an {alg} key"))
                .hint(format!("pass --alg with one of {known}")),
        );
    }
    ctx.out.warn(format!(
        "tokens fail if {name} signs with {name}:{set}: it cannot sign {alg}"
    ));
    Ok(())
}

fn handle(key: &Key) -> String {
    let name = KeyName::of(key);
    let kid = name.handle().map(str::to_owned);
    kid.or_else(|| Header::of(key).kty.map(|kty| kty.into_owned()))
        .unwrap_or_default()
}
