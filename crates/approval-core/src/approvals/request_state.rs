//! What a client carries back to the server when it sends a call again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Approvals;
use super::plan::request_tags;
use super::status::status_of;
use crate::directory::Requester;
use crate::gate::Request;
use crate::id::PlanId;
use crate::instant::Timestamp;
use crate::json::{Document, Limits};
use crate::planner::Call;
use crate::record::State;
use crate::refusal::{Reason, Refusal};
use crate::seal::{Binding, Purpose};
use crate::store::Include;
use crate::vault::internal;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestState {
    #[serde(rename = "type")]
    kind: RequestStateType,
    plan_id: PlanId,
    expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
enum RequestStateType {
    #[serde(rename = "mutation-approval/request-state/v0")]
    V0,
}

impl Approvals {
    /// What a client carries back when it sends a call again: sealed, it names the call's plan and when that expires. It
    /// confers nothing: whoever brings it passes every check of the gate. [WIRE-M-003]
    ///
    /// # Errors
    /// `internal` where nothing can be sealed.
    pub fn request_state(&self, plan_id: PlanId, expires_at: Timestamp) -> Result<String, Refusal> {
        let state = RequestState { kind: RequestStateType::V0, plan_id, expires_at };
        let document = Document::from_serialize(&state, &Limits::ARGUMENTS).map_err(internal)?;
        let sealed = self.service.vault.sealer.seal(Purpose::RequestState, &self.binding(), document.as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(sealed.map_err(internal)?))
    }

    /// The plan that such a state names. Whose plan it is, the gate asks, and whether its time is over, which is no matter where
    /// an outcome is recorded. [WIRE-M-007]
    ///
    /// # Errors
    /// `payload_invalid` where it was not made here, or has been edited.
    pub fn read_request_state(&self, state: &str) -> Result<PlanId, Refusal> {
        let refused = |why| Refusal::new(Reason::PayloadInvalid, format!("the request state {why}"));
        let sealed = URL_SAFE_NO_PAD.decode(state).map_err(|_| refused("is not base64url"))?;
        let opened = self.service.vault.sealer.open(Purpose::RequestState, &self.binding(), &sealed);
        let opened = opened.map_err(|_| refused("was not made here, or was edited"))?;
        let state =
            Document::parse(&opened, &Limits::ARGUMENTS).ok().and_then(|state| state.read::<RequestState>().ok());
        state.map(|state| state.plan_id).ok_or_else(|| refused("is of another version"))
    }

    /// Whether a call that is sent again waits for a decision: it is the one that was planned, and its plan is before a person.
    /// To ask is no attempt to execute, and uses none up. [WIRE-M-006] [GATE-071]
    ///
    /// # Errors
    /// Those of the gate's steps 1 to 3; another call than the planned one is none here, the gate refuses it.
    pub async fn awaits_decision(&self, requester: &Requester, plan_id: &str, call: &Call) -> Result<bool, Refusal> {
        let repeated = request_tags(&self.service.vault, call)?;
        let request = Request { plan_id, plan_digest: None, repeated: Some(&repeated) };
        match self.bound(requester, request, Include::Documents).await {
            Ok(bound) => Ok(status_of(&bound.opened, self.service.clock.now()).state == State::AwaitingApproval),
            Err(refusal) if refusal.reason() == Reason::ApprovalHashMismatch => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    fn binding(&self) -> Binding<'_> {
        let audience = &self.service.vault.audience;
        Binding { record: "request-state", version: 0, id: "", plan_id: None, revision: 0, audience }
    }
}
