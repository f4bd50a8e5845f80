//! Looking plans up.

use std::time::Duration;

use approval_core::Clock as _;
use approval_core::record::{RecordKind, State};
use approval_core::store::{EventRow, Include, PlanIndex, Reads, Row, Write};

use super::fixture::{Fixture, event, plan_row, row, sorted};
use crate::report::{Seen, ensure, same};

/// Documents are read where they are asked for; other plans' rows never.
pub(super) async fn include(fixture: Fixture) -> Result<(), Seen> {
    let (plan, other) = (fixture.plan()?, fixture.plan()?);
    let rows =
        |plan| RecordKind::ALL.into_iter().map(move |kind| plan_row(kind, plan, 1, &format!("{kind} of {plan}")));
    let nobodys = row(RecordKind::Pause, "pause", None, 1, "of no plan");
    let mut writes: Vec<Write> = rows(plan).chain(rows(other)).chain([nobodys]).map(Write::Insert).collect();
    writes.extend([plan, other].map(|plan| Write::Index(fixture.index(plan, State::Planned))));
    fixture.write(writes).await?;
    for include in [Include::Documents, Include::Records] {
        let expected: Vec<Row> = sorted(rows(plan).filter(|row| include.covers(row.key.kind)).collect());
        let found = fixture.store.plan(plan, include).await?;
        let found = found.map(|rows| sorted(rows.rows));
        same(&format!("the rows of a plan, with {include:?}"), &found, &Some(expected))?;
    }
    Ok(())
}

/// The index comes back as it was written last; there is no plan without one.
pub(super) async fn index(fixture: Fixture) -> Result<(), Seen> {
    let (plan, nobody) = (fixture.plan()?, fixture.plan()?);
    for state in State::ALL {
        let index = PlanIndex {
            requester: format!("{} 'quoted'", state.name()),
            target: "das Regal\n漢字".to_owned(),
            revision: (1 << 53) - 1,
            pruned: !state.is_open(),
            ..fixture.index(plan, state)
        };
        fixture.write(vec![Write::Index(index.clone())]).await?;
        let found = fixture.store.plan(plan, Include::Records).await?.map(|rows| rows.index);
        same("the index of a plan", &found, &Some(index))?;
    }
    same("a plan that nobody made", &fixture.store.plan(nobody, Include::Records).await?, &None)?;
    let absent = fixture.snapshot(Reads { plan: Some(nobody), ..Reads::default() }).await?.plan;
    same("a plan that nobody made, in a transaction", &absent, &None)
}

/// The last event of a plan is the newest that is about it, whoever wrote it.
pub(super) async fn last_event(fixture: Fixture) -> Result<(), Seen> {
    let (plan, other) = (fixture.plan()?, fixture.plan()?);
    let (writer, second) = (fixture.writer()?, fixture.writer()?);
    fixture.write([plan, other].map(|plan| Write::Index(fixture.index(plan, State::Planned))).to_vec()).await?;
    let last = async |fixture: &Fixture| -> Result<_, Seen> {
        let rows = fixture.store.plan(plan, Include::Records).await?;
        let last = rows.and_then(|rows| rows.last_event);
        Ok(last.map(|event| (event.writer, event.sequence, event.plan, event.sealed)))
    };
    same("the last event of a plan without any", &last(&fixture).await?, &None)?;
    let shown = |event: EventRow| Some((event.writer, event.sequence, event.plan, event.sealed));
    fixture.write(vec![Write::Event(event(writer, 9, Some(plan)))]).await?;
    same("the only event of a plan", &last(&fixture).await?, &shown(event(writer, 9, Some(plan))))?;
    let strangers = vec![Write::Event(event(writer, 10, Some(other))), Write::Event(event(writer, 11, None))];
    fixture.write(strangers).await?;
    same("the last event of a plan, before others'", &last(&fixture).await?, &shown(event(writer, 9, Some(plan))))?;
    // Of two in one transition the later one counts; a higher number of another writer does not.
    let two = vec![Write::Event(event(second, 1, Some(plan))), Write::Event(event(second, 2, Some(plan)))];
    fixture.write(two).await?;
    same("the last event of a plan with three", &last(&fixture).await?, &shown(event(second, 2, Some(plan))))
}

