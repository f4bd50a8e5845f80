//! What the core relies on in a store, on the store in memory.

use approval_core::record::RecordKind;
use approval_core::store::{CommitError, Reads, Row, RowKey, Store as _, Transition, Write};
use approval_core::{Reason, Refusal};
use approval_testkit::{FakeClock, MemoryStore};
use std::sync::Arc;

fn row(id: &str, revision: u64) -> Row {
    Row { key: RowKey::new(RecordKind::Pause, id), plan: None, revision, sealed: vec![1] }
}

fn writing(writes: Vec<Write>) -> Transition {
    Transition::new("test", Reads::default(), move |_| Ok(writes.clone()))
}

#[tokio::test]
async fn what_is_there_is_not_inserted_again_and_nothing_of_it_is_written() {
    // [STORE-002, STORE-003]
    let store = MemoryStore::new(Arc::new(FakeClock::new()));
    store.commit(writing(vec![Write::Insert(row("a", 0))])).await.unwrap();
    let before = store.tables().clone();
    let twice = store.commit(writing(vec![Write::Insert(row("b", 0)), Write::Insert(row("a", 0))])).await;
    assert_eq!(twice.unwrap_err(), CommitError::Conflict);
    assert_eq!(*store.tables(), before);
}

#[tokio::test]
async fn a_row_is_changed_from_the_revision_at_which_it_is() {
    // [STORE-002, STORE-004]
    let store = MemoryStore::new(Arc::new(FakeClock::new()));
    store.commit(writing(vec![Write::Insert(row("a", 1))])).await.unwrap();
    let replace = |from, to| writing(vec![Write::Insert(row("b", 0)), Write::Replace { from, row: row("a", to) }]);
    for from in [0, 2] {
        assert_eq!(store.commit(replace(from, from + 1)).await.unwrap_err(), CommitError::Conflict);
    }
    assert_eq!(store.tables().rows.len(), 1);
    store.commit(replace(1, 2)).await.unwrap();
    assert_eq!(store.tables().rows.len(), 2);
}

#[tokio::test]
async fn a_transition_that_refuses_writes_nothing() {
    // [STORE-001, STORE-002]
    let store = MemoryStore::new(Arc::new(FakeClock::new()));
    let refusal = Refusal::new(Reason::Paused, "told to");
    let refusing = refusal.clone();
    let refused = store.commit(Transition::new("test", Reads::default(), move |_| Err(refusing.clone()))).await;
    assert_eq!(refused.unwrap_err(), CommitError::Refused(refusal));
    assert!(store.tables().rows.is_empty());
}

#[tokio::test]
async fn a_transition_sees_what_it_asked_for_and_the_stores_time() {
    // [STORE-001, STORE-005]
    let clock = FakeClock::new();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    store.commit(writing(vec![Write::Insert(row("a", 1)), Write::Insert(row("b", 1))])).await.unwrap();
    clock.advance(std::time::Duration::from_secs(7));
    let now = approval_core::Clock::now(&clock);
    let key = row("a", 1).key;
    let reads = Reads { rows: vec![key.clone(), RowKey::new(RecordKind::Pause, "c")], ..Reads::default() };
    let looking = Transition::new("test", reads, move |snapshot| {
        let seen = snapshot.now == now && snapshot.rows.keys().eq([&key]) && snapshot.plan.is_none();
        if seen { Ok(Vec::new()) } else { Err(Refusal::new(Reason::Internal, format!("{snapshot:?}"))) }
    });
    store.commit(looking).await.unwrap();
}
