//! One installation of the server, its persons, and the notes that it writes.

use anyhow::{Context as _, Result};
use approval_core::record::Isolation;
use approval_core::{Entropy as _, OsEntropy, Person};
use approval_web::{NewAccount, TokenFile};
use reference_target::{Control, Installation, Settings};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::answer::members;
use crate::instruments::accounts;
use crate::notes::NotesService;
use crate::ports;
use crate::server::{Program, Server};

/// The policy that is installed.
const POLICY: &str = include_str!("../../../policy.toml");

/// The group from which approvers come.
const EDITORS: &str = "editors";

/// Everybody, and whether they are editors.
const PERSONS: [(&str, bool); 5] =
    [("alice", false), ("bob", false), ("carol", true), ("dave", true), ("mallory", false)];

/// Who may neither ask nor decide.
const STRANGER: &str = "mallory";

/// A freshly installed server, and what is around it.
pub(crate) struct World {
    pub(crate) notes: NotesService,
    pub(crate) server: Mutex<Server>,
    pub(crate) control: Control,
    /// By how many seconds its clock is on.
    pub(crate) clock: Mutex<u64>,
    start: Map<String, Value>,
    root: TempDir,
}

impl World {
    /// Installs a server, and starts it.
    pub(crate) async fn new(program: &Program, stdio: bool) -> Result<Self> {
        let (notes, root) = (NotesService::start().await?, tempfile::Builder::new().prefix("reference-").tempdir()?);
        let (http, pages) = (ports::free()?, ports::free()?);
        let settings = Settings {
            notes: notes.url().to_owned(),
            http,
            // What an operator of a server for others would say. It is tried as one, whatever user runs it here.
            isolation: Isolation::Separate,
            anchor: true,
            descriptions: Default::default(),
            more: None,
        };
        let installation = Installation::begin(&root.path().join("state"), &settings, POLICY, &pages.to_string())?;
        let mut server = Server::new(program, installation.state.root(), stdio);
        let accounts = open_accounts(&installation)?;
        let mut start = members([("accounts", accounts)]);
        if stdio {
            start.insert("command".to_owned(), json!(server.command()));
        } else {
            start.insert("tokens".to_owned(), issue_tokens(&installation)?);
            start.insert("url".to_owned(), format!("http://{http}/mcp").into());
        }
        server.start().await?;
        let (server, control) = (Mutex::new(server), installation.control());
        Ok(Self { notes, server, control, clock: Mutex::new(0), start, root })
    }

    /// What the harness has to know of it.
    pub(crate) fn start(&self) -> Map<String, Value> {
        self.start.clone()
    }

    /// The installation's directory.
    pub(crate) fn state(&self) -> std::path::PathBuf {
        self.root.path().join("state")
    }

    /// Where the store is kept a copy of.
    pub(crate) fn kept(&self) -> std::path::PathBuf {
        self.root.path().join("kept.sqlite3")
    }

    /// Ends the server, as an operator does, and starts it again.
    pub(crate) async fn restart(&self) -> Result<()> {
        let mut server = self.server.lock().await;
        server.end().await?;
        server.start().await
    }

    /// Whether the harness starts the server's processes.
    pub(crate) fn is_stdio(&self) -> bool {
        self.start.contains_key("command")
    }
}

/// An account for everybody, with a password of its own.
fn open_accounts(installation: &Installation) -> Result<Value> {
    let (accounts, mut known) = (installation.accounts(), Map::new());
    for (name, is_editor) in PERSONS {
        let groups = is_editor.then(|| EDITORS.into()).into_iter().collect();
        let password = password()?;
        accounts.add(&NewAccount { name: name.to_owned(), person: Person::new(name), groups }, &password)?;
        known.insert(name.to_owned(), json!({ "account": name, "password": password }));
    }
    for right in ["may-request", "may-approve"] {
        accounts::set(&installation.state.accounts(), STRANGER, right, false)?;
    }
    Ok(known.into())
}

/// A bearer token for whoever acts for each of them.
fn issue_tokens(installation: &Installation) -> Result<Value> {
    let tokens = TokenFile::open(installation.state.tokens(), installation.clock());
    let issue = |(name, _): (&str, _)| {
        let token = tokens.issue(&Person::new(name), None).context("a token")?;
        Ok((name.to_owned(), Value::from(token)))
    };
    Ok(PERSONS.into_iter().map(issue).collect::<Result<Map<_, _>>>()?.into())
}

/// A password that nobody guesses.
pub(crate) fn password() -> Result<String> {
    let mut random = [0; 16];
    OsEntropy.fill(&mut random)?;
    Ok(hex::encode(random))
}