/// A transition is shown its plan as it is, without documents.
pub(super) async fn in_transaction(fixture: Fixture) -> Result<(), Seen> {
    let (plan, writer) = (fixture.plan()?, fixture.writer()?);
    let state = plan_row(RecordKind::PlanState, plan, 1, "state");
    let writes = vec![
        Write::Insert(plan_row(RecordKind::Intent, plan, 0, "intent")),
        Write::Insert(state.clone()),
        Write::Index(fixture.index(plan, State::Approved)),
        Write::Event(event(writer, 1, Some(plan))),
    ];
    fixture.write(writes).await?;
    let shown = fixture.snapshot(Reads { plan: Some(plan), ..Reads::default() }).await?.plan;
    let shown = shown.ok_or_else(|| Seen::new("a transition that is not shown its plan"))?;
    same("the rows of the plan", &shown.rows, &vec![state])?;
    same("the index of the plan", &shown.index, &fixture.index(plan, State::Approved))?;
    let sequence = shown.last_event.map(|event| event.sequence);
    same("the last event of the plan", &sequence, &Some(1))
}

/// The plans that are executing, oldest first.
pub(super) async fn executing(fixture: Fixture) -> Result<(), Seen> {
    let mut expected = Vec::new();
    let mut writes = Vec::new();
    for state in State::ALL.into_iter().chain(State::ALL) {
        let plan = fixture.plan()?;
        writes.push(Write::Index(fixture.index(plan, state)));
        if state == State::Executing {
            expected.push(plan);
        }
    }
    writes.reverse();
    fixture.write(writes).await?;
    same("the plans that are executing", &fixture.store.executing().await?, &expected)
}

/// What counts as open: by state, by requester, and by the store's clock to the millisecond.
pub(super) async fn open(fixture: Fixture) -> Result<(), Seen> {
    let open = async |fixture: &Fixture, person: &str| -> Result<u32, Seen> {
        let reads = Reads { open_plans_of: Some(person.to_owned()), ..Reads::default() };
        Ok(fixture.snapshot(reads).await?.open_plans)
    };
    for state in State::ALL {
        let before = open(&fixture, "alice").await?;
        fixture.write(vec![Write::Index(fixture.index(fixture.plan()?, state))]).await?;
        let opened = open(&fixture, "alice").await? - before;
        same(&format!("how many open plans a `{}` one is", state.name()), &(opened == 1), &state.is_open())?;
    }
    for stranger in ["Alice", "alice ", "ali", "%", ""] {
        same(&format!("the open plans of `{stranger}`"), &open(&fixture, stranger).await?, &0)?;
    }
    let brief = PlanIndex {
        requester: "bob".to_owned(),
        expires_at: fixture.clock.now().after(Duration::from_secs(60)),
        ..fixture.index(fixture.plan()?, State::Planned)
    };
    fixture.write(vec![Write::Index(brief.clone())]).await?;
    fixture.clock.set(brief.expires_at);
    same("the open plans at the moment of expiry", &open(&fixture, "bob").await?, &0)?;
    fixture.clock.advance(Duration::from_secs(60));
    same("the open plans after the moment of expiry", &open(&fixture, "bob").await?, &0)?;
    fixture.clock.set(approval_core::Timestamp::from_unix_millis(brief.expires_at.unix_millis() - 1));
    same("the open plans a millisecond before expiry", &open(&fixture, "bob").await?, &1)?;
    let ended = PlanIndex { state: State::Cancelled, ..brief };
    fixture.write(vec![Write::Index(ended)]).await?;
    same("the open plans once the only one has ended", &open(&fixture, "bob").await?, &0)
}

/// The time that a transition is shown is the declared clock's.
pub(super) async fn clock(fixture: Fixture) -> Result<(), Seen> {
    for step in [0, 1, 86_400_000] {
        fixture.clock.advance(Duration::from_millis(step));
        let shown = fixture.snapshot(Reads::default()).await?.now;
        same("the time in a transition", &shown, &fixture.clock.now())?;
    }
    let earlier = approval_core::Timestamp::from_unix_millis(0);
    fixture.clock.set(earlier);
    let shown = fixture.snapshot(Reads::default()).await?.now;
    ensure(shown == earlier, || format!("the clock was set back to {earlier}, and a transition is shown {shown}"))
}
