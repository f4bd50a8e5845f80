//! Older and consistent copies of a plan's rows and of the whole database: seals don't tell, the anchor does.

use std::sync::Arc;

use approval_core::Reason;
use approval_core::store::Store;
use approval_core::transient::Transient;
use approval_testkit::{FakeTarget, Remembered, Room};

use super::calls::{Answer, executed, verified};
use super::desk::{Desk, Moment, Who};
use super::hand::{Change, Row, difference, make};
use super::run::Opened;
use crate::workshop::Workshop;

/// What is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All that belongs to a plan, and nothing else.
    Plan(Who),
    /// The whole store.
    Store,
}

/// Puts back every plan, and the whole store, to every older moment, with an anchor and with one that was put back too, and
/// executes.
///
/// # Panics
/// Where something comes of it that must not.
pub async fn put_back<S>(Opened { store, clock, hand }: Opened<S>)
where
    S: Store + Transient + 'static,
{
    let desk = Desk::new(store, clock, hand).await;
    let mut again = 0;
    for moment in desk.older.keys().copied() {
        for who in Who::ALL {
            for extent in [Extent::Plan(who), Extent::Store] {
                for remembers in [true, false] {
                    let said = executed_again(&desk, moment, extent, who, remembers).await;
                    let wanted = wanted(who, moment, extent, remembers);
                    assert_eq!(said, wanted, "{who:?} at {moment:?}, {extent:?} put back, anchor: {remembers}");
                    again += u32::from(said.effects > 0);
                    assert!(!remembers || said.effects == 0 || who == Who::Beside, "the anchor remembers what ran");
                }
            }
        }
    }
    assert!(again > 0, "the control: where the anchor forgot too, what ran runs again");
}

async fn executed_again(desk: &Desk, moment: Moment, extent: Extent, who: Who, remembers: bool) -> Answer {
    desk.restore().await;
    let changes = match extent {
        Extent::Store => difference(&desk.tables, &desk.whole, &desk.older[&moment]),
        Extent::Plan(who) => plan_at(desk, who, moment),
    };
    make(desk.hand.as_ref(), &desk.tables, &changes).await.unwrap();
    if !remembers {
        *desk.anchor.remembered() = Some(Remembered::default());
    }
    let service = desk.begin(Arc::new(desk.anchor.clone())).await.unwrap();
    let target = FakeTarget::new();
    let said = executed(service.execute(&Room::alice(), &desk.id(who), None, &Workshop, &target).await);
    let answer = Answer { said: said.map_err(|refusal| refusal.reason().code().to_owned()), effects: target.effects() };
    // [CKPT-012, ANCHOR-009]
    let told = verified(desk, &service).await;
    let whole = changes.is_empty() || told == Answer::said("whole");
    assert!(!whole || !touches_the_audit(&changes), "the audit was put back, and nobody says so: {told:?}");
    answer
}

fn touches_the_audit(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.table == "events")
}

/// What leads back to how all that belongs to a plan was.
fn plan_at(desk: &Desk, who: Who, moment: Moment) -> Vec<Change> {
    let id = desk.id(who);
    let then = &desk.older[&moment];
    let of_plan = |row: &&Row, place: Option<usize>| place.is_some_and(|place| row[place].text() == id);
    let mut changes = Vec::new();
    for table in &desk.tables {
        let place = table.position("plan");
        let now = desk.whole[&table.name].iter().filter(|row| of_plan(row, place));
        let older: Vec<_> = then[&table.name].iter().filter(|row| of_plan(row, place)).cloned().collect();
        let out: Vec<_> = now.filter(|row| !older.contains(row)).cloned().collect();
        let put = older.into_iter().filter(|row| !desk.whole[&table.name].contains(row)).collect();
        changes.push(Change { table: table.name.clone(), out, put });
    }
    changes.retain(|change| !change.out.is_empty() || !change.put.is_empty());
    changes
}

/// What must come of the execution of a plan that stands as it did then.
fn wanted(who: Who, moment: Moment, extent: Extent, remembers: bool) -> Answer {
    let refused = Answer::refused;
    let applied = || Answer { said: Ok("applied".to_owned()), effects: 2 };
    let paused = extent == Extent::Store && moment == Moment::Paused;
    let open_then = matches!(who, Who::Approved | Who::Awaiting | Who::Beside | Who::Running);
    match (moment, who) {
        _ if paused && open_then => refused(Reason::Paused),
        // It had not been made yet.
        (Moment::AllApproved, Who::Approved | Who::Awaiting) => refused(Reason::PlanNotFound),
        // Attempts of which the store knows nothing are forgotten but by an anchor.
        (Moment::AllApproved, Who::Beside) if extent == Extent::Store && !remembers => applied(),
        (Moment::AllApproved, Who::Beside) => refused(Reason::OutcomeUnknown),
        // The claim finds out. [ANCHOR-005]
        (Moment::AllApproved, Who::Applied | Who::Reconciled | Who::Running | Who::Earlier) if remembers => {
            Answer::said("unknown")
        }
        // What nothing remembers runs again: who can write the anchor too is beyond what is promised.
        (Moment::AllApproved, Who::Applied | Who::Reconciled | Who::Running | Who::Earlier) => applied(),
        // [ANCHOR-008]
        (Moment::AllApproved, Who::Withdrawn) if remembers => refused(Reason::ApprovalWithdrawn),
        (Moment::AllApproved, Who::Withdrawn) => applied(),
        (Moment::AllApproved, Who::Rejected) if remembers => refused(Reason::ApprovalRejected),
        (Moment::AllApproved, Who::Rejected) => refused(Reason::ApprovalRequired),
        // What follows had come to its end by then.
        (_, Who::Applied) => Answer::said("applied, replayed"),
        (_, Who::Earlier | Who::Reconciled) => Answer::said("unknown, replayed"),
        (_, Who::Rejected) => refused(Reason::ApprovalRejected),
        (_, Who::Withdrawn) => refused(Reason::ApprovalWithdrawn),
        (_, Who::Running) if remembers => Answer::said("unknown"),
        (_, Who::Running) => applied(),
        (_, Who::Beside) => refused(Reason::OutcomeUnknown),
        (Moment::HalfApproved, Who::Approved) => refused(Reason::ApprovalPending),
        (_, Who::Approved | Who::Awaiting) => refused(Reason::ApprovalRequired),
    }
}
