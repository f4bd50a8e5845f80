//! Kills a server at every durable boundary of its cycle and at random moments, starts it again, and counts from outside what
//! was done: never two effects of one plan, never `applied` without one, and nothing that was acknowledged is lost.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program speaks on its standard streams")]

mod child;
mod kills;
mod steps;
mod syncs;
mod verify;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use approval_core::Timestamp;
use clap::{Parser, Subcommand, ValueEnum};

use crate::world::{Database, Place};

#[derive(Parser)]
#[command(name = "torture", about = "Kills a server, and counts what it did")]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Kill a server so many times, and look at what it left after each
    Kill {
        /// On which store
        #[arg(long)]
        store: Kind,
        /// How many times
        #[arg(long, default_value_t = 60)]
        kills: u64,
        /// Which random moments: the same seed makes the same ones, as far as a machine repeats itself
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Put a fault into the server, which must be found
        #[arg(long)]
        fault: Option<Fault>,
    },
    /// Look at what a server on a file asks of the system before it says that something is kept
    Syncs,
    /// Be the server that is killed
    #[command(hide = true)]
    Serve {
        /// The directory of everything but the PostgreSQL database
        directory: PathBuf,
        /// The address of the PostgreSQL database; a file in the directory, where there is none
        #[arg(long)]
        address: Option<String>,
        /// What time it is, in milliseconds since the Unix epoch
        #[arg(long)]
        now: i64,
        /// At which boundary to stop and wait for the end; at none, where it is 0
        #[arg(long)]
        stop: u64,
        /// How many plans it makes at most
        #[arg(long, default_value_t = child::PLANS)]
        plans: u64,
        /// What it does wrong
        #[arg(long)]
        fault: Option<Fault>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Postgres,
    Sqlite,
}

/// What a server may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// It says that a plan was applied before it is.
    EarlyAcknowledgement,
    /// It acts before it has claimed the plan.
    EffectBeforeClaim,
    /// It acts twice.
    EffectTwice,
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
        Act::Kill { store, kills, seed, fault } => kills::run(store, kills, seed, fault).await,
        Act::Syncs => syncs::look(),
        Act::Serve { directory, address, now, stop, plans, fault } => {
            let database = address.map_or(Database::File, Database::Address);
            child::serve(&Place { directory, database }, Timestamp::from_unix_millis(now), stop, plans, fault).await
        }
    }
}
