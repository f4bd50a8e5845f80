//! The sealing keys of an installation, one file each, and the file that says what each is good for.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{StateDir, StateDirError, files};
use crate::entropy::Entropy;
use crate::id::KeyId;
use crate::seal::{KeyRing, KeyState, MasterKey};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingFile {
    r#type: RingType,
    keys: Vec<RingEntry>,
}

#[derive(Serialize, Deserialize)]
enum RingType {
    #[serde(rename = "mutation-approval/key-ring/v0")]
    V0,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingEntry {
    id: KeyId,
    state: KeyState,
}

impl StateDir {
    /// The ring of this installation's keys.
    ///
    /// # Errors
    /// [`StateDirError::NoKeys`] before the first key was made, [`StateDirError::MissingKey`] where a key's file is gone.
    pub fn key_ring(&self, entropy: Arc<dyn Entropy>) -> Result<KeyRing, StateDirError> {
        let directory = self.keys();
        let ring: RingFile =
            files::read(&self.ring_path())?.ok_or(StateDirError::NoKeys { path: directory.clone() })?;
        let mut keys = Vec::new();
        for RingEntry { id, state } in ring.keys {
            // A revoked key opens nothing, so its file may be gone.
            let file = files::read_key(&self.key_path(&id)).map(|bytes| MasterKey::from_bytes(*bytes));
            let key = match (file, state) {
                (Err(StateDirError::MissingKey { .. }), KeyState::Revoked) => MasterKey::from_bytes([0; 32]),
                (key, _) => key?,
            };
            keys.push((id, key, state));
        }
        KeyRing::new(keys, entropy).map_err(|error| StateDirError::Ring { path: directory, error })
    }

    /// Makes the first key, unless there is one.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn ensure_key(&self, entropy: &dyn Entropy) -> Result<(), StateDirError> {
        let _lock = self.lock()?;
        match files::read::<RingFile>(&self.ring_path())? {
            Some(_) => Ok(()),
            None => self.add_key(Vec::new(), entropy).map(drop),
        }
    }

    /// Makes a new key, under which everything is sealed from now on; the keys before it still open what they sealed.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn generate_key(&self, entropy: &dyn Entropy) -> Result<KeyId, StateDirError> {
        let _lock = self.lock()?;
        let ring: Option<RingFile> = files::read(&self.ring_path())?;
        let keys = ring.map(|ring| ring.keys).unwrap_or_default();
        self.add_key(keys, entropy)
    }

    /// The sealing keys, oldest first, and what each is still good for.
    ///
    /// # Errors
    /// [`StateDirError::NoKeys`] before the first key was made.
    pub fn sealing_keys(&self) -> Result<Vec<(KeyId, KeyState)>, StateDirError> {
        let ring: Option<RingFile> = files::read(&self.ring_path())?;
        let ring = ring.ok_or_else(|| StateDirError::NoKeys { path: self.keys() })?;
        Ok(ring.keys.into_iter().map(|key| (key.id, key.state)).collect())
    }

    /// Revokes a sealing key, and makes another one where it was the active one. What was sealed under it is not opened any more;
    /// its file stays, so that what its plans touched can still be found, and may be gone. [KEYS-030]
    ///
    /// # Errors
    /// [`StateDirError::UnknownKey`]; when files can't be written.
    pub fn revoke_key(&self, id: &KeyId, entropy: &dyn Entropy) -> Result<(), StateDirError> {
        let _lock = self.lock()?;
        let ring: Option<RingFile> = files::read(&self.ring_path())?;
        let mut keys = ring.ok_or_else(|| StateDirError::NoKeys { path: self.keys() })?.keys;
        let key = keys.iter_mut().find(|key| key.id == *id);
        let key = key.ok_or_else(|| StateDirError::UnknownKey { id: id.clone() })?;
        let was = std::mem::replace(&mut key.state, KeyState::Revoked);
        // The new key and the revocation in one writing of the ring: without an active key nothing starts.
        if was == KeyState::Active {
            self.add_key(keys, entropy).map(drop)
        } else {
            files::write(&self.ring_path(), &RingFile { r#type: RingType::V0, keys })
        }
    }

    fn add_key(&self, mut keys: Vec<RingEntry>, entropy: &dyn Entropy) -> Result<KeyId, StateDirError> {
        let mut random = [0; 4];
        entropy.fill(&mut random)?;
        let id = KeyId::new(format!("k{:08x}", u32::from_be_bytes(random)));
        let key = MasterKey::generate(entropy)?;
        // The key first: a ring that names a key whose file was never written would open nothing.
        files::write_key(&self.key_path(&id), key.as_bytes())?;
        for key in &mut keys {
            if key.state == KeyState::Active {
                key.state = KeyState::VerifyOnly;
            }
        }
        keys.push(RingEntry { id: id.clone(), state: KeyState::Active });
        files::write(&self.ring_path(), &RingFile { r#type: RingType::V0, keys })?;
        Ok(id)
    }

    fn ring_path(&self) -> PathBuf {
        self.keys().join("ring.json")
    }

    fn key_path(&self, id: &KeyId) -> PathBuf {
        self.keys().join(format!("{id}.key"))
    }
}
