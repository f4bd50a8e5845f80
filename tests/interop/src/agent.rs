//! The agent: an official SDK in a process of its own, and what it makes of the server's answers.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::program::Program;

/// A client that is connected to the server.
#[derive(Debug)]
pub(crate) struct Agent {
    program: Program,
    /// The revision that was agreed on.
    pub(crate) revision: String,
    /// What the server advertises.
    pub(crate) capabilities: Value,
    /// The tools by name, once they were listed.
    pub(crate) tools: BTreeMap<String, Value>,
    /// How many answers, and how many of them errors, the client and we have held against the schema that is listed.
    pub(crate) fitting: [usize; 2],
}

/// What a tool answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) structured: Value,
    pub(crate) is_error: bool,
}

/// What the client itself says is wrong.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) text: String,
    pub(crate) code: Value,
}

impl Agent {
    /// Starts a client and has it connect.
    pub(crate) async fn connect(command: Command, told: &Value) -> Result<Self> {
        let mut program = Program::start(command)?;
        program.say(told).await?;
        let connected = program.hear().await.context("connecting")?;
        let revision = connected.get("revision").and_then(Value::as_str).unwrap_or_default().to_owned();
        let capabilities = connected.get("capabilities").cloned().unwrap_or_default();
        Ok(Self { program, revision, capabilities, tools: BTreeMap::new(), fitting: [0; 2] })
    }

    /// Lists the tools: from then on the client holds structured content against their schemas.
    pub(crate) async fn list(&mut self) -> Result<()> {
        self.program.say(&json!({ "list": true })).await?;
        let listed = self.program.hear().await?;
        let tools = listed.get("tools").and_then(Value::as_array).with_context(|| format!("no tools: {listed}"))?;
        let name = |tool: &Value| tool.get("name").and_then(Value::as_str).map(ToOwned::to_owned);
        self.tools = tools.iter().filter_map(|tool| Some((name(tool)?, tool.clone()))).collect();
        ensure!(self.tools.len() == tools.len(), "two tools have one name, or one has none: {listed}");
        Ok(())
    }

    /// Sends a call; [`answer`](Self::answer) is what comes of it.
    pub(crate) async fn send(&mut self, tool: &str, arguments: &Value) -> Result<()> {
        self.program.say(&json!({ "call": tool, "arguments": arguments })).await
    }

    /// The answer to the call of this tool, which must fit the schema that the tool lists: to the client, and to us. [WIRE-032]
    pub(crate) async fn answer(&mut self, tool: &str) -> Result<Answer> {
        let heard = self.program.hear().await?;
        let Some(result) = heard.get("result") else { bail!("`{tool}`: {heard}") };
        let structured = result.get("structuredContent").cloned().unwrap_or_default();
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or_default();
        if let Some(schema) = self.schema(tool) {
            let validator = jsonschema::validator_for(schema)?;
            if let Err(error) = validator.validate(&structured) {
                bail!("the answer of `{tool}` doesn't fit its schema: {error}: {structured}");
            }
            let [all, errors] = &mut self.fitting;
            *all += 1;
            *errors += usize::from(is_error);
        }
        Ok(Answer { structured, is_error })
    }

    pub(crate) async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Answer> {
        self.send(tool, arguments).await?;
        self.answer(tool).await
    }

    /// The page that the client is asked to open during the call; it answers that it has opened it.
    pub(crate) async fn opens(&mut self) -> Result<String> {
        let heard = self.program.hear().await?;
        let url = heard.get("opens").and_then(Value::as_str).with_context(|| format!("it opens nothing: {heard}"))?;
        self.program.say(&json!({ "opened": "accept" })).await?;
        Ok(url.to_owned())
    }

    /// Calls a tool of whose answer the client must complain.
    pub(crate) async fn complaint(&mut self, tool: &str, arguments: &Value) -> Result<Complaint> {
        self.send(tool, arguments).await?;
        let heard = self.program.hear().await?;
        let text = heard.get("error").and_then(Value::as_str);
        let text = text.with_context(|| format!("the client has nothing against {heard}"))?.to_owned();
        Ok(Complaint { text, code: heard.get("code").cloned().unwrap_or_default() })
    }

    /// The output schema that a tool lists.
    pub(crate) fn schema(&self, tool: &str) -> Option<&Value> {
        self.tools.get(tool)?.get("outputSchema")
    }

    /// Has the client end.
    pub(crate) async fn leave(self) -> Result<()> {
        self.program.end().await
    }
}

impl Answer {
    /// A text in the answer.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.structured.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A refusal with this reason, marked as an error.
    pub(crate) fn is_refusal(&self, reason: &str) -> bool {
        self.is_error && self.text("kind") == "refusal" && self.text("reason") == reason
    }

    /// A status, or an answer with a state, that says this.
    pub(crate) fn is_in(&self, state: &str) -> bool {
        !self.is_error && self.text("state") == state
    }
}
