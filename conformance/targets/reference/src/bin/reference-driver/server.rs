//! The server's processes: started, ended, killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reference_target::Processes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(30);

/// How long a server that was told to end may wait for what it executes.
const END: Duration = Duration::from_secs(5);

/// What is started as the server.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Those that stand before all others.
    pub(crate) arguments: Vec<String>,
}

impl Program {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments);
        command
    }
}

/// The server of one installation.
#[derive(Debug)]
pub(crate) struct Server {
    program: Program,
    state: PathBuf,
    /// Over stdio the harness starts the processes, and there may be several.
    stdio: bool,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn new(program: &Program, state: &Path, stdio: bool) -> Self {
        Self { program: program.clone(), state: state.to_owned(), stdio, child: None }
    }

    /// What the harness starts for MCP over stdio.
    pub(crate) fn command(&self) -> Vec<String> {
        let (program, state) = (self.program.path.display().to_string(), self.state.display().to_string());
        let words = ["serve", "--state", &state, "--stdio", "--person", "{{person}}"];
        std::iter::once(program).chain(self.program.arguments.clone()).chain(words.map(str::to_owned)).collect()
    }

    /// Starts the server, where that is the driver's to do, and returns once it answers.
    pub(crate) async fn start(&mut self) -> Result<()> {
        if self.stdio {
            return Ok(());
        }
        let mut command = self.program.command();
        // However this driver ends, the server does then: its input is closed.
        command.args(["serve", "--until-input-ends", "--state"]).arg(&self.state);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("`{}`", self.program.path.display()))?;
        let out = child.stdout.take().context("the server has no standard output")?;
        let mut lines = BufReader::new(out).lines();
        let ready = timeout(START, lines.next_line()).await.context("the server doesn't start")??;
        self.child = Some(child);
        match ready.as_deref() {
            Some("ready") => Ok(()),
            other => bail!("the server didn't start: it said {other:?}"),
        }
    }

    /// Ends all processes as an operator does. What is executed is waited for, but not for ever.
    pub(crate) async fn end(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        if timeout(END, self.gone()).await.is_err() {
            self.signal(Signal::KILL)?;
        }
        self.gone().await
    }

    /// Kills all processes at once.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.gone().await
    }

    /// Does what an operator does, by the server's own program; what it said.
    pub(crate) async fn operate(&self, words: &[&str], input: &str) -> Result<Vec<u8>> {
        let mut command = self.program.command();
        command.arg("operator").args(words).arg("--state").arg(&self.state).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("`{}`", self.program.path.display()))?;
        let mut stdin = child.stdin.take().context("the operator's program has no standard input")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            bail!("`operator {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    }

    fn processes(&self) -> Processes {
        Processes::known_in(self.state.join("processes"))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        for process in self.processes().running()? {
            signal_to(process.id, signal)?;
        }
        Ok(())
    }

    /// Returns once no process is left.
    async fn gone(&mut self) -> Result<()> {
        let processes = self.processes();
        let waited = spawn_blocking(move || processes.running()?.iter().try_for_each(reference_target::Process::wait));
        waited.await??;
        if let Some(child) = &mut self.child {
            child.wait().await?;
        }
        self.child = None;
        Ok(())
    }
}

/// Sends a signal to a process, which may have gone already.
pub(crate) fn signal_to(process: i32, signal: Signal) -> Result<()> {
    let process = Pid::from_raw(process).context("no process has that id")?;
    match kill_process(process, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        sent => Ok(sent?),
    }
}
