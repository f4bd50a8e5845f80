//! The driver's process.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running driver.
pub(crate) struct Hook {
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    last: u64,
}

impl Hook {
    pub(crate) async fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reference-driver"));
        // What is done to the server here it would tell of.
        command.args(arguments).env("RUST_LOG", "off").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (requests, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, requests, answers: BufReader::new(answers).lines(), last: 0 }
    }

    /// Sends a request; its id.
    pub(crate) async fn send(&mut self, mut request: Value) -> u64 {
        self.last += 1;
        request["id"] = self.last.into();
        self.requests.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        self.last
    }

    /// The next answer.
    pub(crate) async fn next(&mut self) -> Value {
        serde_json::from_str(&self.answers.next_line().await.unwrap().unwrap()).unwrap()
    }

    /// What the driver answers, whatever that is.
    pub(crate) async fn say(&mut self, request: Value) -> Value {
        let id = self.send(request).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], json!(id), "{answer}");
        answer
    }

    /// What it answers where it can do it.
    pub(crate) async fn ask(&mut self, request: Value) -> Value {
        let mut answer = self.say(request).await;
        assert!(answer["ok"].is_object(), "{answer}");
        answer["ok"].take()
    }

    /// Ends it, as the harness does: by closing its input.
    pub(crate) async fn end(mut self) {
        drop(self.requests);
        assert!(self.child.wait().await.unwrap().success());
    }
}
