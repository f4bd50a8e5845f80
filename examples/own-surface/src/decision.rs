//! The page of a plan, and what a person decides on it.

use std::sync::Arc;

use approval_core::json::{Document, Limits};
use approval_core::record::{Approver, Identity, RecordKind, Verdict};
use approval_core::seal::{Binding, Purpose};
use approval_core::{ChallengeId, DecisionRequest, Digest, Nonce, OsEntropy, PlanId, PlanPageView, Timestamp};
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, notice, page, refused, unavailable};
use crate::page::{DecisionForm, PlanPage, asks_for_name};
use crate::session::Visitor;
use crate::text;

/// What a form says, and the browser can neither read nor change. [FORM-001]
#[derive(Serialize, Deserialize)]
struct Sealed {
    /// Names the form: it is good once.
    nonce: Nonce,
    challenge_id: ChallengeId,
    plan_digest: Digest,
    rendered_at: Timestamp,
}

/// That a form was used.
#[derive(Serialize, Deserialize)]
struct Used {}

/// What the browser sends besides: the verdict, a comment, and what the page asks for.
#[derive(Deserialize)]
pub(crate) struct Filled {
    form: String,
    verdict: Verdict,
    password: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    target: String,
}

pub(crate) async fn show(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    render(&desk, &visitor, &id, (StatusCode::OK, ""), String::new()).await
}

/// The plan as its requester and whoever may decide on it get to see it; for everybody else there is none. [SURF-001]
async fn render(
    desk: &Desk,
    visitor: &Visitor,
    id: &str,
    (status, error): (StatusCode, &'static str),
    comment: String,
) -> Result<Response, Response> {
    let (view, around) = desk.approvals.page(&visitor.identity, id).await.map_err(refused)?;
    let approved = |view: &PlanPageView| {
        let mut own =
            view.decisions.iter().rev().filter(|decision| decision.approver.person == visitor.identity.person);
        own.next().is_some_and(|decision| decision.verdict == Verdict::Approve)
    };
    let now = desk.now();
    let form = match &view.challenge {
        Some(challenge) if view.may_approve || view.may_reject => {
            let nonce = Nonce::generate(&OsEntropy).map_err(unavailable)?;
            let (challenge_id, plan_digest) = (challenge.challenge_id, challenge.plan_digest);
            let sealed = Sealed { nonce, challenge_id, plan_digest, rendered_at: now };
            Some(DecisionForm {
                token: seal(desk, visitor, view.header.plan_id, &sealed).map_err(unavailable)?,
                comment,
                error,
                asks_for_name: asks_for_name(&view.review) && view.may_approve,
                approve: view.may_approve,
                reject: view.may_reject,
                withdraw: view.may_reject && approved(&view),
            })
        }
        _ => None,
    };
    let plan = PlanPage::new(&view, &around, now, form).map_err(unavailable)?;
    Ok(page(status, &plan))
}

/// One decision on one plan, each step with what the step before it found. Nothing is changed before the last two. [FORM-004]
pub(crate) async fn decide(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response, Response> {
    // First who may see the plan: to everybody else there is none, whatever they send.
    let view = desk.approvals.view(&visitor.identity, &id).await.map_err(refused)?;
    let plan_id = view.header.plan_id;
    let gone = "This form is no longer good: it was used, or is of another login or plan. Nothing more was decided.";
    let form = open(&desk, &visitor, plan_id, &filled.form).ok_or_else(|| notice(StatusCode::FORBIDDEN, gone))?;

    // What an approval takes, besides the password; a rejection takes nothing. [FORM-006] [FORM-008]
    let (target, typed) = (&view.intent.target.name, filled.target.trim());
    let is_named = typed == target || typed == text::line(target).as_str();
    let comment = filled.comment.replace("\r\n", "\n");
    let missing = if comment.chars().count() > 2000 {
        "The comment is longer than 2000 characters. Nothing was decided." // [SURF-021]
    } else if filled.verdict == Verdict::Approve && asks_for_name(&view.review) && !is_named {
        "That is not the target's name. Nothing was decided."
    } else {
        ""
    };
    if !missing.is_empty() {
        return render(&desk, &visitor, &id, (StatusCode::UNPROCESSABLE_ENTITY, missing), comment).await;
    }

    // The person's own password, now: that is what is newer than the challenge. A session alone never decides. [AUTH-010]
    if !desk.decisions.allow(&visitor.account, desk.now()) {
        let error = "Too many wrong passwords. Try again in half a minute. Nothing was decided.";
        return render(&desk, &visitor, &id, (StatusCode::TOO_MANY_REQUESTS, error), comment).await;
    }
    let account = desk.accounts.authenticate(&visitor.account, &filled.password).await.map_err(unavailable)?;
    if account.is_none_or(|account| account.identity() != visitor.identity) {
        let error = "The password is wrong. Nothing was decided.";
        return render(&desk, &visitor, &id, (StatusCode::FORBIDDEN, error), comment).await;
    }
    let auth_time = desk.now();
    desk.decisions.forgive(&visitor.account);

    // Of all who send the form at once one is told that it is theirs. A wrong password has left it good. [FORM-002]
    let (used, until) = (format!("form/{}", form.nonce), view.header.expires_at);
    let first = desk.kept.put_new(RecordKind::Login, &used, &Used {}, until, desk.now()).await.map_err(unavailable)?;
    if !first {
        return Err(notice(StatusCode::FORBIDDEN, gone));
    }
    let Identity { person, issuer, subject } = visitor.identity;
    let request = DecisionRequest {
        plan_id,
        challenge_id: form.challenge_id,
        plan_digest: form.plan_digest,
        approver: Approver { person, issuer, subject, auth_time, acr: None, amr: vec!["pwd".to_owned()] },
        verdict: filled.verdict,
        comment: (!comment.trim().is_empty()).then_some(comment),
        rendered_at: form.rendered_at,
    };
    desk.approvals.decide(request).await.map_err(refused)?;
    // The plan's page says what was decided, and where the plan stands now: from what is stored. [FORM-010]
    Ok(Redirect::to(&format!("/plans/{plan_id}")).into_response())
}

fn seal(desk: &Desk, visitor: &Visitor, plan: PlanId, form: &Sealed) -> Result<String, String> {
    let document = Document::from_serialize(form, &Limits::ARGUMENTS).map_err(|error| error.to_string())?;
    let session = Digest::of_bytes(visitor.session.as_bytes()).to_string();
    let sealed = desk.sealer.seal(Purpose::Form, &binding(desk, &session, plan), document.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(sealed.map_err(|error| error.to_string())?))
}

/// What was sealed for this session and plan; nothing where it was edited, or is of another.
fn open(desk: &Desk, visitor: &Visitor, plan: PlanId, token: &str) -> Option<Sealed> {
    let session = Digest::of_bytes(visitor.session.as_bytes()).to_string();
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let bytes = desk.sealer.open(Purpose::Form, &binding(desk, &session, plan), &sealed).ok()?;
    Document::parse(&bytes, &Limits::ARGUMENTS).ok()?.read().ok()
}

fn binding<'a>(desk: &'a Desk, session: &'a str, plan: PlanId) -> Binding<'a> {
    let audience = desk.approvals.audience();
    Binding { record: "form", version: 0, id: session, plan_id: Some(plan), revision: 0, audience }
}
