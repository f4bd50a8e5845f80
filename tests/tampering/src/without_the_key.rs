//! Somebody who has no key writes to the tables: bytes, rows, columns.

use std::collections::BTreeMap;

use approval_core::record::{RecordKind, State};
use approval_core::store::{EventRow, PlanIndex, Row, RowKey};
use approval_core::{PlanId, Timestamp};
use approval_testkit::Tables;
use approval_testkit::ill_formed::Forger;

use crate::expected::{Blow, Case, Column, Expect, Owner};
use crate::scene::{Scene, Story, in_all_stories, in_full};
use crate::tally::Tally;
use crate::usage::{Answer, Use};
use crate::with_the_key::{At, Stored, controls, stored};

/// One thing that is done to the tables.
struct Attack<'a> {
    what: &'static str,
    name: &'static str,
    detail: String,
    act: Box<dyn Fn(&mut Tables) + Send + Sync + 'a>,
    at: Aim<'a>,
}

/// What it strikes.
#[derive(Clone, Copy)]
enum Aim<'a> {
    Column(Column),
    /// The links from effect keys to attempts.
    Links,
    Nothing,
    Record(&'a Stored, &'a Blow),
}

/// How much of the product is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breadth {
    /// Some places of each row, and the first call that reads it.
    Each,
    /// More of them, and every call.
    Full,
}

const OTHER_PLAN: &str = "019ab12c-0000-7000-8000-000000000001";

fn other_plan() -> PlanId {
    OTHER_PLAN.parse().unwrap()
}

/// Where bytes are changed: form, key, authentication, body, end.
fn places(length: usize, breadth: Breadth) -> Vec<usize> {
    let mut places = match breadth {
        Breadth::Each => vec![0, 1, 2, 8, 40, length / 2, length - 1],
        Breadth::Full => (0..length).step_by(11).chain([1, 2, length - 1]).collect(),
    };
    places.retain(|place| *place < length);
    places.dedup();
    places
}

/// The bytes that somebody without the key could put there in place of these.
fn other_bytes(sealed: &[u8], breadth: Breadth) -> Vec<(&'static str, String, Vec<u8>)> {
    let mut all = Vec::new();
    for place in places(sealed.len(), breadth) {
        let mut other = sealed.to_vec();
        other[place] ^= 1;
        all.push(("byte", format!("at {place}"), other));
    }
    for length in [0, 1, 2, 40, sealed.len() / 2, sealed.len() - 1] {
        all.push(("cut", format!("to {length}"), sealed[..length.min(sealed.len() - 1)].to_vec()));
    }
    let mut longer = sealed.to_vec();
    longer.push(0);
    all.push(("longer", String::new(), longer));
    all
}

/// What can be done to a row, and what that comes to.
fn blows(scene: &Scene, row: &Row, breadth: Breadth) -> Vec<(&'static str, String, Option<Row>, Blow)> {
    let mut all = Vec::new();
    let with = |sealed: Vec<u8>| Some(Row { sealed, ..row.clone() });
    for (name, detail, sealed) in other_bytes(&row.sealed, breadth) {
        all.push((name, detail, with(sealed), Blow::Altered));
    }
    for (number, other) in scene.whole.rows.values().filter(|other| other.sealed != row.sealed).enumerate() {
        let alike = other.key.kind == row.key.kind;
        if alike || breadth == Breadth::Full || number % 3 == 0 {
            let detail = format!("by {} {}", other.key.kind, other.key.id);
            all.push(("exchanged", detail, with(other.sealed.clone()), Blow::Altered));
        }
    }
    all.push(("deleted", String::new(), None, Blow::Gone));
    let moved = |row: Row, what: &str, blow| ("moved", what.to_owned(), Some(row), blow);
    let renamed = RowKey::new(row.key.kind, "another");
    all.push(moved(Row { key: renamed, ..row.clone() }, "to another id", Blow::Gone));
    let kind = if row.key.kind == RecordKind::Decision { RecordKind::Challenge } else { RecordKind::Decision };
    all.push(moved(Row { key: RowKey::new(kind, row.key.id.clone()), ..row.clone() }, "to another kind", Blow::Gone));
    for revision in [row.revision + 1, row.revision.wrapping_sub(1)] {
        all.push(moved(Row { revision, ..row.clone() }, "to another revision", Blow::Altered));
    }
    for plan in [None, Some(other_plan()), Some(scene.earlier.header.plan_id), Some(scene.id())] {
        if plan != row.plan {
            // What stands beside the plans is found by its name alone.
            let blow = if row.plan.is_some() { Blow::Gone } else { Blow::Passed };
            all.push(moved(Row { plan, ..row.clone() }, "to another plan", blow));
        }
    }
    let older = scene.history.iter().filter_map(|tables| tables.rows.get(&row.key));
    let older: BTreeMap<u64, &Row> =
        older.filter(|older| older.sealed != row.sealed).map(|row| (row.revision, row)).collect();
    for (revision, older) in older {
        all.push(("older", format!("{revision}, as the new one"), with(older.sealed.clone()), Blow::Altered));
        let record = serde_json::from_str(&Forger::new().open_text(older).unwrap()).unwrap();
        all.push(("older", revision.to_string(), Some(older.clone()), Blow::PutBack(record)));
    }
    all
}

