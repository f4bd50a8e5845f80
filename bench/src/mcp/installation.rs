//! What a server's state directory holds, and the service over it, as the program `mutation-approval` makes it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use approval_core::record::Identity;
use approval_core::state_dir::StateDir;
use approval_core::{Approvals, ApprovalsBuilder, Clock, OsEntropy, Parts, Person, Policy, SystemClock, Terms};
use approval_rmcp::TokioTimer;
use approval_store_sqlite::{SqliteOptions, SqliteStore};
use approval_web::{Accounts, AccountsDirectory, NewAccount, PasswordCost};

/// An installation, opened by one of its processes.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) approvals: Approvals,
    accounts: Accounts,
}

impl Installation {
    /// Makes one with so many persons, each of whom approves for themself.
    pub(crate) async fn create(directory: &Path, persons: usize) -> Result<Self> {
        StateDir::create(directory)?.ensure_key(&OsEntropy)?;
        let installation = Self::open(directory).await?;
        for number in 0..persons {
            let name = person(number);
            let account = NewAccount { person: Person::new(name.clone()), name, groups: [].into() };
            installation.accounts.add(&account, "correct horse battery")?;
        }
        Ok(installation)
    }

    pub(crate) async fn open(directory: &Path) -> Result<Self> {
        let state = StateDir::open(directory)?;
        let (audience, sealer) = (state.instance(&OsEntropy)?.audience, Arc::new(state.key_ring(Arc::new(OsEntropy))?));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = SqliteStore::open_with(state.store(), clock, &SqliteOptions::default().in_place())?;
        let anchor = state.anchor(&audience)?.in_place();
        let accounts = Accounts::with_cost(state.accounts(), PasswordCost::dangerous_cheap());
        let parts = Parts {
            audience,
            store: Arc::new(store),
            sealer,
            directory: Arc::new(AccountsDirectory::new(accounts.clone())),
            timer: Arc::new(TokioTimer),
            policy: Policy::always(Terms::same_subject()),
            surface: "http://127.0.0.1".to_owned(),
        };
        let approvals = ApprovalsBuilder::new(parts).anchor(Arc::new(anchor)).dangerous_same_user().start().await?;
        Ok(Self { approvals, accounts })
    }

    /// A person for whom an agent acts.
    pub(crate) fn identity(&self, number: usize) -> Result<Identity> {
        let name = person(number);
        let account = self.accounts.find(&name)?;
        Ok(account.with_context(|| format!("there is no account `{name}`"))?.identity())
    }

    /// All of them, by their numbers.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        (0..).map_while(|number| self.identity(number).ok()).collect()
    }
}

fn person(number: usize) -> String {
    format!("person-{number}")
}
