//! The endpoint: answers that aren't what the profile says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use approval_core::json::{Document, Limits};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reference_target::Parts;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::around::{Beyond, Messages, around_messages, content, member, tool};
use crate::fault::Fault;
use crate::memory::Memory;

macro_rules! answers {
    ($name:literal, $messages:expr) => {
        Fault::new($name, |parts| Parts { endpoint: around_messages($messages), ..parts })
    };
}

pub(super) const ALL: &[Fault] = &[
    answers!("digest-in-insertion-order", InsertionOrder),
    answers!("header-of-another-plan", HeaderOfAnother::default()),
    answers!("times-differ", TimesDiffer),
    answers!("refusals-unmarked", RefusalsUnmarked),
    answers!("unknown-unmarked", UnknownUnmarked),
    answers!("no-structured-content", NoStructuredContent),
    answers!("one-member-more", OneMemberMore),
    answers!("wrong-next-call", WrongNext),
    answers!("wrong-retry", WrongRetry),
    answers!("refusal-quotes-arguments", QuotesArguments),
    answers!("result-without-bound", Unbounded),
    answers!("salt-told", SaltTold),
    answers!("unknown-told-as-failed", UnknownAsFailed),
    answers!("crash-told-as-failed", CrashAsFailed),
    answers!("replay-unmarked", ReplayUnmarked),
    answers!("errors-for-refusals", ErrorsForRefusals),
    answers!("cause-untold", CauseUntold),
    answers!("changes-told-to-all", ChangesTold),
    answers!("warnings-untold", WarningsUntold),
    answers!("approvals-uncounted", Uncounted),
    answers!("challenge-anew-each-time", ChallengeAnew),
    answers!("token-in-the-address", TokenInAddress),
    answers!("attempts-unlimited", AttemptsUnlimited),
    answers!("tool-result-left-out", ToolResultLeftOut),
    answers!("tool-error-unheld", ToolErrorUnheld),
    answers!("first-text-tells-the-plan", FirstTextTells),
    answers!("findings-untold", FindingsUntold),
    answers!("wrong-argument-named", WrongArgument),
    answers!("expiry-untold", ExpiryUntold),
    answers!("outcome-untold-in-status", StatusLags),
    answers!("executing-untold", ExecutingUntold),
    answers!("approvals-counted-twice", CountedTwice),
    answers!("ill-formed-ids-told", IllFormedTold),
    Fault::new("plans-of-others-told", |parts| {
        let told = OthersTold(Memory::new(&parts.notebook));
        Parts { endpoint: around_messages(told), ..parts }
    }),
];

/// Is this structured content of this kind?
fn is(content: &Map<String, Value>, kind: &str) -> bool {
    content.get("kind").is_some_and(|found| found == kind)
}

/// The digest of what isn't canonical.
fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The digest is over the header as the server happens to write it, and not over its canonical bytes. [DIG-040]
struct InsertionOrder;

impl Messages for InsertionOrder {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let Some(content) = content(answer).filter(|content| is(content, "plan")) else { return };
        let Some(Value::Object(header)) = content.get("header") else { return };
        let members: Vec<String> = header.iter().rev().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        content.insert("planDigest".to_owned(), digest(format!("{{{}}}", members.join(", ")).as_bytes()).into());
    }
}

/// The header is that of the plan before. [DIG-103]
#[derive(Default)]
struct HeaderOfAnother(Mutex<Option<(Value, Value)>>);

impl Messages for HeaderOfAnother {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let Some(content) = content(answer).filter(|content| is(content, "plan")) else { return };
        let own = content.get("header").cloned().zip(content.get("planDigest").cloned());
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), own);
        if let Some((header, digest)) = before {
            content.insert("header".to_owned(), header);
            content.insert("planDigest".to_owned(), digest);
        }
    }
}

/// The plan says that it lives longer than the policy lets it. [DIG-104]
struct TimesDiffer;

