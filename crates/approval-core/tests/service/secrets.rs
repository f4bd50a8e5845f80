//! Secret values: committed to, given to the executor, and found nowhere else.

use approval_core::json::{Document, Limits};
use approval_core::record::{Change, Outcome, RecordKind, StepOutcome, StepReport, Verdict};
use approval_core::{Call, Draft, DraftStep, ExecutionPermit, PlanView, Reason, Report};
use approval_testkit::Room;
use serde_json::{Value, json};

use crate::support::{Doing, Forge, applied, draft, events, id, key_of, plan_draft, refused, run};

const SECRET: &str = "correct-horse-battery";

/// Fails where the secret stands anywhere in what is stored.
fn nowhere_stored(room: &Room, secret: &str) {
    let tables = room.memory.as_ref().unwrap().tables().clone();
    let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    for (key, row) in &tables.rows {
        assert!(!holds(&row.sealed), "{key:?}");
    }
    assert!(tables.events.iter().all(|event| !holds(&event.sealed)));
    assert!(!format!("{:?}{:?}{:?}", tables.plans, tables.attempts, tables.named).contains(secret));
}

fn kept(room: &Room, plan: &PlanView) -> bool {
    let key = key_of(RecordKind::Secrets, plan.header.plan_id);
    room.memory.as_ref().unwrap().tables().rows.contains_key(&key)
}

/// A step whose body, preview and change hold the secret that the arguments hold.
fn drafted(call: &Call) -> Draft {
    let token = call.arguments["token"].clone();
    let mut draft = draft();
    draft.steps.push(DraftStep {
        step: approval_core::record::Step {
            action: "put".to_owned(),
            object: "a".to_owned(),
            body: Some(json!({ "password": token })),
            preconditions: Vec::new(),
            preview_digest: None,
        },
        description: "put the password".to_owned(),
        preview: Some(json!({ "stored": token })),
    });
    draft.changes.push(Change {
        object: "a".to_owned(),
        before: Some(json!({ "password": token, "other": "old" })),
        after: Some(json!({ "password": token, "other": "new" })),
    });
    draft.secrets = [
        "/arguments/token",
        "/steps/0/body/password",
        "/steps/0/preview/stored",
        "/changes/0/before/password",
        "/changes/0/after/password",
        "/changes/0/before/other",
        "/changes/0/after/other",
    ]
    .map(str::to_owned)
    .to_vec();
    draft
}

async fn plan_with(room: &Room, token: Value) -> PlanView {
    plan_draft(room, json!({ "token": token }), drafted).await.unwrap()
}

#[tokio::test]
async fn a_secret_is_nowhere_but_with_the_executor() {
    // [LEAF-001, LEAF-002, LEAF-008, LEAF-009]
    let room = Room::new().await;
    let plan = plan_with(&room, json!(SECRET)).await;
    nowhere_stored(&room, SECRET);
    let page = room.page(&plan, "alice").await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let echo = Doing(async |permit: ExecutionPermit| {
        let intent = permit.plan().intent();
        assert_eq!(intent.arguments["token"], json!(SECRET));
        assert_eq!(intent.steps[0].body, Some(json!({ "password": SECRET })));
        let text = format!("the password is {SECRET}!");
        Report {
            outcome: Outcome::Applied,
            steps: vec![StepReport { outcome: StepOutcome::Applied, code: Some(format!("ok-{SECRET}")) }],
            tool_result: Some(json!({ "whole": SECRET, "part": [text], SECRET: { SECRET: 1 } })),
        }
    });
    let done = run(&room, &plan, &echo).await.unwrap();
    assert_eq!(done.execution.outcome, Outcome::Applied);
    let again = room.execute(&plan).await.unwrap();
    let told = events(&room).await;
    for shown in [
        format!("{plan:?}"),
        format!("{page:?}"),
        format!("{done:?}"),
        format!("{again:?}"),
        format!("{told:?}"),
        serde_json::to_string(&*page.intent).unwrap(),
        serde_json::to_string(&*page.review).unwrap(),
        serde_json::to_string(&done.execution).unwrap(),
    ] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    nowhere_stored(&room, SECRET);
    assert!(!Forge::new(&room).read(&key_of(RecordKind::Result, plan.header.plan_id)).to_string().contains(SECRET));
}

