//! `audit export` and `audit verify`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use approval_core::audit::{AuditLog, verify_lines};
use clap::{Args, Subcommand};

use crate::State;
use crate::installation::{Failure, Installation};

/// How many events are read at a time.
const BATCH: u32 = 1000;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    Export(ExportArgs),
    Verify(VerifyArgs),
}

/// Write the audit to standard output: one event a line, in canonical JSON, in the order in which they were committed.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    state: State,
}

/// Verify the links of an exported audit. A file that was rewritten whole, or cut at its end, has whole links too.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The exported audit; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
}

pub async fn run(command: AuditCommand) -> Result<ExitCode, Failure> {
    match command {
        AuditCommand::Export(args) => {
            let log = Installation::open(&args.state)?.audit();
            export(&log, &mut BufWriter::new(io::stdout().lock())).await?;
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Verify(args) => verify(&args),
    }
}

/// Writes all events, one a line.
pub async fn export(log: &AuditLog, out: &mut impl io::Write) -> Result<u64, Failure> {
    let mut position = 0;
    loop {
        let lines = log.lines(position, BATCH).await?;
        let Some(last) = lines.last().map(|line| line.position) else { break };
        for line in lines {
            writeln!(out, "{}", line.text)?;
        }
        position = last;
    }
    out.flush()?;
    Ok(position)
}

fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let name = args.file.display();
    let verified = if args.file.as_os_str() == "-" {
        verify_lines(io::stdin().lock())
    } else {
        let file =
            File::open(&args.file).map_err(|error| io::Error::new(error.kind(), format!("`{name}`: {error}")))?;
        verify_lines(BufReader::new(file))
    };
    match verified {
        Ok(report) if report.events == 0 => {
            writeln!(io::stderr(), "error: `{name}` holds no events: nothing was verified")?;
            Ok(ExitCode::FAILURE)
        }
        Ok(report) => {
            let writers = report.heads.len();
            writeln!(io::stdout(), "{} events of {writers} writers are whole in their links", report.events)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            writeln!(io::stderr(), "error: `{name}`, {fault}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