impl Messages for TimesDiffer {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let Some(content) = content(answer).filter(|content| is(content, "plan")) else { return };
        let Some(header) = content.get_mut("header") else { return };
        if let Some(limit) = header.pointer_mut("/policy/limits/planSeconds") {
            *limit = json!(limit.as_u64().unwrap_or_default() + 1);
        }
        let canonical = Document::from_serialize(&*header, &Limits::ARGUMENTS);
        if let Ok(canonical) = canonical {
            content.insert("planDigest".to_owned(), canonical.digest().to_string().into());
        }
    }
}

/// A refusal is a result like any other. [WIRE-031]
struct RefusalsUnmarked;

impl Messages for RefusalsUnmarked {
    fn answer(&self, _: &Value, answer: &mut Value) {
        unmark(answer, |content| is(content, "refusal"));
    }
}

/// An execution that nobody knows the outcome of is a result like any other. [WIRE-031]
struct UnknownUnmarked;

impl Messages for UnknownUnmarked {
    fn answer(&self, _: &Value, answer: &mut Value) {
        unmark(answer, |content| content.get("outcome").is_some_and(|outcome| outcome == "unknown"));
    }
}

fn unmark(answer: &mut Value, which: fn(&Map<String, Value>) -> bool) {
    if content(answer).is_some_and(|content| which(content))
        && let Some(result) = answer.get_mut("result").and_then(Value::as_object_mut)
    {
        result.insert("isError".to_owned(), false.into());
    }
}

/// Everything is said in words only. [WIRE-030]
struct NoStructuredContent;

impl Messages for NoStructuredContent {
    fn answer(&self, _: &Value, answer: &mut Value) {
        // Plans have it: without it no check comes far enough to look at the others.
        if content(answer).is_some_and(|content| is(content, "refusal"))
            && let Some(result) = answer.get_mut("result").and_then(Value::as_object_mut)
        {
            result.remove("structuredContent");
        }
    }
}

/// A member that no table has. [WIRE-030] [REC-002]
struct OneMemberMore;

impl Messages for OneMemberMore {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| content.contains_key("kind")) {
            content.insert("approvedBy".to_owned(), "nobody".into());
        }
    }
}

/// The next call is always to execute. [WIRE-038]
struct WrongNext;

impl Messages for WrongNext {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(tool) = content(answer).and_then(|content| content.get_mut("next")?.get_mut("tool")) {
            *tool = "approval_execute".into();
        }
    }
}

/// Whatever was refused may be tried again. [GATE-007]
struct WrongRetry;

impl Messages for WrongRetry {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(retry) = content(answer).and_then(|content| content.get_mut("retry")) {
            *retry = "same".into();
        }
    }
}

/// A refusal says what was wrong with which arguments. [GATE-004] [WIRE-033]
struct QuotesArguments;

impl Messages for QuotesArguments {
    fn answer(&self, request: &Value, answer: &mut Value) {
        if content(answer).is_some_and(|content| is(content, "refusal"))
            && let Some(text) = answer.pointer_mut("/result/content/0/text")
        {
            let arguments = request.pointer("/params/arguments").unwrap_or(&Value::Null);
            *text = format!("{} The arguments were {arguments}.", text.as_str().unwrap_or_default()).into();
        }
    }
}

/// The model gets all of it, however long. [WIRE-035] [DIG-029]
struct Unbounded;

impl Messages for Unbounded {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(Value::String(text)) = answer.pointer_mut("/result/content/0/text") {
            text.push_str(&" More of it.".repeat(2_000));
        }
    }
}

/// The agent gets the salt of the intent, and can try out what stands in there. [DIG-111]
struct SaltTold;

impl Messages for SaltTold {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| is(content, "plan")) {
            content.insert("salt".to_owned(), URL_SAFE_NO_PAD.encode([7; 32]).into());
        }
    }
}

/// What nobody knows is told as what didn't happen. [EXEC-003] [WIRE-T-032]
struct UnknownAsFailed;

