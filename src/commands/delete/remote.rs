//! `jwks delete --remote`: deletes keys of a server's set, or the whole set.

use crate::commands::delete::{
    DeleteArgs, Gone, chosen, describe, finish, report, signing_instead,
};
use crate::commands::shared::signing_check::{Change, Keyless, Source};
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::key::Key;
use crate::keyset::KeySet;
use crate::keyset::succession::succession;
use crate::remote::Remote;
use crate::remote::kind::{Form, Operation, Sets};
use crate::report::names::{SetLabel, count, sign};
use crate::source::server::{server_kid, set_name};

/// Deletes keys of a server's set, or the set. Reads the set first, because servers do not report
/// keys that do not exist.
pub fn delete(ctx: &Context, args: &DeleteArgs, server: &Remote) -> Result<()> {
    let whole = args.is_whole();
    server.kind.require(if whole {
        Operation::DeleteSet
    } else {
        Operation::DeleteKey
    })?;
    let name = &set_name(server, Some(&args.set), None)?;
    let whose = SetLabel::remote(name, &server.name);
    let set = match server.load(name, Form::Private) {
        Err(error) if args.if_exists && error.kind() == ErrorKind::NotFound => {
            return report(ctx, whose, &[], &[], Gone::default());
        }
        set => set?,
    };
    let states = server.kind.rules.states(&set, ctx.now);
    let wanted = args.kids.iter();
    let kids: Vec<_> = wanted.map(|kid| server_kid(server, &set, kid)).collect();
    let positions = chosen(args, &kids, name, &set, &states)?;
    // The only set of a server always exists; it can only be empty.
    let is_nothing = !whole || server.kind.sets == Sets::One;
    if positions.is_empty() && is_nothing {
        return report(ctx, whose, &[], &[], Gone::default());
    }
    let states_of = |set: &KeySet| server.kind.rules.states(set, ctx.now);
    let signing = signing_instead(ctx, args, name, &succession(&set, &positions, states_of))?;
    let keys: Vec<Key> = positions.iter().map(|i| set.keys[*i].clone()).collect();
    let change = Change {
        server,
        set: name,
        before: &set,
        after: &set.without(&keys),
        source: Source::Server,
    };
    let hint = "create a key on the server first, or pass --force";
    match change.check_own(ctx, Keyless::Refuse(hint)) {
        Err(error) if args.force => ctx.out.warn(error.to_string()),
        checked => checked?,
    }
    let going = describe(&set, &states, &positions);
    let number = count(keys.len(), "key");
    let what = if whole {
        format!(
            "set {name} would be deleted on {} with {number}",
            server.name
        )
    } else {
        format!("set {name} on {} would lose {number}", server.name)
    };
    let what = if signing.is_empty() {
        what
    } else {
        format!("{what}, and {} from now on", sign(&signing))
    };
    ctx.prompt.confirm_all(&ctx.out, &what, &going)?;
    if whole {
        server.delete_set(name, &set)?
    } else {
        server.delete_keys(name, &set, &keys)?
    }
    let gone = Gone {
        set: whole,
        ..Gone::default()
    };
    finish(ctx, whose, &keys, &signing, gone)
}
