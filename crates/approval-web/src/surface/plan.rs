//! The page of a plan, what became of a decision on it, and its documents.

use std::sync::Arc;

use approval_core::record::{Challenge, Record as _, State as PlanStanding, Verdict};
use approval_core::{PlanId, PlanPageView, Reason, Refusal, Timestamp};
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{StatusCode, header};

use super::Desk;
use super::form::{Form, Forms};
use super::notice::{self, Notice};
use super::session::Login;
use super::visitor::{PlanPath, Visitor};
use crate::page::chrome::DecidedPage;
use crate::page::fold::Passage;
use crate::page::live::Live;
use crate::page::name::Name;
use crate::page::plan::{Asks, By, DecisionForm, PlanPage, PlanPart, asks_for_name, last_verdict, may_withdraw};
use crate::page::shown::Shown;
use crate::page::words;

/// The largest documents that are shown without leaving the event loop, in bytes: to leave it takes longer than they do.
const SMALL: usize = 8 * 1024;

/// The name of the receipt among a plan's documents.
const RECEIPT: &str = "receipt.json";

/// What was wrong with a decision that wasn't taken, and what the person had written.
#[derive(Debug, Default)]
pub(super) struct Again {
    pub(super) error: Option<String>,
    pub(super) comment: String,
    /// The form that was sent.
    pub(super) form: Option<Form>,
}

impl Again {
    /// Since when the person has had before them what this challenge asks: whoever mistypes doesn't begin to read anew.
    fn read_since(&self, challenge: &Challenge, now: Timestamp) -> Timestamp {
        let form = self.form.as_ref().filter(|form| form.challenge_id == challenge.challenge_id);
        form.map_or(now, |form| form.rendered_at)
    }
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, visitor: Visitor, plan: PlanPath) -> Response {
    render(&desk, &visitor, &plan.id, StatusCode::OK, Again::default()).await
}

/// The page, with a fresh form where there is something to decide. Large plans take a while: not on the event loop.
pub(super) async fn render(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    plan: &str,
    status: StatusCode,
    again: Again,
) -> Response {
    let (view, around) = match desk.approvals.page(&visitor.identity, plan).await {
        Ok(page) => page,
        Err(refusal) => return refused(desk, visitor.name(), &refusal),
    };
    let chrome = visitor.chrome(desk, "Plan");
    let (session, identity) = (visitor.session.clone(), visitor.identity.clone());
    let by = match &visitor.login {
        Login::Account { name, .. } => By::Password { account: name.clone() },
        Login::Provider { id, .. } => match desk.provider(id) {
            Ok(provider) => {
                By::Provider { name: provider.map_or_else(|| id.clone(), |known| known.settings.name.clone()) }
            }
            Err(error) => return notice::unavailable(desk, Some(visitor.name()), &error),
        },
    };
    let desk_of_page = Arc::clone(desk);
    let is_small = view.document_bytes <= SMALL;
    let render = move || {
        let desk = desk_of_page;
        let now = desk.now();
        let part = PlanPart::new(&view);
        let withdraw = may_withdraw(&view, &identity.person);
        let decides = view.may_approve || view.may_reject;
        // [SHOW-013]
        let form = match view.challenge.as_ref().filter(|_| decides) {
            Some(challenge) => {
                let folded = part.is_folded();
                let form = Form::new(challenge, again.read_since(challenge, now), folded, desk.entropy.as_ref());
                let forms = Forms { sealer: desk.sealer.as_ref(), audience: desk.approvals.audience() };
                let token = form.and_then(|form| forms.seal(&form, &session, view.header.plan_id));
                let asks = Asks { name: asks_for_name(&view.review), whole: folded };
                Some(token.map_err(|error| error.to_string()).map(|token| DecisionForm {
                    token,
                    by,
                    asks,
                    approve: view.may_approve,
                    reject: view.may_reject,
                    withdraw,
                    mute: (!desk.options.mute.is_zero()).then(|| words::duration(desk.options.mute)),
                    error: again.error,
                    comment: again.comment,
                })?)
            }
            None => None,
        };
        let live = Live::new(&view, &around, now, desk.approvals.key_set().is_some());
        let page = PlanPage::new(chrome, part, live, form);
        Ok::<_, String>(notice::page_around(status, &page, page.passages()))
    };
    let rendered = match is_small {
        true => render(),
        false => tokio::task::spawn_blocking(render).await.unwrap_or_else(|error| Err(error.to_string())),
    };
    rendered.unwrap_or_else(|error| notice::unavailable(desk, Some(visitor.name()), &error))
}

