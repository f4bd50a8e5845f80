//! The real service, explored exhaustively: every order of calls, crashes and ticks within a bound. [STATE-004]
//!
//! It prints one line for each exploration: `ok …`, or `not ok …` and how it came about.

mod action;
mod explore;
mod facts;
mod fault;
mod invariant;
mod key;
mod lab;
mod observe;
mod scenario;
mod seam;
mod state;
mod traits;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use explore::{Explored, Found, explore};
use fault::CASES;
use scenario::{EACH, Scenario};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Only this scenario
    #[arg(long)]
    only: Option<String>,
    /// How many threads explore
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Explore with faults of store, clock and anchor, each of which must be found
    #[arg(long)]
    faults: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut failed = false;
    if arguments.faults {
        for case in &CASES {
            let scenario = named(case.scenario)?;
            let explored = explore(scenario, Some(case.fault), arguments.threads)?;
            failed |= !told(case.name, case.breaks.name, &explored);
        }
        return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    for scenario in EACH.iter().filter(|scenario| arguments.only.as_ref().is_none_or(|only| only == scenario.name)) {
        let explored = explore(scenario, None, arguments.threads)?;
        failed |= !whole(scenario, &explored);
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn named(name: &str) -> Result<&'static Scenario> {
    EACH.iter().find(|scenario| scenario.name == name).with_context(|| format!("there is no scenario `{name}`"))
}

/// Whether an exploration of the service as it is found nothing wrong.
#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
fn whole(scenario: &Scenario, explored: &Explored) -> bool {
    let Explored { states, transitions, depth, ends, merges_tried, found } = explored;
    let figures = format!("{states} states, {transitions} transitions, depth {depth}, {ends} ends, {merges_tried} merges tried");
    match found {
        None => println!("ok {}: {figures}", scenario.name),
        Some(found) => println!("not ok {}: {}; {figures}\n  {}", scenario.name, broken(found), found.way.join("\n  ")),
    }
    found.is_none()
}

/// Whether an exploration of something faulty found the fault, and by the right invariant.
#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
fn told(fault: &str, invariant: &str, explored: &Explored) -> bool {
    match &explored.found {
        Some(found) if found.broken.iter().any(|broken| broken.invariant.name == invariant) => {
            println!("ok fault {fault}: {invariant}, in {} steps, after {} states\n  {}", found.way.len(), explored.states, found.way.join("\n  "));
            true
        }
        Some(found) => {
            println!("not ok fault {fault}: {invariant} should break, and not {}\n  {}", broken(found), found.way.join("\n  "));
            false
        }
        None => {
            println!("not ok fault {fault}: nothing breaks in {} states", explored.states);
            false
        }
    }
}

fn broken(found: &Found) -> String {
    let one = |broken: &lab::Broken| format!("{} {}: {}", broken.invariant.id, broken.invariant.name, broken.why);
    found.broken.iter().map(one).collect::<Vec<_>>().join("; ")
}
