//! What stands around the bearer guard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    // Whoever comes without a token goes on as the last one who had one: a pool of connections does that. [WIRE-021] [WIRE-022]
    Fault::new("nobody-is-the-last-one", |parts| {
        let last: Arc<Mutex<Option<HeaderValue>>> = Arc::default();
        let layer = move |request: Request, next: Next| {
            let request = as_the_last_one(&last, request);
            next.run(request)
        };
        Parts { entrance: Box::new(|router: Router| router.layer(from_fn(layer))), ..parts }
    }),
    // Whoever is in a session is whoever began it. [WIRE-020]
    Fault::new("session-is-the-bearer", |parts| {
        let owners: Owners = Arc::default();
        let layer = move |request: Request, next: Next| {
            let owners = Arc::clone(&owners);
            async move { in_their_session(&owners, request, next).await }
        };
        Parts { entrance: Box::new(|router: Router| router.layer(from_fn(layer))), ..parts }
    }),
    // A header that proxies set is believed, whoever sets it. [WIRE-020]
    Fault::new("proxies-believed", |parts| {
        let last: Arc<Mutex<Option<HeaderValue>>> = Arc::default();
        let layer = move |request: Request, next: Next| {
            let is_told = request.headers().contains_key("x-forwarded-user");
            let is_known = request.headers().contains_key(AUTHORIZATION);
            let request = if is_told || is_known { as_the_last_one(&last, request) } else { request };
            next.run(request)
        };
        Parts { entrance: Box::new(|router: Router| router.layer(from_fn(layer))), ..parts }
    }),
    // Pages of any site may call, and names of any site lead here. [WIRE-023]
    Fault::new("any-origin-is-good", |parts| {
        let layer = |mut request: Request, next: Next| {
            request.headers_mut().remove(ORIGIN);
            request.headers_mut().insert(HOST, HeaderValue::from_static("127.0.0.1"));
            next.run(request)
        };
        Parts { entrance: Box::new(move |router: Router| router.layer(from_fn(layer))), ..parts }
    }),
];

fn as_the_last_one(last: &Mutex<Option<HeaderValue>>, mut request: Request) -> Request {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    match (request.headers().get(AUTHORIZATION), last.as_ref()) {
        (Some(token), _) => *last = Some(token.clone()),
        (None, Some(token)) => {
            let token = token.clone();
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        (None, None) => {}
    }
    request
}

/// The tokens with which sessions were begun.
type Owners = Arc<Mutex<HashMap<HeaderValue, HeaderValue>>>;

const SESSION: &str = "mcp-session-id";

async fn in_their_session(owners: &Owners, mut request: Request, next: Next) -> Response {
    let known = || owners.lock().unwrap_or_else(PoisonError::into_inner);
    let owner = request.headers().get(SESSION).and_then(|session| known().get(session).cloned());
    if let Some(owner) = owner {
        request.headers_mut().insert(AUTHORIZATION, owner);
    }
    let token = request.headers().get(AUTHORIZATION).cloned();
    let response = next.run(request).await;
    if let (Some(session), Some(token)) = (response.headers().get(SESSION), token) {
        known().entry(session.clone()).or_insert(token);
    }
    response
}
