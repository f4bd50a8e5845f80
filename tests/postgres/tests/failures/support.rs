//! A service over a server of its own, and what is looked at of both.

use std::sync::Arc;
use std::time::Duration;

use approval_core::audit::verify_lines;
use approval_core::record::{Outcome, Verdict};
use approval_core::seal::KeyRing;
use approval_core::{Approvals, ApprovalsBuilder, BuildError, PlanView, Policy, Reason, Refusal, Terms};
use approval_store_postgres::{OpenError, PostgresOptions, PostgresStore};
use approval_testkit::{FakeClock, Room, StillTimer};
use postgres::{Durability, Server};
use serde_json::json;
use tokio_postgres::{Client, NoTls};

/// Where the store's tables are.
pub(crate) const SCHEMA: &str = "mutation_approval";

/// A service that has an approved plan, as a role that owns its schema and nothing else.
pub(crate) struct Stand {
    pub(crate) server: Server,
    pub(crate) room: Room,
    pub(crate) plan: PlanView,
    store: Arc<PostgresStore>,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        let server = Server::start(Durability::Unsynced).unwrap();
        let role = format!("CREATE ROLE approval LOGIN; CREATE SCHEMA {SCHEMA} AUTHORIZATION approval");
        admin(&server).await.batch_execute(&role).await.unwrap();
        let clock = FakeClock::new();
        let store = Arc::new(open(&server, &clock).await.unwrap());
        let mut room = Room::over(Arc::clone(&store) as _, clock, Policy::always(Terms::same_subject())).await;
        room.approvals = begin(&room, &room.sealer, Arc::clone(&store)).await.unwrap();
        let plan = approved(&room, "a").await;
        Self { server, room, plan, store }
    }

    /// Where the same service keeps what lives for a short while.
    pub(crate) fn sessions(&self) -> &PostgresStore {
        &self.store
    }

    /// Does this as the database's superuser.
    pub(crate) async fn run(&self, statements: &str) {
        admin(&self.server).await.batch_execute(statements).await.unwrap();
    }

    /// All that is stored, as somebody else reads it.
    pub(crate) async fn stored(&self) -> Vec<String> {
        let admin = admin(&self.server).await;
        let mut all = Vec::new();
        let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1";
        for table in admin.query(tables, &[&SCHEMA]).await.unwrap() {
            let table: String = table.get(0);
            // Whoever reads the audit numbers it.
            if matches!(table.as_str(), "numbered" | "positions") {
                continue;
            }
            let rows = admin.query(&format!("SELECT t::text FROM {SCHEMA}.{table} t ORDER BY 1"), &[]).await.unwrap();
            all.extend(rows.iter().map(|row| format!("{table}: {}", row.get::<_, String>(0))));
        }
        all
    }

    /// The service goes on: it executes what was approved before and what is planned now, each once.
    pub(crate) async fn goes_on(&self) {
        let Self { room, plan, .. } = self;
        let before = room.target.effects();
        assert_eq!(room.execute(plan).await.unwrap().execution.outcome, Outcome::Applied);
        assert!(room.execute(plan).await.unwrap().replayed);
        let another = approved(room, "another").await;
        assert_eq!(room.execute(&another).await.unwrap().execution.outcome, Outcome::Applied);
        assert_eq!(room.target.effects(), before + 2);
        audited(&room.approvals).await;
    }

    /// A service of another process.
    pub(crate) async fn begin(&self, sealer: &Arc<KeyRing>) -> Result<Approvals, String> {
        let store = open(&self.server, &self.room.clock).await.map_err(|error| error.to_string())?;
        begin(&self.room, sealer, Arc::new(store)).await
    }
}

async fn begin(room: &Room, sealer: &Arc<KeyRing>, store: Arc<PostgresStore>) -> Result<Approvals, String> {
    let mut parts = room.parts(store, Policy::always(Terms::same_subject()));
    parts.sealer = Arc::clone(sealer) as _;
    parts.timer = Arc::new(StillTimer);
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user();
    builder.start().await.map_err(|error: BuildError| error.to_string())
}

/// A connection of the database's superuser.
pub(crate) async fn admin(server: &Server) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.address(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) async fn open(server: &Server, clock: &FakeClock) -> Result<PostgresStore, OpenError> {
    let address = server.address().replace("user=postgres", "user=approval");
    // Whoever waits in these tests waits in vain.
    let options = PostgresOptions::new(address).patience(Duration::from_secs(2)).clock(Arc::new(clock.clone()));
    PostgresStore::open(options).await
}

pub(crate) async fn approved(room: &Room, name: &str) -> PlanView {
    let plan = room.plan(name, json!({ "value": name })).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    plan
}

/// The audit is whole; so many events are in it.
pub(crate) async fn audited(approvals: &Approvals) -> u64 {
    let lines = approvals.audit().lines(0, 10_000).await.unwrap();
    let lines: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    verify_lines(lines.as_bytes()).unwrap().events
}

/// The reason, and what else is told, in which the number of a file is left out.
pub(crate) fn refusal<T: std::fmt::Debug>(refused: Result<T, Refusal>) -> (Reason, String) {
    let refusal = refused.unwrap_err();
    let mut words: Vec<_> = refusal.detail().split(' ').map(str::to_owned).collect();
    words.iter_mut().filter(|word| word.contains("base/")).for_each(|word| "a file".clone_into(word));
    (refusal.reason(), words.join(" "))
}

pub(crate) fn unavailable(detail: &str) -> (Reason, String) {
    (Reason::StoreUnavailable, format!("the store can't be used: {detail}"))
}
