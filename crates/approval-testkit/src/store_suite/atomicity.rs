//! All or nothing.

use approval_core::record::{RecordKind, State};
use approval_core::seal::Tag;
use approval_core::store::{CommitError, EventRow, Include, PlanPage, PlanRows, Reads, Row, RowKey, Transition, Write};
use approval_core::{PlanId, Reason, Refusal, WriterId};

use super::fixture::{Fixture, event, everything, plan_row, sorted};
use crate::report::{Seen, brief, ensure, same};

/// A store in which every kind of write would show.
struct Scene {
    plan: PlanId,
    other: PlanId,
    writer: WriterId,
    newcomer: WriterId,
    tag: Tag,
    other_tag: Tag,
}

/// All that can be read of a scene.
#[derive(Debug, PartialEq)]
struct Observed {
    rows: Vec<Row>,
    plans: Vec<Option<PlanRows>>,
    executing: Vec<PlanId>,
    attempts: Vec<(PlanId, PlanRows)>,
    list: PlanPage,
    events: Vec<EventRow>,
    heads: Vec<EventRow>,
    open: u32,
}

impl Scene {
    async fn lay(fixture: &Fixture) -> Result<Self, Seen> {
        let scene = Self {
            plan: fixture.plan()?,
            other: fixture.plan()?,
            writer: fixture.writer()?,
            newcomer: fixture.writer()?,
            tag: Fixture::tag("one")?,
            other_tag: Fixture::tag("another")?,
        };
        fixture
            .write(vec![
                Write::Insert(plan_row(RecordKind::Header, scene.plan, 0, "header")),
                Write::Insert(plan_row(RecordKind::PlanState, scene.plan, 1, "state 1")),
                Write::Insert(plan_row(RecordKind::Secrets, scene.plan, 0, "secrets")),
                Write::Index(fixture.index(scene.plan, State::Executing)),
                Write::Attempt { plan: scene.plan, effects: vec![scene.tag.clone()] },
                Write::Event(event(scene.writer, 1, Some(scene.plan))),
            ])
            .await?;
        Ok(scene)
    }

    /// One write of each kind, which nothing stands in the way of.
    fn writes(&self, fixture: &Fixture) -> Vec<Write> {
        vec![
            Write::Insert(plan_row(RecordKind::Challenge, self.plan, 0, "challenge")),
            Write::Event(event(self.newcomer, 1, None)),
            Write::Replace { from: 1, row: plan_row(RecordKind::PlanState, self.plan, 2, "state 2") },
            Write::Remove(RowKey::of_plan(RecordKind::Secrets, self.plan)),
            Write::Index(fixture.index(self.plan, State::Unknown)),
            Write::Index(fixture.index(self.other, State::Planned)),
            Write::Attempt { plan: self.plan, effects: vec![self.other_tag.clone()] },
            Write::Event(event(self.writer, 2, Some(self.plan))),
            Write::NameHeads(vec![self.writer]),
        ]
    }

    /// Writes that must conflict.
    fn conflicts(&self) -> Vec<(&'static str, Write)> {
        let state = |revision| plan_row(RecordKind::PlanState, self.plan, revision, "conflict");
        vec![
            ("an insert of a row that exists", Write::Insert(state(1))),
            ("a replacement at another revision", Write::Replace { from: 7, row: state(8) }),
            (
                "a replacement of nothing",
                Write::Replace { from: 1, row: plan_row(RecordKind::PlanState, self.other, 2, "conflict") },
            ),
            ("a second event of one number", Write::Event(event(self.writer, 1, Some(self.plan)))),
        ]
    }

    async fn observe(&self, fixture: &Fixture) -> Result<Observed, Seen> {
        let kinds = [RecordKind::Header, RecordKind::PlanState, RecordKind::Secrets, RecordKind::Challenge];
        let mut keys: Vec<_> = kinds.iter().map(|kind| RowKey::of_plan(*kind, self.plan)).collect();
        keys.push(RowKey::of_plan(RecordKind::PlanState, self.other));
        let mut plans = Vec::new();
        for plan in [self.plan, self.other] {
            plans.push(
                fixture
                    .store
                    .plan(plan, Include::Documents)
                    .await?
                    .map(|rows| PlanRows { rows: sorted(rows.rows), ..rows }),
            );
        }
        let reads = Reads { unnamed_heads: true, open_plans_of: Some("alice".to_owned()), ..Reads::default() };
        let snapshot = fixture.snapshot(reads).await?;
        let mut heads = snapshot.heads;
        heads.sort_by_key(|head| head.writer);
        let small = |(plan, rows): (PlanId, PlanRows)| (plan, PlanRows { rows: sorted(rows.rows), ..rows });
        let attempts = fixture.store.attempts(&[self.tag.clone(), self.other_tag.clone()]).await?;
        let list = fixture.store.list(&everything()).await?;
        Ok(Observed {
            rows: sorted(fixture.store.rows(&keys).await?),
            plans,
            executing: fixture.store.executing().await?,
            attempts: attempts.into_iter().map(small).collect(),
            list: PlanPage { plans: list.plans.into_iter().map(small).collect(), more: list.more },
            events: fixture.events().await?,
            heads,
            open: snapshot.open_plans,
        })
    }
}

