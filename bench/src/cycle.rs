//! One approved plan through the gate, on the memory store.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use approval_core::record::{Outcome, Verdict};
use approval_core::{PlanView, Policy, Terms};
use approval_testkit::Room;
use serde_json::json;

use crate::report::Report;

/// The most that approve, verify, claim and settle may take together, in microseconds.
const MOST_MICROS: f64 = 50.0;

/// How many cycles are measured; the median counts.
const CYCLES: usize = 2000;

/// Measures the cycle from the decision to the recorded outcome: seals and audit included, no receipt.
pub(crate) fn measure(report: &mut Report) {
    let mut times: Vec<f64> = (0..CYCLES).map(|_| cycle()).collect();
    times.sort_by(f64::total_cmp);
    let median = times.get(CYCLES / 2).copied().unwrap_or(f64::NAN);
    report.note("approve, verify, claim, settle a plan of 1 KiB on the memory store, in microseconds:");
    report.target("median".to_owned(), median, MOST_MICROS);
}

fn cycle() -> f64 {
    let room = finish(Room::with_policy(Policy::always(Terms::same_subject())));
    let value = json!("x".repeat(400));
    let plan: PlanView = finish(room.plan("a", value)).unwrap_or_else(|refusal| stop(&refusal));
    let prepared = finish(room.prepare(&plan, "alice", Verdict::Approve)).unwrap_or_else(|refusal| stop(&refusal));
    #[expect(clippy::disallowed_methods, reason = "this measures time")]
    let begin = Instant::now();
    let decided = finish(room.approvals.decide(prepared));
    let executed = finish(room.execute(&plan));
    let took = begin.elapsed().as_secs_f64() * 1e6;
    let applied = executed.is_ok_and(|view| view.execution.outcome == Outcome::Applied && !view.replayed);
    if decided.is_ok() && applied { took } else { f64::NAN }
}

pub(crate) fn stop<T>(refusal: &approval_core::Refusal) -> T {
    #[expect(clippy::panic, reason = "a cycle that is refused measures nothing")]
    {
        panic!("{refusal}");
    }
}

/// Runs a future that never has to wait for anything but itself.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
