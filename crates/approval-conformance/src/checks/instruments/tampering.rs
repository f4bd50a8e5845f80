//! A hand in the store's files, without a key (gate.md, steps 3 and 4).

use super::acts::anew;
use crate::agent::Plan;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Op, PersonVerdict, Tamper};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

/// A check of one case on one kind of record.
macro_rules! tampered {
    ($id:literal, $case:ident, $record:literal, $hostile:literal, $requirements:expr) => {
        Check {
            id: $id,
            level: Level::L2,
            scope: Scope::Alone,
            requirements: $requirements,
            case: Some($hostile),
            tries: match Tamper::$case {
                Tamper::EditedColumn => concat!("A column that a decision uses says something else than the `", $record, "` of a plan."),
                Tamper::EditedRow => concat!("A byte of the sealed `", $record, "` of a plan is another."),
                Tamper::MissingRow => concat!("The `", $record, "` of a plan is gone."),
                Tamper::TransplantedRow => concat!("The `", $record, "` of another plan stands in the place of the plan's own."),
            },
            expects: "`integrity_failure` for each call about the plan, and no effect (no further one, where it had been executed). The other plan is as it was.",
            run: |scene| Box::pin(async move { tampered(&scene, Tamper::$case, $record).await }),
        }
    };
}

const BOUND: &[&str] = &["SEAL-003", "SEAL-016", "GATE-030", "GATE-002"];
const MISSING: &[&str] = &["GATE-031", "REC-040", "GATE-002"];

pub(super) const ALL: &[Check] = &[
    tampered!("edited-row-header", EditedRow, "header", "edited-row", &["GATE-030", "GATE-002"]),
    tampered!("edited-row-intent", EditedRow, "intent", "edited-row", &["GATE-030", "GATE-002", "SEAL-001"]),
    tampered!("edited-row-review", EditedRow, "review", "edited-row", &["GATE-030", "GATE-002", "SEAL-001"]),
    tampered!("edited-row-challenge", EditedRow, "challenge", "edited-row", &["GATE-030", "GATE-002"]),
    tampered!("edited-row-decision", EditedRow, "decision", "edited-row", &["GATE-030", "GATE-002"]),
    tampered!("edited-row-plan-state", EditedRow, "plan-state", "edited-row", &["GATE-030", "GATE-002"]),
    tampered!("edited-row-execution", EditedRow, "execution", "edited-row", &["GATE-030", "GATE-002"]),
    tampered!("edited-row-event", EditedRow, "event", "edited-row", &["GATE-030", "SEAL-007"]),
    tampered!("transplanted-row-header", TransplantedRow, "header", "transplanted-row", BOUND),
    tampered!("transplanted-row-intent", TransplantedRow, "intent", "transplanted-row", BOUND),
    tampered!("transplanted-row-review", TransplantedRow, "review", "transplanted-row", BOUND),
    tampered!("transplanted-row-challenge", TransplantedRow, "challenge", "transplanted-row", BOUND),
    tampered!("transplanted-row-decision", TransplantedRow, "decision", "transplanted-row", BOUND),
    tampered!("transplanted-row-plan-state", TransplantedRow, "plan-state", "transplanted-row", BOUND),
    tampered!("transplanted-row-execution", TransplantedRow, "execution", "transplanted-row", BOUND),
    tampered!("transplanted-row-event", TransplantedRow, "event", "transplanted-row", BOUND),
    tampered!("missing-row-header", MissingRow, "header", "missing-row", MISSING),
    tampered!("missing-row-intent", MissingRow, "intent", "missing-row", MISSING),
    tampered!("missing-row-review", MissingRow, "review", "missing-row", MISSING),
    tampered!("missing-row-challenge", MissingRow, "challenge", "missing-row", MISSING),
    tampered!("missing-row-decision", MissingRow, "decision", "missing-row", MISSING),
    tampered!("missing-row-plan-state", MissingRow, "plan-state", "missing-row", MISSING),
    tampered!("missing-row-execution", MissingRow, "execution", "missing-row", MISSING),
    tampered!("missing-row-event", MissingRow, "event", "missing-row", &["GATE-031", "SEAL-007"]),
    Check {
        id: "edited-column",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["STORE-008"],
        case: Some("edited-column"),
        tries: "Of one plan after the other, each approved, a column that a decision uses says something else than header, intent, challenge or plan state.",
        expects: "`integrity_failure`, and no effect (`plan_not_found` where the column is whose plan it is). A plan that nobody touched runs.",
        run: run!(edited_column),
    },
    Check {
        id: "broken-plan-is-not-shown",
        level: Level::L2,
        scope: Scope::Alone,
        requirements: &["SHOW-001", "GATE-030", "DEC-001"],
        case: None,
        tries: "A byte of the sealed review of a plan that waits for approval is another; who may approve it opens its page, and approves.",
        expects: "The page has no way to decide, and nothing is decided; and no effect. A plan that nobody touched can be approved, and runs.",
        run: run!(not_shown),
    },
];

