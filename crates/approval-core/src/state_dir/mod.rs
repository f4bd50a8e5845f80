//! The state directory: keys, instance and the places of everything else that an installation keeps.
//!
//! ```text
//! keys/ring.json      which keys there are, and what each is still good for
//! keys/<id>.key       one master key, 32 bytes in base64url
//! keys/signing.json   the public key set: which key signs receipts and checkpoints, and from when to when
//! keys/<id>.signing-key  the secret half of one of them, 32 bytes in base64url
//! instance.json       who this installation is, and where its approval surface is
//! store.sqlite3       plans and audit (made by the store)
//! anchor.jsonl        which plans were claimed, rejected or withdrawn, whatever the store says
//! accounts.toml       local accounts (made by the approval surface)
//! ```
//!
//! Directory and files belong to one operating-system user, and nobody else may read them. Who can read `keys/` can forge every
//! approval.

mod copy;
pub(crate) mod files;
mod instance;
mod keys;
mod signing;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::anchor::{AnchorError, FileAnchor};
use crate::entropy::{EntropyError, OsEntropy};
use crate::id::{Audience, KeyId};
use crate::json::{Inadmissible, ReadError};
use crate::seal::KeyRingError;

pub use instance::Instance;

/// One installation's directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    root: PathBuf,
}

/// Why the state directory can't be used. The text is for the operator, and names the file.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// A file or directory can be read by others than its owner.
    #[error("`{}` can be read or written by other users: `chmod go= {}`", path.display(), path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
    },
    /// A file can't be read or written.
    #[error("`{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file doesn't hold what it must.
    #[error("`{}`: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// There is no installation.
    #[error("there is no installation in `{}`: begin one with `mutation-approval keygen`", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// A key that the ring names has no file.
    #[error("the key file `{}` is missing: what was sealed under it can't be opened; restore it from a backup", path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
    },
    /// There are no keys.
    #[error("there are no keys in `{}`: make them with `mutation-approval keygen`", path.display())]
    NoKeys {
        /// The directory.
        path: PathBuf,
    },
    /// There are no signing keys.
    #[error("there are no signing keys in `{}`: make them with `mutation-approval keygen`", path.display())]
    NoSigningKeys {
        /// The directory.
        path: PathBuf,
    },
    /// The keys don't make a ring.
    #[error("the keys in `{}` don't make a ring: {error}", path.display())]
    Ring {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: KeyRingError,
    },
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// No sealing key has this id.
    #[error("there is no sealing key `{id}`")]
    UnknownKey {
        /// What was asked for.
        id: KeyId,
    },
    /// No signing key has this id.
    #[error("there is no signing key `{id}`")]
    UnknownSigningKey {
        /// What was asked for.
        id: KeyId,
    },
}

impl StateDir {
    /// The directory at `root`, made where it doesn't exist, readable by its owner only.
    ///
    /// # Errors
    /// When it can't be made, or others can read it.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, StateDirError> {
        let dir = Self { root: root.into() };
        files::create_dir(&dir.root)?;
        files::create_dir(&dir.keys())?;
        Ok(dir)
    }

    /// The directory at `root`, which must exist.
    ///
    /// # Errors
    /// When it doesn't exist, or others can read it.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StateDirError> {
        let dir = Self { root: root.into() };
        if !dir.root.exists() {
            return Err(StateDirError::Missing { path: dir.root });
        }
        files::check_owner_only(&dir.root)?;
        Ok(dir)
    }

    /// Where the directory is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the store is.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store.sqlite3")
    }

    /// Where the anchor is.
    #[must_use]
    pub fn anchor_path(&self) -> PathBuf {
        self.root.join("anchor.jsonl")
    }

    /// The installation's anchor.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn anchor(&self, audience: &Audience) -> Result<FileAnchor, AnchorError> {
        FileAnchor::new(self.anchor_path(), audience.clone(), Arc::new(OsEntropy))
    }

    /// Where the local accounts are.
    #[must_use]
    pub fn accounts(&self) -> PathBuf {
        self.root.join("accounts.toml")
    }

    /// Where the hashes of bearer tokens are.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.root.join("tokens.toml")
    }

    fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Held while something is made or changed, so that two processes don't both make it. Released when dropped.
    fn lock(&self) -> Result<File, StateDirError> {
        let path = self.root.join("lock");
        let failed = |error| StateDirError::File { path: path.clone(), error };
        let file = files::open_owner_only(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }
}

