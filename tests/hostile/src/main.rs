//! Holds the core against readings of the specification in other languages: `hostile --count 100000 --seed 7 --python
//! tests/hostile/oracle.py`. Each line `ok …` or `not ok …` is a test. The same seed makes the same documents.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program speaks on its standard streams")]

mod oracle;
mod regression;
mod run;
mod tally;
mod verdict;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Parser;

use crate::oracle::Oracle;
use crate::run::Run;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// How many documents
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Which documents
    #[arg(long)]
    seed: u64,
    /// The oracle for Python 3; `rfc8785` must be on PYTHONPATH
    #[arg(long, value_name = "SCRIPT")]
    python: Option<OsString>,
    /// The oracle for Node, bundled
    #[arg(long, value_name = "SCRIPT")]
    node: Option<OsString>,
    /// Print one document instead, with the core's verdict
    #[arg(long, value_name = "INDEX")]
    show: Option<u64>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    if let Some(index) = arguments.show {
        println!("{}", run::shown(&hostile::case(arguments.seed, index)));
        return Ok(true);
    }
    let mut oracles = Vec::new();
    for (name, program, script) in [("python", "python3", &arguments.python), ("node", "node", &arguments.node)] {
        if let Some(script) = script {
            oracles.push(Oracle::start(name, Command::new(program).arg(script))?);
        }
    }
    println!("{} documents, seed {}", arguments.count, arguments.seed);
    let outcome = Run::new(arguments.seed, oracles).all(arguments.count)?;
    Ok(outcome.print(arguments.count))
}
