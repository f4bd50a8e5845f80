//! `backup`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use approval_core::state_dir::{StateDir, StateDirError};
use clap::Args;

use crate::State;
use crate::installation::{Failure, Installation};

/// Copy the installation, as it is at one moment, to a new directory that is its owner's alone. Servers may run meanwhile.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    state: State,
    /// The directory to make.
    to: PathBuf,
    /// Copy the keys too. Whoever has them and the store can read every plan and secret in it, and forge approvals.
    #[arg(long)]
    with_keys: bool,
}

pub fn run(args: &BackupArgs) -> Result<ExitCode, Failure> {
    let installation = Installation::open(&args.state)?;
    let failed = |error: io::Error| StateDirError::File { path: args.to.clone(), error };
    if args.to.try_exists().map_err(failed)? {
        return Err(failed(io::ErrorKind::AlreadyExists.into()).into());
    }
    let parent = match args.to.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Whole, or not there.
    let mut unnamed = tempfile::Builder::new();
    #[cfg(unix)]
    unnamed.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let unnamed = unnamed.prefix(".backup-").tempdir_in(parent).map_err(failed)?;
    let copy = StateDir::create(unnamed.path())?;
    installation.store.backup(copy.store())?;
    // After the store, so that the anchor knows all that the store's copy knows.
    installation.state.copy_to(&copy, args.with_keys)?;
    fs::rename(unnamed.path(), &args.to).map_err(failed)?;
    let _ = unnamed.keep();
    writeln!(
        io::stdout(),
        "copied the installation to `{}`{}",
        args.to.display(),
        match args.with_keys {
            true => ", keys included: keep it where nobody else can read it",
            false => ", without its keys: keep those elsewhere",
        }
    )?;
    Ok(ExitCode::SUCCESS)
}
