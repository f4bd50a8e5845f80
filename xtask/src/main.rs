//! The repository's own chores. `cargo xtask ci` is the one test command: it sets up what it needs, runs every suite and
//! says at the end what ran, what was skipped and why.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program speaks on its standard streams")]

mod cache;
mod ci;
mod command;
mod context;
mod mutants;
mod report;
mod source;
mod suites;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::context::Context;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The repository's own chores", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Measure: `bench core [--check]` runs the release build of the package `bench`
    Bench {
        /// Handed to the package as they are
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Run every suite; the last line is `N passed, N failed, N skipped`
    Ci {
        /// Also run the suites that are too long for each run
        #[arg(long)]
        full: bool,
        /// Count what is skipped as failed, on a machine that has all that the suites need
        #[arg(long)]
        no_skips: bool,
        /// Run only these suites (repeat it, or separate by commas)
        #[arg(long, value_name = "SUITE", value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Hold the core against readings of the specification in Python and JavaScript, document by document
    Hostile {
        /// How many documents are made
        #[arg(long, default_value_t = suites::hostile::EACH_RUN)]
        count: u64,
        /// Which documents: the same seed makes the same ones
        #[arg(long)]
        seed: u64,
    },
    /// Change one place of the source at a time and run the tests, which must notice; what was found is kept
    Mutants {
        /// Begin no further file after so many minutes
        #[arg(long, default_value_t = 45)]
        minutes: u64,
        /// Only these files, whether they have changed or not
        files: Vec<String>,
    },
    /// Take a picture of each page of the approval surface: on a desk and on a phone, in light and in dark
    Shots {
        /// Where they go: `xtask-shots` in the build directory, unless it is said
        directory: Option<PathBuf>,
    },
    /// Write the generated part of the specification: schemas, examples, the table of requirements
    Spec,
    /// Kill a server, start it again, and count what it did (the suite `torture` does so a few times)
    Torture {
        /// How often, on each store
        #[arg(long, default_value_t = 60)]
        kills: u64,
        /// Which random moments
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only on this store: `sqlite` or `postgres`
        #[arg(long)]
        store: Vec<String>,
    },
    /// Check that each requirement is enforced and checked somewhere (the suite `trace` alone)
    Trace,
    /// Write the vectors of the specification anew, from what the core says (the suite `vectors` checks them)
    Vectors {
        /// Only say which files differ
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<ExitCode> {
    match chore {
        Chore::Bench { arguments } => suites::bench::measure(&Context::load(false)?, &arguments),
        Chore::Ci { full, no_skips, only } => ci::run(full, no_skips, &only),
        Chore::Hostile { count, seed } => suites::hostile::by_hand(&Context::load(false)?, count, seed),
        Chore::Mutants { minutes, files } => mutants::run(&Context::load(false)?, minutes, &files),
        Chore::Shots { directory } => {
            let context = Context::load(false)?;
            let directory = directory.map(std::path::absolute).transpose()?;
            let usual = || context.metadata.target_directory.join("xtask-shots");
            suites::browser::shots(&context, &directory.unwrap_or_else(usual))
        }
        Chore::Spec => suites::spec::write(&Context::load(false)?),
        Chore::Torture { kills, seed, store } => suites::torture::by_hand(&Context::load(false)?, &store, kills, seed),
        Chore::Trace => ci::run(false, false, &["trace".to_owned()]),
        Chore::Vectors { check } => suites::vectors::by_hand(&Context::load(false)?, check),
    }
}
