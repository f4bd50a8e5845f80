//! Takes one step from a state: the real service does it, and the world's side is a copy of the state.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use approval_core::anchor::{AnchorError, AnchorKind, Entered};
use approval_core::record::{Approver, RequesterAssurance, Verdict};
use approval_core::store::{CommitError, Snapshot, Store as _, StoreError, Transition, Write};
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Call as ToolCall, ChallengeView, ClaimId, Clock, DecisionRequest, Digest,
    ExecutionView, Parts, PlanView, Reason, Refusal, Requester, StatusView, Timestamp,
};
use approval_testkit::{FakeClock, MemoryStore, Tables};

use crate::facts::{Facts, is_paused};
use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::observe::Observer;
use crate::scenario::{Scenario, TICK, With};
use crate::seam::{Answer, Call, CallKind, Seam};
use crate::state::{Action, Decide, Entry, History, How, Op, Open, Page, Plan, Shown, State, Task};
use crate::traits::{Glass, identity};

/// The service, its store and its world, in which one step at a time is taken.
pub(crate) struct Lab<'s> {
    scenario: &'s Scenario,
    fault: Option<Fault>,
    seam: Arc<Seam>,
    /// Two processes, so that no order of commits comes from one process's own lane of the audit.
    processes: Vec<Approvals>,
    memory: MemoryStore,
}

/// What a call of the service came to.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    Challenged(Result<ChallengeView, Refusal>),
    Decided(Result<StatusView, Refusal>),
    Executed(Result<ExecutionView, Refusal>),
    Planned(Box<Result<PlanView, Refusal>>),
    Told(Result<(), Refusal>),
}

impl Done {
    pub(crate) fn refusal(&self) -> Option<Reason> {
        let refusal = match self {
            Self::Challenged(result) => result.as_ref().err(),
            Self::Decided(result) => result.as_ref().err(),
            Self::Executed(result) => result.as_ref().err(),
            Self::Planned(result) => result.as_ref().as_ref().err(),
            Self::Told(result) => result.as_ref().err(),
        };
        refusal.map(Refusal::reason)
    }
}

type Doing<'a> = Pin<Box<dyn Future<Output = Done> + 'a>>;

/// A state after a step, and what is wrong with it.
pub(crate) struct Step {
    pub(crate) state: State,
    pub(crate) broken: Vec<Broken>,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) invariant: Invariant,
    pub(crate) why: String,
}

impl<'s> Lab<'s> {
    /// The service over an empty store, and the state in which it starts.
    pub(crate) fn new(scenario: &'s Scenario, fault: Option<Fault>) -> Result<(Self, State)> {
        let start = FakeClock::new().now();
        let seam = Arc::new(Seam::new(start));
        let clock: Arc<dyn Clock> = match fault {
            Some(Fault::StoreClockStands) => Arc::new(FakeClock::new()),
            _ => Arc::clone(&seam) as _,
        };
        let mut lab = Self { scenario, fault, seam, processes: Vec::new(), memory: MemoryStore::new(clock) };
        let mut state = State {
            now: start,
            tables: Arc::default(),
            anchor: Vec::new(),
            world: crate::seam::World::default(),
            tasks: Vec::new(),
            plans: Vec::new(),
            paused: false,
            copy: None,
            put_back: false,
            serial: 1,
        };
        for _ in 0..2 {
            let process = lab.start(&mut state)?;
            lab.processes.push(process);
        }
        for (by, key) in scenario.plans {
            lab.at_once(&mut state, Op::Plan { by, key })?;
        }
        if scenario.approved {
            lab.approve_all(&mut state)?;
        }
        state.copy = None;
        Ok((lab, state))
    }

