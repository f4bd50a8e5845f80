//! What a run says of a mutant, and all runs of the checks.
#![expect(clippy::print_stdout, reason = "the program's results")]

use std::collections::BTreeSet;

use approval_conformance::report::{CheckReport, Report};
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
        let failed: Vec<_> = all.iter().filter(|check| is_found(check)).collect();
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

/// Whether the check found something: a fault, or what SHOULD be otherwise where that is all that it is about.
fn is_found(check: &CheckReport) -> bool {
    matches!(check.verdict, Verdict::Fail | Verdict::Warning)
}

/// Whether the server without a fault passes.
pub(crate) fn control_of(report: &Report) -> Result<(), String> {
    let ill = report.checks.iter().filter(|check| check.verdict != Verdict::Pass);
    let ill = ill.map(|check| {
        let message = check.message.as_deref().unwrap_or_default();
        format!("{} ({}): {message}", check.id, check.verdict.as_str())
    });
    let ill: Vec<String> = ill.collect();
    if ill.is_empty() { Ok(()) } else { Err(ill.join(" | ")) }
}

impl Findings {
    /// Tells what came of one that was put through its checks.
    pub(crate) fn tell_of(&mut self, name: &str, judged: Result<(), String>, report: &Report) {
        let tenths = report.milliseconds / 100;
        self.tell(&format!("{name} ({}.{} s)", tenths / 10, tenths % 10), judged);
    }

    fn tell(&mut self, name: &str, judged: Result<(), String>) {
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
        let failed = report.checks.iter().filter(|check| is_found(check));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A report of these checks: name, verdict, message.
    fn report(checks: &[(&str, &str, &str)]) -> Report {
        let check = |(id, verdict, message): &(&str, &str, &str)| {
            json!({
                "id": id, "level": "L1", "revision": null, "requirements": [], "case": null, "verdict": verdict,
                "message": message, "expected": null, "milliseconds": 1, "messages": [],
            })
        };
        let report = json!({
            "format": "", "harness": "", "target": "", "level": "L2", "partial": true,
            "server": { "transport": null, "revisions": [], "bindings": [], "audience": null }, "startedAt": "",
            "milliseconds": 1, "conclusion": "not-conformant", "counts": {}, "stale": [], "memory": null,
            "checks": checks.iter().map(check).collect::<Vec<_>>(),
        });
        serde_json::from_value(report).unwrap()
    }

    fn mutant(killed_by: &[&str]) -> Mutant {
        let killed_by = killed_by.iter().map(|&check| check.to_owned()).collect();
        let (name, fault) = ("m".to_owned(), String::new());
        Mutant { name, _fault: fault, killed_by, message: "it ran".to_owned(), beside: Vec::new() }
    }

    #[test]
    fn a_mutant_dies_of_all_its_checks_and_for_its_reason() {
        let dies = |checks: &[(&str, &str, &str)]| judge(&mutant(&["a", "b"]), &report(checks));
        assert_eq!(dies(&[("a", "fail", "so it ran"), ("b", "warning", "otherwise")]), Ok(()));
        for (checks, why) in [
            (&[("a", "fail", "it ran"), ("b", "pass", "")][..], "survives `b`: pass"),
            (&[("a", "fail", "it ran"), ("b", "harness-fault", "late")], "survives `b`: harness fault late"),
            (&[("a", "fail", "it ran")], "survives `b`: absent"),
            (&[("a", "fail", "it fell"), ("b", "fail", "over")], "another reason than `it ran`: it fell | over"),
        ] {
            let told = dies(checks).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn the_control_passes_and_nothing_less() {
        assert_eq!(control_of(&report(&[("a", "pass", "")])), Ok(()));
        for verdict in ["fail", "harness-fault", "not-applicable", "not-testable", "warning"] {
            assert!(control_of(&report(&[("a", "pass", ""), ("b", verdict, "so")])).is_err(), "{verdict}");
        }
    }
}
