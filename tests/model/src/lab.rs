//! Takes one step from a state: the real service does it, and the world's side is a copy of the state.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use approval_core::record::{Outcome, Verdict};
use approval_core::store::{EventRow, Snapshot, Write};
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Call as ToolCall, ChallengeView, ClaimId, Clock, DecisionRequest, Digest,
    ExecutionView, Parts, PlanView, Reason, Refusal, StatusView, Timestamp,
};
use approval_testkit::{FakeClock, FakeDirectory, MemoryStore};

use crate::facts::{Facts, is_paused};
use crate::fault::Fault;
use crate::invariant::Invariant;
use crate::observe::Observer;
use crate::scenario::{Scenario, TICK, With};
use crate::seam::{Answer, Call, CallKind, Seam};
use crate::state::{Action, Decide, Entry, History, How, Op, Open, Page, Plan, Shown, State, Task};
use crate::traits::Glass;
use crate::world::{enter_event, forget_events};

/// The service, its store and its world, in which one step at a time is taken.
pub(crate) struct Lab<'s> {
    scenario: &'s Scenario,
    pub(crate) fault: Option<Fault>,
    pub(crate) seam: Arc<Seam>,
    pub(crate) memory: MemoryStore,
    glass: Arc<Glass>,
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
        let lab = Self { scenario, fault, seam, glass: Arc::new(Glass::new()), memory: MemoryStore::new(clock) };
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
        for (by, key) in scenario.plans {
            lab.at_once(&mut state, Op::Plan { by, key })?;
        }
        if scenario.approved {
            lab.approve_all(&mut state)?;
        }
        state.copy = None;
        Ok((lab, state))
    }

    /// A process of its own for each call, which knows nothing of the others but what is stored. It starts before anything has
    /// happened, so that starting finds nothing to do.
    fn process(&self, seed: u64, at: Timestamp) -> Result<(Approvals, EventRow)> {
        let parts = Parts {
            audience: Audience::from("urn:uuid:00000000-0000-4000-8000-000000000001"),
            store: Arc::clone(&self.seam) as _,
            sealer: Arc::clone(&self.glass) as _,
            directory: Arc::clone(&self.seam) as _,
            timer: Arc::clone(&self.seam) as _,
            policy: self.scenario.policy(),
            surface: "http://127.0.0.1:8080".to_owned(),
        };
        let builder = ApprovalsBuilder::new(parts).separate_user();
        let builder = builder.anchor(Arc::clone(&self.seam) as _).clock(Arc::clone(&self.seam) as _);
        let builder = builder.entropy(Arc::clone(&self.seam) as _);
        self.seam.begin(seed, at);
        let mut starting = pin!(builder.start());
        let mut first = None;
        loop {
            if let Poll::Ready(started) = starting.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                return Ok((started?, first.context("a process that starts without an event")?));
            }
            let (number, _) = self.seam.open().first().copied().context("the start waits for nothing")?;
            let answer = match self.seam.take(number).context("the start takes its call back")? {
                Call::Commit(transition) => {
                    first = transition.apply(&nothing(at))?.into_iter().find_map(|write| match write {
                        Write::Event(event) => Some(event),
                        _ => None,
                    });
                    Answer::Commit(None, Ok(()))
                }
                Call::Executing => Answer::Executing(Vec::new()),
                call => bail!("the start asks for something new: {call:?}"),
            };
            self.seam.answer(number, answer);
        }
    }

    /// Takes a call from its beginning to its end, in the initial state.
    fn at_once(&self, state: &mut State, op: Op) -> Result<()> {
        let plans = state.plans.len();
        let step = self.step(state, &Action::Begin(op.clone()))?;
        *state = step.state;
        if let (Op::Plan { .. }, true) = (&op, state.plans.len() == plans) {
            bail!("`{op}` is refused");
        }
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
        let mut step = self.take(before, action)?;
        forget_what_nobody_tells(&mut step.state);
        Ok(step)
    }

    fn take(&self, before: &State, action: &Action) -> Result<Step> {
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
                    writer: None,
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
        let Task { serial, op, began, mut log, open: waited, mut claim, writer: _ } = task;
        let (process, first) = self.process(serial, began)?;
        let writer = first.writer;
        if answered.is_none() {
            enter_event(&mut state, first);
        }
        self.seam.begin(serial, began);
        let mut doing = self.doing(before, &process, began, &op)?;
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
        let mut committed = false;
        if answered.is_none() {
            observer.began();
        }
        while done.is_none() {
            let (number, how) = match next.take() {
                Some(answered) => answered,
                None => {
                    match self.seam.open().into_iter().find(|(_, kind)| self.is_at_once(&op, *kind, claim.is_some())) {
                        Some((number, _)) => (number, How::Done),
                        None => break,
                    }
                }
            };
            let kind = self.seam.open().into_iter().find(|(open, _)| *open == number).map(|(_, kind)| kind);
            let kind = kind.with_context(|| format!("`{op}` does not wait for that any more"))?;
            let call = self.seam.take(number).context("an open call can be taken")?;
            let earlier = waited.iter().find(|open| open.number == number).and_then(|open| open.earlier.clone());
            let answer = self.perform(call, (how, earlier), &mut observer, Some(kind))?;
            let facts = facts_in(&answer)?;
            if let (CallKind::Commit("claim"), Answer::Commit(_, Ok(()))) = (kind, &answer) {
                claim = observer.claim_of(&op);
            }
            if observer.take_wrote() {
                forget_events(observer.state, writer);
                committed = true;
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
            None => observer.state.tasks.push(Arc::new(Task {
                serial,
                op: op.clone(),
                began,
                log,
                open,
                claim,
                writer: Some(writer),
            })),
        }
        let broken = observer.broken;
        if done.is_some() && !committed {
            // A process that came and went, and wrote nothing else.
            state.tables = Arc::clone(&before.tables);
        }
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
    fn is_at_once(&self, op: &Op, kind: CallKind, has_claimed: bool) -> bool {
        let With { fine_calls, fine_reads, put_back, .. } = self.scenario.with;
        match (op, kind) {
            (_, CallKind::Read | CallKind::Commit("lapse" | "renew" | "refuse-decision")) => true,
            (Op::Execute { .. }, CallKind::Look | CallKind::Commit("refuse")) => !fine_reads,
            (_, CallKind::Look) => true,
            // Of a plan that has ended before.
            (Op::Execute { .. }, CallKind::Enter) if !has_claimed => !fine_reads,
            (Op::Execute { .. }, _) => false,
            (Op::Plan { .. } | Op::Look(_), _) => true,
            (Op::Decide(_), CallKind::Enter) => !fine_calls && !put_back,
            _ => !fine_calls,
        }
    }

    fn doing<'a>(&'a self, state: &State, approvals: &'a Approvals, began: Timestamp, op: &Op) -> Result<Doing<'a>> {
        let plan = |number: usize| state.plans.get(number).map(|plan| &plan.shown).context("no such plan");
        let seam = self.seam.as_ref();
        Ok(match op {
            Op::Cancel(number) => {
                let (by, id) = (FakeDirectory::requester(plan(*number)?.requester), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Decided(approvals.cancel(&by, &id).await) })
            }
            Op::Challenge(number) => {
                let (by, id) = (FakeDirectory::requester(plan(*number)?.requester), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Challenged(approvals.challenge(&by, &id, None).await) })
            }
            Op::Decide(decide) => {
                let request = decision(state, decide, began)?;
                Box::pin(async move { Done::Decided(approvals.decide(request).await) })
            }
            Op::Execute { plan: number, by } => {
                let (by, id) = (FakeDirectory::requester(by), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Executed(approvals.execute(&by, &id, None, seam, seam).await) })
            }
            Op::Look(number) => {
                let (by, id) = (FakeDirectory::requester(plan(*number)?.requester), plan(*number)?.id.to_string());
                Box::pin(async move { Done::Decided(approvals.status(&by, &id, Duration::ZERO).await) })
            }
            Op::Pause => Box::pin(async move { Done::Told(approvals.pause("olga").await) }),
            Op::Resume => Box::pin(async move { Done::Told(approvals.resume("olga").await) }),
            Op::Plan { by, key } => {
                let (by, call) = (FakeDirectory::requester(by), call_of(key)?);
                Box::pin(async move { Done::Planned(Box::new(approvals.plan(&by, call, seam).await)) })
            }
            Op::Reconcile(number, finding) => {
                let (id, finding) = (plan(*number)?.id, *finding);
                Box::pin(async move { Done::Told(approvals.reconcile(id, finding, "olga").await) })
            }
            Op::Recover => Box::pin(async move { Done::Told(approvals.recover().await.map(|_| ())) }),
        })
    }
}