#[tokio::test]
async fn a_commitment_is_what_the_specification_says() {
    // [LEAF-003, LEAF-002]
    let room = Room::new().await;
    let plan = plan_with(&room, json!(SECRET)).await;
    let page = room.page(&plan, "alice").await.unwrap();
    assert_eq!(page.intent.secret_leaves, ["/arguments/token", "/steps/0/body/password"]);
    assert_eq!(page.review.secret_leaves.len(), 4);
    let secrets = Forge::new(&room).read(&key_of(RecordKind::Secrets, plan.header.plan_id));
    let leaf = &secrets["leaves"][0];
    assert_eq!(leaf["pointer"], "/intent/arguments/token");
    let committed = json!({ "type": "mutation-approval/secret/v0", "nonce": leaf["nonce"], "value": leaf["value"] });
    let digest = Document::from_value(&committed, &Limits::PLAN).unwrap().digest();
    assert_eq!(page.intent.arguments["token"], json!({ "$secret": digest.to_string() }));
    assert_eq!(leaf["value"], SECRET);
    assert_eq!(leaf["nonce"].as_str().unwrap().len(), 43);
}

#[tokio::test]
async fn a_commitment_is_no_equality_oracle() {
    // [LEAF-004]: but before and after of one change can be told to be equal.
    let room = Room::new().await;
    let plan = plan_with(&room, json!(SECRET)).await;
    let page = room.page(&plan, "alice").await.unwrap();
    let other = room.page(&plan_with(&room, json!(SECRET)).await, "alice").await.unwrap();
    let change = &page.review.changes[0];
    let (before, after) = (change.before.as_ref().unwrap(), change.after.as_ref().unwrap());
    assert_eq!(before["password"], after["password"], "the password stays");
    assert_ne!(before["other"], after["other"], "the other one changes");
    // Under one nonce, what changes a little could be guessed from what it was.
    let secrets = Forge::new(&room).read(&key_of(RecordKind::Secrets, plan.header.plan_id));
    let nonce = |side: &str, name: &str| {
        let pointer = format!("/review/changes/0/{side}/{name}");
        let leaf = secrets["leaves"].as_array().unwrap().iter().find(|leaf| leaf["pointer"] == pointer).unwrap();
        leaf["nonce"].clone()
    };
    assert_eq!(nonce("before", "password"), nonce("after", "password"));
    assert_ne!(nonce("before", "other"), nonce("after", "other"));
    assert_ne!(page.intent.arguments["token"], before["password"]);
    assert_ne!(page.intent.arguments["token"], other.intent.arguments["token"]);
    assert_ne!(page.header.intent_digest, other.header.intent_digest);
}

#[tokio::test]
async fn what_only_looks_like_a_commitment_is_data() {
    // [LEAF-005]
    let room = Room::new().await;
    let lookalike = json!({ "$secret": format!("sha256:{}", "0".repeat(64)) });
    let plan = room.plan("a", lookalike.clone()).await.unwrap();
    let page = room.page(&plan, "alice").await.unwrap();
    assert_eq!(page.intent.arguments["value"], lookalike);
    assert!(page.intent.secret_leaves.is_empty());
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    applied(&room, &plan).await;
    assert_eq!(room.target.value("a"), Some(lookalike));
}

