//! The suite can fail: each of these stores has one fault, and the check that is there for it finds it.
//!
//! Faults that only show when things happen at once run on one thread, where tasks take turns and the fault always shows.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod faulty;

use std::sync::Arc;

use approval_testkit::{MemoryStore, MemoryTransient, SuiteReport, store_suite, transient_suite};
use faulty::{Fault, FaultyStore, FaultyTransient};

/// Runs the suite over a store with this fault.
async fn run(fault: Fault) -> SuiteReport {
    store_suite::run(|clock| async move { FaultyStore::new(MemoryStore::new(Arc::new(clock)), fault) }).await
}

/// The fault is found by this check, for this reason.
async fn found(fault: Fault, check: &str, id: &str, reason: &str) {
    let report = run(fault).await;
    let ran = report.ran();
    let found = report.failures().find(|failure| failure.name == check);
    let found = found.unwrap_or_else(|| panic!("`{check}` did not find {fault:?}: {report}"));
    assert_eq!(found.promise.id, id);
    let seen = found.failure.as_deref().unwrap();
    assert!(seen.contains(reason), "{fault:?} was found for another reason: {seen}");
    assert!(report.failures().count() < ran, "{fault:?} fails everything, so that no check is told from another");
    assert!(report.to_string().contains(&format!("[{id}]")), "the report does not quote the requirement: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_fault_the_wrapper_keeps_the_contract() {
    // The control: it is the fault that is found, not the wrapper.
    run(Fault::None).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_is_ignored() {
    // [STORE-004]
    found(Fault::IgnoresRevision, "rows/replace", "STORE-004", "from revision 0 of a row at 3 was no conflict").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_that_overwrites() {
    // [STORE-003]
    found(Fault::OverwritesOnInsert, "rows/insert-twice", "STORE-003", "a second insert").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_dropped() {
    found(Fault::DropsSecondEvent, "events/position", "STORE-011", "the events, in order").await;
}

#[tokio::test]
async fn a_snapshot_that_is_stale() {
    // [STORE-001]
    found(Fault::StaleSnapshot, "concurrency/claims", "STORE-001", "claimed one effect").await;
    found(Fault::StaleSnapshot, "concurrency/lost-update", "STORE-001", "the count of what was added").await;
    found(Fault::StaleSnapshot, "concurrency/count-and-insert", "STORE-001", "how many plans were taken").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_leaves_a_write() {
    // [STORE-002]
    found(Fault::RefusalLeavesEvent, "atomicity/refusal", "STORE-002", "what there is after a refusal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_leaves_the_writes_before_it() {
    // [STORE-002]
    found(Fault::ConflictLeavesWrites, "atomicity/conflict", "STORE-002", "what there is after a conflict").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_oldest_first() {
    // [STORE-007]
    found(Fault::OldestFirst, "list/order", "STORE-007", "all plans").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_plan_that_are_oldest_first() {
    found(Fault::OldestFirst, "events/of-plan", "STORE-009", "the events of a plan").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_always_says_more() {
    // [STORE-007]
    found(Fault::AlwaysMore, "list/filter", "STORE-007", "more is said to follow the last plan").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_ignored() {
    // [STORE-007]
    for fault in [Fault::IgnoresAsked, Fault::IgnoresExpiry, Fault::IgnoresPruned] {
        found(fault, "list/filter", "STORE-007", "the plans of PlanQuery").await;
    }
}

#[tokio::test]
async fn a_lease_that_is_renewed_for_another() {
    // [STATE-020]
    let reason = "an attempt that recovery had taken was renewed";
    found(Fault::RenewsForAnother, "cycle/renew-beside-recovery", "STORE-001", reason).await;
}

#[tokio::test]
async fn a_settlement_in_parts() {
    // [STORE-001]
    found(Fault::SettlesOneByOne, "cycle/settle-at-once", "STORE-001", "integrity_failure").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_are_forgotten_once_unknown() {
    // [STORE-006]
    found(Fault::ForgetsUnknownAttempts, "attempts/by-state", "STORE-006", "the attempts on a tag").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_where_none_were_asked_for() {
    found(Fault::AlwaysDocuments, "plans/include", "STORE-009", "with Records").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_taken_for_text() {
    found(Fault::BytesAsText, "rows/bytes", "STORE-010", "the ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clock() {
    // [STORE-005]
    found(Fault::OtherClock, "plans/clock", "STORE-005", "the time in a transition").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_stays_named() {
    found(Fault::HeadStaysNamed, "heads/moved", "STORE-012", "once one has moved on").await;
}

#[tokio::test]
async fn a_look_up_of_two_moments() {
    found(Fault::TwoMoments, "concurrency/one-moment", "STORE-009", "revisions of row and last event").await;
}

#[tokio::test]
async fn a_value_that_two_can_take() {
    let report = transient_suite::run(|| async { FaultyTransient::new(MemoryTransient::default()) }).await;
    let found: Vec<_> = report.failures().map(|failure| (failure.name, failure.promise.id)).collect();
    let expected = [("transient/put-new-at-once", "TRANSIENT-005"), ("transient/take-at-once", "TRANSIENT-003")];
    assert_eq!(found, expected, "{report}");
}

#[test]
fn nothing_run_is_not_green() {
    let nothing = SuiteReport::default();
    assert!(!nothing.is_passed());
    assert_eq!(nothing.to_string(), "no check ran");
    assert!(std::panic::catch_unwind(|| nothing.assert_passed()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_for_people() {
    let report = run(Fault::RefusalLeavesEvent).await;
    let text = report.to_string();
    let head: Vec<&str> = text.lines().take(3).collect();
    insta::assert_snapshot!(head.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_panics_fails_the_check() {
    let report = run(Fault::PanicsOnRemove).await;
    let found = report.failures().find(|failure| failure.name == "rows/remove").unwrap();
    assert!(found.failure.as_deref().unwrap().starts_with("the check broke off"), "{report}");
}
