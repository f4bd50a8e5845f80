//! A gated server in a process of its own: this program again.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use approval_core::Requester;
use approval_core::record::RequesterAssurance;
use approval_rmcp::{ConfiguredRequester, Gated, GatedTool, VerifiedRequester, streamable_http};
use approval_web::{BearerError, BearerGuard, BearerVerifier, Verified};
use async_trait::async_trait;
use axum::Router;
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::handlers::{NotePlanner, Notes, WRITE};
use super::installation::Installation;
use super::wire::Wire;

/// Where its state is kept, and how it is spoken to.
#[derive(Debug, clap::Args)]
pub(crate) struct Served {
    state: PathBuf,
    /// Over streamable HTTP at an address that is told on standard output, not over standard input and output
    #[arg(long)]
    http: bool,
}

/// Serves until the other side goes.
pub(crate) async fn serve(served: &Served) -> Result<()> {
    let installation = Installation::open(&served.state).await?;
    let gate =
        Gated::builder(Notes, installation.approvals.clone()).tool(WRITE, GatedTool::planned_by(Arc::new(NotePlanner)));
    if !served.http {
        let gated = gate.requester(ConfiguredRequester::new(installation.identity(0)?)).build()?;
        gated.serve(stdio()).await?.waiting().await?;
        return Ok(());
    }
    let gated = Arc::new(gate.requester(VerifiedRequester).build()?);
    let mcp = Router::new().route_service("/mcp", streamable_http(gated, [""; 0], [""; 0]));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
    let guard = BearerGuard::new(Arc::new(Numbers { installation }));
    axum::serve(listener, guard.protect(mcp)).await?;
    Ok(())
}

/// A server as its clients see it. It ends with this value.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
}

impl Started {
    /// Over standard input and output, with a client that has introduced itself.
    pub(crate) async fn on_stdio(state: &Path) -> Result<(Self, Wire<ChildStdout, ChildStdin>)> {
        let mut child = command(state)?.stdin(Stdio::piped()).spawn()?;
        let (output, input) = (child.stdout.take(), child.stdin.take());
        let wire = Wire::open(output.context("no output")?, input.context("no input")?).await?;
        Ok((Self { child }, wire))
    }

    /// Over streamable HTTP, and its URL.
    pub(crate) async fn on_http(state: &Path) -> Result<(Self, String)> {
        let mut child = command(state)?.arg("--http").stdin(Stdio::null()).spawn()?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut url).await?;
        Ok((Self { child }, url.trim_end().to_owned()))
    }

    /// The resident memory of the process, in KiB: on Linux only.
    pub(crate) fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim_end().parse().ok()
    }
}

fn command(state: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("mcp-server").arg(state).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// The token of a person is their number. A table in memory, so that what is measured is no file of tokens.
struct Numbers {
    installation: Installation,
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Numbers")
    }
}

#[async_trait]
impl BearerVerifier for Numbers {
    async fn verify(&self, token: &str) -> Result<Verified, BearerError> {
        let Ok(number) = token.parse() else { return Ok(Verified::Nobody) };
        let identity = self.installation.identity(number).map_err(|error| BearerError(error.to_string()))?;
        Ok(Verified::For(Requester { identity, assurance: RequesterAssurance::VerifiedToken }))
    }
}
