//! Running other programs: aloud, line by line and with a limit, or quietly for their answer.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a program may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// What a program printed, both streams in the order of arrival, and how it ended.
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) status: ExitStatus,
    pub(crate) timed_out: bool,
}

impl Output {
    pub(crate) fn succeeded(&self) -> bool {
        self.status.success() && !self.timed_out
    }

    /// How it ended, in words for a report.
    pub(crate) fn ending(&self) -> String {
        if self.timed_out { "it took too long and was stopped".to_owned() } else { self.status.to_string() }
    }
}

enum Message {
    End(std::io::Result<ExitStatus>),
    Line(String),
}

/// Runs a program, repeats each of its lines as it comes, and ends it when it passes the limit.
pub(crate) fn stream(command: &mut Command, limit: Duration) -> Result<Output> {
    println!("$ {}", shown(command));
    watch(command, limit, |line| println!("{line}"))
}

/// As `stream`, beside something else that is told: its lines are kept, and not repeated.
pub(crate) fn collect(command: &mut Command, limit: Duration) -> Result<Output> {
    watch(command, limit, |_| {})
}

fn watch(command: &mut Command, limit: Duration, tell: impl Fn(&str)) -> Result<Output> {
    let repeat = |text: &mut String, line: &str| {
        tell(line);
        text.push_str(line);
        text.push('\n');
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{}`", shown(command)))?;
    let process = child.id();
    let (sender, messages) = mpsc::channel();
    read_lines(child.stdout.take(), sender.clone());
    read_lines(child.stderr.take(), sender.clone());
    report_end(child, sender);

    let mut text = String::new();
    let mut timed_out = false;
    let mut deadline = Stopwatch::start().deadline(limit);
    let status = loop {
        match messages.recv_timeout(Stopwatch::until(deadline)) {
            Ok(Message::Line(line)) => repeat(&mut text, &line),
            Ok(Message::End(status)) => break status?,
            Err(RecvTimeoutError::Disconnected) => bail!("lost sight of `{}`", shown(command)),
            Err(RecvTimeoutError::Timeout) => {
                signal(process, if timed_out { "-KILL" } else { "-TERM" })?;
                timed_out = true;
                deadline = Stopwatch::start().deadline(GRACE);
            }
        }
    };
    // What is still in the pipes. A grandchild may hold them open for ever, so this has an end of its own.
    while let Ok(Message::Line(line)) = messages.recv_timeout(Duration::from_secs(1)) {
        repeat(&mut text, &line);
    }
    Ok(Output { text, status, timed_out })
}

/// Runs a program quietly and returns its standard output; a failure carries its standard error.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("could not start `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}`: {}: {}", shown(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn read_lines(stream: Option<impl Read + Send + 'static>, sender: Sender<Message>) {
    let Some(stream) = stream else { return };
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            if sender.send(Message::Line(line)).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

fn report_end(mut child: Child, sender: Sender<Message>) {
    thread::spawn(move || {
        // The receiver waits for this message, so it is there.
        let _ = sender.send(Message::End(child.wait()));
    });
}

fn signal(process: u32, signal: &str) -> Result<()> {
    // It may have ended in this moment: then there is nobody to signal, and the end is on its way.
    Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status().context("kill")?;
    Ok(())
}

/// The command for people: by the program's name, wherever it lies.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy()));
    words.join(" ")
}

/// The one place where this program reads the machine's clock.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "chores are timed for people; no decision of the profile hangs on it"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn deadline(&self, limit: Duration) -> Instant {
        self.0 + limit
    }

    fn until(deadline: Instant) -> Duration {
        deadline.saturating_duration_since(Self::start().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_and_the_status_are_kept() {
        let output = stream(&mut shell("echo out; echo err >&2; exit 3"), Duration::from_secs(60)).unwrap();
        let mut lines: Vec<_> = output.text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "out"]);
        assert_eq!(output.status.code(), Some(3));
        assert!(!output.succeeded());
    }

    #[test]
    fn a_program_over_its_limit_is_ended() {
        let output = stream(&mut shell("echo begun; exec sleep 600"), Duration::from_millis(200)).unwrap();
        assert!(output.timed_out);
        assert!(!output.succeeded());
        assert_eq!(output.text, "begun\n");
    }

    #[test]
    fn an_answer_is_standard_output_and_a_failure_carries_standard_error() {
        assert_eq!(answer(&mut shell("echo yes; echo no >&2")).unwrap(), "yes\n");
        let error = answer(&mut shell("echo reason >&2; false")).unwrap_err().to_string();
        assert!(error.ends_with(": reason"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = answer(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert_eq!(error, "could not start `no-such-program-here`");
    }
}
