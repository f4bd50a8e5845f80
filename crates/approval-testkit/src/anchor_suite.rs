//! The contract of anchors as an executable suite: what [`Anchor`] promises, held against any anchor with one call.
//!
//! ```
//! # use std::collections::HashMap;
//! # use approval_testkit::{MemoryAnchor, anchor_suite};
//! # #[tokio::main]
//! # async fn main() {
//! let mut memories: HashMap<String, MemoryAnchor> = HashMap::new();
//! anchor_suite::test_all(|name| {
//!     let anchor = memories.entry(name.to_owned()).or_default().clone();
//!     async { anchor }
//! })
//! .await;
//! # }
//! ```
//!
//! The builder is called twice for every check, with the check's name both times: first it gives an anchor whose memory was never
//! begun, then another one, as another process would open it, on the same memory. As in
//! [`store_suite`](crate::store_suite), checks of what happens at once need a multi-threaded tokio runtime.

use std::sync::Arc;

use approval_core::anchor::{Anchor, AnchorEntry, AnchorKind, CheckpointMark, Entered, Standing};
use approval_core::record::Rollback;
use approval_core::seal::Tag;
use approval_core::{ClaimId, Digest, PlanId, Timestamp};

use crate::SeededEntropy;
use crate::report::{Check, Promise, Seen, SuiteReport, ensure, same};
use crate::store_suite::at_once;

const ENTER: Promise =
    Promise { id: "ANCHOR-001", text: "of all that is entered for a plan the first stays, and is what others get" };
const SHARED: Promise = Promise { id: "ANCHOR-001", text: "what was entered is there for every process" };
const AT_ONCE: Promise =
    Promise { id: "ANCHOR-001", text: "of all who enter a plan at once, exactly one is the first" };
const TOUCHING: Promise = Promise { id: "ANCHOR-002", text: "claims are found by each tag of what their plans touch" };
const BEGIN: Promise =
    Promise { id: "ANCHOR-006", text: "a memory that is missing says so, takes nothing, and is begun once" };
const CHECKPOINT: Promise =
    Promise { id: "CKPT-004", text: "the last checkpoint is remembered, whatever else comes and goes" };
const REMOVE: Promise = Promise { id: "ANCHOR-007", text: "entries that are removed are gone, and no others" };
const STRENGTH: Promise = Promise { id: "ENF-001", text: "an anchor that remembers says so" };

/// One memory, opened twice.
#[derive(Clone)]
struct Fixture {
    one: Arc<dyn Anchor>,
    other: Arc<dyn Anchor>,
}

/// Runs every check, each on a memory of its own, and reports what was seen.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn run<A, Made>(mut builder: impl FnMut(&str) -> Made) -> SuiteReport
where
    A: Anchor + 'static,
    Made: Future<Output = A>,
{
    let mut report = SuiteReport::default();
    for check in checks() {
        let one: Arc<dyn Anchor> = Arc::new(builder(check.name).await);
        let other: Arc<dyn Anchor> = Arc::new(builder(check.name).await);
        report.checks.push(check.report(Fixture { one, other }).await);
    }
    report
}

/// Runs every check, and returns how many there were.
///
/// # Panics
/// With the whole report, where a check failed; outside a tokio runtime.
pub async fn test_all<A, Made>(builder: impl FnMut(&str) -> Made) -> usize
where
    A: Anchor + 'static,
    Made: Future<Output = A>,
{
    let report = run(builder).await;
    report.assert_passed();
    report.ran()
}

fn checks() -> Vec<Check<Fixture>> {
    vec![
        Check::new("anchor/begin", BEGIN, begin),
        Check::new("anchor/checkpoint", CHECKPOINT, checkpoint),
        Check::new("anchor/enter", ENTER, enter),
        Check::new("anchor/enter-at-once", AT_ONCE, enter_at_once),
        Check::new("anchor/kinds", ENTER, kinds),
        Check::new("anchor/remove", REMOVE, remove),
        Check::new("anchor/shared", SHARED, shared),
        Check::new("anchor/strength", STRENGTH, strength),
        Check::new("anchor/touching", TOUCHING, touching),
    ]
}

fn plan(number: u8) -> Result<PlanId, Seen> {
    let second = Timestamp::from_unix_millis(1_767_225_600_000 + i64::from(number) * 1000);
    Ok(PlanId::generate(second, &SeededEntropy::new(u64::from(number)))?)
}

fn claim(number: u64) -> Result<AnchorKind, Seen> {
    Ok(AnchorKind::Claimed(ClaimId::generate(&SeededEntropy::new(number))?))
}

