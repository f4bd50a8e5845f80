//! A plan before the gate, and everything that the gate looks at.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use approval_core::anchor::NoAnchor;
use approval_core::record::{Enforcement, Isolation, RecordKind, Rollback, Rule};
use approval_core::store::RowKey;
use approval_core::{
    ApprovalsBuilder, Call, Clock as _, Directory as _, PlanId, PlanView, Planner as _, Policy, Requester, Terms,
};
use approval_testkit::{FakeDirectory, Tables};
use serde_json::{Map, Value, json};

use crate::file::Vector;
use crate::gate::permitted;
use crate::patch::difference;
use crate::stage::{Held, Stage, id};

/// Where a scene begins: a plan to put 1 at `a`, which is approved, and another plan of its requester on the same effect key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// By somebody else, one of whom is enough.
    Another,
    /// By two persons of the group `sre`.
    Quorum,
    /// By the requester; a secret is among the arguments.
    Requester,
}

impl Base {
    pub(crate) const ALL: [Self; 3] = [Self::Another, Self::Quorum, Self::Requester];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Another => "approved-by-another",
            Self::Quorum => "approved-by-two-of-a-group",
            Self::Requester => "approved-by-the-requester",
        }
    }

    fn rule(self) -> Rule {
        match self {
            Self::Another => Rule::other_subject([]),
            Self::Quorum => Rule::quorum(2, ["sre".into()]),
            Self::Requester => Rule::same_subject(),
        }
    }

    pub(crate) fn terms(self) -> Terms {
        let mut terms = Terms { rule: self.rule(), ..Terms::same_subject() };
        terms.limits.gate_attempts = 3;
        terms
    }

    fn approvers(self) -> &'static [&'static str] {
        match self {
            Self::Another => &["bob"],
            Self::Quorum => &["bob", "carol"],
            Self::Requester => &["alice"],
        }
    }
}

/// What a look at the target finds.
#[derive(Clone, Copy)]
pub(crate) enum Freshness {
    PreconditionFails,
    PreviewDiffers,
    PreviewRefused,
    Unchanged,
    Unreachable,
}

impl Freshness {
    fn name(self) -> &'static str {
        match self {
            Self::PreconditionFails => "precondition-fails",
            Self::PreviewDiffers => "preview-differs",
            Self::PreviewRefused => "preview-refused",
            Self::Unchanged => "unchanged",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What is asked, of which plan, and how things are.
pub(crate) struct Scene {
    pub(crate) base: Base,
    pub(crate) stage: Stage,
    pub(crate) plan: PlanView,
    pub(crate) rival: PlanView,
    pub(crate) requester: Requester,
    /// In place of the plan's id.
    pub(crate) handle: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) repeated: Option<Call>,
    /// The policy now.
    pub(crate) policy: Policy,
    pub(crate) isolation: Isolation,
    pub(crate) rollback: Rollback,
    /// Another process is asked.
    pub(crate) restarted: bool,
    freshness: Freshness,
    pub(crate) held: Vec<Held>,
}

impl Scene {
    /// The plan and its rival are approved; nothing is wrong.
    pub(crate) async fn set(base: Base) -> Result<Self> {
        let scene = Self::planned(base).await?;
        scene.stage.approve(&scene.plan, base.approvers()).await?;
        scene.stage.approve(&scene.rival, base.approvers()).await?;
        Ok(scene)
    }

    /// Nobody has approved.
    pub(crate) async fn planned(base: Base) -> Result<Self> {
        Self::under(base, base.terms()).await
    }

    /// Nobody has approved; other terms than the usual ones hold.
    pub(crate) async fn under(base: Base, terms: Terms) -> Result<Self> {
        let policy = Policy::always(terms);
        let stage = Stage::set(policy.clone()).await?;
        let mut call = stage.target.call("a", &json!(1));
        if base == Base::Requester {
            call.arguments.insert("token".to_owned(), json!("s3cret"));
        }
        let plan = stage.plan_call(call).await?;
        let rival = stage.plan("a", json!(2)).await?;
        Ok(Self {
            base,
            stage,
            plan,
            rival,
            requester: Stage::alice(),
            handle: None,
            digest: None,
            repeated: None,
            policy,
            isolation: Isolation::Separate,
            rollback: Rollback::Local,
            restarted: false,
            freshness: Freshness::Unchanged,
            held: Vec::new(),
        })
    }

