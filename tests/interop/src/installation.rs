//! An installation of its own for each part: keys, plans, an account, a token, and the notes that the server writes.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use approval_core::state_dir::StateDir;
use approval_core::{OsEntropy, Person, SystemClock};
use approval_web::{Accounts, NewAccount, TokenFile};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::program::Program;

/// Who the agent acts for, and who decides.
pub(crate) const PERSON: &str = "alice";
pub(crate) const PASSWORD: &str = "a password for the test alone";

/// The file that the effects are in, one line for each.
pub(crate) const NOTES: &str = "notes.txt";

/// The directory, until it is dropped.
#[derive(Debug)]
pub(crate) struct Installation {
    folder: TempDir,
    state: StateDir,
}

/// The server over streamable HTTP, until it is dropped.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) token: String,
    program: Program,
}

impl Installation {
    pub(crate) fn create() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let state = StateDir::create(folder.path().join("state"))?;
        state.ensure_key(&OsEntropy)?;
        fs::create_dir(folder.path().join("notes"))?;
        fs::create_dir(folder.path().join("home"))?;
        let account = NewAccount { name: PERSON.to_owned(), person: Person::new(PERSON), groups: Default::default() };
        Accounts::open(state.accounts()).add(&account, PASSWORD)?;
        Ok(Self { folder, state })
    }

    /// An empty directory that a program may take for its user's own.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// What was written, one entry for each effect; nothing while there is no file.
    pub(crate) fn effects(&self) -> Result<Vec<String>> {
        match fs::read_to_string(self.folder.path().join("notes").join(NOTES)) {
            Ok(text) => Ok(text.lines().map(ToOwned::to_owned).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of all files beside the notes.
    pub(crate) fn files(&self) -> Result<Vec<OsString>> {
        let listed = fs::read_dir(self.folder.path().join("notes"))?;
        Ok(listed.map(|file| file.map(|file| file.file_name())).collect::<io::Result<_>>()?)
    }

    /// The origin of the pages, as it is configured: no client is asked for it.
    pub(crate) fn surface(&self) -> Result<String> {
        let surface = self.state.instance(&OsEntropy)?.surface;
        Ok(format!("http://{}", surface.context("no server of the installation was ever started")?))
    }

    /// The command line of the server, for a client that starts it.
    pub(crate) fn server(&self, more: &[&str]) -> Result<(String, Vec<String>)> {
        let text = |path: PathBuf| path.into_os_string().into_string();
        let (Ok(program), Ok(state), Ok(notes)) = (
            text(std::env::current_exe()?),
            text(self.state.root().to_owned()),
            text(self.folder.path().join("notes")),
        ) else {
            bail!("a path is no text");
        };
        let mut line = vec!["serve".to_owned(), "--state".to_owned(), state, "--notes".to_owned(), notes];
        line.extend(more.iter().copied().map(ToOwned::to_owned));
        Ok((program, line))
    }

    /// Starts the server over streamable HTTP, and issues a token for an agent.
    pub(crate) async fn endpoint(&self, more: &[&str]) -> Result<Endpoint> {
        let (program, line) = self.server(&[&["--http"], more].concat())?;
        let mut command = Command::new(program);
        command.args(line);
        let mut program = Program::start(command)?;
        let told = program.hear().await?;
        let url = told.get("mcp").and_then(Value::as_str).context("the server doesn't say where it is")?.to_owned();
        let token = TokenFile::open(self.state.tokens(), Arc::new(SystemClock)).issue(&Person::new(PERSON), None)?;
        Ok(Endpoint { url, token, program })
    }
}

impl Endpoint {
    /// What a client is told to connect.
    pub(crate) fn told(&self) -> Value {
        json!({ "url": self.url, "token": self.token })
    }

    /// Ends it, which must go well.
    pub(crate) async fn end(self) -> Result<()> {
        self.program.end().await
    }
}
