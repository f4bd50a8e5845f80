//! What is kept where. Keys are texts: plan ids are made from the time, and their texts are in the order of the ids.
//!
//! What a plan is found by stands in tables of its own, since redb has no other indexes than the keys of a table. None of it is
//! more than an index: a decision is made from the sealed rows alone, and the core holds the two against each other.

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, Value, WriteTransaction};

use crate::fault::Fault;

/// A plan that a row or event belongs to; empty where it belongs to none.
type OptionalPlan = &'static str;

/// Rows, by kind and id: the plan, the revision, the sealed record.
pub(crate) const ROWS: TableDefinition<(&str, &str), (OptionalPlan, u64, &[u8])> = TableDefinition::new("rows");

/// The rows of each plan: plan, kind, id.
pub(crate) const ROWS_OF_PLAN: TableDefinition<(&str, &str, &str), ()> = TableDefinition::new("rows-of-plan");

/// Requester, target, state, revision, made at, expires at, pruned.
type PlanEntry = (&'static str, &'static str, &'static str, u64, i64, i64, bool);

/// Plans, by id.
pub(crate) const PLANS: TableDefinition<&str, PlanEntry> = TableDefinition::new("plans");

/// The lists that a plan is on: list, shelf, plan. See [`all_plans`], [`plans_of`] and [`plans_that_ask`].
pub(crate) const LISTS: TableDefinition<(&str, &str, &str), ()> = TableDefinition::new("lists");

/// Whom each plan asks for a decision: plan, whom.
pub(crate) const ASKED: TableDefinition<(&str, &str), ()> = TableDefinition::new("asked");

/// What the attempt of each plan touches: tag, plan.
pub(crate) const ATTEMPTS: TableDefinition<(&str, &str), ()> = TableDefinition::new("attempts");

/// Audit events, by position: writer, number within the writer, the plan, the sealed event.
pub(crate) const EVENTS: TableDefinition<u64, (&str, u64, OptionalPlan, &[u8])> = TableDefinition::new("events");

/// The events of each writer, by number: their positions.
pub(crate) const LANES: TableDefinition<(&str, u64), u64> = TableDefinition::new("lanes");

/// The events of each plan: plan, position.
pub(crate) const EVENTS_OF_PLAN: TableDefinition<(&str, u64), ()> = TableDefinition::new("events-of-plan");

/// Writers whose last event no other writer has named.
pub(crate) const UNNAMED: TableDefinition<&str, ()> = TableDefinition::new("unnamed");

/// Short-lived values, by key: when they expire, and the sealed value.
pub(crate) const TRANSIENT: TableDefinition<&str, (i64, &[u8])> = TableDefinition::new("transient");

/// The form of the tables.
pub(crate) const FORM: TableDefinition<(), u64> = TableDefinition::new("form");

/// Comes after every id, kind and tag: they are of letters, digits and a few signs of ASCII.
pub(crate) const LAST: &str = "~";

/// The list of all plans.
pub(crate) fn all_plans() -> String {
    "all".to_owned()
}

/// The list of a requester's plans.
pub(crate) fn plans_of(requester: &str) -> String {
    format!("requester {requester}")
}

/// The list of the plans that ask somebody for a decision.
pub(crate) fn plans_that_ask(asked: &str) -> String {
    format!("asked {asked}")
}

/// Where look-ups read: a transaction that only reads, or the one in which a transition is committed. In the latter a table must
/// be closed before it is opened again.
pub(crate) trait Tables {
    /// Opens a table.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<impl ReadableTable<K, V>, Fault>;
}

impl Tables for ReadTransaction {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<impl ReadableTable<K, V>, Fault> {
        Ok(self.open_table(table)?)
    }
}

impl Tables for WriteTransaction {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<impl ReadableTable<K, V>, Fault> {
        Ok(self.open_table(table)?)
    }
}

/// Makes every table, where it isn't there yet: who only reads can't.
pub(crate) fn create(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.open_table(ROWS)?;
    transaction.open_table(ROWS_OF_PLAN)?;
    transaction.open_table(PLANS)?;
    transaction.open_table(LISTS)?;
    transaction.open_table(ASKED)?;
    transaction.open_table(ATTEMPTS)?;
    transaction.open_table(EVENTS)?;
    transaction.open_table(LANES)?;
    transaction.open_table(EVENTS_OF_PLAN)?;
    transaction.open_table(UNNAMED)?;
    transaction.open_table(TRANSIENT)?;
    Ok(())
}
