//! The server over standard input and output, several processes of it at once.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::hook::Hook;
use crate::person::Person;

/// An agent that has started its server.
struct Agent {
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Agent {
    async fn start(start: &Value, person: &str) -> Self {
        let words: Vec<_> = start["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let mut command = Command::new(words[0]);
        command.args(words[1..].iter().map(|word| word.replace("{{person}}", person)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let (requests, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut agent = Self { child, requests, answers: BufReader::new(answers).lines() };
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        agent.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })).await;
        agent.answers.next_line().await.unwrap().unwrap();
        agent.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        agent
    }

    async fn send(&mut self, message: &Value) {
        self.requests.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// The structured content of a tool's answer; nothing where the server is gone.
    async fn call(&mut self, tool: &str, arguments: &Value) -> Option<Value> {
        let params = json!({ "name": tool, "arguments": arguments });
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })).await;
        let mut answer: Value = serde_json::from_str(&self.answers.next_line().await.unwrap()?).unwrap();
        Some(answer["result"]["structuredContent"].take())
    }
}

#[tokio::test]
async fn processes_share_an_installation() {
    let mut hook = Hook::new(&["--stdio"]).await;
    let start = hook.ask(json!({ "op": "start" })).await;
    let (mut alice, mut bob) = (Agent::start(&start, "alice").await, Agent::start(&start, "bob").await);
    let note = json!({ "name": "a", "text": "hello", "shelf": "short-lease" });
    let plan = alice.call("write_note", &note).await.unwrap();
    assert_eq!(plan["header"]["enforcement"]["isolation"], "same-user");
    let plan = json!({ "planId": plan["planId"] });
    assert_eq!(bob.call("approval_execute", &plan).await.unwrap()["reason"], "plan_not_found");
    let challenge = alice.call("approval_challenge", &plan).await.unwrap();
    let url = challenge["url"].as_str().unwrap();
    assert_eq!(Person::log_in(&start, "alice", url).await.unwrap().decide(url, "approve").await, 303);

    // Only the process that writes dies of it.
    hook.ask(json!({ "op": "kill", "when": "after-effect" })).await;
    assert_eq!(alice.call("approval_execute", &plan).await, None);
    assert!(!alice.child.wait().await.unwrap().success());
    assert_eq!(bob.call("approval_execute", &plan).await.unwrap()["reason"], "plan_not_found");
    let mut alice = Agent::start(&start, "alice").await;
    hook.ask(json!({ "op": "advance-clock", "seconds": 10 })).await;
    assert_eq!(alice.call("approval_execute", &plan).await.unwrap()["outcome"], "unknown");
    assert_eq!(hook.ask(json!({ "op": "observe", "arguments": note })).await["effects"], 1);

    // The harness starts them: to start them again, the driver ends them.
    hook.ask(json!({ "op": "restart" })).await;
    assert!(alice.child.wait().await.unwrap().success());
    assert!(bob.child.wait().await.unwrap().success());
    hook.end().await;
}
