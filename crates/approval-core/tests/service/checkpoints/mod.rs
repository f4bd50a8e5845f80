//! Checkpoints: public keys are enough to tell what was done to an audit, and where.

mod faults;
mod made;

use std::sync::Arc;

use approval_core::Approvals;
use approval_core::audit::{AuditFault, AuditReport, Evidence, verify};
use approval_core::record::{Rule, Verdict};
use approval_core::signing::{KeySet, Signer as _};
use approval_testkit::{MemoryAnchor, Room};
use serde_json::json;

use crate::support::{always, applied, approved, start};

pub(crate) async fn export(approvals: &Approvals) -> Vec<String> {
    let mut export = approvals.audit().export();
    let mut lines = Vec::new();
    loop {
        let more = export.lines(7).await.unwrap();
        if more.is_empty() {
            return lines;
        }
        lines.extend(more);
    }
}

/// Another process, with an anchor.
pub(crate) async fn signing(room: &Room, anchor: Arc<MemoryAnchor>) -> Approvals {
    let signer = Arc::clone(&room.signer);
    start(room, always(Rule::same_subject()), |builder| builder.anchor(anchor).signer(signer)).await
}

pub(crate) fn keys(room: &Room) -> &KeySet {
    room.signer.key_set()
}

pub(crate) fn verified(room: &Room, lines: &[String]) -> Result<AuditReport, AuditFault> {
    verify(lines.join("\n").as_bytes(), &Evidence { keys: Some(keys(room)), ..Evidence::default() })
}

/// Two processes that take turns on several plans, with a checkpoint in the middle and one at the end.
pub(crate) async fn two_writers() -> Room {
    let room = Room::new().await;
    let other = room.another(always(Rule::same_subject())).await;
    for turn in 0..2 {
        let plan = approved(&room).await;
        let put = room.plan(&format!("{turn}"), json!(1)).await.unwrap();
        other.challenge(&Room::alice(), &put.header.plan_id.to_string(), None).await.unwrap();
        applied(&room, &plan).await;
        other.pause("op").await.unwrap();
        room.decide(&put, "alice", Verdict::Approve).await.unwrap();
        other.resume("op").await.unwrap();
        applied(&room, &put).await;
        other.checkpoint().await.unwrap().unwrap();
    }
    room
}

pub(crate) fn is_event(line: &str) -> bool {
    !line.starts_with("{\"payload\"")
}
