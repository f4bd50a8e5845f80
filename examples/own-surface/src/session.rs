//! Sessions: kept by the server, known to the browser by a random name. A session shows pages; it never decides.

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Identity, RecordKind};
use approval_core::transient::TransientError;
use approval_core::{Digest, Entropy as _, OsEntropy, PlanId, Timestamp};
use approval_web::Account;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, unavailable};

/// How long a session lasts at most, and without use. [AUTH-002]
const LENGTH: Duration = Duration::from_secs(8 * 3600);
const IDLE: Duration = Duration::from_secs(15 * 60);

const COOKIE: &str = "own-surface";

#[derive(Serialize, Deserialize)]
struct Session {
    account: String,
    credential: Digest,
    identity: Identity,
    expires_at: Timestamp,
}

/// That somebody was here: a value of its own, so that writing it doesn't bring back a session that was logged out meanwhile.
#[derive(Serialize, Deserialize)]
struct Seen {}

/// A person who is logged in. Whoever isn't is sent to the login, before anything else is looked at. [SURF-010] [SURF-011]
pub(crate) struct Visitor {
    /// The session's name: whoever has it has the session.
    pub(crate) session: String,
    pub(crate) account: String,
    pub(crate) identity: Identity,
}

impl FromRequestParts<Arc<Desk>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Response> {
        let Some(session) = named(&parts.headers) else { return Err(to_login(parts)) };
        find(desk, session).await.map_err(unavailable)?.ok_or_else(|| to_login(parts))
    }
}

async fn find(desk: &Desk, session: String) -> Result<Option<Visitor>, String> {
    let (now, seen) = (desk.now(), format!("{session}/seen"));
    let look = async {
        let found = desk.kept.find::<Session>(RecordKind::Session, &session, now).await?;
        let was_here = desk.kept.find::<Seen>(RecordKind::Session, &seen, now).await?.is_some();
        Ok::<_, TransientError>(found.filter(|_| was_here))
    };
    let Some(found) = look.await.map_err(|error| error.to_string())? else { return Ok(None) };
    // Asked at each request: a disabled account, another person or another password ends the session. [AUTH-003]
    let account = desk.accounts.find(&found.account).map_err(|error| error.to_string())?;
    let still = |account: &Account| {
        !account.disabled && account.credential() == found.credential && account.identity() == found.identity
    };
    if !account.as_ref().is_some_and(still) {
        return Ok(None);
    }
    let until = now.after(IDLE).min(found.expires_at);
    desk.kept.put(RecordKind::Session, &seen, &Seen {}, until).await.map_err(|error| error.to_string())?;
    Ok(Some(Visitor { session, account: found.account, identity: found.identity }))
}

/// Begins a session under a name of 256 random bits, made anew, and ends the one that the browser came with; the value of its cookie.
/// [AUTH-001]
pub(crate) async fn begin(desk: &Desk, headers: &HeaderMap, account: &Account) -> Result<String, String> {
    end(desk, headers).await.map_err(|error| error.to_string())?;
    let mut name = [0; 32];
    OsEntropy.fill(&mut name).map_err(|error| error.to_string())?;
    let (name, expires_at) = (URL_SAFE_NO_PAD.encode(name), desk.now().after(LENGTH));
    let session = Session {
        account: account.name.clone(),
        credential: account.credential(),
        identity: account.identity(),
        expires_at,
    };
    let begun = async {
        desk.kept.sweep(desk.now()).await?;
        desk.kept.put(RecordKind::Session, &format!("{name}/seen"), &Seen {}, desk.now().after(IDLE)).await?;
        desk.kept.put(RecordKind::Session, &name, &session, expires_at).await
    };
    begun.await.map_err(|error| error.to_string())?;
    Ok(cookie(&name, ""))
}

/// Ends the session that the browser came with, on the server. [AUTH-002]
pub(crate) async fn end(desk: &Desk, headers: &HeaderMap) -> Result<(), TransientError> {
    if let Some(name) = named(headers) {
        desk.kept.take::<Session>(RecordKind::Session, &name, desk.now()).await?;
    }
    Ok(())
}

/// No script reads it, and no other site makes the browser send it. Under https it would be `__Host-…` and `Secure`. [AUTH-004]
pub(crate) fn cookie(name: &str, more: &str) -> String {
    format!("{COOKIE}={name}; Path=/; HttpOnly; SameSite=Strict{more}")
}

fn named(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}

/// What a login leads to is a plan's page or the list, made anew: of an address only a plan's id is taken along. [AUTH-007]
fn to_login(parts: &Parts) -> Response {
    let plan = parts.uri.path().strip_prefix("/plans/").and_then(|id| id.parse::<PlanId>().ok());
    Redirect::to(&plan.map_or("/login".to_owned(), |plan| format!("/login?next={plan}"))).into_response()
}
