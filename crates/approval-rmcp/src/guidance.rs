//! What the model is told: fixed sentences, and the call that comes next.
//!
//! No word of an agent, a target or a wrapped server gets into these sentences: a model takes what stands here for the
//! server's own. [WIRE-033]

use approval_core::record::{Outcome, State};
use approval_core::{Digest, PlanId, Reason};

use crate::answer::{Answer, Next, NextArguments, RefusalAnswer};
use crate::names::{ProfileTool, ToolNames};

/// How long the next status call is asked to wait, in seconds; no call waits longer. [WIRE-T-021]
pub(crate) const LONGEST_WAIT_SECONDS: u8 = 25;

/// What a person reads before the page is opened for them.
pub(crate) const OPEN_THE_PAGE: &str = "The agent has planned a change, and nothing has been changed yet. Open the page, log in, read the plan and decide there.";

/// The members of a call by which it is sent again, as a refusal names them in `member`. They are no arguments.
pub(crate) const REQUEST_STATE: &str = "requestState";
pub(crate) const INPUT_RESPONSES: &str = "inputResponses";

/// The plan that the next call is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) plan_id: PlanId,
    pub(crate) plan_digest: Option<Digest>,
}

impl ToolNames {
    /// A call of `tool` about a plan.
    pub(crate) fn next(&self, tool: ProfileTool, about: About) -> Next {
        let takes_digest = matches!(tool, ProfileTool::Challenge | ProfileTool::Execute);
        Next {
            tool: self.of(tool).to_owned(),
            arguments: NextArguments {
                plan_id: about.plan_id,
                plan_digest: about.plan_digest.filter(|_| takes_digest),
                wait_seconds: (tool == ProfileTool::Status).then_some(LONGEST_WAIT_SECONDS),
            },
        }
    }

    /// What comes after a plan that stands like this. [WIRE-038]
    pub(crate) fn next_in(&self, state: State, about: About) -> Option<Next> {
        let tool = match state {
            State::Planned => ProfileTool::Challenge,
            State::AwaitingApproval | State::Executing => ProfileTool::Status,
            // Called on what was executed already, it gives the recorded outcome.
            State::Applied | State::Approved | State::Failed | State::Partial | State::Unknown => ProfileTool::Execute,
            State::Cancelled | State::Expired | State::Rejected | State::Stale => return None,
        };
        Some(self.next(tool, about))
    }

    /// What comes after a refusal, where a call about the same plan helps. [WIRE-038]
    pub(crate) fn next_after(&self, reason: Reason, about: About) -> Option<Next> {
        let tool = match reason {
            Reason::ApprovalRequired | Reason::ChallengeExpired => ProfileTool::Challenge,
            Reason::ApprovalPending | Reason::ExecutionInProgress => ProfileTool::Status,
            _ => return None,
        };
        Some(self.next(tool, about))
    }
}

/// The text of a result: what it is, and what to do: the call that comes next, or what there is instead of one.
pub(crate) fn text(answer: &Answer) -> String {
    let sentence = match answer {
        Answer::Challenge(challenge) => of_challenge(challenge.state),
        Answer::Execution(execution) => of_outcome(execution.outcome),
        Answer::Plan(_) => {
            "Nothing has been changed. This is a plan, and a person has to approve it before it can run."
        }
        Answer::Refusal(refusal) => of_refusal(refusal),
        Answer::Status(status) => of_state(status.state),
    };
    match answer.next() {
        Some(next) => format!("{sentence} Next call: `{}`, with the arguments in `next`.", next.tool),
        None => sentence.to_owned(),
    }
}

fn of_challenge(state: State) -> &'static str {
    match state {
        State::AwaitingApproval => {
            "A person has to decide. Show the user the address in `url`; it can't be approved from here."
        }
        state => of_state(state),
    }
}