    fn start(&self, state: &mut State) -> Result<Approvals> {
        let parts = Parts {
            audience: Audience::from("urn:uuid:00000000-0000-4000-8000-000000000001"),
            store: Arc::clone(&self.seam) as _,
            sealer: Arc::new(Glass::new()),
            directory: Arc::clone(&self.seam) as _,
            timer: Arc::clone(&self.seam) as _,
            policy: self.scenario.policy(),
            surface: "http://127.0.0.1:8080".to_owned(),
        };
        let builder = ApprovalsBuilder::new(parts).separate_user();
        let builder = builder.anchor(Arc::clone(&self.seam) as _).clock(Arc::clone(&self.seam) as _);
        let builder = builder.entropy(Arc::clone(&self.seam) as _);
        state.serial += 1;
        self.seam.begin(state.serial, state.now);
        let mut starting = pin!(builder.start());
        let mut observer = Observer::new(self.scenario, state, None);
        loop {
            if let Poll::Ready(started) = starting.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                return Ok(started?);
            }
            let (number, _) = self.seam.open().first().copied().context("the start waits for nothing")?;
            let call = self.seam.take(number).context("the start takes its call back")?;
            let answer = self.perform(call, (How::Done, None), &mut observer, None)?;
            self.seam.answer(number, answer);
        }
    }

    /// Takes a call from its beginning to its end, in the initial state.
    fn at_once(&self, state: &mut State, op: Op) -> Result<()> {
        let step = self.step(state, &Action::Begin(op.clone()))?;
        *state = step.state;
        while let Some(task) = state.tasks.first() {
            let open = task.open.first().cloned().context("a call that waits for nothing")?;
            let answer = Action::Answer { task: 0, number: open.number, kind: open.kind, how: How::Done };
            *state = self.step(state, &answer)?.state;
        }
        Ok(())
    }

    /// Lets every plan be approved.
    fn approve_all(&self, state: &mut State) -> Result<()> {
        for plan in 0..state.plans.len() {
            self.at_once(state, Op::Challenge(plan))?;
        }
        for plan in 0..state.plans.len() {
            for person in ["alice", "bob", "carol", "dave"] {
                let shown = state.plans.get(plan).context("no such plan")?;
                let challenge = shown.facts.challenge().context("no challenge")?.challenge_id;
                let decide = Decide { plan, person, verdict: Verdict::Approve, page: Page::Current, challenge };
                if shown.history.satisfied_at.is_none()
                    && self.scenario.rule.is_satisfied(shown.shown.requester, &[person])
                {
                    self.at_once(state, Op::Decide(decide))?;
                }
            }
        }
        Ok(())
    }

    /// The state after one step.
    pub(crate) fn step(&self, before: &State, action: &Action) -> Result<Step> {
        let mut state = before.clone();
        match action {
            Action::Begin(op) => {
                state.serial += 1;
                let task = Task {
                    serial: state.serial,
                    op: op.clone(),
                    began: state.now,
                    log: Vec::new(),
                    open: Vec::new(),
                    claim: None,
                };
                self.go_on(before, state, task, None)
            }
            Action::Answer { task, number, how, .. } => {
                let task = (*state.tasks.remove(*task)).clone();
                self.go_on(before, state, task, Some((*number, *how)))
            }
            Action::Crash(task) => {
                state.tasks.remove(*task);
                Ok(Step { state, broken: Vec::new() })
            }
            Action::Tick => {
                state.now = tick(state.now);
                let mut observer = Observer::new(self.scenario, &mut state, None);
                observer.standing();
                let broken = observer.broken;
                Ok(Step { state, broken })
            }
            Action::DisableApprover => {
                state.world.approver_disabled = true;
                Ok(Step { state, broken: Vec::new() })
            }
            Action::ChangeTarget => {
                state.world.target_changed = true;
                Ok(Step { state, broken: Vec::new() })
            }
            Action::Copy => {
                state.copy = Some(Arc::clone(&state.tables));
                Ok(Step { state, broken: Vec::new() })
            }
            Action::PutBack => {
                state.tables = state.copy.take().context("nothing was put aside")?;
                state.put_back = true;
                refresh(&mut state)?;
                Ok(Step { state, broken: Vec::new() })
            }
        }
    }

    /// Brings a call back to where it stood, answers what it waits for, and lets it go on until it waits again.
    fn go_on(&self, before: &State, mut state: State, task: Task, answered: Option<(usize, How)>) -> Result<Step> {
        let Task { serial, op, began, mut log, open: waited, mut claim } = task;
        self.seam.begin(serial, began);
        let mut doing = self.doing(before, (serial, began), &op)?;
        let mut done = self.poll(&mut doing);
        for entry in &log {
            if done.is_some() {
                bail!("`{op}` ended before it had all of its answers again");
            }
            self.again(entry)?;
            done = self.poll(&mut doing);
        }
        self.seam.set_now(state.now);
        self.seam.take_notes();

        let known: Vec<usize> = self.seam.open().iter().map(|(number, _)| *number).collect();
        let mut observer = Observer::new(self.scenario, &mut state, Some(&op));
        let mut next = answered;
        if answered.is_none() {
            observer.began();
        }
        while done.is_none() {
            let (number, how) = match next.take() {
                Some(answered) => answered,
                None => match self.seam.open().into_iter().find(|(_, kind)| self.is_at_once(&op, *kind)) {
                    Some((number, _)) => (number, How::Done),
                    None => break,
                },
            };
            let kind = self.seam.open().into_iter().find(|(open, _)| *open == number).map(|(_, kind)| kind);
            let kind = kind.with_context(|| format!("`{op}` does not wait for that any more"))?;
            let call = self.seam.take(number).context("an open call can be taken")?;
            let earlier = waited.iter().find(|open| open.number == number).and_then(|open| open.earlier.clone());
            let answer = self.perform(call, (how, earlier), &mut observer, Some(kind))?;
            let facts = if self.scenario.with.fine_reads { facts_in(&answer)? } else { Vec::new() };
            if let (CallKind::Commit("claim"), Answer::Commit(_, Ok(()))) = (kind, &answer) {
                claim = observer.claim_of(&op);
            }
            log.push(Arc::new(Entry { number, kind, at: observer.state.now, answer: answer.clone(), facts }));
            self.seam.answer(number, answer);
            done = self.poll(&mut doing);
            for note in self.seam.take_notes() {
                observer.noted(note);
            }
        }
        let mut open = Vec::new();
        for (number, kind) in self.seam.open() {
            open.push(match waited.iter().find(|open| open.number == number) {
                Some(known) => known.clone(),
                None => {
                    Open { number, kind, since: observer.state.now, earlier: self.earlier(number, observer.state)? }
                }
            });
        }
        for open in open.iter().filter(|open| open.kind == CallKind::Execute && !known.contains(&open.number)) {
            let permitted = self.seam.permitted(open.number).context("an executor without a permit")?;
            observer.called(&permitted);
        }
        drop(doing);
        match &done {
            Some(done) => {
                observer.ended(done);
                if let Done::Planned(planned) = done
                    && let Ok(view) = planned.as_ref()
                    && let Op::Plan { by, key } = &op
                {
                    observer.enter_plan(shown(observer.state, view, by, key, call_of(key)?.arguments))?;
                }
            }
            None if open.is_empty() => bail!("`{op}` waits for nothing"),
            None => observer.state.tasks.push(Arc::new(Task { serial, op: op.clone(), began, log, open, claim })),
        }
        let broken = observer.broken;
        Ok(Step { state, broken })
    }

    fn poll(&self, doing: &mut Doing<'_>) -> Option<Done> {
        match doing.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    /// Gives an answer again that the call has had before.
    fn again(&self, entry: &Entry) -> Result<()> {
        self.seam.set_now(entry.at);
        let call = self.seam.take(entry.number).ok_or_else(|| anyhow!("another call is made than before"))?;
        if let (Call::Commit(transition), Answer::Commit(Some(snapshot), _)) = (call, &entry.answer) {
            // For what it tells its caller; what it would write was written then.
            let _ = transition.apply(snapshot);
        }
        self.seam.answer(entry.number, entry.answer.clone());
        Ok(())
    }

    /// Whether the explorer interleaves nothing before this.
    fn is_at_once(&self, op: &Op, kind: CallKind) -> bool {
        let With { fine_calls, fine_reads, put_back, .. } = self.scenario.with;
        match (op, kind) {
            (_, CallKind::Read | CallKind::Commit("lapse" | "renew" | "refuse-decision")) => true,
            (Op::Execute { .. }, CallKind::Look | CallKind::Commit("refuse")) => !fine_reads,
            (Op::Execute { .. }, _) => false,
            (Op::Plan { .. } | Op::Look(_), _) => true,
            (Op::Decide(_), CallKind::Enter) => !fine_calls && !put_back,
            _ => !fine_calls,
        }
    }

    fn doing<'a>(&'a self, state: &State, (serial, began): (u64, Timestamp), op: &Op) -> Result<Doing<'a>> {
        let plan = |number: usize| state.plans.get(number).map(|plan| &plan.shown).context("no such plan");
        // Calls come to the processes in turn.
        let process = usize::try_from(serial % 2)?;
        let approvals = self.processes.get(process).context("no such process")?;
        let seam = self.seam.as_ref();
        Ok(match op {
            Op::Cancel(number) => {
                let (by, id) = (requester(plan(*number)?.requester), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Decided(approvals.cancel(&by, &id).await) })
            }
            Op::Challenge(number) => {
                let (by, id) = (requester(plan(*number)?.requester), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Challenged(approvals.challenge(&by, &id, None).await) })
            }
            Op::Decide(decide) => {
                let request = decision(state, decide, began)?;
                Box::pin(async move { Done::Decided(approvals.decide(request).await) })
            }
            Op::Execute { plan: number, by } => {
                let (by, id) = (requester(by), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Executed(approvals.execute(&by, &id, None, seam, seam).await) })
            }
            Op::Look(number) => {
                let (by, id) = (requester(plan(*number)?.requester), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Decided(approvals.status(&by, &id, Duration::ZERO).await) })
            }
            Op::Pause => Box::pin(async move { Done::Told(approvals.pause("olga").await) }),
            Op::Resume => Box::pin(async move { Done::Told(approvals.resume("olga").await) }),
            Op::Plan { by, key } => {
                let (by, call) = (requester(by), call_of(key)?);
                Box::pin(async move { Done::Planned(Box::new(approvals.plan(&by, call, seam).await)) })
            }
            Op::Reconcile(number, finding) => {
                let (id, finding) = (plan(*number)?.id, *finding);
                Box::pin(async move { Done::Told(approvals.reconcile(id, finding, "olga").await) })
            }
            Op::Recover => Box::pin(async move { Done::Told(approvals.recover().await.map(|_| ())) }),
        })
    }

    /// Does what the service asks, to the state.
    fn perform(
        &self,
        call: Call,
        (how, earlier): (How, Option<Arc<Snapshot>>),
        observer: &mut Observer<'_>,
        kind: Option<CallKind>,
    ) -> Result<Answer> {
        Ok(match call {
            Call::Commit(transition) => {
                let (snapshot, result) = self.commit(transition, how, earlier, observer.state)?;
                if how != How::Fails && result.is_ok() {
                    refresh(observer.state)?;
                    if let Some(CallKind::Commit(name)) = kind {
                        observer.committed(name);
                    }
                }
                let result =
                    if how == How::Lost { Err(StoreError("the connection broke".to_owned()).into()) } else { result };
                Answer::Commit(snapshot, result)
            }
            Call::Enter(_) if how == How::Fails => Answer::Enter(Err(AnchorError("the disk is full".to_owned()))),
            Call::Enter(entry) => {
                let known = observer.state.anchor.iter().find(|known| known.plan == entry.plan).cloned();
                Answer::Enter(Ok(match known {
                    Some(known) if self.fault != Some(Fault::AnchorForgets) => Entered::Present(known),
                    _ => {
                        observer.anchored(&entry);
                        observer.state.anchor.push(entry);
                        Entered::First
                    }
                }))
            }
            Call::Entry(plan) => Answer::Entry(observer.state.anchor.iter().find(|known| known.plan == plan).cloned()),
            Call::Claims(effects) => {
                let touching = observer.state.anchor.iter().filter(|entry| {
                    matches!(entry.kind, AnchorKind::Claimed(_))
                        && entry.effects.iter().any(|effect| effects.contains(effect))
                });
                Answer::Claims(touching.cloned().collect())
            }
            Call::Execute(_) => match how {
                How::Outcome(outcome) => Answer::Executed(outcome),
                _ => bail!("an executor comes to an outcome"),
            },
            Call::Attempts(_) if self.fault == Some(Fault::StoreForgetsAttempts) => Answer::Attempts(Vec::new()),
            Call::Attempts(effects) => {
                Answer::Attempts(self.stored(observer.state, |store| now(store.attempts(&effects)))?)
            }
            Call::Executing => Answer::Executing(self.stored(observer.state, |store| now(store.executing()))?),
            Call::Plan(plan, include) => {
                Answer::Plan(Ok(self.stored(observer.state, |store| now(store.plan(plan, include)))?))
            }
            Call::Rows(keys) => Answer::Rows(self.stored(observer.state, |store| now(store.rows(&keys)))?),
            Call::Sleep(_) => Answer::Slept,
            Call::World => Answer::World(observer.state.world),
        })
    }

    /// What is stored when a transition is handed to a store that applies it to that, however late it commits.
    fn earlier(&self, number: usize, state: &State) -> Result<Option<Arc<Snapshot>>> {
        let Some(reads) = self.seam.reads(number).filter(|_| self.fault.is_some_and(Fault::reads_earlier)) else {
            return Ok(None);
        };
        let seen: Arc<Mutex<Option<Arc<Snapshot>>>> = Arc::default();
        let to = Arc::clone(&seen);
        let look = Transition::new("look", reads, move |snapshot| {
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot.clone()));
            Ok(Vec::new())
        });
        self.memory.tables().clone_from(&state.tables);
        now(self.memory.commit(look))??;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(seen)
    }

    /// Reads from the state's tables.
    fn stored<T>(&self, state: &State, read: impl FnOnce(&MemoryStore) -> Result<Result<T, StoreError>>) -> Result<T> {
        self.memory.tables().clone_from(&state.tables);
        Ok(read(&self.memory)??)
    }

    /// Runs a transition on the state's tables.
    fn commit(
        &self,
        transition: Transition,
        how: How,
        earlier: Option<Arc<Snapshot>>,
        state: &mut State,
    ) -> Result<(Option<Arc<Snapshot>>, Result<(), CommitError>)> {
        if how == How::Fails {
            return Ok((None, Err(StoreError("the connection broke".to_owned()).into())));
        }
        let seen: Arc<Mutex<Option<Arc<Snapshot>>>> = Arc::default();
        let to = Arc::clone(&seen);
        let (name, reads) = (transition.name(), transition.reads().clone());
        let forgets = self.fault == Some(Fault::StoreForgetsAttempts);
        let replaces_anything = self.fault == Some(Fault::StoreReplacesAnything);
        let stored = Arc::clone(&state.tables);
        let watched = Transition::new(name, reads, move |snapshot| {
            let mut snapshot = earlier.as_deref().unwrap_or(snapshot).clone();
            if forgets {
                snapshot.attempts.clear();
            }
            let snapshot = Arc::new(snapshot);
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&snapshot));
            let writes = transition.apply(&snapshot)?;
            Ok(if replaces_anything { writes.into_iter().map(|write| onto(&stored, write)).collect() } else { writes })
        });
        self.memory.tables().clone_from(&state.tables);
        let result = now(self.memory.commit(watched))?;
        if result.is_ok() {
            let mut tables = std::mem::take(&mut *self.memory.tables());
            forget_events(&mut tables);
            state.tables = Arc::new(tables);
        }
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((seen, result))
    }
}

