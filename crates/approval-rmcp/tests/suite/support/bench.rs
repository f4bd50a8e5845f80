//! A workshop behind a gate, and the person who decides.

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::Verdict;
use approval_core::{Clock as _, DecisionRequest, Refusal, StatusView};
use approval_rmcp::{ConfiguredRequester, Gated, GatedBuilder};
use approval_testkit::{FakeDirectory, Room};
use rmcp::ServerHandler;
use serde_json::{Value, json};

use super::{Client, Era, Workshop};

pub(crate) struct Bench {
    pub(crate) room: Room,
    pub(crate) workshop: Arc<Workshop>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self { room: Room::new().await, workshop: Workshop::new() }
    }

    pub(crate) async fn around(workshop: Workshop) -> Self {
        Self { room: Room::new().await, workshop: Arc::new(workshop) }
    }

    /// A gate around the workshop, for an agent that acts for this person.
    pub(crate) fn gate(&self, person: &str) -> GatedBuilder<Arc<Workshop>> {
        Gated::builder(Arc::clone(&self.workshop), self.room.approvals.clone())
            .requester(ConfiguredRequester::new(FakeDirectory::identity(person)))
    }

    /// A client that acts for `alice`.
    pub(crate) async fn client(&self, era: Era) -> Client {
        self.client_of(self.gate("alice"), era).await
    }

    pub(crate) async fn client_of(&self, gate: GatedBuilder<impl ServerHandler>, era: Era) -> Client {
        Client::connect(gate.build().unwrap(), era).await
    }

    /// A person decides on a challenge that the client got.
    pub(crate) async fn decide(
        &self,
        challenge: &Value,
        person: &str,
        verdict: Verdict,
    ) -> Result<StatusView, Refusal> {
        self.room.clock.advance(Duration::from_secs(1));
        let now = self.room.clock.now();
        let parsed = |member: &str| challenge[member].as_str().unwrap();
        self.room
            .approvals
            .decide(DecisionRequest {
                plan_id: parsed("planId").parse().unwrap(),
                challenge_id: parsed("challengeId").parse().unwrap(),
                plan_digest: parsed("planDigest").parse().unwrap(),
                approver: FakeDirectory::approver(person, now),
                verdict,
                comment: None,
                rendered_at: now,
            })
            .await
    }

    /// Plans a call, and has `alice` approve it. Returns the plan.
    pub(crate) async fn approved(&self, client: &mut Client, tool: &str, arguments: Value) -> Value {
        let plan = client.answer(tool, arguments).await;
        assert_eq!(plan["kind"], "plan", "{plan}");
        let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
        self.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
        plan
    }

    /// Plans a call, has `alice` approve it, and executes it. Returns plan and execution.
    pub(crate) async fn executed(&self, client: &mut Client, tool: &str, arguments: Value) -> (Value, Value) {
        let plan = self.approved(client, tool, arguments).await;
        let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
        (plan, execution)
    }
}
