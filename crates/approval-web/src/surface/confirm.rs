//! The last word on a decision, after a login at an identity provider.
//!
//! What is decided was fixed before the login, and only the page that came back from it can confirm: its token is in nobody
//! else's hands, also not in those of who has the session's cookie. [AUTH-010] [AUTH-013]

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Identity, RecordKind};
use approval_core::{Digest, Timestamp};
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Desk;
use super::decide::{Ready, Undecided, answer, take};
use super::login::ill_formed;
use super::notice::{self, page};
use super::plan::refused;
use super::session::random_name;
use super::visitor::{PlanPath, Visitor};
use crate::page::chrome::{Chrome, ConfirmPage};
use crate::page::fold::Passage;
use crate::page::name::Name;
use crate::page::shown::Shown;

/// How long after the login a decision can be confirmed.
const LASTS: Duration = Duration::from_secs(5 * 60);

/// How a person authenticated for one decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Authentication {
    /// When.
    pub(super) auth_time: Timestamp,
    /// In which way, in the issuer's words.
    pub(super) acr: Option<String>,
    /// By which methods (RFC 8176).
    pub(super) amr: Vec<String>,
}

/// A decision that waits for its confirmation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Waiting {
    #[serde(rename = "type")]
    kind: WaitingType,
    session: Digest,
    identity: Identity,
    ready: Ready,
    authentication: Authentication,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum WaitingType {
    #[serde(rename = "mutation-approval/confirmation/v0")]
    V0,
}

/// Says what is to be decided, and asks for the last word. The browser comes from another site and shows no session; who it is
/// was proven just now.
pub(super) async fn ask(
    desk: &Desk,
    session: Digest,
    identity: Identity,
    ready: Ready,
    authentication: Authentication,
) -> Response {
    let name = Name::new(identity.person.as_str());
    let view = match desk.approvals.view(&identity, &ready.plan_id.to_string()).await {
        Ok(view) => view,
        Err(refusal) => return refused(desk, name, &refusal),
    };
    let chrome = Chrome { base: desk.address.base().to_owned(), viewer: Some(name), title: "Confirm" };
    let token = match random_name(desk.entropy.as_ref()) {
        Ok(token) => token,
        Err(error) => return notice::unavailable(desk, None, &error),
    };
    let shown = ConfirmPage {
        chrome,
        id: ready.plan_id.to_string(),
        token: token.clone(),
        verdict: ready.verdict,
        headline: Passage::new(Shown::prose(&view.review.headline.text)),
        target: Name::new(&view.intent.target.name),
        requester: Name::new(view.header.requester.person.as_str()),
        comment: ready.comment.as_deref().map(|comment| Passage::new(Shown::prose(comment))),
        mutes: ready.mute,
        plan_digest: ready.plan_digest.to_string(),
    };
    let waiting = Waiting { kind: WaitingType::V0, session, identity, ready, authentication };
    let until = desk.now().after(LASTS);
    match desk.transient.put(RecordKind::Login, &kept(&token), &waiting, until).await {
        Ok(()) => page(StatusCode::OK, &shown),
        Err(error) => notice::unavailable(desk, None, &error),
    }
}

/// What the browser sends.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    confirm: String,
}

pub(super) async fn confirm(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    plan: PlanPath,
    confirmed: Result<axum::Form<Confirmed>, FormRejection>,
) -> Response {
    let view = match desk.approvals.view(&visitor.identity, &plan.id).await {
        Ok(view) => view,
        Err(refusal) => return refused(&desk, visitor.name(), &refusal),
    };
    let Ok(axum::Form(confirmed)) = confirmed else { return ill_formed(&desk) };
    let taken = desk.transient.take::<Waiting>(RecordKind::Login, &kept(&confirmed.confirm), desk.now()).await;
    let waiting = match taken {
        Ok(waiting) => waiting,
        Err(error) => return notice::unavailable(&desk, Some(visitor.name()), &error),
    };
    let ours = |waiting: &Waiting| {
        waiting.session == visitor.session.digest()
            && waiting.identity == visitor.identity
            && waiting.ready.plan_id == view.header.plan_id
    };
    let Some(waiting) = waiting.filter(ours) else {
        return answer(&desk, &visitor, view.header.plan_id, Err(Undecided::Spent));
    };
    let taken = take(&desk, &visitor, &view, waiting.ready, waiting.authentication).await;
    answer(&desk, &visitor, view.header.plan_id, taken)
}

fn kept(token: &str) -> String {
    format!("confirm/{token}")
}
