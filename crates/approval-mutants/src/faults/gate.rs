//! The endpoint: a gate that lets through what it has to refuse.

use async_trait::async_trait;
use reference_target::Parts;
use serde_json::{Map, Value, json};

use crate::around::{Beyond, Messages, around_messages, content, member, tool};
use crate::fault::Fault;
use crate::memory::Memory;

/// A gate that knows these reasons to refuse, and executes all the same.
struct InSpiteOf {
    memory: Memory,
    reasons: &'static [&'static str],
}

macro_rules! in_spite_of {
    ($name:literal, [$($reason:literal),+]) => {
        Fault::new($name, |parts| {
            let in_spite_of = InSpiteOf { memory: Memory::new(&parts.notebook), reasons: &[$($reason),+] };
            Parts { endpoint: around_messages(in_spite_of), ..parts }
        })
    };
}

macro_rules! with_memory {
    ($name:literal, $messages:ident) => {
        Fault::new($name, |parts| Parts { endpoint: around_messages($messages(Memory::new(&parts.notebook))), ..parts })
    };
}

pub(super) const ALL: &[Fault] = &[
    // An approval is no condition of an execution. [GATE-081] [GATE-082]
    in_spite_of!("runs-unapproved", ["approval_required", "approval_pending"]),
    // A challenge that ran out undecided counts as approved. [GATE-083]
    in_spite_of!("runs-after-an-unanswered-challenge", ["challenge_expired"]),
    // A rejection is written down, and nobody looks at it. [DEC-007]
    in_spite_of!("runs-rejected", ["approval_rejected"]),
    // An approval can't be taken back. [DEC-008]
    in_spite_of!("runs-withdrawn", ["approval_withdrawn"]),
    // The requester's cancellation doesn't count. [WIRE-T-040]
    in_spite_of!("runs-cancelled", ["plan_cancelled"]),
    // Plans never expire. [STATE-010]
    in_spite_of!("runs-expired-plans", ["plan_expired"]),
    // Approvals never expire. [DEC-009]
    in_spite_of!("runs-expired-approvals", ["approval_expired"]),
    // What ended as stale runs once nobody looks. [GATE-005]
    in_spite_of!("runs-stale-plans", ["plan_stale"]),
    // The operator's pause stops nothing. [GATE-070]
    in_spite_of!("runs-while-paused", ["paused"]),
    // The tool's definition isn't compared. [GATE-094]
    in_spite_of!("runs-a-changed-tool", ["tool_changed"]),
    // The target's identity isn't compared. [GATE-095]
    in_spite_of!("runs-on-another-target", ["target_changed"]),
    // The policy isn't asked again. [GATE-090] [GATE-093]
    in_spite_of!("runs-under-a-changed-policy", ["policy_changed"]),
    // A requester who may not ask any more gets what they asked for. [GATE-091]
    in_spite_of!("runs-for-former-requesters", ["requester_not_permitted"]),
    // An approver who may not decide any more still counts. [GATE-092]
    in_spite_of!("runs-with-former-approvers", ["approver_not_permitted"]),
    // Broken seals are written to the log, and nothing more. [GATE-030] [GATE-031]
    in_spite_of!("runs-tampered-plans", ["integrity_failure"]),
    // An unresolved attempt on the same object is in nobody's way. [GATE-101]
    in_spite_of!("runs-beside-an-unknown-outcome", ["outcome_unknown"]),
    // Precondition and preview are looked at, and then it runs. [GATE-102] [GATE-103]
    in_spite_of!("runs-in-a-changed-world", ["precondition_failed", "preview_changed", "dry_run_failed"]),
    // A store that takes no write doesn't stop an execution. [GATE-006]
    in_spite_of!("runs-without-a-store", ["store_unavailable"]),
    with_memory!("approves-at-challenge", ApprovesAtChallenge),
    with_memory!("runs-beside-an-attempt", RunsBeside),
    with_memory!("approves-everything", ApprovesEverything),
    with_memory!("runs-again-when-replayed", RunsAgain),
    with_memory!("retries-lost-attempts", RetriesLost),
    Fault::new("refuses-everything", |parts| Parts { endpoint: around_messages(RefusesEverything), ..parts }),
];

/// The name of the tool that executes.
const EXECUTE: &str = "approval_execute";

