//! Many callers in several processes execute the same plans at once, and the effects are counted from outside: exactly one of
//! each plan, and everybody is told of that one or that it is under way.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program speaks on its standard streams")]

mod answers;
mod blind;
mod callers;
mod run;
mod verify;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::world::{Database, Place};

#[derive(Parser)]
#[command(name = "contention", about = "Many callers in several processes execute the same plans at once")]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Be one of the processes that call
    #[command(hide = true)]
    Call {
        /// The directory of everything but the PostgreSQL databases
        directory: PathBuf,
        /// The addresses of the databases of the store and of the anchor; files in the directory, where there are none
        #[arg(long, num_args = 2)]
        addresses: Vec<String>,
        /// How many callers
        #[arg(long)]
        callers: u64,
        /// What the store does wrong
        #[arg(long)]
        fault: Option<Fault>,
    },
    /// Make plans, have every caller execute each of them, and count
    Run {
        /// On which store
        #[arg(long)]
        store: Kind,
        /// How many plans
        #[arg(long, default_value_t = 200)]
        plans: u64,
        /// How many processes
        #[arg(long, default_value_t = 4)]
        processes: u64,
        /// How many callers there are in all, the same number in each process
        #[arg(long, default_value_t = 64)]
        callers: u64,
        /// Put a fault into the store, which must be found
        #[arg(long)]
        fault: Option<Fault>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Postgres,
    Sqlite,
}

/// What a store may do wrong. There is no anchor then, which would make up for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// It takes a claim by what it knew of the plan when the process started.
    BlindClaim,
    /// Each process has one of its own.
    StoreOfItsOwn,
}

fn main() -> ExitCode {
    match act(Arguments::parse().act) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn act(act: Act) -> Result<()> {
    match act {
        Act::Call { directory, addresses, callers, fault } => {
            let database = match <[String; 2]>::try_from(addresses) {
                Ok([store, anchor]) => Database::Addresses { store, anchor },
                Err(_) => Database::Files,
            };
            callers::call(&Place { directory, database }, callers, fault).await
        }
        Act::Run { store, plans, processes, callers, fault } => {
            run::run(store, run::Size { plans, processes, callers }, fault).await
        }
    }
}
