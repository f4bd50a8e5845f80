//! Logging in and out.

use std::sync::Arc;

use approval_core::record::Identity;
use approval_core::transient::TransientError;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::client::Caller;
use super::notice::{Notice, page};
use super::session::{Login, SessionId};
use super::{Desk, notice, session};
use crate::page::chrome::{Chrome, LoggedOutPage, LoginPage};
use crate::page::words;

const CLEAR_SITE_DATA: header::HeaderName = header::HeaderName::from_static("clear-site-data");

#[derive(Debug, Deserialize)]
pub(super) struct Onward {
    #[serde(default)]
    pub(super) next: String,
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
    let mut page = match login_page(&desk, &next) {
        Ok(page) => page,
        Err(error) => return notice::unavailable(&desk, None, &error),
    };
    page.arrived = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    notice::page(StatusCode::OK, &page)
}

pub(super) async fn log_in(
    State(desk): State<Arc<Desk>>,
    from: Caller,
    headers: HeaderMap,
    form: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let Ok(Form(credentials)) = form else { return ill_formed(&desk) };
    let mut again = match login_page(&desk, &credentials.next) {
        Ok(page) => page,
        Err(error) => return notice::unavailable(&desk, None, &error),
    };
    again.account = credentials.account.clone();
    let allowed = from.attempt(&desk).and_then(|()| desk.logins.attempt(&credentials.account, desk.now()));
    if let Err(wait) = allowed {
        again.error = Some(format!("Too many attempts. Try again in {}.", words::duration(up(wait))));
        return notice::come_again(wait, page(StatusCode::TOO_MANY_REQUESTS, &again));
    }
    let account = match desk.accounts.authenticate(&credentials.account, &credentials.password).await {
        Ok(Some(account)) => account,
        Ok(None) => {
            // What is no account's name may be a password in the wrong field: it is never logged.
            let known = desk.accounts.find(&credentials.account).ok().flatten().map(|account| account.name);
            tracing::warn!(account = ?known, from = %from, "a login was refused");
            again.error = Some("Account or password is wrong.".to_owned()); // [AUTH-005]
            return page(StatusCode::UNAUTHORIZED, &again);
        }
        Err(error) => return notice::unavailable(&desk, None, &error),
    };
    desk.logins.forgive(&credentials.account);
    from.forgive(&desk);
    match open_session(&desk, desk.cookie.read(&headers), Login::with(&account), account.identity()).await {
        Ok(id) => with_session(Redirect::to(&desk.address.onward(&credentials.next)), desk.cookie.set(&id)),
        Err(error) => notice::unavailable(&desk, None, &error),
    }
}

/// A session for a person who has just logged in.
///
/// Whatever sessions the browser came with are over: a name that somebody else may know is never taken on. [AUTH-001]
pub(super) async fn open_session(
    desk: &Desk,
    before: impl IntoIterator<Item = SessionId>,
    login: Login,
    identity: Identity,
) -> Result<SessionId, TransientError> {
    let now = desk.now();
    for old in before {
        session::end(&desk.transient, &old, now).await?;
    }
    if let Err(error) = desk.transient.sweep(now).await {
        tracing::warn!(%error, "expired sessions were not removed");
    }
    session::begin(&desk.transient, desk.entropy.as_ref(), &desk.options, login, identity, now).await
}

/// Ends the session on the server too. [AUTH-002] Where it began at an identity provider, the person may still be logged in
/// there: it is theirs to say.
pub(super) async fn log_out(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let ended = match desk.cookie.read(&headers) {
        Some(id) => session::end(&desk.transient, &id, desk.now()).await,
        None => Ok(None),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => return notice::unavailable(&desk, None, &error),
    };
    let response = match ended.map(|session| session.login) {
        Some(Login::Provider { id, id_token }) => match desk.end_session(&id, &id_token).await {
            Some((provider, url)) => {
                let chrome = Chrome { base: desk.address.base().to_owned(), viewer: None, title: "Logged out" };
                page(StatusCode::OK, &LoggedOutPage { chrome, provider, url })
            }
            None => to_login(&desk),
        },
        _ => to_login(&desk),
    };
    with_session(response, desk.cookie.remove())
}

fn to_login(desk: &Desk) -> Response {
    Redirect::to(&format!("{}/login", desk.address.base())).into_response()
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

fn login_page(desk: &Desk, next: &str) -> Result<LoginPage, String> {
    let chrome = Chrome { base: desk.address.base().to_owned(), viewer: None, title: "Log in" };
    let next = desk.address.onward(next);
    let providers = desk.login_providers().map_err(|error| error.to_string())?;
    let accounts = providers.is_empty() || !desk.accounts.list().map_err(|error| error.to_string())?.is_empty();
    Ok(LoginPage { chrome, next, error: None, account: String::new(), accounts, providers, arrived: false })
}

/// Another session, or none: what the browser kept of the one before goes. `no-store` alone doesn't do that: Chromium holds on to
/// pages that were left a moment ago, and its button back would show them again.
pub(super) fn with_session(response: impl IntoResponse, cookie: Option<http::HeaderValue>) -> Response {
    let mut response = response.into_response();
    response.headers_mut().insert(CLEAR_SITE_DATA, http::HeaderValue::from_static("\"cache\""));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