fn tag(number: u8) -> Result<Tag, Seen> {
    // The last of 43 characters holds four bits of the 32nd byte.
    let last = ["A", "E", "I", "M"].get(usize::from(number % 4)).copied().unwrap_or("A");
    Ok(format!("key-{number}.{}{last}", "b".repeat(42)).parse()?)
}

fn entry(number: u8, kind: AnchorKind, effects: &[u8]) -> Result<AnchorEntry, Seen> {
    let plan_expires_at = Timestamp::from_unix_millis(1_767_229_200_000 + i64::from(number));
    let effects = effects.iter().map(|number| tag(*number)).collect::<Result<_, _>>()?;
    Ok(AnchorEntry { plan: plan(number)?, kind, plan_expires_at, effects })
}

async fn begin(fixture: Fixture) -> Result<(), Seen> {
    let Fixture { one, other } = fixture;
    same("a memory that was never begun", &one.standing().await?, &Standing::Missing)?;
    let claimed = entry(1, claim(1)?, &[1])?;
    ensure(one.enter(claimed.clone()).await.is_err(), || "what is missing took an entry".to_owned())?;
    ensure(one.entry(claimed.plan).await.is_err(), || "what is missing was asked, and answered".to_owned())?;
    ensure(one.entries().await.is_err(), || "what is missing listed its entries".to_owned())?;
    same("a memory that was asked only", &other.standing().await?, &Standing::Missing)?;
    one.begin().await?;
    same("a memory that was begun", &one.standing().await?, &Standing::Kept)?;
    same("the same memory, elsewhere", &other.standing().await?, &Standing::Kept)?;
    same("what a new memory holds", &one.entries().await?, &Vec::new())?;
    one.enter(claimed.clone()).await?;
    other.begin().await?;
    one.begin().await?;
    same("what is there after it was begun again", &other.entries().await?, &vec![claimed])
}

async fn enter(fixture: Fixture) -> Result<(), Seen> {
    let Fixture { one, .. } = fixture;
    one.begin().await?;
    let first = entry(1, claim(1)?, &[1, 2])?;
    same("an entry that nobody made", &one.entry(first.plan).await?, &None)?;
    same("the first entry of a plan", &one.enter(first.clone()).await?, &Entered::First)?;
    for kind in [claim(1)?, claim(2)?, AnchorKind::Rejected] {
        let later = entry(1, kind, &[3])?;
        same("a later entry of the plan", &one.enter(later).await?, &Entered::Present(first.clone()))?;
    }
    same("the plan's entry", &one.entry(first.plan).await?, &Some(first))?;
    same("the first entry of another plan", &one.enter(entry(2, claim(1)?, &[1])?).await?, &Entered::First)
}

async fn kinds(fixture: Fixture) -> Result<(), Seen> {
    let Fixture { one, other } = fixture;
    one.begin().await?;
    let all =
        [entry(3, AnchorKind::Rejected, &[])?, entry(1, AnchorKind::Withdrawn, &[1])?, entry(2, claim(9)?, &[1, 2])?];
    for entered in &all {
        same("an entry of each kind", &one.enter(entered.clone()).await?, &Entered::First)?;
    }
    let [third, first, second] = all;
    same("all entries, by their plans", &other.entries().await?, &vec![first, second, third])
}

async fn shared(fixture: Fixture) -> Result<(), Seen> {
    let Fixture { one, other } = fixture;
    one.begin().await?;
    let (first, second) = (entry(1, claim(1)?, &[1])?, entry(2, AnchorKind::Rejected, &[1])?);
    one.enter(first.clone()).await?;
    same("an entry of another process", &other.entry(first.plan).await?, &Some(first.clone()))?;
    same(
        "a second claim, elsewhere",
        &other.enter(entry(1, claim(2)?, &[])?).await?,
        &Entered::Present(first.clone()),
    )?;
    other.enter(second.clone()).await?;
    same("an entry that came back", &one.entry(second.plan).await?, &Some(second.clone()))?;
    // Once one of them has forgotten something, both still go on from there.
    one.remove(&[first.plan]).await?;
    let third = entry(3, claim(3)?, &[1])?;
    same("an entry after something was removed elsewhere", &other.enter(third.clone()).await?, &Entered::First)?;
    same("what both have", &one.entries().await?, &vec![second, third])
}

