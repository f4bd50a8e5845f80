//! Somebody writes to the SQLite file: every column of every table that its schema names, every row.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Outcome, RecordKind, State, Verdict};
use approval_core::store::Store;
use approval_core::transient::SealedTransient;
use approval_core::{Approvals, ApprovalsBuilder, Clock as _, Person, PlanId, PlanView, Reason, Refusal, WriterId};
use approval_store_sqlite::SqliteStore;
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeClock, FakeTarget, Room};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::scene::parts;
use crate::tally::Tally;
use crate::workshop::{Workshop, call, decide, policy};

/// A database with an approved plan, an unresolved attempt on its effect keys, and whatever else is ever stored.
struct Desk {
    room: Room,
    plan: PlanView,
    earlier: PlanView,
    path: PathBuf,
    /// Somebody else's connection.
    hand: Connection,
    _directory: tempfile::TempDir,
}

/// A row of a table, as it is.
#[derive(Clone, Debug)]
struct Found {
    table: String,
    columns: Vec<String>,
    /// The columns of its primary key; all, where it has none.
    key: Vec<usize>,
    values: Vec<Value>,
}

/// One thing that is done to a row.
#[derive(Clone, Debug)]
enum Edit {
    /// A column gets another value.
    Column(usize, Value),
    Deleted,
}

/// What must become of the execution of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// Refused for one of these.
    Refused(&'static [Reason]),
    /// As untouched, because of this.
    Same(&'static str),
}

const BROKEN: Want = Want::Refused(&[Reason::IntegrityFailure]);
const UNREADABLE: Want = Want::Refused(&[Reason::StoreUnavailable]);
const MISSING: Want = Want::Refused(&[Reason::PlanNotFound]);

impl Desk {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite3");
        let clock = FakeClock::new();
        let store = Arc::new(SqliteStore::open(&path, Arc::new(clock.clone())).unwrap());
        let room = Room::over(Arc::clone(&store) as Arc<dyn Store>, clock, policy()).await;
        let approvals = room.approvals.clone();
        let alice = Room::alice();
        let plan = |name| approvals.plan(&alice, call(name), &Workshop);
        let rejected = plan("r").await.unwrap();
        decide(&room, &rejected, "bob", Verdict::Reject).await.unwrap();
        let earlier = plan("a").await.unwrap();
        approve(&room, &earlier).await;
        let target = FakeTarget::new();
        target.report(Outcome::Unknown);
        execute(&approvals, &earlier, &target).await.unwrap();
        let done = plan("b").await.unwrap();
        approve(&room, &done).await;
        target.report(Outcome::Unknown);
        execute(&approvals, &done, &target).await.unwrap();
        let finding = approval_core::record::Reconciled::Applied;
        approvals.reconcile(done.header.plan_id, finding, "op").await.unwrap();
        approvals.pause("op").await.unwrap();
        approvals.resume("op").await.unwrap();
        approvals.mute(&Person::from("alice"), Duration::from_secs(1), "bob").await.unwrap();
        room.clock.advance(Duration::from_secs(2));
        approvals.checkpoint().await.unwrap().unwrap();
        let plan = plan("a").await.unwrap();
        approve(&room, &plan).await;
        let kept = SealedTransient::new(store, Arc::clone(&room.sealer) as _, AUDIENCE.into());
        let until = room.clock.now().after(Duration::from_secs(60));
        for kind in [RecordKind::Session, RecordKind::Login] {
            kept.put(kind, "somebody's", &serde_json::json!({ "of": "somebody" }), until).await.unwrap();
        }
        let hand = Connection::open(&path).unwrap();
        hand.busy_timeout(Duration::from_secs(10)).unwrap();
        hand.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;").unwrap();
        let desk = Self { room, plan, earlier, path, hand, _directory: directory };
        let copy = desk.copy();
        desk.hand.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        desk.hand.execute("ATTACH ?1 AS kept", [copy.to_str().unwrap()]).unwrap();
        desk
    }

    fn copy(&self) -> PathBuf {
        Path::with_extension(&self.path, "kept")
    }

    fn tables(&self) -> Vec<String> {
        let sql = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let mut statement = self.hand.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn rows(&self, table: &str) -> Vec<Found> {
        let mut statement = self.hand.prepare(&format!("SELECT * FROM kept.{table}")).unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let key = self.primary_key(table);
        let key = if key.is_empty() { (0..columns.len()).collect() } else { key };
        let mut rows = statement.query([]).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns.len()).map(|column| row.get(column).unwrap()).collect();
            found.push(Found { table: table.to_owned(), columns: columns.clone(), key: key.clone(), values });
        }
        found
    }

    fn primary_key(&self, table: &str) -> Vec<usize> {
        let sql = "SELECT cid FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY cid";
        let mut statement = self.hand.prepare(sql).unwrap();
        let number = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
        let numbers = statement.query_map([table], number).unwrap();
        numbers.map(|number| usize::try_from(number.unwrap()).unwrap()).collect()
    }

    /// Puts everything back.
    fn restore(&self, tables: &[String]) {
        let mut sql = "BEGIN IMMEDIATE;".to_owned();
        for table in tables {
            sql.push_str(&format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM kept.{table};"));
        }
        self.hand.execute_batch(&format!("{sql} COMMIT;")).unwrap();
    }

    /// Another process, which has not written anything yet but that it began.
    async fn process(&self) -> Approvals {
        let builder = ApprovalsBuilder::new(parts(&self.room)).clock(Arc::new(self.room.clock.clone()));
        builder.separate_user().start().await.unwrap()
    }
}

