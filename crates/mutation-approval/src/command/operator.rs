//! What an operator does: `keygen`, `mute`, `pause`, `prune`, `reconcile`, `resume`, `unmute`.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use approval_core::record::Reconciled;
use approval_core::state_dir::StateDir;
use approval_core::{OsEntropy, Person, PlanId};
use clap::{Args, ValueEnum};

use crate::State;
use crate::installation::{self, Failure, Installation};

/// Make a new key: everything is sealed under it from now on, and earlier keys still open what they sealed.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    #[command(flatten)]
    state: State,
}

/// Stop all execution: plans and decisions go on, the gate refuses until `resume`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    #[command(flatten)]
    state: State,
}

/// Let execution go on after `pause`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    state: State,
}

/// Take no plan from a requester for a while: what they have planned already stays as it is.
#[derive(Debug, Args)]
pub struct MuteArgs {
    #[command(flatten)]
    state: State,
    /// The person for whom the agent acts.
    requester: String,
    /// For how many minutes, from now on. Whoever is muted for longer already stays so.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
}

/// Take plans again from a requester who was muted, by whomever.
#[derive(Debug, Args)]
pub struct UnmuteArgs {
    #[command(flatten)]
    state: State,
    /// The person for whom the agent acts.
    requester: String,
}

/// Remove what is left of plans that ended long ago, but for a tombstone: header, state and audit stay. What is executing, or
/// unresolved, stays whole.
#[derive(Debug, Args)]
pub struct PruneArgs {
    #[command(flatten)]
    state: State,
    /// How many days a plan is kept whole after it has expired.
    #[arg(long, value_name = "DAYS")]
    keep: u32,
}

/// Record what an attempt did that ended `unknown` or `partial`, once you have looked.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    state: State,
    /// The plan whose attempt it is.
    plan: PlanId,
    /// What you found.
    finding: Finding,
}

/// What an operator found out about an attempt.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Finding {
    /// The effect is there.
    Applied,
    /// The effect isn't there.
    NotApplied,
}

pub fn keygen(args: &KeygenArgs) -> Result<ExitCode, Failure> {
    let state = StateDir::create(installation::state_dir(&args.state)?)?;
    let id = state.generate_key(&OsEntropy)?;
    writeln!(
        io::stdout(),
        "made key `{id}` in `{}`; keep a backup where the agent can't read it",
        state.root().display()
    )?;
    Ok(ExitCode::SUCCESS)
}

pub async fn pause(args: &PauseArgs) -> Result<ExitCode, Failure> {
    let approvals = Installation::open(&args.state)?.operator().await?;
    approvals.pause(&installation::operator_name()).await?;
    approvals.close().await;
    writeln!(io::stdout(), "execution is paused")?;
    Ok(ExitCode::SUCCESS)
}

pub async fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    let approvals = Installation::open(&args.state)?.operator().await?;
    approvals.resume(&installation::operator_name()).await?;
    approvals.close().await;
    writeln!(io::stdout(), "execution goes on")?;
    Ok(ExitCode::SUCCESS)
}

pub async fn mute(args: &MuteArgs) -> Result<ExitCode, Failure> {
    let approvals = Installation::open(&args.state)?.operator().await?;
    let duration = Duration::from_secs(u64::from(args.minutes) * 60);
    let requester = Person::new(&args.requester);
    approvals.mute(&requester, duration, &installation::operator_name()).await?;
    approvals.close().await;
    let until = approvals.clock().now().after(duration);
    writeln!(io::stdout(), "no plan is taken for `{requester}` until {until}, or longer")?;
    Ok(ExitCode::SUCCESS)
}

pub async fn unmute(args: &UnmuteArgs) -> Result<ExitCode, Failure> {
    let approvals = Installation::open(&args.state)?.operator().await?;
    let requester = Person::new(&args.requester);
    approvals.mute(&requester, Duration::ZERO, &installation::operator_name()).await?;
    approvals.close().await;
    writeln!(io::stdout(), "plans are taken for `{requester}`")?;
    Ok(ExitCode::SUCCESS)
}

pub async fn prune(args: &PruneArgs) -> Result<ExitCode, Failure> {
    let approvals = Installation::open(&args.state)?.operator().await?;
    let pruned = approvals.prune(Duration::from_secs(u64::from(args.keep) * 24 * 3600)).await?;
    approvals.close().await;
    let mut out = io::stdout();
    writeln!(out, "plans pruned: {}", pruned.plans)?;
    if pruned.unresolved > 0 {
        let why = "nobody has said what their attempts did (`reconcile`)";
        writeln!(out, "plans kept whole, since {why}: {}", pruned.unresolved)?;
    }
    if pruned.failed > 0 {
        writeln!(out, "plans that can't be pruned, for which see the log: {}", pruned.failed)?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn reconcile(args: &ReconcileArgs) -> Result<ExitCode, Failure> {
    let finding = match args.finding {
        Finding::Applied => Reconciled::Applied,
        Finding::NotApplied => Reconciled::NotApplied,
    };
    let operator = installation::operator_name();
    let approvals = Installation::open(&args.state)?.operator().await?;
    approvals.reconcile(args.plan, finding, &operator).await?;
    approvals.close().await;
    writeln!(io::stdout(), "the attempt of plan `{}` is resolved", args.plan)?;
    Ok(ExitCode::SUCCESS)
}
