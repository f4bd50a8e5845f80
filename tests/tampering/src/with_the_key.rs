//! Somebody who has the key edits one record, and seals it anew: what is behind the seals is left.

use std::collections::{BTreeMap, BTreeSet};

use approval_core::Digest;
use approval_core::record::{RecordKind, State};
use approval_core::seal::{Binding, Purpose, Sealer as _};
use approval_core::store::RowKey;
use approval_testkit::ill_formed::{AUDIENCE, Forger};
use approval_testkit::{Tables, test_key_ring};
use serde_json::Value;

use crate::expected::{Case, Owner};
use crate::mutation::{Edit, mutations};
use crate::scene::{Scene, Story, in_all_stories, in_full};
use crate::tally::Tally;
use crate::usage::{Answer, Use};

/// Where a record is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The event at this index.
    Event(usize),
    Row(RowKey),
}

/// A record as it is stored, opened.
pub(crate) struct Stored {
    pub(crate) at: At,
    pub(crate) kind: RecordKind,
    pub(crate) owner: Owner,
    /// Where its plan stands.
    pub(crate) state: State,
    pub(crate) record: Value,
}

/// Everything that is stored in a scene and that some call of it may read, but for the plan `another` and for past events.
pub(crate) fn stored(scene: &Scene) -> Vec<Stored> {
    let forger = Forger::new();
    let named = named(scene);
    let mut all = Vec::new();
    for row in scene.whole.rows.values() {
        let text = forger.open_text(row).expect("a seal that holds");
        let owner = match row.plan {
            Some(plan) if plan == scene.id() => {
                let is_named =
                    row.key.id == plan.to_string() || named.contains(&Digest::of_bytes(text.as_bytes()).to_string());
                if is_named { Owner::Plan } else { Owner::Unnamed }
            }
            Some(plan) if plan == scene.earlier.header.plan_id => Owner::Another,
            Some(_) => continue,
            // Only the last one is gone on from.
            None if row.key.kind == RecordKind::Checkpoint && row.revision == 0 => Owner::Unnamed,
            None => Owner::Server,
        };
        let state = row.plan.map_or(scene.whole.plans[&scene.id()].state, |plan| scene.whole.plans[&plan].state);
        let record = serde_json::from_str(&text).expect("JSON");
        all.push(Stored { at: At::Row(row.key.clone()), kind: row.key.kind, owner, state, record });
    }
    for (plan, owner) in [(scene.id(), Owner::Plan), (scene.earlier.header.plan_id, Owner::Another)] {
        let last = scene.whole.events.iter().rposition(|event| event.plan == Some(plan)).expect("an event");
        let record = forger.open_event(&scene.whole.events[last]).expect("a seal that holds");
        let state = scene.whole.plans[&plan].state;
        all.push(Stored { at: At::Event(last), kind: RecordKind::Event, owner, state, record });
    }
    let last = scene.whole.events.len() - 1;
    let record = forger.open_event(&scene.whole.events[last]).expect("a seal that holds");
    let state = scene.whole.plans[&scene.id()].state;
    all.push(Stored { at: At::Event(last), kind: RecordKind::Event, owner: Owner::Server, state, record });
    all
}

/// The digests that the plan's state gives.
fn named(scene: &Scene) -> BTreeSet<String> {
    let state = scene.state();
    let one = |name: &str| state.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut named: BTreeSet<_> = ["challenge", "execution", "reconciliation"].into_iter().filter_map(one).collect();
    let decisions = state.get("decisions").and_then(Value::as_array).cloned().unwrap_or_default();
    named.extend(decisions.iter().filter_map(|digest| digest.as_str().map(str::to_owned)));
    named
}

/// Puts `record` in place of what is stored there, under a seal that holds. It is written as it comes, canonical or not.
pub(crate) fn forge(tables: &mut Tables, at: &At, record: &Value) {
    let text = approval_core::json::Document::from_value(record, &approval_core::json::Limits::PLAN)
        .map_or_else(|_| record.to_string(), |document| document.as_str().to_owned());
    match at {
        At::Row(key) => Forger::new().edit(tables, key, |_| text).expect("a row"),
        At::Event(index) => {
            let event = &mut tables.events[*index];
            let id = format!("{}.{}", event.writer, event.sequence);
            let audience = AUDIENCE.into();
            let kind = RecordKind::Event;
            let binding = Binding {
                record: kind.name(),
                version: 0,
                id: &id,
                plan_id: event.plan,
                revision: 0,
                audience: &audience,
            };
            event.sealed = test_key_ring().seal(Purpose::of(kind), &binding, text.as_bytes()).expect("a seal");
        }
    }
}