/// The control: without a conflict every write is there afterwards.
pub(super) async fn all_writes(fixture: Fixture) -> Result<(), Seen> {
    let scene = Scene::lay(&fixture).await?;
    let before = scene.observe(&fixture).await?;
    fixture.write(scene.writes(&fixture)).await?;
    let after = scene.observe(&fixture).await?;
    let contents = |observed: &Observed| -> Vec<String> {
        observed.rows.iter().map(|row| String::from_utf8_lossy(&row.sealed).into_owned()).collect()
    };
    let expected = ["header", "state 1", "secrets"].map(str::to_owned);
    same("the rows before", &contents(&before), &expected.to_vec())?;
    for expected in ["header", "state 2", "challenge"] {
        ensure(contents(&after).iter().any(|content| content == expected), || format!("`{expected}` was not written"))?;
    }
    ensure(!contents(&after).iter().any(|content| content == "secrets"), || "`secrets` was not removed".to_owned())?;
    same("the plans that are executing", &(before.executing, after.executing), &(vec![scene.plan], Vec::new()))?;
    same("how many plans are listed", &(before.list.plans.len(), after.list.plans.len()), &(1, 2))?;
    same("how many events there are", &(before.events.len(), after.events.len()), &(1, 3))?;
    same("how many plans are open", &(before.open, after.open), &(0, 1))?;
    let heads = |heads: &[EventRow]| heads.iter().map(|head| head.writer).collect::<Vec<_>>();
    same("the unnamed heads before", &heads(&before.heads), &vec![scene.writer])?;
    same("the unnamed heads afterwards", &heads(&after.heads), &vec![scene.newcomer])?;
    let touching = fixture.store.attempts(std::slice::from_ref(&scene.other_tag)).await?;
    same("how many attempts touch the new tag", &touching.len(), &1)
}

/// Of a transition that conflicts nothing is written, wherever among its writes the conflict is.
pub(super) async fn conflict(fixture: Fixture) -> Result<(), Seen> {
    let scene = Scene::lay(&fixture).await?;
    let before = scene.observe(&fixture).await?;
    for (what, conflict) in scene.conflicts() {
        for write in scene.writes(&fixture) {
            for writes in [vec![write.clone(), conflict.clone()], vec![conflict.clone(), write.clone()]] {
                let tried = brief(&writes);
                fixture.conflicts(&format!("{what}, in {tried},"), writes).await?;
                same(&format!("what there is after a conflict of {tried}"), &scene.observe(&fixture).await?, &before)?;
            }
        }
        let mut writes = scene.writes(&fixture);
        writes.push(conflict);
        fixture.conflicts(&format!("{what}, after one write of each kind,"), writes).await?;
        same("what there is after a conflict", &scene.observe(&fixture).await?, &before)?;
    }
    Ok(())
}

/// A transition's refusal comes back as it is, and nothing is written.
pub(super) async fn refusal(fixture: Fixture) -> Result<(), Seen> {
    let scene = Scene::lay(&fixture).await?;
    let before = scene.observe(&fixture).await?;
    let refusal = Refusal::new(Reason::Paused, "for the sake of the check");
    let refuses = refusal.clone();
    let reads = Reads { plan: Some(scene.plan), attempts: vec![scene.tag.clone()], ..Reads::default() };
    let found = fixture.store.commit(Transition::new("refuse", reads, move |_| Err(refuses.clone()))).await;
    same("what a refused commit returns", &found, &Err(CommitError::Refused(refusal)))?;
    same("what there is after a refusal", &scene.observe(&fixture).await?, &before)
}

/// Each write finds what the ones before it have left.
pub(super) async fn in_order(fixture: Fixture) -> Result<(), Seen> {
    let plan = fixture.plan()?;
    let state = |revision: u64| plan_row(RecordKind::PlanState, plan, revision, &format!("state {revision}"));
    let key = state(1).key;
    let in_turn = [
        Write::Insert(state(1)),
        Write::Replace { from: 1, row: state(2) },
        Write::Remove(key.clone()),
        Write::Insert(state(4)),
        Write::Replace { from: 4, row: state(5) },
    ];
    fixture.write(in_turn.to_vec()).await?;
    same("the row after five writes", &fixture.row(&key).await?, &Some(state(5)))?;
    let twice = plan_row(RecordKind::Challenge, plan, 0, "twice");
    let writes = vec![Write::Insert(twice.clone()), Write::Insert(twice.clone())];
    fixture.conflicts("an insert of one row twice in one transition", writes).await?;
    same("the row that was inserted twice", &fixture.row(&twice.key).await?, &None)?;
    let (first, second) = (fixture.index(plan, State::Planned), fixture.index(plan, State::Stale));
    fixture.write(vec![Write::Index(first), Write::Index(second.clone())]).await?;
    let found = fixture.store.plan(plan, Include::Records).await?.map(|rows| rows.index);
    same("the index entry that was written twice", &found, &Some(second))
}
