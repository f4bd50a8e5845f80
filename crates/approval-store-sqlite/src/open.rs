//! Making and opening the file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::schema;

/// How many prepared statements are kept: more than there are.
const STATEMENTS: usize = 64;

/// Two connections to one file: one to write, one to read beside it.
pub(crate) struct Connections {
    /// Where the file is, whatever the working directory.
    pub(crate) path: PathBuf,
    pub(crate) writer: Connection,
    pub(crate) reader: Connection,
}

/// Opens a database, which is made if it isn't there.
///
/// The file is never opened but through SQLite: closing it would drop the locks that SQLite holds on it in this process.
pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Connections, OpenError> {
    let failed = |error: io::Error| OpenError::of_file(path, &error);
    if !path.try_exists().map_err(failed)? {
        create(path, busy_timeout)?;
    }
    // An absolute path is a path: SQLite would read a meaning into `:memory:` and `file:…`.
    let path = path.canonicalize().map_err(failed)?;
    if !path.is_file() {
        return Err(OpenError::Unwritable { path, detail: "not a file".to_owned() });
    }
    is_owner_only(&path)?;
    let mut writer = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, busy_timeout)?;
    prepare(&mut writer, &path)?;
    let reader = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy_timeout)?;
    Ok(Connections { path, writer, reader })
}

/// The directory that a file is in, or is to be made in.
pub(crate) fn directory_of(path: &Path) -> io::Result<PathBuf> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
    .canonicalize()
}

/// Makes the database under another name and then gives it its own, so that no other process ever sees half of it, nor one
/// that isn't owner-only.
fn create(path: &Path, busy_timeout: Duration) -> Result<(), OpenError> {
    let failed = |error: io::Error| OpenError::of_file(path, &error);
    let directory = directory_of(path).map_err(failed)?;
    // Owner-only from the first moment on; SQLite gives the log the permissions of the database.
    let unnamed = tempfile::Builder::new().prefix(".store-").suffix(".new").tempfile_in(directory);
    let unnamed = unnamed.map_err(failed)?.into_temp_path();
    let mut connection = connect(&unnamed, OpenFlags::SQLITE_OPEN_READ_WRITE, busy_timeout)?;
    prepare(&mut connection, path)?;
    connection.close().map_err(|(_, error)| OpenError::of_sqlite(path, &error))?;
    match unnamed.persist_noclobber(path) {
        Ok(()) => Ok(()),
        // Another process was faster: theirs is the database.
        Err(lost) if lost.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(lost) => Err(failed(lost.error)),
    }
}

/// Looks whose it is before anything is changed.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    schema::identify(connection, path)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|error| OpenError::of_sqlite(path, &error))?;
    if mode != "wal" {
        let detail = format!("its file system has no write-ahead log, only `{mode}`");
        return Err(OpenError::Unusable { path: path.to_owned(), detail });
    }
    schema::prepare(connection, path)
}

pub(crate) fn connect(path: &Path, access: OpenFlags, busy_timeout: Duration) -> Result<Connection, OpenError> {
    // Each connection is behind a lock: one thread at a time has it.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = connection.map_err(|error| OpenError::of_sqlite(path, &error))?;
    // Where it may not write, SQLite opens a file to read, and says nothing.
    if access.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) && connection.is_readonly("main").unwrap_or(true) {
        return Err(OpenError::Unwritable { path: path.to_owned(), detail: "the file is read-only".to_owned() });
    }
    let configure = || {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.busy_timeout(busy_timeout)?;
        // Whoever can write the file can put triggers and views into it: they don't run.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        // A commit is on the disk before it returns. [STORE-001]
        connection.pragma_update(None, "synchronous", "FULL")?;
        // On macOS a plain sync leaves it in the disk's own memory. Elsewhere these do nothing.
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        // What it keeps for a moment doesn't go to other directories.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // Erased secrets are overwritten, not merely unlinked.
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(())
    };
    configure().map_err(|error: rusqlite::Error| OpenError::of_sqlite(path, &error))?;
    Ok(connection)
}

/// The database and what lies beside it are the owner's alone.
#[cfg(unix)]
fn is_owner_only(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt as _;
    for path in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm"), beside(path, "-journal")] {
        let mode = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.permissions().mode() & 0o777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(OpenError::of_file(&path, &error)),
        };
        if mode & 0o077 != 0 {
            return Err(OpenError::Exposed { path, mode });
        }
    }
    Ok(())
}

/// Other systems have no permission bits; there the directory's access list is what counts.
#[cfg(not(unix))]
fn is_owner_only(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

#[cfg(unix)]
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
