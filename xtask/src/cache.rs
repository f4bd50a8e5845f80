//! What outlives one clone when `CI` is set: build directories and tools, kept under the user's cache directory, each in a
//! directory of its own, and pruned oldest first above a limit. `.ci/run` points cargo at the build directory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

/// More than this, in bytes, is not kept.
const LIMIT: u64 = 20 << 30;

/// Touched whenever an entry is used, so that the oldest can be told.
const STAMP: &str = ".last-used";

/// The shared cache, held open so that nobody prunes it meanwhile; or nothing, outside CI.
pub(crate) struct Cache(Option<Held>);

struct Held {
    directory: PathBuf,
    lock: File,
}

impl Cache {
    pub(crate) fn open() -> Result<Self> {
        if std::env::var_os("CI").is_none() {
            return Ok(Self(None));
        }
        let directory = shared_directory()?;
        fs::create_dir_all(&directory).with_context(|| format!("creating `{}`", directory.display()))?;
        let lock = File::create(directory.join("lock"))?;
        lock.lock_shared()?;
        if let Some(target) = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from)
            && target.parent() == Some(&directory)
        {
            stamp(&target)?;
        }
        Ok(Self(Some(Held { directory, lock })))
    }

    /// Removes the oldest entries until the rest is within the limit. Does nothing while another run uses the cache.
    pub(crate) fn prune(&self) -> Result<()> {
        let Some(Held { directory, lock }) = &self.0 else {
            return Ok(());
        };
        // A lock that is held shared can't be raised: let go of it first.
        lock.unlock()?;
        if lock.try_lock().is_ok() {
            for removed in prune(directory, LIMIT)? {
                println!("pruned {}", removed.display());
            }
            lock.unlock()?;
        }
        Ok(lock.lock_shared()?)
    }
}

/// Where tools are kept: shared when `CI` is set, otherwise below the build directory.
pub(crate) fn tool_directory(target: &Path) -> Result<PathBuf> {
    if std::env::var_os("CI").is_some() { shared_directory() } else { Ok(target.join("xtask")) }
}

/// Marks an entry as used now.
pub(crate) fn stamp(entry: &Path) -> Result<()> {
    fs::create_dir_all(entry)?;
    File::create(entry.join(STAMP)).with_context(|| format!("marking `{}` as used", entry.display()))?;
    Ok(())
}

fn shared_directory() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache")
        }
    };
    Ok(base.join("mutation-approval"))
}

struct Entry {
    path: PathBuf,
    used: SystemTime,
    size: u64,
}

fn prune(directory: &Path, limit: u64) -> Result<Vec<PathBuf>> {
    let mut entries = entries(directory)?;
    entries.sort_by_key(|entry| entry.used);
    let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
    let mut removed = Vec::new();
    for entry in entries {
        if total <= limit {
            break;
        }
        fs::remove_dir_all(&entry.path).with_context(|| format!("pruning `{}`", entry.path.display()))?;
        total = total.saturating_sub(entry.size);
        removed.push(entry.path);
    }
    Ok(removed)
}

fn entries(directory: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            let used = fs::metadata(path.join(STAMP)).or_else(|_| fs::metadata(&path))?.modified()?;
            let size = size(&path, &mut BTreeSet::new())?;
            entries.push(Entry { path, used, size });
        }
    }
    Ok(entries)
}

/// Bytes on disk. Cargo links its products to a second name, so a file counts once however many names it has.
fn size(directory: &Path, seen: &mut BTreeSet<(u64, u64)>) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            total += size(&entry.path(), seen)?;
        } else if metadata.nlink() < 2 || seen.insert((metadata.dev(), metadata.ino())) {
            total += metadata.blocks() * 512;
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// An entry of 64 KiB that was last used so many seconds after the epoch.
    fn entry(directory: &Path, name: &str, used: u64) -> PathBuf {
        let path = directory.join(name);
        fs::create_dir_all(path.join("deps")).unwrap();
        fs::write(path.join("deps/file"), vec![1; 64 << 10]).unwrap();
        stamp(&path).unwrap();
        let stamp = File::options().write(true).open(path.join(STAMP)).unwrap();
        stamp.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(used)).unwrap();
        path
    }

    #[test]
    fn nothing_goes_within_the_limit() {
        let cache = tempfile::tempdir().unwrap();
        let kept = entry(cache.path(), "target-1", 1);
        assert_eq!(prune(cache.path(), 1 << 20).unwrap(), Vec::<PathBuf>::new());
        assert!(kept.exists());
    }

    #[test]
    fn the_oldest_goes_first_and_no_more_than_must() {
        let cache = tempfile::tempdir().unwrap();
        let newer = entry(cache.path(), "a-newer", 20);
        let older = entry(cache.path(), "b-older", 10);
        assert_eq!(prune(cache.path(), 100 << 10).unwrap(), std::slice::from_ref(&older));
        assert!(!older.exists());
        assert!(newer.exists());
    }

    #[test]
    fn one_entry_over_the_limit_goes_whole() {
        let cache = tempfile::tempdir().unwrap();
        let only = entry(cache.path(), "target-1", 1);
        assert_eq!(prune(cache.path(), 10 << 10).unwrap(), [only]);
    }

    #[test]
    fn two_names_of_one_file_count_once() {
        let cache = tempfile::tempdir().unwrap();
        let path = entry(cache.path(), "target-1", 1);
        let before = size(&path, &mut BTreeSet::new()).unwrap();
        fs::hard_link(path.join("deps/file"), path.join("product")).unwrap();
        let after = size(&path, &mut BTreeSet::new()).unwrap();
        assert!(before >= 64 << 10, "{before}");
        assert!(after - before < 64 << 10, "{before} {after}");
    }
}
