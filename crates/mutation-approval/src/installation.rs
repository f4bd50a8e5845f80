//! One installation, opened: state directory, keys, store, persons.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use approval_core::anchor::{AnchorError, FileAnchor};
use approval_core::audit::AuditLog;
use approval_core::seal::Sealer;
use approval_core::signing::Signer;
use approval_core::state_dir::{Instance, StateDir, StateDirError};
use approval_core::store::Store;
use approval_core::{
    Approvals, ApprovalsBuilder, BuildError, Clock, Directory, OsEntropy, Parts, Policy, Refusal, SystemClock, Terms,
};
use approval_rmcp::TokioTimer;
use approval_store_sqlite::{BackupError, OpenError, SqliteOptions, SqliteStore};
use approval_web::{Accounts, AccountsDirectory, AccountsError, FileError};

use crate::State;

/// Why a command fails. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("{0}")]
    Build(BuildError),
    /// The claims of the store have lost what remembers them.
    #[error(
        "the store holds claims, but the anchor `{}` is missing: restore it from a backup, or begin it anew with \
         `mutation-approval anchor dangerous-renew`; a store that was put back to an older copy goes unnoticed then",
        .0.display()
    )]
    AnchorMissing(PathBuf),
    /// A demonstration that didn't show what it must.
    #[error("{0}")]
    Demo(String),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no state directory: set --state-dir, MUTATION_APPROVAL_STATE_DIR, XDG_STATE_HOME or HOME")]
    NoStateDir,
    #[error("refused ({}): {}", .0.reason(), .0.detail())]
    Refused(#[from] Refusal),
    #[error(transparent)]
    State(#[from] StateDirError),
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// An installation, and what a service over it is made of.
pub struct Installation {
    pub state: StateDir,
    pub instance: Instance,
    pub sealer: Arc<dyn Sealer>,
    pub signer: Arc<dyn Signer>,
    pub store: Arc<SqliteStore>,
    pub anchor: Arc<FileAnchor>,
    pub accounts: Accounts,
}

impl Installation {
    /// Opens the installation of this command: it must have been made before.
    pub fn open(state: &State) -> Result<Self, Failure> {
        Self::at(StateDir::open(state_dir(state)?)?)
    }

    /// Opens the installation in this directory.
    pub fn at(state: StateDir) -> Result<Self, Failure> {
        let sealer = Arc::new(state.key_ring(Arc::new(OsEntropy))?);
        let instance = state.instance(&OsEntropy)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // An installation of an earlier version has none yet.
        state.ensure_signing_keys(&OsEntropy, clock.now())?;
        let signer = Arc::new(state.signing_keys(clock.now())?);
        let store = Arc::new(SqliteStore::open_with(state.store(), clock, &SqliteOptions::default().in_place())?);
        let anchor = Arc::new(state.anchor(&instance.audience)?.in_place());
        let accounts = Accounts::open(state.accounts());
        Ok(Self { instance, sealer, signer, store, anchor, accounts, state })
    }

    /// The stored audit.
    pub fn audit(&self) -> AuditLog {
        let store: Arc<dyn Store> = Arc::clone(&self.store) as _;
        AuditLog::new(store, Arc::clone(&self.sealer), self.instance.audience.clone())
    }

    /// A service for one command of the operator's. It plans and executes nothing.
    pub async fn operator(&self) -> Result<Approvals, Failure> {
        self.service(Policy::always(Terms::same_subject())).await
    }

    /// A service under this policy, whose surface is where the installation says.
    pub async fn service(&self, policy: Policy) -> Result<Approvals, Failure> {
        match self.builder(policy).start().await {
            Err(BuildError::AnchorMissing) => Err(Failure::AnchorMissing(self.state.anchor_path())),
            started => started.map_err(Failure::Build),
        }
    }

    /// As [`operator`](Self::operator), where the anchor may be begun anew.
    pub async fn renew_anchor(&self) -> Result<Approvals, Failure> {
        let builder = self.builder(Policy::always(Terms::same_subject())).dangerous_new_anchor();
        builder.start().await.map_err(Failure::Build)
    }

    fn builder(&self, policy: Policy) -> ApprovalsBuilder {
        let surface = self.instance.surface.as_deref().unwrap_or("127.0.0.1");
        let directory: Arc<dyn Directory> = Arc::new(AccountsDirectory::new(self.accounts.clone()));
        let parts = Parts {
            audience: self.instance.audience.clone(),
            store: Arc::clone(&self.store) as _,
            sealer: Arc::clone(&self.sealer),
            directory,
            timer: Arc::new(TokioTimer),
            policy,
            surface: format!("http://{surface}"),
        };
        // Nobody has said that agent and key are kept apart: so they aren't. [ENF-002]
        let builder = ApprovalsBuilder::new(parts).anchor(Arc::clone(&self.anchor) as _);
        builder.signer(Arc::clone(&self.signer)).dangerous_same_user()
    }
}

/// The state directory: by flag or environment, or the user's own.
pub fn state_dir(state: &State) -> Result<PathBuf, Failure> {
    if let Some(named) = &state.state_dir {
        return Ok(named.clone());
    }
    let of = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = of("XDG_STATE_HOME").or_else(|| of("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("mutation-approval")).ok_or(Failure::NoStateDir)
}

/// Who gives this command, by the operating system's word.
pub fn operator_name() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "operator".to_owned())
}