/// What can be done to the last event of a plan, or of the writer's own lane.
fn event_blows(scene: &Scene, index: usize, breadth: Breadth) -> Vec<(&'static str, String, Vec<EventRow>)> {
    let events = &scene.whole.events;
    let with = |event: EventRow| {
        let mut events = events.clone();
        events[index] = event;
        events
    };
    let event = &events[index];
    let mut all = Vec::new();
    for (name, detail, sealed) in other_bytes(&event.sealed, breadth) {
        all.push((name, detail, with(EventRow { sealed, ..event.clone() })));
    }
    for other in events.iter().filter(|other| other.position != event.position) {
        let detail = format!("by event {}", other.position);
        all.push(("exchanged", detail, with(EventRow { sealed: other.sealed.clone(), ..event.clone() })));
    }
    let mut without = events.clone();
    without.remove(index);
    all.push(("deleted", String::new(), without));
    if event.plan.is_some() {
        let others = events.iter().filter(|other| other.plan != event.plan).cloned();
        all.push(("deleted", "all of the plan's".to_owned(), others.collect()));
    }
    // One of the other writers there are.
    let (first, last) = (events[0].writer, events[events.len() - 1].writer);
    let writer = if event.writer == first { last } else { first };
    let sequence = event.sequence + 100;
    for (what, moved) in [
        ("no plan", EventRow { plan: None, ..event.clone() }),
        ("another plan", EventRow { plan: Some(other_plan()), ..event.clone() }),
        ("another writer", EventRow { writer, ..event.clone() }),
        ("another number", EventRow { sequence, ..event.clone() }),
    ] {
        if moved != *event {
            all.push(("moved", format!("to {what}"), with(moved)));
        }
    }
    let of_the_plan = |earlier: &&EventRow| event.plan.is_some() && earlier.plan == event.plan;
    for earlier in events.iter().take(index).filter(of_the_plan) {
        let mut again = events.clone();
        again.push(earlier.clone());
        all.push(("older", format!("event {} comes last", earlier.position), again));
    }
    all
}

/// What can be done to the entry under which a plan is looked up.
fn columns(scene: &Scene) -> Vec<(Column, PlanIndex)> {
    let entry = scene.whole.plans[&scene.id()].clone();
    let at = |moment: Timestamp, millis: i64| Timestamp::from_unix_millis(moment.unix_millis() + millis);
    let mut all = vec![
        (Column::Plan, PlanIndex { plan: other_plan(), ..entry.clone() }),
        (Column::Requester, PlanIndex { requester: "bob".to_owned(), ..entry.clone() }),
        (Column::Requester, PlanIndex { requester: String::new(), ..entry.clone() }),
        (Column::Target, PlanIndex { target: "the drawer".to_owned(), ..entry.clone() }),
        (Column::Target, PlanIndex { target: String::new(), ..entry.clone() }),
        (Column::Revision, PlanIndex { revision: entry.revision + 1, ..entry.clone() }),
        (Column::Revision, PlanIndex { revision: entry.revision - 1, ..entry.clone() }),
    ];
    for millis in [1, -1, 3_600_000] {
        all.push((Column::CreatedAt, PlanIndex { created_at: at(entry.created_at, millis), ..entry.clone() }));
        all.push((Column::ExpiresAt, PlanIndex { expires_at: at(entry.expires_at, millis), ..entry.clone() }));
    }
    for state in State::ALL.into_iter().filter(|state| *state != entry.state) {
        all.push((Column::State(state), PlanIndex { state, ..entry.clone() }));
    }
    all
}

type RowBlow<'a> = (&'a Stored, &'static str, String, Option<Row>, Blow);

