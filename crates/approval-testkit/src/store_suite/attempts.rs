//! Attempts by what they touch.

use approval_core::PlanId;
use approval_core::record::{RecordKind, State};
use approval_core::store::{PlanIndex, PlanRows, Reads, Row, Write};

use super::fixture::{Fixture, event, plan_row, sorted};
use crate::report::{Seen, same};

fn plans(found: &[(PlanId, PlanRows)]) -> Vec<PlanId> {
    found.iter().map(|(plan, _)| *plan).collect()
}

/// Only attempts that are executing, `partial` or `unknown` are found.
pub(super) async fn by_state(fixture: Fixture) -> Result<(), Seen> {
    let tag = Fixture::tag("shelf/a")?;
    let mut expected = Vec::new();
    for state in State::ALL {
        let plan = fixture.plan()?;
        let attempt = Write::Attempt { plan, effects: vec![tag.clone()] };
        fixture.write(vec![Write::Index(fixture.index(plan, state)), attempt]).await?;
        if matches!(state, State::Executing | State::Partial | State::Unknown) {
            expected.push(plan);
        }
    }
    same("the attempts on a tag", &plans(&fixture.store.attempts(&[tag]).await?), &expected)
}

/// Several tags find what touches any of them, each once.
pub(super) async fn by_tag(fixture: Fixture) -> Result<(), Seen> {
    let tags = ["a", "b", "c", "d"].map(Fixture::tag);
    let [Ok(a), Ok(b), Ok(c), Ok(nobodys)] = tags else { return Err(Seen::new("no tags")) };
    let touched = [vec![a.clone()], vec![a.clone(), b.clone()], vec![b.clone(), c.clone()], vec![c.clone()], vec![]];
    let mut made = Vec::new();
    for effects in touched {
        let plan = fixture.plan()?;
        let writes = vec![Write::Index(fixture.index(plan, State::Executing)), Write::Attempt { plan, effects }];
        fixture.write(writes).await?;
        made.push(plan);
    }
    for (what, effects, expected) in [
        ("one tag", vec![a.clone()], made.get(..2)),
        ("two tags", vec![b.clone(), a.clone()], made.get(..3)),
        ("a tag twice", vec![c.clone(), c.clone()], made.get(2..4)),
        ("all tags", vec![a, b, c, nobodys.clone()], made.get(..4)),
        ("a tag that nothing touches", vec![nobodys], made.get(..0)),
        ("no tag", vec![], made.get(..0)),
    ] {
        let expected = expected.map(<[_]>::to_vec).unwrap_or_default();
        same(&format!("the attempts on {what}"), &plans(&fixture.store.attempts(&effects).await?), &expected)?;
    }
    Ok(())
}

/// Attempts come in the order of their plans' ids, each with its index, its small rows and its last event.
pub(super) async fn order(fixture: Fixture) -> Result<(), Seen> {
    let (tag, writer) = (Fixture::tag("a")?, fixture.writer()?);
    let mut made: Vec<PlanId> = (0..8).map(|_| fixture.plan_at_once()).collect::<Result<_, _>>()?;
    made.extend([fixture.plan()?, fixture.plan()?]);
    for (number, plan) in (1..).zip(made.iter().rev().copied()) {
        let writes = vec![
            Write::Index(fixture.index(plan, State::Unknown)),
            Write::Insert(plan_row(RecordKind::Result, plan, 0, "result")),
            Write::Insert(plan_row(RecordKind::Execution, plan, 0, "execution")),
            Write::Insert(plan_row(RecordKind::PlanState, plan, 4, "state")),
            Write::Attempt { plan, effects: vec![tag.clone()] },
            Write::Event(event(writer, number, Some(plan))),
        ];
        fixture.write(writes).await?;
    }
    made.sort();
    let found = fixture.store.attempts(&[tag]).await?;
    same("the attempts, in order", &plans(&found), &made)?;
    for (plan, rows) in found {
        let small: Vec<Row> = sorted(vec![
            plan_row(RecordKind::Execution, plan, 0, "execution"),
            plan_row(RecordKind::PlanState, plan, 4, "state"),
        ]);
        same("the rows of an attempt", &sorted(rows.rows), &small)?;
        same("the index of an attempt", &(rows.index.plan, rows.index.state), &(plan, State::Unknown))?;
        let last = rows.last_event.and_then(|event| event.plan);
        same("the plan of an attempt's last event", &last, &Some(plan))?;
    }
    Ok(())
}

/// An attempt is found until it has another outcome; a reconciliation beside it changes nothing.
pub(super) async fn outcome(fixture: Fixture) -> Result<(), Seen> {
    let (tag, plan) = (Fixture::tag("a")?, fixture.plan()?);
    let attempt = Write::Attempt { plan, effects: vec![tag.clone()] };
    fixture.write(vec![attempt, Write::Index(fixture.index(plan, State::Executing))]).await?;
    for (state, expected) in [
        (State::Executing, vec![plan]),
        (State::Unknown, vec![plan]),
        (State::Partial, vec![plan]),
        (State::Applied, vec![]),
        (State::Failed, vec![]),
    ] {
        let index = PlanIndex { revision: 2, ..fixture.index(plan, state) };
        fixture.write(vec![Write::Index(index)]).await?;
        let found = plans(&fixture.store.attempts(std::slice::from_ref(&tag)).await?);
        same(&format!("the attempts once it is `{}`", state.name()), &found, &expected)?;
    }
    let reconciliation = plan_row(RecordKind::Reconciliation, plan, 0, "reconciliation");
    let writes = vec![Write::Index(fixture.index(plan, State::Unknown)), Write::Insert(reconciliation.clone())];
    fixture.write(writes).await?;
    let found = fixture.store.attempts(&[tag]).await?;
    let rows: Vec<_> = found.into_iter().flat_map(|(_, rows)| rows.rows).collect();
    same("the rows of a reconciled attempt", &rows, &vec![reconciliation])
}

/// A transition is shown the same attempts as a look-up.
pub(super) async fn in_transaction(fixture: Fixture) -> Result<(), Seen> {
    let (tag, other) = (Fixture::tag("a")?, Fixture::tag("b")?);
    for state in [State::Executing, State::Applied, State::Unknown] {
        for effect in [&tag, &other] {
            let plan = fixture.plan()?;
            let attempt = Write::Attempt { plan, effects: vec![effect.clone()] };
            fixture.write(vec![Write::Index(fixture.index(plan, state)), attempt]).await?;
        }
    }
    let looked_up = fixture.store.attempts(std::slice::from_ref(&tag)).await?;
    same("how many attempts a look-up finds", &looked_up.len(), &2)?;
    let shown = fixture.snapshot(Reads { attempts: vec![tag], ..Reads::default() }).await?.attempts;
    same("the attempts in a transaction", &shown, &looked_up)
}
