//! The hazards of pods, held against Pod Security admission's fixtures and its own code: a Go module, fetched and built here.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::test::{Tests, run_packages};
use super::{Suite, Tier};
use crate::cache::{stamp, tool_directory};
use crate::command::answer;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "pod-security",
    about: "pods are judged as Kubernetes' Pod Security admission judges them, by its fixtures and its code",
    needs: "Go 1.26 or newer, and the module k8s.io/pod-security-admission",
    tier: Tier::Each,
    run,
};

/// The package of the tests.
pub(super) const PACKAGE: &str = "pod-security";

/// The program that judges, whose `go.mod` says at which version.
const ORACLE: &str = "tests/pod-security/oracle";
const MODULE: &str = "k8s.io/pod-security-admission";

fn run(context: &Context) -> Result<Report> {
    let (fixtures, oracle) = match fetched(context) {
        Ok(fetched) => fetched,
        Err(error) => return Ok(Report::skip("all", format!("{MODULE} can't be had: {error:#}"))),
    };
    let mut report = Report::default();
    let environment = [("POD_SECURITY_FIXTURES", fixtures.as_path()), ("POD_SECURITY_ORACLE", oracle.as_path())];
    let tests = Tests { packages: &["--package", PACKAGE], environment: &environment, ..Tests::default() };
    run_packages(context, &tests, &mut report)?;
    Ok(report)
}

/// Where the fixtures and the program are, in a directory that outlives this run.
fn fetched(context: &Context) -> Result<(PathBuf, PathBuf)> {
    let source = context.root.join(ORACLE);
    let requirements = fs::read_to_string(source.join("go.mod"))?;
    let version = required(&requirements)?;
    let directory = tool_directory(&context.metadata.target_directory)?.join(format!("pod-security-{version}"));
    stamp(&directory)?;
    let go = |arguments: &[&OsStr]| {
        let mut command = Command::new("go");
        // The modules lie here, and can be removed with the rest.
        command.current_dir(&source).args(arguments).env("GOMODCACHE", directory.join("modules"));
        answer(command.env("GOFLAGS", "-mod=readonly -modcacherw").env("GOWORK", "off").env("CGO_ENABLED", "0"))
    };
    println!("building the oracle of {MODULE} {version}");
    let oracle = directory.join("oracle");
    go(&["build".as_ref(), "-trimpath".as_ref(), "-o".as_ref(), oracle.as_ref(), ".".as_ref()])
        .context("go is needed")?;
    let module = go(&["list".as_ref(), "-m".as_ref(), "-f".as_ref(), "{{.Dir}}".as_ref(), MODULE.as_ref()])?;
    let fixtures = Path::new(module.trim()).join("test/testdata");
    if !fixtures.is_dir() {
        bail!("the module has no `test/testdata`");
    }
    Ok((fixtures, oracle))
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