impl Messages for UnknownAsFailed {
    fn answer(&self, _: &Value, answer: &mut Value) {
        fail(answer, |_| true);
    }
}

/// What was lost in a crash is told as what didn't happen. [STATE-022]
struct CrashAsFailed;

impl Messages for CrashAsFailed {
    fn answer(&self, _: &Value, answer: &mut Value) {
        // Whoever crashed reported no step.
        fail(answer, |content| !content.contains_key("steps"));
    }
}

fn fail(answer: &mut Value, which: fn(&Map<String, Value>) -> bool) {
    let Some(content) = content(answer).filter(|content| which(content)) else { return };
    for member in ["outcome", "state"] {
        if let Some(told) = content.get_mut(member).filter(|told| **told == "unknown") {
            *told = "failed".into();
        }
    }
}

/// Each answer of an execution reads as if it had run just now. [GATE-050]
struct ReplayUnmarked;

impl Messages for ReplayUnmarked {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(replayed) = content(answer).and_then(|content| content.get_mut("replayed")) {
            *replayed = false.into();
        }
    }
}

/// A refusal is an error of the protocol. [WIRE-032]
struct ErrorsForRefusals;

impl Messages for ErrorsForRefusals {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let reason = content(answer).and_then(|content| content.get("reason")).cloned();
        if let (Some(reason), Some(members)) = (reason, answer.as_object_mut()) {
            members.remove("result");
            members.insert("error".to_owned(), json!({ "code": -32000, "message": reason }));
        }
    }
}

/// Why a plan ended isn't said. [WIRE-T-020]
struct CauseUntold;

impl Messages for CauseUntold {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| is(content, "status")) {
            content.remove("cause");
        }
    }
}

/// Whoever plans reads what is at the target, whether they may or not. [PLAN-010] [DIG-111]
struct ChangesTold;

impl Messages for ChangesTold {
    fn answer(&self, request: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| is(content, "plan")) {
            let object = member(request, "name").unwrap_or("something");
            let change =
                json!({ "object": object, "before": { "text": "what was there" }, "after": { "text": "new" } });
            content.entry("changes").or_insert(json!([change]));
        }
    }
}

/// Attempts on the same object that nobody has resolved aren't told of. [PLAN-009]
struct WarningsUntold;

impl Messages for WarningsUntold {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| is(content, "plan")) {
            content.remove("warnings");
        }
    }
}

/// How many have approved isn't counted. [WIRE-T-020]
struct Uncounted;

impl Messages for Uncounted {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(approvals) = content(answer).and_then(|content| content.get_mut("approvals")) {
            *approvals = 0.into();
        }
    }
}

/// Each time it is asked for there is another challenge. [CHAL-001]
struct ChallengeAnew;

impl Messages for ChallengeAnew {
    fn answer(&self, _: &Value, answer: &mut Value) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if let Some(id) = content(answer).and_then(|content| content.get_mut("challengeId")) {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            *id = URL_SAFE_NO_PAD.encode(u128::from(count).to_be_bytes()).into();
        }
    }
}

/// The page's address has a token in it, so that it can be opened without a login. [WIRE-T-011] [SURF-002]
struct TokenInAddress;

impl Messages for TokenInAddress {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let Some(content) = content(answer).filter(|content| is(content, "challenge")) else { return };
        let id = content.get("challengeId").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(Value::String(url)) = content.get_mut("url") {
            url.push_str(&format!("?token={id}"));
        }
    }
}

/// A plan that nobody approved can be knocked at for ever. [GATE-071]
struct AttemptsUnlimited;

impl Messages for AttemptsUnlimited {
    fn answer(&self, request: &Value, answer: &mut Value) {
        let is_execution = tool(request) == Some("approval_execute");
        let reason = content(answer).filter(|_| is_execution).and_then(|content| content.get_mut("reason"));
        if let Some(reason) = reason.filter(|reason| **reason == "rate_limited") {
            *reason = "approval_required".into();
        }
    }
}

