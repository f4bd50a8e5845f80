//! `approval-conformance`: puts an MCP server through the checks of the mutation-approval profile.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use approval_conformance::report::{self, Report, Terminal};
use approval_conformance::target::Target;
use approval_conformance::{Expected, Level, Options, Progress, answer_schema, request_schema, run};
use clap::{Parser, Subcommand, ValueEnum};

/// Wrong command line, target file or file of expected failures.
const USAGE: u8 = 2;
/// Harness or driver went wrong.
const FAULT: u8 = 4;

/// Is this MCP server what it claims to be? The conformance harness of the mutation-approval profile.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a check tries, what it expects, and which requirements it tests.
    Explain {
        /// The check.
        check: String,
    },
    /// Name all checks.
    List {
        /// Up to this level.
        #[arg(long, value_enum, default_value = "l2")]
        level: LevelArg,
    },
    /// Put a server through the checks.
    ///
    /// Exit codes: 0 conformant, 1 not conformant, 2 wrong command line or file, 3 incomplete (something could not be exercised, or nothing
    /// ran), 4 harness fault.
    Run(Run),
    /// Print a JSON Schema.
    Schema {
        /// Of what.
        #[arg(value_enum)]
        what: SchemaArg,
    },
}

#[derive(Debug, Parser)]
struct Run {
    /// The target file.
    #[arg(long)]
    target: PathBuf,
    /// Up to which level.
    #[arg(long, value_enum, default_value = "l1")]
    level: LevelArg,
    /// These checks only, parted by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Checks that are known to fail, each with a reason (TOML). One that doesn't fail any more fails the run.
    #[arg(long)]
    expected_failures: Option<PathBuf>,
    /// How many checks at a time.
    #[arg(long, default_value_t = 8)]
    at_once: usize,
    /// Write the report as JSON to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write the report as JUnit XML to this file.
    #[arg(long)]
    junit: Option<PathBuf>,
    /// Write the report as one HTML page to this file.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Tell of checks that passed too.
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelArg {
    /// Wire: can be done to any server.
    L1,
    /// Instrumented: with the server's machine.
    L2,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SchemaArg {
    /// A driver's answers.
    DriverAnswer,
    /// Requests to a driver.
    DriverRequest,
    /// The JSON report.
    Report,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::L1 => Self::L1,
            LevelArg::L2 => Self::L2,
        }
    }
}

/// Why the program can't do what it is asked for, and its exit code.
struct Failure(u8, String);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut out = anstream::stdout();
    match command(Args::parse().command, &mut out).await {
        Ok(code) => ExitCode::from(code),
        Err(Failure(code, why)) => {
            drop(writeln!(anstream::stderr(), "approval-conformance: {why}"));
            ExitCode::from(code)
        }
    }
}

async fn command(command: Command, out: &mut impl std::io::Write) -> Result<u8, Failure> {
    match command {
        Command::Explain { check } => match report::explain(out, &check).map_err(unwritten)? {
            Some(()) => Ok(0),
            None => Err(Failure(USAGE, format!("there is no check `{check}`: `approval-conformance list` names them"))),
        },
        Command::List { level } => report::list(out, level.into()).map(|()| 0).map_err(unwritten),
        Command::Run(args) => put_through(args, out).await,
        Command::Schema { what } => {
            let schema = match what {
                SchemaArg::DriverAnswer => answer_schema(),
                SchemaArg::DriverRequest => request_schema(),
                SchemaArg::Report => report::schema(),
            };
            let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure(FAULT, error.to_string()))?;
            writeln!(out, "{text}").map(|()| 0).map_err(unwritten)
        }
    }
}

async fn put_through(args: Run, out: &mut impl std::io::Write) -> Result<u8, Failure> {
    let target = Target::read(&args.target).map_err(|error| Failure(USAGE, error.to_string()))?;
    let expected = args.expected_failures.as_deref().map(Expected::read).transpose();
    let expected = expected.map_err(|error| Failure(USAGE, error.to_string()))?.unwrap_or_default();
    let options = Options { level: args.level.into(), only: args.only, expected, at_once: args.at_once };
    let mut terminal = Terminal::new(&mut *out, args.verbose);
    let mut written = Ok(());
    let progress = |progress: Progress<'_>| {
        let told = match progress {
            Progress::Begun(checks) => terminal.begin(checks),
            Progress::Done(check) => terminal.done(check),
        };
        written = std::mem::replace(&mut written, Ok(())).and(told);
    };
    let report = run(target, &options, progress).await.map_err(|error| Failure(USAGE, error.to_string()))?;
    written.map_err(unwritten)?;
    terminal.end(&report).map_err(unwritten)?;
    files(&report, [args.json, args.junit, args.html])?;
    Ok(report.conclusion.exit_code())
}

fn files(report: &Report, [json, junit, html]: [Option<PathBuf>; 3]) -> Result<(), Failure> {
    let fault = |error: String| Failure(FAULT, error);
    if let Some(path) = json {
        write(&path, &report::json(report).map_err(|error| fault(error.to_string()))?)?;
    }
    if let Some(path) = junit {
        write(&path, &report::junit(report).map_err(|error| fault(error.to_string()))?)?;
    }
    if let Some(path) = html {
        write(&path, &report::html(report).map_err(|error| fault(error.to_string()))?)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure(FAULT, format!("`{}` can't be written: {error}", path.display())))
}

fn unwritten(error: std::io::Error) -> Failure {
    Failure(FAULT, format!("standard output: {error}"))
}
