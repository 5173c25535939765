//! Ory Hydra, every version, through the program.

use crate::servers::hydra::{Hydra, Version};
use crate::support::Sandbox;

#[test]
fn smoke() {
    let hydra = Hydra::start(Version::V2_2);
    let sandbox = Sandbox::new();
    let run = sandbox.run([
        "remote",
        "add",
        "prod",
        "--kind",
        "hydra",
        "--url",
        &hydra.address(),
    ]);
    eprintln!("{run:?}");
    for line in [
        "remote list",
        "remote show prod",
        "remote test prod -v",
        "create api --remote prod -v",
        "list api --remote prod",
        "get api --remote prod",
        "create own",
        "create own",
        "push own prod --yes -v",
        "push own prod --yes -v",
        "diff own prod",
        "list own --remote prod",
        "pull prod:api local",
        "list local",
        "diff local prod:api --exit-code",
        "delete api --remote prod --yes",
        "delete api --remote prod --yes --force",
        "get api --remote prod",
        "pull prod:own",
        "list --remote prod",
        "list --remote nope",
    ] {
        let run = sandbox.shell(&format!("jwks {line}"));
        eprintln!(
            "$ jwks {line}\n{}{}[{:?}]",
            run.stdout, run.stderr, run.code
        );
    }
}
