//! What the checks hold a store to, as the store contract in `approval_core::store` has it.

use crate::report::Promise;

pub(super) const ATOMIC: Promise =
    Promise { id: "STORE-001", text: "a commit writes all that the transition returns, durably, before it returns" };
pub(super) const SERIALISABLE: Promise =
    Promise { id: "STORE-001", text: "a transition runs in one serialisable transaction" };
pub(super) const IN_ORDER: Promise =
    Promise { id: "STORE-001", text: "writes are made in the order of the transition" };
pub(super) const READS: Promise =
    Promise { id: "STORE-001", text: "a transition is shown what it names, as it is in its transaction" };
pub(super) const CYCLE: Promise =
    Promise { id: "STORE-001", text: "the service on top of the store does what the profile says" };
pub(super) const NOTHING_WRITTEN: Promise =
    Promise { id: "STORE-002", text: "a transition that is refused or conflicts has written nothing" };
pub(super) const INSERT: Promise = Promise { id: "STORE-003", text: "a row that is inserted must not exist yet" };
pub(super) const REPLACE: Promise = Promise {
    id: "STORE-004",
    text: "a row that is replaced must be at the given revision, and gets the one it carries",
};
pub(super) const CLOCK: Promise =
    Promise { id: "STORE-005", text: "the time in a transition is the store's declared clock's" };
pub(super) const ATTEMPTS: Promise = Promise {
    id: "STORE-006",
    text: "attempts on a tag are found while executing, `unknown` or `partial`, with their small rows, in the order of their ids",
};
pub(super) const LIST: Promise =
    Promise { id: "STORE-007", text: "plans are listed newest first, in pages without gaps or repeats" };
pub(super) const PLAN: Promise =
    Promise { id: "STORE-009", text: "a plan is found with its index, its rows and its last event" };
pub(super) const PLAN_EVENTS: Promise =
    Promise { id: "STORE-009", text: "the last events of a plan are found, newest first, whoever wrote them" };
pub(super) const INCLUDE: Promise =
    Promise { id: "STORE-009", text: "documents are among a plan's rows where they are asked for, and not otherwise" };
pub(super) const ONE_MOMENT: Promise =
    Promise { id: "STORE-009", text: "all that one look-up returns is as it was at one moment" };
pub(super) const EXECUTING: Promise =
    Promise { id: "STORE-009", text: "the plans that are executing are found, oldest first" };
pub(super) const ROWS: Promise = Promise { id: "STORE-010", text: "rows come back byte for byte as they were written" };
pub(super) const REMOVE: Promise = Promise { id: "STORE-010", text: "a row that is removed is gone, where it existed" };
pub(super) const EVENT_ORDER: Promise = Promise {
    id: "STORE-011",
    text: "events are numbered from 1 on, without gaps, in the order in which they were committed",
};
pub(super) const EVENT_UNIQUE: Promise = Promise { id: "STORE-011", text: "a writer has one event of each number" };
pub(super) const HEADS: Promise = Promise {
    id: "STORE-012",
    text: "a writer's last event is found, and is unnamed until it is named, and again once the writer has gone on",
};
pub(super) const OPEN_PLANS: Promise =
    Promise { id: "STORE-013", text: "a person's open plans are those before their claim, end and expiry" };
