//! A plan's rows, opened: every seal holds, and every record that the plan's state names is there. [GATE-030]

mod coherence;

use std::sync::Arc;

use crate::digest::Digest;
use crate::id::PlanId;
use crate::instant::Timestamp;
use crate::record::{
    Challenge, Decision, Execution, Intent, PlanHeader, PlanState, Reconciliation, Record, RecordKind, Review, Secrets,
    State, ToolResult,
};
use crate::refusal::{Reason, Refusal};
use crate::resolved;
use crate::store::{PlanRows, Row};
use crate::transition::Trigger;
use crate::vault::{Sealed, Vault, broken};

/// The small records of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Opened {
    pub(crate) header: Arc<Sealed<PlanHeader>>,
    pub(crate) state: PlanState,
    pub(crate) challenge: Option<Arc<Sealed<Challenge>>>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) execution: Option<Arc<Sealed<Execution>>>,
    pub(crate) reconciliation: Option<Reconciliation>,
}

/// The documents of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    pub(crate) intent: Arc<Sealed<Intent>>,
    pub(crate) review: Arc<Sealed<Review>>,
}

/// All records of a plan that may be large, as far as they still exist.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) documents: Option<Documents>,
    pub(crate) secrets: Option<Secrets>,
    pub(crate) result: Option<ToolResult>,
}

impl Opened {
    /// Opens the plan's small records, and holds them against each other and against the index.
    pub(crate) fn open(vault: &Vault, plan: PlanId, rows: &PlanRows) -> Result<Self, Refusal> {
        let id = plan.to_string();
        let header: Arc<Sealed<PlanHeader>> =
            only(vault, rows, plan, &id)?.ok_or_else(|| missing(RecordKind::Header))?;
        if header.record.plan_id != plan || header.record.audience != vault.audience {
            return Err(broken("the header is another plan's"));
        }
        let row = find::<PlanState>(rows, &id).ok_or_else(|| missing(RecordKind::PlanState))?;
        let state = vault.open::<PlanState>(row, &id, Some(plan))?.into_record();
        if state.plan_id != plan || state.revision != row.revision {
            return Err(broken("the plan state is another plan's, or of another revision"));
        }
        is_last_event(vault, rows, state.last_event)?;
        agrees_with_index(rows, &header.record, &state)?;

        let named = Named { vault, rows, plan, pruned: state.pruned };
        let decisions = state.decisions.iter().map(|digest| named.find::<Decision>(Some(digest)));
        let decisions: Vec<_> = decisions.collect::<Result<_, _>>()?;
        let opened = Self {
            challenge: named.find::<Challenge>(state.challenge.as_ref())?,
            decisions: decisions.into_iter().flatten().map(Sealed::into_record).collect(),
            execution: named.find::<Execution>(state.execution.as_ref())?,
            reconciliation: named.find::<Reconciliation>(state.reconciliation.as_ref())?.map(Sealed::into_record),
            header,
            state,
        };
        coherence::check(&opened)?;
        Ok(opened)
    }

    /// The digest is the same wherever it stands. [GATE-040] [DIG-104]
    pub(crate) fn recompute(&self) -> Result<(), Refusal> {
        let digest = self.header.digest;
        let mismatch = |what| Err(Refusal::new(Reason::ApprovalHashMismatch, format!("{what} is for another digest")));
        if self.state.plan_digest != digest {
            return mismatch("the plan state");
        }
        if let Some(challenge) = &self.challenge
            && (challenge.record.plan_digest != digest || challenge.record.plan_id != self.plan())
        {
            return mismatch("the challenge");
        }
        let under = self.challenge.as_ref().map(|challenge| challenge.record.challenge_id);
        for decision in &self.decisions {
            if decision.plan_digest != digest || decision.plan_id != self.plan() || Some(decision.challenge_id) != under
            {
                return mismatch("a decision");
            }
        }
        match &self.execution {
            Some(execution) if execution.record.plan_digest != digest => mismatch("the execution"),
            _ => Ok(()),
        }
    }

    /// What the clock alone has done to the plan since its state was recorded. [STATE-010] [INV-011]
    pub(crate) fn lapse(&self, now: Timestamp) -> Option<Trigger> {
        let state = &self.state;
        if state.state.is_open() && now >= self.header.record.expires_at {
            return Some(Trigger::PlanRanOut);
        }
        match state.state {
            State::Approved if state.approval_expires_at.is_some_and(|until| now >= until) => {
                Some(Trigger::ApprovalRanOut)
            }
            State::AwaitingApproval if self.challenge.as_ref().is_some_and(|open| now >= open.record.expires_at) => {
                Some(Trigger::ChallengeRanOut)
            }
            State::Executing if state.claim.as_ref().is_some_and(|claim| now >= claim.lease) => {
                Some(Trigger::LeasePassed)
            }
            _ => None,
        }
    }

    /// Whether nothing but a tombstone of the plan is needed any more. [STATE-032]
    pub(crate) fn may_be_pruned(&self) -> bool {
        coherence::may_be_pruned(&self.state)
    }

    pub(crate) fn plan(&self) -> PlanId {
        self.header.record.plan_id
    }
}

impl Documents {
    /// Opens intent and review, and holds them against the header: what a page shows. [GATE-041]
    pub(crate) fn open(vault: &Vault, opened: &Opened, rows: &PlanRows) -> Result<Self, Refusal> {
        let documents = Self::unseal(vault, opened, rows)?;
        documents.recompute(opened)?;
        Ok(documents)
    }

