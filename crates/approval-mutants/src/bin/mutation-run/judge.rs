//! What a run says of a mutant, and all runs of the checks.
#![expect(clippy::print_stdout, reason = "the program's results")]

use std::collections::BTreeSet;

use approval_conformance::report::Report;
use approval_conformance::{Verdict, check_ids};

use crate::list::{List, Mutant};

/// What all runs say.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    wells: usize,
    ills: usize,
    /// The checks that failed with a mutant.
    killers: BTreeSet<String>,
}

/// Whether the mutant died, and for the right reason.
pub(crate) fn judge(mutant: &Mutant, report: &Report) -> Result<(), String> {
    let mut said = Vec::new();
    for id in &mutant.killed_by {
        let all: Vec<_> = report.checks.iter().filter(|check| check.id == *id).collect();
        let failed: Vec<_> = all.iter().filter(|check| check.verdict == Verdict::Fail).collect();
        if failed.is_empty() {
            let verdict = all.first().map_or("absent", |check| check.verdict.as_str());
            let message = all.first().and_then(|check| check.message.as_deref()).unwrap_or_default();
            return Err(format!("it survives `{id}`: {verdict} {message}"));
        }
        said.extend(failed.iter().filter_map(|check| check.message.as_deref()));
    }
    if said.iter().any(|message| message.contains(&mutant.message)) {
        return Ok(());
    }
    Err(format!("it dies for another reason than `{}`: {}", mutant.message, said.join(" | ")))
}

/// Whether the server without a fault passes.
pub(crate) fn control(report: &Report) -> Result<(), String> {
    let ill = report.checks.iter().filter(|check| !matches!(check.verdict, Verdict::Pass | Verdict::Warning));
    let ill = ill.map(|check| {
        let message = check.message.as_deref().unwrap_or_default();
        format!("{} ({}): {message}", check.id, check.verdict.as_str())
    });
    let ill: Vec<String> = ill.collect();
    if ill.is_empty() { Ok(()) } else { Err(ill.join(" | ")) }
}

impl Findings {
    /// Tells what came of one.
    pub(crate) fn tell(&mut self, name: &str, judged: Result<(), String>) {
        match judged {
            Ok(()) => {
                self.wells += 1;
                println!("ok {name}");
            }
            Err(why) => {
                self.ills += 1;
                println!("not ok {name}: {why}");
            }
        }
    }

    /// Takes down which checks failed.
    pub(crate) fn killers(&mut self, report: &Report) {
        let failed = report.checks.iter().filter(|check| check.verdict == Verdict::Fail);
        self.killers.extend(failed.map(|check| check.id.clone()));
    }

    /// Tells, where all mutants ran, which checks kill none.
    pub(crate) fn end(&mut self, list: &List, is_all: bool) {
        if is_all {
            let unproven: BTreeSet<&str> = list.unproven.iter().map(|unproven| unproven.check.as_str()).collect();
            let idle: Vec<_> = check_ids().filter(|id| !self.killers.contains(*id) && !unproven.contains(id)).collect();
            let stale: Vec<_> = unproven.into_iter().filter(|id| self.killers.contains(*id)).collect();
            for id in idle {
                self.tell(id, Err("this check kills no mutant".to_owned()));
            }
            for id in stale {
                self.tell(id, Err("this check is listed as unproven, and kills a mutant".to_owned()));
            }
        }
        println!("{} ok, {} not ok", self.wells, self.ills);
    }

    pub(crate) fn is_well(&self) -> bool {
        self.ills == 0
    }
}
