//! JSON that two readers could take for two things (digest.md, sections 2 and 5).

use serde_json::{Value, json};

use super::came::{Came, SILENCE, about_it, still_plans, turned_away};
use super::malformed::own;
use crate::agent::Agent;
use crate::check::{Check, Level, Scope, run};
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::Request;

pub(super) const ALL: &[Check] = &[
    Check {
        id: "not-strict",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["PLAN-003", "DIG-022", "DIG-050"],
        case: Some("not-strict"),
        tries: "A gated call with an integer of 2^53 and more among its arguments, in several spellings.",
        expects: "`payload_invalid`, and no effect. With 2^53 - 1 it is planned.",
        run: run!(not_strict),
    },
    Check {
        id: "invalid-argument-is-named",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-044"],
        case: None,
        tries: "A gated call with an integer of 2^53 as one of its arguments.",
        expects: "The refusal names that argument in `member`.",
        run: run!(named),
    },
    Check {
        id: "no-number",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["PLAN-003", "DIG-055", "DIG-021"],
        case: None,
        tries: "A gated call whose number is beyond all doubles, is `NaN` or `Infinity`, or is spelt as JSON doesn't spell one.",
        expects: "No plan: an error, `payload_invalid`, or silence where the message can't be read. The server goes on.",
        run: run!(no_number),
    },
    Check {
        id: "no-text",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["PLAN-003", "DIG-015", "DIG-014"],
        case: None,
        tries: "A gated call with half a surrogate pair, and with bytes that are no UTF-8, in one of its texts.",
        expects: "An error, `payload_invalid`, silence, or a plan where the reader of the message has put something else in its place. The server goes on.",
        run: run!(no_text),
    },
    Check {
        id: "too-deep",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["PLAN-003", "DIG-025", "DIG-004"],
        case: None,
        tries: "A gated call whose arguments open 64, 65, 5 000 and 100 000 containers at once.",
        expects: "No plan: an error, `payload_invalid`, or silence where the message can't be read. With 20 it is planned, and the server goes on.",
        run: run!(too_deep),
    },
    Check {
        id: "no-message",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-041", "DIG-004"],
        case: None,
        tries: "Gated calls that break off, that begin with a byte order mark, that have another call behind them, or that aren't JSON.",
        expects: "No effect, and the server goes on.",
        run: run!(no_message),
    },
];

