//! The calls of plans, kept where they outlive the process: among the notes, each under its plan's id.

use approval_core::{Clock as _, OsEntropy, SystemClock};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reference_target::{Found, Notebook};
use serde_json::{Map, Value, json};

use crate::around::tool;

/// What the layers remember of plans, and how they run one without a permit.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Notebook);

impl Memory {
    pub(crate) fn new(notebook: &Notebook) -> Self {
        Self(notebook.clone())
    }

    /// Keeps the call of a plan, where this is one.
    pub(crate) async fn keep(&self, request: &Value, answer: &Value) {
        let Some(plan) = answer.pointer("/result/structuredContent").filter(|content| content["kind"] == "plan") else {
            return;
        };
        let (Some(tool), Some(id)) = (tool(request), plan["planId"].as_str()) else { return };
        let call = json!({ "tool": tool, "arguments": request["params"]["arguments"], "digest": plan["planDigest"] });
        if let Value::Object(call) = call {
            // Whoever can't remember can't run it later: the check sees that nothing happened.
            let _ = self.0.write(id, &call, None).await;
        }
    }

    /// The call of a plan.
    pub(crate) async fn call(&self, plan: &str) -> Option<Value> {
        self.0.read(plan).await.ok()?.note
    }

    /// Does what the plan's call asks for, and says so as an execution does; nothing, where the call isn't known.
    pub(crate) async fn run(&self, plan: &str) -> Option<Map<String, Value>> {
        let call = self.call(plan).await?;
        let mut arguments = call["arguments"].as_object()?.clone();
        if call["tool"] == "announce" {
            self.0.announce(&arguments).await.ok()?;
        } else {
            let name = arguments.remove("name")?.as_str()?.to_owned();
            self.write(&name, &arguments).await?;
        }
        let now = serde_json::to_value(SystemClock.now()).ok()?;
        let execution = json!({
            "kind": "execution", "planId": plan, "planDigest": call["digest"], "claimId": claim()?, "outcome": "applied",
            "replayed": false, "claimedAt": now, "settledAt": now,
        });
        execution.as_object().cloned()
    }

    /// Writes a note, whatever is there.
    pub(crate) async fn write(&self, name: &str, note: &Map<String, Value>) -> Option<Value> {
        let Found { etag, .. } = self.0.read(name).await.ok()?;
        self.0.write(name, note, etag.as_deref()).await.ok()
    }
}

/// The name of an attempt.
fn claim() -> Option<String> {
    let mut bytes = [0; 16];
    approval_core::Entropy::fill(&OsEntropy, &mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
