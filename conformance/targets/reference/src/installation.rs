//! One installation: its state directory, and what its files say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use approval_core::state_dir::StateDir;
use approval_core::{Clock, OsEntropy, Policy, SystemClock};
use approval_web::{Accounts, PasswordCost};

use crate::control::Control;
use crate::settings::{self, Settings};

/// One installation.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Where all of it is.
    pub state: StateDir,
    /// What its operator has set.
    pub settings: Settings,
    /// Who must approve what.
    pub policy: Policy,
}

impl Installation {
    /// Begins an installation whose pages are at `surface`: makes its keys, and writes its settings and policy.
    ///
    /// # Errors
    /// When files can't be written, or the policy is none.
    pub fn begin(root: &Path, settings: &Settings, policy: &str, surface: &str) -> Result<Self> {
        let state = StateDir::create(root)?;
        state.ensure_key(&OsEntropy)?;
        state.ensure_signing_keys(&OsEntropy, SystemClock.now())?;
        state.claim_surface(surface, &OsEntropy)?;
        settings.write(root)?;
        std::fs::write(root.join("policy.toml"), policy)?;
        Self::open(root)
    }

    /// The installation in this directory.
    ///
    /// # Errors
    /// When there is none, or one of its files isn't as it should be.
    pub fn open(root: &Path) -> Result<Self> {
        let state = StateDir::open(root)?;
        Ok(Self { settings: Settings::read(root)?, policy: settings::policy(root)?, state })
    }

    /// The clock of this test build: the machine's, as far on as `control/` says.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.control().clock()
    }

    /// What makes time go on and writes fail.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self.state.root())
    }

    /// The local accounts. Their passwords are hashed as cheaply as can be: a harness logs in all the time.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        Accounts::with_cost(self.state.accounts(), PasswordCost::dangerous_cheap())
    }

    /// Where running processes make themselves known.
    #[must_use]
    pub fn processes(&self) -> PathBuf {
        self.state.root().join("processes")
    }
}
