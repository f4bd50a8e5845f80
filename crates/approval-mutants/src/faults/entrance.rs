//! What stands around the bearer guard.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
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
