//! The suite of anchors passes one that keeps the contract, and finds each fault for the expected reason.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::collections::HashMap;

use approval_core::PlanId;
use approval_core::anchor::{Anchor, AnchorEntry, AnchorError, AnchorKind, CheckpointMark, Entered, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use approval_testkit::{MemoryAnchor, SuiteReport, anchor_suite};
use async_trait::async_trait;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It begins by itself.
    BeginsByItself,
    /// To begin again is to forget.
    BeginsAnew,
    /// Each process has a memory of its own.
    EachItsOwn,
    /// It looks, waits, and enters.
    EntersLater,
    /// Only the first tag is looked up.
    FirstTagOnly,
    /// None.
    None,
    /// A later entry takes the first one's place.
    Overwrites,
    /// What is not the first is answered with itself.
    ReturnsTheNewOne,
    /// An earlier checkpoint takes a later one's place.
    RemembersAnyCheckpoint,
    /// To remove some is to remove all.
    RemovesAll,
    /// It remembers, and says that it doesn't.
    SaysNone,
}

#[derive(Debug)]
struct FaultyAnchor {
    memory: MemoryAnchor,
    fault: Fault,
}

#[async_trait]
impl Anchor for FaultyAnchor {
    fn rollback(&self) -> Rollback {
        if self.fault == Fault::SaysNone { Rollback::None } else { self.memory.rollback() }
    }

    async fn standing(&self) -> Result<Standing, AnchorError> {
        self.memory.standing().await
    }

    async fn begin(&self) -> Result<(), AnchorError> {
        if self.fault == Fault::BeginsAnew {
            *self.memory.remembered() = None;
        }
        self.memory.begin().await
    }

    async fn enter(&self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        match self.fault {
            Fault::BeginsByItself => self.memory.begin().await?,
            Fault::EntersLater => {
                if let Some(present) = self.memory.entry(entry.plan).await? {
                    return Ok(Entered::Present(present));
                }
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                self.memory.remove(&[entry.plan]).await?;
            }
            Fault::Overwrites => {
                let before = self.memory.entry(entry.plan).await?;
                self.memory.remove(&[entry.plan]).await?;
                self.memory.enter(entry).await?;
                return Ok(before.map_or(Entered::First, Entered::Present));
            }
            Fault::ReturnsTheNewOne => {
                let entered = self.memory.enter(entry.clone()).await?;
                return Ok(if entered == Entered::First { entered } else { Entered::Present(entry) });
            }
            _ => {}
        }
        self.memory.enter(entry).await
    }

    async fn entry(&self, plan: PlanId) -> Result<Option<AnchorEntry>, AnchorError> {
        self.memory.entry(plan).await
    }

    async fn claims_touching(&self, effects: &[Tag]) -> Result<Vec<AnchorEntry>, AnchorError> {
        if self.fault != Fault::FirstTagOnly {
            return self.memory.claims_touching(effects).await;
        }
        let first = |entry: &AnchorEntry| entry.effects.first().is_some_and(|effect| effects.contains(effect));
        let entries = self.memory.entries().await?;
        Ok(entries.into_iter().filter(|entry| matches!(entry.kind, AnchorKind::Claimed(_)) && first(entry)).collect())
    }

    async fn entries(&self) -> Result<Vec<AnchorEntry>, AnchorError> {
        self.memory.entries().await
    }

    async fn remove(&self, plans: &[PlanId]) -> Result<(), AnchorError> {
        if self.fault == Fault::RemovesAll && !plans.is_empty() {
            let all: Vec<_> = self.memory.entries().await?.into_iter().map(|entry| entry.plan).collect();
            return self.memory.remove(&all).await;
        }
        self.memory.remove(plans).await
    }

    async fn remember(&self, checkpoint: CheckpointMark) -> Result<(), AnchorError> {
        match self.fault {
            Fault::RemembersAnyCheckpoint => self.memory.reset_checkpoint(Some(checkpoint)).await,
            _ => self.memory.remember(checkpoint).await,
        }
    }

    async fn reset_checkpoint(&self, checkpoint: Option<CheckpointMark>) -> Result<(), AnchorError> {
        self.memory.reset_checkpoint(checkpoint).await
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointMark>, AnchorError> {
        self.memory.last_checkpoint().await
    }
}

async fn run(fault: Fault) -> SuiteReport {
    let mut memories: HashMap<String, MemoryAnchor> = HashMap::new();
    anchor_suite::run(|name| {
        let shared = memories.entry(name.to_owned()).or_default().clone();
        let memory = if fault == Fault::EachItsOwn { MemoryAnchor::default() } else { shared };
        async move { FaultyAnchor { memory, fault } }
    })
    .await
}

async fn found(fault: Fault, check: &str, id: &str, reason: &str) {
    let report = run(fault).await;
    let found = report.failures().find(|failure| failure.name == check);
    let found = found.unwrap_or_else(|| panic!("`{check}` did not find {fault:?}: {report}"));
    assert_eq!(found.promise.id, id);
    let seen = found.failure.as_deref().unwrap();
    assert!(seen.contains(reason), "{fault:?} was found for another reason: {seen}");
    assert!(report.failures().count() < report.ran(), "{fault:?} fails everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_anchor_keeps_the_contract() {
    let mut memories: HashMap<String, MemoryAnchor> = HashMap::new();
    let ran = anchor_suite::test_all(|name| {
        let anchor = memories.entry(name.to_owned()).or_default().clone();
        async { anchor }
    });
    assert_eq!(ran.await, 9);
    run(Fault::None).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_that_forgets() {
    // [ANCHOR-001, ANCHOR-006, ANCHOR-007]
    found(Fault::BeginsByItself, "anchor/begin", "ANCHOR-006", "what is missing took an entry").await;
    found(Fault::BeginsAnew, "anchor/begin", "ANCHOR-006", "after it was begun again").await;
    found(Fault::Overwrites, "anchor/enter", "ANCHOR-001", "a later entry of the plan").await;
    found(Fault::ReturnsTheNewOne, "anchor/enter", "ANCHOR-001", "a later entry of the plan").await;
    found(Fault::EachItsOwn, "anchor/shared", "ANCHOR-001", "an error").await;
    found(Fault::RemovesAll, "anchor/remove", "ANCHOR-007", "where none was named").await;
}

#[tokio::test]
async fn an_anchor_that_lets_two_be_first() {
    // [ANCHOR-001]
    found(Fault::EntersLater, "anchor/enter-at-once", "ANCHOR-001", "how many of 8 were the first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_that_does_not_find_or_tell() {
    // [ANCHOR-002, ENF-001]
    found(Fault::FirstTagOnly, "anchor/touching", "ANCHOR-002", "claims by the last tag").await;
    found(Fault::RemembersAnyCheckpoint, "anchor/checkpoint", "CKPT-004", "the last checkpoint").await;
    found(Fault::SaysNone, "anchor/strength", "ENF-001", "it says `none`").await;
}
