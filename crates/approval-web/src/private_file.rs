//! A configuration file that only its owner may read, and that is never seen half written.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use approval_core::{Entropy as _, OsEntropy};

/// What is wrong with a file of accounts, tokens or providers, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`{}: {fault}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct FileError {
    path: PathBuf,
    line: Option<usize>,
    fault: FileFault,
}

impl FileError {
    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &FileFault {
        &self.fault
    }

    /// The line, counted from 1, where the fault has one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// What can be wrong with a file of accounts, tokens or providers. No message repeats a password or a token's hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// Two entries have the same name.
    #[error("`{0}` is there twice")]
    Duplicate(String),
    /// It can't be read or written.
    #[error("{0}")]
    Io(String),
    /// It isn't what it should be.
    #[error("{0}")]
    Malformed(String),
    /// Others than the owner may read or write it.
    #[error("others than its owner may read or write it (mode {0:03o}): run chmod 600")]
    NotOwnerOnly(u32),
}

/// A file that only its owner may read. Changes are made under a lock, to a copy that replaces the file at once.
#[derive(Clone, Debug)]
pub(crate) struct PrivateFile {
    path: PathBuf,
}

impl PrivateFile {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The whole content; nothing where there is no such file.
    ///
    /// Read on each use: the files are small, and a change must count from the next request on. Blocking.
    pub(crate) fn read(&self) -> Result<String, FileError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(self.io(&error)),
        };
        let metadata = file.metadata().map_err(|error| self.io(&error))?;
        self.check_mode(&metadata)?;
        // Its length is asked for once, and is no more than a guess: a pipe has none, and a file may have grown. A file that is read by
        // itself would ask again.
        let mut text = String::with_capacity(usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1));
        file.take(u64::MAX).read_to_string(&mut text).map_err(|error| self.io(&error))?;
        Ok(text)
    }

    /// As [`Self::read`], where there must be a file.
    pub(crate) fn read_there(&self) -> Result<String, FileError> {
        match self.read()? {
            text if text.is_empty() => Err(self.fault(None, FileFault::Io("it is not there, or empty".to_owned()))),
            text => Ok(text),
        }
    }

    /// Another file, named from the folder of this one.
    pub(crate) fn sibling(&self, path: &Path) -> Self {
        Self::new(self.path.parent().unwrap_or(Path::new("")).join(path))
    }

    /// Replaces the content by what `change` makes of it, while no other process does the same.
    pub(crate) fn edit<T, E: From<FileError>>(
        &self,
        change: impl FnOnce(&str) -> Result<(String, T), E>,
    ) -> Result<T, E> {
        let lock = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(self.beside("lock"))
            .map_err(|error| self.io(&error))?;
        // Released when the file is closed, also by the end of the process.
        lock.lock().map_err(|error| self.io(&error))?;
        let (text, made) = change(&self.read()?)?;
        self.replace(&text).map_err(|error| self.io(&error))?;
        Ok(made)
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let mut random = [0; 8];
        OsEntropy.fill(&mut random).map_err(io::Error::other)?;
        let copy = self.beside(&hex::encode(random));
        let written = private(OpenOptions::new().create_new(true).write(true)).open(&copy).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&copy, &self.path)
        });
        if written.is_err() {
            // Best effort: the copy may not even be there.
            let _ = fs::remove_file(&copy);
        }
        written?;
        match self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(suffix);
        self.path.with_file_name(name)
    }

    #[cfg(unix)]
    /// [SEC-001]
    fn check_mode(&self, metadata: &Metadata) -> Result<(), FileError> {
        use std::os::unix::fs::MetadataExt as _;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 == 0 { Ok(()) } else { Err(self.fault(None, FileFault::NotOwnerOnly(mode))) }
    }

    #[cfg(not(unix))]
    fn check_mode(&self, _: &Metadata) -> Result<(), FileError> {
        Ok(())
    }

    fn io(&self, error: &io::Error) -> FileError {
        self.fault(None, FileFault::Io(error.to_string()))
    }

    pub(crate) fn fault(&self, line: Option<usize>, fault: FileFault) -> FileError {
        FileError { path: self.path.clone(), line, fault }
    }

    /// A fault at a byte offset of the text.
    pub(crate) fn fault_at(&self, text: &str, offset: usize, fault: FileFault) -> FileError {
        let before = text.as_bytes().get(..offset).unwrap_or_default();
        self.fault(Some(1 + before.iter().filter(|byte| **byte == b'\n').count()), fault)
    }

    /// The parser's complaint, without the line that it quotes: the line may hold a hash.
    pub(crate) fn malformed(&self, text: &str, error: &toml::de::Error) -> FileError {
        let fault = FileFault::Malformed(error.message().to_owned());
        match error.span() {
            Some(span) => self.fault_at(text, span.start, fault),
            None => self.fault(None, fault),
        }
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_without_a_length_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
        let writer = std::thread::spawn({
            let path = path.clone();
            move || fs::write(path, "as long as it is")
        });
        assert_eq!(PrivateFile::new(path).read().unwrap(), "as long as it is");
        writer.join().unwrap().unwrap();
    }
}
