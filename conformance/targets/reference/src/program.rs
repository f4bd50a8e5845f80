//! The program: `serve`, and what an operator does.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use approval_core::Clock;
use approval_core::record::Isolation;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::installation::Installation;
use crate::operator::{self, Operation};
use crate::parts::Parts;
use crate::processes::Presence;
use crate::server::{self, Server};

/// Replaces parts of the server before it starts. What isn't said otherwise stays as it is.
pub trait Replace {
    /// The clock, which the store goes by too.
    fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        clock
    }

    /// Everything else.
    fn parts(&self, parts: Parts) -> Parts {
        parts
    }
}

/// Replaces nothing.
#[derive(Clone, Copy, Debug)]
pub struct AsItIs;

impl Replace for AsItIs {}

/// The server that the conformance harness is tried against.
#[derive(Debug, Parser)]
struct Cli {
    /// The installation's directory.
    #[arg(long, global = true, default_value = "reference-state")]
    state: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Do what an operator does.
    #[command(subcommand)]
    Operator(Operation),
    /// Serve MCP: over streamable HTTP, or over standard input and output.
    Serve {
        /// Over standard input and output, for `--person`.
        #[arg(long, requires = "person")]
        stdio: bool,
        /// For whom the agent at standard input acts.
        #[arg(long, requires = "stdio")]
        person: Option<String>,
        /// Over HTTP: end when standard input does, since whoever started the server has gone then.
        #[arg(long, conflicts_with = "stdio")]
        until_input_ends: bool,
    },
}

/// Runs the program, with the parts of `replace` in place.
pub fn run(replace: &impl Replace) -> ExitCode {
    run_with(std::env::args_os(), replace)
}

/// As [`run`], with other arguments than the process's, of which the first is the program's name.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>, replace: &dyn Replace) -> ExitCode {
    // Standard output is for MCP and for results.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,rmcp=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let cli = Cli::parse_from(arguments);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| {
        let done = runtime.block_on(answer(cli, replace));
        // A read of standard input may be under way, and would be waited for.
        runtime.shutdown_background();
        done
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the program's own last words")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn answer(cli: Cli, replace: &dyn Replace) -> Result<()> {
    let installation = Installation::open(&cli.state)?;
    let parts = Parts::new(&installation, replace.clock(installation.clock()))?;
    match cli.command {
        Command::Operator(operation) => operator::run(operation, &installation, replace.parts(parts)).await,
        Command::Serve { stdio, person, until_input_ends } => {
            let _presence = Presence::announce(&installation.processes())?;
            match (stdio, person) {
                (true, Some(person)) => {
                    let parts = Parts { requesters: server::requester(&installation, &person)?, ..parts };
                    // The agent starts this process: so it runs as the same user. [ENF-002]
                    let server = Server::start(&installation, replace.parts(parts), Isolation::SameUser).await?;
                    server.serve_stdio().await
                }
                (false, None) => {
                    let isolation = installation.settings.isolation;
                    let server = Server::start(&installation, replace.parts(parts), isolation).await?;
                    tokio::select! {
                        served = server.serve_http(&installation, tell_ready) => served,
                        ended = input_ends(), if until_input_ends => ended,
                    }
                }
                _ => bail!("`--stdio` and `--person` belong together"),
            }
        }
    }
}

/// Returns once standard input has ended.
async fn input_ends() -> Result<()> {
    tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
    Ok(())
}

/// Says to whoever started the server that clients can come.
#[expect(clippy::print_stdout, reason = "over HTTP, standard output is free")]
fn tell_ready() {
    println!("ready");
}
