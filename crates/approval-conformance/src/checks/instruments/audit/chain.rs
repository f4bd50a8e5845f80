//! The links of the chain, and the checkpoints that prove it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Export;
use super::export::keys;
use crate::check::{Check, Level, Scope, run};
use crate::checks::instruments::acts::restarted;
use crate::driver::{KillWhen, Op};
use crate::oracle::{KeySet, verify_audit};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "audit-goes-on-after-a-restart",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-004", "AUDIT-007", "AUDIT-009", "AUDIT-008", "AUDIT-012"],
        case: None,
        tries: "The server starts again, once after it was ended and once after it died, with plans made in between; one of them goes its way over both.",
        expects: "The audit verifies. Each writer begins with `audit.started`, its enforcement, and the heads that nobody had named.",
        run: run!(after_a_restart),
    },
    Check {
        id: "checkpoint-in-good-order",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &[
            "CKPT-001",
            "CKPT-002",
            "CKPT-003",
            "CKPT-010",
            "CKPT-011",
            "AUDIT-010",
            "AUDIT-012",
            "AUDIT-014",
            "KEYS-010",
        ],
        case: None,
        tries: "The server is ended in good order, and starts again, twice, with a plan executed in between.",
        expects: "The audit has a checkpoint of each end, which verifies with the key set, and proves the events before it.",
        run: run!(checkpoints),
    },
    Check {
        id: "edited-audit",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["AUDIT-003", "AUDIT-008", "AUDIT-015"],
        case: Some("edited-audit"),
        tries: "In the export of an audit one event after the other is edited, removed, doubled and moved.",
        expects: "A verifier names each that other events link to: the edited line, and the line where one is missing or stands twice.",
        run: run!(edited),
    },
    Check {
        id: "cut-audit",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["CKPT-012", "CKPT-003"],
        case: Some("cut-audit"),
        tries: "The export is cut before its last checkpoint, of which a copy was kept elsewhere.",
        expects: "A verifier says `tail_missing`.",
        run: run!(cut),
    },
];

async fn after_a_restart(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let first = writers(&Export::of(scene).await?);
    restarted(scene).await?;
    scene.approve(&agent, &call, &challenge).await?;
    let second = writers(&Export::of(scene).await?);
    scene.has(Op::Kill { when: KillWhen::Now }).await?;
    let agent = restarted(scene).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let export = Export::of(scene).await?;
    let third = writers(&export);
    ensure(first.is_subset(&second) && first.len() < second.len(), || {
        "a process that was started anew goes on as the writer of another one".to_owned()
    })?;
    ensure(second.is_subset(&third) && second.len() < third.len(), || {
        "a process that was started after a crash goes on as the writer that died".to_owned()
    })?;
    let mut seen = BTreeSet::new();
    for event in &export.events {
        if seen.insert(event.writer()) {
            ensure(event.kind() == "audit.started", || {
                format!("a writer begins with `{}` in place of `audit.started`", event.kind())
            })?;
        }
    }
    // Events that no head and no writer vouches for would be lost unseen: each writer's last one but the youngest's is named.
    let named: BTreeSet<&str> = export
        .events
        .iter()
        .filter_map(|event| event.get("heads").and_then(Value::as_array))
        .flatten()
        .filter_map(|head| head.get("writer").and_then(Value::as_str))
        .collect();
    let unnamed = second.iter().find(|writer| !named.contains(writer.as_str()));
    ensure(unnamed.is_none(), || "a writer that ended is named by none that began later".to_owned())
}

async fn checkpoints(scene: &Scene) -> Checked {
    let (export, keys) = ended_twice(scene).await?;
    let audit = export.proven(&keys)?;
    ensure(audit.checkpoints >= 2 && audit.proven.is_some_and(|proven| proven > 0), || {
        format!("{} checkpoints prove {:?} events after two ends in good order", audit.checkpoints, audit.proven)
    })?;
    ensure(audit.events == export.audit.events, || "with keys there are other events than without".to_owned())
}

