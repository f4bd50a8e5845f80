//! Which processes of an installation run, known by files that each of them holds locked: the lock is gone when the process is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A running process, as long as this is held.
#[derive(Debug)]
pub struct Presence {
    path: PathBuf,
    _lock: File,
}

impl Presence {
    /// Makes this process known in `directory`.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn announce(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(std::process::id().to_string());
        let lock = open(&path)?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Whoever is killed leaves the file, and not the lock.
        let _ = fs::remove_file(&self.path);
    }
}

/// The processes of an installation.
#[derive(Clone, Debug)]
pub struct Processes(PathBuf);

/// One of them.
#[derive(Debug)]
pub struct Process {
    /// Its id.
    pub id: i32,
    path: PathBuf,
}

impl Processes {
    /// Those that are known in `directory`.
    pub fn known_in(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Those that run now.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn running(&self) -> io::Result<Vec<Process>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut running = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let id = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            let Some(id) = id else { continue };
            if open(&path)?.try_lock().is_ok() {
                let _ = fs::remove_file(&path);
            } else {
                running.push(Process { id, path });
            }
        }
        Ok(running)
    }
}

impl Process {
    /// Returns once the process is gone. Blocking.
    ///
    /// # Errors
    /// When that can't be told.
    pub fn wait(&self) -> io::Result<()> {
        match File::open(&self.path) {
            Ok(file) => file.lock(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}
