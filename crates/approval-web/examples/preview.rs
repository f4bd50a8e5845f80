//! The surface with a few plans on it, to look at: `cargo run -p approval-web --example preview`, then
//! <http://127.0.0.1:8080>. Everybody's password is `correct horse battery`. Nothing is kept.

#[path = "../tests/kit/plans.rs"]
mod plans;

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Outcome, Rule, Verdict};
use approval_core::transient::SealedTransient;
use approval_core::{Draft, Group, Matcher, Policy, PolicyVerdict, Terms};
use approval_testkit::{MemoryTransient, Room};
use approval_web::{Accounts, NewAccount, PasswordCost, Surface};
use plans::{Scripted, call};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut policy = Policy::always(Terms::same_subject());
    let quorum = Terms { rule: Rule::quorum(2, [Group::from("sre")]), ..Terms::same_subject() };
    let when = Matcher { tools: vec!["create_pod".to_owned()], ..Matcher::default() };
    policy.clauses.push(approval_core::Clause { when, then: PolicyVerdict::Require(quorum) });
    let room = Room::with_policy(policy).await;

    let folder = tempfile::tempdir()?;
    let accounts = Accounts::with_cost(folder.path().join("accounts.toml"), PasswordCost::dangerous_cheap());
    for person in ["alice", "bob", "carol"] {
        let account = NewAccount { name: person.to_owned(), person: person.into(), groups: [].into() };
        accounts.add(&account, "correct horse battery")?;
    }
    put_plans(&room).await?;
    let transient = SealedTransient::new(
        Arc::new(MemoryTransient::default()),
        Arc::clone(&room.sealer) as _,
        room.approvals.audience().clone(),
    );
    let surface = Surface::new(room.approvals.clone(), transient, Arc::clone(&room.sealer) as _, accounts)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, surface.router()).await?;
    Ok(())
}

async fn put_plans(room: &Room) -> Result<(), Box<dyn std::error::Error>> {
    let drafts: [(&str, Draft); 4] = [
        ("write_file", plans::long()),
        ("create_pod", plans::dangerous()),
        ("patch", plans::hostile()),
        ("apply_manifest", plans::benign()),
    ];
    for (tool, draft) in drafts {
        let arguments = json!({ "manifest": "…", "dryRun": false, "wait": 30 });
        let plan = room.approvals.plan(&Room::alice(), call(tool, &arguments), &Scripted(draft)).await?;
        room.approvals.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await?;
        room.clock.advance(Duration::from_secs(1));
    }
    let rejected = room.plan("rejected", json!("no")).await?;
    room.decide(&rejected, "alice", Verdict::Reject).await?;
    room.target.meddle("shelf", json!({ "a": 1 }));
    let applied = room.plan_with_token("shelf", json!({ "a": 2 }), "s3cret-token").await?;
    room.decide(&applied, "alice", Verdict::Approve).await?;
    room.execute(&applied).await?;
    room.target.report(Outcome::Unknown);
    let unknown = room.plan("lost", json!(1)).await?;
    room.decide(&unknown, "alice", Verdict::Approve).await?;
    room.execute(&unknown).await?;
    let warned = room.plan("lost", json!(2)).await?;
    room.approvals.challenge(&Room::alice(), &warned.header.plan_id.to_string(), None).await?;
    let approved = room.plan("approved", json!({ "b": [1, 2, 3] })).await?;
    room.decide(&approved, "alice", Verdict::Approve).await?;
    Ok(())
}
