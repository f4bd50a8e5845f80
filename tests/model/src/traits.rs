//! The traits of the core, over the seam.

use std::collections::BTreeSet;
use std::time::Duration;

use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, CheckpointMark, Entered, Standing};
use approval_core::record::{Outcome, Rollback, Target};
use approval_core::seal::{Binding, KeyRing, Purpose, SealError, Sealer, Tag, TagPurpose};
use approval_core::store::{
    CommitError, EventRow, Include, PlanPage, PlanQuery, PlanRows, Row, RowKey, Store, StoreError, Transition,
};
use approval_core::{
    Call as ToolCall, Clock, Directory, DirectoryError, Draft, EffectKey, Entropy, EntropyError, ExecutionPermit,
    Executor, FreshnessError, Identified, Person, PlanError, PlanId, Planner, Report, ResolvedPlan, Timer, Timestamp,
};
use approval_testkit::test_key_ring;
use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::seam::{Answer, Call, Note, Permitted, Seam};

/// The approver whom the world may disable.
pub(crate) const FIRST_APPROVER: &str = "bob";

const CONFUSED: &str = "the explorer gave another answer than was asked for";

fn confused<T>() -> Result<T, StoreError> {
    Err(StoreError(CONFUSED.to_owned()))
}

#[async_trait]
impl Store for Seam {
    async fn commit(&self, transition: Transition) -> Result<(), CommitError> {
        match self.call(Call::Commit(transition)).await {
            Answer::Commit(_, result) => result,
            _ => confused().map_err(CommitError::Store),
        }
    }

    async fn plan(&self, plan: PlanId, include: Include) -> Result<Option<PlanRows>, StoreError> {
        match self.call(Call::Plan(plan, include)).await {
            Answer::Plan(rows) => rows,
            _ => confused(),
        }
    }

    async fn executing(&self) -> Result<Vec<PlanId>, StoreError> {
        match self.call(Call::Executing).await {
            Answer::Executing(plans) => Ok(plans),
            _ => confused(),
        }
    }

    async fn rows(&self, keys: &[RowKey]) -> Result<Vec<Row>, StoreError> {
        match self.call(Call::Rows(keys.to_vec())).await {
            Answer::Rows(rows) => Ok(rows),
            _ => confused(),
        }
    }

    async fn attempts(&self, effects: &[Tag]) -> Result<Vec<(PlanId, PlanRows)>, StoreError> {
        match self.call(Call::Attempts(effects.to_vec())).await {
            Answer::Attempts(attempts) => Ok(attempts),
            _ => confused(),
        }
    }

    /// Asked when a process starts only, which in the model it does before anything happens.
    async fn list(&self, _: &PlanQuery) -> Result<PlanPage, StoreError> {
        Ok(PlanPage { plans: Vec::new(), more: false })
    }

    async fn events(&self, _: u64, _: u32) -> Result<Vec<EventRow>, StoreError> {
        Err(StoreError("nobody reads the audit in the model".to_owned()))
    }

    async fn plan_events(&self, _: PlanId, _: u32) -> Result<Vec<EventRow>, StoreError> {
        Err(StoreError("nobody reads the audit in the model".to_owned()))
    }
}

#[async_trait]
impl Anchor for Seam {
    fn rollback(&self) -> Rollback {
        Rollback::Local
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        Ok(Standing::Kept)
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        match self.call(Call::Enter(entry)).await {
            Answer::Enter(entered) => entered,
            _ => Err(AnchorError(CONFUSED.to_owned())),
        }
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        match self.call(Call::Entry(plan)).await {
            Answer::Entry(entry) => Ok(entry),
            _ => Err(AnchorError(CONFUSED.to_owned())),
        }
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        match self.call(Call::Claims(effects.to_vec())).await {
            Answer::Claims(entries) => Ok(entries),
            _ => Err(AnchorError(CONFUSED.to_owned())),
        }
    }

    /// Asked when a process starts only.
    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &[PlanId]) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn remember(&self, _: CheckpointMark) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn reset_checkpoint(&self, _: Option<CheckpointMark>) -> Result<(), AnchorError> {
        Ok(())
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        Ok(None)
    }
}

impl Clock for Seam {
    fn now(&self) -> Timestamp {
        Seam::now(self)
    }
}

#[async_trait]
impl Timer for Seam {
    async fn sleep(&self, duration: Duration) {
        self.call(Call::Sleep(duration)).await;
    }
}

