//! A decision: each step takes what the step before it found, and nothing is changed before the last.

use std::sync::Arc;

use approval_core::record::{Approver, RecordKind, Verdict};
use approval_core::{DecisionRequest, PlanPageView, Reason, Refusal};
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Desk;
use super::form::{Form, Forms};
use super::login::{ill_formed, up};
use super::notice::{self, Notice};
use super::plan::{Again, refused, render};
use super::visitor::{PlanPath, Visitor};
use crate::page::plan::{asks_for_name, is_name_of_target};
use crate::page::words;

/// Characters of the longest comment.
const LONGEST_COMMENT: usize = 2000;

/// What the browser sends.
#[derive(Deserialize)]
pub(super) struct Filled {
    form: String,
    verdict: Verdict,
    password: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    whole: String,
    #[serde(default)]
    mute: String,
}

/// That a form was used.
#[derive(Serialize, Deserialize)]
struct Used {}

/// Why nothing was decided.
enum Undecided {
    /// Something is missing or wrong: the page again, with a fresh form.
    Again(StatusCode, String),
    /// The form is no longer good, or never was.
    Form,
    /// The service refuses.
    Refused(Refusal),
    /// Something that is needed can't be had.
    Unavailable(String),
    /// The plan was rejected, and its requester could not be muted.
    Unmuted(Refusal),
    /// The form was good, and used: by a click too many, as a rule.
    Used,
}

pub(super) async fn decide(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    plan: PlanPath,
    filled: Result<axum::Form<Filled>, FormRejection>,
) -> Response {
    // First who may see the plan: to everybody else there is none, whatever they send.
    let view = match desk.approvals.view(&visitor.identity, &plan.id).await {
        Ok(view) => view,
        Err(refusal) => return refused(&desk, &visitor, &refusal),
    };
    let Ok(axum::Form(filled)) = filled else { return ill_formed(&desk) };
    let plan = view.header.plan_id;
    match attempt(&desk, &visitor, &view, &filled).await {
        Ok(()) => Redirect::to(&format!("{}/decided", desk.address.plan(plan))).into_response(),
        Err(Undecided::Again(status, error)) => {
            let again = Again { error: Some(error), comment: filled.comment };
            render(&desk, &visitor, view, status, again).await
        }
        Err(Undecided::Form) => {
            let text = "This form is no longer good: it belongs to another login or plan. Nothing was decided.";
            Notice::new(StatusCode::FORBIDDEN, "Not decided", text)
                .onward(desk.address.plan(plan), "Open the plan again")
                .show(&desk, Some(visitor.name()))
        }
        Err(Undecided::Refused(refusal)) if refusal.reason() == Reason::PlanNotFound => {
            notice::not_found(&desk, Some(visitor.name()))
        }
        Err(Undecided::Refused(refusal)) => {
            let status = match refusal.reason() {
                Reason::StoreUnavailable | Reason::Internal => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::CONFLICT,
            };
            Notice::new(status, "Not decided", words::refusal(refusal.reason()))
                .detail(refusal.detail())
                .onward(desk.address.plan(plan), "Open the plan again")
                .show(&desk, Some(visitor.name()))
        }
        Err(Undecided::Unmuted(refusal)) => {
            tracing::error!(%refusal, "a requester could not be muted");
            let text = "You rejected the plan. Its requester could not be muted: an operator can do that.";
            Notice::new(StatusCode::SERVICE_UNAVAILABLE, "Rejected, not muted", text)
                .onward(desk.address.plan(plan), "Back to the plan")
                .show(&desk, Some(visitor.name()))
        }
        // Whoever clicked twice has decided, and must not read that they haven't.
        Err(Undecided::Used) => {
            let text = "This form is no longer good: it was used already. What was decided with it stands, and nothing more \
                        was decided.";
            Notice::new(StatusCode::FORBIDDEN, "Already used", text)
                .onward(desk.address.plan(plan), "Open the plan again")
                .show(&desk, Some(visitor.name()))
        }
        Err(Undecided::Unavailable(error)) => notice::unavailable(&desk, Some(visitor.name()), &error),
    }
}

