//! A copy of an installation's files.

use std::path::Path;

use zeroize::Zeroizing;

use super::{StateDir, StateDirError, files};

impl StateDir {
    /// Copies what lies beside the store into another state directory: instance, accounts, tokens and anchor, and with `keys` the
    /// keys too. Called once the store has been copied, it leaves an anchor that knows all that the store's copy does.
    ///
    /// # Errors
    /// When a file can't be read or written, or can be read by others than its owner.
    pub fn copy_to(&self, to: &Self, keys: bool) -> Result<(), StateDirError> {
        for path in [self.instance_path(), self.accounts(), self.tokens(), self.anchor_path()] {
            copy(&path, &to.root)?;
        }
        if keys {
            let _lock = self.lock()?;
            let directory = self.keys();
            let failed = |error| StateDirError::File { path: directory.clone(), error };
            for entry in directory.read_dir().map_err(failed)? {
                copy(&entry.map_err(failed)?.path(), &to.keys())?;
            }
        }
        Ok(())
    }
}

/// Copies a file, where it exists, into this directory, under its own name.
fn copy(from: &Path, into: &Path) -> Result<(), StateDirError> {
    let Some(bytes) = files::read_bytes(from)?.map(Zeroizing::new) else { return Ok(()) };
    let to = into.join(from.file_name().unwrap_or_default());
    files::write_bytes(&to, &bytes).map_err(|error| StateDirError::File { path: to.clone(), error })
}
