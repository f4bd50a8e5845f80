//! MCP over streamable HTTP.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{StreamExt as _, iter};
use reqwest::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::message::initialize_params;
use super::sse::Events;
use super::{Capabilities, Raw, Request, Revision, WireError, notification};
use crate::oracle;

const BOTH: &str = "application/json, text/event-stream";

/// A connection over HTTP.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    url: String,
    token: Option<String>,
    revision: Revision,
    capabilities: Capabilities,
    name: String,
    ids: AtomicU64,
    /// Of 2025-11-25: what `initialize` answered, and the session that it opened.
    session: OnceCell<Session>,
}

#[derive(Clone, Debug, Default)]
struct Session {
    id: Option<String>,
    initialized: Value,
}

fn body_of(parts: &[Bytes]) -> Body {
    match parts {
        [whole] => Body::from(whole.clone()),
        parts => Body::wrap_stream(iter(parts.to_vec()).map(Ok::<_, Infallible>)),
    }
}

fn length_of(parts: &[Bytes]) -> usize {
    parts.iter().map(Bytes::len).sum()
}

/// An answer of HTTP, as it came.
#[derive(Debug)]
pub(crate) struct HttpReply {
    /// Its status.
    pub(crate) status: u16,
    /// Its body.
    pub(crate) body: String,
}

impl HttpReply {
    /// The messages in it, whether it is one message or a stream of events.
    pub(crate) fn messages(&self) -> Vec<Value> {
        if let Ok(message) = parse(self.body.as_bytes()) {
            return vec![message];
        }
        let data = Events::default().push(self.body.as_bytes());
        data.iter().filter_map(|data| parse(data.as_bytes()).ok()).collect()
    }
}

impl Http {
    pub(crate) fn new(
        client: Client,
        url: String,
        token: Option<String>,
        (revision, capabilities, name): (Revision, Capabilities, String),
    ) -> Self {
        Self { client, url, token, revision, capabilities, name, ids: AtomicU64::new(1), session: OnceCell::new() }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// The whole answer to `initialize`: of 2025-11-25 only.
    pub(crate) async fn initialized(&self, within: Duration) -> Result<Value, WireError> {
        Ok(self.session(within).await?.initialized)
    }

    pub(super) async fn request(&self, request: &Request, within: Duration) -> Result<Value, WireError> {
        let session = self.session(within).await?;
        let post = self.post(request.to_json().to_string().into_bytes(), &session);
        let post = self.named(post, request.method, request.tool());
        let answer = answer_of(post, request.id, within).await?;
        answer.ok_or_else(|| WireError::Gone("the answer ended without a message".to_owned()))
    }

    pub(super) async fn raw(&self, raw: &Raw<'_>, within: Duration) -> Result<Option<Value>, WireError> {
        let session = self.session(within).await?;
        let (method, tool) = raw.named;
        let post = self.named(
            self.post(body_of(raw.parts), &session).header(CONTENT_LENGTH, length_of(raw.parts)),
            method,
            tool,
        );
        match answer_of(post, raw.id, within).await {
            Err(WireError::Late(_)) => Ok(None),
            answer => answer,
        }
    }

    /// Sends a request with other headers than it should have, and gives what comes as it is. `None` takes a header away.
    pub(crate) async fn odd(
        &self,
        request: &Request,
        headers: &[(&str, Option<&str>)],
        within: Duration,
    ) -> Result<HttpReply, WireError> {
        let session = self.session(within).await?;
        let post =
            self.named(self.post(request.to_json().to_string().into_bytes(), &session), request.method, request.tool());
        let mut request = post.build().map_err(|error| WireError::Gone(error.to_string()))?;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| WireError::Gone(error.to_string()))?;
            match value {
                Some(value) => {
                    let value = HeaderValue::from_str(value).map_err(|error| WireError::Gone(error.to_string()))?;
                    request.headers_mut().insert(name, value);
                }
                None => drop(request.headers_mut().remove(name)),
            }
        }
        let reply = async {
            let response = self.client.execute(request).await.map_err(gone)?;
            let status = response.status().as_u16();
            Ok(HttpReply { status, body: response.text().await.map_err(gone)? })
        };
        timeout(within, reply).await.map_err(|_| WireError::Late(within))?
    }

    /// Begins a request and hangs up once it has been sent: what an agent that goes away does.
    pub(crate) async fn hang_up(&self, request: &Request, after: impl Future<Output = ()>) -> Result<(), WireError> {
        let session = self.session(Duration::from_secs(10)).await?;
        let post =
            self.named(self.post(request.to_json().to_string().into_bytes(), &session), request.method, request.tool());
        // The headers of a stream come at once: it is read until then.
        let whole = async { post.send().await?.bytes().await };
        tokio::select! {
            answer = whole => drop(answer),
            () = after => {}
        }
        Ok(())
    }

    async fn session(&self, within: Duration) -> Result<Session, WireError> {
        if self.revision != Revision::V2025_11_25 {
            return Ok(Session::default());
        }
        self.session.get_or_try_init(|| self.initialize(within)).await.cloned()
    }

    async fn initialize(&self, within: Duration) -> Result<Session, WireError> {
        let request = Request { id: 0, method: "initialize", params: initialize_params(self.capabilities, &self.name) };
        let post = self.post(request.to_json().to_string().into_bytes(), &Session::default());
        let open = async {
            let response = post.send().await.map_err(gone)?;
            let id = response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
            let initialized = message_of(response, 0).await?;
            Ok((id, initialized.ok_or_else(|| WireError::Gone("`initialize` has no answer".to_owned()))?))
        };
        let (id, initialized) = timeout(within, open).await.map_err(|_| WireError::Late(within))??;
        let session = Session { id, initialized };
        let done = notification("notifications/initialized", None);
        let told = self.post(done.to_string().into_bytes(), &session).send();
        timeout(within, told).await.map_err(|_| WireError::Late(within))?.map_err(gone)?;
        Ok(session)
    }

    fn post(&self, body: impl Into<Body>, session: &Session) -> RequestBuilder {
        let mut post = self.client.request(Method::POST, &self.url).body(body);
        post = post.header("content-type", "application/json").header("accept", BOTH);
        post = post.header("mcp-protocol-version", self.revision.as_str());
        if let Some(token) = &self.token {
            post = post.bearer_auth(token);
        }
        if let Some(id) = &session.id {
            post = post.header("mcp-session-id", id);
        }
        post
    }

    /// 2026-07-28 names method and tool in headers too.
    fn named(&self, post: RequestBuilder, method: &str, tool: Option<&str>) -> RequestBuilder {
        if self.revision != Revision::V2026_07_28 {
            return post;
        }
        let post = post.header("mcp-method", method);
        match tool {
            Some(tool) => post.header("mcp-name", tool),
            None => post,
        }
    }
}

