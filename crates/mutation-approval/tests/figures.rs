//! `mutation-approval figures`.

#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing"
)]

mod kit;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{RecordKind, Rule, Verdict};
use approval_core::state_dir::StateDir;
use approval_core::{
    ApprovalsBuilder, Clause, Clock as _, Matcher, OsEntropy, Parts, Policy, PolicyVerdict, SystemClock, Terms,
};
use approval_store_sqlite::SqliteStore;
use approval_testkit::{FakeClock, FakeDirectory, FakeTarget, FakeTimer, Room, test_signing_keys};
use kit::{ok, run};
use serde_json::{Value, json};
use tempfile::tempdir;

/// An installation in which decisions were taken: by a group within two and eight seconds, by the requester within one.
async fn decided(folder: &Path) {
    let state = StateDir::create(folder.join("state")).unwrap();
    state.ensure_key(&OsEntropy).unwrap();
    // The program goes by the machine's clock.
    let clock = FakeClock::new();
    clock.set(SystemClock.now().before(Duration::from_secs(2 * 24 * 3600)));
    state.ensure_signing_keys(&OsEntropy, clock.now()).unwrap();
    let store = Arc::new(SqliteStore::open(state.store(), Arc::new(clock.clone())).unwrap());
    let directory = Arc::new(FakeDirectory::new().with("alice", &[]).with("bob", &["sre"]));
    let sealer = Arc::new(state.key_ring(Arc::new(OsEntropy)).unwrap());
    let audience = state.instance(&OsEntropy).unwrap().audience;
    let anchor = Arc::new(state.anchor(&audience).unwrap());
    let arguments = [("/name".to_owned(), json!("own"))].into();
    let own = Clause {
        when: Matcher { arguments, ..Matcher::default() },
        then: PolicyVerdict::Require(Terms::same_subject()),
    };
    let sre = Terms { rule: Rule::other_subject(["sre".into()]), ..Terms::same_subject() };
    let parts = Parts {
        audience,
        store: Arc::clone(&store) as _,
        sealer: Arc::clone(&sealer) as _,
        directory: Arc::clone(&directory) as _,
        timer: Arc::new(FakeTimer::new(clock.clone())),
        policy: Policy { clauses: vec![own], default: sre },
        surface: "http://127.0.0.1:8080".to_owned(),
    };
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(clock.clone())).anchor(anchor).dangerous_same_user();
    let room = Room {
        clock,
        directory,
        target: FakeTarget::new(),
        sealer,
        signer: Arc::new(test_signing_keys()),
        store,
        memory: None,
        approvals: builder.start().await.unwrap(),
    };
    for (name, person, verdict, seconds) in
        [("a", "bob", Verdict::Approve, 2), ("b", "bob", Verdict::Reject, 8), ("own", "alice", Verdict::Approve, 1)]
    {
        let plan = room.plan(name, json!(1)).await.unwrap();
        let request = room.prepare(&plan, person, verdict).await.unwrap();
        room.clock.advance(Duration::from_secs(seconds));
        room.approvals.decide(request).await.unwrap();
    }
}

/// The lines of the table, and what comes after it.
fn lines(state: &Path, arguments: &[&str]) -> Vec<String> {
    let said = ok(state, arguments);
    assert!(said.starts_with("decisions from 2"), "{said}");
    said.lines().skip(2).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn how_persons_decided() {
    // [SEC-003]
    let folder = tempdir().unwrap();
    decided(folder.path()).await;
    let state = folder.path().join("state");
    let expected = [
        "group       approvals  rejections  rejected  median  10th percentile  under 5 s",
        "(no group)          1           0     0.0 %   1.0 s            1.0 s          1",
        "sre                 1           1    50.0 %   2.0 s            2.0 s          1",
        "all                 2           1    33.3 %   2.0 s            1.0 s          2",
    ];
    assert_eq!(lines(&state, &["figures"]), expected);
    let one_day = lines(&state, &["figures", "--days", "1"]);
    assert_eq!(one_day.len(), 2);
    assert_eq!(one_day[1].split_whitespace().collect::<Vec<_>>(), ["all", "0", "0", "-", "-", "-", "0"]);

    let said = ok(&state, &["figures", "--days", "3", "--json"]);
    let mut found: Value = serde_json::from_str(&said).unwrap();
    let [from, until] = ["from", "until"].map(|name| found[name].take().as_str().unwrap().to_owned());
    assert!(from < until);
    let counted = |approvals: u32, rejections: u32, rate: f64, millis: [u32; 2], hasty: u32| {
        json!({
            "approvals": approvals, "rejections": rejections, "rejectionRate": rate, "medianMillis": millis[0],
            "tenthPercentileMillis": millis[1], "underFiveSeconds": hasty,
        })
    };
    let of = |group: Value, mut counted: Value| {
        counted["group"] = group;
        counted
    };
    let expected = json!({
        "from": null, "until": null, "prunedPlans": 0, "brokenPlans": 0,
        "all": counted(2, 1, 1.0 / 3.0, [2000, 1000], 2),
        "groups": [of(Value::Null, counted(1, 0, 0.0, [1000, 1000], 1)), of(json!("sre"), counted(1, 1, 0.5, [2000, 2000], 1))],
    });
    assert_eq!(found, expected);

    let refused = run(&state, &["figures", "--days", "0"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_counted_is_said() {
    let folder = tempdir().unwrap();
    decided(folder.path()).await;
    let state = folder.path().join("state");
    let store = rusqlite::Connection::open(state.join("store.sqlite3")).unwrap();
    let sql =
        "UPDATE records SET sealed = zeroblob(200) WHERE rowid = (SELECT min(rowid) FROM records WHERE kind = ?1)";
    assert_eq!(store.execute(sql, [RecordKind::Decision.name()]).unwrap(), 1);
    let figures = run(&state, &["figures"]);
    let said = String::from_utf8(figures.stdout).unwrap();
    assert_eq!(figures.status.code(), Some(1), "{said}");
    assert!(said.ends_with("\nplans that do not hold together, for which see the log: 1\n"), "{said}");
    assert!(String::from_utf8_lossy(&figures.stderr).contains("the decisions on a plan are not counted"));
    store.execute("DELETE FROM plans WHERE plan = (SELECT min(plan) FROM plans)", []).unwrap();
    ok(&state, &["prune", "--keep", "0"]);
    let said = ok(&state, &["figures"]);
    assert!(said.ends_with("\nplans that were decided on and pruned since, which are not counted: 2\n"), "{said}");
    let json: Value = serde_json::from_str(&ok(&state, &["figures", "--json"])).unwrap();
    assert_eq!((&json["prunedPlans"], &json["brokenPlans"]), (&json!(2), &json!(0)));
}
