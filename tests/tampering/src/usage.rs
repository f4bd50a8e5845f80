//! The calls that read what is stored.

use std::time::Duration;

use approval_core::record::{RecordKind, State, Verdict};
use approval_core::{ApprovalsBuilder, BuildError, ExecutionView, InboxQuery, Person, Reason, Refusal, Scope};
use approval_testkit::{FakeDirectory, FakeTarget, Room};
use std::sync::Arc;

use crate::scene::Scene;
use crate::workshop::{Workshop, call, decision, parts};

/// A call of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Carol approves.
    Approve,
    Cancel,
    Challenge,
    /// A signature on how far the audit goes.
    Checkpoint,
    Execute,
    /// Plans and approves something on the same effect keys, before the tampering, and executes that.
    ExecuteAnother,
    ExecuteRepeated,
    /// The requester's own plans.
    Mine,
    Mute,
    Pause,
    /// What waits for carol.
    Pending,
    /// Another plan on the same effect keys.
    Plan,
    Reconcile,
    /// After the lease has passed.
    Recover,
    /// Carol rejects.
    Reject,
    Resume,
    /// Another process.
    Start,
    Status,
    View,
    /// Bob takes his approval back.
    Withdraw,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdict: Result<String, Reason>,
    /// All that the answer says.
    pub(crate) shown: String,
    /// What happened to the target.
    pub(crate) effects: u32,
    /// Whether something was written.
    pub(crate) wrote: bool,
}

impl Answer {
    /// Whether what was asked for was done now, and written down.
    pub(crate) fn did(&self) -> bool {
        self.verdict.is_ok() && self.wrote
    }
}

impl Use {
    /// Whether it is about the plan that is tampered with.
    pub(crate) fn is_about_the_plan(self) -> bool {
        !matches!(
            self,
            Self::Checkpoint
                | Self::ExecuteAnother
                | Self::Mute
                | Self::Pause
                | Self::Plan
                | Self::Resume
                | Self::Start
        )
    }

    /// Whether it looks plans up, and leaves out what does not hold together.
    pub(crate) fn is_a_look_up(self) -> bool {
        matches!(self, Self::Mine | Self::Pending | Self::Recover)
    }

    /// Whether it shows other plans as well, each of which it leaves out as it does the plan.
    pub(crate) fn lists_others(self) -> bool {
        matches!(self, Self::Mine | Self::Pending)
    }

    /// Whether it is the requester's, which finds no plan of another one.
    pub(crate) fn is_the_requesters(self) -> bool {
        matches!(self, Self::Cancel | Self::Challenge | Self::Execute | Self::ExecuteRepeated | Self::Status)
    }

    pub(crate) fn executes(self) -> bool {
        matches!(self, Self::Execute | Self::ExecuteRepeated)
    }

    /// Whether it shows, decides on or executes what the plan's documents say.
    fn reads_documents(self) -> bool {
        self.takes_first_steps()
            || matches!(self, Self::Approve | Self::Mine | Self::Pending | Self::Reject | Self::View | Self::Withdraw)
    }

    /// Whether it passes steps 1 to 4 with everything that the plan has. [GATE-002]
    pub(crate) fn takes_first_steps(self) -> bool {
        self.executes() || matches!(self, Self::Cancel | Self::Challenge | Self::Status)
    }

    /// Whether a call about a plan in this state reads the plan's record of this kind, or the server's.
    pub(crate) fn reads(self, kind: RecordKind, state: State) -> bool {
        match kind {
            // Step 7 comes after steps 5 and 6.
            RecordKind::Pause => self.executes() && state.is_open() || matches!(self, Self::Pause | Self::Resume),
            RecordKind::Checkpoint => self == Self::Checkpoint,
            RecordKind::CoolDown => matches!(self, Self::Plan | Self::Reject),
            RecordKind::Mute => matches!(self, Self::Plan | Self::Mute),
            RecordKind::Intent | RecordKind::Review => self.reads_documents(),
            RecordKind::Result | RecordKind::Secrets => self.takes_first_steps(),
            _ => self.is_about_the_plan(),
        }
    }

    pub(crate) async fn run(self, scene: &Scene) -> Answer {
        let target = FakeTarget::new();
        let events = scene.tables().events.len();
        let said = self.call(scene, &target).await;
        let (verdict, shown) = match said {
            Ok((verdict, shown)) => (Ok(verdict), shown),
            Err(refusal) => (Err(refusal.reason()), String::new()),
        };
        let written = scene.tables().events.len().saturating_sub(events);
        let wrote = written > 0;
        if wrote {
            // What it wrote is taken back, and it would notice.
            scene.begin_anew().await;
        }
        Answer { verdict, shown, effects: target.effects(), wrote }
    }

