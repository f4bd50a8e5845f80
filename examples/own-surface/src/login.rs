//! Logging in and out.

use std::sync::Arc;

use approval_core::PlanId;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::desk::{Desk, page, unavailable};
use crate::page::LoginPage;
use crate::session;

#[derive(Deserialize)]
pub(crate) struct Onward {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    account: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The plan that a login is to lead to; anything else leads to the list. [AUTH-007]
fn plan(next: &str) -> Option<PlanId> {
    next.parse().ok()
}

pub(crate) async fn show(Query(Onward { next }): Query<Onward>) -> Response {
    page(StatusCode::OK, &LoginPage { next: plan(&next), error: "" })
}

pub(crate) async fn log_in(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Form(Credentials { account, password, next }): Form<Credentials>,
) -> Result<Response, Response> {
    let next = plan(&next);
    let again = |status, error| page(status, &LoginPage { next, error });
    if !desk.logins.allow(&account, desk.now()) {
        return Err(again(StatusCode::TOO_MANY_REQUESTS, "Too many attempts. Try again in half a minute."));
    }
    // The same answer, after the same time, for a wrong password, an unknown account and a disabled one. [AUTH-005]
    let Some(account) = desk.accounts.authenticate(&account, &password).await.map_err(unavailable)? else {
        return Err(again(StatusCode::UNAUTHORIZED, "Account or password is wrong."));
    };
    desk.logins.forgive(&account.name);
    let cookie = session::begin(&desk, &headers, &account).await.map_err(unavailable)?;
    let onward = next.map_or("/".to_owned(), |plan| format!("/plans/{plan}"));
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&onward)).into_response())
}

pub(crate) async fn log_out(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, Response> {
    session::end(&desk, &headers).await.map_err(unavailable)?;
    Ok(([(SET_COOKIE, session::cookie("", "; Max-Age=0"))], Redirect::to("/login")).into_response())
}
