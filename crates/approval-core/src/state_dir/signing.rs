//! The signing keys of an installation: their public key set, and one file for each secret half.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{StateDir, StateDirError, files};
use crate::entropy::Entropy;
use crate::id::KeyId;
use crate::instant::Timestamp;
use crate::signing::{DatedKey, KeySet, Revocation, RevocationReason, SigningKey, SigningKeys, SigningPurpose};

impl StateDir {
    /// The installation's public key set: what a verifier needs.
    ///
    /// # Errors
    /// [`StateDirError::NoSigningKeys`] before the first keys were made.
    pub fn key_set(&self) -> Result<KeySet, StateDirError> {
        self.read_key_set()?.ok_or_else(|| StateDirError::NoSigningKeys { path: self.keys() })
    }

    /// The signing keys that are, or will be, good from `now` on.
    ///
    /// # Errors
    /// [`StateDirError::NoSigningKeys`] before the first keys were made, [`StateDirError::MissingKey`] where a key's file is
    /// gone.
    pub fn signing_keys(&self, now: Timestamp) -> Result<SigningKeys, StateDirError> {
        let set = self.key_set()?;
        let mut keys = Vec::new();
        let ended = |key: &DatedKey| key.not_after().is_some_and(|until| until < now);
        for dated in set.keys().iter().filter(|key| key.revocation().is_none() && !ended(key)) {
            let path = self.signing_key_path(dated.id());
            let key = SigningKey::from_bytes(&*files::read_key(&path)?);
            if key.public_key().id() != *dated.id() {
                return Err(StateDirError::malformed(&path, "this is another key than its name says"));
            }
            keys.push(key);
        }
        Ok(SigningKeys::new(set, keys))
    }