/// The write, so that it finds the row as it expects it.
fn onto(stored: &Tables, write: Write) -> Write {
    match write {
        Write::Replace { row, .. } => {
            Write::Replace { from: stored.rows.get(&row.key).map_or(0, |row| row.revision), row }
        }
        other => other,
    }
}

/// Of the audit nothing is read but the last event of each plan.
fn forget_events(tables: &mut Tables) {
    let last: Vec<_> = tables
        .plans
        .keys()
        .filter_map(|plan| tables.events.iter().rev().find(|event| event.plan == Some(*plan)))
        .map(|event| event.position)
        .collect();
    let newest = tables.events.last().map(|event| event.position);
    tables.events.retain(|event| last.contains(&event.position) || Some(event.position) == newest);
}

/// Reads the facts anew from the tables.
pub(crate) fn refresh(state: &mut State) -> Result<()> {
    for plan in &mut state.plans {
        let facts = Facts::of_plan(&state.tables, plan.shown.id)?;
        plan.facts = Arc::new(facts.context("a plan is gone from the store")?);
    }
    state.paused = is_paused(&state.tables)?;
    Ok(())
}

/// What an answer says of plans.
fn facts_in(answer: &Answer) -> Result<Vec<Facts>> {
    match answer {
        Answer::Plan(Ok(Some(rows))) => Ok(vec![Facts::of(rows.rows.iter())?]),
        Answer::Attempts(found) => found.iter().map(|(_, rows)| Facts::of(rows.rows.iter())).collect(),
        _ => Ok(Vec::new()),
    }
}

