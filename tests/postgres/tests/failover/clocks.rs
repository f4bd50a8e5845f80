//! Replicas whose own clocks differ by minutes. The store's decides; one of a replica's own can only make it refuse more.

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Outcome, State, Verdict};
use approval_core::{ChallengeId, Clock, PlanView, Reason, Refusal, StatusView, Timestamp};
use approval_store_postgres::PostgresOptions;
use approval_testkit::{FakeClock, Room, StillTimer, decision};
use postgres::{Durability, Server};

use crate::world::{Fittings, Held, Replica, Site, begun};

/// By how much the replicas' own clocks differ from the store's.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// Shorter than that.
const LEASE_SECONDS: u32 = 30;

const TICK: Duration = Duration::from_millis(1);

/// Another clock, some time later or earlier.
#[derive(Debug)]
struct Skewed {
    of: FakeClock,
    millis: i64,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.of.now().unix_millis() + self.millis)
    }
}

/// Three replicas on one store, which goes by a clock that it was given.
struct Scene {
    site: Site,
    clock: FakeClock,
    /// It goes by the store's clock.
    right: Arc<Replica>,
    /// Its own clock is minutes slow.
    slow: Arc<Replica>,
    /// Its own clock is minutes fast.
    fast: Arc<Replica>,
    _server: Server,
}

impl Scene {
    async fn new() -> Self {
        let (server, site, clock) = (Server::start(Durability::Unsynced).unwrap(), Site::new(), FakeClock::new());
        let skew = i64::try_from(SKEW.as_millis()).unwrap();
        let replica = async |millis: i64| {
            let options = PostgresOptions::new(server.address()).clock(Arc::new(clock.clone()));
            let own = Arc::new(Skewed { of: clock.clone(), millis });
            let fittings = Fittings { clock: Some(own), lease_seconds: LEASE_SECONDS, ..site.fittings() };
            Arc::new(fittings.replica(options, Arc::new(StillTimer)).await)
        };
        let (right, slow, fast) = (replica(0).await, replica(-skew).await, replica(skew).await);
        Self { site, clock, right, slow, fast, _server: server }
    }

    /// To the last moment before this one.
    fn last_before(&self, moment: Timestamp) {
        self.clock.set(Timestamp::from_unix_millis(moment.unix_millis() - 1));
    }

    fn tick(&self) {
        self.clock.advance(TICK);
    }
}