async fn edited(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    for _ in 0..2 {
        let (plan, _) = scene.approved(&agent, &scene.plain()?).await?;
        agent.execute(&plan).await?.executed("applied", false)?;
    }
    let export = Export::of(scene).await?;
    let mut tried = 0;
    for (at, line) in export.lines.iter().enumerate() {
        let Some(place) = export.vouched(at) else { continue };
        tried += 1;
        let number = u64::try_from(at).unwrap_or(u64::MAX) + 1;
        let is_named = |lines: &[String], lines_named: &[u64], what: &str| {
            let found = verify_audit(lines, None, None);
            let is_named = found.as_ref().is_err_and(|fault| lines_named.contains(&fault.line));
            ensure(is_named, || format!("line {number} was {what}, and a verifier says {found:?}"))
        };
        let edited = line.replacen(&place, &other(&place), 1);
        let mut lines = export.lines.clone();
        lines.splice(at..=at, [edited]);
        is_named(&lines, &[number], "edited")?;
        let mut lines = export.lines.clone();
        lines.remove(at);
        let removed = verify_audit(&lines, None, None);
        ensure(removed.as_ref().is_err_and(|fault| fault.line >= number), || {
            format!("line {number} was removed, and a verifier says {removed:?}")
        })?;
        let mut lines = export.lines.clone();
        lines.insert(at, line.clone());
        is_named(&lines, &[number + 1], "doubled")?;
        let mut lines = export.lines.clone();
        let moved = lines.remove(at);
        lines.push(moved);
        let found = verify_audit(&lines, None, None);
        ensure(found.is_err(), || format!("line {number} was moved to the end, and a verifier finds no fault"))?;
    }
    ensure(tried > 5, || format!("of the events of two plans' ways others link to {tried}"))
}

async fn cut(scene: &Scene) -> Checked {
    let (export, keys) = ended_twice(scene).await?;
    let Some(kept) = export.checkpoints().last().copied() else {
        return Err(Stop::fail("an audit that was ended in good order has no checkpoint"));
    };
    // The control: whole, it holds with what was kept.
    verify_audit(&export.lines, Some(&keys), Some(kept)).map_err(|fault| Stop::fail(format!("the audit: {fault}")))?;
    let before = export.lines.iter().take_while(|line| line.as_str() != kept).count();
    let lines: Vec<String> = export.lines.iter().take(before.saturating_sub(1)).cloned().collect();
    let found = verify_audit(&lines, Some(&keys), Some(kept));
    ensure(found.as_ref().is_err_and(|fault| fault.code == "tail_missing"), || {
        format!("the audit was cut before a checkpoint that was kept, and a verifier says {found:?}")
    })
}

/// The export after two ends in good order, and the key set.
async fn ended_twice(scene: &Scene) -> Checked<(Export, KeySet)> {
    let mut agent = scene.agent().await?;
    let mut last = None;
    for _ in 0..2 {
        let (plan, _) = scene.approved(&agent, &scene.plain()?).await?;
        agent.execute(&plan).await?.executed("applied", false)?;
        last = Some(plan);
        agent = restarted(scene).await?;
    }
    let export = Export::of(scene).await?;
    let plan = last.ok_or_else(|| Stop::Fault("no plan was made".to_owned()))?;
    let keys = keys(scene, &plan).await?;
    Ok((export, keys))
}

fn writers(export: &Export) -> BTreeSet<String> {
    export.events.iter().map(|event| event.writer().to_owned()).collect()
}

impl Export {
    /// The time of the event in a line, where a later event of the same writer vouches for it.
    fn vouched(&self, at: usize) -> Option<String> {
        let read = |line: &String| serde_json::from_str::<Value>(line).ok();
        let event = read(self.lines.get(at)?)?;
        let writer = event.get("writer")?.as_str()?;
        let mut later = self.lines.iter().skip(at + 1).filter_map(read);
        later.any(|later| later.get("writer").and_then(Value::as_str) == Some(writer)).then_some(())?;
        event.get("at")?.as_str().map(str::to_owned)
    }
}

/// Another time of the same form.
fn other(time: &str) -> String {
    match time.strip_suffix("1Z") {
        Some(rest) => format!("{rest}2Z"),
        None => time.get(..time.len().saturating_sub(2)).map(|rest| format!("{rest}1Z")).unwrap_or_default(),
    }
}