/// What each call answers where nothing was tampered with.
pub(crate) async fn controls(scene: &Scene) -> BTreeMap<Use, Answer> {
    let mut controls = BTreeMap::new();
    for usage in &scene.uses {
        scene.restore();
        controls.insert(*usage, usage.run(scene).await);
        scene.restore();
        let again = usage.run(scene).await;
        assert_eq!(controls.get(usage), Some(&again), "{}: {usage:?} is not always the same", scene.name);
    }
    scene.restore();
    controls
}

/// How much of the product is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breadth {
    /// The first call that reads the record, for each edit, where it is used most.
    Each,
    /// Every call, whether it reads the record or not.
    Full,
}

/// What never changes is tampered with where it is used most, in each run; in the full tier wherever it is stored.
fn is_worth_a_run(story: Story, stored: &Stored) -> bool {
    let never_changes = stored.kind.is_document()
        || matches!(stored.kind, RecordKind::Challenge | RecordKind::Decision | RecordKind::Event | RecordKind::Header);
    match stored.owner {
        Owner::Another => story == Story::Approved,
        _ => !never_changes || matches!(story, Story::Applied | Story::Approved | Story::Awaiting),
    }
}

async fn tampered(story: Story, breadth: Breadth) -> Tally {
    let scene = Scene::of(story).await;
    let controls = controls(&scene).await;
    let mut tally = Tally::default();
    for stored in stored(&scene) {
        if breadth == Breadth::Each && !is_worth_a_run(story, &stored) {
            continue;
        }
        let case = |usage: Use| {
            let Stored { kind, owner, state, record, .. } = &stored;
            let (kind, owner, state) = (*kind, *owner, *state);
            Case { scene: &scene, usage, control: &controls[&usage], owner, kind, state, record }
        };
        let mut uses: Vec<_> = scene.uses.iter().copied().filter(|usage| case(*usage).reads()).collect();
        match breadth {
            Breadth::Each => uses.truncate(1),
            Breadth::Full => uses.clone_from(&scene.uses),
        }
        uses.retain(|usage| stored.owner != Owner::Another || !usage.lists_others());
        for mutation in mutations(stored.kind, &stored.record) {
            for usage in &uses {
                scene.restore();
                forge(&mut scene.tables(), &stored.at, &mutation.record);
                let answer = usage.run(&scene).await;
                let case = case(*usage);
                tally.count(stored.kind.name(), mutation.edit.name());
                if let Some(fault) = case.forged(&mutation).fault(case.control, &answer) {
                    let Stored { kind, owner, .. } = stored;
                    let what = format!("{}: {usage:?} with {owner:?}'s {kind}", scene.name);
                    tally.fault((what, mutation.member.clone(), mutation.edit.name()), format!("{mutation}: {fault}"));
                }
            }
        }
    }
    // The control: after all that, what was refused runs.
    scene.restore();
    let usage = scene.uses[0];
    assert_eq!(usage.run(&scene).await, controls[&usage], "{}", scene.name);
    tally
}

fn least(kind: RecordKind) -> u32 {
    match kind {
        // The core only seals them: see `transient`.
        RecordKind::Login | RecordKind::Session => 0,
        RecordKind::Mute | RecordKind::Reconciliation | RecordKind::Result => 50,
        _ => 100,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_edit_of_every_record_is_refused() {
    // [REC-001, REC-040, GATE-001, GATE-002, GATE-030, GATE-031, GATE-040, GATE-041, LEAF-006, SEAL-007, STORE-008]
    let tally = in_all_stories(|story| tampered(story, Breadth::Each)).await;
    for edit in Edit::ALL {
        assert!(tally.by(edit.name()) > 50, "{}", edit.name());
    }
    tally.close("with the key, one call for each edit", least);
}

in_full!(|story| tampered(story, Breadth::Full), "with the key, every call for each edit");
