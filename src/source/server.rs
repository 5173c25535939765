//! The names of sets and keys on a server.

use crate::error::{Error, Result};
use crate::keyset::KeySet;
use crate::remote::Remote;
use crate::remote::kind::Sets;

/// Returns the name of the set on a server: the given name, or the name of the only set, or else the
/// local name `here`. Returns an error if the server's only set has another name, or if no name is
/// known.
pub fn set_name(remote: &Remote, named: Option<&str>, here: Option<&str>) -> Result<String> {
    match (named, remote.kind.sets) {
        (Some(name), Sets::Named) => Ok(name.to_owned()),
        // A kid must not be taken for the name of the set, or the command would act on the whole set.
        (Some(name), Sets::One) => {
            let only = remote.sets()?.pop().unwrap_or_default();
            if name == only || name == remote.name {
                Ok(only)
            } else {
                Err(
                    Error::not_found(format!("no set {name} on {}", remote.name))
                        .hint(format!("its only set is {only}")),
                )
            }
        }
        (None, Sets::One) => remote
            .sets()?
            .pop()
            .ok_or_else(|| Error::not_found(format!("{} has no set", remote.name))),
        (None, Sets::Named) => here.map(str::to_owned).ok_or_else(|| {
            let name = &remote.name;
            Error::usage(format!("{} requires the name of a set", remote.kind.name)).hint(format!(
                "name it: `jwks get SET --remote {name}` or `jwks pull {name}:SET`"
            ))
        }),
    }
}

/// Returns the full kid of a key on a server. Kids on some servers have a prefix, which the user can
/// leave out.
pub fn server_kid(remote: &Remote, set: &KeySet, kid: &str) -> String {
    let there = (remote.kind.rules.kid)(kid, None);
    let is_there = match (set.find_exactly(kid), set.find_exactly(&there)) {
        (Ok(_), _) => false,
        (_, Ok(_)) => true,
        _ => set.find(kid).is_err() && set.find(&there).is_ok(),
    };
    if is_there { there } else { kid.to_owned() }
}