fn shown(
    state: &State,
    view: &PlanView,
    by: &'static str,
    key: &'static str,
    arguments: serde_json::Map<String, serde_json::Value>,
) -> Shown {
    Shown {
        id: view.header.plan_id,
        digest: view.plan_digest,
        requester: by,
        key,
        arguments,
        expires_at: view.header.expires_at,
        warned_of: view.warnings.iter().filter_map(|warning| state.number(warning.plan_id)).collect(),
    }
}

impl Observer<'_> {
    /// The claim that has just committed.
    fn claim_of(&self, op: &Op) -> Option<ClaimId> {
        let Op::Execute { plan, .. } = op else { return None };
        self.state.plans.get(*plan)?.facts.state.claim.as_ref().map(|claim| claim.claim_id)
    }

    fn enter_plan(&mut self, shown: Shown) -> Result<()> {
        let facts = Facts::of_plan(&self.state.tables, shown.id)?.context("a plan that is not stored")?;
        let plan = Plan { shown: Arc::new(shown), facts: Arc::new(facts), history: History::default() };
        self.state.plans.push(plan);
        Ok(())
    }
}

fn decision(state: &State, decide: &Decide, at: Timestamp) -> Result<DecisionRequest> {
    let plan = state.plans.get(decide.plan).context("no such plan")?;
    let known = plan.facts.challenges.iter().find(|known| known.challenge_id == decide.challenge);
    let opened_at = known.context("no such challenge")?.created_at;
    let digest: Digest = match decide.page {
        Page::OtherDigest(other) => state.plans.get(other).context("no such plan")?.shown.digest,
        _ => plan.shown.digest,
    };
    // Whoever decides has logged in just now, unless they didn't.
    let auth_time = if decide.page == Page::OldLogin { opened_at } else { at.after(Duration::from_secs(1)) };
    let approval_core::record::Identity { person, issuer, subject } = identity(decide.person);
    Ok(DecisionRequest {
        plan_id: plan.shown.id,
        challenge_id: decide.challenge,
        plan_digest: digest,
        approver: Approver { person, issuer, subject, auth_time, acr: None, amr: Vec::new() },
        verdict: decide.verdict,
        comment: None,
        rendered_at: auth_time,
    })
}

fn requester(person: &str) -> Requester {
    Requester { identity: identity(person), assurance: RequesterAssurance::VerifiedToken }
}

fn call_of(key: &str) -> Result<ToolCall> {
    let arguments = serde_json::json!({ "name": key, "value": 1 });
    let arguments = arguments.as_object().cloned().context("arguments are an object")?;
    Ok(ToolCall { tool: "put".to_owned(), definition_digest: Digest::of_bytes(b"put"), arguments })
}

pub(crate) fn tick(now: Timestamp) -> Timestamp {
    now.after(Duration::from_secs(TICK.into()))
}

/// The memory store never waits.
fn now<T>(future: impl Future<Output = T>) -> Result<T> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => bail!("the store in memory waits for something"),
    }
}
