//! `anchor list` and `anchor dangerous-renew`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use approval_core::anchor::{Anchor as _, AnchorKind, Standing};
use clap::{Args, Subcommand};

use crate::State;
use crate::installation::{Failure, Installation};

#[derive(Debug, Subcommand)]
pub enum AnchorCommand {
    DangerousRenew(RenewArgs),
    List(ListArgs),
}

/// List what the anchor remembers: one plan a line, with what happened to it and when it expires.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    state: State,
}

/// Begin the anchor anew where it is missing, though the store holds claims. What it remembered is lost: a store that was put back
/// to an older copy before goes unnoticed. The audit tells of it.
#[derive(Debug, Args)]
pub struct RenewArgs {
    #[command(flatten)]
    state: State,
}

pub async fn run(command: AnchorCommand) -> Result<ExitCode, Failure> {
    match command {
        AnchorCommand::DangerousRenew(args) => {
            let installation = Installation::open(&args.state)?;
            let said = match installation.anchor.standing().await? {
                Standing::Kept => "the anchor is there: nothing was renewed",
                Standing::Missing => {
                    installation.renew_anchor().await?;
                    "the anchor was begun anew"
                }
            };
            writeln!(io::stdout(), "{said}")?;
        }
        AnchorCommand::List(args) => {
            let mut out = io::stdout().lock();
            for entry in Installation::open(&args.state)?.anchor.entries().await? {
                let kind = match entry.kind {
                    AnchorKind::Claimed(claim) => format!("claimed {claim}"),
                    AnchorKind::Rejected => "rejected".to_owned(),
                    AnchorKind::Withdrawn => "withdrawn".to_owned(),
                };
                writeln!(out, "{}  {}  {kind}", entry.plan, entry.plan_expires_at)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