async fn tampered(scene: &Scene, case: Tamper, record: &'static str) -> Checked {
    let (agent, call, sound_call) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let (sound, _) = scene.approved(&agent, &sound_call).await?;
    let is_executed = record == "execution";
    if is_executed {
        agent.execute(&plan).await?.executed("applied", false)?;
        agent.execute(&sound).await?.executed("applied", false)?;
    }
    let effects = u64::from(is_executed);
    tamper(scene, (case, record), &plan, &sound).await?;
    let agent = anew(scene).await?;
    // Without the row that a plan is found by there is no such plan.
    let is_findable = !(case == Tamper::MissingRow && matches!(record, "header" | "plan-state"));
    let reasons: &[&str] = if is_findable { &["integrity_failure"] } else { &["integrity_failure", "plan_not_found"] };
    for _ in 0..2 {
        agent.execute(&plan).await?.refused(reasons)?;
    }
    scene.occurred(&call, effects).await?;
    agent.execute(&sound).await?.executed("applied", is_executed)?;
    scene.occurred(&sound_call, 1).await?;
    // Each call about it stops where the execution does.
    agent.ask_challenge(&plan).await?.refused(reasons)?;
    agent.cancel(&plan).await?.refused(reasons)?;
    agent.status(&plan).await?.refused(reasons)
}

async fn edited_column(scene: &Scene) -> Checked {
    let mut last = None;
    let mut is_tried = false;
    for record in ["plan-state", "header", "challenge", "intent"] {
        let (agent, call, sound_call) = (scene.agent().await?, scene.plain()?, scene.plain()?);
        let (plan, _) = scene.approved(&agent, &call).await?;
        let (sound, _) = scene.approved(&agent, &sound_call).await?;
        match tamper(scene, (Tamper::EditedColumn, record), &plan, &sound).await {
            Ok(()) => is_tried = true,
            // Which columns there are is the server's affair.
            Err(Stop::NotTestable(why)) => {
                last = Some(why);
                continue;
            }
            Err(stop) => return Err(stop),
        }
        let agent = anew(scene).await?;
        let reasons: &[&str] =
            if record == "header" { &["integrity_failure", "plan_not_found"] } else { &["integrity_failure"] };
        agent.execute(&plan).await?.refused(reasons)?;
        agent.execute(&plan).await?.refused(reasons)?;
        scene.occurred(&call, 0).await?;
        agent.execute(&sound).await?.executed("applied", false)?;
        scene.occurred(&sound_call, 1).await?;
    }
    if is_tried { Ok(()) } else { Err(Stop::NotTestable(last.unwrap_or_default())) }
}

async fn not_shown(scene: &Scene) -> Checked {
    let (agent, call, sound_call) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let (sound, asked) = scene.challenged(&agent, &sound_call).await?;
    let person = &scene.approver(&agent, &call)?;
    tamper(scene, (Tamper::EditedRow, "review"), &plan, &sound).await?;
    let agent = anew(scene).await?;
    let form = scene.form(person, &challenge.url, PersonVerdict::Approve).await?;
    ensure(form.is_none(), || "the page of a plan whose seal doesn't hold has a way to approve it".to_owned())?;
    let decided = scene.decide(person, PersonVerdict::Approve, &challenge).await?;
    ensure(!decided.decided, || "a plan whose seal doesn't hold was approved".to_owned())?;
    agent.execute(&plan).await?.refused(&["integrity_failure"])?;
    scene.occurred(&call, 0).await?;
    scene.approve(&agent, &sound_call, &asked).await?;
    agent.execute(&sound).await?.executed("applied", false)?;
    scene.occurred(&sound_call, 1).await
}

async fn tamper(scene: &Scene, (case, record): (Tamper, &str), plan: &Plan, other: &Plan) -> Checked {
    let other = (case == Tamper::TransplantedRow).then(|| other.id.clone());
    scene.has(Op::Tamper { plan_id: plan.id.clone(), case, record: record.to_owned(), other }).await
}
