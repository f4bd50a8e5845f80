//! One run: the kept texts, then the generated ones, each to the core and to every oracle.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostile::Case;

use crate::oracle::{Oracle, batch};
use crate::regression::regressions;
use crate::tally::Tally;
use crate::verdict::{Verdict, verdict};

/// Documents that travel together.
const BATCH: u64 = 2000;
/// Batches that the oracles may be behind. An oracle holds back some verdicts until it gets more texts.
const BEHIND: usize = 3;

const CORE: &str = "core";

/// Documents whose verdicts are still awaited, each with its name and the verdict to be met.
type Awaited = Vec<(String, Case, String)>;

/// A run under way.
pub(crate) struct Run {
    seed: u64,
    oracles: Vec<Oracle>,
    awaited: VecDeque<Awaited>,
    tally: Tally,
}

impl Run {
    pub(crate) fn new(seed: u64, oracles: Vec<Oracle>) -> Self {
        Self { seed, oracles, awaited: VecDeque::new(), tally: Tally::default() }
    }

    /// Runs to the end, and returns what came of it.
    pub(crate) fn all(mut self, count: u64) -> Result<Tally> {
        let mut kept = Vec::new();
        for regression in regressions()? {
            let found = self.core(&regression.name, &regression.case);
            self.compare(CORE, &regression.name, &regression.case, &regression.verdict, &found.line);
            kept.push((regression.name, regression.case, regression.verdict));
        }
        self.send(kept)?;
        let mut index = 0;
        while index < count {
            let end = count.min(index + BATCH);
            let mut cases = Vec::new();
            for index in index..end {
                let case = hostile::case(self.seed, index);
                let name = format!("document {index}");
                let Verdict { line, kind } = self.core(&name, &case);
                self.tally.count(kind);
                self.tally.agreed(CORE);
                cases.push((name, case, line));
            }
            self.send(cases)?;
            index = end;
        }
        for oracle in &mut self.oracles {
            oracle.close();
        }
        while !self.awaited.is_empty() {
            self.receive()?;
        }
        for oracle in self.oracles.drain(..) {
            oracle.end()?;
        }
        Ok(self.tally)
    }

    fn core(&mut self, name: &str, case: &Case) -> Verdict {
        match verdict(case) {
            Ok(verdict) => verdict,
            Err(contradiction) => {
                self.tally.disagreed(CORE, || format!("{name}: {contradiction}\n{}", shown(case)));
                Verdict { line: format!("contradiction: {contradiction}"), kind: "contradiction" }
            }
        }
    }

    fn send(&mut self, cases: Awaited) -> Result<()> {
        let texts: Vec<_> = cases.iter().map(|(_, case, _)| case).collect();
        let batch = batch(&texts)?;
        for oracle in &self.oracles {
            oracle.send(&Arc::clone(&batch))?;
        }
        self.awaited.push_back(cases);
        if self.awaited.len() > BEHIND { self.receive() } else { Ok(()) }
    }

    /// Compares the verdicts on the oldest batch.
    fn receive(&mut self) -> Result<()> {
        for (name, case, expected) in self.awaited.pop_front().unwrap_or_default() {
            for oracle in 0..self.oracles.len() {
                let Some(oracle) = self.oracles.get(oracle) else { continue };
                let (reader, found) = (oracle.name.clone(), oracle.verdict()?);
                self.compare(&reader, &name, &case, &expected, &found);
            }
        }
        Ok(())
    }

    fn compare(&mut self, reader: &str, name: &str, case: &Case, expected: &str, found: &str) {
        if expected == found {
            self.tally.agreed(reader);
        } else {
            self.tally.disagreed(reader, || format!("{name}: `{found}`, not `{expected}`\n{}", shown(case)));
        }
    }
}

/// A case in full, as `regressions.json` would keep it, and as people can read it.
pub(crate) fn shown(case: &Case) -> String {
    let line = verdict(case).map_or_else(|contradiction| contradiction.to_string(), |verdict| verdict.line);
    format!(
        "  \"max_bytes\": {}, \"max_nodes\": {}, \"verdict\": \"{line}\", \"base64\": \"{}\"\n  {}",
        case.max_bytes,
        case.max_nodes,
        STANDARD.encode(&case.text),
        case.text.escape_ascii(),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs with an oracle that a shell plays.
    fn with(script: &str, count: u64) -> Result<Tally> {
        let oracle = Oracle::start("shell", Command::new("sh").args(["-c", script]))?;
        Run::new(1, vec![oracle]).all(count)
    }

    #[test]
    fn a_run_of_enough_documents_reaches_every_reason() {
        assert!(Run::new(1, Vec::new()).all(5000).unwrap().print(5000));
    }

    #[test]
    fn a_reason_that_is_not_reached_is_no_success() {
        assert!(!Run::new(1, Vec::new()).all(1).unwrap().print(1));
    }

    #[test]
    fn an_oracle_that_differs_is_named() {
        // As many answers as there are texts, and all the same.
        let texts = regressions().unwrap().len() + 5000;
        let tally = with(&format!("yes 'refused syntax 0' | head -n {texts}; cat >/dev/null"), 5000).unwrap();
        assert!(tally.differences("shell") > 2500);
        assert_eq!(tally.differences(CORE), 0);
        assert!(!tally.print(5000));
    }

    #[test]
    fn an_oracle_that_ends_early_or_badly_is_no_success() {
        let error = with("exec 0<&-; exit 0", 5000).err().unwrap().to_string();
        assert!(
            ["the oracle `shell` ended early", "the oracle `shell` takes no more texts"].contains(&&*error),
            "{error}"
        );
        let texts = regressions().unwrap().len();
        let error = with(&format!("yes no | head -n {texts}; cat >/dev/null; exit 3"), 0).err().unwrap().to_string();
        assert_eq!(error, "the oracle `shell`: exit status: 3");
        let error = with(&format!("yes no | head -n {}; cat >/dev/null", texts + 1), 0).err().unwrap().to_string();
        assert_eq!(error, "the oracle `shell` gave more verdicts than it got texts");
    }
}