async fn approve(room: &Room, plan: &PlanView) {
    for who in ["bob", "carol"] {
        decide(room, plan, who, Verdict::Approve).await.unwrap();
    }
}

async fn execute(approvals: &Approvals, plan: &PlanView, target: &FakeTarget) -> Result<Outcome, Refusal> {
    let id = plan.header.plan_id.to_string();
    Ok(approvals.execute(&Room::alice(), &id, None, &Workshop, target).await?.execution.outcome)
}

impl Found {
    fn get(&self, column: &str) -> &Value {
        let place = self.columns.iter().position(|name| name == column);
        place.and_then(|place| self.values.get(place)).unwrap_or(&Value::Null)
    }

    fn is(&self, column: &str, text: &str) -> bool {
        *self.get(column) == Value::Text(text.to_owned())
    }

    /// Makes the edit, unless the schema forbids it.
    fn strike(&self, hand: &Connection, edit: &Edit) -> bool {
        let place: Vec<_> = self.key.iter().map(|column| format!("{} IS ?", self.columns[*column])).collect();
        let place = place.join(" AND ");
        let (sql, mut values) = match edit {
            Edit::Deleted => (format!("DELETE FROM main.{} WHERE {place}", self.table), Vec::new()),
            Edit::Column(column, value) => {
                let sql = format!("UPDATE main.{} SET {} = ? WHERE {place}", self.table, self.columns[*column]);
                (sql, vec![value.clone()])
            }
        };
        values.extend(self.key.iter().map(|column| self.values[*column].clone()));
        match hand.execute(&sql, params_from_iter(values)) {
            Ok(count) => {
                assert_eq!(count, 1, "{sql}");
                true
            }
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::ConstraintViolation => {
                false
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// Other values of a column, those of other rows among them.
    fn others(&self, column: usize, rows: &[Self]) -> Vec<Value> {
        let value = &self.values[column];
        let of_others = rows.iter().map(|row| row.values[column].clone()).filter(|other| other != value);
        let mut all: Vec<Value> = of_others.take(3).collect();
        match value {
            Value::Blob(bytes) => {
                for place in [0, 8, bytes.len() / 2, bytes.len() - 1] {
                    let mut other = bytes.clone();
                    other[place] ^= 1;
                    all.push(Value::Blob(other));
                }
                all.extend([Value::Blob(Vec::new()), Value::Blob(bytes[..bytes.len() / 2].to_vec()), Value::Null]);
            }
            Value::Integer(number) => {
                all.extend([number + 1, number - 1, 0, -5, i64::MAX].map(Value::Integer));
            }
            _ => all.extend([Value::Text("another".to_owned()), Value::Text(String::new()), Value::Null]),
        }
        all.retain(|other| other != value);
        all.dedup();
        all
    }
}

fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

/// Whether the store can make sense of a value.
fn is_readable(column: &str, value: &Value) -> bool {
    match (column, value) {
        ("kind", Value::Text(name)) => RecordKind::from_name(name).is_some(),
        ("plan", Value::Text(plan)) => plan.parse::<PlanId>().is_ok(),
        ("state", Value::Text(name)) => State::ALL.iter().any(|state| state.name() == name),
        ("writer", Value::Text(writer)) => writer.parse::<WriterId>().is_ok(),
        ("revision" | "sequence" | "position", Value::Integer(number)) => *number >= 0,
        _ => true,
    }
}

/// What must become of the execution of the plan after this: by table, column and whose row it is.
fn wanted(desk: &Desk, row: &Found, edit: &Edit, last_events: &[i64]) -> Want {
    let plan = desk.plan.header.plan_id.to_string();
    let earlier = desk.earlier.header.plan_id.to_string();
    let (ours, theirs) = (row.is("plan", &plan), row.is("plan", &earlier));
    let column = match edit {
        Edit::Column(column, value) => Some((row.columns[*column].as_str(), value)),
        Edit::Deleted => None,
    };
    match row.table.as_str() {
        "records" => {
            let kind = RecordKind::from_name(text(row.get("kind"))).expect("a kind");
            let is_read = ours || (theirs && !kind.is_document()) || kind == RecordKind::Pause;
            match column {
                // Any row of a plan that is read, and can't be read itself, hides what else there may be.
                Some(("kind", value)) if theirs && !is_readable("kind", value) => UNREADABLE,
                _ if !is_read => Want::Same("the execution does not read it"),
                Some(("kind", value)) if !is_readable("kind", value) && kind != RecordKind::Pause => UNREADABLE,
                Some(("revision", value)) if !is_readable("revision", value) => UNREADABLE,
                Some(("plan", value)) if kind == RecordKind::Pause => match is_readable("plan", value) {
                    true => Want::Same("what stands beside the plans is found by its name"),
                    false => UNREADABLE,
                },
                Some(("kind" | "id", _)) | None if kind == RecordKind::Pause => Want::Same("nothing was paused"),
                _ => BROKEN,
            }
        }
        "plans" if ours => match column {
            None | Some(("plan" | "requester", _)) => MISSING, // [GATE-020]
            Some((name, value)) if !is_readable(name, value) => UNREADABLE,
            _ => BROKEN,
        },
        "plans" if theirs => match column {
            None | Some(("plan", _)) => Want::Same("an attempt can be hidden, and the review lists this one"),
            Some(("target", _)) => Want::Same("of another plan only its standing counts"),
            Some(("state", value)) if !["executing", "partial", "unknown"].contains(&text(value)) => {
                Want::Same("an attempt can be hidden, and the review lists this one")
            }
            Some((name, value)) if !is_readable(name, value) => UNREADABLE,
            _ => BROKEN,
        },
        "events" => {
            let Value::Integer(position) = row.get("position") else { panic!("a position") };
            match column {
                // An older event comes last.
                Some(("position", Value::Integer(moved)))
                    if (ours || theirs)
                        && !last_events.contains(position)
                        && last_events.iter().any(|last| last < moved) =>
                {
                    BROKEN
                }
                // No position is left for the claim's event.
                Some(("position", Value::Integer(i64::MAX))) => UNREADABLE,
                _ if !last_events.contains(position) => Want::Same("it is not the last one of a plan that is read"),
                Some(("position", Value::Integer(moved))) if moved > position => {
                    Want::Same("it is the last one all the same: verification of the audit tells")
                }
                // Out of the plan's sight it goes before it is read.
                Some(("plan", _) | ("position", _)) => BROKEN,
                Some((name, value)) if !is_readable(name, value) => UNREADABLE,
                _ => BROKEN,
            }
        }
        "plans" => Want::Same("it is another plan's"),
        "attempts" => Want::Same("an attempt can be hidden, and the review lists this one"),
        "lanes" => Want::Same("which ends of lanes have been named is for the audit"),
        "transient" => Want::Same("sessions and logins are for the surface: see `transient`"),
        // Nobody has said anything about it.
        _ => Want::Refused(&[Reason::IntegrityFailure, Reason::StoreUnavailable]),
    }
}

/// How much of the product is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breadth {
    /// What must be refused; of what is alike and isn't read, some.
    Each,
    Full,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_of_every_table_and_every_row_is_tampered_with() {
    // [STORE-008, GATE-020, GATE-030, GATE-031, SEAL-003, SEAL-007]
    tampered(Breadth::Each).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long: also all that the execution does not read"]
async fn every_column_and_row_is_tampered_with_in_full() {
    // [STORE-008, GATE-020, GATE-030, GATE-031, SEAL-003, SEAL-007]
    tampered(Breadth::Full).await;
}

async fn tampered(breadth: Breadth) {
    let desk = Desk::new().await;
    let tables = desk.tables();
    let mut tally = Tally::default();
    let events = desk.rows("events");
    let last = |plan: &PlanView| {
        let of_plan = events.iter().filter(|event| event.is("plan", &plan.header.plan_id.to_string()));
        let positions = of_plan.map(|event| match event.get("position") {
            Value::Integer(position) => *position,
            other => panic!("{other:?}"),
        });
        positions.max().unwrap()
    };
    let last_events = [last(&desk.plan), last(&desk.earlier)];
    let mut kinds = std::collections::BTreeSet::new();
    let mut alikes = std::collections::BTreeMap::new();
    for table in &tables {
        let rows = desk.rows(table);
        assert!(!rows.is_empty(), "nothing is stored in `{table}`: nothing would be tampered with");
        for row in &rows {
            kinds.insert(text(row.get("kind")).to_owned());
            let columns = (0..row.columns.len())
                .flat_map(|column| row.others(column, &rows).into_iter().map(move |value| Edit::Column(column, value)));
            for edit in columns.chain([Edit::Deleted]) {
                let want = wanted(&desk, row, &edit, &last_events);
                let column = match &edit {
                    Edit::Column(column, _) => row.columns[*column].as_str(),
                    Edit::Deleted => "",
                };
                if let Want::Same(_) = want
                    && breadth == Breadth::Each
                {
                    let alike = format!("{table} {} {column}", text(row.get("kind")));
                    let times: &mut u32 = alikes.entry(alike).or_default();
                    *times += 1;
                    if *times > 1 {
                        continue;
                    }
                }
                desk.restore(&tables);
                let approvals = desk.process().await;
                let what: &'static str = match table.as_str() {
                    "attempts" => "attempts",
                    "events" => "events",
                    "lanes" => "lanes",
                    "plans" => "plans",
                    "records" => "records",
                    "transient" => "transient",
                    _ => "another",
                };
                if !row.strike(&desk.hand, &edit) {
                    tally.count(what, "forbidden");
                    continue;
                }
                let target = FakeTarget::new();
                let said = execute(&approvals, &desk.plan, &target).await.map_err(|refusal| refusal.reason());
                tally.count(what, if matches!(edit, Edit::Deleted) { "deleted" } else { "column" });
                let holds = match want {
                    Want::Refused(reasons) => {
                        matches!(said, Err(reason) if reasons.contains(&reason)) && target.effects() == 0
                    }
                    Want::Same(_) => said == Ok(Outcome::Applied) && target.effects() == 2,
                };
                if !holds {
                    let whose = format!("{table} {} {}", text(row.get("kind")), text(row.get("plan")));
                    let shown: String = format!("{edit:?}").chars().take(120).collect();
                    let fault =
                        format!("{column} {shown}: wanted {want:?}, got {said:?} ({} effects)", target.effects());
                    tally.fault((whose, column.to_owned(), "column"), fault);
                }
            }
        }
    }
    desk.restore(&tables);
    let target = FakeTarget::new();
    assert_eq!(execute(&desk.process().await, &desk.plan, &target).await.unwrap(), Outcome::Applied);
    tally.close("SQLite: every column and row of every table", |_| 0);
    let stored = RecordKind::ALL.into_iter().filter(|kind| {
        !matches!(kind, RecordKind::Event | RecordKind::Login | RecordKind::Session | RecordKind::Result)
    });
    for kind in stored {
        assert!(kinds.contains(kind.name()), "no `{kind}` was stored");
    }
}
