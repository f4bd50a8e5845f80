//! MCP over the standard input and output of a process that the harness starts.

use std::collections::{HashMap, VecDeque};
use std::process::Stdio as Pipe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::http::{is_answer, parse};
use super::message::initialize_params;
use super::{Capabilities, Endpoint, Raw, Request, Revision, WireError, notification};

/// How many notifications are.
const NOTICES: usize = 100;
/// A line of more bytes than this is no answer of a server of the profile.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A process, and who waits for its answers.
#[derive(Debug)]
pub(crate) struct Stdio {
    /// It ends with this.
    _child: Child,
    input: tokio::sync::Mutex<ChildStdin>,
    waiting: Arc<Waiting>,
    ids: AtomicU64,
    initialized: Option<Value>,
}

#[derive(Debug, Default)]
struct Waiting {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<u64, oneshot::Sender<Result<Value, WireError>>>,
    /// The last notifications.
    notices: VecDeque<Value>,
    ended: Option<WireError>,
}

impl Waiting {
    fn enter(&self, id: u64) -> Result<oneshot::Receiver<Result<Value, WireError>>, WireError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        let (sender, receiver) = oneshot::channel();
        state.answers.insert(id, sender);
        Ok(receiver)
    }

    fn answer(&self, message: Value) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if message.get("method").is_some() {
            state.notices.push_back(message);
            let over = state.notices.len().saturating_sub(NOTICES);
            state.notices.drain(..over);
            return;
        }
        let id = state.answers.keys().copied().find(|id| message.get("id").and_then(Value::as_u64) == Some(*id));
        // An error without an id is about a message that couldn't be read: of the one that waits, if it is one.
        let alone =
            || state.answers.keys().next().copied().filter(|id| state.answers.len() == 1 && is_answer(&message, *id));
        if let Some(sender) = id.or_else(alone).and_then(|id| state.answers.remove(&id)) {
            drop(sender.send(Ok(message)));
        }
    }

    fn end(&self, error: &WireError) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended = Some(error.clone());
        for (_, sender) in state.answers.drain() {
            drop(sender.send(Err(error.clone())));
        }
    }

    fn leave(&self, id: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answers.remove(&id);
    }
}

impl Stdio {
    /// Starts the server for `person`, and says hello where the revision asks for it.
    pub(crate) async fn start(
        endpoint: &Endpoint,
        person: &str,
        (revision, capabilities, name): (Revision, Capabilities, &str),
        within: Duration,
    ) -> Result<Self, WireError> {
        let Endpoint::Stdio { command, environment, directory } = endpoint else {
            return Err(WireError::Gone("the server isn't one of standard input and output".to_owned()));
        };
        let mut words = command.iter().map(|word| word.replace("{{person}}", person));
        let program = words.next().ok_or_else(|| WireError::Gone("`command` is empty".to_owned()))?;
        let mut child = Command::new(&program)
            .args(words)
            .envs(environment)
            .current_dir(directory)
            .stdin(Pipe::piped())
            .stdout(Pipe::piped())
            .stderr(Pipe::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| WireError::Gone(format!("`{program}` can't be started: {error}")))?;
        let waiting = Arc::new(Waiting::default());
        if let Some(output) = child.stdout.take() {
            tokio::spawn(read(output, Arc::clone(&waiting)));
        }
        let input = child.stdin.take().ok_or_else(|| WireError::Gone("the server has no input".to_owned()))?;
        let (input, ids) = (tokio::sync::Mutex::new(input), AtomicU64::new(1));
        let mut stdio = Self { _child: child, input, waiting, ids, initialized: None };
        if revision == Revision::V2025_11_25 {
            let hello = Request { id: 0, method: "initialize", params: initialize_params(capabilities, name) };
            stdio.initialized = Some(stdio.request(&hello, within).await?);
            stdio.write(&[notification("notifications/initialized", None).to_string().into()]).await?;
        }
        Ok(stdio)
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// The whole answer to `initialize`: of 2025-11-25 only.
    pub(crate) fn initialized(&self) -> Option<&Value> {
        self.initialized.as_ref()
    }

    /// The notifications that have come.
    pub(crate) fn notices(&self) -> Vec<Value> {
        let state = self.waiting.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.notices.iter().cloned().collect()
    }

    pub(super) async fn request(&self, request: &Request, within: Duration) -> Result<Value, WireError> {
        let answer = self.send(&[request.to_json().to_string().into()], request.id, within).await?;
        answer.ok_or(WireError::Late(within))
    }

    pub(super) async fn raw(&self, raw: &Raw<'_>, within: Duration) -> Result<Option<Value>, WireError> {
        self.send(raw.parts, raw.id, within).await
    }

    async fn send(&self, parts: &[Bytes], id: u64, within: Duration) -> Result<Option<Value>, WireError> {
        let receiver = self.waiting.enter(id)?;
        let answer = async {
            self.write(parts).await?;
            receiver.await.unwrap_or_else(|_| Err(WireError::Gone("the server's output ended".to_owned())))
        };
        match timeout(within, answer).await {
            Ok(answer) => answer.map(Some),
            Err(_) => {
                self.waiting.leave(id);
                Ok(None)
            }
        }
    }

    async fn write(&self, parts: &[Bytes]) -> Result<(), WireError> {
        let mut input = self.input.lock().await;
        let written = async {
            for part in parts {
                input.write_all(part).await?;
            }
            input.write_all(b"\n").await?;
            input.flush().await
        };
        written.await.map_err(|error: std::io::Error| WireError::Gone(format!("the server's input: {error}")))
    }
}

/// Hands out what the process says, until it ends or says what is no message.
async fn read(output: impl AsyncRead + Unpin, waiting: Arc<Waiting>) {
    let mut lines = BufReader::new(output);
    let error = loop {
        let mut line = Vec::new();
        match (&mut lines).take(LONGEST).read_until(b'\n', &mut line).await {
            Ok(0) => break WireError::Gone("the server's output ended".to_owned()),
            Err(error) => break WireError::Gone(format!("the server's output: {error}")),
            Ok(_) => {}
        }
        match parse(line.trim_ascii()) {
            Ok(message) => waiting.answer(message),
            Err(garbage) => break garbage,
        }
    };
    waiting.end(&error);
}
