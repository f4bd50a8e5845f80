//! What the demo plays in: a directory with a file, an installation, an account and a token, and the server as a child process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use approval_core::state_dir::StateDir;
use approval_core::{Entropy as _, OsEntropy, Person, SystemClock};
use approval_web::{Accounts, NewAccount, TokenFile};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::databases::FILE;
use crate::installation::Failure;

/// The name of the account, and of the person.
pub const ACCOUNT: &str = "you";

/// The demo's directories and credentials.
pub struct World {
    pub dir: PathBuf,
    pub state: StateDir,
    pub password: String,
    pub token: String,
    /// Where the server's logs go.
    pub log: PathBuf,
}

/// Where the server listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Addresses {
    /// The MCP endpoint.
    pub mcp: String,
    /// The approval surface.
    pub surface: String,
}

/// A running server. It ends with this process, or when it is killed.
pub struct Server {
    child: Child,
    pub addresses: Addresses,
}

impl World {
    /// Makes directories, keys, an account with a random password, and a token for the agent.
    pub fn make(dir: Option<PathBuf>, state: Option<PathBuf>) -> Result<Self, Failure> {
        let base = std::env::temp_dir().join(format!("mutation-approval-demo-{}", random_word()?));
        let dir = dir.unwrap_or_else(|| base.join("files"));
        fs::create_dir_all(&dir).map_err(|error| named(&dir, &error))?;
        let dir = dir.canonicalize().map_err(|error| named(&dir, &error))?;
        let state = state.unwrap_or_else(|| base.join("state"));
        let state = StateDir::create(state)?;
        state.ensure_key(&OsEntropy)?;
        let file = dir.join(FILE);
        if !file.exists() {
            let first = "{\n  \"orders\": {\n    \"password\": \"hunter2-orders\",\n    \"url\": \"postgres://db.internal/orders?sslmode=require\"\n  }\n}\n";
            fs::write(&file, first).map_err(|error| named(&file, &error))?;
        }
        let password = [random_word()?, random_word()?].join("-");
        let account =
            NewAccount { name: ACCOUNT.to_owned(), person: Person::from(ACCOUNT), groups: Default::default() };
        let accounts = Accounts::open(state.accounts());
        if accounts.find(ACCOUNT)?.is_some() {
            accounts.set_password(ACCOUNT, &password)?;
        } else {
            accounts.add(&account, &password)?;
        }
        let token = TokenFile::open(state.tokens(), Arc::new(SystemClock)).issue(&account.person, None)?;
        let log = state.root().join("server.log");
        Ok(Self { dir, state, password, token, log })
    }

    /// Starts the server, and waits until it says where it listens.
    pub async fn serve(&self, stall: bool) -> Result<Server, Failure> {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("demo-server").arg("--state-dir").arg(self.state.root()).arg("--dir").arg(&self.dir);
        if stall {
            command.arg("--stall");
        }
        command.env("RUST_LOG", "debug").kill_on_drop(true);
        // Its end of standard input closes with this process: then it ends too.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(log));
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::Demo("the server has no output".to_owned()))?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let addresses = line.and_then(|line| serde_json::from_str(&line).ok());
        match addresses {
            Some(addresses) => Ok(Server { child, addresses }),
            None => Err(Failure::Demo(format!("the server did not start: see `{}`", self.log.display()))),
        }
    }

    /// The file that the tool changes.
    pub fn file(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// The names of the databases in the file: each is one effect.
    pub fn databases(&self) -> Result<Vec<String>, Failure> {
        let bytes = fs::read(self.file())?;
        let databases: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&bytes).map_err(io::Error::from)?;
        Ok(databases.into_iter().map(|(name, _)| name).collect())
    }
}

impl Server {
    /// Ends the process at once, whatever it is doing (SIGKILL).
    pub async fn kill(mut self) -> Result<(), Failure> {
        self.child.kill().await?;
        Ok(())
    }

    /// Lets the process come to its end.
    pub async fn stop(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(Failure::Demo(format!("the server ended with {status}"))) }
    }
}

/// Twelve random letters and digits.
pub fn random_word() -> Result<String, Failure> {
    let mut random = [0; 12];
    OsEntropy.fill(&mut random).map_err(|error| Failure::Demo(error.to_string()))?;
    // Without what looks alike; a modulus of 32 divides 256.
    let letters: Vec<char> = "abcdefghijkmnpqrstuvwxyz23456789".chars().collect();
    Ok(random.iter().filter_map(|byte| letters.get(usize::from(byte % 32))).collect())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}
