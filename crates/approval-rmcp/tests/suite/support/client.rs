//! A client that sends and sees bytes.

use std::collections::HashMap;

use rmcp::ServerHandler;
use rmcp::service::{RoleServer, RunningService};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

/// Which revision of the protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// 2025-11-25: a session that begins with `initialize`.
    Legacy,
    /// 2026-07-28: no session, and every request says what it speaks.
    Modern,
}

impl Era {
    pub(crate) const BOTH: [Self; 2] = [Self::Legacy, Self::Modern];
}

/// A request as a client of this era writes it.
pub(crate) fn request(era: Era, id: u64, method: &str, mut params: Value) -> Value {
    if era == Era::Modern {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "alice", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "extensions": { "io.modelcontextprotocol/tasks": {} } },
        });
    }
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// The two ends of a connection.
pub(crate) fn pipe() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(1 << 16)
}

pub(crate) struct Client {
    era: Era,
    /// What it says that it can do about elicitation, with each request of the modern era.
    pub(crate) elicitation: Value,
    /// The token under which it wants to hear of a request's progress.
    pub(crate) progress: Option<Value>,
    lines: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    last: u64,
    /// Answers that came before anybody asked for them.
    early: HashMap<u64, Value>,
    /// The notifications that came while an answer was waited for.
    pub(crate) heard: Vec<Value>,
    /// What the server said when it was greeted.
    pub(crate) greeting: Value,
}

impl Client {
    /// Connects to a server over a pipe, and greets it.
    pub(crate) async fn connect<S: ServerHandler>(server: S, era: Era) -> Self {
        Self::connect_saying(server, era, json!({})).await
    }

    /// As [`Client::connect`]; a client of the legacy era says that it can do this.
    pub(crate) async fn connect_saying<S: ServerHandler>(server: S, era: Era, capabilities: Value) -> Self {
        let (near, far) = pipe();
        tokio::spawn(async move {
            if let Ok(running) = rmcp::serve_server(server, far).await {
                let running: RunningService<RoleServer, S> = running;
                let _ = running.waiting().await;
            }
        });
        Self::over(near, era, capabilities).await
    }

    /// Greets the server at the other end of a pipe.
    pub(crate) async fn over(near: DuplexStream, era: Era, capabilities: Value) -> Self {
        let (reader, writer) = tokio::io::split(near);
        let mut client = Self {
            era,
            elicitation: Value::Null,
            progress: None,
            lines: BufReader::new(reader),
            writer,
            last: 0,
            early: HashMap::new(),
            heard: Vec::new(),
            greeting: Value::Null,
        };
        client.greeting = match era {
            Era::Legacy => {
                let params = json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": capabilities,
                    "clientInfo": { "name": "alice", "version": "1" },
                });
                let greeting = client.ask("initialize", params).await;
                client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string()).await;
                greeting
            }
            Era::Modern => client.ask("server/discover", json!({})).await,
        };
        client
    }

    /// Sends a line, whatever it is.
    pub(crate) async fn send(&mut self, line: &str) {
        self.writer.write_all(line.as_bytes()).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
    }

    /// Sends a request, and returns its id without waiting for the answer.
    pub(crate) async fn start(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let mut message = request(self.era, self.last, method, params);
        if self.era == Era::Modern && !self.elicitation.is_null() {
            let capabilities = &mut message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
            capabilities["elicitation"] = self.elicitation.clone();
        }
        if let Some(token) = &self.progress {
            message["params"]["_meta"]["progressToken"] = token.clone();
        }
        self.send(&message.to_string()).await;
        self.last
    }

    /// The next message.
    pub(crate) async fn receive(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(self.lines.read_line(&mut line).await.unwrap(), 0, "the server has hung up");
        serde_json::from_str(&line).unwrap()
    }

    /// The answer to a request that was started.
    pub(crate) async fn finish(&mut self, id: u64) -> Value {
        if let Some(answer) = self.early.remove(&id) {
            return answer;
        }
        loop {
            let message = self.receive().await;
            match message["id"].as_u64() {
                Some(of) if of == id => return message,
                Some(of) => drop(self.early.insert(of, message)),
                None => self.heard.push(message),
            }
        }
    }

    /// Sends a request, and returns its result.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.start(method, params).await;
        let mut answer = self.finish(id).await;
        assert!(answer.get("error").is_none(), "{method}: {}", brief(&answer));
        answer["result"].take()
    }

    /// Sends a request that must end in an error of the protocol, and returns that.
    pub(crate) async fn ask_in_vain(&mut self, method: &str, params: Value) -> Value {
        let id = self.start(method, params).await;
        let mut answer = self.finish(id).await;
        assert!(answer.get("result").is_none(), "{method}: {}", brief(&answer));
        answer["error"].take()
    }

    /// Calls a tool, and returns its result.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Calls a tool that answers in the profile's schema, holds the result against it, and returns the answer.
    pub(crate) async fn answer(&mut self, tool: &str, arguments: Value) -> Value {
        super::assert_answers(self.call(tool, arguments).await)
    }

    /// Calls a tool that must refuse; returns why, and what may be done about it.
    pub(crate) async fn refusal(&mut self, tool: &str, arguments: Value) -> (String, String) {
        let answer = self.answer(tool, arguments).await;
        assert_eq!(answer["kind"], "refusal", "{answer}");
        (answer["reason"].as_str().unwrap().to_owned(), answer["retry"].as_str().unwrap().to_owned())
    }
}

/// The beginning of a message: some are long.
fn brief(message: &Value) -> String {
    message.to_string().chars().take(300).collect()
}