impl StateDirError {
    fn malformed(path: &Path, detail: impl ToString) -> Self {
        Self::Malformed { path: path.to_owned(), detail: detail.to_string() }
    }

    fn inadmissible(path: &Path, error: &Inadmissible) -> Self {
        Self::malformed(path, error)
    }

    fn unreadable(path: &Path, error: &ReadError) -> Self {
        Self::malformed(path, error)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::seal::{Binding, Purpose, Sealer as _};

    fn state() -> (tempfile::TempDir, StateDir) {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateDir::create(temporary.path().join("state")).unwrap();
        (temporary, state)
    }

    fn binding(audience: &Audience) -> Binding<'_> {
        Binding { record: "header", version: 0, id: "x", plan_id: None, revision: 0, audience }
    }

    #[test]
    fn an_instance_is_made_once() {
        let (_temporary, state) = state();
        let made = state.instance(&OsEntropy).unwrap();
        assert!(made.audience.as_str().starts_with("urn:uuid:"));
        assert_eq!(state.instance(&OsEntropy).unwrap(), made);
        let first = state.claim_surface("127.0.0.1:1", &OsEntropy).unwrap();
        assert_eq!(state.claim_surface("127.0.0.1:2", &OsEntropy).unwrap(), first);
        assert_eq!(first.surface.as_deref(), Some("127.0.0.1:1"));
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        // [SEAL-005]
        let (_temporary, state) = state();
        assert!(matches!(state.key_ring(Arc::new(OsEntropy)), Err(StateDirError::NoKeys { .. })));
        state.ensure_key(&OsEntropy).unwrap();
        state.ensure_key(&OsEntropy).unwrap();
        let audience = Audience::from("urn:test");
        let old = state.key_ring(Arc::new(OsEntropy)).unwrap();
        let sealed = old.seal(Purpose::Authenticate, &binding(&audience), b"{}").unwrap();
        let id = state.generate_key(&OsEntropy).unwrap();
        let new = state.key_ring(Arc::new(OsEntropy)).unwrap();
        assert_eq!(*new.active(), id);
        assert_ne!(*old.active(), id);
        assert_eq!(new.open(Purpose::Authenticate, &binding(&audience), &sealed).unwrap(), b"{}");
    }

    #[test]
    fn a_missing_key_file_is_named() {
        let (_temporary, state) = state();
        let id = state.generate_key(&OsEntropy).unwrap();
        fs::remove_file(state.key_path_for_test(&id)).unwrap();
        let error = state.key_ring(Arc::new(OsEntropy)).unwrap_err();
        assert!(matches!(error, StateDirError::MissingKey { .. }));
        assert!(error.to_string().contains(&format!("{id}.key")), "{error}");
    }

    #[test]
    fn what_others_can_read_is_refused() {
        // [SEC-001]
        let (_temporary, state) = state();
        let id = state.generate_key(&OsEntropy).unwrap();
        let key = state.key_path_for_test(&id);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(state.key_ring(Arc::new(OsEntropy)), Err(StateDirError::Exposed { path }) if path == key));
        fs::set_permissions(state.root(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(StateDir::open(state.root()), Err(StateDirError::Exposed { .. })));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let (_temporary, state) = state();
        state.instance(&OsEntropy).unwrap();
        let path = state.root().join("instance.json");
        fs::write(&path, b"{\"type\":1").unwrap();
        assert!(
            matches!(state.instance(&OsEntropy), Err(StateDirError::Malformed { path: named, .. }) if named == path)
        );
    }

    impl StateDir {
        fn key_path_for_test(&self, id: &crate::id::KeyId) -> PathBuf {
            self.keys().join(format!("{id}.key"))
        }
    }
}
