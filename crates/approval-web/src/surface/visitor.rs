//! Who is looking: a person with a session, or nobody.

use std::convert::Infallible;
use std::sync::Arc;

use approval_core::record::Identity;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::request::Parts;

use super::session::{self, Login, SessionId};
use super::{Desk, notice};
use crate::page::chrome::Chrome;
use crate::page::name::Name;

/// A person who is logged in. Whoever isn't is sent to the login, before anything else is looked at. [SURF-010] [SURF-011]
pub(super) struct Visitor {
    pub(super) session: SessionId,
    pub(super) login: Login,
    pub(super) identity: Identity,
}

impl Visitor {
    pub(super) fn name(&self) -> Name {
        Name::new(self.identity.person.as_str())
    }

    pub(super) fn chrome(&self, desk: &Desk, title: &'static str) -> Chrome {
        Chrome { base: desk.address.base().to_owned(), viewer: Some(self.name()), title }
    }
}

/// The plan that a path names, and the document, where it names one. Nothing is decoded: what an id or a document is called
/// needs no escapes, and anything else is none.
pub(super) struct PlanPath {
    pub(super) id: String,
    pub(super) document: String,
}

impl FromRequestParts<Arc<Desk>> for PlanPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Infallible> {
        let path = parts.uri.path().strip_prefix(desk.address.base()).unwrap_or_default();
        let path = path.strip_prefix("/plans/").unwrap_or_default();
        let (id, document) = path.split_once('/').unwrap_or((path, ""));
        Ok(Self { id: id.to_owned(), document: document.to_owned() })
    }
}

impl FromRequestParts<Arc<Desk>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Response> {
        match look(parts, desk).await {
            Ok(Some(visitor)) => Ok(visitor),
            Ok(None) => Err(to_login(parts, desk)),
            Err(error) => Err(notice::unavailable(desk, None, &error)),
        }
    }
}

async fn look(parts: &Parts, desk: &Desk) -> Result<Option<Visitor>, String> {
    let Some(id) = desk.cookie.read(&parts.headers) else { return Ok(None) };
    let found = session::find(&desk.transient, &desk.options, &id, desk.now()).await;
    let Some(session) = found.map_err(|error| error.to_string())? else { return Ok(None) };
    // Asked again each time: a disabled account, another person or another password ends the session. [AUTH-003]
    let still = match &session.login {
        Login::Account { name, credential } => {
            let account = desk.accounts.find(name).map_err(|error| error.to_string())?;
            let account = account.filter(|account| !account.disabled && account.credential() == *credential);
            account.is_some_and(|account| account.identity() == session.identity)
        }
        Login::Provider { id, .. } => desk.is_still(id, &session.identity).await?,
    };
    Ok(still.then_some(Visitor { session: id, login: session.login, identity: session.identity }))
}

fn to_login(parts: &Parts, desk: &Desk) -> Response {
    let next = desk.address.onward(parts.uri.path());
    // Made of the base path and a plan id: there is nothing in it to be escaped.
    Redirect::to(&format!("{}/login?next={next}", desk.address.base())).into_response()
}
