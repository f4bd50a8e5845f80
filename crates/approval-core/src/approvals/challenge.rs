//! Putting a plan before a person.

use super::ledger::{Ledger, follow};
use super::view::ChallengeView;
use super::{Approvals, open_in, put};
use crate::audit::{EventDraft, EventKind};
use crate::directory::Requester;
use crate::gate::{self, Bound, Request};
use crate::id::ChallengeId;
use crate::opened::Opened;
use crate::record::{Challenge, ChallengeType, State};
use crate::refusal::Refusal;
use crate::store::{Include, Reads, Transition};
use crate::transition::Trigger;
use crate::vault::{broken, internal};

impl Approvals {
    /// Opens a challenge, or returns the one that is live: at most one is. [CHAL-001]
    ///
    /// # Errors
    /// `plan_not_found`, `integrity_failure`, `approval_hash_mismatch`, the end of the plan, `store_unavailable`.
    pub async fn challenge(
        &self,
        requester: &Requester,
        plan_id: &str,
        plan_digest: Option<&str>,
    ) -> Result<ChallengeView, Refusal> {
        let request = Request { plan_id, plan_digest, repeated: None };
        let bound = self.bound(requester, request, Include::Documents).await?;
        let plan = bound.opened.plan();
        if let Some(view) = self.answered_or_live(bound)? {
            return Ok(view);
        }
        let fresh = ChallengeId::generate(self.service.entropy.as_ref()).map_err(internal)?;
        let actor = self.pseudonym(&requester.identity.person)?;
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let reads = Reads { plan: Some(plan), lane: Some(lane.writer), ..Reads::default() };
        self.commit(Transition::new("open-challenge", reads, move |snapshot| {
            let opened = open_in(&vault, plan, snapshot)?;
            if is_answerable(&opened, snapshot.now) {
                return Ok(Vec::new());
            }
            gate::still_open(&opened, snapshot.now)?; // [CHAL-004]
            let mut ledger = Ledger::of_plan(&vault, &lane, snapshot, &opened)?;
            let mut next = opened.state.clone();
            if next.state == State::AwaitingApproval {
                // The one before ran out, and nobody has met that yet. [STATE-011]
                next = follow(&next, Trigger::ChallengeRanOut)?;
                ledger.tell(EventDraft::of_plan(EventKind::ChallengeExpired, plan, opened.header.digest))?;
            }
            next = follow(&next, Trigger::ChallengeOpened)?;
            let header = &opened.header.record;
            // [CHAL-002]
            let runs_out = snapshot.now.after(header.policy.limits.challenge()).min(header.expires_at);
            let challenge = Challenge {
                kind: ChallengeType::V0,
                challenge_id: fresh,
                plan_id: plan,
                plan_digest: opened.header.digest,
                created_at: snapshot.now,
                expires_at: runs_out,
            };
            let digest = ledger.insert(challenge, &fresh.to_string(), Some(plan), 0)?;
            let mut event =
                EventDraft::of_plan(EventKind::ChallengeCreated, plan, opened.header.digest).by(actor.clone());
            event.challenge_id = Some(fresh);
            event.record_digest = Some(digest);
            ledger.tell(event)?;
            next.challenge = Some(digest);
            put(&mut ledger, &opened, snapshot, next)?;
            Ok(ledger.finish())
        }))
        .await?;

        let bound = self.bound(requester, request, Include::Records).await?;
        self.answered_or_live(bound)?.ok_or_else(|| broken("the challenge that was opened is gone"))
    }

    /// The challenge that there is, if no other is needed: a live one, or the one under which the plan was executed.
    fn answered_or_live(&self, bound: Bound) -> Result<Option<ChallengeView>, Refusal> {
        let now = self.service.clock.now();
        let opened = match bound.unclaimed()? {
            Err(replay) => replay.opened,
            Ok(unclaimed) => {
                let live = unclaimed.live(now)?;
                if !is_answerable(&live.opened, now) {
                    return Ok(None);
                }
                live.opened
            }
        };
        let view =
            |challenge| ChallengeView { url: self.plan_url(opened.plan()), challenge, state: opened.state.state };
        Ok(opened.challenge.as_ref().map(|challenge| view(Challenge::clone(&challenge.record))))
    }
}

/// Whether there is no need for another challenge: one is live, or the rule is satisfied already. [INV-010]
fn is_answerable(opened: &Opened, now: crate::Timestamp) -> bool {
    match opened.state.state {
        State::Approved => true,
        State::AwaitingApproval => opened.lapse(now).is_none(),
        _ => false,
    }
}