    /// Makes a signing key for each purpose that has none.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn ensure_signing_keys(&self, entropy: &dyn Entropy, now: Timestamp) -> Result<(), StateDirError> {
        let _lock = self.lock()?;
        let set = self.key_set_locked(entropy)?;
        self.complete(set, entropy, now).map(drop)
    }

    /// Makes a new signing key for a purpose, and lets the one before sign for `overlap` longer: processes that run on with
    /// it have to be started anew until then. [KEYS-013]
    ///
    /// # Errors
    /// When it can't be written.
    pub fn rotate_signing_key(
        &self,
        purpose: SigningPurpose,
        overlap: Duration,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<KeyId, StateDirError> {
        let _lock = self.lock()?;
        let set = self.key_set_locked(entropy)?;
        let (set, id) = self.add_signing_key(set, purpose, now.after(overlap), entropy, now)?;
        self.complete(set, entropy, now)?;
        Ok(id)
    }

    /// Revokes a signing key, removes its secret half, and makes another one where none is left for its purpose. What it
    /// signed before holds on only where it is retired. [KEYS-023]
    ///
    /// # Errors
    /// [`StateDirError::UnknownSigningKey`]; when files can't be written.
    pub fn revoke_signing_key(
        &self,
        id: &KeyId,
        reason: RevocationReason,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<KeySet, StateDirError> {
        let _lock = self.lock()?;
        let set = self.key_set()?.revoked(id.as_str(), Revocation { revoked_at: now, reason });
        let set = set.ok_or_else(|| StateDirError::UnknownSigningKey { id: id.clone() })?;
        // The set first: a key whose file is gone, but which isn't revoked, would stop every start.
        self.write_key_set(&set)?;
        let path = self.signing_key_path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StateDirError::File { path, error }),
            _ => {}
        }
        self.complete(set, entropy, now)
    }

    /// A key for each purpose that has none that lasts. Where one is still good for a while, it stays so.
    fn complete(&self, mut set: KeySet, entropy: &dyn Entropy, now: Timestamp) -> Result<KeySet, StateDirError> {
        for purpose in SigningPurpose::ALL {
            let lasts =
                |key: &DatedKey| key.may_sign(purpose) && key.revocation().is_none() && key.not_after().is_none();
            if !set.keys().iter().any(lasts) {
                let never = Timestamp::from_unix_millis(i64::MAX);
                (set, _) = self.add_signing_key(set, purpose, never, entropy, now)?;
            }
        }
        Ok(set)
    }

    fn add_signing_key(
        &self,
        set: KeySet,
        purpose: SigningPurpose,
        ending: Timestamp,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<(KeySet, KeyId), StateDirError> {
        let key = SigningKey::generate(entropy)?;
        let dated = DatedKey::new(&key.public_key(), purpose, now);
        let id = dated.id().clone();
        // The key first, as for seals.
        files::write_key(&self.signing_key_path(&id), key.as_bytes())?;
        let set = set.succeeded_by(dated, ending);
        let set = set.map_err(|error| StateDirError::malformed(&self.key_set_path(), error))?;
        self.write_key_set(&set)?;
        Ok((set, id))
    }

    /// The key set, or a new one without keys.
    fn key_set_locked(&self, entropy: &dyn Entropy) -> Result<KeySet, StateDirError> {
        match self.read_key_set()? {
            Some(set) => Ok(set),
            None => KeySet::new(self.instance_locked(entropy)?.audience, Vec::new())
                .map_err(|error| StateDirError::malformed(&self.key_set_path(), error)),
        }
    }

    fn read_key_set(&self) -> Result<Option<KeySet>, StateDirError> {
        let path = self.key_set_path();
        let bytes = files::read_bytes(&path)?;
        bytes.map(|bytes| KeySet::parse(&bytes).map_err(|error| StateDirError::malformed(&path, error))).transpose()
    }

    fn write_key_set(&self, set: &KeySet) -> Result<(), StateDirError> {
        files::write(&self.key_set_path(), set)
    }

    fn key_set_path(&self) -> PathBuf {
        self.keys().join("signing.json")
    }

    fn signing_key_path(&self, id: &KeyId) -> PathBuf {
        self.keys().join(format!("{id}.signing-key"))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::entropy::OsEntropy;
    use crate::signing::{SignError, SignatureFault, Signer as _, open, sign};

    const RECEIPT: SigningPurpose = SigningPurpose::Receipt;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(1000 * seconds)
    }

    fn state() -> (tempfile::TempDir, StateDir) {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateDir::create(temporary.path().join("state")).unwrap();
        (temporary, state)
    }

    #[test]
    fn keys_are_made_once_for_each_purpose() {
        // [KEYS-010, KEYS-005]
        let (_temporary, state) = state();
        assert!(matches!(state.signing_keys(at(0)), Err(StateDirError::NoSigningKeys { .. })));
        state.ensure_signing_keys(&OsEntropy, at(0)).unwrap();
        let set = state.key_set().unwrap();
        state.ensure_signing_keys(&OsEntropy, at(1)).unwrap();
        assert_eq!(state.key_set().unwrap(), set);
        assert_eq!(set.keys().len(), SigningPurpose::ALL.len());
        assert_eq!(*set.audience(), state.instance(&OsEntropy).unwrap().audience);
        let keys = state.signing_keys(at(1)).unwrap();
        for purpose in SigningPurpose::ALL {
            let envelope = sign(&keys, purpose, b"{}", at(1)).unwrap();
            assert!(open(&envelope, purpose, &set).unwrap().at(at(1)).is_ok());
            let file = state.signing_key_path(keys.active(purpose, at(1)).unwrap().id());
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn after_a_rotation_the_key_before_signs_for_a_while() {
        // [KEYS-012, KEYS-013]
        let (_temporary, state) = state();
        state.ensure_signing_keys(&OsEntropy, at(0)).unwrap();
        let running = state.signing_keys(at(0)).unwrap();
        let id = state.rotate_signing_key(RECEIPT, Duration::from_secs(60), &OsEntropy, at(100)).unwrap();
        let set = state.key_set().unwrap();
        assert_eq!(set.keys().len(), 3);
        let of_new = sign(&state.signing_keys(at(100)).unwrap(), RECEIPT, b"{}", at(100)).unwrap();
        assert_eq!(open(&of_new, RECEIPT, &set).unwrap().at(at(100)).unwrap().id(), &id);
        let of_old = sign(&running, RECEIPT, b"{}", at(160)).unwrap();
        let opened = open(&of_old, RECEIPT, &set).unwrap();
        assert!(opened.at(at(160)).is_ok());
        assert_eq!(opened.at(at(161)).unwrap_err(), SignatureFault::KeyExpired);
        // What has ended is no longer needed.
        fs::remove_file(state.signing_key_path(set.keys()[1].id())).unwrap();
        assert!(state.signing_keys(at(160)).is_err_and(|error| matches!(error, StateDirError::MissingKey { .. })));
        assert!(state.signing_keys(at(161)).is_ok());
    }

    #[test]
    fn a_revoked_key_is_replaced_and_its_secret_is_gone() {
        // [KEYS-023]
        let (_temporary, state) = state();
        state.ensure_signing_keys(&OsEntropy, at(0)).unwrap();
        let running = state.signing_keys(at(0)).unwrap();
        let revoked = running.active(RECEIPT, at(1)).unwrap().id().clone();
        let set = state.revoke_signing_key(&revoked, RevocationReason::Retired, &OsEntropy, at(10)).unwrap();
        assert_eq!(set, state.key_set().unwrap());
        assert!(!state.signing_key_path(&revoked).exists());
        assert_ne!(state.signing_keys(at(10)).unwrap().active(RECEIPT, at(10)).unwrap().id(), &revoked);
        let envelope = sign(&running, RECEIPT, b"{}", at(10)).unwrap();
        let opened = open(&envelope, RECEIPT, &set).unwrap();
        assert!(opened.at(at(9)).is_ok());
        assert_eq!(opened.at(at(10)).unwrap_err(), SignatureFault::KeyRevoked);
        let unknown = state.revoke_signing_key(&"another".into(), RevocationReason::Retired, &OsEntropy, at(11));
        assert!(matches!(unknown, Err(StateDirError::UnknownSigningKey { .. })));
    }

    #[test]
    fn no_key_signs_before_its_time() {
        let (_temporary, state) = state();
        state.ensure_signing_keys(&OsEntropy, at(50)).unwrap();
        let error = sign(&state.signing_keys(at(50)).unwrap(), RECEIPT, b"{}", at(49)).unwrap_err();
        assert!(matches!(error, SignError::NoActiveKey { .. }));
    }

    #[test]
    fn files_that_are_not_what_they_must_be_are_named() {
        let (_temporary, state) = state();
        state.ensure_signing_keys(&OsEntropy, at(0)).unwrap();
        let paths: Vec<_> =
            state.key_set().unwrap().keys().iter().map(|key| state.signing_key_path(key.id())).collect();
        fs::copy(&paths[1], &paths[0]).unwrap();
        assert!(matches!(state.signing_keys(at(0)), Err(StateDirError::Malformed { path, .. }) if path == paths[0]));
        fs::write(state.key_set_path(), b"{}").unwrap();
        assert!(matches!(state.key_set(), Err(StateDirError::Malformed { path, .. }) if path == state.key_set_path()));
    }
}
