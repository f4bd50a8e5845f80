//! What is the same for everybody: style, script, icon, health, and the paths at which there is nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, Uri, header};

use super::visitor::Visitor;
use super::{Desk, notice};

const STYLE: &str = include_str!("../../assets/surface.css");
const SCRIPT: &str = include_str!("../../assets/surface.js");
const ICON: &str = include_str!("../../assets/icon.svg");

pub(super) async fn asset(State(desk): State<Arc<Desk>>, uri: Uri) -> Response {
    let (kind, content) = match uri.path().rsplit('/').next() {
        Some("surface.css") => ("text/css; charset=utf-8", STYLE),
        Some("surface.js") => ("text/javascript; charset=utf-8", SCRIPT),
        Some("icon.svg") => ("image/svg+xml", ICON),
        _ => return notice::not_found(&desk, None),
    };
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

/// Tells whose surface this is, so that another process of the same installation recognises it.
pub(super) async fn health(State(desk): State<Arc<Desk>>) -> Response {
    let audience = desk.approvals.audience().as_str();
    let body = serde_json::json!({ "service": "mutation-approval", "audience": audience }).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Not before a login: even that there is nothing is told to persons only.
pub(super) async fn nowhere(State(desk): State<Arc<Desk>>, visitor: Visitor) -> Response {
    notice::not_found(&desk, Some(visitor.name()))
}

/// For what is asked for by GET alone.
pub(super) async fn only_get() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}

pub(super) async fn add_slash(State(desk): State<Arc<Desk>>) -> Redirect {
    Redirect::permanent(&desk.address.inbox())
}
