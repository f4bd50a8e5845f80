//! `receipt show`, `receipt export` and `receipt verify`.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use approval_core::receipt::{ReceiptFault, Verified, verify};
use approval_core::signing::KeySet;
use approval_core::{Clock as _, PlanId, SystemClock};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::State;
use crate::installation::{Failure, Installation};

/// The longest file that is read, in bytes: no receipt and no key set is as long.
const LONGEST: u64 = 4 << 20;

#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    Export(ExportArgs),
    Show(ShowArgs),
    Verify(VerifyArgs),
}

/// Write the receipt of a plan that has ended to standard output: a signed envelope, to the byte, without a line feed at its end.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    state: State,
    /// The plan.
    plan: PlanId,
}

/// Say what the receipt of a plan that has ended proves, and what it does not.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    state: State,
    /// The plan.
    plan: PlanId,
}

/// Verify a receipt, with public keys alone: no state directory is opened. Exit code 0: verified; 1: refused, with the reason;
/// 2: not asked properly.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The receipt; `-` is standard input.
    file: PathBuf,
    /// The installation's public key set, got elsewhere than the receipt; `-` is standard input.
    #[arg(long, value_name = "KEYSET")]
    keys: PathBuf,
    /// Print a report as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(command: ReceiptCommand) -> Result<ExitCode, Failure> {
    match command {
        ReceiptCommand::Export(args) => {
            let installation = Installation::open(&args.state)?;
            let mut out = io::stdout().lock();
            out.write_all(&receipt(&installation, args.plan).await?)?;
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        ReceiptCommand::Show(args) => {
            let installation = Installation::open(&args.state)?;
            let receipt = receipt(&installation, args.plan).await?;
            say(&verify(&receipt, installation.signer.key_set(), None), false)
        }
        ReceiptCommand::Verify(args) => verify_file(&args),
    }
}

/// The receipt of a plan of this installation.
pub async fn receipt(installation: &Installation, plan: PlanId) -> Result<Vec<u8>, Failure> {
    let approvals = installation.operator().await?;
    let receipt = approvals.operators_receipt(plan).await;
    approvals.close().await;
    Ok(receipt?)
}

fn verify_file(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    // What can't be read is no fault of the receipt.
    let (receipt, keys) = match read_both(args) {
        Ok(both) => both,
        Err(failure) => {
            writeln!(io::stderr(), "error: {failure}")?;
            return Ok(ExitCode::from(2));
        }
    };
    say(&verify(&receipt, &keys, Some(SystemClock.now())), args.json)
}

fn read_both(args: &VerifyArgs) -> io::Result<(Vec<u8>, KeySet)> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if args.file == args.keys {
        return Err(wrong("receipt and key set are the same file".to_owned()));
    }
    let keys = KeySet::parse(&read(&args.keys)?);
    let keys = keys.map_err(|error| wrong(format!("`{}`: {error}", args.keys.display())))?;
    Ok((read(&args.file)?, keys))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(LONGEST).read_to_end(&mut bytes)?;
    } else {
        File::open(path).map_err(named)?.take(LONGEST).read_to_end(&mut bytes).map_err(named)?;
    }
    Ok(bytes)
}

/// What holds, or why the receipt is refused. [RCPT-011]
fn say(verified: &Result<Verified, ReceiptFault>, as_json: bool) -> Result<ExitCode, Failure> {
    match verified {
        _ if as_json => writeln!(io::stdout(), "{}", report_json(verified))?,
        Ok(verified) => write!(io::stdout(), "{}", verified.report())?,
        Err(fault) => writeln!(io::stderr(), "error: the receipt is refused ({}): {fault}", fault.code())?,
    }
    Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report_json(verified: &Result<Verified, ReceiptFault>) -> serde_json::Value {
    match verified {
        Ok(Verified { receipt, plan_digest, key, key_retired_at }) => json!({
            "verified": true,
            "planId": receipt.header.plan_id,
            "planDigest": plan_digest,
            "audience": receipt.header.audience,
            "state": receipt.state,
            "outcome": receipt.execution.as_deref().map(|execution| execution.outcome),
            "issuedAt": receipt.issued_at,
            "claims": receipt.claims,
            "limits": receipt.limits,
            "key": key,
            "keyRetiredAt": key_retired_at,
        }),
        Err(fault) => json!({ "verified": false, "reason": fault.code(), "detail": fault.to_string() }),
    }
}