async fn answer_of(post: RequestBuilder, id: u64, within: Duration) -> Result<Option<Value>, WireError> {
    let answer = async { message_of(post.send().await.map_err(gone)?, id).await };
    timeout(within, answer).await.map_err(|_| WireError::Late(within))?
}

/// The message with that id, or the one that is an error without an id; none where the transport took the request and says nothing.
async fn message_of(mut response: Response, id: u64) -> Result<Option<Value>, WireError> {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        let mut events = Events::default();
        while let Some(bytes) = response.chunk().await.map_err(gone)? {
            for data in events.push(&bytes) {
                let message = parse(data.as_bytes())?;
                if is_answer(&message, id) {
                    return Ok(Some(message));
                }
            }
        }
        return Ok(None);
    }
    let body = response.bytes().await.map_err(gone)?;
    match parse(&body) {
        Ok(message) if is_answer(&message, id) => Ok(Some(message)),
        _ if matches!(status, 202 | 204) && body.is_empty() => Ok(None),
        Err(garbage) if (200..300).contains(&status) => Err(garbage),
        _ => Err(WireError::Status { status, text: String::from_utf8_lossy(&body).into_owned() }),
    }
}

/// Whether a message answers the request `id`. An error about a message that couldn't be read has no id.
pub(super) fn is_answer(message: &Value, id: u64) -> bool {
    let is_response = message.get("result").is_some() || message.get("error").is_some();
    is_response && message.get("id").is_none_or(|found| found.is_null() || found.as_u64() == Some(id))
}

/// Reads a message, strictly.
pub(super) fn parse(text: &[u8]) -> Result<Value, WireError> {
    oracle::read(text).map_err(|error| WireError::Garbage {
        what: format!("not a message ({error})"),
        text: String::from_utf8_lossy(text).into_owned(),
    })
}

fn gone(error: reqwest::Error) -> WireError {
    let mut text = error.without_url().to_string();
    if text.is_empty() {
        text.push_str("the connection failed");
    }
    WireError::Gone(text)
}
