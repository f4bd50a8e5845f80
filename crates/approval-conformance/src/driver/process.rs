//! A driver that is a process: JSON lines.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::protocol::{DriverAnswer, DriverOutcome, DriverRequest, Op};
use crate::target::Target;

/// Why the driver didn't do it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum DriverError {
    /// It went wrong: no fault of the server's.
    #[error("the driver: {0}")]
    Fault(String),
    /// It can't do that.
    #[error("the driver can't do it: {0}")]
    Unsupported(String),
}

/// A driver's process.
#[derive(Debug)]
pub(crate) struct Driver {
    child: tokio::sync::Mutex<Child>,
    input: tokio::sync::Mutex<Option<ChildStdin>>,
    waiting: Arc<Waiting>,
    ids: AtomicU64,
    within: Duration,
}

type Answer = Result<Map<String, Value>, DriverError>;

#[derive(Debug, Default)]
struct Waiting {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    /// Why there will be no more.
    ended: Option<String>,
}

impl Driver {
    /// Starts it.
    ///
    /// # Errors
    /// Where there is no such program.
    pub(crate) fn launch(target: &Target) -> Result<Self, DriverError> {
        let (program, arguments) =
            target.driver.command.split_first().ok_or_else(|| DriverError::Fault("`command` is empty".to_owned()))?;
        // A program that is named with a slash stands beside the target file.
        let path = if program.contains('/') { target.directory.join(program) } else { program.into() };
        let mut child = Command::new(&path)
            .args(arguments)
            .current_dir(&target.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| DriverError::Fault(format!("`{}` can't be started: {error}", path.display())))?;
        let waiting = Arc::new(Waiting::default());
        if let Some(output) = child.stdout.take() {
            tokio::spawn(read(output, Arc::clone(&waiting)));
        }
        Ok(Self {
            input: tokio::sync::Mutex::new(child.stdin.take()),
            child: tokio::sync::Mutex::new(child),
            waiting,
            ids: AtomicU64::new(1),
            within: Duration::from_secs(target.driver.answer_seconds),
        })
    }

    /// Asks for `op`, and reads what it answers.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, op: &Op) -> Result<T, DriverError> {
        let answer = self.exchange(op).await?;
        serde_json::from_value(Value::Object(answer))
            .map_err(|error| DriverError::Fault(format!("its answer to `{}` is of another form: {error}", name(op))))
    }

    /// Ends its input, so that it stops what it started, and waits for its end.
    pub(crate) async fn end(&self) {
        self.input.lock().await.take();
        let mut child = self.child.lock().await;
        if timeout(self.within, child.wait()).await.is_err() {
            drop(child.kill().await);
        }
    }

    async fn exchange(&self, op: &Op) -> Answer {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let receiver = {
            let mut state = self.waiting.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(why) = &state.ended {
                return Err(DriverError::Fault(why.clone()));
            }
            let (sender, receiver) = oneshot::channel();
            state.answers.insert(id, sender);
            receiver
        };
        let mut line =
            serde_json::to_vec(&DriverRequest { id, op }).map_err(|error| DriverError::Fault(error.to_string()))?;
        line.push(b'\n');
        let answer = async {
            let mut input = self.input.lock().await;
            let input =
                input.as_mut().ok_or_else(|| DriverError::Fault("it ended: its input was closed".to_owned()))?;
            let written = async {
                input.write_all(&line).await?;
                input.flush().await
            };
            written.await.map_err(|error: std::io::Error| {
                DriverError::Fault(format!("it ended: its input takes nothing more ({error})"))
            })?;
            Ok(())
        };
        answer.await?;
        match timeout(self.within, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(DriverError::Fault("it ended".to_owned())),
            Err(_) => {
                self.waiting.state.lock().unwrap_or_else(PoisonError::into_inner).answers.remove(&id);
                Err(DriverError::Fault(format!("no answer to `{}` within {} s", name(op), self.within.as_secs())))
            }
        }
    }
}

/// As the protocol calls it.
pub(crate) fn name(op: &Op) -> String {
    let value = serde_json::to_value(op).unwrap_or_default();
    value.get("op").and_then(Value::as_str).unwrap_or_default().to_owned()
}

async fn read(output: ChildStdout, waiting: Arc<Waiting>) {
    let mut lines = BufReader::new(output).lines();
    let why = loop {
        let line = match lines.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => break "it ended".to_owned(),
            Err(error) => break format!("its output: {error}"),
        };
        match serde_json::from_str::<DriverAnswer>(&line) {
            Ok(DriverAnswer { id, outcome }) => {
                let answer = match outcome {
                    DriverOutcome::Error(why) => Err(DriverError::Fault(why)),
                    DriverOutcome::Ok(members) => Ok(members),
                    DriverOutcome::Unsupported(why) => Err(DriverError::Unsupported(why)),
                };
                let sender = waiting.state.lock().unwrap_or_else(PoisonError::into_inner).answers.remove(&id);
                if let Some(sender) = sender {
                    drop(sender.send(answer));
                }
            }
            Err(error) => break format!("it said what is no answer of the protocol ({error}): {line}"),
        }
    };
    let mut state = waiting.state.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, sender) in state.answers.drain() {
        drop(sender.send(Err(DriverError::Fault(why.clone()))));
    }
    state.ended = Some(why);
}