    /// The plan is asked for in place of the rival, and the other way round.
    pub(crate) fn ask_for_the_rival(&mut self) {
        std::mem::swap(&mut self.plan, &mut self.rival);
    }

    /// Puts the store back to an older copy.
    pub(crate) fn put_back(&mut self, older: Tables) {
        *self.stage.memory.tables() = older;
        self.restarted = true;
    }

    pub(crate) fn plan_id(&self) -> PlanId {
        self.plan.header.plan_id
    }

    pub(crate) fn look(&mut self, finds: Freshness) {
        let target = &self.stage.target;
        match finds {
            Freshness::PreconditionFails => target.meddle("a", json!("somebody else's")),
            Freshness::PreviewDiffers => target.preview_otherwise(),
            Freshness::PreviewRefused => target.refuse(true),
            Freshness::Unchanged => {}
            Freshness::Unreachable => target.outage(true),
        }
        self.freshness = finds;
    }

    /// Changes a record of the plan, and nothing that names it.
    pub(crate) fn edit(&self, kind: RecordKind, change: impl FnOnce(&mut Value)) -> Result<Value> {
        self.stage.edit(kind, self.plan_id(), change)
    }

    pub(crate) fn edit_state(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        self.edit(RecordKind::PlanState, change).map(drop)
    }

    /// Changes one of the decisions that count, and its digest in the plan's state.
    pub(crate) fn edit_decision(&self, number: usize, change: impl FnOnce(&mut Value)) -> Result<()> {
        let state = self.stage.record(RecordKind::PlanState, self.plan_id())?;
        let place = format!("/decisions/{number}");
        let named = state.pointer(&place).context("a decision")?.clone();
        let key = self.keyed(RecordKind::Decision, &named)?;
        self.stage.forger.edit_members(&mut self.stage.memory.tables(), &key, change)?;
        let digest = self.digest(&key)?;
        self.edit_state(|state| {
            if let Some(named) = state.pointer_mut(&place) {
                *named = digest;
            }
        })
    }

    fn keyed(&self, kind: RecordKind, digest: &Value) -> Result<RowKey> {
        let keys = self.stage.keys(kind, self.plan_id());
        let found = keys.into_iter().find(|key| self.digest(key).is_ok_and(|found| found == *digest));
        found.with_context(|| format!("no {kind} has the digest {digest}"))
    }

    fn digest(&self, key: &RowKey) -> Result<Value> {
        let tables = self.stage.memory.tables();
        Ok(json!(self.stage.forger.digest(tables.rows.get(key).context("a row")?)?))
    }

    /// All that the gate looks at.
    pub(crate) async fn described(&self) -> Result<Value> {
        let Self { stage, requester, policy, .. } = self;
        let plan = self.plan_id();
        let target = self.target_now().await?;
        let call = stage.target.call("a", &json!(1));
        let mut directory = Map::new();
        for person in ["alice", "bob", "carol", "dave"] {
            let standing = stage.directory.standing(&person.into()).await?;
            let (may_request, may_approve) = (
                stage.directory.may_request(&person.into(), &call.tool, &target).await?,
                stage.directory.may_approve(&person.into(), &call.tool, &target).await?,
            );
            directory.insert(
                person.to_owned(),
                json!({
                    "enabled": standing.enabled,
                    "groups": standing.groups,
                    "mayRequest": may_request,
                    "mayApprove": may_approve,
                }),
            );
        }
        let attempts = stage.attempts(plan).into_iter().map(|plan| stage.stored(plan));
        let mut request = json!({
            "requester": requester.identity,
            "planId": self.handle.clone().unwrap_or_else(|| id(&self.plan)),
        });
        if let Some(digest) = &self.digest {
            request["planDigest"] = digest.as_str().into();
        }
        if let Some(call) = &self.repeated {
            request["repeated"] = json!({ "tool": call.tool, "arguments": call.arguments });
        }
        let mut described = json!({
            "now": stage.clock.now(),
            "audience": approval_testkit::ill_formed::AUDIENCE,
            "request": request,
            "stored": stage.stored(plan)?,
            "attempts": attempts.collect::<Result<Vec<_>>>()?,
            "anchor": stage.anchored()?,
            "directory": directory,
            "enforcement": Enforcement {
                isolation: self.isolation,
                rollback: self.rollback,
                requester_assurance: requester.assurance,
            },
            "tool": { "name": call.tool, "definitionDigest": call.definition_digest },
            "target": target,
            "freshness": self.freshness.name(),
        });
        if let Some(effective) = policy.evaluate(&call.tool, &target, &call.arguments) {
            described["policy"] = json!(effective);
        }
        if let Some(pause) = stage.pause()? {
            described["pause"] = pause;
        }
        Ok(described)
    }

