//! Steps 3 and 4: what is stored doesn't hold together.

use std::time::Duration;

use anyhow::{Context as _, Result};
use approval_core::Digest;
use approval_core::record::{RecordKind, State};
use serde_json::{Value, json};

use super::{Cases, Change, NOBODYS, refused};
use crate::gate::scene::{Base, Scene, requester};

impl Cases<'_> {
    /// Step 3.
    pub(super) async fn intact(&mut self) -> Result<()> {
        for kind in [
            RecordKind::Challenge,
            RecordKind::Decision,
            RecordKind::Header,
            RecordKind::Intent,
            RecordKind::PlanState,
            RecordKind::Review,
            RecordKind::Secrets,
        ] {
            let scene = Scene::set(Base::Requester).await?;
            scene.stage.break_seal(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-broken"), scene, refused("integrity_failure")).await?;
            let scene = Scene::set(Base::Requester).await?;
            scene.stage.remove(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-missing"), scene, refused("integrity_failure")).await?;
        }
        for kind in [RecordKind::Execution, RecordKind::Result] {
            let scene = self.executed().await?;
            scene.stage.break_seal(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-broken"), scene, refused("integrity_failure")).await?;
            let scene = self.executed().await?;
            scene.stage.remove(kind, scene.plan_id());
            self.push(&format!("step-3-{kind}-missing"), scene, refused("integrity_failure")).await?;
        }

        let scene = Scene::planned(Base::Another).await?;
        let plan = scene.plan_id();
        let before = scene.stage.memory.tables().clone();
        scene.stage.approve(&scene.plan, &["bob"]).await?;
        {
            let mut tables = scene.stage.memory.tables();
            tables.plans = before.plans;
            let key = approval_core::store::RowKey::of_plan(RecordKind::PlanState, plan);
            let older = before.rows.get(&key).context("an older state")?.clone();
            tables.rows.insert(key, older);
        }
        self.push("step-3-older-plan-state-put-back", scene, refused("integrity_failure")).await?;

        self.changed(
            Base::Another,
            refused("integrity_failure"),
            &[
                ("step-3-last-event-broken", |scene| {
                    let plan = scene.plan_id();
                    let mut tables = scene.stage.memory.tables();
                    let event = tables.events.iter_mut().rev().find(|event| event.plan == Some(plan));
                    *event.and_then(|event| event.sealed.last_mut()).context("an event")? ^= 1;
                    Ok(())
                }),
                ("step-3-last-event-missing", |scene| {
                    let plan = scene.plan_id();
                    scene.stage.memory.tables().events.retain(|event| event.plan != Some(plan));
                    Ok(())
                }),
                ("step-3-last-event-removed", |scene| {
                    let plan = scene.plan_id();
                    let mut tables = scene.stage.memory.tables();
                    let last = tables.events.iter().rposition(|event| event.plan == Some(plan));
                    tables.events.remove(last.context("an event")?);
                    Ok(())
                }),
                ("step-3-header-of-another-installation", |scene| {
                    scene.edit(RecordKind::Header, |header| header["audience"] = json!("urn:another")).map(drop)
                }),
                ("step-3-header-of-another-plan", |scene| {
                    scene.edit(RecordKind::Header, |header| header["planId"] = json!(NOBODYS)).map(drop)
                }),
                ("step-3-header-with-an-unknown-member", |scene| {
                    scene.edit(RecordKind::Header, |header| header["more"] = json!(1)).map(drop)
                }),
                ("step-3-header-without-a-member", |scene| {
                    let edit =
                        |header: &mut Value| drop(header.as_object_mut().map(|header| header.remove("createdAt")));
                    scene.edit(RecordKind::Header, edit).map(drop)
                }),
                ("step-3-header-of-another-type", |scene| {
                    let edit = |header: &mut Value| header["type"] = json!("mutation-approval/plan/v9");
                    scene.edit(RecordKind::Header, edit).map(drop)
                }),
                ("step-3-plan-state-of-another-plan", |scene| {
                    scene.edit_state(|state| state["planId"] = json!(NOBODYS))
                }),
                ("step-3-plan-state-of-another-revision", |scene| {
                    scene.edit_state(|state| state["revision"] = json!(7))
                }),
                ("step-3-plan-state-names-another-event", |scene| {
                    scene.edit_state(|state| state["lastEvent"] = json!(Digest::of_bytes(b"another event")))
                }),
                ("step-3-plan-state-names-another-challenge", |scene| {
                    scene.edit_state(|state| state["challenge"] = json!(Digest::of_bytes(b"another challenge")))
                }),
                ("step-3-plan-state-names-another-decision", |scene| {
                    scene.edit_state(|state| state["decisions"] = json!([Digest::of_bytes(b"another decision")]))
                }),
                ("step-3-challenge-edited-and-not-its-digest", |scene| {
                    let later = json!("2026-01-01T00:30:00.000Z");
                    scene.edit(RecordKind::Challenge, |challenge| challenge["expiresAt"] = later).map(drop)
                }),
                ("step-3-decision-edited-and-not-its-digest", |scene| {
                    scene.edit(RecordKind::Decision, |decision| decision["comment"] = json!("go on")).map(drop)
                }),
                ("step-3-approved-without-a-challenge", |scene| {
                    scene.edit_state(|state| drop(state.as_object_mut().map(|state| state.remove("challenge"))))
                }),
                ("step-3-approved-without-an-end", |scene| {
                    scene.edit_state(|state| drop(state.as_object_mut().map(|state| state.remove("approvalExpiresAt"))))
                }),
                ("step-3-executing-without-a-claim", |scene| {
                    scene.edit_state(|state| state["state"] = json!("executing"))?;
                    scene.index(|index| index.state = State::Executing)
                }),
                ("step-3-pruned-and-open", |scene| scene.edit_state(|state| state["pruned"] = json!(true))),
                ("step-3-index-of-another-state", |scene| scene.index(|index| index.state = State::Planned)),
                ("step-3-index-of-another-revision", |scene| scene.index(|index| index.revision += 1)),
                ("step-3-index-of-another-target", |scene| {
                    scene.index(|index| "another shelf".clone_into(&mut index.target))
                }),
                ("step-3-index-created-at-another-time", |scene| {
                    scene.index(|index| index.created_at = index.created_at.after(Duration::from_millis(1)))
                }),
                ("step-3-index-of-another-expiry", |scene| {
                    scene.index(|index| index.expires_at = index.expires_at.after(Duration::from_secs(9)))
                }),
                ("step-3-index-of-another-requester-who-asks", |scene| {
                    scene.requester = requester("bob");
                    scene.index(|index| "bob".clone_into(&mut index.requester))
                }),
            ],
        )
        .await?;
        let nonce = |scene: &mut Scene| {
            let edit = |secrets: &mut Value| secrets["leaves"][0]["nonce"] = json!("A".repeat(43));
            scene.edit(RecordKind::Secrets, edit).map(drop)
        };
        let value = |scene: &mut Scene| {
            let edit = |secrets: &mut Value| secrets["leaves"][0]["value"] = json!("another");
            scene.edit(RecordKind::Secrets, edit).map(drop)
        };
        let leaf =
            |scene: &mut Scene| scene.edit(RecordKind::Secrets, |secrets| secrets["leaves"] = json!([])).map(drop);
        let edits: [(&str, Change); 3] = [
            ("secret-with-another-nonce", nonce),
            ("secret-of-another-value", value),
            ("secret-leaf-without-a-value", leaf),
        ];
        self.changed(Base::Requester, refused("integrity_failure"), &edits).await
    }

    /// Step 3: each seal holds, and what the state says does not follow from what it names.
    pub(super) async fn coherent(&mut self) -> Result<()> {
        let intended = refused("integrity_failure");
        self.changed(
            Base::Another,
            intended.clone(),
            &[
                ("step-3-approval-outlives-the-plan", |scene| {
                    scene.edit_state(|state| state["approvalExpiresAt"] = json!("2026-01-01T01:00:00.001Z"))
                }),
                ("step-3-decision-named-twice", |scene| {
                    scene.edit_state(|state| state["decisions"] = json!([state["decisions"][0], state["decisions"][0]]))
                }),
                ("step-3-approved-with-a-cause", |scene| scene.edit_state(|state| state["cause"] = json!("plan"))),
                ("step-3-approved-with-a-claim", |scene| {
                    let claim = json!({
                        "claimId": "AAAAAAAAAAAAAAAAAAAAAA",
                        "claimedAt": "2026-01-01T00:00:01.000Z",
                        "lease": "2026-01-01T00:00:31.000Z",
                        "deadline": "2026-01-01T00:05:01.000Z",
                    });
                    scene.edit_state(|state| state["claim"] = claim)
                }),
                ("step-3-planned-with-a-decision", |scene| {
                    scene.edit_state(|state| {
                        state["state"] = json!("planned");
                        without(state, "approvalExpiresAt");
                    })?;
                    scene.index(|index| index.state = State::Planned)
                }),
                ("step-3-awaiting-approval-and-approved", |scene| {
                    scene.edit_state(|state| state["state"] = json!("awaiting_approval"))?;
                    scene.index(|index| index.state = State::AwaitingApproval)
                }),
                ("step-3-expired-without-a-cause", |scene| {
                    scene.edit_state(|state| {
                        state["state"] = json!("expired");
                        state["secretsErased"] = json!(true);
                    })?;
                    scene.index(|index| index.state = State::Expired)
                }),
                ("step-3-rejected-by-an-approval", |scene| {
                    scene.edit_state(|state| {
                        state["state"] = json!("rejected");
                        state["secretsErased"] = json!(true);
                    })?;
                    scene.index(|index| index.state = State::Rejected)
                }),
            ],
        )
        .await?;
        type Edit = fn(&Scene) -> Result<()>;
        let edits: [(&str, Edit); 9] = [
            ("step-3-secrets-kept-after-the-claim", |scene| {
                scene.edit_state(|state| state["secretsErased"] = json!(false))
            }),
            ("step-3-claim-without-an-execution", |scene| scene.edit_state(|state| without(state, "execution"))),
            ("step-3-executed-without-a-challenge", |scene| {
                scene.edit_state(|state| {
                    without(state, "challenge");
                    without(state, "decisions");
                })
            }),
            ("step-3-executed-without-an-approval", |scene| {
                scene.edit_state(|state| without(state, "approvalExpiresAt"))
            }),
            ("step-3-deadline-of-a-claim-edited", |scene| {
                scene.edit_state(|state| state["claim"]["deadline"] = json!("2026-01-01T09:00:00.000Z"))
            }),
            ("step-3-lease-of-a-claim-shortened", |scene| {
                scene.edit_state(|state| state["claim"]["lease"] = state["claim"]["claimedAt"].clone())
            }),
            ("step-3-execution-of-another-claim", |scene| {
                execution(scene, |execution| execution["claimId"] = json!("AAAAAAAAAAAAAAAAAAAAAA"))
            }),
            ("step-3-execution-claimed-at-another-time", |scene| {
                execution(scene, |execution| execution["claimedAt"] = json!("2026-01-01T00:00:00.000Z"))
            }),
            ("step-3-execution-of-another-outcome", |scene| {
                execution(scene, |execution| execution["outcome"] = json!("failed"))
            }),
        ];
        for (name, edit) in edits {
            let scene = self.executed().await?;
            edit(&scene).with_context(|| format!("`{name}`"))?;
            self.push(name, scene, intended.clone()).await?;
        }
        Ok(())
    }

    /// Step 4.
    pub(super) async fn bound(&mut self) -> Result<()> {
        self.changed(
            Base::Another,
            refused("approval_hash_mismatch"),
            &[
                ("step-4-another-digest-sent", |scene| {
                    scene.digest = Some(Digest::of_bytes(b"another plan").to_string());
                    Ok(())
                }),
                ("step-4-another-plan-s-digest-sent", |scene| {
                    scene.digest = Some(scene.rival.plan_digest.to_string());
                    Ok(())
                }),
                ("step-4-another-value-repeated", |scene| {
                    scene.repeated = Some(scene.stage.target.call("a", &json!(2)));
                    Ok(())
                }),
                ("step-4-another-tool-repeated", |scene| {
                    let mut call = scene.stage.target.call("a", &json!(1));
                    "take".clone_into(&mut call.tool);
                    scene.repeated = Some(call);
                    Ok(())
                }),
                ("step-4-one-argument-more-repeated", |scene| {
                    let mut call = scene.stage.target.call("a", &json!(1));
                    call.arguments.insert("more".to_owned(), Value::Null);
                    scene.repeated = Some(call);
                    Ok(())
                }),
                ("step-4-plan-state-of-another-digest", |scene| {
                    scene.edit_state(|state| state["planDigest"] = json!(Digest::of_bytes(b"another plan")))
                }),
                ("step-4-challenge-of-another-digest", |scene| {
                    let other = json!(Digest::of_bytes(b"another plan"));
                    let digest = scene.edit(RecordKind::Challenge, |challenge| challenge["planDigest"] = other)?;
                    scene.edit_state(|state| state["challenge"] = digest)
                }),
                ("step-4-challenge-of-another-plan", |scene| {
                    let digest = scene.edit(RecordKind::Challenge, |challenge| challenge["planId"] = json!(NOBODYS))?;
                    scene.edit_state(|state| state["challenge"] = digest)
                }),
                ("step-4-decision-on-another-digest", |scene| {
                    scene.edit_decision(0, |decision| decision["planDigest"] = json!(Digest::of_bytes(b"another plan")))
                }),
                ("step-4-decision-on-another-plan", |scene| {
                    scene.edit_decision(0, |decision| decision["planId"] = json!(NOBODYS))
                }),
                ("step-4-decision-under-another-challenge", |scene| {
                    scene.edit_decision(0, |decision| decision["challengeId"] = json!("AAAAAAAAAAAAAAAAAAAAAA"))
                }),
                ("step-4-another-intent", |scene| {
                    scene.edit(RecordKind::Intent, |intent| intent["steps"][0]["body"] = json!(2)).map(drop)
                }),
                ("step-4-another-salt-of-the-intent", |scene| {
                    scene.edit(RecordKind::Intent, |intent| intent["salt"] = json!("A".repeat(43))).map(drop)
                }),
                ("step-4-another-review", |scene| {
                    let edit = |review: &mut Value| review["headline"]["text"] = json!("nothing will happen");
                    scene.edit(RecordKind::Review, edit).map(drop)
                }),
                ("step-4-header-edited-after-the-approval", |scene| {
                    let later = json!("2026-01-01T09:00:00.000Z");
                    scene.edit(RecordKind::Header, |header| header["expiresAt"] = later)?;
                    scene.index(|index| {
                        index.expires_at = index.created_at.after(Duration::from_secs(9 * 3600));
                    })
                }),
                ("step-4-header-of-another-intent", |scene| {
                    let other = json!(Digest::of_bytes(b"another intent"));
                    scene.edit(RecordKind::Header, |header| header["intentDigest"] = other).map(drop)
                }),
                ("step-4-header-and-plan-state-edited", |scene| {
                    let edit = |header: &mut Value| header["enforcement"]["isolation"] = json!("same-user");
                    let digest = scene.edit(RecordKind::Header, edit)?;
                    scene.edit_state(|state| state["planDigest"] = digest)
                }),
            ],
        )
        .await?;
        let scene = self.executed().await?;
        let other = json!(Digest::of_bytes(b"another plan"));
        let digest = scene.edit(RecordKind::Execution, |execution| execution["planDigest"] = other)?;
        scene.edit_state(|state| state["execution"] = digest)?;
        self.push("step-4-execution-of-another-digest", scene, refused("approval_hash_mismatch")).await
    }
}

impl Scene {
    /// Changes the columns of the plan, and no record.
    fn index(&self, change: impl FnOnce(&mut approval_core::store::PlanIndex)) -> Result<()> {
        let mut tables = self.stage.memory.tables();
        change(tables.plans.get_mut(&self.plan_id()).context("the plan")?);
        Ok(())
    }
}

fn without(record: &mut Value, member: &str) {
    if let Some(members) = record.as_object_mut() {
        members.remove(member);
    }
}

/// Changes the execution, and its digest in the plan's state.
fn execution(scene: &Scene, change: impl FnOnce(&mut Value)) -> Result<()> {
    let digest = scene.edit(RecordKind::Execution, change)?;
    scene.edit_state(|state| state["execution"] = digest)
}
