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
mod world;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use explore::{Explored, Found, Hunt, explore};
use fault::CASES;
use invariant::{ALL, Invariant};
use scenario::{EACH, FULL, Scenario};

/// Every so many-th of the states that are reached again is gone on from; in the full tier all are, but for the widest scenarios.
const SOME: usize = 200;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// How many threads explore
    #[arg(long, default_value_t = 2, global = true)]
    threads: usize,
}

#[derive(Subcommand)]
enum What {
    /// The service as it is: nothing may be wrong
    Explore {
        /// Only this scenario
        #[arg(long)]
        only: Option<String>,
        /// With wider bounds, and every merged state gone on from
        #[arg(long)]
        full: bool,
    },
    /// A service that was built with a fault, which must be found
    Seeded {
        /// The fault's name
        name: String,
        /// Where it must be found
        #[arg(long)]
        scenario: String,
        /// The invariant that it must break
        #[arg(long)]
        breaks: String,
    },
    /// Stores, clocks and anchors with a fault, each of which must be found
    Worlds,
}

fn main() -> Result<ExitCode> {
    let Arguments { what, threads } = Arguments::parse();
    let passed = match what {
        What::Explore { only, full } => {
            let mut passed = true;
            for scenario in scenarios(only.as_deref(), full)? {
                let is_wide = FULL.iter().any(|wide| wide.name == scenario.name);
                let again = if full && !is_wide { 1 } else { SOME };
                let hunt = Hunt { again: Some(again), ..Hunt::default() };
                passed &= whole(scenario, &explore(scenario, &hunt, threads)?);
            }
            passed
        }
        What::Seeded { name, scenario, breaks } => {
            let breaks = ALL.into_iter().find(|invariant| invariant.name == breaks);
            let breaks = breaks.context("there is no such invariant")?;
            hunt(&name, named(&scenario)?, Hunt { breaks: Some(breaks), ..Hunt::default() }, threads)?
        }
        What::Worlds => {
            let mut passed = true;
            for case in &CASES {
                let wanted = Hunt { fault: Some(case.fault), breaks: Some(case.breaks), again: None };
                passed &= hunt(case.name, named(case.scenario)?, wanted, threads)?;
            }
            passed
        }
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scenarios(only: Option<&str>, full: bool) -> Result<Vec<&'static Scenario>> {
    match only {
        Some(name) => Ok(vec![named(name)?]),
        None => Ok(EACH.iter().chain(FULL.iter().filter(|_| full)).collect()),
    }
}

fn named(name: &str) -> Result<&'static Scenario> {
    let found = EACH.iter().chain(FULL).find(|scenario| scenario.name == name);
    found.with_context(|| format!("there is no scenario `{name}`"))
}

/// Whether an exploration of the service as it is found nothing wrong.
#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
fn whole(scenario: &Scenario, explored: &Explored) -> bool {
    let Explored { states, transitions, depth, ends, merges_tried, found } = explored;
    let figures =
        format!("{states} states, {transitions} transitions, depth {depth}, {ends} ends, {merges_tried} merges tried");
    match found {
        None if *states < scenario.at_least => {
            println!("not ok {}: there must be {} states at least; {figures}", scenario.name, scenario.at_least);
            return false;
        }
        None => println!("ok {}: {figures}\n  {}", scenario.name, scenario.about),
        Some(found) => println!("not ok {}: {}; {figures}\n  {}", scenario.name, broken(found), found.way.join("\n  ")),
    }
    found.is_none()
}

/// Explores something faulty. Whether the fault was found, and by the invariant that it must break.
#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
fn hunt(fault: &str, scenario: &Scenario, hunt: Hunt, threads: usize) -> Result<bool> {
    let explored = explore(scenario, &hunt, threads)?;
    let wanted = hunt.breaks.context("a fault that breaks nothing")?;
    let Some(found) = &explored.found else {
        println!("not ok fault {fault}: nothing breaks in {} states", explored.states);
        return Ok(false);
    };
    let is_it = found.broken.iter().any(|broken| broken.invariant == wanted);
    let way = found.way.join("\n  ");
    if is_it {
        let Invariant { id, name } = wanted;
        println!(
            "ok fault {fault}: {id} {name}, in {} steps, after {} states\n  {way}",
            found.way.len(),
            explored.states
        );
    } else {
        println!("not ok fault {fault}: {} should break, and not {}\n  {way}", wanted.name, broken(found));
    }
    Ok(is_it)
}

fn broken(found: &Found) -> String {
    let one = |broken: &lab::Broken| format!("{} {}: {}", broken.invariant.id, broken.invariant.name, broken.why);
    found.broken.iter().map(one).collect::<Vec<_>>().join("; ")
}
