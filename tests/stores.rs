//! Keystores on servers: every command on each kind, races of many machines, lost answers, hostile answers,
//! sets that somebody edits on the server.

#[path = "stores/faults.rs"]
mod faults;
#[path = "stores/kubernetes.rs"]
mod kubernetes;
#[path = "stores/races.rs"]
mod races;
#[path = "stores/recipes.rs"]
mod recipes;
#[path = "stores/s3.rs"]
mod s3;
#[path = "support/servers/mod.rs"]
mod servers;
#[path = "stores/site.rs"]
mod site;
#[path = "stores/story.rs"]
mod story;
#[path = "support/mod.rs"]
mod support;
#[path = "stores/vault.rs"]
mod vault;
#[path = "stores/year.rs"]
mod year;
