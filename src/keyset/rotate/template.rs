//! The type, size and certificate of a new key, from the key before it or from the options.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::algorithm::Algorithm;
use crate::key::attributes::USES;
use crate::key::certificate;
use crate::key::generate::{Plan, Request};
use crate::key::header::{Header, size};
use crate::key::key_type::KeyType;
use crate::key::members::Members;
use crate::key::write::self_signed::{Model, can_sign};
use crate::keyset::rotate::{Policy, Time};
use std::fmt;

/// The properties of a new key, without its dates.
#[derive(Clone, PartialEq)]
pub struct Template {
    plan: Plan,
    /// True if the key has an `alg`.
    names_alg: bool,
    /// The value of `use`, if it is not registered.
    private_use: Option<String>,
    key_ops: Vec<String>,
    certified: Certified,
    /// True if the certificate gets a SHA-1 digest (`x5t`), too.
    has_sha1: bool,
}

/// The certificate of a new key.
#[derive(Clone, PartialEq)]
enum Certified {
    /// None, because the key before it has none.
    Uncalled,
    /// A self-signed one, like that of the key before it.
    Like(Model),
    /// None, although the key before it has one: a CA issued that one, or the new key cannot sign.
    Lacking,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())
    }
}

impl Template {
    /// Returns the template for an algorithm, with the curve, the size and a private use from the
    /// options. Returns an error if they do not fit the algorithm.
    pub(super) fn of_algorithm(alg: &str, policy: &Policy) -> Result<Template> {
        let plan = Plan::new(Request {
            alg: Some(alg),
            crv: policy.crv,
            size: policy.size,
            ..Request::default()
        })?;
        Ok(Template {
            plan,
            names_alg: true,
            private_use: policy
                .usage
                .filter(|usage| !USES.contains(usage))
                .map(str::to_owned),
            key_ops: Vec::new(),
            certified: Certified::Uncalled,
            has_sha1: false,
        })
    }

    /// Adds a certificate like that of `key`, the key before it, if that one has a certificate.
    pub(super) fn certified_like(mut self, key: &Key) -> Template {
        let members = key.members().unwrap_or_default();
        self.has_sha1 = members.has("x5t");
        let mut names = certificate::DESCRIBING.iter().chain(&["x5u"]);
        self.certified = match (names.any(|name| members.has(name)), Model::of(&members)) {
            (false, _) => Certified::Uncalled,
            (true, Some(model)) if self.can_sign() => Certified::Like(model),
            (true, _) => Certified::Lacking,
        };
        self
    }

    /// Returns true if the key is a shared secret, which is not published.
    pub(super) fn is_symmetric(&self) -> bool {
        KeyType::named(self.plan.kty()).is_some_and(KeyType::is_symmetric)
    }

    fn can_sign(&self) -> bool {
        let mut members = Members::default();
        members.set_text("kty", self.plan.kty());
        members.set_text("crv", self.plan.crv().unwrap_or_default());
        can_sign(&members)
    }

    /// Returns the template for a key of the same line as another key. Size and curve are those of that
    /// key, unless the options give others. Returns an error if no such key can be generated, or if the
    /// kid that the options ask for needs a certificate and the key would get none.
    pub(super) fn like(key: &Key, policy: &Policy) -> Result<Template> {
        let header = Header::of(key);
        let members = key.members().unwrap_or_default();
        let asked = Some(policy).filter(|policy| policy.asks_for_material(&header));
        // A secret that is too short for its algorithm gets a successor that is not.
        let algorithm = header.alg.as_deref().and_then(Algorithm::named);
        let takes = |bits: &u32| algorithm.is_none_or(|algorithm| algorithm.takes_size(*bits));
        let own_size = size(&members).filter(takes);
        let request = Request {
            alg: header.alg.as_deref(),
            kty: header.kty.as_deref(),
            crv: asked.and_then(|asked| asked.crv).or(header.crv.as_deref()),
            size: asked.and_then(|asked| asked.size).or(own_size),
            usage: header.usage.as_deref().filter(|usage| USES.contains(usage)),
        };
        let plan = Plan::new(request)?;
        let operations = members.texts("key_ops").ok().flatten().unwrap_or_default();
        let template = Template {
            plan,
            names_alg: header.alg.is_some(),
            private_use: header
                .usage
                .as_deref()
                .filter(|usage| !USES.contains(usage))
                .map(str::to_owned),
            key_ops: operations.iter().map(|name| name.to_string()).collect(),
            certified: Certified::Uncalled,
            has_sha1: false,
        };
        let template = template.certified_like(key);
        if policy.kid_from.needs_certificate() && !matches!(template.certified, Certified::Like(_))
        {
            let message =
                "the kid of a new key needs a certificate, and it would get no certificate";
            return Err(Error::invalid(message)
                .hint("choose --kid-from thumbprint or spki, which need no certificate"));
        }
        Ok(template)
    }

    /// Returns true if a key has this type, curve and size.
    pub(super) fn fits(&self, key: &Key) -> bool {
        let header = Header::of(key);
        let bits = || size(&key.members().unwrap_or_default());
        header.kty.as_deref() == Some(self.plan.kty())
            && header.crv.as_deref() == self.plan.crv()
            && self.plan.bits() == bits()
    }

    /// Returns a name for messages: `ES256`, or `P-256` for a key without an algorithm.
    pub fn description(&self) -> String {
        match self.plan.alg.filter(|_| self.names_alg) {
            Some(alg) => alg.name.to_owned(),
            None => self.plan.description(),
        }
    }

    /// Returns the use of the key.
    pub fn usage(&self) -> Option<&str> {
        let registered = self.plan.usage.map(|usage| usage.name());
        self.private_use.as_deref().or(registered)
    }

    /// Returns true if the key before it has a certificate and the new key cannot get one like it.
    pub fn lacks_certificate(&self) -> bool {
        self.certified == Certified::Lacking
    }

    /// Gives a new key with dates a certificate like that of the key before it. Returns false if that key
    /// has a certificate and the new one gets none. `now` is in seconds since 1970.
    pub(super) fn certify(&self, members: &mut Members, now: Time) -> bool {
        let made = match &self.certified {
            Certified::Uncalled => return true,
            Certified::Lacking => return false,
            Certified::Like(model) => model.certify(members, now),
        };
        // A failure must not stop the rotation, so the key then has no certificate.
        if let Ok(made) = &made {
            certificate::attach(&[made], members);
            if self.has_sha1 {
                certificate::add_sha1(members);
            }
        }
        made.is_ok()
    }

    /// Returns true if generating the key is slow enough to show progress.
    pub fn is_slow(&self) -> bool {
        self.plan.is_slow()
    }

    /// Generates a key, without kid and dates.
    pub fn generate(&self) -> Result<Members<'static>> {
        let mut members = self.plan.generate()?;
        if !self.names_alg {
            members.remove("alg");
        }
        if let Some(usage) = &self.private_use {
            members.set_text("use", usage);
        }
        if !self.key_ops.is_empty() {
            members.set_texts("key_ops", &self.key_ops);
        }
        Ok(members)
    }
}
