//! `mutation-approval`: a person approves exactly what an agent may change.
#![allow(unreachable_pub, reason = "in a program, `pub` says which items a module is made for")]

mod command;
mod demo;
mod installation;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterFn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use command::{anchor, audit, backup, digest, figures, keys, operator, receipt, user};
use installation::Failure;

/// A person approves exactly what an agent may change.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(subcommand, about = "Look at the anchor, which remembers what ran whatever the store says")]
    Anchor(anchor::AnchorCommand),
    #[command(subcommand, about = "Export and verify the audit")]
    Audit(audit::AuditCommand),
    Backup(backup::BackupArgs),
    Demo(demo::DemoArgs),
    #[command(hide = true)]
    DemoServer(demo::ServerArgs),
    Digest(digest::DigestArgs),
    Figures(figures::FiguresArgs),
    Keygen(operator::KeygenArgs),
    #[command(subcommand, about = "List, export, rotate and revoke keys")]
    Keys(keys::KeysCommand),
    Mute(operator::MuteArgs),
    Pause(operator::PauseArgs),
    Prune(operator::PruneArgs),
    #[command(subcommand, about = "Show, export and verify signed receipts of plans")]
    Receipt(receipt::ReceiptCommand),
    Reconcile(operator::ReconcileArgs),
    Resume(operator::ResumeArgs),
    Unmute(operator::UnmuteArgs),
    #[command(subcommand, about = "Manage local accounts of the approval surface")]
    User(user::UserCommand),
}

/// Where an installation keeps its state.
#[derive(Clone, Debug, clap::Args)]
struct State {
    /// The installation's directory. Default: `mutation-approval` in the user's state directory.
    #[arg(long, env = "MUTATION_APPROVAL_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    // Standard output is for results and, over stdio, for the protocol: logs go to standard error.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,rmcp=off"));
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(logs.with_filter(filter).with_filter(FilterFn::new(holds_no_request))).init();
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(failure) => {
            #[expect(clippy::print_stderr, reason = "the program's own last words")]
            {
                eprintln!("error: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Below `warn`, rmcp writes whole requests into the log, secrets included: whatever the environment says, it doesn't here.
/// [SEC-002]
fn holds_no_request(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("rmcp") || *metadata.level() <= Level::WARN
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Anchor(command) => anchor::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Backup(args) => backup::run(&args),
        Command::Demo(args) => demo::run(args).await,
        Command::DemoServer(args) => demo::serve(args).await,
        Command::Digest(args) => Ok(digest::run(&args)?),
        Command::Figures(args) => figures::run(&args).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Keygen(args) => operator::keygen(&args),
        Command::Mute(args) => operator::mute(&args).await,
        Command::Pause(args) => operator::pause(&args).await,
        Command::Prune(args) => operator::prune(&args).await,
        Command::Receipt(command) => receipt::run(command).await,
        Command::Reconcile(args) => operator::reconcile(&args).await,
        Command::Resume(args) => operator::resume(&args).await,
        Command::Unmute(args) => operator::unmute(&args).await,
        Command::User(command) => user::run(command).await,
    }
}
