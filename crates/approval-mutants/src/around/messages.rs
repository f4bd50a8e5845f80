//! Around the endpoint: each message on its way in and out.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse as _, Response};
use http::{Method, Request, StatusCode};
use reference_target::Layer;
use serde_json::{Map, Value};

use super::beyond::Beyond;

/// The longest body that is looked at. What is longer the server turns away anyway.
const LONGEST: usize = 64 << 20;

/// Stands around the endpoint: requests and their answers may be others when they have passed.
#[async_trait]
pub(crate) trait Messages: Send + Sync + 'static {
    /// A request, before the server gets it.
    fn request(&self, _request: &mut Value) {}

    /// An answer, before the client gets it. What the server got is `request`.
    fn answer(&self, _request: &Value, _answer: &mut Value) {}

    /// What is read from what is no message; nothing, where it goes on as it is.
    fn unreadable(&self, _text: &str) -> Option<Value> {
        None
    }

    /// The request that a message without an id is taken for; nothing, where it is none.
    fn notice(&self, _message: &Value) -> Option<Value> {
        None
    }

    /// A request and its answer.
    async fn exchange(&self, mut request: Value, server: &mut Beyond) -> Value {
        self.request(&mut request);
        let mut answer = server.ask(&request).await;
        self.answer(&request, &mut answer);
        answer
    }
}

/// The layer in which `messages` stands around an endpoint.
pub(crate) fn around_messages(messages: impl Messages) -> Layer {
    let messages = Arc::new(messages);
    Box::new(move |inner: Router| {
        Router::new().fallback(move |request: Request<Body>| {
            let (messages, inner) = (Arc::clone(&messages), inner.clone());
            async move { pass(messages.as_ref(), inner, request).await }
        })
    })
}

async fn pass(messages: &impl Messages, inner: Router, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        return Beyond::forward(inner, Request::from_parts(head, body)).await;
    }
    let Ok(bytes) = to_bytes(body, LONGEST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let message = match serde_json::from_slice::<Value>(&bytes) {
        Ok(message) => Some(message),
        Err(_) => messages.unreadable(&String::from_utf8_lossy(&bytes)),
    };
    let Some(message) = message else { return Beyond::forward(inner, Request::from_parts(head, bytes.into())).await };
    if let Some(request) = messages.notice(&message) {
        let mut server = Beyond::new(inner, head, bytes, message);
        messages.exchange(request, &mut server).await;
        return StatusCode::ACCEPTED.into_response();
    }
    if message.get("id").is_none() || message.get("method").is_none() {
        return Beyond::forward(inner, Request::from_parts(head, bytes.into())).await;
    }
    // What couldn't be read is sent as it was read now.
    let came = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut server = Beyond::new(inner, head, bytes, came);
    let id = message.get("id").cloned();
    let mut answer = messages.exchange(message, &mut server).await;
    if let (Some(members), Some(id)) = (answer.as_object_mut(), id) {
        members.insert("id".to_owned(), id);
    }
    server.response(&answer)
}

/// The tool that a request calls.
pub(crate) fn tool(request: &Value) -> Option<&str> {
    request.get("method").filter(|method| *method == "tools/call")?;
    request.pointer("/params/name")?.as_str()
}

/// A text among the arguments of a call.
pub(crate) fn member<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    request.pointer("/params/arguments")?.get(name)?.as_str()
}

/// The structured content of an answer.
pub(crate) fn content(answer: &mut Value) -> Option<&mut Map<String, Value>> {
    answer.pointer_mut("/result/structuredContent")?.as_object_mut()
}
