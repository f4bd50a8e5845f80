//! The server that a layer stands around.

use std::sync::{Mutex, PoisonError};

use approval_core::Requester;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderValue, Request, StatusCode, request, response};
use serde_json::Value;
use tower::ServiceExt as _;

/// No body here is longer.
const LONGEST: usize = 64 << 20;

/// The server beyond the layer, as the sender of one request reaches it.
pub(crate) struct Beyond {
    router: Router,
    pub(crate) head: request::Parts,
    /// The request as it came: sent on as it is, where nobody has changed it.
    pub(crate) bytes: Bytes,
    came: Value,
    last: Mutex<Option<(response::Parts, Bytes)>>,
}

impl Beyond {
    pub(super) fn new(router: Router, head: request::Parts, bytes: Bytes, came: Value) -> Self {
        Self { router, head, bytes, came, last: Mutex::new(None) }
    }

    /// What the server answers to `request`; nothing, where that is no message.
    pub(crate) async fn ask(&self, request: &Value) -> Value {
        let response = self.send(request).await;
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, LONGEST).await.unwrap_or_default();
        let answer = find(&head, &bytes, request.get("id")).unwrap_or_default();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, bytes));
        answer
    }

    /// As `ask`, and the server gets the message as it was read here, whatever it was written like.
    pub(crate) async fn ask_anew(&mut self, request: &Value) -> Value {
        self.bytes = request.to_string().into();
        self.ask(request).await
    }

    /// As `ask`, for somebody else.
    pub(crate) async fn ask_for(&mut self, requester: Requester, request: &Value) -> Value {
        self.head.extensions.insert(requester);
        self.ask(request).await
    }

    /// The same router, for a sender of one's own choice.
    pub(crate) async fn forward(router: Router, request: Request<Body>) -> Response {
        router.oneshot(request).await.into_response()
    }

    async fn send(&self, request: &Value) -> Response {
        let mut head = self.head.clone();
        let bytes = if *request == self.came { self.bytes.clone() } else { request.to_string().into() };
        head.headers.remove(CONTENT_LENGTH);
        // 2026-07-28 names method and tool in headers too.
        let named = [("mcp-method", "/method"), ("mcp-name", "/params/name")];
        for (header, pointer) in named {
            let value = request.pointer(pointer).and_then(Value::as_str).map(HeaderValue::from_str);
            if let (true, Some(Ok(value))) = (head.headers.contains_key("mcp-method"), value) {
                head.headers.insert(header, value);
            }
        }
        Self::forward(self.router.clone(), Request::from_parts(head, Body::from(bytes))).await
    }

    /// The response with `answer` in it, in the form in which the server's own came.
    pub(super) fn response(self, answer: &Value) -> Response {
        let last = self.last.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some((mut head, bytes)) = last else {
            return (StatusCode::OK, [(CONTENT_TYPE, "application/json")], answer.to_string()).into_response();
        };
        let body = match answer {
            Value::Null => bytes,
            answer => put(&head, &bytes, answer),
        };
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(TRANSFER_ENCODING);
        Response::from_parts(head, Body::from(body))
    }
}

fn is_stream(head: &response::Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// The message that answers the request `id`.
fn find(head: &response::Parts, bytes: &[u8], id: Option<&Value>) -> Option<Value> {
    if !is_stream(head) {
        return serde_json::from_slice(bytes).ok().filter(|message| answers(message, id));
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let mut messages = text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok());
    messages.find(|message| answers(message, id))
}

/// The body with `answer` in the place of the message that it answers for.
fn put(head: &response::Parts, bytes: &Bytes, answer: &Value) -> Bytes {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if !is_stream(head) {
        return answer.to_string().into();
    }
    let line = |line: &str| {
        let message = line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok());
        if message.is_some_and(|message| answers(&message, answer.get("id"))) {
            format!("data: {answer}\n")
        } else {
            format!("{line}\n")
        }
    };
    text.lines().map(line).collect::<String>().into()
}

fn answers(message: &Value, id: Option<&Value>) -> bool {
    (message.get("result").is_some() || message.get("error").is_some()) && message.get("id") == id
}
