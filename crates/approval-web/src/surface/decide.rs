//! A decision: each step takes what the step before it found, and nothing is changed before the last.

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Approver, Identity, RecordKind, Verdict};
use approval_core::{ChallengeId, DecisionRequest, Digest, Nonce, PlanId, PlanPageView, Reason, Refusal, Timestamp};
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Desk;
use super::confirm::Authentication;
use super::flow::{self, Purpose};
use super::form::{Form, Forms};
use super::login::{ill_formed, up};
use super::notice::{self, Notice};
use super::plan::{Again, refused, render};
use super::session::Login;
use super::visitor::{PlanPath, Visitor};
use crate::page::plan::{asks_for_name, is_name_of_target, last_verdict};
use crate::page::words;

/// Characters of the longest comment.
const LONGEST_COMMENT: usize = 2000;

/// What the browser sends.
#[derive(Deserialize)]
pub(super) struct Filled {
    form: String,
    verdict: Verdict,
    password: Option<String>,
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
pub(super) enum Undecided {
    /// Something is missing or wrong: the page again, with a fresh form of the same reading.
    Again(StatusCode, String),
    /// The form is no longer good, or never was.
    Form,
    /// Whoever takes an approval back hasn't given one.
    NothingApproved,
    /// The service refuses.
    Refused(Refusal),
    /// The last word was given already, came too late, or was never asked for.
    Spent,
    /// Too many passwords were wrong: the page again, and how long to wait.
    TooOften(Duration),
    /// Something that is needed can't be had.
    Unavailable(String),
    /// The plan was rejected, and its requester could not be muted.
    Unmuted(Refusal),
    /// The form was good, and used: by a click too many, as a rule.
    Used,
}

/// A decision that has everything but the authentication.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Ready {
    pub(super) plan_id: PlanId,
    pub(super) challenge_id: ChallengeId,
    pub(super) plan_digest: Digest,
    rendered_at: Timestamp,
    /// The form's name: it is good once.
    form: Nonce,
    pub(super) verdict: Verdict,
    pub(super) comment: Option<String>,
    /// Whether a rejection mutes the requester.
    pub(super) mute: bool,
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
        Err(refusal) => return refused(&desk, visitor.name(), &refusal),
    };
    let Ok(axum::Form(filled)) = filled else { return ill_formed(&desk) };
    let form = match open(&desk, &visitor, &view, &filled).await {
        Ok(form) => form,
        Err(undecided) => return answer(&desk, &visitor, view.header.plan_id, Err(undecided)),
    };
    let taken = match ready(&desk, &view, &filled, &form) {
        Err(undecided) => Err(undecided),
        Ok(ready) => match &visitor.login {
            Login::Account { name, .. } => {
                let Some(password) = &filled.password else { return ill_formed(&desk) };
                match authenticate(&desk, &visitor, name, password).await {
                    Ok(authentication) => take(&desk, &visitor, &view, ready, authentication).await,
                    Err(undecided) => Err(undecided),
                }
            }
            Login::Provider { id, .. } => {
                // There is one: the form is sealed to it.
                let after = view.challenge.as_ref().map_or_else(|| desk.now(), |challenge| challenge.created_at);
                let (session, identity) = (visitor.session.digest(), visitor.identity.clone());
                let purpose = Purpose::Decision { session, identity, after, ready: Box::new(ready) };
                return flow::for_decision(&desk, &visitor, id, purpose).await;
            }
        },
    };
    let (status, error, wait) = match taken {
        Err(Undecided::Again(status, error)) => (status, error, None),
        Err(Undecided::TooOften(wait)) => (StatusCode::TOO_MANY_REQUESTS, too_often(wait), Some(wait)),
        taken => return answer(&desk, &visitor, view.header.plan_id, taken),
    };
    let again = Again { error: Some(error), comment: filled.comment, form: Some(form) };
    let page = render(&desk, &visitor, &plan.id, status, again).await;
    match wait {
        Some(wait) => notice::come_again(wait, page),
        None => page,
    }
}

/// Says what came of a decision.
pub(super) fn answer(desk: &Desk, visitor: &Visitor, plan: PlanId, taken: Result<(), Undecided>) -> Response {
    let again =
        |notice: Notice| notice.onward(desk.address.plan(plan), "Open the plan again").show(desk, Some(visitor.name()));
    match taken {
        Ok(()) => Redirect::to(&format!("{}/decided", desk.address.plan(plan))).into_response(),
        Err(Undecided::Again(status, error)) => again(Notice::new(status, "Not decided", error)),
        Err(Undecided::TooOften(wait)) => {
            let notice = Notice::new(StatusCode::TOO_MANY_REQUESTS, "Not decided", too_often(wait));
            notice::come_again(wait, again(notice))
        }
        Err(Undecided::Form) => {
            let text = "This form is no longer good: it belongs to another login or plan. Nothing was decided.";
            again(Notice::new(StatusCode::FORBIDDEN, "Not decided", text))
        }
        Err(Undecided::NothingApproved) => {
            let text =
                "You have not approved this plan: there is no approval of yours to take back. Nothing was decided.";
            again(Notice::new(StatusCode::CONFLICT, "Not decided", text))
        }
        Err(Undecided::Refused(refusal)) if refusal.reason() == Reason::PlanNotFound => {
            notice::not_found(desk, Some(visitor.name()))
        }
        Err(Undecided::Refused(refusal)) => {
            let (status, heading) = match refusal.reason() {
                // A store that falls silent may have committed before.
                Reason::StoreUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "Not known"),
                Reason::Internal => (StatusCode::SERVICE_UNAVAILABLE, "Not decided"),
                _ => (StatusCode::CONFLICT, "Not decided"),
            };
            again(Notice::new(status, heading, words::refusal(refusal.reason())).detail(refusal.detail()))
        }
        Err(Undecided::Unmuted(refusal)) => {
            tracing::error!(%refusal, "a requester could not be muted");
            let text = "You rejected the plan. Its requester could not be muted: an operator can do that.";
            Notice::new(StatusCode::SERVICE_UNAVAILABLE, "Rejected, not muted", text)
                .onward(desk.address.plan(plan), "Back to the plan")
                .show(desk, Some(visitor.name()))
        }
        Err(Undecided::Spent) => {
            let text = "This confirmation is no longer good: it was given already, came too late, or belongs to another login or \
                        plan. It decides nothing now; the plan’s page says what was decided before.";
            again(Notice::new(StatusCode::FORBIDDEN, "Not good any more", text))
        }
        // Whoever clicked twice has decided, and must not read that they haven't.
        Err(Undecided::Used) => {
            let text = "This form is no longer good: it was used already. What was decided with it stands, and nothing more \
                        was decided.";
            again(Notice::new(StatusCode::FORBIDDEN, "Already used", text))
        }
        Err(Undecided::Unavailable(error)) => notice::unavailable(desk, Some(visitor.name()), &error),
    }
}

