//! What happens at once happens one after the other.
//!
//! The tasks of a check start together. How they interleave is up to the runtime; what must hold holds for every order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use approval_core::record::{RecordKind, State};
use approval_core::store::{CommitError, Include, Reads, RowKey, Snapshot, Transition, Write};
use approval_core::{PlanId, Reason, Refusal};
use tokio::sync::Barrier;

use super::fixture::{Fixture, event, plan_row, row};
use crate::report::{Seen, ensure, same};

/// How many tasks do something at once.
pub(super) const TASKS: u64 = 8;

/// Runs `task` so many times at once, and returns what came of each.
pub(crate) async fn at_once<T, Ran>(tasks: u64, task: impl Fn(u64) -> Ran) -> Result<Vec<T>, Seen>
where
    T: Send + 'static,
    Ran: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(usize::try_from(tasks)?));
    let running: Vec<_> = (0..tasks)
        .map(|number| {
            let (start, task) = (Arc::clone(&start), task(number));
            tokio::spawn(async move {
                start.wait().await;
                task.await
            })
        })
        .collect();
    let mut ended = Vec::new();
    for task in running {
        ended.push(task.await?);
    }
    Ok(ended)
}

/// How many committed; whoever did not must have met a conflict or refused.
pub(super) fn committed(ended: &[Result<(), CommitError>]) -> Result<usize, Seen> {
    if let Some(Err(CommitError::Store(error))) = ended.iter().find(|ended| matches!(ended, Err(CommitError::Store(_))))
    {
        return Err(Seen::new(format!("a commit beside others failed: {error}")));
    }
    Ok(ended.iter().filter(|ended| ended.is_ok()).count())
}

/// Of all who replace one revision at once, exactly one does.
pub(super) async fn compare_and_set(fixture: Fixture) -> Result<(), Seen> {
    let plan = fixture.plan()?;
    fixture.write(vec![Write::Insert(plan_row(RecordKind::PlanState, plan, 0, "start"))]).await?;
    for revision in 0..20 {
        let ended = at_once(TASKS, |number| {
            let fixture = fixture.clone();
            let row = plan_row(RecordKind::PlanState, plan, revision + 1, &format!("task {number}"));
            async move { fixture.commit(vec![Write::Replace { from: revision, row }]).await }
        })
        .await?;
        let what = format!("how many of {TASKS} replaced revision {revision}");
        same(&what, &committed(&ended)?, &1)?;
        let winner = ended.iter().position(Result::is_ok).unwrap_or_default();
        let found = fixture.row(&RowKey::of_plan(RecordKind::PlanState, plan)).await?;
        let expected = plan_row(RecordKind::PlanState, plan, revision + 1, &format!("task {winner}"));
        same("the row of the one that did", &found, &Some(expected))?;
    }
    Ok(())
}

/// Of all who insert one row at once, exactly one does.
pub(super) async fn insert(fixture: Fixture) -> Result<(), Seen> {
    for round in 0..20 {
        let ended = at_once(TASKS, |number| {
            let fixture = fixture.clone();
            let row = row(RecordKind::Decision, &format!("challenge.{round}"), None, 0, &format!("task {number}"));
            async move { fixture.commit(vec![Write::Insert(row)]).await }
        })
        .await?;
        same(&format!("how many of {TASKS} inserted one row"), &committed(&ended)?, &1)?;
    }
    Ok(())
}

