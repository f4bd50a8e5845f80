//! The endpoint: requests that the server gets otherwise than they were sent.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use approval_core::Requester;
use async_trait::async_trait;
use reference_target::Parts;
use serde_json::{Map, Number, Value, json};

use crate::around::{Beyond, Messages, around_messages, content, member, tool};
use crate::fault::Fault;
use crate::memory::Memory;

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
    requests!("arguments-tidied", Tidied),
    requests!("status-never-waits", NeverWaits),
    requests!("equal-calls-share-a-plan", SharedPlan::default()),
    requests!("request-state-unlooked-at", StateUnlookedAt),
    requests!("malformed-arguments-mended", Mended),
    requests!("arguments-coerced", Coerced),
    requests!("tool-names-in-any-case", AnyCase),
    requests!("calls-without-an-id-answered", WithoutId),
    requests!("numbers-mended", NumbersMended),
    requests!("progress-untold", ProgressUntold),
    requests!("nobody-is-asked", NobodyAsked),
    requests!("everybody-is-asked", EverybodyAsked),
    requests!("client-unnamed", ClientUnnamed),
    requests!("ids-compared-in-part", ComparedInPart::default()),
    requests!("first-arguments-sent-again", FirstArguments::default()),
    requests!("request-state-is-enough", StateIsEnough::default()),
    requests!("last-request-state-is-good", LastState::default()),
    Fault::new("accept-decides", |parts| {
        let decides = AcceptDecides(Memory::new(&parts.notebook));
        Parts { endpoint: around_messages(decides), ..parts }
    }),
    Fault::new("doubled-members-read-twice", |parts| {
        let twice = ReadTwice { memory: Memory::new(&parts.notebook), first: Mutex::default() };
        Parts { endpoint: around_messages(twice), ..parts }
    }),
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

/// Of what is too much the beginning is taken. [DIG-029] [PLAN-003]
struct Cut;

impl Messages for Cut {
    fn request(&self, request: &mut Value) {
        for value in others(request).into_iter().flat_map(Map::values_mut) {
            match value {
                Value::Array(items) if items.len() > 10_000 => items.truncate(10_000),
                Value::String(text) => text.truncate(1 << 20),
                value if depth(value) > DEEPEST => *value = Value::Null,
                _ => {}
            }
        }
    }
}

/// What is nested deeper isn't taken.
const DEEPEST: usize = 60;

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
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
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
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
        let params = request.get_mut("params");
        if let Some(params) = params.filter(|params| params.as_array().is_some_and(|params| params.len() == 2)) {
            *params = json!({ "name": params[0], "arguments": params[1] });
        }
    }
}

/// What has another form than it must have is made to fit. [WIRE-042]
struct Coerced;

impl Messages for Coerced {
    fn request(&self, request: &mut Value) {
        let Some(arguments) = ours(request) else { return };
        if let Some(Value::Array(ids)) = arguments.get("planId") {
            let first = ids.first().cloned().unwrap_or_default();
            arguments.insert("planId".to_owned(), first);
        }
        arguments.retain(|name, value| name == "planId" || !value.is_null());
    }
}

/// Tools are found under their names in any case. [WIRE-040]
struct AnyCase;

impl Messages for AnyCase {
    fn request(&self, request: &mut Value) {
        if tool(request).is_some()
            && let Some(Value::String(name)) = request.pointer_mut("/params/name")
        {
            name.make_ascii_lowercase();
        }
    }
}

/// A call that wants no answer is a call. [WIRE-041]
struct WithoutId;

impl Messages for WithoutId {
    fn notice(&self, message: &Value) -> Option<Value> {
        tool(message).filter(|_| message.get("id").is_none())?;
        let mut request = message.clone();
        request.as_object_mut()?.insert("id".to_owned(), json!(1_u64 << 40));
        Some(request)
    }
}

/// What is no number becomes nought. [DIG-022]
struct NumbersMended;

impl Messages for NumbersMended {
    fn unreadable(&self, text: &str) -> Option<Value> {
        let words = ["NaN", "-Infinity", "Infinity", "-1e400", "1e400"];
        let mended = words.iter().fold(text.to_owned(), |text, word| text.replace(&format!(":{word}"), ":0"));
        serde_json::from_str(&mended).ok()
    }
}

/// Whoever waits isn't told that it goes on. [WIRE-T-022]
struct ProgressUntold;

impl Messages for ProgressUntold {
    fn request(&self, request: &mut Value) {
        if let Some(meta) = request.pointer_mut("/params/_meta").and_then(Value::as_object_mut) {
            meta.remove("progressToken");
        }
    }
}

/// How a client calls itself isn't kept. [WIRE-T-004]
struct ClientUnnamed;

impl Messages for ClientUnnamed {
    fn request(&self, request: &mut Value) {
        let of_revisions = ["/params/clientInfo/name", "/params/_meta/io.modelcontextprotocol~1clientInfo/name"];
        for place in of_revisions {
            if let Some(name) = request.pointer_mut(place) {
                *name = "client".into();
            }
        }
    }
}

/// Plans are told apart by the beginnings of their ids. [GATE-020]
#[derive(Default)]
struct ComparedInPart(Mutex<BTreeSet<String>>);

/// So much of an id.
const PART: usize = 30;

impl Messages for ComparedInPart {
    fn request(&self, request: &mut Value) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Value::String(id)) = ours(request).and_then(|arguments| arguments.get_mut("planId"))
            && let Some(like) = known.iter().find(|known| id.get(..PART).is_some_and(|part| known.starts_with(part)))
        {
            id.clone_from(like);
        }
    }

    fn answer(&self, _: &Value, answer: &mut Value) {
        if let Some(id) = content(answer).and_then(|content| content.get("planId")?.as_str()) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        }
    }
}

