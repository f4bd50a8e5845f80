//! What the role may not do: rights that are missing, and a database that may only be read.

use std::time::Duration;

use approval_core::record::{Outcome, State};
use approval_core::transient::Transient as _;
use approval_core::{Clock as _, ExecutionPermit, Executor, Reason, Report};
use approval_testkit::{FakeClock, Room};
use async_trait::async_trait;
use postgres::{Durability, Server};
use serde_json::json;

use crate::support::{SCHEMA, Stand, admin, audited, open, refusal, unavailable};

const DENIED: &str = "db error: ERROR: permission denied for table records";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_insert() {
    // [STORE-002, GATE-006]
    let stand = Stand::new().await;
    let Stand { room, plan, .. } = &stand;
    stand.run(&format!("REVOKE INSERT, UPDATE ON {SCHEMA}.records FROM approval")).await;
    let before = stand.stored().await;
    for _ in 0..2 {
        assert_eq!(refusal(room.plan("b", json!(1)).await), unavailable(DENIED));
        assert_eq!(refusal(room.execute(plan).await), unavailable(DENIED));
        assert_eq!(refusal(room.approvals.pause("op").await), unavailable(DENIED));
    }
    assert_eq!(room.target.effects(), 0);
    assert_eq!(stand.stored().await, before, "nothing is half-written");
    let id = plan.header.plan_id.to_string();
    let status = room.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap();
    assert_eq!(status.state, State::Approved, "what is there can be read");
    audited(&room.approvals).await;
    stand.run(&format!("GRANT INSERT, UPDATE ON {SCHEMA}.records TO approval")).await;
    stand.goes_on().await;
}

/// Puts something on the shelf, and then the role may not write any more.
struct Revokes<'a>(&'a Stand);

#[async_trait]
impl Executor for Revokes<'_> {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let report = self.0.room.target.execute(permit).await;
        self.0.run(&format!("REVOKE INSERT, UPDATE ON {SCHEMA}.records FROM approval")).await;
        report
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_record_the_outcome() {
    // Nobody can record what came of it, so nobody knows it once the lease has passed. [STATE-022]
    let stand = Stand::new().await;
    let Stand { room, plan, .. } = &stand;
    let (alice, id) = (Room::alice(), plan.header.plan_id.to_string());
    let executed = room.approvals.execute(&alice, &id, None, &room.target, &Revokes(&stand)).await;
    assert_eq!((refusal(executed), room.target.effects()), (unavailable(DENIED), 1));
    stand.run(&format!("GRANT INSERT, UPDATE ON {SCHEMA}.records TO approval")).await;
    assert_eq!(refusal(room.execute(plan).await).0, Reason::ExecutionInProgress);
    room.clock.advance(Duration::from_secs(3600));
    let known = room.execute(plan).await.unwrap();
    assert_eq!((known.execution.outcome, known.replayed), (Outcome::Unknown, true));
    assert_eq!(room.target.effects(), 1, "it is never tried again");
    audited(&room.approvals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_make_a_schema() {
    let server = Server::start(Durability::Unsynced).unwrap();
    let admin = admin(&server).await;
    admin.batch_execute("CREATE ROLE approval LOGIN").await.unwrap();
    let clock = FakeClock::new();
    let refused = open(&server, &clock).await.unwrap_err().to_string();
    assert_eq!(refused, "the database can't be used: db error: ERROR: permission denied for database postgres");
    admin.batch_execute(&format!("CREATE SCHEMA {SCHEMA} AUTHORIZATION approval")).await.unwrap();
    open(&server, &clock).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_may_only_be_read() {
    // [STORE-002, GATE-006]
    let stand = Stand::new().await;
    let Stand { room, plan, .. } = &stand;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mutation-approval'";
    stand.run(&format!("ALTER DATABASE postgres SET default_transaction_read_only = on; {end}")).await;
    let before = stand.stored().await;
    let told = "db error: ERROR: cannot execute SELECT in a read-only transaction";
    for _ in 0..2 {
        assert_eq!(refusal(room.plan("b", json!(1)).await), unavailable(told));
        assert_eq!(refusal(room.execute(plan).await), unavailable(told));
    }
    let (kept, until) = (stand.sessions(), room.clock.now().after(Duration::from_secs(60)));
    assert!(kept.put("key", vec![1], until).await.unwrap_err().to_string().contains("in a read-only transaction"));
    assert_eq!(room.target.effects(), 0);
    assert_eq!(stand.stored().await, before, "nothing is half-written");
    // Connections that were made meanwhile are not kept.
    let admin = admin(&stand.server).await;
    admin.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    admin.batch_execute("ALTER DATABASE postgres RESET default_transaction_read_only").await.unwrap();
    kept.put("key", vec![1], until).await.unwrap();
    stand.goes_on().await;
}
