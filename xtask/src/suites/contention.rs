//! Many callers in several processes execute the same plans at once: `tests/contention` counts the effects.

use std::process::Command;

use anyhow::Result;

use super::{LIMIT, Suite, Tier, counts};
use crate::command::stream;
use crate::context::Context;
use crate::report::Report;
use crate::tools::ensure_postgres;

pub(crate) const SUITE: Suite = Suite {
    name: "contention",
    about: "64 callers in several processes execute the same plans at once: one effect of each",
    needs: "PostgreSQL for its half",
    tier: Tier::Each,
    run,
};

const STORES: [&str; 2] = ["sqlite", "postgres"];

/// How many plans there are on each store in each run, and in the full tier.
const PLANS: u64 = 200;
const MANY_PLANS: u64 = 10_000;

/// Each must be found, and how it is called when it is. Each process has an effect of each plan.
const FAULTS: [(&str, &str); 2] = [("blind-claim", " effects"), ("store-of-its-own", "has had 4 effects")];
const PLANS_WITH_FAULT: u64 = 40;

fn run(context: &Context) -> Result<Report> {
    let mut report = Report::default();
    for (fault, told) in FAULTS {
        let mut command = contention(context, "sqlite", PLANS_WITH_FAULT);
        let output = stream(command.args(["--fault", fault]), LIMIT)?;
        let complaint = format!("it ended with {}, and didn't say `{told}`", output.ending());
        let found = !output.succeeded() && output.text.contains(told);
        report.check(&format!("the fault {fault}"), if found { &[] } else { std::slice::from_ref(&complaint) });
    }
    let plans = if context.full { MANY_PLANS } else { PLANS };
    for store in STORES {
        if store == "postgres"
            && let Err(error) = ensure_postgres()
        {
            report.skipped(store, format!("PostgreSQL can't be had: {error:#}"));
            continue;
        }
        report.add(counts::lines(store, &stream(&mut contention(context, store, plans), LIMIT * 3)?));
    }
    Ok(report)
}

fn contention(context: &Context, store: &str, plans: u64) -> Command {
    let mut command = context.cargo();
    command.args(["run", "--quiet", "--locked", "--package", "contention", "--"]);
    command.args(["run", "--store", store, "--plans", &plans.to_string()]);
    command
}
