//! A service whose clock, randomness and keys are the same in every run, and all of it in the open.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use approval_core::anchor::AnchorKind;
use approval_core::record::{Outcome, RecordKind, State, Verdict};
use approval_core::seal::KeyRing;
use approval_core::store::{Row, RowKey};
use approval_core::{
    Approvals, ApprovalsBuilder, Call, Clock as _, Draft, ExecutionPermit, ExecutionView, Executor, FreshnessError,
    Identified, Parts, PlanError, PlanId, PlanView, Planner, Policy, Refusal, Report, Requester, ResolvedPlan,
};
use approval_testkit::ill_formed::{AUDIENCE, Forger};
use approval_testkit::{
    FakeClock, FakeDirectory, FakeTarget, FakeTimer, MemoryAnchor, MemoryStore, SeededEntropy, StillTimer, decision,
    test_key_ring,
};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// `alice` asks; `bob` and `carol` are in the group `sre`, `dave` is in none.
pub(crate) struct Stage {
    pub(crate) clock: FakeClock,
    pub(crate) directory: Arc<FakeDirectory>,
    pub(crate) target: FakeTarget,
    pub(crate) memory: MemoryStore,
    pub(crate) anchor: MemoryAnchor,
    pub(crate) approvals: Approvals,
    pub(crate) forger: Forger,
    sealer: Arc<KeyRing>,
    /// How many processes there were: each has randomness of its own.
    processes: AtomicU64,
}

impl Stage {
    pub(crate) async fn set(policy: Policy) -> Result<Self> {
        let clock = FakeClock::new();
        let memory = MemoryStore::new(Arc::new(clock.clone()));
        let directory = FakeDirectory::new().with("alice", &[]).with("bob", &["sre"]);
        let directory = Arc::new(directory.with("carol", &["sre"]).with("dave", &[]));
        let sealer = Arc::new(test_key_ring());
        let parts = parts(&clock, &memory, &directory, &sealer, policy);
        let anchor = MemoryAnchor::default();
        let approvals = start(parts, &clock, &anchor, 1, ApprovalsBuilder::separate_user).await?;
        let (target, forger) = (FakeTarget::new(), Forger::new());
        Ok(Self { clock, directory, target, memory, anchor, approvals, forger, sealer, processes: AtomicU64::new(1) })
    }

    /// Another process over the same store.
    pub(crate) async fn another(
        &self,
        policy: Policy,
        configure: impl FnOnce(ApprovalsBuilder) -> ApprovalsBuilder,
    ) -> Result<Approvals> {
        let parts = parts(&self.clock, &self.memory, &self.directory, &self.sealer, policy);
        start(parts, &self.clock, &self.anchor, self.seed(), configure).await
    }

    pub(crate) fn seals(&self) -> Arc<KeyRing> {
        Arc::clone(&self.sealer)
    }

