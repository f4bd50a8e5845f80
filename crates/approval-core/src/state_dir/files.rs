//! Files that only their owner can read, and that are never half-written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::StateDirError;
use crate::json::{Document, Limits};

pub(crate) fn create_dir(path: &Path) -> Result<(), StateDirError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| StateDirError::File { path: path.to_owned(), error })?;
    check_owner_only(path)
}

/// Nobody but the owner may read or write the file or directory. [SEC-001]
pub(crate) fn check_owner_only(path: &Path) -> Result<(), StateDirError> {
    let metadata = fs::metadata(path).map_err(|error| StateDirError::File { path: path.to_owned(), error })?;
    if is_owner_only(&metadata) { Ok(()) } else { Err(StateDirError::Exposed { path: path.to_owned() }) }
}

#[cfg(unix)]
pub(crate) fn is_owner_only(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 == 0
}

/// Other systems have no permission bits; there the directory's access list is what counts.
#[cfg(not(unix))]
pub(crate) fn is_owner_only(_: &fs::Metadata) -> bool {
    true
}

pub(crate) fn open_owner_only(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads a file; `None` where there is none.
pub(crate) fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, StateDirError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateDirError::File { path: path.to_owned(), error }),
    };
    check_owner_only(path)?;
    Ok(Some(bytes))
}

/// Reads a key: 32 bytes in base64url.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, StateDirError> {
    let text = read_bytes(path)?.map(Zeroizing::new);
    let text = text.ok_or_else(|| StateDirError::MissingKey { path: path.to_owned() })?;
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_ascii_end()).map(Zeroizing::new);
    let bytes = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Zeroizing::new);
    bytes.ok_or_else(|| StateDirError::malformed(path, "not a key: 32 bytes in base64url are expected"))
}

/// Writes a key.
pub(crate) fn write_key(path: &Path, key: &[u8; 32]) -> Result<(), StateDirError> {
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(key));
    write_bytes(path, text.as_bytes()).map_err(|error| StateDirError::File { path: path.to_owned(), error })
}

/// Reads a strict JSON document; `None` where there is no file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateDirError> {
    let Some(bytes) = read_bytes(path)? else { return Ok(None) };
    let document =
        Document::parse(&bytes, &Limits::ARGUMENTS).map_err(|error| StateDirError::inadmissible(path, &error))?;
    document.read().map(Some).map_err(|error| StateDirError::unreadable(path, &error))
}

/// Writes a document in place of what was there: the whole of it, or nothing.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), StateDirError> {
    let document = Document::from_serialize(value, &Limits::ARGUMENTS)
        .map_err(|error| StateDirError::inadmissible(path, &error))?;
    write_bytes(path, document.as_bytes()).map_err(|error| StateDirError::File { path: path.to_owned(), error })
}

/// Writes a file beside its place, makes it durable, and moves it there.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let mut file = open_owner_only(&beside)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
