//! The real service, explored exhaustively, and a copy of it with one fault in each function that decides: the exploration must
//! find each, by the invariant that it breaks.

mod seeded;

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use self::seeded::{Seed, Seeds};
use super::{Suite, Tier, counts};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "model",
    about: "every order of calls, crashes and ticks keeps the invariants, and seeded faults are found (tests/model)",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

const PACKAGE: &str = "model";
const EXPLORATION: Duration = Duration::from_secs(30 * 60);

fn run(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    let mut explore = context.cargo();
    explore.args(["run", "--locked", "--quiet", "--package", PACKAGE, "--", "explore"]);
    if context.full {
        explore.arg("--full");
    }
    add(&mut report, counts::lines("the service as it is", &stream(&mut explore, EXPLORATION)?));
    let mut worlds = context.cargo();
    worlds.args(["run", "--locked", "--quiet", "--package", PACKAGE, "--", "worlds"]);
    add(&mut report, counts::lines("faulty worlds", &stream(&mut worlds, EXPLORATION)?));

    let seeds = Seeds::read(&context.root)?;
    let workspace = context.metadata.target_directory.join("model-seeded");
    seeds.plant(&context.root, &workspace)?;
    let mut build = context.cargo();
    build.current_dir(&workspace).env("CARGO_TARGET_DIR", &context.metadata.target_directory);
    build.args(["build", "--offline", "--quiet", "--package", seeded::PROGRAM]);
    let built = stream(&mut build, EXPLORATION)?;
    if !built.succeeded() {
        report.failed("the copy with faults", format!("it does not build: {}", built.ending()));
        return Ok(report);
    }
    let program = || Command::new(context.program(seeded::PROGRAM));
    // With every switch off, the copy is as good as the original.
    add(
        &mut report,
        counts::lines(
            "the copy without faults",
            &stream(program().args(["explore", "--only", "decisions"]), EXPLORATION)?,
        ),
    );
    for seed in seeds.chosen(context.full) {
        let Seed { name, scenario, breaks, .. } = seed;
        let mut hunt = program();
        hunt.args(["seeded", name, "--scenario", scenario, "--breaks", breaks]).env(seeded::SWITCH, name);
        add(&mut report, counts::lines(name, &stream(&mut hunt, EXPLORATION)?));
    }
    Ok(report)
}

fn add(report: &mut Report, other: Report) {
    report.passed += other.passed;
    report.failed.extend(other.failed);
    report.skipped.extend(other.skipped);
}
