//! `keys list`, `keys export`, `keys rotate` and `keys revoke`.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use approval_core::seal::KeyState;
use approval_core::signing::{KeySet, RevocationReason, SigningPurpose};
use approval_core::state_dir::StateDir;
use approval_core::{Clock as _, KeyId, OsEntropy, SystemClock};
use clap::{Args, Subcommand, ValueEnum};

use crate::State;
use crate::installation::{self, Failure, Installation};

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    Export(ExportArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
    Rotate(RotateArgs),
}

/// Write the public key set to standard output: what verifies receipts and checkpoints. Give it to verifiers yourself.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    state: State,
}

/// List the keys: one a line, with its use and what it is still good for.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    state: State,
}

/// Make a new key; the one before stays good for what it did.
#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    state: State,
    /// What the key is for.
    #[arg(value_name = "USE")]
    use_: Use,
    /// For how many seconds processes that still run may sign with the key before.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    overlap: u64,
}

/// Revoke a key, because somebody else may have it, or because it is lost. Stop all servers of the installation first, and start
/// them again afterwards. A revoked sealing key opens nothing: no plan that is open goes on, and execution is paused until `resume`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    #[command(flatten)]
    state: State,
    /// The key, as `keys list` names it.
    key: KeyName,
    /// Why. What a retired signing key signed still holds; what a compromised one signed doesn't.
    #[arg(long)]
    reason: Reason,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Use {
    Checkpoints,
    Receipts,
    Seals,
}

/// Why a key is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reason {
    /// Somebody else has it, or may have; or nobody has it any more.
    Compromised,
    /// It is out of use.
    Retired,
}

/// A key's name.
#[derive(Clone, Debug)]
struct KeyName(KeyId);

impl From<String> for KeyName {
    fn from(name: String) -> Self {
        Self(KeyId::new(name))
    }
}

pub async fn run(command: KeysCommand) -> Result<ExitCode, Failure> {
    match command {
        KeysCommand::Export(args) => {
            let set = open(&args.state)?.key_set()?;
            writeln!(io::stdout(), "{}", text(&set)?)?;
        }
        KeysCommand::List(args) => list(&open(&args.state)?)?,
        KeysCommand::Revoke(args) => revoke(&args).await?,
        KeysCommand::Rotate(args) => rotate(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn open(state: &State) -> Result<StateDir, Failure> {
    Ok(StateDir::open(installation::state_dir(state)?)?)
}

fn list(state: &StateDir) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for (id, standing) in state.sealing_keys()? {
        let standing = match standing {
            KeyState::Active => "active",
            KeyState::Revoked => "revoked: opens nothing",
            KeyState::VerifyOnly => "opens what it sealed",
        };
        writeln!(out, "{id}  seals  {standing}")?;
    }
    let set = state.key_set()?;
    for key in set.keys() {
        let uses: Vec<_> = key.purposes().iter().map(|purpose| format!("{purpose}s")).collect();
        let standing = match (key.revocation(), key.not_after()) {
            (Some(revocation), _) => {
                let why = if revocation.reason == RevocationReason::Retired { "retired" } else { "compromised" };
                format!("revoked {}: {why}", revocation.revoked_at)
            }
            (None, Some(until)) => format!("signs until {until}"),
            (None, None) => format!("signs from {} on", key.not_before()),
        };
        writeln!(out, "{}  {}  {standing}", key.id(), uses.join(" "))?;
    }
    Ok(())
}

async fn rotate(args: &RotateArgs) -> Result<(), Failure> {
    let state = open(&args.state)?;
    let purpose = match args.use_ {
        Use::Checkpoints => Some(SigningPurpose::Checkpoint),
        Use::Receipts => Some(SigningPurpose::Receipt),
        Use::Seals => None,
    };
    let id = match purpose {
        Some(purpose) => {
            state.rotate_signing_key(purpose, Duration::from_secs(args.overlap), &OsEntropy, SystemClock.now())?
        }
        None => state.generate_key(&OsEntropy)?,
    };
    told(args.state.clone(), purpose.is_some()).await?;
    writeln!(io::stdout(), "made the key `{id}`: start every server of the installation anew")?;
    Ok(())
}

async fn revoke(args: &RevokeArgs) -> Result<(), Failure> {
    let state = open(&args.state)?;
    let KeyName(id) = &args.key;
    if !state.sealing_keys()?.iter().any(|(known, _)| known == id) {
        let reason = match args.reason {
            Reason::Compromised => RevocationReason::Compromised,
            Reason::Retired => RevocationReason::Retired,
        };
        state.revoke_signing_key(id, reason, &OsEntropy, SystemClock.now())?;
        told(args.state.clone(), true).await?;
        writeln!(
            io::stdout(),
            "revoked the signing key `{id}`: give the new key set to all verifiers (`keys export`)"
        )?;
        return Ok(());
    }
    // Whatever can still be read is signed while its seals hold.
    match Installation::open(&args.state) {
        Ok(installation) => installation.operator().await?.close().await,
        Err(failure) => writeln!(io::stderr(), "the audit's end can't be verified before: {failure}")?,
    }
    state.revoke_key(id, &OsEntropy)?;
    let installation = Installation::open(&args.state)?;
    let approvals = installation.operator().await?;
    let operator = installation::operator_name();
    approvals.note_key_change(None, &operator).await?;
    approvals.resume(&operator).await?;
    approvals.pause(&operator).await?;
    approvals.dangerous_checkpoint_over_revoked().await?;
    writeln!(
        io::stdout(),
        "revoked the sealing key `{id}`: what it sealed is not opened any more, and execution is paused. Look at what plans of \
         it did, `reconcile` those that are unresolved, and then `resume`"
    )?;
    Ok(())
}

/// The audit tells of every change of a key.
async fn told(state: State, signing: bool) -> Result<(), Failure> {
    let installation = Installation::open(&state)?;
    let digest = match signing {
        true => Some(installation.state.key_set()?.document().map_err(io::Error::other)?.digest()),
        false => None,
    };
    let approvals = installation.operator().await?;
    approvals.note_key_change(digest, &installation::operator_name()).await?;
    approvals.close().await;
    Ok(())
}

fn text(set: &KeySet) -> Result<String, Failure> {
    Ok(set.document().map_err(io::Error::other)?.as_str().to_owned())
}
