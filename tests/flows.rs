//! What takes several steps: completion, examples, kills, faults, locks, losses, other tools, permissions,
//! streams, terminals, damage.

#[path = "flows/completion.rs"]
mod completion;
#[path = "flows/crash.rs"]
mod crash;
#[path = "flows/damage.rs"]
mod damage;
#[path = "flows/examples.rs"]
mod examples;
#[path = "flows/faults.rs"]
mod faults;
#[path = "flows/frugal.rs"]
mod frugal;
#[path = "flows/hydra.rs"]
mod hydra;
#[path = "flows/interop.rs"]
mod interop;
#[path = "flows/kids.rs"]
mod kids;
#[path = "flows/locking.rs"]
mod locking;
#[path = "flows/losses.rs"]
mod losses;
#[path = "flows/permissions.rs"]
mod permissions;
#[path = "support/servers/mod.rs"]
mod servers;
#[path = "flows/streams.rs"]
mod streams;
#[path = "support/mod.rs"]
mod support;
#[path = "flows/terminal.rs"]
mod terminal;
