//! The events of the process that is under attack, before anybody has read them.

use std::sync::Arc;

use approval_core::Approvals;
use approval_core::store::Store;
use approval_core::transient::Transient;

use super::calls::{Answer, Use, make};
use super::desk::{Desk, Who};
use super::edit::{Edit, Editing};
use super::hand::{self, contents};
use super::run::Opened;

/// Edits what a running process has just told in the audit, in every way, and has it go on.
///
/// # Panics
/// Where nobody notices, or the plan is executed once more.
pub async fn own_events<S>(Opened { store, clock, hand }: Opened<S>)
where
    S: Store + Transient + 'static,
{
    let desk = Desk::new(store, clock, hand).await;
    let (mut number, mut refused) = (0, 0);
    while let Some((service, edit)) = begun(&desk, number).await {
        number += 1;
        if hand::make(desk.hand.as_ref(), &desk.tables, &edit.changes).await.is_err() {
            continue;
        }
        let again = make(&desk, &service, Use::Execute(Who::Approved)).await;
        assert_eq!(again.effects, 0, "it was executed once more: {edit:?}");
        let signed = make(&desk, &service, Use::Checkpoint).await;
        let verified = make(&desk, &service, Use::Verify).await;
        // A checkpoint may have been signed over it: verification says all the same that an event isn't where it was. [AUDIT-003]
        let missing = verified.said == Err("event_missing".to_owned());
        let is_told = signed.said.is_err() || verified == Answer::said("whole") || missing;
        assert!(is_told, "{}: {signed:?}, and {verified:?}", edit.class);
        refused += u32::from(signed.said.is_err());
    }
    println!("{refused} of {number} edits kept a checkpoint from being signed");
    assert!(refused > 20, "{refused} of {number}");
}

/// A process that has executed a plan, and what is done to one of its events then; nothing, where all has been done.
async fn begun(desk: &Desk, number: usize) -> Option<(Approvals, Edit)> {
    desk.restore().await;
    let service = desk.begin(Arc::new(desk.anchor.clone())).await.unwrap();
    let done = make(desk, &service, Use::Execute(Who::Approved)).await;
    assert_eq!(done, Answer { said: Ok("applied".to_owned()), effects: 2 });
    let events = hand::table_of(&desk.tables, "events");
    let now = contents(desk.hand.as_ref(), std::slice::from_ref(events)).await;
    let mut own = now["events"].clone();
    own.retain(|row| !desk.whole["events"].contains(row));
    let mut edits = Editing { desk, table: events, rows: &own }.of_rows();
    (number < edits.len()).then(|| (service, edits.swap_remove(number)))
}
