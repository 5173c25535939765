//! `jwks advise`: proposes the delays of a rotation, with a reason for each.

mod proposal;
mod report;

use crate::args::connection::ConnectionArgs;
use crate::args::schedule::{self, ScheduleArgs};
use crate::commands::shared::served::{Served, check_addresses};
use crate::context::Context;
use crate::error::Result;
use crate::keyset::KeySet;
use crate::keyset::import::read_set;
use crate::keyset::key_name::KeyName;
use crate::keyset::lifecycle::{self, State};
use crate::keyset::verifiers::caches::{Cache, cache_of};
use crate::keyset::verifiers::{self, Verifier};
use crate::keystore::SetName;
use crate::remote::http::Caching;
use crate::remote::{fetch_with_caching, shown_address};
use crate::time::parse_duration;
use clap::Args;
use proposal::{Facts, Proposal};
use std::collections::BTreeSet;

const EXAMPLES: &str = "\
Examples:
  $ jwks advise api
  $ jwks advise api --verifier istio,jose --token-lifetime 1h
  $ jwks advise api --published https://issuer.example/jwks.json --json";

/// Propose the delays of a rotation
///
/// Reads the caching headers of the addresses at which the set is published, and looks up how long the
/// verifiers cache a set. Proposes --publish-delay, --retire-after and the Cache-Control of the addresses, each
/// with its reason. Changes nothing. Without options, the addresses come from the schedule of the set, and the
/// verifiers are those that `jwks set --verifiers` declares.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AdviseArgs {
    /// The set
    #[arg(value_name = "SET")]
    set: String,

    /// An address at which the set is published; can be repeated
    ///
    /// The address of an issuer leads to its JWK Set.
    #[arg(long, value_name = "URL")]
    published: Vec<String>,

    /// The verifiers of the set
    ///
    /// jwks knows how long airlock-iam, apigee, aspnet, domino, envoy, go-oidc, istio, jose, jose4j, jwks-rsa,
    /// jwks-rsa-java, jwx, keyfunc, nimbus-jose-jwt, pyjwt and spring-security cache a set.
    #[arg(
        long = "verifier",
        id = "verifiers",
        value_name = "VERIFIER,…",
        value_delimiter = ','
    )]
    verifiers: Vec<String>,

    /// The longest lifetime of a token, such as 1h
    #[arg(long, value_name = "SPAN")]
    token_lifetime: Option<String>,

    /// Time until a changed set is published [default: 0s]
    ///
    /// For example, the interval of the job that publishes the set.
    #[arg(long, value_name = "SPAN")]
    publish_interval: Option<String>,

    /// Time until a signer uses a new key [default: 0s]
    ///
    /// For example, the interval at which the signer reads its file.
    #[arg(long, value_name = "SPAN")]
    signer_reload: Option<String>,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// A published address, and what it answered.
struct Address {
    address: String,
    /// Its caching headers, or why it cannot be read.
    caching: Result<Caching>,
    /// What it should not serve, or lacks.
    faults: Vec<String>,
}

/// A verifier, and how it caches a set.
struct Named {
    name: String,
    /// `None` if that is not known.
    cache: Option<&'static Cache>,
}

/// Runs `jwks advise`.
pub fn run(ctx: &Context, args: &AdviseArgs) -> Result<()> {
    let name = SetName::given(&args.set)?;
    let span = |flag: &str, text: &Option<String>| {
        let text = text.as_deref();
        let length = text.map(parse_duration).transpose();
        length.map_err(|error| error.about(format!("--{flag}")))
    };
    let token_lifetime = span("token-lifetime", &args.token_lifetime)?;
    let publish_interval = span("publish-interval", &args.publish_interval)?;
    let signer_reload = span("signer-reload", &args.signer_reload)?;
    check_addresses(&args.published)?;
    verifiers::named(&args.verifiers)?;
    let document = ctx.load_public(&name)?;
    let set = document.parse()?;
    let saved = schedule::saved(&ctx.store.schedules()?, &name)?;
    let options = saved.clone().unwrap_or_default();
    let addresses = read_addresses(ctx, args, &options, &set);
    let verifiers = verifiers(ctx, args, &name, &set);
    let proposal = Proposal::of(&Facts {
        schedule: options.schedule()?,
        addresses: &addresses,
        verifiers: &verifiers,
        token_lifetime,
        publish_interval: publish_interval.unwrap_or(0),
        signer_reload: signer_reload.unwrap_or(0),
    });
    for address in &addresses {
        for fault in &address.faults {
            ctx.out.warn(format!("{}: {fault}", address.address));
        }
    }
    report::print(
        ctx,
        &name,
        saved.is_some(),
        &proposal,
        &addresses,
        &verifiers,
    )?;
    let failed = addresses.into_iter().find_map(|it| it.caching.err());
    failed.map_or(Ok(()), Err)
}

/// Reads the given addresses, or else those of the schedule.
fn read_addresses(
    ctx: &Context,
    args: &AdviseArgs,
    options: &ScheduleArgs,
    set: &KeySet,
) -> Vec<Address> {
    let addresses = if args.published.is_empty() {
        &options.published
    } else {
        &args.published
    };
    let mut seen = BTreeSet::new();
    let addresses = addresses.iter().filter(|address| seen.insert(*address));
    addresses
        .map(|it| read_address(ctx, args, set, it))
        .collect()
}

fn read_address(ctx: &Context, args: &AdviseArgs, set: &KeySet, address: &str) -> Address {
    let read = fetch_with_caching(address, args.connection.options(ctx));
    let read = read.and_then(|(document, caching)| Ok((read_set(document.expose())?, caching)));
    let (caching, faults) = match read {
        Ok((served, caching)) => (Ok(caching), faults(ctx, set, &served)),
        Err(error) => (Err(error), Vec::new()),
    };
    Address {
        address: shown_address(address),
        caching,
        faults,
    }
}

/// Returns what an address should not serve, and which keys it lacks. A pending key can be missing, because it is
/// published later.
fn faults(ctx: &Context, set: &KeySet, served: &KeySet) -> Vec<String> {
    let states = lifecycle::states(set, ctx.now);
    let keys = set.keys.iter().zip(states);
    let keys = keys.filter(|(_, state)| matches!(state, Some(State::Active | State::Retired)));
    let names: Vec<_> = keys.map(|(key, _)| KeyName::of(key)).collect();
    let served = Served::compare(set, served);
    let mut faults = served.faults(&BTreeSet::new());
    faults.extend(served.lacks(&names));
    faults
}

/// Returns the given verifiers, or else the declared ones. Profiles cache nothing.
fn verifiers(ctx: &Context, args: &AdviseArgs, name: &SetName, set: &KeySet) -> Vec<Named> {
    let declared = set.declared_verifiers();
    let names = if args.verifiers.is_empty() {
        &declared
    } else {
        &args.verifiers
    };
    let mut found: Vec<Named> = Vec::new();
    for verifier in names {
        let base = verifier
            .split_once('@')
            .map_or(&**verifier, |(base, _)| base);
        let is_profile = verifiers::named(std::slice::from_ref(verifier))
            .is_ok_and(|found| matches!(found[..], [Verifier::Profile(_)]));
        if is_profile || found.iter().any(|one| one.name == base) {
            continue;
        }
        if let Err(error) = verifiers::named(std::slice::from_ref(verifier)) {
            ctx.out.warn(format!("{name}: {error}"));
            continue;
        }
        found.push(Named {
            name: base.to_owned(),
            cache: cache_of(verifier),
        });
    }
    found
}
