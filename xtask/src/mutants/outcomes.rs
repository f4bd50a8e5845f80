//! What cargo-mutants writes of each mutant.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::plan::Found;

#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: Summary,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Mutant),
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
enum Summary {
    CaughtMutant,
    Failure,
    MissedMutant,
    Success,
    Timeout,
    Unviable,
}

/// Counts the outcomes; the digest of the file is the caller's.
pub(super) fn read(path: &Path) -> Result<Found> {
    let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
    count(&text).with_context(|| format!("reading `{}`", path.display()))
}

fn count(text: &str) -> Result<Found> {
    let Outcomes { outcomes } = serde_json::from_str(text)?;
    let mut found = Found::default();
    for Outcome { scenario, summary } in outcomes {
        match (scenario, summary) {
            (Scenario::Baseline, Summary::Success) => {}
            (Scenario::Mutant(_), Summary::CaughtMutant) => found.caught += 1,
            (Scenario::Mutant(mutant), Summary::MissedMutant) => {
                found.missed.push(without_place(&mutant.name).to_owned())
            }
            (Scenario::Mutant(_), Summary::Timeout) => found.timeout += 1,
            (Scenario::Mutant(_), Summary::Unviable) => found.unviable += 1,
            (Scenario::Baseline, summary) => bail!("the tests don't pass on what is there: {summary:?}"),
            (Scenario::Mutant(mutant), summary) => bail!("`{}`: {summary:?}", mutant.name),
        }
    }
    found.missed.sort();
    Ok(found)
}

/// A mutant's name without file, line and column: it keeps its name when lines move.
fn without_place(name: &str) -> &str {
    name.splitn(4, ':').nth(3).unwrap_or(name).trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_named_without_its_place() {
        assert_eq!(without_place("a/b.rs:53:9: replace x -> y with z: w"), "replace x -> y with z: w");
    }

    #[test]
    fn outcomes_are_counted() {
        let mutant = |summary: &str| serde_json::json!({ "scenario": { "Mutant": { "name": format!("a.rs:1:2: {summary}") } }, "summary": summary });
        let mut outcomes = vec![serde_json::json!({ "scenario": "Baseline", "summary": "Success" })];
        outcomes.extend(["CaughtMutant", "MissedMutant", "Timeout", "Unviable", "CaughtMutant"].map(mutant));
        let found = count(&serde_json::json!({ "outcomes": outcomes }).to_string()).unwrap();
        assert_eq!((found.caught, found.timeout, found.unviable), (2, 1, 1));
        assert_eq!(found.missed, ["MissedMutant"]);

        let broken = serde_json::json!({ "outcomes": [{ "scenario": "Baseline", "summary": "Failure" }] }).to_string();
        assert!(count(&broken).unwrap_err().to_string().starts_with("the tests don't pass"));
    }
}
