//! Hazards of pods and readings of manifests, held against Kubernetes' own code: Go modules, fetched and built here.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::test::{Tests, run_packages};
use super::{Suite, Tier};
use crate::cache::{stamp, tool_directory};
use crate::command::answer;
use crate::context::Context;
use crate::report::Report;

pub(crate) const POD_SECURITY: Suite = Suite {
    name: "pod-security",
    about: "pods are judged as Kubernetes' Pod Security admission judges them, by its fixtures and its code",
    needs: "Go 1.26 or newer, and the module k8s.io/pod-security-admission",
    tier: Tier::Each,
    run: |context| run(context, "admission"),
};

pub(crate) const MANIFESTS: Suite = Suite {
    name: "manifests",
    about: "what our reader of manifests takes, Kubernetes' own reader takes for the same",
    needs: "as for pod-security",
    tier: Tier::Each,
    run: |context| run(context, "manifests"),
};

/// The package of the tests.
pub(super) const PACKAGE: &str = "kubernetes-oracle";

/// The program that is asked, whose `go.mod` says at which version.
const ORACLE: &str = "tests/kubernetes-oracle/oracle";
const MODULE: &str = "k8s.io/pod-security-admission";

fn run(context: &Context, test: &str) -> Result<Report> {
    let (fixtures, oracle) = match build(context)? {
        Built::Ready { fixtures, oracle } => (fixtures, oracle),
        Built::Unavailable(why) => return Ok(Report::skip("all", format!("Kubernetes' code can't be had: {why}"))),
        Built::Failed(why) => {
            let mut report = Report::default();
            report.failed("go build", why);
            return Ok(report);
        }
    };
    let mut report = Report::default();
    let environment = [("POD_SECURITY_FIXTURES", fixtures.as_path()), ("KUBERNETES_ORACLE", oracle.as_path())];
    let packages = ["--package", PACKAGE, "--test", test];
    let tests = Tests { packages: &packages, environment: &environment, ..Tests::default() };
    run_packages(context, &tests, &mut report)?;
    Ok(report)
}

/// What came of building it.
enum Built {
    Failed(String),
    Ready {
        fixtures: PathBuf,
        oracle: PathBuf,
    },
    /// There is no Go here, or its modules can't be fetched.
    Unavailable(String),
}

/// The fixtures and the program, in a directory that outlives this run. Go knows by itself what has to be built again.
fn build(context: &Context) -> Result<Built> {
    let source = context.root.join(ORACLE);
    let requirements = fs::read_to_string(source.join("go.mod"))?;
    let version = required(&requirements)?;
    let directory = tool_directory(&context.metadata.target_directory)?.join(format!("kubernetes-oracle-{version}"));
    stamp(&directory)?;
    let go = |arguments: &[&OsStr]| {
        let mut command = Command::new("go");
        // The modules lie here, and can be removed with the rest.
        command.current_dir(&source).args(arguments).env("GOMODCACHE", directory.join("modules"));
        answer(command.env("GOFLAGS", "-mod=readonly -modcacherw").env("GOWORK", "off").env("CGO_ENABLED", "0"))
    };
    println!("building {ORACLE}");
    if let Err(error) = go(&["mod".as_ref(), "download".as_ref()]) {
        return Ok(Built::Unavailable(format!("{error:#}")));
    }
    // What fails from here on is ours.
    let oracle = directory.join("oracle");
    if let Err(error) = go(&["build".as_ref(), "-trimpath".as_ref(), "-o".as_ref(), oracle.as_ref(), ".".as_ref()]) {
        return Ok(Built::Failed(format!("{error:#}")));
    }
    let module = go(&["list".as_ref(), "-m".as_ref(), "-f".as_ref(), "{{.Dir}}".as_ref(), MODULE.as_ref()])?;
    let fixtures = Path::new(module.trim()).join("test/testdata");
    if !fixtures.is_dir() {
        return Ok(Built::Failed(format!("{MODULE} has no `test/testdata`")));
    }
    Ok(Built::Ready { fixtures, oracle })
}

/// The version that a `go.mod` requires.
fn required(text: &str) -> Result<&str> {
    let mut lines = text.lines().map(str::trim);
    let version = lines.find_map(|line| line.strip_prefix(MODULE)).context("go.mod does not require the module")?;
    Ok(version.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::workspace_root;

    #[test]
    fn the_oracle_requires_one_exact_version_of_kubernetes() {
        let text = fs::read_to_string(workspace_root().unwrap().join(ORACLE).join("go.mod")).unwrap();
        let version = required(&text).unwrap();
        assert!(version.strip_prefix("v0.").unwrap().split('.').all(|part| part.parse::<u32>().is_ok()), "{version}");
        for module in ["k8s.io/api", "k8s.io/apimachinery"] {
            assert!(text.contains(&format!("{module} {version}\n")), "{module} is of another version");
        }
    }
}
