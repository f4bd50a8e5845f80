//! The store contract as an executable suite: what [`Store`] promises, held against any store with one call.
//!
//! ```
//! # use std::sync::Arc;
//! # use approval_testkit::{MemoryStore, store_suite};
//! # #[tokio::main]
//! # async fn main() {
//! store_suite::test_all(|clock| async { MemoryStore::new(Arc::new(clock)) }).await;
//! # }
//! ```
//!
//! The builder is called once for every check, and must give an empty store that goes by the clock it is handed. Checks of
//! what happens at once need a multi-threaded tokio runtime to be worth anything
//! (`#[tokio::test(flavor = "multi_thread")]`). Nothing sleeps, and no check goes by the machine's clock.
//!
//! A failure names the check, the requirement that it holds the store to, and what was seen instead.

mod atomicity;
mod attempts;
mod claims;
mod concurrency;
mod cycle;
mod events;
mod fixture;
mod heads;
mod late;
mod list;
mod plans;
mod promises;
mod rows;

use std::sync::Arc;

use approval_core::store::Store;

use crate::FakeClock;
use crate::report::{Check, SuiteReport};
pub(crate) use concurrency::at_once;
use fixture::Fixture;

/// Runs every check, each on a store of its own, and reports what was seen.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn run<S, Made>(mut builder: impl FnMut(FakeClock) -> Made) -> SuiteReport
where
    S: Store + 'static,
    Made: Future<Output = S>,
{
    let mut report = SuiteReport::default();
    for check in checks() {
        let clock = FakeClock::new();
        let store: Arc<dyn Store> = Arc::new(builder(clock.clone()).await);
        report.checks.push(check.report(Fixture::new(clock, store)).await);
    }
    report
}

/// Runs every check, and returns how many there were.
///
/// # Panics
/// With the whole report, where a check failed; outside a tokio runtime.
pub async fn test_all<S, Made>(builder: impl FnMut(FakeClock) -> Made) -> usize
where
    S: Store + 'static,
    Made: Future<Output = S>,
{
    let report = run(builder).await;
    report.assert_passed();
    report.ran()
}

fn checks() -> Vec<Check<Fixture>> {
    vec![
        Check::new("atomicity/all-writes", promises::ATOMIC, atomicity::all_writes),
        Check::new("atomicity/conflict", promises::NOTHING_WRITTEN, atomicity::conflict),
        Check::new("atomicity/in-order", promises::IN_ORDER, atomicity::in_order),
        Check::new("atomicity/refusal", promises::NOTHING_WRITTEN, atomicity::refusal),
        Check::new("attempts/by-state", promises::ATTEMPTS, attempts::by_state),
        Check::new("attempts/by-tag", promises::ATTEMPTS, attempts::by_tag),
        Check::new("attempts/in-transaction", promises::READS, attempts::in_transaction),
        Check::new("attempts/outcome", promises::ATTEMPTS, attempts::outcome),
        Check::new("attempts/order", promises::ATTEMPTS, attempts::order),
        Check::new("concurrency/claims", promises::SERIALISABLE, claims::one_claim_per_effect),
        Check::new("concurrency/compare-and-set", promises::REPLACE, concurrency::compare_and_set),
        Check::new("concurrency/count-and-insert", promises::SERIALISABLE, concurrency::count_and_insert),
        Check::new("concurrency/events", promises::EVENT_ORDER, concurrency::events),
        Check::new("concurrency/insert", promises::INSERT, concurrency::insert),
        Check::new("concurrency/lost-update", promises::SERIALISABLE, concurrency::lost_update),
        Check::new("concurrency/one-moment", promises::ONE_MOMENT, concurrency::one_moment),
        Check::new("concurrency/write-skew", promises::SERIALISABLE, concurrency::write_skew),
        Check::new("cycle/conflict", promises::CYCLE, late::conflict),
        Check::new("cycle/one-execution", promises::CYCLE, claims::one_execution),
        Check::new("cycle/recover-and-reconcile", promises::CYCLE, late::recover_and_reconcile),
        Check::new("cycle/reject", promises::CYCLE, cycle::reject),
        Check::new("cycle/renew-beside-recovery", promises::CYCLE, late::renew_beside_recovery),
        Check::new("cycle/replay", promises::CYCLE, cycle::replay),
        Check::new("cycle/settle-at-once", promises::CYCLE, late::settle_at_once),
        Check::new("cycle/settle-late", promises::CYCLE, late::settle_late),
        Check::new("events/in-transaction", promises::READS, events::in_transaction),
        Check::new("events/of-plan", promises::PLAN_EVENTS, events::of_plan),
        Check::new("events/page", promises::EVENT_ORDER, events::page),
        Check::new("events/position", promises::EVENT_ORDER, events::position),
        Check::new("events/unique", promises::EVENT_UNIQUE, events::unique),
        Check::new("heads/last", promises::HEADS, heads::last),
        Check::new("heads/moved", promises::HEADS, heads::moved),
        Check::new("heads/named", promises::HEADS, heads::named),
        Check::new("list/filter", promises::LIST, list::filter),
        Check::new("list/order", promises::LIST, list::order),
        Check::new("list/page", promises::LIST, list::page),
        Check::new("list/rows", promises::LIST, list::rows),
        Check::new("plans/clock", promises::CLOCK, plans::clock),
        Check::new("plans/executing", promises::EXECUTING, plans::executing),
        Check::new("plans/include", promises::INCLUDE, plans::include),
        Check::new("plans/index", promises::PLAN, plans::index),
        Check::new("plans/in-transaction", promises::READS, plans::in_transaction),
        Check::new("plans/last-event", promises::PLAN, plans::last_event),
        Check::new("plans/open", promises::OPEN_PLANS, plans::open),
        Check::new("rows/by-key", promises::ROWS, rows::by_key),
        Check::new("rows/bytes", promises::ROWS, rows::bytes),
        Check::new("rows/insert-twice", promises::INSERT, rows::insert_twice),
        Check::new("rows/in-transaction", promises::READS, rows::in_transaction),
        Check::new("rows/remove", promises::REMOVE, rows::remove),
        Check::new("rows/replace", promises::REPLACE, rows::replace),
    ]
}
