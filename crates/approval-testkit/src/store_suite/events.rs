//! The order of audit events.

use std::sync::{Arc, Mutex, PoisonError};

use approval_core::record::RecordKind;
use approval_core::store::{EventRow, Reads, Row, Transition, Write};
use approval_core::{Reason, Refusal};

use super::fixture::{Fixture, event, row};
use crate::report::{Seen, ensure, same};

/// Positions go up by one with every event, whatever failed in between; what comes in says nothing about them.
pub(super) async fn position(fixture: Fixture) -> Result<(), Seen> {
    let (writer, second, plan) = (fixture.writer()?, fixture.writer()?, fixture.plan()?);
    same("the events of an empty store", &fixture.events().await?, &Vec::new())?;
    let taken: Row = row(RecordKind::Pause, "pause", None, 1, "pause");
    fixture.write(vec![Write::Insert(taken.clone())]).await?;
    let mut expected: Vec<EventRow> = Vec::new();
    for sequence in 1..=5 {
        let misplaced = EventRow { position: 40 - sequence, ..event(second, sequence, Some(plan)) };
        let both = [event(writer, sequence, None), misplaced];
        for event in &both {
            expected.push(EventRow { position: expected.len() as u64 + 1, ..event.clone() });
        }
        let conflicting = vec![Write::Event(event(writer, sequence, None)), Write::Insert(taken.clone())];
        fixture.conflicts("an insert of a row that exists, after an event,", conflicting).await?;
        let refused = Transition::new("refuse", Reads::default(), |_| Err(Refusal::new(Reason::Paused, "no")));
        ensure(fixture.store.commit(refused).await.is_err(), || "a refusal was committed".to_owned())?;
        fixture.write(both.map(Write::Event).to_vec()).await?;
    }
    same("the events, in order", &fixture.events().await?, &expected)
}

/// Pages of any size hold every event once, in order.
pub(super) async fn page(fixture: Fixture) -> Result<(), Seen> {
    const EVENTS: u64 = 17;
    let writer = fixture.writer()?;
    for sequence in 1..=EVENTS {
        fixture.write(vec![Write::Event(event(writer, sequence, None))]).await?;
    }
    for limit in [1, 2, 5, 16, 17, 18] {
        let mut found = Vec::new();
        let mut after = 0;
        loop {
            let page = fixture.store.events(after, limit).await?;
            ensure(page.len() <= limit as usize, || format!("a page of {} where {limit} were asked for", page.len()))?;
            let Some(last) = page.last() else { break };
            ensure(last.position > after, || format!("event {} after position {after}", last.position))?;
            after = last.position;
            found.extend(page.into_iter().map(|event| (event.position, event.sequence)));
        }
        let expected: Vec<_> = (1..=EVENTS).map(|number| (number, number)).collect();
        same(&format!("the events in pages of {limit}"), &found, &expected)?;
    }
    same("a page of none", &fixture.store.events(0, 0).await?, &Vec::new())?;
    same("a page after the last event", &fixture.store.events(EVENTS, 10).await?, &Vec::new())?;
    same("a page far behind the last event", &fixture.store.events(u64::MAX, 10).await?, &Vec::new())
}

/// A plan's events are found by it, the last ones where not all are asked for; once the audit was read, with their positions.
pub(super) async fn of_plan(fixture: Fixture) -> Result<(), Seen> {
    let (writer, second) = (fixture.writer()?, fixture.writer()?);
    let (plan, other, nobodys) = (fixture.plan()?, fixture.plan()?, fixture.plan()?);
    for sequence in 1..=4 {
        let written = [
            event(writer, 2 * sequence - 1, Some(plan)),
            event(second, sequence, Some(plan)),
            event(writer, 2 * sequence, (sequence % 2 == 0).then_some(other)),
        ];
        fixture.write(written.map(Write::Event).to_vec()).await?;
    }
    let numbered = |events: &[EventRow]| events.iter().map(|event| (event.writer, event.sequence)).collect::<Vec<_>>();
    let found = fixture.store.plan_events(plan, 100).await?;
    let all = fixture.events().await?;
    let of = |plan| all.iter().rev().filter(|event| event.plan == Some(plan)).cloned().collect::<Vec<_>>();
    same("the events of a plan, before anybody read the audit", &numbered(&found), &numbered(&of(plan)))?;
    same("the events of a plan", &fixture.store.plan_events(plan, 100).await?, &of(plan))?;
    same("the events of another plan", &fixture.store.plan_events(other, 100).await?, &of(other))?;
    same("the events of no plan", &fixture.store.plan_events(nobodys, 100).await?, &Vec::new())?;
    for limit in [0, 1, 3, 7, 8, 9] {
        let last: Vec<_> = of(plan).into_iter().take(limit as usize).collect();
        same(&format!("the last {limit} events of a plan"), &fixture.store.plan_events(plan, limit).await?, &last)?;
    }
    Ok(())
}

/// A writer's number is used once; other writers have their own numbers.
pub(super) async fn unique(fixture: Fixture) -> Result<(), Seen> {
    let (writer, second, plan) = (fixture.writer()?, fixture.writer()?, fixture.plan()?);
    fixture.write(vec![Write::Event(event(writer, 1, None)), Write::Event(event(second, 1, None))]).await?;
    let again = EventRow { sealed: b"something else".to_vec(), ..event(writer, 1, Some(plan)) };
    fixture.conflicts("a second event of one number", vec![Write::Event(again)]).await?;
    let twice = vec![Write::Event(event(writer, 2, None)), Write::Event(event(writer, 2, None))];
    fixture.conflicts("two events of one number in one transition", twice).await?;
    same("how many events there are", &fixture.events().await?.len(), &2)?;
    fixture.write(vec![Write::Event(event(writer, 2, None))]).await
}

/// A transition that asks for the events after a position is shown all of them, as they are in its transaction.
pub(super) async fn in_transaction(fixture: Fixture) -> Result<(), Seen> {
    let (writer, plan) = (fixture.writer()?, fixture.plan()?);
    for sequence in 1..=5 {
        fixture.write(vec![Write::Event(event(writer, sequence, Some(plan)))]).await?;
    }
    let all = fixture.events().await?;
    for (after, expected) in [(None, 0), (Some(0), 5), (Some(3), 2), (Some(5), 0), (Some(u64::MAX), 0)] {
        let reads = Reads { events_after: after, ..Reads::default() };
        let shown = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&shown);
        let look = Transition::new("look", reads, move |snapshot| {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.events.clone());
            Ok(Vec::new())
        });
        fixture.store.commit(look).await?;
        let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        let expected: Vec<_> = all.iter().skip(5 - expected).cloned().collect();
        same(&format!("the events after {after:?}"), &shown, &Some(expected))?;
    }
    Ok(())
}
