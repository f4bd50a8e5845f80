//! What the server is made of.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use approval_core::anchor::{Anchor, NoAnchor};
use approval_core::seal::Sealer;
use approval_core::signing::Signer;
use approval_core::store::Store;
use approval_core::transient::Transient;
use approval_core::{Clock, Directory, OsEntropy, Policy};
use approval_rmcp::{GatedTool, RequesterSource, VerifiedRequester};
use approval_store_sqlite::SqliteStore;
use approval_web::{Accounts, AccountsDirectory, BearerVerifier, TokenFile};
use axum::Router;

use crate::installation::Installation;
use crate::notebook::Notebook;
use crate::permissions::Permissions;
use crate::tools::{NoteTool, Notes, announcing};

/// Stands around a router: sees, and may change, all that goes in and comes out.
pub type Layer = Box<dyn FnOnce(Router) -> Router + Send>;

/// Every part of a server that can be replaced, each by itself.
pub struct Parts {
    /// Tells the time. The store has its own of it: see [`Replace::clock`](crate::Replace::clock).
    pub clock: Arc<dyn Clock>,
    /// Seals records, and makes tags.
    pub sealer: Arc<dyn Sealer>,
    /// Signs receipts and checkpoints.
    pub signer: Arc<dyn Signer>,
    /// Keeps plans and their audit.
    pub store: Arc<dyn Store>,
    /// Keeps sessions.
    pub transient: Arc<dyn Transient>,
    /// Remembers outside the store what ran.
    pub anchor: Arc<dyn Anchor>,
    /// Who is who, and who may ask for what.
    pub directory: Arc<dyn Directory>,
    /// Who logs in on the pages.
    pub accounts: Accounts,
    /// Who must approve what.
    pub policy: Policy,
    /// Over HTTP: for whom the bearer of a token acts.
    pub bearers: Arc<dyn BearerVerifier>,
    /// For whom a request is.
    pub requesters: Arc<dyn RequesterSource>,
    /// What the tools write.
    pub notebook: Notebook,
    /// The tools with a preview, each of which plans, looks again, and executes.
    pub notes: Vec<Arc<dyn NoteTool>>,
    /// How the opaque tool is planned and run.
    pub announce: GatedTool,
    /// Stands around the MCP endpoint over HTTP, within the bearer guard.
    pub endpoint: Layer,
    /// Stands around the bearer guard over HTTP, and so around the endpoint too.
    pub entrance: Layer,
    /// Stands around the pages.
    pub pages: Layer,
}

impl Parts {
    /// The parts of a server as it should be, over HTTP, by this clock.
    ///
    /// # Errors
    /// When keys, store or anchor can't be opened.
    pub fn new(installation: &Installation, clock: Arc<dyn Clock>) -> Result<Self> {
        let Installation { state, settings, policy } = installation;
        let (audience, control) = (state.instance(&OsEntropy)?.audience, installation.control());
        let store = Arc::new(SqliteStore::open(state.store(), Arc::clone(&clock))?);
        let anchor: Arc<dyn Anchor> =
            if settings.anchor { Arc::new(state.anchor(&audience)?) } else { Arc::new(NoAnchor) };
        let accounts = installation.accounts();
        let notebook = Notebook::new(&settings.notes)?;
        Ok(Self {
            sealer: Arc::new(state.key_ring(Arc::new(OsEntropy))?),
            signer: Arc::new(state.signing_keys(clock.now())?),
            store: control.store(store.clone()),
            transient: control.transient(store),
            anchor: control.anchor(anchor),
            directory: Arc::new(Permissions::new(AccountsDirectory::new(accounts.clone()))),
            accounts,
            policy: policy.clone(),
            bearers: Arc::new(TokenFile::open(state.tokens(), Arc::clone(&clock))),
            requesters: Arc::new(VerifiedRequester),
            notes: Notes::all(&notebook, &settings.descriptions),
            notebook,
            announce: announcing(),
            endpoint: as_it_is(),
            entrance: as_it_is(),
            pages: as_it_is(),
            clock,
        })
    }
}

/// Nothing around a router.
#[must_use]
pub fn as_it_is() -> Layer {
    Box::new(|router| router)
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).field("anchor", &self.anchor).finish_non_exhaustive()
    }
}
