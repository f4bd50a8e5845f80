//! The calls that are made after somebody has written to the database, and what comes of them.

use std::sync::Arc;
use std::time::Duration;

use approval_core::audit::{Evidence, verify};
use approval_core::signing::Signer as _;
use approval_core::{Approvals, BuildError, Clock as _, ExecutionView, Reason, Refusal};
use approval_testkit::{FakeDirectory, FakeTarget, Room};
use serde_json::Value as Json;

use super::desk::{Desk, KEPT, Who};
use crate::workshop::{Workshop, call};

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// A signature on how far the audit goes.
    Checkpoint,
    Execute(Who),
    /// Finds a short-lived value.
    Find(usize),
    /// Another process opens the store.
    Open,
    /// The requester who is muted asks for something.
    PlanAsMuted,
    /// What was rejected is asked for again.
    PlanRejected,
    /// Another process begins.
    Start,
    /// The audit is exported, and held against the public keys, a checkpoint that was kept elsewhere, and the anchor.
    Verify,
}

impl Use {
    /// All of them, the execution that is let through after those that aren't.
    pub(super) fn all() -> Vec<Self> {
        let others = Who::ALL.into_iter().filter(|who| *who != Who::Approved);
        let mut all: Vec<_> = others.chain([Who::Approved]).map(Self::Execute).collect();
        all.extend((0..KEPT.len()).map(Self::Find));
        all.extend([Self::PlanRejected, Self::PlanAsMuted, Self::Open, Self::Start, Self::Checkpoint, Self::Verify]);
        all
    }
}

/// What came of a call: what it says, or the code of the refusal; and what happened to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) said: Result<String, String>,
    pub(super) effects: u32,
}

impl Answer {
    pub(super) fn refused(reason: Reason) -> Self {
        Self { said: Err(reason.code().to_owned()), effects: 0 }
    }

    pub(super) fn said(said: &str) -> Self {
        Self { said: Ok(said.to_owned()), effects: 0 }
    }
}

/// Makes a call.
pub(super) async fn make(desk: &Desk, service: &Approvals, usage: Use) -> Answer {
    let target = FakeTarget::new();
    let said = match usage {
        Use::Checkpoint => {
            service.checkpoint().await.map(|made| if made.is_some() { "signed" } else { "nothing" }.into())
        }
        Use::Execute(who) => executed(service.execute(&Room::alice(), &desk.id(who), None, &Workshop, &target).await),
        Use::Find(number) => return found(desk, number).await,
        Use::Open => return Answer { said: desk.hand.open().await.map(|()| "opened".to_owned()), effects: 0 },
        Use::PlanAsMuted => plan(service, "bob", "z").await,
        Use::PlanRejected => plan(service, "alice", Who::Rejected.place()).await,
        Use::Start => match desk.begin(Arc::new(desk.anchor.clone())).await {
            Ok(_) => Ok("started".to_owned()),
            Err(BuildError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        },
        Use::Verify => return verified(desk, service).await,
    };
    let effects = target.effects();
    if effects > 0 {
        // What was approved, and nothing else; and never again.
        let name = desk.plans[&Who::Approved].header.plan_id;
        assert!(matches!(usage, Use::Execute(Who::Approved)), "`{usage:?}` had an effect");
        assert_eq!((effects, target.value("a")), (2, Some(reviewed())), "plan `{name}`");
        let again = service.execute(&Room::alice(), &desk.id(Who::Approved), None, &Workshop, &target).await;
        assert_eq!(target.effects(), 2, "it was executed twice");
        assert_eq!(again.is_ok_and(|again| again.replayed), said.is_ok(), "what is known of it is answered once more");
    }
    Answer { said: said.map_err(|refusal: Refusal| refusal.reason().code().to_owned()), effects }
}

/// What is put there, by the call that was planned.
fn reviewed() -> Json {
    let arguments = call("a").arguments;
    serde_json::json!({ "value": arguments["value"], "token": arguments["token"] })
}

pub(super) fn executed(view: Result<ExecutionView, Refusal>) -> Result<String, Refusal> {
    let view = view?;
    let outcome = serde_json::to_value(view.execution.outcome).expect("a name");
    let replayed = if view.replayed { ", replayed" } else { "" };
    Ok(format!("{}{replayed}", outcome.as_str().unwrap_or_default()))
}

async fn plan(service: &Approvals, who: &str, name: &str) -> Result<String, Refusal> {
    service.plan(&FakeDirectory::requester(who), call(name), &Workshop).await.map(|_| "planned".to_owned())
}

async fn found(desk: &Desk, number: usize) -> Answer {
    let (kind, name) = KEPT[number];
    let now = desk.room.clock.now().after(Duration::from_secs(1));
    let said = match desk.kept.find::<Json>(kind, name, now).await {
        Ok(Some(value)) if value["of"] == name => Ok("found".to_owned()),
        Ok(Some(value)) => panic!("`{value}` was found as `{name}`"),
        Ok(None) => Ok("gone".to_owned()),
        Err(error) => Err(format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().to_owned()),
    };
    Answer { said, effects: 0 }
}

/// Whether the audit is whole: what its verification says, or why it can't be read.
pub(super) async fn verified(desk: &Desk, service: &Approvals) -> Answer {
    let mut export = service.audit().export();
    let mut lines = Vec::new();
    loop {
        match export.lines(100).await {
            Ok(more) if more.is_empty() => break,
            Ok(more) => lines.extend(more),
            Err(refusal) => return Answer::refused(refusal.reason()),
        }
    }
    let (keys, anchor) = (desk.room.signer.key_set(), desk.anchored());
    let evidence = Evidence { keys: Some(keys), checkpoint: Some(desk.checkpoint.as_bytes()), anchor: &anchor };
    match verify(format!("{}\n", lines.join("\n")).as_bytes(), &evidence) {
        Ok(report) if report.forgotten > 0 => Answer::said("whole, and something was forgotten"),
        Ok(_) => Answer::said("whole"),
        Err(fault) => Answer { said: Err(fault.code.code().to_owned()), effects: 0 },
    }
}