fn of_state(state: State) -> &'static str {
    match state {
        State::Applied => "The plan was executed, and its effect has occurred.",
        State::Approved => "The plan is approved and can be executed.",
        State::AwaitingApproval => "No decision yet: the plan is waiting for a person.",
        State::Cancelled => "The plan was cancelled. Nothing was changed. Call the tool again for a new plan.",
        State::Executing => "The plan is being executed.",
        State::Expired => "The plan has expired. Nothing was changed. Call the tool again for a new plan.",
        State::Failed => "The plan was executed without any effect. Call the tool again for a new plan.",
        State::Partial => "The plan was executed in part only. A person has to look at what it did.",
        State::Planned => "The plan is not before a person yet. Nothing has been changed.",
        State::Rejected => "A person has rejected the plan. Nothing was changed. Do not ask for the same again.",
        State::Stale => {
            "Something has changed since the plan was made. Nothing was changed. Call the tool again for a new plan."
        }
        State::Unknown => "The plan was executed, and it is not known what it did. A person has to look.",
    }
}

fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "The approved plan was executed. The tool's answer is in `toolResult`.",
        Outcome::Failed => {
            "The plan was executed without any effect. It can't run again; call the tool again for a new plan."
        }
        Outcome::Partial => {
            "The plan was executed in part only. It can't run again; a person has to look at what it did."
        }
        Outcome::Unknown => "It is not known what the execution did. It can't run again; a person has to look.",
    }
}

fn of_refusal(refusal: &RefusalAnswer) -> &'static str {
    match (refusal.reason, refusal.member.as_deref()) {
        (Reason::ExecutionInProgress, _) if refusal.next.is_none() => {
            "Refused: another plan is being executed on the same object. This plan stays as it is. Wait until that has ended, and make the same call again."
        }
        (Reason::PayloadInvalid, Some(REQUEST_STATE | INPUT_RESPONSES)) => {
            "Refused: this call can't be continued. Call the tool again without `requestState` and `inputResponses`."
        }
        (Reason::PayloadInvalid, Some(_)) => {
            "Refused: the argument that `member` names is not what this tool takes. Call it again with arguments that fit its input schema."
        }
        (reason, _) => of_reason(reason),
    }
}

