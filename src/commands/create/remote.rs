//! `jwks create --remote`: the server generates a key and keeps it.

use crate::commands::create::{CreateArgs, report, report_existing};
use crate::commands::shared::signing_check::check_generated;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::parts::is_key_pair;
use crate::keyset::import::check_kid;
use crate::keyset::kid_from::KidFrom;
use crate::keystore::log::Verb;
use crate::remote::Remote;
use crate::remote::kind::{Form, Generate, Operation};
use crate::report::log_entry::Record;
use crate::report::names::SetLabel;
use crate::source::server::set_name;

/// Makes a server generate a key, and logs and reports it. Returns an error for options that only the
/// keystore supports, and for a key with which the server could not sign its own tokens.
pub fn create(ctx: &Context, args: &CreateArgs, server: &Remote) -> Result<()> {
    server.kind.require(Operation::Create)?;
    refuse_local_options(args, server)?;
    // Choose the kid here: if the answer is lost, the kid shows whether the server generated the key.
    let kid = match &args.kid {
        Some(kid) => kid.clone(),
        None => uuid::Uuid::new_v4().to_string(),
    };
    check_kid(&kid)?;
    let set = set_name(server, Some(&args.set), None)?;
    if args.if_missing {
        let there = server.get(&set, Form::Public)?;
        if there.is_some_and(|there| !there.keys.is_empty()) {
            return report_existing(ctx, SetLabel::remote(&set, &server.name));
        }
    }
    if args.from_url.is_none() {
        check_generated(ctx, server, &set, args.alg.as_deref().unwrap_or("ES256"))?;
    }
    let made = server.generate(
        &set,
        &Generate {
            alg: args.alg.clone(),
            kty: args.kty.clone(),
            crv: args.crv.clone(),
            size: args.size,
            usage: args.usage.clone(),
            kid,
            from_url: args.from_url.clone(),
        },
    )?;
    let verb = match args.from_url {
        Some(_) => Verb::Added,
        None => Verb::Created,
    };
    Record::of(ctx, SetLabel::remote(&set, &server.name))
        .keys(verb, &made.keys)
        .append();
    let name = server.kind.name;
    for (option, member) in [(&args.alg, "alg"), (&args.usage, "use")] {
        let has = |key: &Key| key.members().is_ok_and(|members| members.has(member));
        if option.is_some() && !made.keys.iter().all(has) {
            let warning = format!("{name} does not store {member} for keys that it generates");
            ctx.out.warn(warning);
        }
    }
    if server.kind.rules.order_decides() && made.keys.iter().any(is_key_pair) {
        ctx.out.status(format!(
            "if {name} signs with this set, it signs with the new key from now on"
        ));
    }
    let status = format!("created a key in set {set} on {}", server.name);
    let whose = SetLabel::remote(&set, &server.name);
    report(ctx, whose, &made.keys, &[], &status)
}

/// Returns an error for options that servers do not support when they generate a key.
fn refuse_local_options(args: &CreateArgs, server: &Remote) -> Result<()> {
    let local = [
        (!args.key_ops.is_empty(), "--key-ops"),
        (args.nbf.is_some(), "--nbf"),
        (args.exp.is_some(), "--exp"),
        (args.count != 1, "--count"),
        (
            !matches!(args.kid_from, KidFrom::Thumbprint | KidFrom::Uuid),
            "--kid-from",
        ),
    ];
    match local.iter().find(|(is_given, _)| *is_given) {
        None => Ok(()),
        Some((_, option)) => Err(Error::usage(format!(
            "{} does not accept {option} for a key that it generates",
            server.kind.name
        ))
        .hint("run `jwks create`, then `jwks push`")),
    }
}
