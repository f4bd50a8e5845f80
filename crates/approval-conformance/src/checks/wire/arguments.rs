//! Arguments of the four tools (profile.md, 4.6 and section 5; gate.md, step 1).

use serde_json::{Map, Value, json};

use super::came::about_it;
use crate::agent::about;
use crate::answer::Answer;
use crate::check::{Check, Level, Scope, run};
use crate::scene::Scene;
use crate::verdict::{Checked, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "no-digest",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-011", "DIG-041", "WIRE-032"],
        case: Some("no-digest"),
        tries: "An approved plan is executed, and put before a person, with its digest in capitals, without its prefix, with another one, cut, lengthened, and with white space.",
        expects: "`payload_invalid`, and no effect. With its digest the plan runs.",
        run: run!(no_digest),
    },
    Check {
        id: "smuggled-argument",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-042", "DIG-105", "WIRE-032"],
        case: Some("smuggled-argument"),
        tries: "Each of the four tools is called with an argument that its table doesn't have: one of the gated tool's, `approved`, `force`, another tool's.",
        expects: "`payload_invalid`, and no effect. Without it the plan runs.",
        run: run!(smuggled),
    },
    Check {
        id: "argument-of-another-form",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-042", "WIRE-032"],
        case: None,
        tries: "Each of the four tools is called without `planId`, without arguments, and with arguments of another form.",
        expects: "`payload_invalid`, and no effect. As they should be, they are answered.",
        run: run!(other_form),
    },
    Check {
        id: "refusal-names-the-argument",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["WIRE-042"],
        case: None,
        tries: "A plan is executed with an argument more, without `planId`, and with a digest that is a number.",
        expects: "A refusal that has a `member` names that argument.",
        run: run!(named),
    },
    Check {
        id: "ill-formed-plan",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["GATE-010", "REC-003", "WIRE-032"],
        case: Some("ill-formed-plan"),
        tries: "Each of the four tools is called with the id of an approved plan in other spellings, with an empty one, with paths, and with ids that can't be.",
        expects: "`plan_not_found`, and no effect. With its id the plan runs.",
        run: run!(ill_formed),
    },
];

