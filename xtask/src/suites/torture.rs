//! A server is killed, again and again, and started again: `tests/torture` counts what it did.

use std::process::{Command, ExitCode};

use anyhow::Result;

use super::{LIMIT, Suite, Tier, counts};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::{ensure_postgres, ensure_program};

pub(crate) const SUITE: Suite = Suite {
    name: "torture",
    about: "a server that is killed at every durable boundary and at random moments: each kill is a test; and its syncs",
    needs: "PostgreSQL for its half, strace for the syncs",
    tier: Tier::Each,
    run,
};

const STORES: [&str; 2] = ["sqlite", "postgres"];

/// How often a server is killed on each store in each run, and in the full tier.
const KILLS: u64 = 60;
const MANY_KILLS: u64 = 1000;

/// Each must be found, and how it is called when it is.
const FAULTS: [(&str, &str); 3] = [
    ("early-acknowledgement", "of which the last that was acknowledged is Applied"),
    ("effect-before-claim", "it is approved, and has had an effect"),
    ("effect-twice", "has had 2 effects"),
];

fn run(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    for (fault, told) in FAULTS {
        let mut command = torture(context, "sqlite", KILLS, 1);
        let output = stream(command.args(["--fault", fault]), LIMIT)?;
        let complaint = format!("it ended with {}, and didn't say `{told}`", output.ending());
        let found = !output.succeeded() && output.text.contains(told);
        report.check(&format!("the fault {fault}"), if found { &[] } else { std::slice::from_ref(&complaint) });
    }
    match ensure_program("strace") {
        Ok(()) => report.add(counts::lines("syncs", &stream(program(context).arg("syncs"), LIMIT)?)),
        Err(error) => report.skipped("syncs", format!("strace can't be had: {error:#}")),
    }
    let kills = if context.full { MANY_KILLS } else { KILLS };
    for store in STORES {
        if store == "postgres"
            && let Err(error) = ensure_postgres()
        {
            report.skipped(store, format!("PostgreSQL can't be had: {error:#}"));
            continue;
        }
        report.add(counts::lines(store, &stream(&mut torture(context, store, kills, 1), LIMIT)?));
    }
    Ok(report)
}

/// `cargo xtask torture`: as often as it is told.
pub(crate) fn by_hand(context: &Context, stores: &[String], kills: u64, seed: u64) -> Result<ExitCode> {
    for store in STORES.iter().filter(|store| stores.is_empty() || stores.iter().any(|wanted| wanted == *store)) {
        let output = stream(&mut torture(context, store, kills, seed), LIMIT * 12)?;
        if !output.succeeded() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn torture(context: &Context, store: &str, kills: u64, seed: u64) -> Command {
    let mut command = program(context);
    command.args(["kill", "--store", store, "--kills", &kills.to_string(), "--seed", &seed.to_string()]);
    command
}

fn program(context: &Context) -> Command {
    let mut command = context.cargo();
    command.args(["run", "--quiet", "--locked", "--package", "torture", "--"]);
    command
}
