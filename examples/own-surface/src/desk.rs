//! What all pages share, and where each of them is.

use std::fmt::Display;
use std::sync::Arc;

use approval_core::seal::Sealer;
use approval_core::transient::SealedTransient;
use approval_core::{Approvals, InboxQuery, Reason, Refusal, Scope, Timestamp};
use approval_web::Accounts;
use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::attempts::Attempts;
use crate::page::{InboxPage, NoticePage};
use crate::session::Visitor;
use crate::text;
use crate::{decision, guard, login};

/// Bytes of the longest request: a comment of 2000 characters, and what stands around it. [SURF-021]
const LONGEST_REQUEST: usize = 64 * 1024;

pub(crate) struct Desk {
    pub(crate) approvals: Approvals,
    pub(crate) accounts: Accounts,
    pub(crate) kept: SealedTransient,
    pub(crate) sealer: Arc<dyn Sealer>,
    /// Where the pages are: scheme and host.
    pub(crate) origin: String,
    pub(crate) logins: Attempts,
    /// Counted apart, so that whoever can only reach the login keeps nobody from deciding. [AUTH-006]
    pub(crate) decisions: Attempts,
}

impl Desk {
    pub(crate) fn new(
        approvals: Approvals,
        accounts: Accounts,
        kept: SealedTransient,
        sealer: Arc<dyn Sealer>,
    ) -> Arc<Self> {
        let origin = approvals.surface().to_owned();
        let (logins, decisions) = (Attempts::default(), Attempts::default());
        Arc::new(Self { approvals, accounts, kept, sealer, origin, logins, decisions })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.approvals.clock().now()
    }
}

/// What is got changes nothing: who reads a plan by [`Approvals::page`] leaves it as it is. [SURF-012]
pub(crate) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(inbox))
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/plans/{id}", get(decision::show).post(decision::decide))
        .route(
            "/style.css",
            get(|| async { ([(header::CONTENT_TYPE, "text/css")], include_str!("../templates/style.css")) }),
        )
        .fallback(|_: Visitor| async { not_found() })
        .layer(DefaultBodyLimit::max(LONGEST_REQUEST))
        .layer(from_fn_with_state(Arc::clone(&desk), guard::guard))
        .with_state(desk)
}

#[derive(serde::Deserialize)]
struct After {
    after: Option<String>,
}

/// The plans that wait for the viewer. What they may not decide on isn't among them.
async fn inbox(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    Query(After { after }): Query<After>,
) -> Result<Response, Response> {
    let mut query = InboxQuery::new(Scope::Pending, 50);
    query.after = after.and_then(|after| after.parse().ok());
    let found = desk.approvals.inbox(&visitor.identity, query).await.map_err(refused)?;
    let plan = |entry: approval_core::InboxEntry| {
        let (id, target) = (entry.header.plan_id.to_string(), text::name(&entry.target));
        (id, text::line(&entry.headline), target, text::name(entry.header.requester.person.as_str()))
    };
    let plans = found.entries.into_iter().map(plan).collect();
    Ok(page(StatusCode::OK, &InboxPage { plans, next: found.next.map(|plan| plan.to_string()) }))
}

pub(crate) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub(crate) fn notice(status: StatusCode, words: impl Display) -> Response {
    page(status, &NoticePage { words: text::line(&words.to_string()) })
}

pub(crate) fn not_found() -> Response {
    notice(StatusCode::NOT_FOUND, "There is no such page, or it is not for you.")
}

pub(crate) fn unavailable(error: impl Display) -> Response {
    notice(StatusCode::SERVICE_UNAVAILABLE, format!("This can't be shown now: {error}"))
}

/// Why the service shows or takes nothing. Whoever may not see a plan gets what they get for none. [SURF-001] A plan that doesn't
/// hold together isn't shown. [SHOW-001]
pub(crate) fn refused(refusal: Refusal) -> Response {
    match refusal.reason() {
        Reason::PlanNotFound => not_found(),
        Reason::Internal | Reason::StoreUnavailable => unavailable(refusal),
        Reason::ApprovalHashMismatch | Reason::IntegrityFailure => {
            notice(StatusCode::CONFLICT, format!("This plan does not hold together, tell the operator: {refusal}"))
        }
        _ => notice(StatusCode::CONFLICT, format!("Nothing was decided: {refusal}")),
    }
}
