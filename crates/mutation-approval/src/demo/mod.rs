//! `demo`: the whole profile on one machine, with real files, a real MCP client and real pages.

mod agent;
mod databases;
mod observed;
mod person;
mod play;
mod server;
mod tamper;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::installation::Failure;

/// Show the whole profile: an agent plans a change of a real file, you approve it in a browser, and it happens once.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Play the person too, through the same pages, and fail unless every promise was observed.
    #[arg(long)]
    headless: bool,
    /// The directory whose files are changed; by default a new one in the temporary directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The installation's directory; by default a new one in the temporary directory.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// The server of the demo, in a process of its own, so that it can be ended at any moment.
#[derive(Debug, Args)]
pub struct ServerArgs {
    #[arg(long)]
    state_dir: PathBuf,
    #[arg(long)]
    dir: PathBuf,
    /// Never answer once the effect has occurred.
    #[arg(long)]
    stall: bool,
}

pub async fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    let world = world::World::make(args.dir, args.state_dir)?;
    if args.headless { observed::run(world).await } else { play::run(world).await }
}

pub async fn serve(args: ServerArgs) -> Result<ExitCode, Failure> {
    server::run(args).await
}