/// What the person decided and where the plan stands: read from the plan, so a link can't make it up. [FORM-010]
pub(super) async fn decided(State(desk): State<Arc<Desk>>, visitor: Visitor, plan: PlanPath) -> Response {
    let view = match desk.approvals.view(&visitor.identity, &plan.id).await {
        Ok(view) => view,
        Err(refusal) => return refused(&desk, visitor.name(), &refusal),
    };
    let Some((verdict, at)) = last_verdict(&view, &visitor.identity.person) else {
        return Redirect::to(&desk.address.plan(view.header.plan_id)).into_response();
    };
    // What is wrong with a mute is no reason not to say what was decided.
    let muted = desk.approvals.muted_until(&view.header.requester.person).await.unwrap_or_else(|refusal| {
        tracing::error!(%refusal, "whether a requester is muted can't be said");
        None
    });
    let page = DecidedPage {
        chrome: visitor.chrome(&desk, "Decided"),
        id: view.header.plan_id.to_string(),
        verdict: words::verdict(verdict),
        at,
        headline: Passage::new(Shown::prose(&view.review.headline.text)),
        target: Name::new(&view.intent.target.name),
        state: words::state(&view.status),
        tone: words::tone(view.status.state),
        next: what_next(&view, verdict, desk.now()),
        muted: muted.map(|until| (Name::new(view.header.requester.person.as_str()), until)),
        plan_digest: view.plan_digest.to_string(),
    };
    notice::page(StatusCode::OK, &page)
}

fn what_next(view: &PlanPageView, verdict: Verdict, now: Timestamp) -> String {
    let status = &view.status;
    match (status.state, verdict) {
        (PlanStanding::AwaitingApproval, _) => format!(
            "{} of {} approvals are there. The plan waits for the others.",
            status.approvals, status.approvals_required
        ),
        (PlanStanding::Approved, _) => {
            let left = status.approval_expires_at.unwrap_or(status.expires_at).since(now);
            format!("The agent may execute this plan, once, within {}.", words::duration(left))
        }
        (PlanStanding::Rejected, _) => "The plan will never run. The agent is told that it was rejected.".to_owned(),
        (PlanStanding::Cancelled, _) => "The plan will never run.".to_owned(),
        _ => "The plan’s page says what became of it.".to_owned(),
    }
}

/// The header, the intent or the review as it is digested: the file's SHA-256 is the digest on the page. [DIG-113] Or the
/// receipt.
pub(super) async fn document(State(desk): State<Arc<Desk>>, visitor: Visitor, plan: PlanPath) -> Response {
    if plan.document == RECEIPT {
        return receipt(&desk, &visitor, &plan).await;
    }
    let view = match desk.approvals.view(&visitor.identity, &plan.id).await {
        Ok(view) => view,
        Err(refusal) => return refused(&desk, visitor.name(), &refusal),
    };
    let document = plan.document.as_str();
    let bytes = match document {
        "header.json" => view.header.document(),
        "intent.json" => view.intent.document(),
        "review.json" => view.review.document(),
        _ => return notice::not_found(&desk, Some(visitor.name())),
    };
    match bytes {
        Ok(bytes) => download("application/json", view.header.plan_id, document, bytes.into_bytes()),
        Err(error) => notice::unavailable(&desk, Some(visitor.name()), &error),
    }
}

/// The signed receipt, once the plan has ended: made anew, and nothing is changed. [RCPT-030] [SURF-012]
async fn receipt(desk: &Desk, visitor: &Visitor, plan: &PlanPath) -> Response {
    match desk.approvals.receipt(&visitor.identity, &plan.id).await {
        Ok(bytes) => match plan.id.parse() {
            Ok(id) => download("application/vnd.dsse.envelope.v1+json", id, RECEIPT, bytes),
            Err(_) => notice::not_found(desk, Some(visitor.name())),
        },
        // There is none yet, or nothing signs here.
        Err(refusal)
            if matches!(
                refusal.reason(),
                Reason::AlreadyExecuted | Reason::ApprovalPending | Reason::ExecutionInProgress | Reason::Unsupported
            ) =>
        {
            notice::not_found(desk, Some(visitor.name()))
        }
        Err(refusal) => refused(desk, visitor.name(), &refusal),
    }
}

fn download(media_type: &str, plan: PlanId, name: &str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{plan}-{name}\"");
    let headers = [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, bytes).into_response()
}

/// A plan that can't be shown. [SHOW-001]
pub(super) fn refused(desk: &Desk, viewer: Name, refusal: &Refusal) -> Response {
    let name = Some(viewer);
    match refusal.reason() {
        Reason::PlanNotFound => notice::not_found(desk, name),
        Reason::IntegrityFailure | Reason::ApprovalHashMismatch => {
            tracing::error!(%refusal, "a plan does not hold together");
            Notice::new(StatusCode::CONFLICT, "This plan can’t be trusted", words::refusal(refusal.reason()))
                .detail(refusal.detail())
                .show(desk, name)
        }
        _ => notice::unavailable(desk, name, refusal),
    }
}