fn of_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::AlreadyExecuted => {
            "Refused: the plan was executed, and its outcome is no longer kept. It can't run again; look at what is there now."
        }
        Reason::ApprovalExpired => "Refused: the approval has run out. Call the tool again for a new plan.",
        Reason::ApprovalHashMismatch => {
            "Refused: this is not the plan's digest, or not the call that was planned. Use the `planDigest` that came with the plan, or leave it out; a call that is sent again needs the same arguments."
        }
        Reason::ApprovalPending => "Refused: no person has approved the plan yet.",
        Reason::ApprovalRejected => "Refused: a person has rejected the plan. Do not ask for the same again.",
        Reason::ApprovalRequired => "Refused: the plan has to be put before a person first.",
        Reason::ApprovalWithdrawn => "Refused: the approval was withdrawn. Call the tool again for a new plan.",
        Reason::ApproverNotPermitted => "Refused: a person who approved the plan may no longer do so. Tell the user.",
        Reason::ChallengeExpired => "Refused: nobody approved the plan in time. It can be put before a person again.",
        Reason::DryRunFailed => {
            "Refused: the target would not accept this. Look at what is there, and call the tool again with what it accepts."
        }
        Reason::ExecutionInProgress => "Refused: the plan is being executed.",
        Reason::IntegrityFailure => "Refused: the stored plan is not intact. A person has to look.",
        Reason::Internal => "Refused: something went wrong inside the server. Try the same call again later.",
        Reason::OutcomeUnknown => {
            "Refused: it is not known what an earlier execution on the same object did. Call the tool again for a new plan."
        }
        Reason::Paused => {
            "Refused: the operator has paused executions. The plan stays as it is. Try the same call again later."
        }
        Reason::PayloadInvalid => {
            "Refused: the arguments are not what this tool takes. Call it again with arguments that fit its input schema, and that name what is there."
        }
        Reason::PayloadTooLarge => "Refused: the arguments are larger than the limit. Call the tool again with less.",
        Reason::PlanCancelled => "Refused: the plan was cancelled. Call the tool again for a new plan.",
        Reason::PlanExpired => "Refused: the plan has expired. Call the tool again for a new plan.",
        Reason::PlanNotFound => "Refused: there is no such plan. Call the tool itself: it answers with a plan.",
        Reason::PlanStale => {
            "Refused: something has changed since the plan was made. Call the tool again for a new plan."
        }
        Reason::PolicyChanged => {
            "Refused: the policy has changed since the plan was made. Call the tool again for a new plan."
        }
        Reason::PolicyDenied => "Refused: the policy forbids this. Do not ask for the same again; tell the user.",
        Reason::PreconditionFailed => {
            "Refused: the target has changed since the plan was made. Call the tool again for a new plan."
        }
        Reason::PreviewChanged => {
            "Refused: the effect would no longer be the reviewed one. Call the tool again for a new plan."
        }
        Reason::RateLimited => "Refused: too many plans or attempts. Try again later.",
        Reason::RecentlyRejected => "Refused: a person has rejected this recently. Do not ask for the same again.",
        Reason::RequesterNotPermitted => {
            "Refused: the person for whom this was asked is not known or not permitted. Tell the user."
        }
        Reason::StoreUnavailable => "Refused: the server can't reach its store. Try again later.",
        Reason::TargetChanged => {
            "Refused: the target is not the one that the plan was made for. Call the tool again for a new plan."
        }
        Reason::TargetUnavailable => "Refused: the target can't be reached. Try again later.",
        Reason::ToolChanged => {
            "Refused: the tool has changed since the plan was made. Call the tool again for a new plan."
        }
        Reason::Unsupported => "Refused: this call can't be gated. Do not ask for the same again; tell the user.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What is said of an answer, without a next call and with one.
    fn said(told: &mut String, of: &str, answer: Value) {
        let next = json!({
            "tool": "approval_status", "arguments": { "planId": answer.get("planId").cloned().unwrap_or_else(id) },
        });
        let alone: Answer = serde_json::from_value(answer.clone()).unwrap();
        let mut followed = answer;
        followed["next"] = next;
        let followed: Answer = serde_json::from_value(followed).unwrap();
        let (alone, followed) = (text(&alone), text(&followed));
        let followed = followed.strip_suffix(" Next call: `approval_status`, with the arguments in `next`.").unwrap();
        told.push_str(&format!("{of}: {alone}\n"));
        if followed != alone {
            told.push_str(&format!("{of}, with a next call: {followed}\n"));
        }
    }

    fn id() -> Value {
        json!("019ab12c-0000-7000-8000-000000000001")
    }

    #[test]
    fn each_answer_says_what_to_do() {
        // [WIRE-033]
        let (digest, at) = (format!("sha256:{}", "0".repeat(64)), "2026-01-01T00:00:00.000Z");
        let mut told = String::new();
        for state in State::ALL {
            let challenge = json!({
                "kind": "challenge", "planId": id(), "planDigest": digest, "challengeId": "A".repeat(22), "url": "",
                "state": state, "createdAt": at, "expiresAt": at,
            });
            said(&mut told, &format!("challenge, {}", state.name()), challenge);
        }
        for state in State::ALL {
            let status = json!({
                "kind": "status", "planId": id(), "planDigest": digest, "state": state, "expiresAt": at, "approvals": 0,
                "approvalsRequired": 1,
            });
            said(&mut told, &format!("status, {}", state.name()), status);
        }
        for outcome in [Outcome::Applied, Outcome::Failed, Outcome::Partial, Outcome::Unknown] {
            let execution = json!({
                "kind": "execution", "planId": id(), "planDigest": digest, "claimId": "A".repeat(22), "outcome": outcome,
                "replayed": false, "claimedAt": at, "settledAt": at,
            });
            said(&mut told, &format!("execution, {outcome:?}"), execution);
        }
        for reason in Reason::ALL {
            let refusal = json!({ "kind": "refusal", "reason": reason, "retry": reason.retry() });
            said(&mut told, reason.code(), refusal);
        }
        for member in ["force", REQUEST_STATE, INPUT_RESPONSES] {
            let mut misfit = json!({ "kind": "refusal", "reason": "payload_invalid", "retry": "never" });
            misfit["member"] = member.into();
            said(&mut told, &format!("payload_invalid, `{member}`"), misfit);
        }
        insta::assert_snapshot!(told);
    }
}
