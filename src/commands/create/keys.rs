//! The new keys of `jwks create`: generated, named, and added to the set.

use crate::args::certificate::Maker;
use crate::commands::create::CreateArgs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key::certificate;
use crate::key::generate::Plan;
use crate::key::header::Header;
use crate::key::members::Members;
use crate::keyset::KeySet;
use crate::keyset::kid_from::Kids;
use std::borrow::Cow;
use std::collections::HashSet;

/// Generates the keys of `jwks create` with their dates and certificates, but without kids.
pub(super) fn generate(
    ctx: &Context,
    args: &CreateArgs,
    plan: &Plan,
    (nbf, exp): (Option<i64>, Option<i64>),
    maker: Option<&Maker>,
) -> Result<Vec<Members<'static>>> {
    let progress = (plan.is_slow() || args.count > 1).then(|| {
        ctx.out.progress(
            args.count.into(),
            &format!("generating keys: {}", plan.description()),
        )
    });
    let mut keys = Vec::new();
    for _ in 0..args.count {
        let mut members = match &args.kid {
            Some(_) => plan.generate()?,
            None => args.kid_from.generate(|| plan.generate())?,
        };
        if let Some(usage) = &args.usage {
            members.set_text("use", usage);
        }
        if !args.key_ops.is_empty() {
            members.set_texts("key_ops", &args.key_ops);
        }
        members.set_number("iat", ctx.now);
        for (name, date) in [("nbf", nbf), ("exp", exp)] {
            if let Some(date) = date {
                members.set_number(name, date);
            }
        }
        if let Some(maker) = maker {
            if keys.is_empty() {
                maker.warn_of_days(ctx, &members);
            }
            certificate::attach(&[&maker.certify(&members)?], &mut members);
            if args.x5t {
                certificate::add_sha1(&mut members);
            }
        }
        keys.push(members);
        if let Some(progress) = &progress {
            progress.inc(1);
        }
    }
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    Ok(keys)
}

/// Gives each key its kid and adds it to the set. Returns an error if another key of the set has the
/// kid, or if --kid is the thumbprint of another key.
pub(super) fn add(
    set: &mut KeySet,
    keys: Vec<Members<'static>>,
    args: &CreateArgs,
    now: i64,
) -> Result<Vec<Key<'static>>> {
    if let Some(kid) = &args.kid
        && !set.with_thumbprint(kid).is_empty()
    {
        let message = format!("the kid {kid:?} is the thumbprint of a key of the set");
        return Err(Error::refused(message).hint("choose another kid, or leave --kid out"));
    }
    let header = |key| Header::of(key).kid.map(Cow::into_owned);
    let mut kids: HashSet<String> = set.keys.iter().filter_map(header).collect();
    let mut choice = Kids::new(args.kid_from, set, now);
    let mut created = Vec::new();
    for members in keys {
        let kid = match &args.kid {
            Some(kid) => kid.clone(),
            None => choice.next(&members)?,
        };
        if !kids.insert(kid.clone()) {
            return Err(
                Error::refused(format!("a key of the set has the kid {kid:?}"))
                    .hint("choose another kid, or leave --kid out"),
            );
        }
        let key = Key::from(members.with_kid(&kid));
        set.keys.push(key.clone());
        created.push(key);
    }
    Ok(created)
}
