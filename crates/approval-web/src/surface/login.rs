//! Logging in and out.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::notice::{Notice, page};
use super::{Desk, notice, session};
use crate::page::chrome::{Chrome, LoginPage};
use crate::page::words;

const CLEAR_SITE_DATA: header::HeaderName = header::HeaderName::from_static("clear-site-data");

#[derive(Debug, Deserialize)]
pub(super) struct Onward {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    account: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<Onward>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let next = query.map(|Query(onward)| onward.next).unwrap_or_default();
    let mut page = login_page(&desk, &next);
    page.arrived = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    notice::page(StatusCode::OK, &page)
}

pub(super) async fn log_in(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    form: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let Ok(Form(credentials)) = form else { return ill_formed(&desk) };
    let mut again = login_page(&desk, &credentials.next);
    again.account = credentials.account.clone();
    let counted = format!("login {}", credentials.account);
    if let Err(wait) = desk.throttle.attempt(&counted, desk.now()) {
        again.error = Some(format!("Too many attempts. Try again in {}.", words::duration(up(wait))));
        let seconds = up(wait).as_secs().to_string();
        return ([(header::RETRY_AFTER, seconds)], page(StatusCode::TOO_MANY_REQUESTS, &again)).into_response();
    }
    let account = match desk.accounts.authenticate(&credentials.account, &credentials.password).await {
        Ok(Some(account)) => account,
        Ok(None) => {
            // What is no account's name may be a password in the wrong field: it is never logged.
            let known = desk.accounts.find(&credentials.account).ok().flatten().map(|account| account.name);
            tracing::warn!(account = ?known, "a login was refused");
            again.error = Some("Account or password is wrong.".to_owned()); // [AUTH-005]
            return page(StatusCode::UNAUTHORIZED, &again);
        }
        Err(error) => return notice::unavailable(&desk, None, &error),
    };
    desk.throttle.forgive(&counted);
    let now = desk.now();
    // Whatever session the browser came with is over: a name that somebody else may know is never taken on. [AUTH-001]
    if let Some(old) = desk.cookie.read(&headers)
        && let Err(error) = session::end(&desk.transient, &old, now).await
    {
        return notice::unavailable(&desk, None, &error);
    }
    if let Err(error) = desk.transient.sweep(now).await {
        tracing::warn!(%error, "expired sessions were not removed");
    }
    match session::begin(&desk.transient, desk.entropy.as_ref(), &desk.options, &account, now).await {
        Ok(id) => with_cookie(Redirect::to(&desk.address.onward(&credentials.next)), desk.cookie.set(&id)),
        Err(error) => notice::unavailable(&desk, None, &error),
    }
}

/// Ends the session on the server too. [AUTH-002]
pub(super) async fn log_out(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if let Some(id) = desk.cookie.read(&headers)
        && let Err(error) = session::end(&desk.transient, &id, desk.now()).await
    {
        return notice::unavailable(&desk, None, &error);
    }
    with_cookie(Redirect::to(&format!("{}/login", desk.address.base())), desk.cookie.remove())
}

/// Rounded up to whole seconds.
pub(super) fn up(wait: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX))
}

/// A form that can't be read.
pub(super) fn ill_formed(desk: &Desk) -> Response {
    let text = "The form can’t be read, or is too large. Nothing was changed.";
    Notice::new(StatusCode::BAD_REQUEST, "Refused", text).onward(desk.address.inbox(), "All plans").show(desk, None)
}

fn login_page(desk: &Desk, next: &str) -> LoginPage {
    let chrome = Chrome { base: desk.address.base().to_owned(), viewer: None, title: "Log in" };
    let next = desk.address.onward(next);
    LoginPage { chrome, next, error: None, account: String::new(), arrived: false }
}

/// Another session, or none: what the browser kept of the one before goes. `no-store` alone doesn't do that: Chromium holds on to
/// pages that were left a moment ago, and its button back would show them again.
fn with_cookie(redirect: Redirect, cookie: Option<http::HeaderValue>) -> Response {
    let mut response = redirect.into_response();
    response.headers_mut().insert(CLEAR_SITE_DATA, http::HeaderValue::from_static("\"cache\""));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
