//! Logins and tokens of real identity providers: `tests/identity` says what each is tried with.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{LIMIT, Suite, Tier, counts};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::{ensure_maven, ensure_node, maven_server, npm_packages};

pub(crate) const SUITE: Suite = Suite {
    name: "identity",
    about: "persons log in and decide at real identity providers: one that does right, one that does wrong in each way",
    needs: "Java 17 with Maven and unzip, on CI's machine installed; Node 20 with npm; each for its half",
    tier: Tier::Each,
    run,
};

const PACKAGE: &str = "identity";

/// The build of Keycloak by which it starts quickly: with a database in memory. `tests/identity` starts it so.
const BUILD: [&str; 2] = ["build", "--db=dev-mem"];

/// Where the npm packages are named, and what runs them.
const NODE_PACKAGES: &str = "tests/identity";
const SCRIPT: &str = "tests/identity/provider.mjs";

/// The oldest Node that has what its packages need.
const OLDEST_NODE: u32 = 20;

/// A slow machine's start of a server, another run's that is waited for, and all that is tried.
const IDENTITY_LIMIT: Duration = Duration::from_secs(10 * 60);

fn run(context: &Context) -> Result<Report> {
    let mut build = context.cargo();
    let output = stream(build.args(["build", "--locked", "--package", PACKAGE]), LIMIT)?;
    let mut report = Report::default();
    if !output.succeeded() {
        report.failed("cargo build -p identity", output.ending());
        return Ok(report);
    }
    let (keycloak, node) = (keycloak(context), node(context));
    // The one waits for its keys to get old while the other starts.
    let [keycloak, node] = thread::scope(|scope| {
        let keycloak = scope.spawn(|| drive(context, "keycloak", "Keycloak", keycloak.map(|home| vec![home])));
        let modules = node.map(|modules| vec![modules, context.root.join(SCRIPT)]);
        let node = drive(context, "node", "oidc-provider", modules);
        [keycloak.join().unwrap_or_else(|_| bail!("the thread of Keycloak's part panicked")), node]
    });
    report.add(keycloak?);
    report.add(node?);
    Ok(report)
}

fn keycloak(context: &Context) -> Result<PathBuf> {
    ensure_maven()?;
    maven_server(context, "keycloak", "bin/kc.sh", &BUILD)
}

/// The `node_modules` with the provider that [`SCRIPT`] is told to be.
pub(super) fn node(context: &Context) -> Result<PathBuf> {
    ensure_node(OLDEST_NODE)?;
    npm_packages(context, NODE_PACKAGES)
}

/// One provider's checks; skipped where it can't be had.
fn drive(context: &Context, provider: &str, name: &str, arguments: Result<Vec<PathBuf>>) -> Result<Report> {
    match arguments {
        Ok(arguments) => {
            let mut command = Command::new(context.program(PACKAGE));
            let output = stream(command.arg(provider).args(arguments), IDENTITY_LIMIT)?;
            Ok(counts::lines(name, &output))
        }
        Err(error) => Ok(Report::skip(name, format!("it can't be had: {error:#}"))),
    }
}
