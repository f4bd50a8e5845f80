//! The official conformance suite, before the gated server and before the same server without a gate: what fails is recorded with
//! its reason, and nothing is otherwise because of the gate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::checks::Checks;
use crate::installation::Installation;

/// Its program, below npm's packages.
const PROGRAM: &str = "@modelcontextprotocol/conformance/dist/index.js";

/// One run of it.
const PATIENCE: Duration = Duration::from_secs(300);

/// The record of what it found: `expected.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    revision: Vec<Revision>,
}

/// What it found for one revision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revision {
    name: String,
    /// How many scenarios it runs, and how many of their checks succeed.
    scenarios: usize,
    succeeded: usize,
    #[serde(default)]
    failure: Vec<Failure>,
}

/// The checks of one scenario that fail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    scenario: String,
    checks: BTreeSet<String>,
    reason: String,
}

/// What came of each check, in the order of a scenario: its id and its status.
type Found = BTreeMap<String, Vec<(String, String)>>;

/// Checks by scenario.
type Named = BTreeSet<(String, String)>;

pub(crate) async fn run(modules: &Path, node: &Path, expected: &Path) -> Result<()> {
    let text = fs::read_to_string(expected).with_context(|| format!("reading `{}`", expected.display()))?;
    let record: Record = toml::from_str(&text).with_context(|| format!("reading `{}`", expected.display()))?;
    ensure!(!record.revision.is_empty(), "`{}` names no revision", expected.display());
    let mut ended = Ok(());
    for revision in &record.revision {
        let mut checks = Checks::of(format!("conformance/{}", revision.name));
        let whole = one(&mut checks, modules, node, revision).await;
        checks.reaches_its_end(whole);
        ended = ended.and(checks.end());
    }
    ended
}

async fn one(checks: &mut Checks, modules: &Path, node: &Path, revision: &Revision) -> Result<()> {
    let (gated, verdict) = before(modules, node, revision, &["--conformance"]).await?;
    checks.same("the suite is content with what it scores", verdict, Some(0));
    let succeeded = gated.values().flatten().filter(|(_, status)| status == "SUCCESS").count();
    checks.same("as many scenarios run as recorded", gated.len(), revision.scenarios);
    checks.same("as many checks succeed as recorded", succeeded, revision.succeeded);
    let (failed, recorded) = (failed(&gated), recorded(revision)?);
    let unexpected: Vec<_> = failed.difference(&recorded).collect();
    checks.holds("what fails is recorded with its reason", unexpected.is_empty(), &unexpected);
    let stale: Vec<_> = recorded.difference(&failed).collect();
    checks.holds("what is recorded fails", stale.is_empty(), &stale);
    let (ungated, _) = before(modules, node, revision, &["--conformance", "--ungated"]).await?;
    let differ: Vec<_> = gated.iter().filter(|(scenario, found)| ungated.get(*scenario) != Some(found)).collect();
    let is_same = differ.is_empty() && gated.len() == ungated.len();
    checks.holds("nothing is otherwise without the gate", is_same, &differ);
    Ok(())
}

/// Has the suite look at a server of these options: what it found, and with what it ended.
async fn before(modules: &Path, node: &Path, revision: &Revision, options: &[&str]) -> Result<(Found, Option<i32>)> {
    let installation = Installation::create()?;
    let endpoint = installation.endpoint(options).await?;
    let results = installation.home().join("results");
    let mut command = Command::new(node);
    command.arg(modules.join(PROGRAM)).args(["server", "--url", &endpoint.url, "--requirements", &revision.name]);
    command.arg("--output-dir").arg(&results).env("HOME", installation.home()).current_dir(installation.home());
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Output { status, stdout, stderr } = timeout(PATIENCE, output).await.context("the suite doesn't end")??;
    let found = found(&results);
    let said = || format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let found = found.with_context(|| format!("the suite ended with {status}: {}", said()))?;
    endpoint.end().await?;
    Ok((found, status.code()))
}

