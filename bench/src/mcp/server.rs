//! A gated server in a process of its own: this program again.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use approval_core::Requester;
use approval_core::record::{Identity, RequesterAssurance};
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
use super::person::{self, Person};
use super::wire::Wire;

/// Where its state is kept, and how it is spoken to.
#[derive(Debug, clap::Args)]
pub(crate) struct Served {
    state: PathBuf,
    /// Over streamable HTTP at an address that is told on standard output, not over standard input and output
    #[arg(long)]
    http: bool,
    /// Where decisions come from, which a person takes in this process
    #[arg(long, value_name = "ADDRESS")]
    person: Option<SocketAddr>,
}

/// Serves until the other side goes.
pub(crate) async fn serve(served: &Served) -> Result<()> {
    let installation = Installation::open(&served.state).await?;
    let gate =
        Gated::builder(Notes, installation.approvals.clone()).tool(WRITE, GatedTool::planned_by(Arc::new(NotePlanner)));
    if !served.http {
        let gated = gate.requester(ConfiguredRequester::new(installation.identity(0)?)).build()?;
        if let Some(there) = served.person {
            tokio::spawn(async move { person::seat(&installation, there).await });
        }
        gated.serve(stdio()).await?.waiting().await?;
        return Ok(());
    }
    let gated = Arc::new(gate.requester(VerifiedRequester).build()?);
    let mcp = Router::new().route_service("/mcp", streamable_http(gated, [""; 0], [""; 0]));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
    let guard = BearerGuard::new(Arc::new(Numbers(installation.identities())));
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
        Self::start(command(state)?).await
    }

    async fn start(mut command: Command) -> Result<(Self, Wire<ChildStdout, ChildStdin>)> {
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let (output, input) = (child.stdout.take(), child.stdin.take());
        let wire = Wire::open(output.context("no output")?, input.context("no input")?).await?;
        Ok((Self { child }, wire))
    }

    /// As [`on_stdio`](Self::on_stdio), with a person who decides.
    pub(crate) async fn with_person(state: &Path) -> Result<(Self, Wire<ChildStdout, ChildStdin>, Person)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut command = command(state)?;
        command.arg("--person").arg(listener.local_addr()?.to_string());
        let (mut server, wire) = Self::start(command).await?;
        tokio::select! {
            accepted = listener.accept() => Ok((server, wire, Person::new(accepted?.0))),
            ended = server.child.wait() => bail!("the server has ended: {}", ended?),
        }
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
#[derive(Debug)]
struct Numbers(Vec<Identity>);

#[async_trait]
impl BearerVerifier for Numbers {
    async fn verify(&self, token: &str) -> Result<Verified, BearerError> {
        let identity = token.parse().ok().and_then(|number: usize| self.0.get(number));
        Ok(identity.map_or(Verified::Nobody, |identity| {
            Verified::For(Requester { identity: identity.clone(), assurance: RequesterAssurance::VerifiedToken })
        }))
    }
}
