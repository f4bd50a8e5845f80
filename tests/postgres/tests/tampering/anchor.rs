//! Somebody writes to the anchor's database, which whoever writes the store can't: what it remembers is then worth nothing, and
//! still no plan is executed that nobody approved, nor, while the store is whole, one that was.

use std::collections::BTreeMap;
use std::sync::Arc;

use approval_core::anchor::Anchor as _;
use approval_core::record::{Outcome, Verdict};
use approval_core::{Approvals, ApprovalsBuilder, Audience, BuildError, Parts, PlanView, Policy, Refusal, Terms};
use approval_store_postgres::{PostgresAnchor, PostgresOptions};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{Room, StillTimer, Tables};
use postgres::{Durability, Server};
use serde_json::json;
use tampering::database::{Hand as _, Row, Table, Value};

use crate::hand::Other;

/// By table and column, or by table where a row is deleted: the outcomes and reasons that keep an approved plan from being
/// applied, at times.
const PLACES: &[(&str, &str, &[&str])] = &[
    ("checkpoint", "", &[]),
    ("checkpoint", "digest", UNREADABLE),
    ("checkpoint", "is_only_row", &[]),
    ("checkpoint", "number", UNREADABLE),
    ("entries", "", &[]),
    ("entries", "claim", UNREADABLE),
    // Whether an attempt stands in the way of others the store says, where it holds the claim. [ANCHOR-002]
    ("entries", "effects", UNREADABLE),
    ("entries", "expires_at", &[]),
    ("entries", "kind", &[]),
    // The end of another plan. [ANCHOR-005, ANCHOR-008]
    ("entries", "plan", &["approval_rejected", "store_unavailable", "unknown"]),
    ("memory", "", UNREADABLE),
    ("memory", "audience", UNREADABLE),
    ("memory", "is_only_row", &[]),
    // Looked at where it is opened.
    ("version", "", &[]),
    ("version", "version", &[]),
];

const UNREADABLE: &[&str] = &["store_unavailable"];

/// An anchor, and a store beside it that nobody touches.
struct Scene {
    room: Room,
    anchor: Arc<PostgresAnchor>,
    hand: Other,
    tables: Vec<Table>,
    applied: PlanView,
    rejected: PlanView,
    approved: PlanView,
    stored: Tables,
    whole: BTreeMap<String, Vec<Row>>,
}

impl Scene {
    async fn new(server: &Server) -> Self {
        let room = Room::new().await;
        let options = PostgresOptions::new(server.address()).schema("anchor");
        let anchor = Arc::new(PostgresAnchor::open(options, Audience::from(AUDIENCE)).await.unwrap());
        anchor.begin().await.unwrap();
        let service = begin(&room, &anchor).await.unwrap();
        let decide = async |plan: &PlanView, verdict| {
            let decision = room.prepare(plan, "alice", verdict).await.unwrap();
            service.decide(decision).await.unwrap();
        };
        let plan = async |name: &str| {
            service.plan(&Room::alice(), room.target.call(name, &json!(1)), &room.target).await.unwrap()
        };
        let (applied, rejected, approved) = (plan("a").await, plan("r").await, plan("b").await);
        decide(&applied, Verdict::Approve).await;
        execute(&service, &room, &applied).await.unwrap();
        decide(&rejected, Verdict::Reject).await;
        decide(&approved, Verdict::Approve).await;
        service.checkpoint().await.unwrap().unwrap();
        let hand = Other::reach(server, "anchor").await;
        let tables = hand.catalogue().await;
        let mut whole = BTreeMap::new();
        for table in &tables {
            whole.insert(table.name.clone(), hand.read(table).await);
        }
        let stored = room.memory.as_ref().unwrap().tables().clone();
        Self { room, anchor, hand, tables, applied, rejected, approved, stored, whole }
    }

    /// Puts everything back, but for one row of one table, which becomes another or none.
    async fn put(&self, changed: Option<(&Table, usize, Option<Row>)>) -> bool {
        self.room.memory.as_ref().unwrap().tables().clone_from(&self.stored);
        let mut statements = String::new();
        for table in &self.tables {
            let place = self.hand.place(&table.name);
            statements.push_str(&format!("DELETE FROM {place};"));
            for (number, row) in self.whole[&table.name].iter().enumerate() {
                let row = match &changed {
                    Some((other, at, put)) if *other == table && *at == number => put.as_ref(),
                    _ => Some(row),
                };
                let Some(row) = row else { continue };
                let values: Vec<_> = row.iter().map(|value| self.hand.literal(value)).collect();
                statements.push_str(&format!("INSERT INTO {place} VALUES ({});", values.join(", ")));
            }
        }
        self.hand.run(&statements).await.is_ok()
    }