async fn enter_at_once(fixture: Fixture) -> Result<(), Seen> {
    const TASKS: u64 = 8;
    fixture.one.begin().await?;
    for round in 0..20 {
        let entered = at_once(TASKS, |task| {
            let anchor = Arc::clone(if task % 2 == 0 { &fixture.one } else { &fixture.other });
            let entry = claim(task).and_then(|kind| entry(round, kind, &[1]));
            async move { Ok::<_, Seen>(anchor.enter(entry?).await?) }
        })
        .await?;
        let entered = entered.into_iter().collect::<Result<Vec<_>, _>>()?;
        let first = entered.iter().filter(|entered| **entered == Entered::First).count();
        same(&format!("how many of {TASKS} were the first"), &first, &1)?;
        let known = fixture.one.entry(plan(round)?).await?;
        ensure(known.is_some(), || "nobody's entry is there".to_owned())?;
        for entered in entered {
            if let Entered::Present(present) = entered {
                same("the entry that the others get", &Some(present), &known)?;
            }
        }
    }
    Ok(())
}

async fn touching(fixture: Fixture) -> Result<(), Seen> {
    let Fixture { one, other } = fixture;
    one.begin().await?;
    let (a, b) = (entry(2, claim(1)?, &[1, 2])?, entry(1, claim(2)?, &[2, 3])?);
    for entered in [a.clone(), b.clone(), entry(3, AnchorKind::Rejected, &[1, 2])?, entry(4, claim(4)?, &[])?] {
        one.enter(entered).await?;
    }
    let found = async |effects: &[u8]| {
        let effects = effects.iter().map(|number| tag(*number)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Seen>(other.claims_touching(&effects).await?)
    };
    same("claims by the first tag", &found(&[1]).await?, &vec![a.clone()])?;
    same("claims by the last tag", &found(&[3]).await?, &vec![b.clone()])?;
    same("claims by a tag of both", &found(&[2]).await?, &vec![b.clone(), a.clone()])?;
    same("claims by two tags, each once", &found(&[3, 2, 1]).await?, &vec![b, a])?;
    same("claims by a tag of none", &found(&[0]).await?, &Vec::new())?;
    same("claims by no tag", &found(&[]).await?, &Vec::new())
}

async fn remove(fixture: Fixture) -> Result<(), Seen> {
    let Fixture { one, other } = fixture;
    one.begin().await?;
    let all = [entry(1, claim(1)?, &[1])?, entry(2, claim(2)?, &[1])?, entry(3, AnchorKind::Withdrawn, &[1])?];
    for entered in &all {
        one.enter(entered.clone()).await?;
    }
    let [first, second, third] = all;
    one.remove(&[]).await?;
    one.remove(&[plan(9)?]).await?;
    same("how many are left where none was named", &one.entries().await?.len(), &3)?;
    one.remove(&[first.plan, third.plan, plan(9)?]).await?;
    same("what is left", &other.entries().await?, &vec![second.clone()])?;
    same("what is found", &other.claims_touching(&first.effects).await?, &vec![second])?;
    same("an entry that is made anew", &other.enter(first).await?, &Entered::First)
}

async fn strength(fixture: Fixture) -> Result<(), Seen> {
    let said = fixture.one.rollback();
    ensure(said != Rollback::None, || "it says `none`, and so is not asked".to_owned())?;
    same("what another process says", &fixture.other.rollback(), &said)
}

async fn checkpoint(fixture: Fixture) -> Result<(), Seen> {
    let Fixture { one, other } = fixture;
    let mark = |number: u64| CheckpointMark { number, digest: Digest::of_bytes(&number.to_be_bytes()) };
    ensure(one.remember(mark(1)).await.is_err(), || "what is missing took a checkpoint".to_owned())?;
    one.begin().await?;
    same("a checkpoint that nobody made", &one.last_checkpoint().await?, &None)?;
    one.remember(mark(1)).await?;
    same("the first checkpoint, elsewhere", &other.last_checkpoint().await?, &Some(mark(1)))?;
    other.remember(mark(3)).await?;
    one.remember(mark(2)).await?;
    same("the last checkpoint", &one.last_checkpoint().await?, &Some(mark(3)))?;
    let entered = entry(1, claim(1)?, &[1])?;
    one.enter(entered.clone()).await?;
    one.remove(&[entered.plan]).await?;
    same("the last checkpoint, after an entry came and went", &other.last_checkpoint().await?, &Some(mark(3)))?;
    for number in 4..700 {
        one.remember(mark(number)).await?;
    }
    one.enter(entered.clone()).await?;
    same("the last of many", &other.last_checkpoint().await?, &Some(mark(699)))?;
    other.reset_checkpoint(Some(mark(5))).await?;
    same("an earlier one, put in its place", &one.last_checkpoint().await?, &Some(mark(5)))?;
    other.reset_checkpoint(None).await?;
    same("none, put in its place", &one.last_checkpoint().await?, &None)?;
    same("the entries beside it", &other.entries().await?, &vec![entered])
}