    fn seed(&self) -> u64 {
        1 + self.processes.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn alice() -> Requester {
        FakeDirectory::requester("alice")
    }

    pub(crate) async fn plan(&self, name: &str, value: Value) -> Result<PlanView> {
        self.plan_call(self.target.call(name, &value)).await
    }

    pub(crate) async fn plan_call(&self, call: Call) -> Result<PlanView> {
        Ok(self.approvals.plan(&Self::alice(), call, &self.target).await?)
    }

    /// Opens a challenge, and has a person decide a second later, logged in at that moment.
    pub(crate) async fn decide(&self, plan: &PlanView, person: &str, verdict: Verdict) -> Result<()> {
        let challenge = self.approvals.challenge(&Self::alice(), &id(plan), None).await?.challenge;
        self.clock.advance(Duration::from_secs(1));
        self.approvals.decide(decision(plan, challenge.challenge_id, person, verdict, self.clock.now())).await?;
        Ok(())
    }

    pub(crate) async fn approve(&self, plan: &PlanView, persons: &[&str]) -> Result<()> {
        for person in persons {
            self.decide(plan, person, Verdict::Approve).await?;
        }
        Ok(())
    }

    /// Executes with an executor that reports this and does nothing.
    pub(crate) async fn run(&self, plan: &PlanView, outcome: Outcome) -> Result<()> {
        let executor = Doing(move |_permit| std::future::ready(Report::of(outcome)));
        self.approvals.execute(&Self::alice(), &id(plan), None, &Agreeable, &executor).await?;
        Ok(())
    }

    /// Begins an execution that goes on, and whose lease nobody renews.
    pub(crate) async fn hold(&self, policy: Policy, plan: &PlanView) -> Result<Held> {
        let mut parts = parts(&self.clock, &self.memory, &self.directory, &self.sealer, policy);
        parts.timer = Arc::new(StillTimer);
        let approvals = start(parts, &self.clock, &self.anchor, self.seed(), ApprovalsBuilder::separate_user).await?;
        let (begin, begun) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let gate = Mutex::new(Some((begin, released)));
        let id = id(plan);
        let task = tokio::spawn(async move {
            let executor = Doing(move |permit: ExecutionPermit| {
                let once = gate.lock().unwrap_or_else(PoisonError::into_inner).take();
                async move {
                    if let Some((begin, released)) = once {
                        let _ = begin.send(());
                        let _ = released.await;
                    }
                    drop(permit);
                    Report::of(Outcome::Unknown)
                }
            });
            approvals.execute(&Self::alice(), &id, None, &Agreeable, &executor).await
        });
        begun.await.context("the plan was not executed")?;
        Ok(Held { _release: release, task })
    }

    /// All that is stored of a plan, opened: records, columns, and the names of records whose seal doesn't hold.
    pub(crate) fn stored(&self, plan: PlanId) -> Result<Value> {
        let tables = self.memory.tables();
        let mut stored = Map::new();
        let mut broken = Vec::new();
        for row in tables.rows.values().filter(|row| row.plan == Some(plan)) {
            let (member, many) = member_of(row.key.kind)?;
            let Ok(text) = self.forger.open_text(row) else {
                broken.push(json!(member));
                continue;
            };
            let record: Value = serde_json::from_str(&text)?;
            if many {
                let list = stored.entry(member).or_insert_with(|| json!([]));
                list.as_array_mut().context("a list")?.push(record);
            } else {
                stored.insert(member.to_owned(), record);
            }
        }
        // Rows come in the order of their ids, which says nothing; decisions are shown in the order in which they were made.
        for (list, by) in [("challenges", "createdAt"), ("decisions", "decidedAt")] {
            if let Some(Value::Array(records)) = stored.get_mut(list) {
                records.sort_by_key(|record| record.get(by).and_then(Value::as_str).map(ToOwned::to_owned));
            }
        }
        if let Some(event) = tables.events.iter().rev().find(|event| event.plan == Some(plan)) {
            match self.forger.open_event(event) {
                Ok(event) => drop(stored.insert("lastEvent".to_owned(), event)),
                Err(_) => broken.push(json!("lastEvent")),
            }
        }
        if !broken.is_empty() {
            stored.insert("broken".to_owned(), broken.into());
        }
        if let Some(index) = tables.plans.get(&plan) {
            stored.insert(
                "index".to_owned(),
                json!({
                    "planId": index.plan,
                    "requester": index.requester,
                    "target": index.target,
                    "state": index.state,
                    "revision": index.revision,
                    "createdAt": index.created_at,
                    "expiresAt": index.expires_at,
                }),
            );
        }
        Ok(stored.into())
    }

    /// The record of one kind that a plan has one of.
    pub(crate) fn record(&self, kind: RecordKind, plan: PlanId) -> Result<Value> {
        let tables = self.memory.tables();
        let row = tables.rows.values().find(|row| row.key.kind == kind && row.plan == Some(plan));
        Ok(serde_json::from_str(&self.forger.open_text(row.with_context(|| format!("no {kind}"))?)?)?)
    }

    /// The one record of a kind that belongs to no plan.
    pub(crate) fn record_of_no_plan(&self, kind: RecordKind) -> Result<Value> {
        let tables = self.memory.tables();
        let row = tables.rows.values().find(|row| row.key.kind == kind).with_context(|| format!("no {kind}"))?;
        Ok(serde_json::from_str(&self.forger.open_text(row)?)?)
    }

    /// The id of the one record of a kind.
    pub(crate) fn id_of(&self, kind: RecordKind) -> Result<String> {
        let tables = self.memory.tables();
        let key = tables.rows.keys().find(|key| key.kind == kind);
        Ok(key.with_context(|| format!("no {kind}"))?.id.clone())
    }

    /// The keys of the plan's rows of this kind.
    pub(crate) fn keys(&self, kind: RecordKind, plan: PlanId) -> Vec<RowKey> {
        let tables = self.memory.tables();
        let rows = tables.rows.values().filter(|row| row.key.kind == kind && row.plan == Some(plan));
        rows.map(|row| row.key.clone()).collect()
    }

    /// Changes the plan's one record of this kind, under a seal that holds. Returns its digest.
    pub(crate) fn edit(&self, kind: RecordKind, plan: PlanId, change: impl FnOnce(&mut Value)) -> Result<Value> {
        let key = self.keys(kind, plan).into_iter().next().with_context(|| format!("no {kind}"))?;
        let mut tables = self.memory.tables();
        self.forger.edit_members(&mut tables, &key, change)?;
        let row = tables.rows.get(&key).context("the row was edited")?;
        Ok(json!(self.forger.digest(row)?))
    }

    /// Removes the plan's records of this kind.
    pub(crate) fn remove(&self, kind: RecordKind, plan: PlanId) {
        for key in self.keys(kind, plan) {
            self.memory.tables().rows.remove(&key);
        }
    }

    /// Breaks the seal of the plan's records of this kind.
    pub(crate) fn break_seal(&self, kind: RecordKind, plan: PlanId) {
        let broken = |row: &mut Row| {
            if let Some(byte) = row.sealed.last_mut() {
                *byte ^= 1;
            }
        };
        let mut tables = self.memory.tables();
        tables.rows.values_mut().filter(|row| row.key.kind == kind && row.plan == Some(plan)).for_each(broken);
    }

    pub(crate) fn state(&self, plan: PlanId) -> Result<State> {
        Ok(self.memory.tables().plans.get(&plan).ok_or_else(|| anyhow!("no such plan"))?.state)
    }

    /// Whether execution is paused, as the record says it.
    pub(crate) fn pause(&self) -> Result<Option<Value>> {
        let tables = self.memory.tables();
        let paused = tables.rows.values().any(|row| row.key.kind == RecordKind::Pause);
        drop(tables);
        paused.then(|| self.record_of_no_plan(RecordKind::Pause)).transpose()
    }

    /// What the anchor remembers, and of a claim whether the store holds it.
    pub(crate) fn anchored(&self) -> Result<Value> {
        let remembered = self.anchor.remembered();
        let mut entries = Vec::new();
        for entry in remembered.iter().flat_map(|remembered| remembered.entries.values()) {
            entries.push(match entry.kind {
                AnchorKind::Claimed(claim) => {
                    let state = self.record(RecordKind::PlanState, entry.plan).unwrap_or_default();
                    let stored = state["claim"]["claimId"] == json!(claim);
                    json!({ "planId": entry.plan, "kind": "claimed", "inStore": stored })
                }
                AnchorKind::Rejected => json!({ "planId": entry.plan, "kind": "rejected" }),
                AnchorKind::Withdrawn => json!({ "planId": entry.plan, "kind": "withdrawn" }),
            });
        }
        Ok(entries.into())
    }

    /// The plans that the store finds as attempts, other than one.
    pub(crate) fn attempts(&self, but: PlanId) -> Vec<PlanId> {
        let tables = self.memory.tables();
        let plans: std::collections::BTreeSet<_> = tables.attempts.iter().map(|(_, plan)| *plan).collect();
        plans.into_iter().filter(|plan| *plan != but).collect()
    }
}

/// Where a record stands among those of its plan, and whether there may be several.
fn member_of(kind: RecordKind) -> Result<(&'static str, bool)> {
    Ok(match kind {
        RecordKind::Challenge => ("challenges", true),
        RecordKind::Decision => ("decisions", true),
        RecordKind::Execution => ("execution", false),
        RecordKind::Header => ("header", false),
        RecordKind::Intent => ("intent", false),
        RecordKind::PlanState => ("planState", false),
        RecordKind::Reconciliation => ("reconciliation", false),
        RecordKind::Result => ("result", false),
        RecordKind::Review => ("review", false),
        RecordKind::Secrets => ("secrets", false),
        kind => return Err(anyhow!("a plan has no {kind}")),
    })
}

pub(crate) fn id(plan: &PlanView) -> String {
    plan.header.plan_id.to_string()
}

fn parts(
    clock: &FakeClock,
    memory: &MemoryStore,
    directory: &Arc<FakeDirectory>,
    sealer: &Arc<KeyRing>,
    policy: Policy,
) -> Parts {
    Parts {
        audience: AUDIENCE.into(),
        store: Arc::new(memory.clone()),
        sealer: Arc::clone(sealer) as _,
        directory: Arc::clone(directory) as _,
        timer: Arc::new(FakeTimer::new(clock.clone())),
        policy,
        surface: "https://approvals.example".to_owned(),
    }
}

async fn start(
    parts: Parts,
    clock: &FakeClock,
    anchor: &MemoryAnchor,
    seed: u64,
    configure: impl FnOnce(ApprovalsBuilder) -> ApprovalsBuilder,
) -> Result<Approvals> {
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(clock.clone())).anchor(Arc::new(anchor.clone()));
    Ok(configure(builder.entropy(Arc::new(SeededEntropy::new(seed)))).start().await?)
}

/// An execution that goes on until this is dropped.
pub(crate) struct Held {
    _release: oneshot::Sender<()>,
    task: JoinHandle<Result<ExecutionView, Refusal>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An executor that does what it is told with its permit.
pub(crate) struct Doing<F>(pub(crate) F);

#[async_trait]
impl<F, Fut> Executor for Doing<F>
where
    F: Fn(ExecutionPermit) -> Fut + Send + Sync,
    Fut: Future<Output = Report> + Send,
{
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        self.0(permit).await
    }
}

/// A planner to which everything is as it was.
pub(crate) struct Agreeable;

#[async_trait]
impl Planner for Agreeable {
    async fn plan(&self, _: &Call) -> Result<Draft, PlanError> {
        Err(PlanError::Unsupported("it looks at plans, and makes none".to_owned()))
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        Ok(Identified { tool: plan.intent().tool.clone(), target: plan.intent().target.clone() })
    }

    async fn revalidate(&self, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }
}