#[tokio::test]
async fn every_commitment_is_recomputed() {
    // [LEAF-006]
    for change in [
        (|leaf: &mut Value| leaf["value"] = json!("another")) as fn(&mut Value),
        |leaf| leaf["nonce"] = json!("A".repeat(43)),
        |leaf| leaf["pointer"] = json!("/intent/arguments/other"),
    ] {
        let room = Room::new().await;
        let plan = room.plan_with_token("a", json!(1), SECRET).await.unwrap();
        room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        let key = key_of(RecordKind::Secrets, plan.header.plan_id);
        Forge::new(&room).edit(&key, |secrets| change(&mut secrets["leaves"][0]));
        refused(&room, &plan, Reason::IntegrityFailure).await;
        assert!(room.target.tokens().is_empty());
    }
}

#[tokio::test]
async fn values_are_erased_with_the_claim_and_with_the_end() {
    // [LEAF-007]
    let room = Room::new().await;
    let plan = async |name: &str| room.plan_with_token(name, json!(1), SECRET).await.unwrap();

    let claimed = plan("claimed").await;
    room.decide(&claimed, "alice", Verdict::Approve).await.unwrap();
    assert!(kept(&room, &claimed));
    applied(&room, &claimed).await;
    assert!(!kept(&room, &claimed));

    let cancelled = plan("cancelled").await;
    room.approvals.cancel(&Room::alice(), &id(&cancelled)).await.unwrap();
    assert!(!kept(&room, &cancelled));

    let rejected = plan("rejected").await;
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    assert!(!kept(&room, &rejected));

    let withdrawn = plan("withdrawn").await;
    room.decide(&withdrawn, "alice", Verdict::Approve).await.unwrap();
    room.decide(&withdrawn, "alice", Verdict::Withdraw).await.unwrap();
    assert!(!kept(&room, &withdrawn));

    let stale = plan("stale").await;
    room.decide(&stale, "alice", Verdict::Approve).await.unwrap();
    room.target.meddle("stale", json!("another's"));
    refused(&room, &stale, Reason::PreconditionFailed).await;
    assert!(!kept(&room, &stale));

    let expired = plan("expired").await;
    room.clock.advance(std::time::Duration::from_secs(3600));
    refused(&room, &expired, Reason::PlanExpired).await;
    assert!(!kept(&room, &expired));
}

#[tokio::test]
async fn values_are_gone_before_the_executor_runs() {
    // [LEAF-007]
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), SECRET).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let memory = room.memory.clone().unwrap();
    let key = key_of(RecordKind::Secrets, plan.header.plan_id);
    let looking = Doing(move |permit: ExecutionPermit| {
        let gone = !memory.tables().rows.contains_key(&key);
        let had = permit.plan().intent().arguments["token"] == json!(SECRET);
        let outcome = if gone && had { Outcome::Applied } else { Outcome::Unknown };
        async move { Report::of(outcome) }
    });
    assert_eq!(run(&room, &plan, &looking).await.unwrap().execution.outcome, Outcome::Applied);
}

#[tokio::test]
async fn a_preview_is_compared_under_the_recorded_nonces() {
    // [LEAF-010]
    let room = Room::new().await;
    let plan = plan_with(&room, json!(SECRET)).await;
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let comparing = Doing(async |permit: ExecutionPermit| {
        let plan = permit.plan();
        let reviewed = plan.intent().steps[0].preview_digest.unwrap();
        let fresh = plan.preview_digest(0, &json!({ "stored": SECRET })).unwrap();
        let other = plan.preview_digest(0, &json!({ "stored": "another" })).unwrap();
        let another_step = plan.preview_digest(1, &json!({ "stored": SECRET })).unwrap();
        assert_eq!(fresh, reviewed);
        assert_ne!(other, reviewed);
        assert_ne!(another_step, reviewed, "the value itself, where no leaf is named, is another preview");
        Report::of(Outcome::Applied)
    });
    assert_eq!(run(&room, &plan, &comparing).await.unwrap().execution.outcome, Outcome::Applied);
}