/// Who adds one to what it reads adds one to what is there.
pub(super) async fn lost_update(fixture: Fixture) -> Result<(), Seen> {
    const ROUNDS: u64 = 25;
    let key = RowKey::new(RecordKind::Pause, "count");
    fixture.write(vec![Write::Insert(row(RecordKind::Pause, "count", None, 1, "0"))]).await?;
    let added = at_once(TASKS, |_| {
        let (fixture, key) = (fixture.clone(), key.clone());
        async move {
            let mut added = 0;
            for _ in 0..ROUNDS {
                let reads = Reads { rows: vec![key.clone()], ..Reads::default() };
                let key = key.clone();
                // Always from one revision to the same one: nothing but isolation keeps the count right.
                let add = Transition::new("add", reads, move |snapshot| {
                    let count =
                        snapshot.rows.get(&key).and_then(|row| std::str::from_utf8(&row.sealed).ok()?.parse().ok());
                    let count: u64 = count.ok_or_else(|| Refusal::new(Reason::Internal, "no count"))?;
                    let next = row(RecordKind::Pause, "count", None, 1, &(count + 1).to_string());
                    Ok(vec![Write::Replace { from: 1, row: next }])
                });
                match fixture.store.commit(add).await {
                    Ok(()) => added += 1,
                    Err(CommitError::Conflict) => {}
                    Err(error) => return Err(Seen::from(error)),
                }
            }
            Ok(added)
        }
    })
    .await?;
    let added = added.into_iter().sum::<Result<u64, Seen>>()?;
    ensure(added > 0, || "nobody could add anything".to_owned())?;
    let count = fixture.row(&key).await?.map(|row| String::from_utf8_lossy(&row.sealed).into_owned());
    same("the count of what was added", &count, &Some(added.to_string()))
}

/// A limit on what is open holds, however many ask at once.
pub(super) async fn count_and_insert(fixture: Fixture) -> Result<(), Seen> {
    const LIMIT: u32 = 5;
    let plans = (0..TASKS * 2).map(|_| fixture.plan()).collect::<Result<Vec<_>, _>>()?;
    let ended = at_once(TASKS * 2, |number| {
        let fixture = fixture.clone();
        let plan = plans.iter().copied().nth(number as usize);
        async move {
            let index = plan.map(|plan| fixture.index(plan, State::Planned));
            let reads = Reads { open_plans_of: Some("alice".to_owned()), ..Reads::default() };
            // Who meets a conflict asks again: all that are within the limit must get through.
            loop {
                let (index, reads) = (index.clone(), reads.clone());
                let record = Transition::new("record-plan", reads, move |snapshot| {
                    if snapshot.open_plans >= LIMIT {
                        return Err(Refusal::new(Reason::RateLimited, "enough"));
                    }
                    Ok(index.iter().cloned().map(Write::Index).collect())
                });
                match fixture.store.commit(record).await {
                    Err(CommitError::Conflict) => {}
                    ended => return ended,
                }
            }
        }
    })
    .await?;
    same("how many plans were taken", &committed(&ended)?, &(LIMIT as usize))?;
    let reads = Reads { open_plans_of: Some("alice".to_owned()), ..Reads::default() };
    same("how many plans are open", &fixture.snapshot(reads).await?.open_plans, &LIMIT)
}

/// Two who each write what the other looks for do not both write.
pub(super) async fn write_skew(fixture: Fixture) -> Result<(), Seen> {
    for round in 0..20 {
        let keys: Vec<_> =
            (0..TASKS).map(|number| RowKey::new(RecordKind::Mute, format!("{round}.{number}"))).collect();
        let ended = at_once(TASKS, |number| {
            let (fixture, keys) = (fixture.clone(), keys.clone());
            async move {
                let own = row(RecordKind::Mute, &format!("{round}.{number}"), None, 1, "mine");
                let reads = Reads { rows: keys, ..Reads::default() };
                let only = Transition::new("only", reads, move |snapshot: &Snapshot| {
                    if snapshot.rows.is_empty() {
                        Ok(vec![Write::Insert(own.clone())])
                    } else {
                        Err(Refusal::new(Reason::ExecutionInProgress, "somebody else has"))
                    }
                });
                fixture.store.commit(only).await
            }
        })
        .await?;
        let there = fixture.store.rows(&keys).await?.len();
        let found = (committed(&ended)?, there);
        same(&format!("how many of {TASKS} found nobody else's row, and how many rows there are"), &found, &(1, 1))?;
    }
    Ok(())
}