/// What a transaction finds in an empty store.
fn nothing(now: Timestamp) -> Snapshot {
    Snapshot {
        now,
        plan: None,
        rows: BTreeMap::new(),
        attempts: Vec::new(),
        open_plans: 0,
        lane: None,
        heads: Vec::new(),
        events: Vec::new(),
    }
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

/// That an attempt was unknown for a while matters to those calls only that may have read it then.
fn forget_what_nobody_tells(state: &mut State) {
    for (number, plan) in state.plans.iter_mut().enumerate() {
        if !state.tasks.iter().any(|task| task.plan() == Some(number)) {
            plan.history.was_unknown = plan.facts.outcome() == Some(Outcome::Unknown);
        }
    }
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
    Ok(DecisionRequest {
        plan_id: plan.shown.id,
        challenge_id: decide.challenge,
        plan_digest: digest,
        approver: FakeDirectory::approver(decide.person, auth_time),
        verdict: decide.verdict,
        comment: None,
        rendered_at: auth_time,
    })
}

fn call_of(key: &str) -> Result<ToolCall> {
    let arguments = serde_json::json!({ "name": key, "value": 1 });
    let arguments = arguments.as_object().cloned().context("arguments are an object")?;
    Ok(ToolCall { tool: "put".to_owned(), definition_digest: Digest::of_bytes(b"put"), arguments })
}

pub(crate) fn tick(now: Timestamp) -> Timestamp {
    now.after(Duration::from_secs(TICK.into()))
}