#[tokio::test]
async fn a_secret_that_is_not_where_the_planner_says() {
    // [PLAN-012]
    for pointers in [
        &["/arguments/nothing"][..],
        &["/arguments"],
        &["/headline"],
        &["/target/name"],
        &["/steps/0/action"],
        &["/steps/7/body/password"],
        &["/steps/0/previewed"],
        &["/changes/0/object"],
        &["arguments/token"],
        &["/arguments/token", "/arguments/token"],
        &["/arguments/nested/inner", "/arguments/nested"],
        &["/arguments/nested", "/arguments/nested/inner"],
    ] {
        let room = Room::new().await;
        let drafted =
            |call: &Call| Draft { secrets: pointers.iter().map(ToString::to_string).collect(), ..drafted(call) };
        let arguments = json!({ "token": SECRET, "nested": { "inner": SECRET } });
        let planned = plan_draft(&room, arguments, drafted).await;
        assert_eq!(planned.unwrap_err().reason(), Reason::PayloadInvalid, "{pointers:?}");
    }
    let room = Room::new().await;
    plan_with(&room, json!(SECRET)).await;
}

#[tokio::test]
async fn the_parts_of_a_secret_are_secret() {
    // [LEAF-009]
    let room = Room::new().await;
    let token = json!({ "user": "root", "list": [SECRET] });
    let plan = plan_with(&room, token.clone()).await;
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let echo = Doing(async |permit: ExecutionPermit| {
        drop(permit);
        let tool_result = Some(json!({ "text": format!("stored {SECRET}"), "same": [SECRET] }));
        Report { outcome: Outcome::Applied, steps: Vec::new(), tool_result }
    });
    let done = run(&room, &plan, &echo).await.unwrap();
    assert!(!format!("{done:?}").contains(SECRET), "{done:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_left_out_and_the_outcome_is_recorded() {
    // [EXEC-005]
    let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
    // Each is admitted as it is, and no longer once it is a record, or the secrets are out.
    let limit = 16 * 1024 * 1024;
    let nearly = json!("x".repeat(limit - 20));
    let many = Value::Array(vec![json!("a".repeat(64)); 4000]);
    for (answer, token) in [(deep, SECRET), (nearly, SECRET), (many, "a")] {
        let room = Room::new().await;
        let plan = room.plan_with_token("a", json!(1), token).await.unwrap();
        room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        let echo = Doing(move |permit: ExecutionPermit| {
            let answer = answer.clone();
            drop(permit);
            async move { Report { outcome: Outcome::Applied, steps: Vec::new(), tool_result: Some(answer) } }
        });
        let done = run(&room, &plan, &echo).await.unwrap();
        assert_eq!(done.execution.outcome, Outcome::Applied);
        assert!(done.tool_result.unwrap().get("omitted").is_some());
    }
}

#[tokio::test]
async fn a_secret_in_a_planners_finding_is_not_told() {
    // [LEAF-009]
    struct Talking;
    #[async_trait::async_trait]
    impl approval_core::Planner for Talking {
        async fn plan(&self, _: &Call) -> Result<Draft, approval_core::PlanError> {
            Err(approval_core::PlanError::Unsupported("unused".to_owned()))
        }
        async fn identify(
            &self,
            plan: &approval_core::ResolvedPlan,
        ) -> Result<approval_core::Identified, approval_core::FreshnessError> {
            crate::support::Agreeable.identify(plan).await
        }
        async fn revalidate(&self, _: &approval_core::ResolvedPlan) -> Result<(), approval_core::FreshnessError> {
            Err(approval_core::FreshnessError::Precondition(format!("expected `{SECRET}` there")))
        }
    }
    let room = Room::new().await;
    let plan = room.plan_with_token("a", json!(1), SECRET).await.unwrap();
    room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
    let refusal = room.approvals.execute(&Room::alice(), &id(&plan), None, &Talking, &room.target).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::PreconditionFailed);
    assert!(refusal.detail().starts_with("expected `[$secret sha256:"), "{refusal}");
}