async fn no_digest(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let digits = plan.digest.strip_prefix("sha256:").unwrap_or_default();
    let spellings = [
        plan.digest.to_uppercase(),
        format!("sha256:{}", digits.to_uppercase()),
        format!("SHA256:{digits}"),
        format!("sha512:{digits}"),
        format!("sha-256:{digits}"),
        digits.to_owned(),
        format!("sha256:{}", digits.get(1..).unwrap_or_default()),
        format!("sha256:{digits}0"),
        format!(" {}", plan.digest),
        format!("{} ", plan.digest),
        format!("{}\n", plan.digest),
        format!("sha256: {digits}"),
        "sha256:".to_owned(),
        String::new(),
    ];
    for spelling in spellings {
        for tool in [&agent.names().execute, &agent.names().challenge] {
            let answer = agent.call(tool, &about(&plan.id, Some(&spelling))).await?;
            about_it(&format!("the digest `{}`", spelling.escape_debug()), answer.refused(&["payload_invalid"]))?;
        }
    }
    scene.occurred(&call, 0).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn smuggled(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let of_tool = call.arguments.iter().next().map(|(name, value)| (name.as_str(), value.clone()));
    let names = agent.names();
    let common = [
        ("arguments", Value::Object(call.arguments.clone())),
        ("approved", json!(true)),
        ("force", json!(true)),
        ("planid", json!(plan.id)),
        ("plan_id", json!(plan.id)),
        ("__proto__", json!({"approved": true})),
        ("", json!(1)),
    ];
    let of_others = [
        (&names.challenge, vec![("waitSeconds", json!(1))]),
        (&names.status, vec![("planDigest", json!(plan.digest))]),
        (&names.execute, vec![("waitSeconds", json!(1))]),
        (&names.cancel, vec![("planDigest", json!(plan.digest)), ("waitSeconds", json!(1))]),
    ];
    for (tool, others) in of_others {
        for (member, value) in common.iter().cloned().chain(of_tool.clone()).chain(others) {
            let mut arguments = about(&plan.id, None);
            arguments.insert(member.to_owned(), value);
            let answer = agent.call(tool, &arguments).await?;
            about_it(&format!("`{tool}` with `{member}`"), answer.refused(&["payload_invalid"]))?;
        }
    }
    scene.occurred(&call, 0).await?;
    agent.status(&plan).await?.stands("approved")?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn other_form(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let names = agent.names();
    for tool in names.all() {
        for value in [json!(null), json!(1), json!(true), json!([plan.id]), json!({"planId": plan.id})] {
            let mut arguments = Map::new();
            arguments.insert("planId".to_owned(), value.clone());
            let answer = agent.call(tool, &arguments).await?;
            about_it(&format!("`{tool}` with the `planId` {value}"), answer.refused(&["payload_invalid"]))?;
        }
        let answer = agent.call(tool, &Map::new()).await?;
        about_it(&format!("`{tool}` without `planId`"), answer.refused(&["payload_invalid"]))?;
        let mut request = agent.prepare_call(tool, &Map::new());
        request.params.remove("arguments");
        let answer = agent.send_call(&request, scene.world().answer_within()).await?;
        about_it(&format!("`{tool}` without arguments"), answer.refused(&["payload_invalid"]))?;
    }
    let forms = [json!(null), json!(1), json!([plan.digest]), json!(false)];
    let waits = [json!(null), json!(-1), json!(1.5), json!("1"), json!([1]), json!(true)];
    let digests = forms.iter().flat_map(|form| [(&names.execute, form), (&names.challenge, form)]);
    let digests = digests.map(|(tool, form)| (tool, "planDigest", form));
    for (tool, member, value) in digests.chain(waits.iter().map(|form| (&names.status, "waitSeconds", form))) {
        let mut arguments = about(&plan.id, None);
        arguments.insert(member.to_owned(), value.clone());
        let answer = agent.call(tool, &arguments).await?;
        about_it(&format!("`{tool}` with the `{member}` {value}"), answer.refused(&["payload_invalid"]))?;
    }
    scene.occurred(&call, 0).await?;
    agent.status_waiting(&plan, 0).await?.stands("approved")?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

async fn named(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let plan = scene.plan(&agent, &call).await?;
    let execute = &agent.names().execute;
    let mut more = about(&plan.id, None);
    more.insert("approved".to_owned(), json!(true));
    names(&agent.call(execute, &more).await?, "approved")?;
    names(&agent.call(execute, &Map::new()).await?, "planId")?;
    let mut number = about(&plan.id, None);
    number.insert("planDigest".to_owned(), json!(1));
    names(&agent.call(execute, &number).await?, "planDigest")
}

/// Holds that the refusal names no other argument. That it names one is recommended only.
fn names(answer: &Answer, argument: &str) -> Checked {
    answer.refused(&["payload_invalid"])?;
    ensure(answer.text("member").is_none_or(|member| member == argument), || {
        format!("the refusal names `{}`, and it is `{argument}`", answer.text("member").unwrap_or_default())
    })
}

async fn ill_formed(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    for spelling in spellings(&plan.id) {
        for tool in agent.names().all() {
            let answer = agent.call(tool, &about(&spelling, None)).await?;
            let shown: String = spelling.escape_debug().take(60).collect();
            about_it(&format!("the plan id `{shown}`"), answer.refused(&["plan_not_found"]))?;
        }
    }
    scene.occurred(&call, 0).await?;
    agent.status(&plan).await?.stands("approved")?;
    agent.execute(&plan).await?.executed("applied", false)?;
    scene.occurred(&call, 1).await
}

fn spellings(id: &str) -> Vec<String> {
    let bare = id.replace('-', "");
    let wide: String = id.chars().map(|it| if it == '7' { '\u{ff17}' } else { it }).collect();
    let mut spellings: Vec<String> = [
        id.to_uppercase(),
        bare.clone(),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        format!(" {id}"),
        format!("{id} "),
        format!("{id}\n"),
        format!("{id}\0"),
        format!("{id}\u{200b}"),
        format!("\u{feff}{id}"),
        format!("{id}/"),
        format!("./{id}"),
        format!("{id}?"),
        format!("{id}%00"),
        format!("{id}'--"),
        wide,
        id.replace('-', "\u{2010}"),
        id.get(1..).unwrap_or_default().to_owned(),
        String::new(),
        " ".to_owned(),
        "..".to_owned(),
        "../../etc/passwd".to_owned(),
        "/".to_owned(),
        "%".to_owned(),
        "*".to_owned(),
        "null".to_owned(),
        "0".to_owned(),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        "' OR '1'='1".to_owned(),
        "9".repeat(10_000),
    ]
    .into();
    // A version 4 one of the same digits.
    if let (Some(begin), Some(end)) = (id.get(..14), id.get(15..)) {
        spellings.push(format!("{begin}4{end}"));
    }
    spellings
}
