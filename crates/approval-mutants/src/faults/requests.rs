//! The endpoint: requests that the server gets otherwise than they were sent.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reference_target::Parts;
use serde_json::{Map, Number, Value, json};

use crate::around::{Beyond, Messages, around_messages, content, tool};
use crate::fault::Fault;

macro_rules! requests {
    ($name:literal, $messages:expr) => {
        Fault::new($name, |parts| Parts { endpoint: around_messages($messages), ..parts })
    };
}

pub(super) const ALL: &[Fault] = &[
    requests!("digest-ignored", DigestIgnored),
    requests!("more-arguments-ignored", MoreIgnored),
    requests!("plan-id-in-any-spelling", AnySpelling),
    requests!("numbers-rounded", Rounded),
    requests!("large-arguments-cut", Cut),
    requests!("unknown-arguments-dropped", Dropped),
    requests!("status-never-waits", NeverWaits),
    requests!("equal-calls-share-a-plan", SharedPlan::default()),
    requests!("request-state-unlooked-at", StateUnlookedAt),
    requests!("malformed-arguments-mended", Mended),
];

/// The name that all tools of the profile begin with.
const OURS: &str = "approval_";

/// The arguments of a call of one of the profile's tools.
fn ours(request: &mut Value) -> Option<&mut Map<String, Value>> {
    tool(request).filter(|tool| tool.starts_with(OURS))?;
    request.pointer_mut("/params/arguments")?.as_object_mut()
}

/// The arguments of a call of any other tool.
fn others(request: &mut Value) -> Option<&mut Map<String, Value>> {
    tool(request).filter(|tool| !tool.starts_with(OURS))?;
    request.pointer_mut("/params/arguments")?.as_object_mut()
}

/// Which digest the agent means to execute nobody looks at. [GATE-042] [GATE-011]
struct DigestIgnored;

impl Messages for DigestIgnored {
    fn request(&self, request: &mut Value) {
        if let Some(arguments) = ours(request) {
            arguments.remove("planDigest");
        }
    }
}

/// Arguments that a tool doesn't take are no reason to refuse. [WIRE-042]
struct MoreIgnored;

impl Messages for MoreIgnored {
    fn request(&self, request: &mut Value) {
        if let Some(arguments) = ours(request) {
            arguments.retain(|name, _| matches!(name.as_str(), "planId" | "planDigest" | "waitSeconds"));
        }
    }
}

/// A plan's id is read in capitals, and with white space around it. [GATE-010] [REC-003]
struct AnySpelling;

impl Messages for AnySpelling {
    fn request(&self, request: &mut Value) {
        if let Some(Value::String(id)) = ours(request).and_then(|arguments| arguments.get_mut("planId")) {
            *id = id.trim().trim_matches(['{', '}']).to_ascii_lowercase();
        }
    }
}

/// A number that not every reader holds becomes one that they do. [DIG-022]
struct Rounded;

impl Messages for Rounded {
    fn request(&self, request: &mut Value) {
        for value in others(request).into_iter().flat_map(Map::values_mut) {
            if let Some(number) = value.as_f64().filter(|number| number.abs() >= 9_007_199_254_740_992.0) {
                let largest: i64 = 9_007_199_254_740_991;
                *value = Number::from(if number < 0.0 { -largest } else { largest }).into();
            }
        }
    }
}

/// Of a text that is too long the beginning is taken. [DIG-029] [PLAN-003]
struct Cut;

impl Messages for Cut {
    fn request(&self, request: &mut Value) {
        for value in others(request).into_iter().flat_map(Map::values_mut) {
            if let Value::String(text) = value {
                text.truncate(1 << 20);
            }
        }
    }
}

/// Arguments that the gated tool doesn't take are dropped: a person is shown other ones than the agent sent. [PLAN-001]
struct Dropped;

impl Messages for Dropped {
    fn request(&self, request: &mut Value) {
        let known = ["name", "text", "shelf", "password", "count", "extra", "topic"];
        if let Some(arguments) = others(request) {
            arguments.retain(|name, _| known.contains(&name.as_str()));
        }
    }
}

/// Whoever waits is answered at once. [WIRE-T-021]
struct NeverWaits;

impl Messages for NeverWaits {
    fn request(&self, request: &mut Value) {
        if let Some(arguments) = ours(request) {
            arguments.remove("waitSeconds");
        }
    }
}

/// Who makes the same call again gets the plan of before, and its approval. [WIRE-T-002]
#[derive(Default)]
struct SharedPlan(Mutex<HashMap<String, Value>>);

#[async_trait]
impl Messages for SharedPlan {
    async fn exchange(&self, request: Value, server: &Beyond) -> Value {
        let name = tool(&request).filter(|tool| !tool.starts_with(OURS)).map(str::to_owned);
        let Some(name) = name else { return server.ask(&request).await };
        let call = format!("{name} {}", request.pointer("/params/arguments").unwrap_or(&Value::Null));
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&call).cloned();
        if let Some(answer) = known {
            return answer;
        }
        let mut answer = server.ask(&request).await;
        if content(&mut answer).is_some_and(|content| content.get("kind").is_some_and(|kind| kind == "plan")) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(call, answer.clone());
        }
        answer
    }
}

/// A call with answers to what nobody asked is taken for one without them. [WIRE-043]
struct StateUnlookedAt;

impl Messages for StateUnlookedAt {
    fn request(&self, request: &mut Value) {
        if others(request).is_some()
            && let Some(params) = request.get_mut("params").and_then(Value::as_object_mut)
        {
            params.remove("requestState");
            params.remove("inputResponses");
        }
    }
}

/// Arguments that are no object become one without members. [WIRE-040] [WIRE-041]
struct Mended;

impl Messages for Mended {
    fn request(&self, request: &mut Value) {
        let is_call = tool(request).is_some();
        let arguments = request.pointer_mut("/params/arguments").filter(|_| is_call);
        if let Some(arguments) = arguments.filter(|arguments| !arguments.is_object()) {
            *arguments = json!({});
        }
    }
}
