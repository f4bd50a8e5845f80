//! What is too large, to the server and to the model (digest.md, DIG-029; profile.md, 4.4).

use bytes::Bytes;
use serde_json::{Value, json};

use super::came::{Came, still_plans};
use super::malformed::own;
use super::strict::{around, spelt};
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::scene::{Call, Scene};
use crate::target::Tool;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "too-large",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-003", "DIG-029", "WIRE-032"],
        case: Some("too-large"),
        tries: "A gated call whose arguments have more than 2 MiB, by a little and by much.",
        expects: "`payload_too_large`, or the transport takes no message of that size; no effect, and the server goes on.",
        run: run!(too_large),
    },
    Check {
        id: "too-many-nodes",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-003", "DIG-029", "DIG-026"],
        case: None,
        tries: "A gated call whose arguments have more than 200 000 nodes in less than 2 MiB.",
        expects: "`payload_too_large`, or the transport takes no message of that size; no effect, and the server goes on.",
        run: run!(too_many),
    },
    Check {
        id: "large-plan-is-cut",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-035", "DIG-029"],
        case: None,
        tries: "A gated call with a text of 100 000 bytes is planned and executed.",
        expects: "Results of at most 16 KiB; what doesn't fit is left out as whole members, and `omitted` names them and the plan's page.",
        run: run!(cut),
    },
    Check {
        id: "left-out-in-order",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-036"],
        case: None,
        tries: "As `large-plan-is-cut`.",
        expects: "Members are left out in the order of WIRE-036: of a plan the changes first.",
        run: run!(in_order),
    },
];

const MEBIBYTE: usize = 1024 * 1024;
/// A text of so many bytes is too large, and hardly the transport's affair.
const LITTLE_MORE: usize = 2 * MEBIBYTE + 1;
/// A result is this long at most.
const RESULT: usize = 16 * 1024;
/// What a member takes besides its value, and more.
const SPARE: usize = 2 * 1024;
const OF_A_PLAN: [&str; 5] = ["changes", "steps", "findings", "warnings", "headline"];
const OF_AN_EXECUTION: [&str; 2] = ["toolResult", "steps"];

async fn too_large(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    for bytes in [LITTLE_MORE, 3 * MEBIBYTE, 20 * MEBIBYTE] {
        let call = scene.tool("tool with `text`", |tool| tool.text.is_some())?;
        let place = call.tool.text.clone().unwrap_or_default();
        let (request, [before, after]) = around(scene, &agent, (&call, &place))?;
        let came = Came::of_parts(&agent, &long_text(before, bytes, &after), &request).await?;
        // A transport that reads no message of that length can't read its id either.
        if bytes == LITTLE_MORE || !matches!(came, Came::Nothing) {
            refused(&format!("arguments of {bytes} bytes"), &came)?;
        }
        scene.occurred(&call, 0).await?;
    }
    still_plans(scene, &agent).await
}

async fn too_many(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    let call = scene.tool("tool with `any`", |tool| tool.any.is_some())?;
    let place = call.tool.any.clone().unwrap_or_default();
    // As text: a tree of so many nodes takes fifty times its memory.
    for (what, item, times) in [
        ("200 001 numbers", "0", 200_001),
        ("200 001 arrays", "[]", 200_001),
        ("arrays of arrays", "[0,1,2,3]", 50_000),
    ] {
        let array = format!("[{}{item}]", format!("{item},").repeat(times - 1));
        let (request, bytes) = spelt(scene, &agent, (&call, &place), array.as_bytes())?;
        refused(what, &Came::answer(&agent, &bytes, &request).await?)?;
    }
    scene.occurred(&call, 0).await?;
    still_plans(scene, &agent).await
}

/// A message with a text of `x`, `length` bytes long.
fn long_text(before: String, length: usize, after: &str) -> Vec<Bytes> {
    const PIECE: usize = 64 * 1024;
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let whole = std::iter::repeat_n(piece.clone(), length / PIECE);
    let rest = piece.slice(..length % PIECE);
    let (begin, end) = (Bytes::from(before + "\""), Bytes::from(format!("\"{after}")));
    std::iter::once(begin).chain(whole).chain([rest, end]).collect()
}

