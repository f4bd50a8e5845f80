//! Binding T: a gated call answers with its plan, and the profile's tools carry it on.

use std::sync::OnceLock;
use std::time::Duration;

use approval_core::record::State;
use approval_core::{Call, ChallengeView, ExecutionView, PlanView, Reason, Refusal, Requester, StatusView};
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, Tool};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::answer::{Answer, ChallengeAnswer, ExecutionAnswer, PlanAnswer, RefusalAnswer, StatusAnswer};
use crate::arguments::{Arguments, inadmissible};
use crate::gated::Gated;
use crate::guidance::{About, INPUT_RESPONSES};
use crate::names::{ProfileTool, ToolNames};
use crate::result::result;
use crate::run::Run;

impl<H: ServerHandler> Gated<H> {
    /// Answers a call of a gated tool: it is planned, or was before and is sent again. [WIRE-T-001]
    pub(crate) async fn gated_call(
        &self,
        tool: &Tool,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> CallToolResponse {
        if let Some(state) = request.request_state.take() {
            return self.repeated(tool, &state, request, context).await.into();
        }
        match self.make_plan(tool, request, context.clone()).await {
            Ok(plan) => match self.asks_to_repeat(&plan, &context).await {
                Some(asks) => asks.into(),
                None => self.result(plan_answer(plan, &self.names)).into(),
            },
            Err(refusal) => self.result(Answer::Refusal(refusal)).into(),
        }
    }

    /// Plans a call of a gated tool. Nothing is mutated. [WIRE-T-002]
    async fn make_plan(
        &self,
        tool: &Tool,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<PlanView, RefusalAnswer> {
        let refused = |refusal| RefusalAnswer::of(&refusal);
        let requester = self.requester(&context).map_err(refused)?;
        if request.input_responses.is_some() {
            // Nobody was asked for input: this answers something else, which must not be taken for a call. [WIRE-043]
            let what = "the call answers a request for input that wasn't made";
            let refusal = refused(Refusal::new(Reason::PayloadInvalid, what));
            return Err(RefusalAnswer { member: Some(INPUT_RESPONSES.to_owned()), ..refusal });
        }
        let call = self.call(tool, request).map_err(refused)?;
        let run = Run { gated: self, context, tool: Some(tool), misfit: OnceLock::new() };
        let arguments = call.arguments.clone();
        let planned = self.approvals.plan(&requester, call, &run).await;
        planned.map_err(|refusal| {
            // [WIRE-044]
            let misfit = run.misfit.into_inner().or_else(|| match refusal.reason() {
                Reason::PayloadInvalid => inadmissible(&arguments),
                _ => None,
            });
            RefusalAnswer { member: misfit.and_then(|misfit| misfit.member), ..refused(refusal) }
        })
    }

    pub(crate) fn call(&self, tool: &Tool, request: CallToolRequestParams) -> Result<Call, Refusal> {
        let definition_digest = self.digests.of(tool).map_err(|error| {
            Refusal::new(Reason::Unsupported, format!("the definition of `{}`: {error}", tool.name))
        })?;
        let arguments = request.arguments.unwrap_or_default();
        Ok(Call { tool: tool.name.to_string(), definition_digest, arguments })
    }

    /// Answers a call of one of the profile's tools: first who asks, then with what. [WIRE-022]
    pub(crate) async fn answer(
        &self,
        tool: ProfileTool,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let answer = match self.requester(&context) {
            Ok(requester) => match Arguments::read(tool, request.arguments) {
                Ok(arguments) => self.carry_on(tool, &requester, &arguments, context).await,
                Err(misfit) => {
                    // [WIRE-042]
                    let refusal = Refusal::new(Reason::PayloadInvalid, "an argument is not what the tool takes");
                    Answer::Refusal(RefusalAnswer { member: misfit.member, ..RefusalAnswer::of(&refusal) })
                }
            },
            Err(refusal) => Answer::Refusal(RefusalAnswer::of(&refusal)),
        };
        self.result(answer)
    }

    async fn carry_on(
        &self,
        tool: ProfileTool,
        requester: &Requester,
        arguments: &Arguments,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let (id, digest) = (arguments.plan_id.as_str(), arguments.plan_digest.as_deref());
        let names = &self.names;
        let answer = match tool {
            ProfileTool::Cancel => {
                // [WIRE-T-040]
                self.approvals.cancel(requester, id).await.map(|status| status_answer(&status, names))
            }
            ProfileTool::Challenge => {
                // [WIRE-T-010]
                let challenge = self.approvals.challenge(requester, id, digest).await;
                challenge.map(|challenge| challenge_answer(challenge, names))
            }
            ProfileTool::Execute => {
                // [WIRE-T-030]
                let run = Run { gated: self, context, tool: None, misfit: OnceLock::new() };
                let executed = self.approvals.execute(requester, id, digest, &run, &run).await;
                executed.map(execution_answer)
            }
            ProfileTool::Status => {
                // [WIRE-T-020]
                let status = self.wait(requester, id, arguments.wait_seconds, &context).await;
                status.map(|status| status_answer(&status, names))
            }
        };
        match answer {
            Ok(answer) => answer,
            Err(refusal) => {
                let mut answer = self.refused(&refusal, requester, id).await;
                // A handle that is malformed is unknown to the gate; it is the digest that isn't one. [WIRE-042]
                answer.member = (answer.reason == Reason::PayloadInvalid).then(|| "planDigest".to_owned());
                Answer::Refusal(answer)
            }
        }
    }

    /// A refusal of a call about a plan, and the next call where one helps. [WIRE-038]
    pub(crate) async fn refused(&self, refusal: &Refusal, requester: &Requester, id: &str) -> RefusalAnswer {
        let mut answer = RefusalAnswer::of(refusal);
        let in_progress = refusal.reason() == Reason::ExecutionInProgress;
        if let Ok(plan_id) = id.parse()
            && !(in_progress && self.is_approved(requester, id).await)
        {
            // A digest that was right once is right again; one that wasn't is no help.
            answer.next = self.names.next_after(refusal.reason(), About { plan_id, plan_digest: None });
        }
        answer
    }

    /// Whether a plan waits for nothing of its own. Where it is refused all the same because of an execution, that is another
    /// plan's, and its own status would send the agent back at once, and round and round.
    async fn is_approved(&self, requester: &Requester, id: &str) -> bool {
        let status = self.approvals.status(requester, id, Duration::ZERO).await;
        status.is_ok_and(|status| status.state == State::Approved)
    }

    pub(crate) fn requester(&self, context: &RequestContext<RoleServer>) -> Result<Requester, Refusal> {
        let requester = self.requesters.requester(context);
        requester.ok_or_else(|| Refusal::new(Reason::RequesterNotPermitted, "nobody is known for whom the agent acts"))
    }

    pub(crate) fn result(&self, answer: Answer) -> CallToolResult {
        result(answer, |plan| self.approvals.plan_url(plan))
    }
}

fn plan_answer(plan: PlanView, names: &ToolNames) -> Answer {
    let about = About { plan_id: plan.header.plan_id, plan_digest: Some(plan.plan_digest) };
    Answer::Plan(Box::new(PlanAnswer {
        plan_id: plan.header.plan_id,
        plan_digest: plan.plan_digest,
        header: plan.header,
        headline: Some(plan.headline),
        findings: plan.findings,
        steps: plan.steps,
        warnings: plan.warnings,
        // What the requester may read, and isn't there, is left out. [WIRE-030]
        changes: plan.changes.filter(|changes| !changes.is_empty()),
        omitted: None,
        next: Some(names.next(ProfileTool::Challenge, about)),
    }))
}

fn challenge_answer(view: ChallengeView, names: &ToolNames) -> Answer {
    let challenge = view.challenge;
    let about = About { plan_id: challenge.plan_id, plan_digest: Some(challenge.plan_digest) };
    Answer::Challenge(ChallengeAnswer {
        plan_id: challenge.plan_id,
        plan_digest: challenge.plan_digest,
        challenge_id: challenge.challenge_id,
        url: view.url,
        state: view.state,
        created_at: challenge.created_at,
        expires_at: challenge.expires_at,
        next: names.next_in(view.state, about),
    })
}

pub(crate) fn status_answer(status: &StatusView, names: &ToolNames) -> Answer {
    let about = About { plan_id: status.plan_id, plan_digest: Some(status.plan_digest) };
    Answer::Status(Box::new(StatusAnswer {
        plan_id: status.plan_id,
        plan_digest: status.plan_digest,
        state: status.state,
        cause: status.cause,
        expires_at: status.expires_at,
        challenge_expires_at: status.challenge_expires_at,
        approval_expires_at: status.approval_expires_at,
        approvals: status.approvals,
        approvals_required: status.approvals_required,
        next: names.next_in(status.state, about),
    }))
}

pub(crate) fn execution_answer(view: ExecutionView) -> Answer {
    let execution = view.execution;
    Answer::Execution(Box::new(ExecutionAnswer {
        plan_id: execution.plan_id,
        plan_digest: execution.plan_digest,
        claim_id: execution.claim_id,
        outcome: execution.outcome,
        replayed: view.replayed,
        claimed_at: execution.claimed_at,
        settled_at: execution.settled_at,
        steps: execution.steps,
        result_digest: execution.result_digest,
        tool_result: view.tool_result,
        omitted: None,
        next: None,
    }))
}
