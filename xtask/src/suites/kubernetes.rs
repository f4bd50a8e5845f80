//! The planner and executor for Kubernetes, on a control plane that is built here: `tests/control-plane`.

mod control_plane;

use anyhow::Result;

use super::test::{Tests, run_packages};
use super::{Suite, Tier};
use crate::context::Context;
use crate::report::Report;
use control_plane::{Built, ControlPlane};

pub(crate) const SUITE: Suite = Suite {
    name: "kubernetes",
    about: "what is planned for Kubernetes is what happens, on a real etcd, API server and controller manager",
    needs: "Go 1.26 or newer, and the modules of Kubernetes: 6 minutes and 4 GiB for the first build",
    tier: Tier::Each,
    run,
};

/// The package of the tests.
pub(super) const PACKAGE: &str = "kubernetes";

/// Where the tests find the kubeconfigs.
const KUBECONFIGS: &str = "MUTATION_APPROVAL_TEST_KUBECONFIGS";

/// A user without any right, besides the administrator.
const USERS: [&str; 1] = ["limited"];

fn run(context: &Context) -> Result<Report> {
    let program = match control_plane::build(context)? {
        Built::Program(program) => program,
        Built::Unavailable(why) => return Ok(Report::skip("all", format!("the control plane can't be had: {why}"))),
        Built::Failed(why) => {
            let mut report = Report::default();
            report.failed("go build", why);
            return Ok(report);
        }
    };
    let mut report = Report::default();
    let running = ControlPlane::start(&program, &USERS)?;
    let environment = [(KUBECONFIGS, running.kubeconfigs())];
    // They wait for the API server more than they compute.
    let options = ["--test-threads", "4"];
    let tests = Tests { packages: &["--package", PACKAGE], options: &options, environment: &environment };
    run_packages(context, &tests, &mut report)?;
    let complaints: Vec<_> = running.stop()?.err().into_iter().collect();
    report.check("the control plane ends in order", &complaints);
    Ok(report)
}
