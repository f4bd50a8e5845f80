//! Clients that others wrote drive a gated server, from a call to its effect, while a person decides on the real page: the
//! official SDKs in both revisions, over stdio and streamable HTTP, and MCP Inspector. And the official conformance suite looks
//! at a gated server. Each line `ok …` is a check.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program speaks on its standard streams")]

mod agent;
mod case;
mod checks;
mod conformance;
mod drive;
mod inspector;
mod installation;
mod person;
mod program;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::case::Case;
use crate::drive::Programs;
use crate::server::Fault;

#[derive(Parser)]
#[command(name = "interop", about = "Clients that others wrote, with a gated server")]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// The SDKs, each in a process of its own
    Clients {
        /// The directory of the programs that use them
        #[arg(long)]
        scripts: PathBuf,
        /// npm's packages; those from PyPI are on `PYTHONPATH`
        #[arg(long)]
        modules: Option<PathBuf>,
        /// Before a server that does wrong in this way, over standard input and output
        #[arg(long)]
        fault: Option<Fault>,
        /// Which client, in which revision, over which transport: `python/2026-07-28/stdio`
        #[arg(required = true)]
        cases: Vec<Case>,
    },
    /// The official conformance suite
    Conformance {
        /// npm's packages
        #[arg(long)]
        modules: PathBuf,
        /// A Node that is new enough
        #[arg(long)]
        node: PathBuf,
        /// The directory of the lists of failures that are explained
        #[arg(long)]
        expected: PathBuf,
    },
    /// MCP Inspector
    Inspector {
        /// npm's packages
        #[arg(long)]
        modules: PathBuf,
        /// Over streamable HTTP too
        #[arg(long)]
        http: bool,
    },
    /// The gated server itself
    Serve(server::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().part {
        Part::Clients { scripts, modules, fault, cases } => {
            drive::run(&Programs { scripts, modules, fault }, &cases).await
        }
        Part::Conformance { modules, node, expected } => conformance::run(&modules, &node, &expected).await,
        Part::Inspector { modules, http } => inspector::run(&modules, http).await,
        Part::Serve(args) => server::run(args).await,
    };
    end(ended)
}

fn end(ended: Result<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