    fn unseal(vault: &Vault, opened: &Opened, rows: &PlanRows) -> Result<Self, Refusal> {
        let plan = opened.plan();
        let id = plan.to_string();
        let intent: Arc<Sealed<Intent>> = only(vault, rows, plan, &id)?.ok_or_else(|| missing(RecordKind::Intent))?;
        let review: Arc<Sealed<Review>> = only(vault, rows, plan, &id)?.ok_or_else(|| missing(RecordKind::Review))?;
        if rows.index.target != intent.record.target.name {
            return Err(broken("the index names another target")); // [STORE-008]
        }
        Ok(Self { intent, review })
    }

    /// Each document has the digest that the header gives. [GATE-041] [DIG-103]
    fn recompute(&self, opened: &Opened) -> Result<(), Refusal> {
        let header = &opened.header.record;
        if self.intent.digest == header.intent_digest && self.review.digest == header.review_digest {
            Ok(())
        } else {
            Err(Refusal::new(Reason::ApprovalHashMismatch, "a document is not the one in the header"))
        }
    }
}

impl Contents {
    /// Opens all of the plan that is large: what the state does not mark as gone must be there. [GATE-031]
    pub(crate) fn open(vault: &Vault, opened: &Opened, rows: &PlanRows) -> Result<Self, Refusal> {
        if opened.state.pruned {
            return Ok(Self { documents: None, secrets: None, result: None });
        }
        let plan = opened.plan();
        let documents = Documents::unseal(vault, opened, rows)?;
        let secrets = match opened.state.secrets_erased {
            true => None,
            false => Some(only::<Secrets>(vault, rows, plan, &plan.to_string())?),
        };
        let secrets = secrets
            .map(|kept| kept.map(Sealed::into_record).ok_or_else(|| missing(RecordKind::Secrets)))
            .transpose()?;
        if opened.state.state.is_open() {
            resolved::check_leaves(&documents.intent.record, &documents.review.record, secrets.as_ref())?;
        }
        Ok(Self { documents: Some(documents), secrets, result: open_result(vault, opened, rows)? })
    }

    /// The documents are the header's.
    pub(crate) fn recompute(&self, opened: &Opened) -> Result<(), Refusal> {
        self.documents.as_ref().map_or(Ok(()), |documents| documents.recompute(opened))
    }
}

/// Opens the result that an execution names.
fn open_result(vault: &Vault, opened: &Opened, rows: &PlanRows) -> Result<Option<ToolResult>, Refusal> {
    let Some(named) = opened.execution.as_ref().and_then(|execution| execution.record.result_digest) else {
        return Ok(None);
    };
    let plan = opened.plan();
    match only::<ToolResult>(vault, rows, plan, &plan.to_string())? {
        Some(result) if result.digest == named => Ok(Some(result.into_record())),
        Some(_) => Err(broken("the result is not the one that the execution names")),
        None => Err(missing(RecordKind::Result)),
    }
}

fn find<'a, R: Record>(rows: &'a PlanRows, id: &str) -> Option<&'a Row> {
    rows.rows.iter().find(|row| row.key.kind == R::KIND && row.key.id == id)
}

fn only<R: Record>(vault: &Vault, rows: &PlanRows, plan: PlanId, id: &str) -> Result<Option<Arc<Sealed<R>>>, Refusal> {
    find::<R>(rows, id).map(|row| vault.open(row, id, Some(plan))).transpose()
}

/// The records that a plan's state names by their digests.
struct Named<'a> {
    vault: &'a Vault,
    rows: &'a PlanRows,
    plan: PlanId,
    pruned: bool,
}

impl Named<'_> {
    /// The record with this digest; only a plan that is marked as pruned may lack it. [GATE-031]
    fn find<R: Record>(&self, digest: Option<&Digest>) -> Result<Option<Arc<Sealed<R>>>, Refusal> {
        let Some(digest) = digest else { return Ok(None) };
        let mut fault = None;
        for row in self.rows.rows.iter().filter(|row| row.key.kind == R::KIND) {
            match self.vault.open::<R>(row, &row.key.id, Some(self.plan)) {
                Ok(sealed) if sealed.digest == *digest => return Ok(Some(sealed)),
                // Whatever is wrong with a record that the state does not name, it counts for nothing. [REC-040]
                Ok(_) => {}
                Err(error) => fault = Some(error),
            }
        }
        match fault {
            None if self.pruned => Ok(None),
            None => Err(missing(R::KIND)),
            Some(fault) => Err(fault),
        }
    }
}

/// A plan state that is older than its plan's last event was put back. [SEAL-007]
fn is_last_event(vault: &Vault, rows: &PlanRows, expected: Digest) -> Result<(), Refusal> {
    let row = rows.last_event.as_ref().ok_or_else(|| missing(RecordKind::Event))?;
    let event = vault.open_event(row)?;
    if event.digest == expected {
        Ok(())
    } else {
        Err(broken("the plan state is not the one that the plan's last event left"))
    }
}

/// A column is an index: where it disagrees with the sealed record, somebody has edited it. [STORE-008]
fn agrees_with_index(rows: &PlanRows, header: &PlanHeader, state: &PlanState) -> Result<(), Refusal> {
    let index = &rows.index;
    let agrees = index.plan == header.plan_id
        && index.requester == header.requester.person.as_str()
        && index.state == state.state
        && index.revision == state.revision
        && index.created_at == header.created_at
        && index.expires_at == header.expires_at;
    if agrees { Ok(()) } else { Err(broken("the index does not agree with the sealed records")) }
}

fn missing(kind: RecordKind) -> Refusal {
    broken(format!("the plan's {kind} is missing"))
}
