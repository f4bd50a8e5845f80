//! The seams of this test build: time that goes on, a store and an anchor that fail, as files in `control/` say.

mod anchor;
mod clock;
mod store;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use approval_core::Clock;
use approval_core::anchor::Anchor;
use approval_core::store::Store;
use approval_core::transient::Transient;

use anchor::ControlledAnchor;
use clock::OffsetClock;
use store::{ControlledStore, ControlledTransient};

/// What is done to a running server from outside.
#[derive(Clone, Debug)]
pub struct Control(PathBuf);

/// A fault that is there while its file is.
#[derive(Clone, Debug)]
pub(crate) struct Switch(PathBuf);

impl Control {
    /// The controls of the installation in this state directory.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self(state.join("control"))
    }

    /// Lets the clock be so many seconds further on than the machine's.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn set_clock(&self, seconds: u64) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        // Nobody ever reads half of it.
        let beside = self.0.join("clock.new");
        fs::write(&beside, seconds.to_string())?;
        fs::rename(beside, self.0.join("clock"))
    }

    /// From now on the store takes no write, or does again.
    ///
    /// # Errors
    /// When the file can't be made or removed.
    pub fn fail_store(&self, on: bool) -> io::Result<()> {
        self.switch("store").set(on)
    }

    /// From now on the anchor takes no write, or does again.
    ///
    /// # Errors
    /// When the file can't be made or removed.
    pub fn fail_anchor(&self, on: bool) -> io::Result<()> {
        self.switch("anchor").set(on)
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(OffsetClock::by(self.0.join("clock")))
    }

    pub(crate) fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(ControlledStore::around(store, self.switch("store")))
    }

    pub(crate) fn transient(&self, transient: Arc<dyn Transient>) -> Arc<dyn Transient> {
        Arc::new(ControlledTransient::around(transient, self.switch("store")))
    }

    pub(crate) fn anchor(&self, anchor: Arc<dyn Anchor>) -> Arc<dyn Anchor> {
        Arc::new(ControlledAnchor::around(anchor, self.switch("anchor")))
    }

    fn switch(&self, name: &str) -> Switch {
        Switch(self.0.join(format!("fail-{name}")))
    }
}

impl Switch {
    /// An error while it is on.
    fn check(&self) -> Result<(), String> {
        if self.0.exists() { Err("told to fail".to_owned()) } else { Ok(()) }
    }

    fn set(&self, on: bool) -> io::Result<()> {
        if on {
            fs::create_dir_all(self.0.parent().unwrap_or(Path::new(".")))?;
            return fs::write(&self.0, "");
        }
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}
