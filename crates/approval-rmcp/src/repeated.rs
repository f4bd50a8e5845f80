//! Binding M: a gated call is answered with a request to open the plan's page, and sent again. [WIRE-M-001]

use std::sync::OnceLock;

use approval_core::record::{RuleKind, State};
use approval_core::{PlanView, StatusView};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ElicitRequest, ElicitRequestParams, InputRequest, InputRequests,
    InputRequiredResult, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::answer::{Answer, RefusalAnswer};
use crate::flow::{execution_answer, status_answer};
use crate::gated::{Gated, is_modern};
use crate::guidance::{About, LONGEST_WAIT_SECONDS, OPEN_THE_PAGE, REQUEST_STATE};
use crate::names::ProfileTool;
use crate::run::Run;

/// The name of the one request for input.
const APPROVAL: &str = "approval";

impl<H: ServerHandler> Gated<H> {
    /// The request to open a plan's page, where client and plan are such that the call can be sent again; the plan's challenge is
    /// open then. Nothing where binding T carries the plan on. [WIRE-M-001] [WIRE-M-002]
    pub(crate) async fn asks_to_repeat(
        &self,
        plan: &PlanView,
        context: &RequestContext<RoleServer>,
    ) -> Option<InputRequiredResult> {
        let opens_urls = || {
            let capabilities = context.client_capabilities();
            capabilities.and_then(|can| can.elicitation).is_some_and(|elicitation| elicitation.url.is_some())
        };
        if !is_modern(context) || plan.header.policy.rule.kind != RuleKind::SameSubject || !opens_urls() {
            return None;
        }
        // A plan that can't be put before a person now is a plan all the same: the agent gets it, and asks for that itself.
        let requester = self.requester(context).ok()?;
        let (id, digest) = (plan.header.plan_id.to_string(), plan.plan_digest.to_string());
        let challenge = self.approvals.challenge(&requester, &id, Some(&digest)).await.ok()?;
        let state = self.approvals.request_state(plan.header.plan_id, plan.header.expires_at).ok()?;
        let page = ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message: OPEN_THE_PAGE.to_owned(),
            url: challenge.url,
            elicitation_id: String::new(),
        };
        let request = InputRequest::Elicitation(ElicitRequest::new(page));
        Some(InputRequiredResult::new(Some(InputRequests::from([(APPROVAL.to_owned(), request)])), Some(state)))
    }

    /// Answers a call that was sent again: with what came of its plan, or where that stands. [WIRE-M-004] [WIRE-M-006]
    pub(crate) async fn repeated(
        &self,
        tool: &Tool,
        state: &str,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let answer = match self.resume(tool, state, request, context).await {
            Ok(answer) => answer,
            Err(refusal) => Answer::Refusal(refusal),
        };
        self.result(answer)
    }

    async fn resume(
        &self,
        tool: &Tool,
        state: &str,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer, RefusalAnswer> {
        let refused = |refusal| RefusalAnswer::of(&refusal);
        let requester = self.requester(&context).map_err(refused)?;
        let plan_id = self.approvals.read_request_state(state).map_err(|refusal| {
            // [WIRE-M-007]
            RefusalAnswer { member: Some(REQUEST_STATE.to_owned()), ..refused(refusal) }
        })?;
        // What the client says of the page that it opened is no decision, and isn't looked at. [WIRE-M-005]
        let (id, call) = (plan_id.to_string(), self.call(tool, request).map_err(refused)?);
        let run = Run { gated: self, context: context.clone(), tool: None, misfit: OnceLock::new() };
        // An attempt to execute what nobody has decided would count as one, and they are limited. [WIRE-M-006]
        if self.approvals.awaits_decision(&requester, &id, &call).await.map_err(refused)? {
            let waited = self.wait(&requester, &id, LONGEST_WAIT_SECONDS, &context).await.map_err(refused)?;
            // Nor does it run where its caller has gone meanwhile: whoever took it back may have no use for it.
            if waited.state == State::AwaitingApproval || context.ct.is_cancelled() {
                return Ok(self.undecided(&waited));
            }
        }
        let passed = self.approvals.execute_repeated(&requester, &id, &call, &run, &run).await;
        Ok(match passed {
            Ok(execution) => execution_answer(execution),
            Err(refusal) => Answer::Refusal(self.refused(&refusal, &requester, &id).await),
        })
    }

    /// No second request for input, in which a client that says yes to everything would go round and round. [WIRE-M-006]
    fn undecided(&self, status: &StatusView) -> Answer {
        let mut answer = status_answer(status, &self.names);
        if let Answer::Status(answer) = &mut answer {
            let about = About { plan_id: status.plan_id, plan_digest: Some(status.plan_digest) };
            answer.next = Some(self.names.next(ProfileTool::Execute, about));
        }
        answer
    }
}
