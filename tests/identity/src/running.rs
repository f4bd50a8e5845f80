//! A server beside the tests, in a process group of its own: it ends with them, however they end.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// How long the group may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(30);

/// How many of the last lines an error quotes.
const QUOTED: usize = 15;

/// Has a program end when our end of its standard input is closed, which also happens when we are killed.
const LEASH: &str = "exec 3<&0; (cat <&3 >/dev/null; kill -TERM 0) >/dev/null 2>&1 & exec 3<&-; \"$@\" </dev/null";

/// What it says, and the means to end it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Running {
    /// Starts a program that ends with its standard input.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        let (sender, lines) = channel();
        read(child.stdout.take(), sender.clone());
        read(child.stderr.take(), sender);
        let input = child.stdin.take();
        Ok(Self { child, input, lines, said: Vec::new() })
    }

    /// Starts a program that knows nothing of that.
    pub(crate) fn leash(command: &Command) -> Result<Self> {
        let mut leashed = Command::new("sh");
        leashed.args(["-c", LEASH, "sh"]).arg(command.get_program()).args(command.get_args());
        leashed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::start(leashed)
    }

    /// Waits until it says this, and gives what follows in that line. It may be silent for so long.
    pub(crate) fn says(&mut self, wanted: &str, silence: Duration) -> Result<String> {
        loop {
            match self.lines.recv_timeout(silence) {
                Ok(line) => {
                    let found = line.split_once(wanted).map(|(_, rest)| rest.to_owned());
                    self.said.push(line);
                    if let Some(rest) = found {
                        return Ok(rest);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("it doesn't say `{wanted}`; {}", self.last()),
                Err(RecvTimeoutError::Disconnected) => bail!("it has ended; {}", self.last()),
            }
        }
    }

    /// Tells it something.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        Ok(input.write_all(format!("{line}\n").as_bytes())?)
    }

    /// The last that it said.
    fn last(&self) -> String {
        let begin = self.said.len().saturating_sub(QUOTED);
        format!("it said last: {}", self.said.get(begin..).unwrap_or_default().join(" | "))
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        // The group may have ended already.
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        self.signal("-TERM");
        // Once nobody holds the pipes any more, all have ended.
        loop {
            match self.lines.recv_timeout(GRACE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.signal("-KILL");
                    break;
                }
            }
        }
        let _ = self.child.wait();
    }
}

fn read(stream: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(stream) = stream else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}