/// The transport's own limit is its own affair: by 413, by an error, by hanging up.
fn refused(what: &str, came: &Came) -> Checked {
    let is_refused = match came {
        Came::Answer(answer) => answer.refused(&["payload_too_large"]).is_ok() || answer.error_code().is_some(),
        Came::TurnedAway(_) => true,
        Came::Nothing => false,
    };
    ensure(is_refused, || format!("{what}: {} came where `payload_too_large` has to", came.told()))
}

async fn cut(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let large = large(scene)?;
    let plan = scene.plan(&agent, &large).await?;
    let challenge = agent.challenge(&plan).await?;
    holds(&plan.answer, &OF_A_PLAN, &challenge.url)?;
    let reads = plan.header.pointer("/policy/requesterReadsTarget") == Some(&Value::Bool(true));
    if reads && large.tool.previewed {
        let is_told = plan.answer.get("changes").is_some() || plan.answer.get("omitted").is_some();
        ensure(is_told, || "the plan has neither `changes` nor `omitted`".to_owned())?;
    }
    scene.approve(&agent, &large, &challenge).await?;
    let execution = agent.execute(&plan).await?;
    execution.executed("applied", false)?;
    holds(&execution, &OF_AN_EXECUTION, &challenge.url)
}

/// A call whose plan has more to tell than a result holds, where a requester may read the target.
fn large(scene: &Scene) -> Checked<Call> {
    let reads = |tool: &Tool| tool.text.is_some() && tool.previewed && tool.requester_reads_target == Some(true);
    let call = scene.tool("tool with `text`", reads);
    let call = call.or_else(|_| scene.tool("tool with `text`", |tool| tool.text.is_some()))?;
    call.with(call.tool.text.as_deref().unwrap_or_default(), json!("long text ".repeat(10_000)))
}

/// Holds that a result is no longer than it may be, and that what was left out is told of.
fn holds(answer: &Answer, may_go: &[&str], page: &str) -> Checked {
    let bytes = answer.result().map_or(0, |result| result.to_string().len());
    ensure(bytes <= RESULT, || format!("{} has {bytes} bytes", answer.told()))?;
    let Some(omitted) = answer.get("omitted") else { return Ok(()) };
    ensure(omitted.get("page").and_then(Value::as_str) == Some(page), || {
        format!("`omitted` names the page {:?}, and the plan's is {page}", omitted.get("page"))
    })?;
    for member in left_out(answer) {
        ensure(answer.get(member).is_none(), || format!("`{member}` was left out, and is there"))?;
        ensure(may_go.contains(&member), || format!("`{member}` of {} was left out", answer.told()))?;
    }
    Ok(())
}

fn left_out(answer: &Answer) -> Vec<&str> {
    let members = answer.get("omitted").and_then(|omitted| omitted.get("members")).and_then(Value::as_array);
    members.into_iter().flatten().filter_map(Value::as_str).collect()
}

async fn in_order(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let large = large(scene)?;
    let plan = scene.plan(&agent, &large).await?;
    let gone = left_out(&plan.answer);
    if gone.is_empty() {
        return Err(Stop::NotApplicable("nothing had to be left out of the plan".to_owned()));
    }
    let last = OF_A_PLAN.iter().rposition(|member| gone.contains(member)).unwrap_or_default();
    let kept = OF_A_PLAN.iter().take(last).find(|member| plan.answer.get(member).is_some());
    ensure(kept.is_none(), || format!("{gone:?} were left out, and `{}` was kept", kept.unwrap_or(&"")))?;
    // As far as needed: a plan whose text is short tells how long the last one is.
    let short = scene.plan(&agent, &scene.call_of(&large.tool)).await?;
    let Some(member) = OF_A_PLAN.get(last).filter(|_| gone.len() > 1) else { return Ok(()) };
    let size = short.answer.get(member).map_or(0, |value| value.to_string().len());
    let taken = plan.answer.result().map_or(0, |result| result.to_string().len());
    ensure(size == 0 || taken + 2 * size + SPARE > RESULT, || {
        format!("`{member}` was left out of a result of {taken} bytes, and has about {size}")
    })
}
