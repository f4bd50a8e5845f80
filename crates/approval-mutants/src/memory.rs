//! The calls of plans, kept where they outlive the process: among the notes, each under its plan's id.

use approval_core::{Clock as _, OsEntropy, SystemClock};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reference_target::{Found, Notebook};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::around::tool;

/// What the layers remember of plans, and how they run one without a permit.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Notebook);

/// The call that a plan was made for.
#[derive(Deserialize, Serialize)]
pub(crate) struct Call {
    tool: String,
    arguments: Map<String, Value>,
    digest: Value,
}

impl Memory {
    pub(crate) fn new(notebook: &Notebook) -> Self {
        Self(notebook.clone())
    }

    /// Keeps the call of a plan, where this is one.
    pub(crate) async fn keep(&self, request: &Value, answer: &Value) {
        let kept = kept(request, answer);
        if let Some((plan, call)) = kept.and_then(|(plan, call)| Some((plan, serde_json::to_value(call).ok()?)))
            && let Some(call) = call.as_object()
        {
            // Whoever can't remember can't run it later: the check sees that nothing happened.
            let _ = self.0.write(plan, call, None).await;
        }
    }

    /// The call of a plan.
    pub(crate) async fn call(&self, plan: &str) -> Option<Call> {
        serde_json::from_value(self.0.read(plan).await.ok()?.note?).ok()
    }

    /// Does what the plan's call asks for, and says so as an execution does; nothing, where the call isn't known.
    pub(crate) async fn run(&self, plan: &str) -> Option<Map<String, Value>> {
        let call = self.call(plan).await?;
        self.does(&call.tool, &call.arguments).await?;
        Self::told(plan, &call)
    }

    /// As `run`, and says so before it is done.
    pub(crate) async fn begin(&self, plan: &str) -> Option<Map<String, Value>> {
        let call = self.call(plan).await?;
        let execution = Self::told(plan, &call);
        let memory = self.clone();
        tokio::spawn(async move { memory.does(&call.tool, &call.arguments).await });
        execution
    }

    /// What an execution that was applied says.
    fn told(plan: &str, call: &Call) -> Option<Map<String, Value>> {
        let now = serde_json::to_value(SystemClock.now()).ok()?;
        let execution = json!({
            "kind": "execution", "planId": plan, "planDigest": call.digest, "claimId": claim()?, "outcome": "applied",
            "replayed": false, "claimedAt": now, "settledAt": now,
        });
        execution.as_object().cloned()
    }

    /// Does what a call asks for.
    pub(crate) async fn does(&self, tool: &str, arguments: &Map<String, Value>) -> Option<()> {
        let mut arguments = arguments.clone();
        if tool == "announce" {
            return self.0.announce(&arguments).await.ok().map(drop);
        }
        let name = arguments.remove("name")?.as_str()?.to_owned();
        self.write(&name, &arguments).await.map(drop)
    }

    /// Writes a note, whatever is there.
    pub(crate) async fn write(&self, name: &str, note: &Map<String, Value>) -> Option<Value> {
        let Found { etag, .. } = self.0.read(name).await.ok()?;
        self.0.write(name, note, etag.as_deref()).await.ok()
    }
}

/// The plan that an answer tells of, and its call.
fn kept<'a>(request: &Value, answer: &'a Value) -> Option<(&'a str, Call)> {
    let plan = answer.pointer("/result/structuredContent").filter(|plan| plan.get("kind") == Some(&json!("plan")))?;
    let arguments = request.pointer("/params/arguments")?.as_object()?.clone();
    let (tool, digest) = (tool(request)?.to_owned(), plan.get("planDigest")?.clone());
    Some((plan.get("planId")?.as_str()?, Call { tool, arguments, digest }))
}

/// The name of an attempt.
fn claim() -> Option<String> {
    let mut bytes = [0; 16];
    approval_core::Entropy::fill(&OsEntropy, &mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
