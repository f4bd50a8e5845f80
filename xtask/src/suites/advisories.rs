//! Known vulnerabilities in the locked dependencies. The database is fetched from the network, which not every machine
//! may do; so this is its own suite, and a workflow of its own runs it.

use super::{Suite, Tier, deny};

pub(crate) const SUITE: Suite = Suite {
    name: "advisories",
    about: "no known vulnerability in a dependency",
    needs: "cargo-deny and the RustSec database",
    tier: Tier::Full,
    run: |context| deny::run(context, &["advisories"]),
};