async fn challenged(replica: &Replica, plan: &PlanView) -> (ChallengeId, Timestamp) {
    let id = plan.header.plan_id.to_string();
    let challenge = replica.approvals.challenge(&Room::alice(), &id, None).await.unwrap().challenge;
    (challenge.challenge_id, challenge.expires_at)
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> Reason {
    answer.unwrap_err().reason()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_runs_out_by_the_stores_clock() {
    // [STORE-005, STATE-010, DEC-004]
    let scene = Scene::new().await;
    let decide = async |replica: &Replica, plan: &PlanView, challenge| -> Result<StatusView, Refusal> {
        replica.approvals.decide(decision(plan, challenge, "alice", Verdict::Approve, scene.clock.now())).await
    };
    for (replica, before) in [(&scene.right, true), (&scene.slow, true), (&scene.fast, false)] {
        let (one, other) = (scene.right.planned("a").await, scene.right.planned("b").await);
        let (first, _) = challenged(&scene.right, &one).await;
        let (second, runs_out) = challenged(&scene.right, &other).await;
        scene.last_before(runs_out);
        let decided = decide(replica, &one, first).await;
        if before {
            assert_eq!(decided.unwrap().state, State::Approved);
        } else {
            assert_eq!(reason(decided), Reason::ChallengeExpired);
            assert_eq!(
                scene.right.state(&one).await,
                State::AwaitingApproval,
                "by the store's clock it has not run out"
            );
            assert_eq!(decide(&scene.right, &one, first).await.unwrap().state, State::Approved);
        }
        scene.tick();
        assert_eq!(reason(decide(replica, &other, second).await), Reason::ChallengeExpired);
        assert_eq!(scene.right.state(&other).await, State::Planned);
        assert_eq!(reason(decide(&scene.right, &other, second).await), Reason::ChallengeExpired);
        scene.right.approvals.cancel(&Room::alice(), &one.header.plan_id.to_string()).await.unwrap();
    }
    assert!(scene.site.effects.count().unwrap().is_empty());
}

/// Two plans that were approved, and when the approval of the second one runs out.
async fn approved(scene: &Scene) -> (PlanView, PlanView, Timestamp) {
    let (one, other) = (scene.right.approved("a").await, scene.right.approved("b").await);
    let id = other.header.plan_id.to_string();
    let status = scene.right.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap();
    (one, other, status.approval_expires_at.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_runs_out_by_the_stores_clock() {
    // [STORE-005, STATE-010, GATE-060, GATE-110]
    let scene = Scene::new().await;
    for (replica, before) in [(&scene.right, true), (&scene.slow, true), (&scene.fast, false)] {
        let (one, other, runs_out) = approved(&scene).await;
        scene.last_before(runs_out);
        let done = replica.execute(&one).await;
        if before {
            assert_eq!(done.unwrap().execution.outcome, Outcome::Applied);
        } else {
            assert_eq!(reason(done), Reason::ApprovalExpired);
            assert_eq!(scene.site.effects_of(&one), 0);
            assert_eq!(scene.right.state(&one).await, State::Approved, "by the store's clock it has not run out");
            assert_eq!(scene.right.execute(&one).await.unwrap().execution.outcome, Outcome::Applied);
        }
        assert_eq!(scene.site.effects_of(&one), 1);
        scene.tick();
        assert_eq!(reason(replica.execute(&other).await), Reason::ApprovalExpired);
        assert_eq!(reason(scene.right.execute(&other).await), Reason::ApprovalExpired);
        assert_eq!(scene.right.state(&other).await, State::Expired);
        assert_eq!(scene.site.effects_of(&other), 0);
    }
    scene.right.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_runs_out_by_the_stores_clock() {
    // [STORE-005, STATE-010, GATE-060, CHAL-004]
    let scene = Scene::new().await;
    let challenge = async |replica: &Replica, plan: &PlanView| {
        replica.approvals.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await
    };
    for (replica, before) in [(&scene.right, true), (&scene.slow, true), (&scene.fast, false)] {
        let (one, other) = (scene.right.planned("a").await, scene.right.planned("b").await);
        scene.last_before(other.header.expires_at);
        if before {
            assert_eq!(challenge(replica, &one).await.unwrap().state, State::AwaitingApproval);
        } else {
            assert_eq!(reason(challenge(replica, &one).await), Reason::PlanExpired);
            assert_eq!(challenge(&scene.right, &one).await.unwrap().state, State::AwaitingApproval);
        }
        scene.tick();
        for replica in [replica, &scene.right] {
            assert_eq!(reason(challenge(replica, &other).await), Reason::PlanExpired);
            assert_eq!(reason(replica.execute(&other).await), Reason::PlanExpired);
        }
        assert_eq!(scene.right.state(&other).await, State::Expired);
    }
    assert!(scene.site.effects.count().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_passes_by_the_stores_clock() {
    // [STORE-005, STATE-010, STATE-022, GATE-051]
    let scene = Scene::new().await;
    let plan = scene.right.approved("a").await;
    let held = Held::new(&scene.site);
    let execution = begun(&scene.right, &plan, &held).await;
    let passes = scene.clock.now().after(Duration::from_secs(LEASE_SECONDS.into()));
    scene.last_before(passes);
    for replica in [&scene.right, &scene.slow, &scene.fast] {
        assert_eq!(reason(replica.execute(&plan).await), Reason::ExecutionInProgress);
        replica.approvals.recover().await.unwrap();
        assert_eq!(scene.right.state(&plan).await, State::Executing);
    }
    scene.tick();
    // Whose clock is slow leaves it alone for longer.
    assert_eq!(reason(scene.slow.execute(&plan).await), Reason::ExecutionInProgress);
    assert_eq!(scene.slow.approvals.recover().await.unwrap(), 0);
    assert_eq!(scene.right.approvals.recover().await.unwrap(), 1);
    for replica in [&scene.right, &scene.slow, &scene.fast] {
        replica.replays(&scene.site, &plan, Outcome::Unknown, 1).await;
    }
    held.goes_on.notify_one();
    assert_eq!(execution.await.unwrap().unwrap().execution.outcome, Outcome::Applied);
    assert_eq!(scene.right.state(&plan).await, State::Applied);
    scene.right.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_a_replica_whose_clock_is_fast_has_no_effect() {
    // [GATE-113]
    let scene = Scene::new().await;
    let (control, plan) = (scene.right.approved("a").await, scene.right.approved("b").await);
    assert_eq!(scene.slow.execute(&control).await.unwrap().execution.outcome, Outcome::Applied);
    // By its own clock the lease, which is the store's, has passed when it begins.
    assert_eq!(scene.fast.execute(&plan).await.unwrap().execution.outcome, Outcome::Failed);
    assert_eq!((scene.site.effects_of(&control), scene.site.effects_of(&plan)), (1, 0));
    assert_eq!(scene.right.state(&plan).await, State::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_go_by_the_databases_clock_agree() {
    // [STORE-005]
    let (server, site) = (Server::start(Durability::Unsynced).unwrap(), Site::new());
    // Minutes from this machine's time of day, and from what it was when each of them last asked.
    server.set_ahead(-300).unwrap();
    let (one, other) = (site.replica(&server.address()).await, site.replica(&server.address()).await);
    let plans = [one.approved("a").await, one.approved("b").await, one.approved("c").await];
    server.set_ahead(300).unwrap();
    assert_eq!(other.execute(&plans[0]).await.unwrap().execution.outcome, Outcome::Applied);
    server.set_ahead(300 + 900).unwrap();
    assert_eq!(reason(one.execute(&plans[1]).await), Reason::ApprovalExpired);
    assert_eq!(reason(other.execute(&plans[2]).await), Reason::ApprovalExpired);
    for (plan, effects) in plans.iter().zip([1, 0, 0]) {
        assert_eq!(site.effects_of(plan), effects);
    }
    other.audit().await;
}