    async fn call(self, scene: &Scene, target: &FakeTarget) -> Result<(String, String), Refusal> {
        let Scene { room, plan, .. } = scene;
        let (approvals, alice, id) = (scene.approvals(), Room::alice(), plan.header.plan_id.to_string());
        let done = |verdict: &str, shown: String| Ok((verdict.to_owned(), shown));
        let executed = |view: ExecutionView| {
            let outcome = format!("{:?}, replayed: {}", view.execution.outcome, view.replayed);
            // What is new in each run is not compared.
            let shown = if view.replayed { format!("{view:?}") } else { format!("{:?}", view.tool_result) };
            (outcome, shown)
        };
        match self {
            Self::Approve => self.decide(scene, "carol", Verdict::Approve).await,
            Self::Reject => self.decide(scene, "carol", Verdict::Reject).await,
            Self::Withdraw => self.decide(scene, "bob", Verdict::Withdraw).await,
            Self::Cancel => {
                let status = approvals.cancel(&alice, &id).await?;
                done(status.state.name(), format!("{status:?}"))
            }
            Self::Challenge => {
                let view = approvals.challenge(&alice, &id, None).await?;
                let live =
                    scene.challenge.as_ref().is_some_and(|live| live.challenge_id == view.challenge.challenge_id);
                done(view.state.name(), if live { format!("{view:?}") } else { "a new one".to_owned() })
            }
            Self::Checkpoint => {
                let signed = approvals.checkpoint().await?;
                done(if signed.is_some() { "signed" } else { "nothing to sign" }, String::new())
            }
            Self::Execute => Ok(executed(approvals.execute(&alice, &id, None, &Workshop, target).await?)),
            Self::ExecuteRepeated => {
                Ok(executed(approvals.execute_repeated(&alice, &id, &call("a"), &Workshop, target).await?))
            }
            Self::ExecuteAnother => {
                let another = scene.another.as_ref().expect("a scene with another plan").header.plan_id.to_string();
                Ok(executed(approvals.execute(&alice, &another, None, &Workshop, target).await?))
            }
            Self::Mine => self.look(scene, "alice", Scope::Mine).await,
            Self::Pending => self.look(scene, "carol", Scope::Pending).await,
            Self::Mute => {
                approvals.mute(&Person::from("alice"), Duration::from_secs(1), "carol").await?;
                done("muted", String::new())
            }
            Self::Pause => {
                approvals.pause("op").await?;
                done("paused", String::new())
            }
            Self::Resume => {
                approvals.resume("op").await?;
                done("resumed", String::new())
            }
            Self::Plan => {
                let view = approvals.plan(&alice, call("a"), &Workshop).await?;
                done("planned", format!("{:?}", view.warnings))
            }
            Self::Reconcile => {
                approvals.reconcile(plan.header.plan_id, approval_core::record::Reconciled::Applied, "op").await?;
                done("reconciled", String::new())
            }
            Self::Recover => {
                room.clock.advance(Duration::from_secs(30));
                let lost = approvals.recover().await?;
                done(if lost == 1 { "found, beside 0" } else { "left out, beside 0" }, String::new())
            }
            Self::Start => {
                let builder = ApprovalsBuilder::new(parts(room)).clock(Arc::new(room.clock.clone())).separate_user();
                match builder.start().await {
                    Ok(_) => done("started", String::new()),
                    Err(BuildError::Refused(refusal)) => Err(refusal),
                    Err(error) => panic!("{error}"),
                }
            }
            Self::Status => {
                let status = approvals.status(&alice, &id, Duration::ZERO).await?;
                done(status.state.name(), format!("{status:?}"))
            }
            Self::View => {
                let page = approvals.view(&FakeDirectory::identity("alice"), &id).await?;
                done(page.status.state.name(), format!("{page:?}"))
            }
        }
    }

    async fn decide(self, scene: &Scene, who: &str, verdict: Verdict) -> Result<(String, String), Refusal> {
        let Scene { room, plan, .. } = scene;
        let challenge = scene.challenge.as_ref().expect("a plan that was put before somebody");
        room.clock.advance(Duration::from_secs(1));
        let status = scene.approvals().decide(decision(room, plan, challenge, who, verdict)).await?;
        Ok((status.state.name().to_owned(), format!("{status:?}")))
    }

    async fn look(self, scene: &Scene, who: &str, scope: Scope) -> Result<(String, String), Refusal> {
        let query = InboxQuery::new(scope, 100);
        let page = scene.approvals().inbox(&FakeDirectory::identity(who), query).await?;
        let entry = page.entries.iter().find(|entry| entry.header.plan_id == scene.plan.header.plan_id);
        // A plan that was tampered with must not hide the others.
        let others = page.entries.len() - usize::from(entry.is_some());
        let verdict = if entry.is_some() { "found" } else { "left out" };
        Ok((format!("{verdict}, beside {others}"), format!("{entry:?}")))
    }
}