/// Reads what the suite has written: a directory for each scenario, `server-NAME-TIME`.
fn found(results: &Path) -> Result<Found> {
    let mut found = Found::new();
    for entry in fs::read_dir(results).context("it has written nothing")? {
        let path = entry?.path();
        let directory = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(path.join("checks.json")).with_context(|| format!("`{directory}`"))?;
        let written: Vec<Value> = serde_json::from_str(&text)?;
        let part = |check: &Value, name: &str| check.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let checks = written.iter().map(|check| Some((part(check, "id")?, part(check, "status")?)));
        let checks: Option<Vec<_>> = checks.collect();
        let scenario = scenario(&directory).with_context(|| format!("`{directory}` is of no scenario"))?;
        if found.insert(scenario.to_owned(), checks.context("a check without id or status")?).is_some() {
            bail!("`{scenario}` has run twice");
        }
    }
    Ok(found)
}

/// The scenario of a directory of results; the time is `2026-11-24T03-28-10-710Z`.
fn scenario(directory: &str) -> Option<&str> {
    let (name, _) = directory.strip_prefix("server-")?.rsplit_once('T')?;
    name.rsplitn(4, '-').nth(3)
}

fn failed(found: &Found) -> Named {
    let named = found.iter().flat_map(|(scenario, checks)| checks.iter().map(move |check| (scenario, check)));
    let failed = named.filter(|(_, (_, status))| status == "FAILURE");
    failed.map(|(scenario, (id, _))| (scenario.clone(), id.clone())).collect()
}

/// What the record says; each entry has a reason.
fn recorded(revision: &Revision) -> Result<Named> {
    let mut recorded = Named::new();
    for Failure { scenario, checks, reason } in &revision.failure {
        ensure!(!reason.trim().is_empty(), "the failures of `{scenario}` have no reason");
        for check in checks {
            ensure!(recorded.insert((scenario.clone(), check.clone())), "`{scenario}:{check}` is recorded twice");
        }
    }
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_names_its_scenario() {
        assert_eq!(scenario("server-server-sse-polling-2026-11-24T03-28-10-727Z"), Some("server-sse-polling"));
        assert_eq!(scenario("server-ping-2026-11-24T03-28-10-727Z"), Some("ping"));
        assert_eq!(scenario("server-ping"), None);
        assert_eq!(scenario("client-ping-2026-11-24T03-28-10-727Z"), None);
    }

    fn named(pairs: &[(&str, &str)]) -> Named {
        pairs.iter().map(|(scenario, check)| ((*scenario).to_owned(), (*check).to_owned())).collect()
    }

    #[test]
    fn only_failures_count_as_such() {
        let check = |id: &str, status: &str| (id.to_owned(), status.to_owned());
        let checks = vec![check("a", "SUCCESS"), check("b", "FAILURE"), check("c", "WARNING"), check("d", "SKIPPED")];
        assert_eq!(failed(&Found::from([("ping".to_owned(), checks)])), named(&[("ping", "b")]));
    }

    #[test]
    fn a_record_without_a_reason_counts_for_nothing() {
        let revision = |reason: &str, checks: &str| -> Revision {
            let failure = format!("[[failure]]\nscenario = \"ping\"\nreason = \"{reason}\"\nchecks = {checks}\n");
            toml::from_str(&format!("name = \"2026-07-28\"\nscenarios = 1\nsucceeded = 1\n{failure}")).unwrap()
        };
        assert_eq!(recorded(&revision("it is so", "[\"b\"]")).unwrap(), named(&[("ping", "b")]));
        assert!(recorded(&revision(" ", "[\"b\"]")).is_err());
        let mut twice = revision("it is so", "[\"b\"]");
        twice.failure.append(&mut revision("it is so, again", "[\"b\"]").failure);
        assert!(recorded(&twice).is_err());
    }

    #[test]
    fn the_repositorys_own_record_is_read() {
        let record: Record = toml::from_str(include_str!("../conformance/expected.toml")).unwrap();
        assert!(record.revision.iter().all(|revision| recorded(revision).is_ok()));
    }
}