/// Of a plan of somebody else it is said that it is there. [GATE-020]
struct OthersTold(Memory);

#[async_trait]
impl Messages for OthersTold {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let mut answer = server.ask(&request).await;
        self.0.keep(&request, &answer).await;
        let reason = content(&mut answer).and_then(|content| content.get_mut("reason"));
        if let (Some(reason), Some(plan)) = (reason, member(&request, "planId"))
            && *reason == "plan_not_found"
            && self.0.call(plan).await.is_some()
        {
            *reason = "requester_not_permitted".into();
        }
        answer
    }
}

/// What the tool answered isn't kept. [WIRE-034]
struct ToolResultLeftOut;

impl Messages for ToolResultLeftOut {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| is(content, "execution")) {
            content.remove("toolResult");
        }
    }
}

/// That the tool answered with an error isn't kept. [WIRE-034]
struct ToolErrorUnheld;

impl Messages for ToolErrorUnheld {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let result = content(answer).and_then(|content| content.get_mut("toolResult")?.as_object_mut());
        if let Some(result) = result.filter(|result| result.contains_key("isError")) {
            result.insert("isError".to_owned(), false.into());
        }
    }
}

/// The first text says what the call was about. [WIRE-033]
struct FirstTextTells;

impl Messages for FirstTextTells {
    fn answer(&self, request: &Value, answer: &mut Value) {
        let told = member(request, "text").unwrap_or_default().to_owned();
        if let Some(Value::String(text)) = answer.pointer_mut("/result/content/0/text") {
            text.push_str(&told);
        }
    }
}

/// What the server noticed the agent isn't told. [WIRE-T-003]
struct FindingsUntold;

impl Messages for FindingsUntold {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| is(content, "plan")) {
            content.remove("findings");
        }
    }
}

/// Whatever is wrong, it is said to be the digest. [WIRE-042]
struct WrongArgument;

impl Messages for WrongArgument {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(member) = content(answer).and_then(|content| content.get_mut("member")) {
            *member = "planDigest".into();
        }
    }
}

/// Until when an approval is good isn't said. [WIRE-T-020]
struct ExpiryUntold;

impl Messages for ExpiryUntold {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(content) = content(answer).filter(|content| is(content, "status")) {
            content.remove("approvalExpiresAt");
            content.remove("challengeExpiresAt");
        }
    }
}

/// A status tells of an approval and not of what came after it. [WIRE-T-020]
struct StatusLags;

impl Messages for StatusLags {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let state =
            content(answer).filter(|content| is(content, "status")).and_then(|content| content.get_mut("state"));
        if let Some(state) = state.filter(|state| **state == "applied") {
            *state = "approved".into();
        }
    }
}

/// Each approval counts for two. [RULE-001]
struct CountedTwice;

impl Messages for CountedTwice {
    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(approvals) = content(answer).and_then(|content| content.get_mut("approvals")) {
            *approvals = (approvals.as_u64().unwrap_or_default() * 2).into();
        }
    }
}

/// That an id can't be one is said otherwise than that there is no such plan. [GATE-010]
struct IllFormedTold;

impl Messages for IllFormedTold {
    fn answer(&self, request: &Value, answer: &mut Value) {
        let is_id = member(request, "planId").is_some_and(|id| id.parse::<approval_core::PlanId>().is_ok());
        let reason = content(answer).filter(|_| !is_id).and_then(|content| content.get_mut("reason"));
        if let Some(reason) = reason.filter(|reason| **reason == "plan_not_found") {
            *reason = "payload_invalid".into();
        }
    }
}

/// That a plan is being executed isn't told: it reads as approved. [WIRE-T-020]
struct ExecutingUntold;

impl Messages for ExecutingUntold {
    fn answer(&self, _: &Value, answer: &mut Value) {
        let state =
            content(answer).filter(|content| is(content, "status")).and_then(|content| content.get_mut("state"));
        if let Some(state) = state.filter(|state| **state == "executing") {
            *state = "approved".into();
        }
    }
}