impl Entropy for Seam {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in buffer.chunks_mut(8) {
            chunk.iter_mut().zip(self.random()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

#[async_trait]
impl Directory for Seam {
    async fn person(&self, _: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        Ok(Some(Person::new(subject)))
    }

    async fn standing(&self, person: &Person) -> Result<approval_core::Standing, DirectoryError> {
        let Answer::World(world) = self.call(Call::World).await else {
            return Err(DirectoryError(CONFUSED.to_owned()));
        };
        let enabled = !(world.approver_disabled && person.as_str() == FIRST_APPROVER);
        Ok(approval_core::Standing { enabled, groups: BTreeSet::new() })
    }

    async fn may_request(&self, _: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        Ok(true)
    }

    async fn may_approve(&self, _: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        Ok(true)
    }
}

/// A shelf of named values; the tool `put` takes `name` and `value`.
#[async_trait]
impl Planner for Seam {
    async fn plan(&self, call: &ToolCall) -> Result<Draft, PlanError> {
        let name = call.arguments.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| PlanError::Invalid("`name` is not a text".to_owned()))?;
        let target = Target { name: "the shelf".to_owned(), identity: Map::new() };
        Ok(Draft::new(target, "put a value on the shelf", vec![EffectKey::new(format!("shelf/{name}"))]))
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        Ok(Identified { tool: plan.intent().tool.clone(), target: plan.intent().target.clone() })
    }

    async fn revalidate(&self, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        match self.call(Call::World).await {
            Answer::World(world) if !world.target_changed => Ok(()),
            _ => Err(FreshnessError::Precondition("somebody else put a value there".to_owned())),
        }
    }
}

/// An executor that starts its one step when the explorer lets it, and reports the outcome that the explorer chooses.
#[async_trait]
impl Executor for Seam {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let permitted = Permitted {
            plan: permit.plan_id(),
            digest: permit.plan_digest(),
            claim: permit.claim_id(),
            arguments: permit.plan().intent().arguments.clone(),
        };
        let Answer::Executed(outcome) = self.call(Call::Execute(permitted)).await else {
            return Report::of(Outcome::Unknown);
        };
        let plan = permit.plan_id();
        let started = permit.start(0).is_ok();
        if started {
            self.note(Note::Started(plan));
        }
        let outcome = if started { outcome } else { Outcome::Failed };
        if outcome != Outcome::Failed {
            self.note(Note::Effect(plan));
        }
        self.note(Note::Reported(plan, outcome));
        Report::of(outcome)
    }
}

/// Seals that hold, and that the explorer can see through: what is sealed stands behind what it is bound to.
///
/// Forgery is the business of other tests; nobody forges anything here, and thousands of records a second are opened.
#[derive(Debug)]
pub(crate) struct Glass {
    tags: KeyRing,
}

impl Glass {
    pub(crate) fn new() -> Self {
        Self { tags: test_key_ring() }
    }

    /// What is sealed in a row.
    pub(crate) fn through(sealed: &[u8]) -> &[u8] {
        let end = sealed.iter().position(|byte| *byte == b'\n').map_or(sealed.len(), |end| end + 1);
        sealed.get(end..).unwrap_or_default()
    }
}

fn bound(purpose: Purpose, binding: &Binding<'_>) -> String {
    let plan = binding.plan_id.map(|plan| plan.to_string()).unwrap_or_default();
    format!("{purpose:?} {} {} {plan} {} {}\n", binding.record, binding.id, binding.revision, binding.audience)
}

impl Sealer for Glass {
    fn seal(&self, purpose: Purpose, binding: &Binding<'_>, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok([bound(purpose, binding).as_bytes(), bytes].concat())
    }

    fn open(&self, purpose: Purpose, binding: &Binding<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let bytes = sealed.strip_prefix(bound(purpose, binding).as_bytes()).ok_or(SealError::Broken)?;
        Ok(bytes.to_vec())
    }

    fn is_revoked(&self, _: &[u8]) -> bool {
        false
    }

    fn tag(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Tag, SealError> {
        self.tags.tag(purpose, bytes)
    }

    fn tags(&self, purpose: TagPurpose, bytes: &[u8]) -> Result<Vec<Tag>, SealError> {
        self.tags.tags(purpose, bytes)
    }
}
