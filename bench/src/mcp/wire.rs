//! A client that writes JSON-RPC line by line, and notes how long each answer took.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use crate::stores::{micros, now};

/// The revision that it speaks: the newest that most clients do.
pub(crate) const REVISION: &str = "2025-11-25";

/// One end of a transport.
#[derive(Debug)]
pub(crate) struct Wire<R, W> {
    reader: BufReader<R>,
    writer: W,
    number: u64,
    line: String,
}

/// The result of a call, and the microseconds from its first byte to the last of the answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) result: Value,
    pub(crate) micros: f64,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Wire<R, W> {
    /// Introduces itself.
    pub(crate) async fn open(reader: R, writer: W) -> Result<Self> {
        let mut wire = Self { reader: BufReader::new(reader), writer, number: 0, line: String::new() };
        let request = message(wire.number, "initialize", &introduction());
        wire.ask(&request).await?;
        result(&wire.line)?;
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        wire.writer.write_all(format!("{initialized}\n").as_bytes()).await?;
        Ok(wire)
    }

    /// Calls a tool. An error is no answer.
    pub(crate) async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Answered> {
        let request = self.request(tool, arguments);
        let begin = now();
        self.ask(&request).await?;
        let micros = micros(begin);
        Ok(Answered { result: good(result(&self.line)?)?, micros })
    }

    /// The next message that calls a tool.
    pub(crate) fn request(&mut self, tool: &str, arguments: &Value) -> String {
        self.number += 1;
        message(self.number, "tools/call", &json!({ "name": tool, "arguments": arguments }))
    }

    /// Sends a message, and waits for one.
    pub(crate) async fn ask(&mut self, message: &str) -> Result<()> {
        self.writer.write_all(message.as_bytes()).await?;
        self.line.clear();
        if self.reader.read_line(&mut self.line).await? == 0 {
            bail!("the server has gone");
        }
        Ok(())
    }
}

/// What a client says of itself. It opens no URLs, so that a plan is answered with a plan.
pub(crate) fn introduction() -> Value {
    json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": { "name": "bench", "version": "0" } })
}

/// A request on a line of its own.
pub(crate) fn message(id: u64, method: &str, params: &Value) -> String {
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
}

/// The result in a message.
pub(crate) fn result(message: &str) -> Result<Value> {
    let mut answer: Value = serde_json::from_str(message)?;
    let result = answer.get_mut("result").map(Value::take);
    result.with_context(|| format!("no result: {answer}"))
}

/// The result of a call, if it is no error.
pub(crate) fn good(result: Value) -> Result<Value> {
    if result.get("isError") == Some(&Value::Bool(true)) {
        bail!("an error: {result}");
    }
    Ok(result)
}

/// A text in the structured content of an answer.
pub(crate) fn text(result: &Value, member: &str) -> Result<String> {
    let text = result.get("structuredContent").and_then(|answer| answer.get(member)).and_then(Value::as_str);
    Ok(text.with_context(|| format!("no `{member}`: {result}"))?.to_owned())
}