/// Positions have no gaps at any moment, and each writer's events stand in the order of its numbers.
pub(super) async fn events(fixture: Fixture) -> Result<(), Seen> {
    const EACH: u64 = 25;
    let writers = (0..TASKS).map(|_| fixture.writer()).collect::<Result<Vec<_>, _>>()?;
    let written = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read_along(fixture.clone(), Arc::clone(&written)));
    let ended = at_once(TASKS, |number| {
        let fixture = fixture.clone();
        let writer = writers.iter().copied().nth(number as usize);
        async move {
            for sequence in (1..=EACH).step_by(5) {
                let writes = writer.into_iter().flat_map(|writer| {
                    (sequence..sequence + 5).map(move |sequence| Write::Event(event(writer, sequence, None)))
                });
                fixture.commit(writes.collect()).await?;
            }
            Ok(())
        }
    })
    .await;
    written.store(true, Ordering::Release);
    let read = reader.await??;
    same("how many writers of different lanes were let through", &committed(&ended?)?, &writers.len())?;
    same("how many events a reader beside them saw", &read, &(TASKS * EACH))?;
    let all = fixture.events().await?;
    let positions: Vec<u64> = all.iter().map(|event| event.position).collect();
    same("the positions of all events", &positions, &(1..=TASKS * EACH).collect())?;
    for writer in writers {
        let sequences: Vec<u64> =
            all.iter().filter(|event| event.writer == writer).map(|event| event.sequence).collect();
        same("the numbers of one writer's events", &sequences, &(1..=EACH).collect())?;
    }
    Ok(())
}

/// Pages through the events until no more are written, and returns how many there were: none may appear behind the reader.
async fn read_along(fixture: Fixture, written: Arc<AtomicBool>) -> Result<u64, Seen> {
    let mut after = 0;
    loop {
        let is_last = written.load(Ordering::Acquire);
        let page = fixture.store.events(after, 7).await?;
        if page.is_empty() && is_last {
            return Ok(after);
        }
        for event in page {
            let seen = event.position;
            ensure(seen == after + 1, || format!("event {seen} showed right after event {after}"))?;
            after = seen;
        }
        tokio::task::yield_now().await;
    }
}

/// Index, rows and last event of one look-up are of one commit.
pub(super) async fn one_moment(fixture: Fixture) -> Result<(), Seen> {
    const REVISIONS: u64 = 100;
    let (plan, writer) = (fixture.plan()?, fixture.writer()?);
    let step = move |fixture: &Fixture, revision: u64| {
        let row = plan_row(RecordKind::PlanState, plan, revision, "state");
        let put = match revision {
            1 => Write::Insert(row),
            _ => Write::Replace { from: revision - 1, row },
        };
        let index = approval_core::store::PlanIndex { revision, ..fixture.index(plan, State::Planned) };
        vec![put, Write::Index(index), Write::Event(event(writer, revision, Some(plan)))]
    };
    fixture.write(step(&fixture, 1)).await?;
    let written = Arc::new(AtomicBool::new(false));
    let ended = at_once(3, |number| {
        let (fixture, written) = (fixture.clone(), Arc::clone(&written));
        async move {
            if number > 0 {
                while !written.load(Ordering::Acquire) {
                    look(&fixture, plan, number == 1).await?;
                }
                return same("the last revision", &look(&fixture, plan, number == 1).await?, &REVISIONS);
            }
            let mut ended = Ok(());
            for revision in 2..=REVISIONS {
                ended = ended.and(fixture.write(step(&fixture, revision)).await);
            }
            written.store(true, Ordering::Release);
            ended
        }
    });
    ended.await?.into_iter().collect()
}

/// The revision that a look-up shows, everywhere the same.
async fn look(fixture: &Fixture, plan: PlanId, in_list: bool) -> Result<u64, Seen> {
    let rows = if in_list {
        let page = fixture.store.list(&super::fixture::everything()).await?;
        page.plans.into_iter().next().map(|(_, rows)| rows)
    } else {
        fixture.store.plan(plan, Include::Documents).await?
    };
    let rows = rows.ok_or_else(|| Seen::new("the plan is gone"))?;
    let row = rows.rows.first().map(|row| row.revision);
    let event = rows.last_event.map(|event| event.sequence);
    let revision = rows.index.revision;
    same(
        "revisions of row and last event, beside that of the index",
        &(row, event),
        &(Some(revision), Some(revision)),
    )?;
    tokio::task::yield_now().await;
    Ok(revision)
}
