//! The service over HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use reference_target::{PROCESS, SERVICE};
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::object::Object;
use super::shelf::Shelf;
use crate::request::{Answering, Death, Drift};
use crate::server::signal_to;

/// The service, as long as this is held.
#[derive(Debug)]
pub(crate) struct NotesService {
    url: String,
    shelf: Shared,
    serving: AbortHandle,
}

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Shelf>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NotesService {
    /// Begins with nothing, on a free port of loopback.
    pub(crate) async fn start() -> Result<Self> {
        let shelf = Shared::default();
        let routes = Router::new()
            .route("/notes/{name}", get(read).put(write))
            .route("/announcements", post(announce))
            .with_state(shelf.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await }).abort_handle();
        Ok(Self { url, shelf, serving })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How often the effect of a call with these arguments has occurred.
    pub(crate) fn effects(&self, object: &Object, arguments: &Map<String, Value>) -> usize {
        self.shelf.lock().effects(object, arguments)
    }

    pub(crate) fn drift(&self, object: &Object, how: Drift) {
        self.shelf.lock().drift(object, how);
    }

    pub(crate) fn hold(&self, object: &Object) {
        self.shelf.lock().hold(object);
    }

    pub(crate) fn release(&self, object: &Object) {
        self.shelf.lock().release(object);
    }

    /// Whether a write waits there, now or within so many seconds.
    pub(crate) async fn is_held(&self, object: &Object, seconds: f64) -> bool {
        let mut waiting = self.shelf.lock().hold_of(object).waiting.subscribe();
        let patience = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        timeout(patience, waiting.wait_for(|waiting| *waiting > 0)).await.is_ok_and(|held| held.is_ok())
    }

    /// All that is held anywhere goes on.
    pub(crate) fn release_all(&self) {
        self.shelf.lock().release_all();
    }

    /// How the next announcement on a topic is answered.
    pub(crate) fn answer_next(&self, object: &Object, how: Answering) {
        self.shelf.lock().answers.insert(object.clone(), how);
    }

    /// The server dies at its next write.
    pub(crate) fn kill_at_effect(&self, death: Death) {
        self.shelf.lock().death = Some(death);
    }
}

impl Drop for NotesService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn read(State(shelf): State<Shared>, Path(name): Path<String>) -> Response {
    let object = Object::note(&name);
    let shelf = shelf.lock();
    if is_unreachable(&shelf, &object, &name) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let which = if shelf.faults(&object).replaced { "another" } else { "the first" };
    match shelf.note(&object) {
        Some(note) => {
            let headers = [(SERVICE, which.to_owned()), (header::ETAG, note.etag.clone())];
            (headers, note.content.to_string()).into_response()
        }
        None => (StatusCode::NOT_FOUND, [(SERVICE, which)]).into_response(),
    }
}

async fn write(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: String,
) -> Response {
    let (object, Ok(note)) = (Object::note(&name), serde_json::from_str::<Map<String, Value>>(&body)) else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "a note is an object").into_response();
    };
    let is_dry_run = query.as_deref() == Some("dry-run");
    if !is_dry_run {
        wait_while_held(&shared, &object).await;
    }
    let death = {
        let mut shelf = shared.lock();
        if is_unreachable(&shelf, &object, &name) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        if is_dry_run {
            if shelf.faults(&object).refused || name.starts_with("refused-") {
                return (StatusCode::UNPROCESSABLE_ENTITY, "notes like this aren't taken").into_response();
            }
            return shelf.preview(&object, &note).to_string().into_response();
        }
        if name.ends_with(".copy") {
            return (StatusCode::UNPROCESSABLE_ENTITY, "there is no room for copies").into_response();
        }
        if !is_as_expected(&headers, shelf.note(&object).map(|note| note.etag.as_str())) {
            return StatusCode::PRECONDITION_FAILED.into_response();
        }
        shelf.death.take()
    };
    apply(&shared, &object, note, death, &headers).await
}

async fn announce(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let announcement = serde_json::from_str::<Map<String, Value>>(&body).unwrap_or_default();
    let Ok(object) = Object::of(&announcement) else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "an announcement has a topic").into_response();
    };
    wait_while_held(&shared, &object).await;
    let (death, answer) = {
        let mut shelf = shared.lock();
        (shelf.death.take(), shelf.answers.remove(&object).unwrap_or(Answering::Ordinary))
    };
    let content = announcement.into_iter().filter(|(member, _)| member != "topic").collect();
    let applied = apply(&shared, &object, content, death, &headers).await;
    if answer == Answering::Ordinary { applied } else { json!({ "answer": answer.name() }).to_string().into_response() }
}

/// The effect, and the end of the process that asked for it, where that is due. Then nobody is left to be answered.
async fn apply(
    shared: &Shared,
    object: &Object,
    content: Map<String, Value>,
    death: Option<Death>,
    headers: &HeaderMap,
) -> Response {
    if death == Some(Death::BeforeEffect) {
        return end(headers).await;
    }
    let etag = shared.lock().apply(object, content.clone().into());
    if death.is_some() {
        return end(headers).await;
    }
    ([(header::ETAG, etag)], Value::Object(content).to_string()).into_response()
}

/// Kills the process that asks.
async fn end(headers: &HeaderMap) -> Response {
    let process = text(headers, &PROCESS).and_then(|process| process.parse().ok());
    match process.map(|process| signal_to(process, Signal::KILL)) {
        Some(Ok(())) => std::future::pending().await,
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "who asks can't be killed").into_response(),
    }
}

/// Returns at once unless writes of the object are held, and then when they are released.
async fn wait_while_held(shared: &Shared, object: &Object) {
    let (mut is_on, waiting) = {
        let mut shelf = shared.lock();
        let hold = shelf.hold_of(object);
        (hold.is_on.subscribe(), hold.waiting.clone())
    };
    if *is_on.borrow() {
        waiting.send_modify(|waiting| *waiting += 1);
        // Whoever waits may go before it is over: their connection is closed, and this is dropped.
        let _one_less = OneLess(waiting);
        let _ = is_on.wait_for(|is_on| !is_on).await;
    }
}

struct OneLess(tokio::sync::watch::Sender<usize>);

impl Drop for OneLess {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

fn is_unreachable(shelf: &Shelf, object: &Object, name: &str) -> bool {
    shelf.faults(object).unreachable || name.starts_with("unreachable-")
}

/// Whether what is there is what whoever writes expects to be there.
fn is_as_expected(headers: &HeaderMap, etag: Option<&str>) -> bool {
    match (text(headers, &header::IF_MATCH), text(headers, &header::IF_NONE_MATCH)) {
        (Some(expected), _) => etag == Some(expected),
        (None, Some(_)) => etag.is_none(),
        (None, None) => true,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