/// What a client is asked to carry back, if it is asked.
fn state_in(answer: &Value) -> Option<String> {
    Some(answer.pointer("/result/requestState")?.as_str()?.to_owned())
}

/// What a client carries back.
fn state_of(request: &Value) -> Option<&str> {
    request.pointer("/params/requestState")?.as_str()
}

/// Whatever arguments come back, those of the first time run. [WIRE-M-004]
#[derive(Default)]
struct FirstArguments(Mutex<HashMap<String, Value>>);

#[async_trait]
impl Messages for FirstArguments {
    async fn exchange(&self, mut request: Value, server: &mut Beyond) -> Value {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = state_of(&request).and_then(|state| known().get(state).cloned());
        if let (Some(first), Some(arguments)) = (first, request.pointer_mut("/params/arguments")) {
            *arguments = first;
        }
        let answer = server.ask(&request).await;
        if let (Some(state), Some(arguments)) = (state_in(&answer), request.pointer("/params/arguments")) {
            known().insert(state, arguments.clone());
        }
        answer
    }
}

/// Whoever has what was to be carried back is the requester. [WIRE-M-007]
#[derive(Default)]
struct StateIsEnough(Mutex<HashMap<String, Requester>>);

#[async_trait]
impl Messages for StateIsEnough {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let requester = state_of(&request).and_then(|state| known().get(state).cloned());
        if let Some(requester) = requester {
            return server.ask_for(requester, &request).await;
        }
        let answer = server.ask(&request).await;
        if let (Some(state), Some(requester)) = (state_in(&answer), server.head.extensions.get::<Requester>()) {
            known().insert(state, requester.clone());
        }
        answer
    }
}

/// What comes back broken is taken for what was given last. [WIRE-M-007]
#[derive(Default)]
struct LastState(Mutex<Option<String>>);

#[async_trait]
impl Messages for LastState {
    async fn exchange(&self, mut request: Value, server: &mut Beyond) -> Value {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = known().clone();
        if let (Some(last), Some(state)) = (last, request.pointer_mut("/params/requestState")) {
            *state = last.into();
        }
        let answer = server.ask(&request).await;
        if let Some(state) = state_in(&answer) {
            *known() = Some(state);
        }
        answer
    }
}

/// A client that says `accept` has the approval. [WIRE-M-005]
struct AcceptDecides(Memory);

#[async_trait]
impl Messages for AcceptDecides {
    async fn exchange(&self, request: Value, server: &mut Beyond) -> Value {
        let responses = request.pointer("/params/inputResponses").and_then(Value::as_object);
        let accepts = responses.is_some_and(|responses| responses.values().any(|it| it["action"] == "accept"));
        let arguments = request.pointer("/params/arguments").and_then(Value::as_object);
        if let (true, Some(tool), Some(arguments)) = (accepts, tool(&request), arguments) {
            self.0.does(tool, arguments).await;
        }
        server.ask(&request).await
    }
}

/// Of two members of one name the gate reads the last, and the tool the first. [WIRE-041] [DIG-035]
struct ReadTwice {
    memory: Memory,
    /// By plan: what the tool reads.
    first: Mutex<HashMap<String, Value>>,
}

#[async_trait]
impl Messages for ReadTwice {
    async fn exchange(&self, mut request: Value, server: &mut Beyond) -> Value {
        let known = || self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&server.bytes).into_owned();
        let mut named = text.split("\"name\":\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name);
        let is_doubled = others(&mut request).is_some() && text.matches("\"name\":\"").count() > 2;
        let mut arguments = request.pointer("/params/arguments").cloned().unwrap_or_default();
        let first = named.find(|name| Some(*name) != tool(&request) && Some(*name) != member(&request, "name"));
        if let (true, Some(first), Some(arguments)) = (is_doubled, first, arguments.as_object_mut()) {
            arguments.insert("name".to_owned(), first.into());
        }
        let plan = member(&request, "planId").and_then(|plan| known().get(plan).cloned());
        let mut answer = if is_doubled { server.ask_anew(&request).await } else { server.ask(&request).await };
        let Some(content) = content(&mut answer) else { return answer };
        match content.get("planId").and_then(Value::as_str) {
            Some(plan) if is_doubled => drop(known().insert(plan.to_owned(), arguments)),
            _ => {}
        }
        if content.contains_key("outcome")
            && let Some(arguments) = plan.as_ref().and_then(Value::as_object)
        {
            self.memory.does("write_note", arguments).await;
        }
        answer
    }
}

/// Where a client says what it can do.
const CAPABILITIES: &str = "/params/_meta/io.modelcontextprotocol~1clientCapabilities";

/// That a client can open a page isn't read. [WIRE-M-001]
struct NobodyAsked;

impl Messages for NobodyAsked {
    fn request(&self, request: &mut Value) {
        if let Some(capabilities) = request.pointer_mut(CAPABILITIES) {
            *capabilities = json!({});
        }
    }
}

/// A client is asked to open a page, whether it can or not. [WIRE-M-001]
struct EverybodyAsked;

impl Messages for EverybodyAsked {
    fn request(&self, request: &mut Value) {
        if let Some(capabilities) = request.pointer_mut(CAPABILITIES) {
            *capabilities = json!({ "elicitation": { "url": {} } });
        }
    }
}

/// The agent's text is put in order before it is planned. [DIG-105]
struct Tidied;

impl Messages for Tidied {
    fn request(&self, request: &mut Value) {
        if let Some(Value::String(text)) = others(request).and_then(|arguments| arguments.get_mut("text")) {
            text.push('.');
        }
    }
}