#[async_trait]
impl Messages for InSpiteOf {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let mut answer = server.ask(&request).await;
        self.memory.keep(&request, &answer).await;
        let reason = content(&mut answer).and_then(|content| content.get("reason")?.as_str());
        if reason.is_some_and(|reason| self.reasons.contains(&reason)) {
            runs(&self.memory, &request, &mut answer).await;
        }
        answer
    }
}

/// Runs the plan of an execution, whatever its answer was, and says so in the answer.
async fn runs(memory: &Memory, request: &Value, answer: &mut Value) {
    let plan = member(request, "planId").filter(|_| tool(request) == Some(EXECUTE));
    let Some(plan) = plan else { return };
    if let Some(execution) = memory.run(plan).await {
        says(answer, execution);
    }
}

/// Puts structured content of another kind into an answer.
fn says(answer: &mut Value, said: Map<String, Value>) {
    if let Some(result) = answer.get_mut("result").and_then(Value::as_object_mut) {
        let is_error = said.get("kind").is_some_and(|kind| kind == "refusal");
        result.insert("isError".to_owned(), is_error.into());
        result.insert("structuredContent".to_owned(), said.into());
    }
}

/// Whoever asks for a challenge has the approval: execution is refused as pending no more. [WIRE-T-010] [GATE-082]
struct ApprovesAtChallenge(Memory);

#[async_trait]
impl Messages for ApprovesAtChallenge {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let mut answer = server.ask(&request).await;
        self.0.keep(&request, &answer).await;
        let Some(content) = content(&mut answer) else { return answer };
        if content.get("state").is_some_and(|state| state == "awaiting_approval") {
            content.insert("state".to_owned(), "approved".into());
        } else if content.get("reason").is_some_and(|reason| reason == "approval_pending") {
            runs(&self.0, &request, &mut answer).await;
        }
        answer
    }
}

/// Executes whatever it is asked to, and takes every refusal of the gate for an approval. [STATE-003]
struct ApprovesEverything(Memory);

#[async_trait]
impl Messages for ApprovesEverything {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let mut answer = server.ask(&request).await;
        self.0.keep(&request, &answer).await;
        if content(&mut answer).is_some_and(|content| content.get("kind").is_some_and(|kind| kind == "refusal")) {
            runs(&self.0, &request, &mut answer).await;
        }
        answer
    }
}

/// A replay is an execution like any other. [GATE-050]
struct RunsAgain(Memory);

#[async_trait]
impl Messages for RunsAgain {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let mut answer = server.ask(&request).await;
        self.0.keep(&request, &answer).await;
        if content(&mut answer).is_some_and(|content| content.get("replayed") == Some(&json!(true))) {
            runs(&self.0, &request, &mut answer).await;
        }
        answer
    }
}

/// An attempt of which nobody knows the outcome is tried once more. [STATE-022]
struct RetriesLost(Memory);

#[async_trait]
impl Messages for RetriesLost {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let mut answer = server.ask(&request).await;
        self.0.keep(&request, &answer).await;
        let is_lost = |content: &mut Map<String, Value>| {
            content.get("outcome").is_some_and(|outcome| outcome == "unknown")
                && content.get("replayed") == Some(&json!(true))
        };
        if content(&mut answer).is_some_and(is_lost) {
            runs(&self.0, &request, &mut answer).await;
        }
        answer
    }
}

/// Nothing runs, and nothing is planned: a server that is safe, and no use. [WIRE-T-001]
struct RefusesEverything;

impl Messages for RefusesEverything {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let Some(kind) = content(answer).and_then(|content| content.get("kind")).cloned() else { return };
        if kind != "refusal" {
            let refusal = json!({ "kind": "refusal", "reason": "policy_denied", "retry": "never" });
            says(answer, refusal.as_object().cloned().unwrap_or_default());
        }
    }
}

/// A claim excludes nobody: who comes while a plan is executed executes it too. [STATE-004] [GATE-110]
struct RunsBeside(Memory);

#[async_trait]
impl Messages for RunsBeside {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let mut answer = server.ask(&request).await;
        self.0.keep(&request, &answer).await;
        let reason = content(&mut answer).and_then(|content| content.get("reason")).cloned();
        let plan = member(&request, "planId").filter(|_| tool(&request) == Some(EXECUTE));
        if let (Some(plan), Some(reason)) = (plan, reason)
            && reason == "execution_in_progress"
            && let Some(execution) = self.0.begin(plan).await
        {
            says(&mut answer, execution);
        }
        answer
    }
}
