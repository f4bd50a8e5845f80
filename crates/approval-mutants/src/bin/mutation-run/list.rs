//! `conformance/mutants.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use approval_conformance::check_ids;
use serde::Deserialize;

/// The look at the server, which is there in each run and can't be chosen.
const HELLO: &str = "server-answers";

/// All mutants, and the checks that none of them is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    #[serde(rename = "mutant")]
    pub(crate) mutants: Vec<Mutant>,
    /// Checks that kill none, each with the reason.
    #[serde(default, rename = "unproven")]
    pub(crate) unproven: Vec<Unproven>,
}

/// A server with one fault, and what finds it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    /// What is wrong, in a sentence.
    #[serde(rename = "fault")]
    pub(crate) _fault: String,
    /// The checks that must fail, all of them.
    pub(crate) killed_by: Vec<String>,
    /// What one of them says.
    pub(crate) message: String,
    /// Checks that run as well, so that there are answers which a rule can look at.
    #[serde(default)]
    pub(crate) beside: Vec<String>,
}

/// A check that no mutant is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unproven {
    pub(crate) check: String,
    pub(crate) reason: String,
}

impl List {
    /// Reads it, and holds it against the faults that there are.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
        let list: Self = toml::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
        let mut named = BTreeSet::new();
        for Mutant { name, killed_by, message, .. } in &list.mutants {
            if !named.insert(name.as_str()) {
                bail!("`{}`: `{name}` stands there twice", path.display());
            }
            if approval_mutants::find(name).is_none() {
                bail!("`{}`: there is no fault `{name}`", path.display());
            }
            if let Some(check) = killed_by.iter().find(|check| !check_ids().any(|known| known == **check)) {
                bail!("`{}`: there is no check `{check}`, which `{name}` names", path.display());
            }
            if killed_by.is_empty() || message.is_empty() {
                bail!("`{}`: of `{name}` it isn't said what finds it, and how", path.display());
            }
        }
        if let Some(fault) = approval_mutants::all().find(|fault| !named.contains(fault.name)) {
            bail!("`{}`: the fault `{}` isn't listed", path.display(), fault.name);
        }
        if let Some(unproven) = list.unproven.iter().find(|unproven| unproven.reason.trim().is_empty()) {
            bail!("`{}`: `{}` is unproven without a reason", path.display(), unproven.check);
        }
        Ok(list)
    }

    /// All checks that run with a mutant, in so many parts.
    pub(crate) fn checks_in(&self, parts: usize) -> Vec<Vec<String>> {
        let all: BTreeSet<String> = self.mutants.iter().flat_map(Mutant::runs).collect();
        let part = |number| all.iter().skip(number).step_by(parts).cloned().collect();
        (0..parts).map(part).collect()
    }
}

impl Mutant {
    /// The checks that run with it.
    pub(crate) fn runs(&self) -> Vec<String> {
        self.killed_by.iter().chain(&self.beside).filter(|check| *check != HELLO).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_faults_and_checks_that_there_are() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/mutants.toml");
        let list = List::read(&path).unwrap();
        let killers: BTreeSet<&String> = list.mutants.iter().flat_map(|mutant| &mutant.killed_by).collect();
        for check in check_ids() {
            let unproven = list.unproven.iter().any(|unproven| unproven.check == check);
            let killer = killers.iter().any(|killer| *killer == check);
            assert!(unproven != killer, "`{check}` kills a mutant, or is listed as unproven, and not both");
        }
        for Unproven { check, .. } in &list.unproven {
            assert!(check_ids().any(|known| known == check), "there is no check `{check}`");
        }
    }
}