async fn attempt(desk: &Desk, visitor: &Visitor, view: &PlanPageView, filled: &Filled) -> Result<(), Undecided> {
    let form = open(desk, visitor, view, filled).await?;
    let comment = comment(&filled.comment)?;
    complete(view, filled, &form)?;
    authenticate(desk, visitor, &filled.password).await?;
    // A form is good once, also where its decision is then refused. [FORM-002]
    let (nonce, until) = (form.nonce.to_string(), view.header.expires_at);
    let used = desk.transient.put(RecordKind::Login, &used(&nonce), &Used {}, until).await;
    used.map_err(|error| Undecided::Unavailable(error.to_string()))?;

    let request = DecisionRequest {
        plan_id: view.header.plan_id,
        challenge_id: form.challenge_id,
        plan_digest: form.plan_digest,
        approver: Approver {
            person: visitor.identity.person.clone(),
            issuer: visitor.identity.issuer.clone(),
            subject: visitor.identity.subject.clone(),
            // The moment of the password that came with this decision, never that of the session. [AUTH-010]
            auth_time: desk.now(),
            acr: None,
            amr: vec!["pwd".to_owned()],
        },
        verdict: filled.verdict,
        comment,
        rendered_at: form.rendered_at,
    };
    desk.approvals.decide(request).await.map_err(Undecided::Refused)?;
    // [FORM-009]
    if filled.verdict == Verdict::Reject && filled.mute == "yes" && !desk.options.mute.is_zero() {
        let (requester, by) = (&view.header.requester.person, visitor.identity.person.as_str());
        desk.approvals.mute(requester, desk.options.mute, by).await.map_err(Undecided::Unmuted)?;
    }
    Ok(())
}

/// The form, where it is of this session and plan, and hasn't been used.
async fn open(desk: &Desk, visitor: &Visitor, view: &PlanPageView, filled: &Filled) -> Result<Form, Undecided> {
    let forms = Forms { sealer: desk.sealer.as_ref(), audience: desk.approvals.audience() };
    let form = forms.open(&filled.form, &visitor.session, view.header.plan_id).ok_or(Undecided::Form)?;
    let found = desk.transient.find::<Used>(RecordKind::Login, &used(&form.nonce.to_string()), desk.now()).await;
    match found.map_err(|error| Undecided::Unavailable(error.to_string()))? {
        Some(Used {}) => Err(Undecided::Used),
        None => Ok(form),
    }
}

fn used(nonce: &str) -> String {
    format!("form/{nonce}")
}

/// The comment as it was written: browsers send line breaks as CR LF. [SURF-021]
fn comment(text: &str) -> Result<Option<String>, Undecided> {
    let text = text.replace("\r\n", "\n");
    if text.chars().count() > LONGEST_COMMENT {
        let error = format!("The comment is longer than {LONGEST_COMMENT} characters. Nothing was decided.");
        return Err(Undecided::Again(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    Ok((!text.trim().is_empty()).then_some(text))
}

/// What an approval asks for, beside the password. A rejection asks for nothing. [FORM-006] [FORM-007] [FORM-008]
fn complete(view: &PlanPageView, filled: &Filled, form: &Form) -> Result<(), Undecided> {
    let missing = |what: &str| Err(Undecided::Again(StatusCode::UNPROCESSABLE_ENTITY, what.to_owned()));
    if filled.verdict != Verdict::Approve {
        return Ok(());
    }
    if form.folded && filled.whole != "yes" {
        return missing("Say that you have read the whole plan, also what is folded. Nothing was decided.");
    }
    if asks_for_name(&view.review) && !is_name_of_target(&view.intent, filled.target.trim()) {
        return missing("That is not the target’s name. Nothing was decided.");
    }
    Ok(())
}

/// The person's own password, now: a session alone never decides. Counted apart from logins. [AUTH-006] [AUTH-010] [AUTH-012]
async fn authenticate(desk: &Desk, visitor: &Visitor, password: &str) -> Result<(), Undecided> {
    let counted = format!("decision {}", visitor.account);
    desk.throttle.attempt(&counted, desk.now()).map_err(|wait| {
        let wait = words::duration(up(wait));
        let error = format!("Too many wrong passwords. Try again in {wait}. Nothing was decided.");
        Undecided::Again(StatusCode::TOO_MANY_REQUESTS, error)
    })?;
    let found = desk.accounts.authenticate(&visitor.account, password).await;
    let found = found.map_err(|error| Undecided::Unavailable(error.to_string()))?;
    match found.filter(|account| account.identity() == visitor.identity) {
        Some(_) => {
            desk.throttle.forgive(&counted);
            Ok(())
        }
        None => {
            tracing::warn!(account = ?visitor.account, "a decision came with a wrong password");
            Err(Undecided::Again(StatusCode::FORBIDDEN, "The password is wrong. Nothing was decided.".to_owned()))
        }
    }
}