/// What the form says, where everything is there that it asks for.
fn ready(desk: &Desk, view: &PlanPageView, filled: &Filled, form: &Form) -> Result<Ready, Undecided> {
    let comment = comment(&filled.comment)?;
    complete(view, filled, form)?;
    Ok(Ready {
        plan_id: view.header.plan_id,
        challenge_id: form.challenge_id,
        plan_digest: form.plan_digest,
        rendered_at: form.rendered_at,
        form: form.nonce,
        verdict: filled.verdict,
        comment,
        mute: filled.verdict == Verdict::Reject && filled.mute == "yes" && !desk.options.mute.is_zero(),
    })
}

/// Takes the decision. [AUTH-010]
pub(super) async fn take(
    desk: &Desk,
    visitor: &Visitor,
    view: &PlanPageView,
    ready: Ready,
    authentication: Authentication,
) -> Result<(), Undecided> {
    // A form is good once, also where its decision is then refused, and whoever else sends it at the same moment. [FORM-002]
    let (name, until) = (used(&ready.form.to_string()), view.header.expires_at);
    let used = desk.transient.put_new(RecordKind::Login, &name, &Used {}, until, desk.now()).await;
    if !used.map_err(|error| Undecided::Unavailable(error.to_string()))? {
        return Err(Undecided::Used);
    }
    let Identity { person, issuer, subject } = visitor.identity.clone();
    let has_approved = last_verdict(view, &person).is_some_and(|(verdict, _)| verdict == Verdict::Approve);
    let takes_nothing_back = ready.verdict == Verdict::Withdraw && !has_approved;
    let Authentication { auth_time, acr, amr } = authentication;
    let request = DecisionRequest {
        plan_id: ready.plan_id,
        challenge_id: ready.challenge_id,
        plan_digest: ready.plan_digest,
        approver: Approver { person, issuer, subject, auth_time, acr, amr },
        verdict: ready.verdict,
        comment: ready.comment,
        rendered_at: ready.rendered_at,
    };
    desk.approvals.decide(request).await.map_err(|refusal| match refusal.reason() {
        Reason::ApproverNotPermitted if takes_nothing_back => Undecided::NothingApproved,
        _ => Undecided::Refused(refusal),
    })?;
    // [FORM-009]
    if ready.mute {
        let (requester, by) = (&view.header.requester.person, visitor.identity.person.as_str());
        desk.approvals.mute(requester, desk.options.mute, by).await.map_err(Undecided::Unmuted)?;
    }
    Ok(())
}

/// The form, where it is of this session and plan, and hasn't been used.
async fn open(desk: &Desk, visitor: &Visitor, view: &PlanPageView, filled: &Filled) -> Result<Form, Undecided> {
    let forms = Forms { sealer: desk.sealer.as_ref(), audience: desk.approvals.audience() };
    let form = forms.open(&filled.form, &visitor.session, view.header.plan_id).ok_or(Undecided::Form)?;
    // Said before a password is looked at. What counts is said by `take`.
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
    if asks_for_name(&view.review) && !is_name_of_target(&view.intent, &filled.target) {
        return missing("That is not the target’s name. Nothing was decided.");
    }
    Ok(())
}

fn too_often(wait: Duration) -> String {
    format!("Too many wrong passwords. Try again in {}. Nothing was decided.", words::duration(up(wait)))
}

/// The person's own password, now: a session alone never decides. Counted apart from logins. [AUTH-006] [AUTH-010] [AUTH-012]
async fn authenticate(
    desk: &Desk,
    visitor: &Visitor,
    account: &str,
    password: &str,
) -> Result<Authentication, Undecided> {
    desk.decisions.attempt(account, desk.now()).map_err(Undecided::TooOften)?;
    let found = desk.accounts.authenticate(account, password).await;
    let found = found.map_err(|error| Undecided::Unavailable(error.to_string()))?;
    match found.filter(|account| account.identity() == visitor.identity) {
        Some(_) => {
            desk.decisions.forgive(account);
            // The moment of the password that came with this decision, never that of the session. [AUTH-010]
            Ok(Authentication { auth_time: desk.now(), acr: None, amr: vec!["pwd".to_owned()] })
        }
        None => {
            tracing::warn!(account, "a decision came with a wrong password");
            Err(Undecided::Again(StatusCode::FORBIDDEN, "The password is wrong. Nothing was decided.".to_owned()))
        }
    }
}