/// Integers that not every reader holds exactly, however they are spelt.
const TOO_GREAT: &[&str] = &[
    "9007199254740992",
    "-9007199254740992",
    "9007199254740993",
    "9007199254740992.0",
    "9.007199254740992e15",
    "90071992547409920e-1",
    "18446744073709551616",
    "99999999999999999999999999999999999999",
    "1e300",
];
/// What is no finite number of JSON's.
const NO_NUMBERS: &[&str] =
    &["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "01", "+1", "0x10", ".5", "1.", "1_000"];

/// The call as a message whose value at `place` is spelt like that.
pub(super) fn spelt(
    scene: &Scene,
    agent: &Agent,
    (call, place): (&Call, &str),
    literal: &[u8],
) -> Checked<(Request, Vec<u8>)> {
    let (request, [before, after]) = around(scene, agent, (call, place))?;
    Ok((request, [before.as_bytes(), literal, after.as_bytes()].concat()))
}

/// The call as a message, and what of it comes before and after the value at `place`.
pub(super) fn around(scene: &Scene, agent: &Agent, (call, place): (&Call, &str)) -> Checked<(Request, [String; 2])> {
    let mark = json!(scene.unique());
    let call = call.with(place, mark.clone())?;
    let request = agent.prepare_call(&call.tool.name, &call.arguments);
    let text = request.to_json().to_string();
    let (before, after) = text
        .split_once(&mark.to_string())
        .ok_or_else(|| Stop::Fault(format!("nothing can be put at `{place}` of `{}`", call.tool.use_of)))?;
    let around = [before.to_owned(), after.to_owned()];
    Ok((request, around))
}

async fn not_strict(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    for literal in TOO_GREAT {
        let (call, place) = scene.numbered()?;
        let (request, bytes) = spelt(scene, &agent, (&call, &place), literal.as_bytes())?;
        let came = Came::answer(&agent, &bytes, &request).await?;
        about_it(literal, came.refused(&["payload_invalid"]))?;
        scene.occurred(&call, 0).await?;
    }
    for literal in ["9007199254740991", "-9007199254740991"] {
        let (call, place) = scene.numbered()?;
        let (request, bytes) = spelt(scene, &agent, (&call, &place), literal.as_bytes())?;
        let message = agent.raw(&bytes, &request).await?;
        let message = message.ok_or_else(|| Stop::fail(format!("{literal} wasn't answered")))?;
        let plan = about_it(literal, agent.planned(agent.answered(&request, message)))?;
        scene.gives_back(&agent, &plan);
    }
    Ok(())
}

async fn named(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let (call, place) = scene.numbered()?;
    let call = call.with(&place, json!(9_007_199_254_740_992_u64))?;
    let answer = agent.call(&call.tool.name, &call.arguments).await?;
    answer.refused(&["payload_invalid"])?;
    let argument = place.split('/').nth(1).unwrap_or_default().replace("~1", "/").replace("~0", "~");
    ensure(answer.text("member") == Some(argument.as_str()), || {
        format!("`member` is {:?}, and the argument is `{argument}`", answer.text("member"))
    })
}

async fn no_number(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    for literal in NO_NUMBERS {
        let (call, place) = scene.numbered()?;
        let (request, bytes) = spelt(scene, &agent, (&call, &place), literal.as_bytes())?;
        let came = Came::of(&agent, &bytes, &request, SILENCE).await?;
        turned_away(literal, &came, &["payload_invalid"])?;
        scene.occurred(&call, 0).await?;
    }
    still_plans(scene, &agent).await
}

async fn no_text(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    let literals: [&[u8]; 6] =
        [b"\"\\ud800\"", b"\"a\\udc00b\"", b"\"\\udc00\\ud800\"", b"\"\xff\"", b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\""];
    for literal in literals {
        let call = scene.tool("tool with `text`", |tool| tool.text.is_some())?;
        let place = call.tool.text.clone().unwrap_or_default();
        let (request, bytes) = spelt(scene, &agent, (&call, &place), literal)?;
        let came = Came::of(&agent, &bytes, &request, SILENCE).await?;
        let what = literal.escape_ascii().to_string();
        match came.plan() {
            Some(plan) => scene.gives_back(&agent, &about_it(&what, agent.planned(plan.clone()))?),
            None => turned_away(&what, &came, &["payload_invalid"])?,
        }
        scene.occurred(&call, 0).await?;
    }
    still_plans(scene, &agent).await
}

async fn too_deep(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    let deep = || scene.tool("tool with `any`", |tool| tool.any.is_some());
    for depth in [64, 65, 5_000, 100_000] {
        let call = deep()?;
        let place = call.tool.any.clone().unwrap_or_default();
        // The arguments are one container themselves, and so is each that the pointer leads through.
        let inner = depth - place.split('/').skip(1).count();
        let literal = format!("{}{}", "[".repeat(inner), "]".repeat(inner));
        let (request, bytes) = spelt(scene, &agent, (&call, &place), literal.as_bytes())?;
        let came = Came::of(&agent, &bytes, &request, SILENCE).await?;
        turned_away(&format!("{depth} containers"), &came, &["payload_invalid"])?;
        scene.occurred(&call, 0).await?;
    }
    let call = deep()?;
    let place = call.tool.any.clone().unwrap_or_default();
    let value = (0..18).fold(json!("deep"), |value, _| json!([value]));
    scene.plan(&agent, &call.with(&place, value)?).await.map(drop)
}

async fn no_message(scene: &Scene) -> Checked {
    let agent = own(scene).await?;
    for how in
        ["a byte order mark", "half a message", "two messages", "a comment", "single quotes", "nothing", "a text"]
    {
        let call = scene.plain()?;
        let request = agent.prepare_call(&call.tool.name, &call.arguments);
        let text = request.to_json().to_string();
        let second = agent.prepare_call(&call.tool.name, &call.arguments).to_json();
        let odd = match how {
            "a byte order mark" => format!("\u{feff}{text}"),
            "half a message" => text.chars().take(text.chars().count() / 2).collect(),
            "two messages" => format!("{text} {second}"),
            "a comment" => text.replacen('{', "{/* a comment */", 1),
            "single quotes" => text.replace('"', "'"),
            "nothing" => String::new(),
            _ => Value::String(text).to_string(),
        };
        let came = Came::of(&agent, odd.as_bytes(), &request, SILENCE).await?;
        let ran = matches!(&came, Came::Answer(answer) if answer.kind() == Some("execution"));
        ensure(!ran, || format!("{how}: {} came", came.told()))?;
        if let Some(plan) = came.plan() {
            scene.gives_back(&agent, &about_it(how, agent.planned(plan.clone()))?);
        }
        scene.occurred(&call, 0).await?;
    }
    still_plans(scene, &agent).await
}