    /// Executes all three plans in a process that begins now: what became of the approved one.
    async fn executed(&self) -> Result<(), String> {
        let before = self.room.target.effects();
        let service = match begin(&self.room, &self.anchor).await {
            Ok(service) => service,
            Err(BuildError::Refused(refusal)) => return Err(refusal.reason().code().to_owned()),
            // The memory is gone, and the store holds a claim. [ANCHOR-006]
            Err(BuildError::AnchorMissing) => return Err("store_unavailable".to_owned()),
            Err(error) => panic!("{error}"),
        };
        for ended in [&self.applied, &self.rejected] {
            let _ = execute(&service, &self.room, ended).await;
            assert_eq!(self.room.target.effects(), before, "what had ended was executed");
        }
        let done = execute(&service, &self.room, &self.approved).await;
        let done = match done {
            Ok(Outcome::Applied) => Ok(()),
            Ok(outcome) => Err(serde_json::to_value(outcome).unwrap().as_str().unwrap().to_owned()),
            Err(refusal) => Err(refusal.reason().code().to_owned()),
        };
        assert_eq!(self.room.target.effects() - before, u32::from(done.is_ok()));
        // The next one finds what there was.
        self.room.target.meddle("b", serde_json::Value::Null);
        done
    }
}

async fn begin(room: &Room, anchor: &Arc<PostgresAnchor>) -> Result<Approvals, BuildError> {
    let parts = Parts {
        audience: AUDIENCE.into(),
        store: Arc::clone(&room.store),
        sealer: Arc::clone(&room.sealer) as _,
        directory: Arc::clone(&room.directory) as _,
        timer: Arc::new(StillTimer),
        policy: Policy::always(Terms::same_subject()),
        surface: "http://127.0.0.1:8080".to_owned(),
    };
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).anchor(Arc::clone(anchor) as _);
    builder.signer(Arc::clone(&room.signer) as _).separate_user().start().await
}

async fn execute(service: &Approvals, room: &Room, plan: &PlanView) -> Result<Outcome, Refusal> {
    let id = plan.header.plan_id.to_string();
    service.execute(&Room::alice(), &id, None, &room.target, &room.target).await.map(|view| view.execution.outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_of_the_anchor_is_tampered_with() {
    // [ANCHOR-004, ANCHOR-006, ANCHOR-008]
    let server = Server::start(Durability::Unsynced).unwrap();
    let scene = Scene::new(&server).await;
    assert!(scene.put(None).await);
    assert_eq!(scene.executed().await, Ok(()), "the control");
    let mut refused = BTreeMap::new();
    for table in &scene.tables {
        let rows = &scene.whole[&table.name];
        assert!(!rows.is_empty(), "nothing is stored in `{}`", table.name);
        for (number, row) in rows.iter().enumerate() {
            let mut edits = vec![("", None)];
            for (place, column) in table.columns.iter().enumerate() {
                for value in others(&scene, rows, place, row) {
                    let mut other = row.clone();
                    other[place] = value;
                    edits.push((column.name.as_str(), Some(other)));
                }
            }
            for (column, put) in edits {
                let known = PLACES.iter().find(|known| (known.0, known.1) == (table.name.as_str(), column));
                let (.., reasons) = known.unwrap_or_else(|| panic!("`{}.{column}`: nobody has said", table.name));
                let shown = format!("`{}.{column}`: {put:?}", table.name);
                if !scene.put(Some((table, number, put))).await {
                    continue;
                }
                if let Err(reason) = scene.executed().await {
                    assert!(reasons.contains(&reason.as_str()), "{shown}: {reason}");
                    *refused.entry((table.name.clone(), column.to_owned(), reason)).or_insert(0_u32) += 1;
                }
            }
        }
    }
    for (table, column, reasons) in PLACES {
        for reason in *reasons {
            let seen = refused.contains_key(&((*table).to_owned(), (*column).to_owned(), (*reason).to_owned()));
            assert!(seen, "`{table}.{column}`: {reason} is not what came of any edit");
        }
    }
}

/// Other values of a column: those of other rows, of the approved plan, and some that nobody writes.
fn others(scene: &Scene, rows: &[Row], place: usize, row: &Row) -> Vec<Value> {
    let mut all: Vec<Value> = rows.iter().map(|other| other[place].clone()).collect();
    match &row[place] {
        Value::Integer(number) => all.extend([number + 1, number - 1, 0, -5, i64::MAX].map(Value::Integer)),
        Value::Boolean(whether) => all.push(Value::Boolean(!whether)),
        Value::Text(text) if text.starts_with('{') => {
            let tag = approval_core::seal::TagPurpose::Effect;
            let tag = approval_core::seal::Sealer::tag(scene.room.sealer.as_ref(), tag, b"shelf/b").unwrap();
            all.extend(["{}".to_owned(), "{another}".to_owned(), format!("{{{tag}}}")].map(Value::Text));
        }
        Value::Text(_) => {
            let ours = scene.approved.header.plan_id.to_string();
            all.extend(["another".to_owned(), String::new(), ours].map(Value::Text));
        }
        Value::Bytes(_) | Value::Null => {}
    }
    all.retain(|other| other != &row[place]);
    all
}
