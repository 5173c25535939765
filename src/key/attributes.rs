//! Members that describe a key, as options of the command line set them.

use crate::error::{Error, Result};
use crate::key::algorithm::{ALGORITHMS, Algorithm, OPERATIONS};
use crate::key::generate::unknown_algorithm;
use crate::key::key_type::KEY_TYPES;
use crate::key::members::Members;
use crate::key::parts::{DESCRIBING, OWN};
use crate::nearest::{nearest, unknown};

/// Values for `alg`, `use`, `key_ops`, `nbf` and `exp`, and members to remove. `None` and empty values change
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// `alg`.
    pub alg: Option<String>,
    /// `use`.
    pub usage: Option<String>,
    /// `key_ops`.
    pub key_ops: Vec<String>,
    /// `nbf` in seconds since 1970.
    pub nbf: Option<i64>,
    /// `exp` in seconds since 1970.
    pub exp: Option<i64>,
    /// The names of the members to remove.
    pub removed: Vec<String>,
}

impl Attributes {
    /// Returns true if no value is set.
    pub fn is_empty(&self) -> bool {
        self.alg.is_none()
            && self.usage.is_none()
            && self.key_ops.is_empty()
            && self.nbf.is_none()
            && self.exp.is_none()
            && self.removed.is_empty()
    }

    /// Returns an error for a member that cannot be removed, or that has a value, too.
    fn check_removed(&self) -> Result<()> {
        let given = [
            ("alg", self.alg.is_some()),
            ("use", self.usage.is_some()),
            ("key_ops", !self.key_ops.is_empty()),
            ("nbf", self.nbf.is_some()),
            ("exp", self.exp.is_some()),
        ];
        for name in &self.removed {
            if given.contains(&(name, true)) {
                return Err(Error::usage(format!(
                    "{name} cannot be both set and removed"
                )));
            }
            if name == "kid" {
                return Err(Error::usage("the kid cannot be removed")
                    .hint("pass --rename NEW to change the kid"));
            }
            let mut key_types = KEY_TYPES.iter();
            let is_material = name == "kty" || key_types.any(|key_type| key_type.owns(name));
            if is_material || OWN.contains(&&**name) {
                return Err(
                    Error::usage(format!("the member {name:?} cannot be removed")).hint(
                        "members such as alg, use, key_ops, iat, nbf, exp and x5c can be removed",
                    ),
                );
            }
        }
        Ok(())
    }

    /// Returns an error for an algorithm or operation that is not registered, for an empty use, and for a
    /// member that cannot be removed.
    pub fn check(&self) -> Result<()> {
        if let Some(alg) = &self.alg
            && Algorithm::named(alg).is_none()
        {
            let names: Vec<_> = ALGORITHMS.iter().map(|algorithm| algorithm.name).collect();
            return Err(unknown_algorithm(alg, &names));
        }
        refuse_empty_use(self.usage.as_deref())?;
        self.check_removed()?;
        check_operations(&self.key_ops)
    }

    /// Sets the members that are missing or have the wrong JSON type.
    pub fn fill_in(&self, members: &mut Members) {
        self.apply(members, |members, name| match name {
            "key_ops" => members.texts(name).ok().flatten().is_none(),
            "nbf" | "exp" => members.seconds(name).ok().flatten().is_none(),
            _ => members.string(name).is_none(),
        });
    }

    /// Sets the members, overwrites existing values, and removes members.
    pub fn overwrite(&self, members: &mut Members) {
        self.apply(members, |_, _| true);
        self.removed.iter().for_each(|name| members.remove(name));
    }

    fn apply(&self, members: &mut Members, wanted: impl Fn(&Members, &str) -> bool) {
        for (name, value) in [("alg", &self.alg), ("use", &self.usage)] {
            if let Some(value) = value.as_deref().filter(|_| wanted(members, name)) {
                members.set_text(name, value);
            }
        }
        if !self.key_ops.is_empty() && wanted(members, "key_ops") {
            members.set_texts("key_ops", &self.key_ops);
        }
        for (name, date) in [("nbf", self.nbf), ("exp", self.exp)] {
            if let Some(date) = date.filter(|_| wanted(members, name)) {
                members.set_number(name, date);
            }
        }
    }
}

/// Returns the describing member that is nearest to a mistyped name.
pub fn nearest_member(name: &str) -> Option<&'static str> {
    nearest(name, DESCRIBING)
}

/// The registered values of `use` (RFC 7517 section 4.2).
pub const USES: &[&str] = &["sig", "enc"];

/// Returns an error for an empty use.
pub fn refuse_empty_use(usage: Option<&str>) -> Result<()> {
    match usage {
        Some("") => Err(Error::usage("the use is empty")),
        _ => Ok(()),
    }
}

/// Returns an error for a use that is not registered.
pub fn check_use(usage: &str) -> Result<()> {
    if USES.contains(&usage) {
        Ok(())
    } else {
        Err(unknown("use", usage, None, USES))
    }
}

/// Returns an error for operations that are not registered (RFC 7517 section 4.3) or are given
/// twice.
pub fn check_operations(operations: &[String]) -> Result<()> {
    let registered = OPERATIONS.concat();
    for (i, operation) in operations.iter().enumerate() {
        if !registered.contains(&operation.as_str()) {
            return Err(unknown("operation", operation, None, &registered));
        }
        if operations[..i].contains(operation) {
            return Err(Error::usage(format!(
                "the operation {operation} is given twice"
            )));
        }
    }
    Ok(())
}
