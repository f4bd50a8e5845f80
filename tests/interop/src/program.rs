//! A program beside the tests that speaks in lines of JSON. It ends with its input, which closes whatever becomes of us.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long it may be silent when it is asked: longer than any wait of the profile's tools.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(20);

/// A running program. Its standard error is ours.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child =
            command.spawn().with_context(|| format!("starting `{}`", command.as_std().get_program().display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("no pipes to the program");
        };
        Ok(Self { child, input, lines: BufReader::new(output).lines() })
    }

    /// Says something.
    pub(crate) async fn say(&mut self, message: &Value) -> Result<()> {
        self.input.write_all(format!("{message}\n").as_bytes()).await?;
        Ok(self.input.flush().await?)
    }

    /// Waits for what it says.
    pub(crate) async fn hear(&mut self) -> Result<Value> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.context("it says nothing")??;
        let line = line.context("it has ended")?;
        serde_json::from_str(&line).with_context(|| format!("`{line}` is no JSON"))
    }

    /// Closes its input, and waits until it has ended well.
    pub(crate) async fn end(self) -> Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        // What doesn't end by then is killed as `child` is dropped.
        let status = timeout(GRACE, child.wait()).await.context("it doesn't end with its input")??;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}