async fn tampered(story: Story, breadth: Breadth) -> Tally {
    let scene = Scene::of(story).await;
    let controls = controls(&scene).await;
    let stored = stored(&scene);
    let plan =
        stored.iter().find(|stored| stored.kind == RecordKind::PlanState && stored.owner == Owner::Plan).unwrap();
    let mut rows: Vec<RowBlow<'_>> = Vec::new();
    for stored in stored.iter().filter(|stored| stored.owner != Owner::Another || story == Story::Approved) {
        if let At::Row(key) = &stored.at {
            let blows = blows(&scene, &scene.whole.rows[key], breadth);
            rows.extend(blows.into_iter().map(|(name, detail, row, blow)| (stored, name, detail, row, blow)));
        }
    }
    let mut attacks: Vec<Attack<'_>> = Vec::new();
    for (stored, name, detail, row, blow) in &rows {
        let At::Row(key) = &stored.at else { continue };
        let act = move |tables: &mut Tables| {
            tables.rows.remove(key);
            tables.rows.extend(row.clone().map(|row| (row.key.clone(), row)));
        };
        let (what, detail) = (stored.kind.name(), format!("{} {detail}", key.id));
        attacks.push(Attack { what, name, detail, act: Box::new(act), at: Aim::Record(stored, blow) });
    }
    for stored in stored.iter().filter(|stored| stored.owner != Owner::Another) {
        if let At::Event(index) = &stored.at {
            for (name, detail, events) in event_blows(&scene, *index, breadth) {
                // The end of a lane that is another writer's is no end of this one.
                let is_gone = name == "deleted" || (stored.owner == Owner::Server && detail == "to another writer");
                let act = move |tables: &mut Tables| tables.events.clone_from(&events);
                let at = Aim::Record(stored, if is_gone { &Blow::Gone } else { &Blow::Altered });
                attacks.push(Attack { what: "event", name, detail, act: Box::new(act), at });
            }
        }
    }
    let id = scene.id();
    for (column, entry) in columns(&scene) {
        let act = move |tables: &mut Tables| drop(tables.plans.insert(id, entry.clone()));
        let (detail, at) = (format!("{column:?}"), Aim::Column(column));
        attacks.push(Attack { what: "index", name: "column", detail, act: Box::new(act), at });
    }
    let act = move |tables: &mut Tables| drop(tables.plans.remove(&id));
    let at = Aim::Column(Column::Entry);
    attacks.push(Attack { what: "index", name: "deleted", detail: String::new(), act: Box::new(act), at });
    let act = move |tables: &mut Tables| tables.attempts.retain(|(_, plan)| *plan != id);
    attacks.push(Attack {
        what: "attempts",
        name: "deleted",
        detail: String::new(),
        act: Box::new(act),
        at: Aim::Links,
    });
    let effects: Vec<String> = scene.whole.attempts.iter().map(|(effect, _)| effect.clone()).collect();
    let act =
        move |tables: &mut Tables| tables.attempts.extend(effects.iter().map(|effect| (effect.clone(), other_plan())));
    let detail = "to a plan that isn't there".to_owned();
    attacks.push(Attack { what: "attempts", name: "moved", detail, act: Box::new(act), at: Aim::Nothing });

    let mut tally = Tally::default();
    for attack in &attacks {
        let expected = |usage: Use| -> (Expect, &Answer, bool) {
            let control = &controls[&usage];
            let case = |stored: &Stored| -> (Expect, bool) {
                let Stored { kind, owner, state, record, .. } = stored;
                let case = Case { scene: &scene, usage, control, owner: *owner, kind: *kind, state: *state, record };
                match attack.at {
                    Aim::Column(column) => (case.indexed(&column), usage.is_about_the_plan()),
                    Aim::Links => (case.unlinked(), usage == Use::ExecuteAnother),
                    Aim::Nothing => (Expect::Same("it is about nothing"), true),
                    Aim::Record(_, blow) => (case.struck(blow), case.reads()),
                }
            };
            let (expect, reads) = match attack.at {
                Aim::Record(stored, _) => case(stored),
                _ => case(plan),
            };
            (expect, control, reads)
        };
        let mut uses = scene.uses.clone();
        if let Aim::Record(Stored { owner: Owner::Another, .. }, _) = attack.at {
            uses.retain(|usage| !usage.lists_others());
        }
        if breadth == Breadth::Each {
            let reads: Vec<_> = uses.iter().copied().filter(|usage| expected(*usage).2).collect();
            let first_and_last = [reads.first().copied(), reads.last().copied()].into_iter().flatten();
            // Where nothing reads it, that is what is shown.
            uses = if reads.is_empty() { vec![uses[0]] } else { first_and_last.collect() };
            uses.dedup();
            if !matches!(attack.at, Aim::Column(_)) {
                uses.truncate(1);
            }
        }
        for usage in uses {
            scene.restore();
            (attack.act)(&mut scene.tables());
            let answer = usage.run(&scene).await;
            let (expect, control, _) = expected(usage);
            tally.count(attack.what, attack.name);
            if let Some(fault) = expect.fault(control, &answer) {
                let owner = match attack.at {
                    Aim::Record(stored, _) => format!("{:?}'s", stored.owner),
                    _ => "the plan's".to_owned(),
                };
                let what = format!("{}: {usage:?} with {owner} {}", scene.name, attack.what);
                let fault = format!("{} {}: {fault}", attack.name, attack.detail);
                tally.fault((what, attack.detail.clone(), attack.name), fault);
            }
        }
    }
    scene.restore();
    let usage = scene.uses[0];
    assert_eq!(usage.run(&scene).await, controls[&usage], "{}", scene.name);
    tally
}

fn least(kind: RecordKind) -> u32 {
    match kind {
        // They are not in these tables: see `transient`.
        RecordKind::Login | RecordKind::Session => 0,
        _ => 20,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_edited_deleted_moved_exchanged_or_put_back_is_refused() {
    // [GATE-020, GATE-030, GATE-031, REC-040, SEAL-001, SEAL-003, SEAL-007, STORE-008, AUDIT-009]
    let tally = in_all_stories(|story| tampered(story, Breadth::Each)).await;
    tally.close("without the key, one call for each attack", least);
}

in_full!(|story| tampered(story, Breadth::Full), "without the key, every call for each attack");
