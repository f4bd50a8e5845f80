//! `audit checkpoint`, `audit export` and `audit verify`.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use approval_core::anchor::{AnchorRecord, read_anchor};
use approval_core::audit::{AuditFault, AuditLog, AuditReport, Evidence, verify};
use approval_core::signing::KeySet;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::State;
use crate::installation::{Failure, Installation};

/// How many events are read at a time.
const BATCH: u32 = 1000;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    Checkpoint(CheckpointArgs),
    Export(ExportArgs),
    Verify(VerifyArgs),
}

/// Sign a checkpoint of all events so far, and write it to standard output: kept elsewhere, it shows later whether the audit was cut.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    #[command(flatten)]
    state: State,
}

/// Write the audit to standard output: one event or checkpoint a line, in canonical JSON, in the order in which they were committed.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    state: State,
}

/// Verify an exported audit, and name the position of the first thing that is wrong with it. Without keys its links only: a file that
/// was rewritten whole has whole links too. Exit code 0: verified; 1: refused; 2: not asked properly.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The exported audit; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The installation's public key set, got elsewhere than the audit.
    #[arg(long, value_name = "KEYSET")]
    keys: Option<PathBuf>,
    /// A copy of the installation's anchor: what it remembers must be in the audit.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere: the audit must go as far.
    #[arg(long, value_name = "FILE", requires = "keys")]
    checkpoint: Option<PathBuf>,
    /// Print a report as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(command: AuditCommand) -> Result<ExitCode, Failure> {
    match command {
        AuditCommand::Checkpoint(args) => checkpoint(&args).await,
        AuditCommand::Export(args) => {
            let log = Installation::open(&args.state)?.audit();
            export(&log, &mut BufWriter::new(io::stdout().lock())).await?;
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Verify(args) => verify_file(&args),
    }
}

async fn checkpoint(args: &CheckpointArgs) -> Result<ExitCode, Failure> {
    let installation = Installation::open(&args.state)?;
    installation.operator().await?.checkpoint().await?;
    if let Some(envelope) = installation.audit().last_checkpoint().await? {
        writeln!(io::stdout(), "{envelope}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes all events and checkpoints, one a line; returns how many events there are.
pub async fn export(log: &AuditLog, out: &mut impl io::Write) -> Result<u64, Failure> {
    let mut export = log.export();
    loop {
        let lines = export.lines(BATCH).await?;
        if lines.is_empty() {
            break;
        }
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(export.position())
}

fn verify_file(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    // What is wrong with what it is held against is no fault of the audit.
    let evidence = match Held::read(args) {
        Ok(evidence) => evidence,
        Err(failure) => {
            writeln!(io::stderr(), "error: {failure}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let evidence = evidence.evidence();
    let verified = if args.file.as_os_str() == "-" {
        verify(io::stdin().lock(), &evidence)
    } else {
        let opened = File::open(&args.file).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = opened.map_err(|error| named(&args.file, error))?;
        let bar = progress(bytes);
        let verified = verify(BufReader::new(bar.wrap_read(file)), &evidence);
        bar.finish_and_clear();
        verified
    };
    if args.json {
        writeln!(io::stdout(), "{}", report_json(&verified))?;
    } else {
        match &verified {
            Ok(report) => writeln!(io::stdout(), "{}", said(report))?,
            Err(fault) => writeln!(io::stderr(), "error: `{}`, {fault}", args.file.display())?,
        }
    }
    Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows on a terminal how far reading has come; anywhere else it shows nothing.
fn progress(bytes: u64) -> ProgressBar {
    let form = "{bar:40} {bytes} of {total_bytes}, {eta} left";
    let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

/// The files that an audit is held against.
struct Held {
    keys: Option<KeySet>,
    anchor: Vec<AnchorRecord>,
    checkpoint: Option<Vec<u8>>,
}

impl Held {
    fn read(args: &VerifyArgs) -> Result<Self, Failure> {
        let read = |path: &PathBuf| fs::read(path).map_err(|error| named(path, error));
        let wrong = |path: &Path, why: &dyn std::fmt::Display| {
            Failure::Io(io::Error::new(io::ErrorKind::InvalidData, format!("`{}`: {why}", path.display())))
        };
        let keys = match &args.keys {
            Some(path) => Some(KeySet::parse(&read(path)?).map_err(|error| wrong(path, &error))?),
            None => None,
        };
        let anchor = match &args.anchor {
            Some(path) => {
                let (audience, records) = read_anchor(&read(path)?).map_err(|error| wrong(path, &error))?;
                if keys.as_ref().is_some_and(|keys| *keys.audience() != audience) {
                    return Err(wrong(path, &"another installation's anchor than the keys'"));
                }
                records
            }
            None => Vec::new(),
        };
        Ok(Self { keys, anchor, checkpoint: args.checkpoint.as_ref().map(read).transpose()? })
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence { keys: self.keys.as_ref(), checkpoint: self.checkpoint.as_deref(), anchor: &self.anchor }
    }
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

/// What holds, in words.
fn said(report: &AuditReport) -> String {
    let AuditReport { events, checkpoints, proven, forgotten, heads } = report;
    let links = format!("{events} events of {} writers are whole in their links", heads.len());
    let signed = match proven {
        Some(proven) => {
            let unproven = events - proven;
            format!("; {checkpoints} checkpoints prove {proven} of them, {unproven} after the last one are unproven")
        }
        None => "; without keys nothing more is said".to_owned(),
    };
    let put_back = match forgotten {
        0 => String::new(),
        times => format!("; {times} times a process found that the store had been put back to an older copy"),
    };
    format!("{links}{signed}{put_back}")
}

fn report_json(verified: &Result<AuditReport, AuditFault>) -> serde_json::Value {
    match verified {
        Ok(report) => json!({
            "verified": true,
            "events": report.events,
            "writers": report.heads.len(),
            "checkpoints": report.checkpoints,
            "proven": report.proven,
            "unproven": report.proven.map(|proven| report.events - proven),
            "forgotten": report.forgotten,
        }),
        Err(fault) => json!({
            "verified": false,
            "fault": {
                "code": fault.code.code(),
                "line": fault.place.line,
                "writer": fault.place.writer.map(|writer| writer.to_string()),
                "sequence": fault.place.sequence,
                "detail": fault.detail,
            },
        }),
    }
}