    /// The target as it is now, whether or not it can be looked at.
    async fn target_now(&self) -> Result<approval_core::record::Target> {
        let target = &self.stage.target;
        target.refuse(false);
        target.outage(false);
        let draft = target.plan(&target.call("a", &json!(1))).await?;
        target.refuse(matches!(self.freshness, Freshness::PreviewRefused));
        target.outage(matches!(self.freshness, Freshness::Unreachable));
        Ok(draft.target)
    }

    /// Asks the gate, and holds its answer against the one that is intended.
    pub(crate) async fn vector(self, name: &str, scenes: &Map<String, Value>, intended: Value) -> Result<Vector> {
        let whole = scenes.get(self.base.name()).context("a scene")?;
        let change = difference(whole, &self.described().await?);
        let expect = self.answer().await?;
        for (member, value) in intended.as_object().context("an answer")? {
            ensure!(expect.get(member) == Some(value), "`{name}`: {intended} intended, {expect} found");
        }
        Ok(Vector::new(name, json!({ "scene": self.base.name(), "change": change }), expect))
    }

    async fn answer(&self) -> Result<Value> {
        let approvals = if self.policy == Policy::always(self.base.terms())
            && (self.isolation, self.rollback) == (Isolation::Separate, Rollback::Local)
            && !self.restarted
        {
            self.stage.approvals.clone()
        } else {
            let configure = |builder: ApprovalsBuilder| {
                let builder = match self.rollback {
                    Rollback::None => builder.anchor(Arc::new(NoAnchor)),
                    Rollback::Local | Rollback::Shared => builder,
                };
                match self.isolation {
                    Isolation::Separate => builder.separate_user(),
                    Isolation::SameUser => builder.dangerous_same_user(),
                }
            };
            self.stage.another(self.policy.clone(), configure).await?
        };
        let handle = self.handle.clone().unwrap_or_else(|| id(&self.plan));
        let target = &self.stage.target;
        let before = target.effects();
        let answered = match &self.repeated {
            Some(call) => approvals.execute_repeated(&self.requester, &handle, call, target, target).await,
            None => approvals.execute(&self.requester, &handle, self.digest.as_deref(), target, target).await,
        };
        let effects = target.effects() - before;
        let expect = match &answered {
            Ok(view) if view.replayed => json!({ "verdict": "replayed", "outcome": view.execution.outcome }),
            // The claim was taken, and no permit made.
            Ok(view) if effects == 0 => json!({ "verdict": "settled", "outcome": view.execution.outcome }),
            Ok(_) => permitted(),
            Err(refusal) => {
                let reason = refusal.reason();
                let mut expect = json!({ "verdict": "refused", "reason": reason.code(), "retry": reason.retry() });
                // What the first steps refuse says nothing of the plan.
                if !matches!(
                    reason.code(),
                    "plan_not_found" | "payload_invalid" | "integrity_failure" | "approval_hash_mismatch"
                ) {
                    expect["state"] = json!(self.stage.state(self.plan_id())?);
                }
                expect
            }
        };
        ensure!(effects == u32::from(expect == permitted()), "{expect} had {effects} effects");
        Ok(expect)
    }
}

/// A person who asks, known by a verified token.
pub(crate) fn requester(person: &str) -> Requester {
    FakeDirectory::requester(person)
}

impl Scene {
    /// Puts another intent and other secrets in place, as if they had been planned, shown and approved.
    pub(crate) fn plan_otherwise(&self, intent: &Value, secrets: &Value) -> Result<()> {
        self.edit(RecordKind::Secrets, |stored| secrets.clone_into(stored))?;
        let intent_digest = self.edit(RecordKind::Intent, |stored| intent.clone_into(stored))?;
        let digest = self.edit(RecordKind::Header, |header| header["intentDigest"] = intent_digest)?;
        let challenge = self.edit(RecordKind::Challenge, |challenge| challenge["planDigest"] = digest.clone())?;
        self.edit_decision(0, |decision| decision["planDigest"] = digest.clone())?;
        self.edit_state(|state| {
            state["planDigest"] = digest;
            state["challenge"] = challenge;
        })
    }
}
