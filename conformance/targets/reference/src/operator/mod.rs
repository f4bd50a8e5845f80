//! What an operator does: never reachable over MCP.

mod one_plan;
mod vectors;

use std::io::{Read as _, Write as _, stdin, stdout};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use approval_core::audit::AuditLog;
use approval_core::record::Reconciled;
use approval_core::store::Store;
use approval_core::{Approvals, OsEntropy, Person, PlanId};
use clap::{Subcommand, ValueEnum};

use crate::installation::Installation;
use crate::parts::Parts;
use crate::server::service;
use one_plan::OnePlan;

/// Who it is, in the audit.
const OPERATOR: &str = "operator";

/// For how long nobody is heard who is muted.
const MUTED: Duration = Duration::from_secs(3600);

/// How many events are read at a time.
const BATCH: u32 = 1000;

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Operation {
    /// Write the audit to standard output, one event or checkpoint a line.
    Audit,
    /// Disable the account of a person.
    Disable { person: String },
    /// Enable the account of a person.
    Enable { person: String },
    /// Write the public key set to standard output.
    Keys,
    /// Take no plan from a person.
    Mute { person: String },
    /// Give a person another password, which is read from standard input.
    Password { person: String },
    /// Stop all execution.
    Pause,
    /// Remove what is left of a plan that has ended, but for its tombstone, whatever its age.
    Prune { plan: PlanId },
    /// Write the receipt of a plan that has ended to standard output.
    Receipt { plan: PlanId },
    /// Record what an attempt did.
    Reconcile { plan: PlanId, finding: Finding },
    /// Let execution go on.
    Resume,
    /// Take plans again from a person.
    Unmute { person: String },
    /// Put vectors to the server's own readers: a file of them from standard input, and the answers to standard output.
    Vectors { file: String },
}

/// What was found out about an attempt.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Finding {
    /// The effect is there.
    Applied,
    /// The effect isn't there.
    NotApplied,
}

/// Does it.
pub(crate) async fn run(operation: Operation, installation: &Installation, parts: Parts) -> Result<()> {
    match operation {
        Operation::Audit => audit(installation, &parts).await,
        Operation::Keys => say(installation.state.key_set()?.document()?.as_str()),
        Operation::Prune { plan } => prune(plan, installation, parts).await,
        Operation::Vectors { file } => {
            let content = serde_json::from_reader(stdin().lock())?;
            say(&serde_json::to_string(&vectors::answers(&file, &content)?)?)
        }
        operation => {
            let accounts = installation.accounts();
            let approvals = service(installation, &parts, installation.settings.isolation, None).await?;
            match operation {
                Operation::Disable { person } => {
                    accounts.set_disabled(&person, true)?;
                    approvals.note_account_change(&person, OPERATOR).await?;
                }
                Operation::Enable { person } => {
                    accounts.set_disabled(&person, false)?;
                    approvals.note_account_change(&person, OPERATOR).await?;
                }
                Operation::Mute { person } => approvals.mute(&Person::new(person), MUTED, OPERATOR).await?,
                Operation::Unmute { person } => {
                    approvals.mute(&Person::new(person), Duration::ZERO, OPERATOR).await?;
                }
                Operation::Password { person } => {
                    let mut password = String::new();
                    stdin().read_to_string(&mut password)?;
                    accounts.set_password(&person, password.trim())?;
                    approvals.note_account_change(&person, OPERATOR).await?;
                }
                Operation::Pause => approvals.pause(OPERATOR).await?,
                Operation::Resume => approvals.resume(OPERATOR).await?,
                Operation::Receipt { plan } => {
                    let receipt = approvals.operators_receipt(plan).await?;
                    stdout().write_all(&receipt)?;
                }
                Operation::Reconcile { plan, finding } => reconcile(&approvals, plan, finding).await?,
                Operation::Audit | Operation::Keys | Operation::Prune { .. } | Operation::Vectors { .. } => {}
            }
            approvals.close().await;
            Ok(())
        }
    }
}

async fn audit(installation: &Installation, parts: &Parts) -> Result<()> {
    let audience = installation.state.instance(&OsEntropy)?.audience;
    let mut export = AuditLog::new(Arc::clone(&parts.store), Arc::clone(&parts.sealer), audience).export();
    loop {
        let lines = export.lines(BATCH).await?;
        if lines.is_empty() {
            return Ok(());
        }
        lines.iter().try_for_each(|line| say(line))?;
    }
}

async fn prune(plan: PlanId, installation: &Installation, parts: Parts) -> Result<()> {
    let store: Arc<dyn Store> = Arc::new(OnePlan::around(parts.store, plan));
    let parts = Parts { store, ..parts };
    let approvals = service(installation, &parts, installation.settings.isolation, None).await?;
    let pruned = approvals.prune(Duration::ZERO).await?;
    approvals.close().await;
    match pruned.plans {
        1 => Ok(()),
        _ => bail!("the plan was not pruned: {pruned:?}"),
    }
}

async fn reconcile(approvals: &Approvals, plan: PlanId, finding: Finding) -> Result<()> {
    let finding = match finding {
        Finding::Applied => Reconciled::Applied,
        Finding::NotApplied => Reconciled::NotApplied,
    };
    Ok(approvals.reconcile(plan, finding, OPERATOR).await?)
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(stdout(), "{line}")?)
}
