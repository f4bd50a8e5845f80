//! What mutation testing found, held against its limits. The mutants themselves run with `cargo xtask mutants`.

use anyhow::Result;

use super::{Suite, Tier};
use crate::context::Context;
use crate::mutants::plan::{Plan, Reasons, Results};
use crate::mutants::sha256;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "mutants",
    about: "the kept results of mutation testing are within their limits, and what goes unnoticed has a reason",
    needs: "nothing",
    tier: Tier::Each,
    run,
};

fn run(context: &Context) -> Result<Report> {
    let plan = Plan::load(&context.root)?;
    let results = Results::load(&context.root)?;
    let reasons = Reasons::load(&context.root)?;
    let files = plan.files(&context.root)?;
    let mut report = Report::default();
    let (mut noticed, mut unnoticed) = (0, 0);
    for file in files.keys() {
        let Some(found) = results.file.get(file) else {
            report.skipped(file, "its mutants were not run yet");
            continue;
        };
        noticed += found.caught + found.timeout;
        unnoticed += found.missed.len();
        if found.sha256 != sha256(&context.root.join(file))? {
            report.skipped(file, "its mutants were run before it was changed");
            continue;
        }
        let complaints: Vec<String> = found
            .missed
            .iter()
            .filter(|name| !reasons.excuse(file, name))
            .map(|name| format!("no test notices `{name}`"))
            .collect();
        report.check(file, &complaints);
    }
    for reason in &reasons.mutant {
        if !files.contains_key(&reason.file) {
            report.failed(&reason.file, format!("`{}` has a reason, and the file is not mutated", reason.name));
            continue;
        }
        // Of a file that was not run yet, nobody knows.
        let stale = results.file.get(&reason.file).is_some_and(|found| !found.missed.contains(&reason.name));
        if stale {
            report.failed(&reason.file, format!("`{}` has a reason and is noticed, or does not exist", reason.name));
        }
    }
    let all = noticed + unnoticed;
    if all > 0 {
        let share = format!("{noticed} of {all} are noticed");
        println!("{share}");
        let enough = noticed * 100 >= plan.least_caught_percent * all;
        let complaint = format!("{share}, less than {} %", plan.least_caught_percent);
        report.check("the share that is noticed", if enough { &[] } else { std::slice::from_ref(&complaint) });
    }
    Ok(report)
}
