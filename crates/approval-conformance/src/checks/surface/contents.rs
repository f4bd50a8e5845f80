//! What a person must see (approval-surface.md, section 4).

use serde_json::{Map, Value};

use super::acts::{comment_field, leaves, readable, shown, squeezed, with};
use super::documents::{Documents, documents, is_commitment, secret_leaves};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{AnswerHow, Op, PersonVerdict};
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "page-shows-the-plan",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SHOW-002"],
        case: None,
        tries: "The page of a plan of each declared tool is held against header, intent and review.",
        expects: "Headline, findings, sentences, changes, steps, bodies, arguments, what was generated, preconditions, effect keys, normaliser, target, tool, requester, ids and digests stand on it.",
        run: run!(whole),
    },
    Check {
        id: "own-words-come-first",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SHOW-003"],
        case: None,
        tries: "The page of a plan with quotes is read from above.",
        expects: "Headline, findings and sentences of the steps come before every quote.",
        run: run!(order),
    },
    Check {
        id: "worst-finding-first",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SHOW-004"],
        case: None,
        tries: "The page of a plan with findings of several severities is read from above.",
        expects: "`high` comes before `warn`, and `warn` before `info`.",
        run: run!(worst),
    },
    Check {
        id: "change-has-two-sides",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SHOW-005"],
        case: None,
        tries: "A call is carried out, and the same object is changed by a second one.",
        expects: "The second plan's review has a change with `before` and `after`, and what differs stands on the page from both.",
        run: run!(sides),
    },
    Check {
        id: "unresolved-attempt-is-shown",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SHOW-008", "PLAN-009"],
        case: None,
        tries: "A tool of which nothing is known answers an execution with an error, and the same is planned again.",
        expects: "The outcome is `unknown`; the second plan's review lists the attempt, and its page names the first plan.",
        run: run!(unresolved),
    },
    Check {
        id: "live-part-tells-of-decisions",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SHOW-011"],
        case: None,
        tries: "One of a quorum approves with a comment, and the requester and the other approver open the page.",
        expects: "The comment stands on the page that both get.",
        run: run!(live),
    },
];

async fn whole(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let mut missing = Vec::new();
    for tool in readable(scene)? {
        let call = scene.call_of(&tool);
        let person = scene.approver(&agent, &call)?;
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let documents = documents(scene, &person, &plan, &challenge).await?;
        let text = plain(&shown(scene, &person, &challenge.url).await?.page.text);
        agent.cancel(&plan).await?;
        for (what, value) in has_to_stand(&plan.header, &documents) {
            let parts = visible(&value).into_iter().filter(|part| !text.contains(part.as_str()));
            missing.extend(parts.map(|part| format!("{what} of `{}`: `{part}`", tool.use_of)));
        }
        for (what, digest) in [("planDigest", &plan.digest), ("planId", &plan.id)] {
            if !text.contains(digest.as_str()) {
                missing.push(format!("{what} of `{}`: {digest}", tool.use_of));
            }
        }
    }
    missing.truncate(8);
    ensure(missing.is_empty(), || format!("a plan's page lacks {}", missing.join("; ")))
}

async fn order(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let mut found = false;
    for tool in readable(scene)? {
        let call = scene.call_of(&tool);
        let person = scene.approver(&agent, &call)?;
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let Documents { review, .. } = documents(scene, &person, &plan, &challenge).await?;
        let text = plain(&shown(scene, &person, &challenge.url).await?.page.text);
        agent.cancel(&plan).await?;
        let quotes = texts(&review, "quotes");
        // A short one may stand in the page's own words.
        let quotes: Vec<usize> =
            quotes.iter().filter(|quote| quote.len() >= 12).filter_map(|quote| text.find(quote.as_str())).collect();
        let Some(first_quote) = quotes.into_iter().min() else { continue };
        found = true;
        let mut own = texts(&review, "findings");
        own.extend(texts(&review, "steps"));
        own.extend(review.pointer("/headline/text").and_then(Value::as_str).map(plain));
        for words in own.iter().filter(|words| words.len() >= 12) {
            let at = text.find(words.as_str());
            ensure(at.is_some_and(|at| at < first_quote), || {
                format!("on the page of a plan of `{}` a quote comes before the server's own `{words}`", tool.use_of)
            })?;
        }
    }
    ensure(found, String::new).map_err(|_| Stop::NotApplicable("no plan has quotes".to_owned()))
}

async fn worst(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let mut found = false;
    for tool in readable(scene)? {
        let call = scene.call_of(&tool);
        let person = scene.approver(&agent, &call)?;
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let findings = plan.answer.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
        let text = plain(&shown(scene, &person, &challenge.url).await?.page.text);
        agent.cancel(&plan).await?;
        let mut placed = Vec::new();
        for finding in &findings {
            let words = plain(finding.get("text").and_then(Value::as_str).unwrap_or_default());
            let rank = match finding.get("severity").and_then(Value::as_str) {
                Some("high") => 0,
                Some("warn") => 1,
                _ => 2,
            };
            let at = text.find(&words);
            let at = at.ok_or_else(|| {
                Stop::fail(format!("the page of a plan of `{}` lacks the finding `{words}`", tool.use_of))
            })?;
            placed.push((at, rank));
        }
        placed.sort_unstable();
        let ranks: Vec<u8> = placed.into_iter().map(|(_, rank)| rank).collect();
        found |= ranks.iter().min() != ranks.iter().max();
        ensure(ranks.is_sorted(), || {
            format!("on the page of a plan of `{}` a finding stands above a worse one", tool.use_of)
        })?;
    }
    ensure(found, String::new).map_err(|_| Stop::NotApplicable("no plan has findings of several severities".to_owned()))
}

async fn sides(scene: &Scene) -> Checked {
    let wanted = |tool: &crate::target::Tool| tool.previewed && !tool.altered.is_empty();
    let (agent, call) = (scene.agent().await?, scene.tool("tool with `previewed` and `altered`", wanted)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    let second = call.altered()?;
    let person = scene.approver(&agent, &second)?;
    let (plan, challenge) = scene.challenged(&agent, &second).await?;
    let Documents { review, .. } = documents(scene, &person, &plan, &challenge).await?;
    let changes = review.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut differing = Vec::new();
    for change in changes.iter().filter(|change| change.get("before").is_some() && change.get("after").is_some()) {
        let words = |side: &str| {
            let mut found = Vec::new();
            leaves(change.get(side).unwrap_or(&Value::Null), &mut found);
            found.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect::<Vec<String>>()
        };
        let (before, after) = (words("before"), words("after"));
        differing.extend(before.iter().filter(|word| !after.contains(word)).cloned());
        differing.extend(after.iter().filter(|word| !before.contains(word)).cloned());
    }
    ensure(!differing.is_empty(), || {
        format!("the review of a second call on the same object has no change with two sides that differ: {changes:?}")
    })?;
    let text = plain(&shown(scene, &person, &challenge.url).await?.page.text);
    for word in differing {
        for part in visible(&word) {
            ensure(text.contains(&part), || {
                format!("of a change `{part}` doesn't stand on the page {}", challenge.url)
            })?;
        }
    }
    Ok(())
}

async fn unresolved(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.tool("tool with `opaque`", |tool| tool.opaque)?);
    let (plan, _) = scene.approved(&agent, &call).await?;
    let (tool, arguments) = (call.tool.use_of.clone(), call.arguments.clone());
    scene.has(Op::Answer { tool, arguments, how: AnswerHow::Error }).await?;
    let answer = agent.execute(&plan).await?;
    if answer.text("outcome") == Some("failed") {
        return Err(Stop::NotApplicable("the operator takes this tool's errors for free of effects".to_owned()));
    }
    answer.executed("unknown", false)?;
    let person = scene.approver(&agent, &call)?;
    let (second, challenge) = scene.challenged(&agent, &call).await?;
    second.warns_of(&plan)?;
    let text = shown(scene, &person, &challenge.url).await?.text;
    ensure(text.contains(&plan.id), || {
        format!("the page {} doesn't name the unresolved plan {}", challenge.url, plan.id)
    })
}

async fn live(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let approvers = scene.approvers(&agent, &call)?;
    let (Some(one), Some(other)) = (approvers.first(), approvers.get(1)) else {
        return Err(Stop::NotApplicable("the quorum is of one person".to_owned()));
    };
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let form = scene.must_form(one, &challenge.url, PersonVerdict::Approve).await?;
    let said = format!("said-{}", scene.unique());
    scene.send(Some(one), &with(&form, comment_field(&form)?, &said)).await?;
    for person in [&agent.person, other] {
        let text = shown(scene, person, &challenge.url).await?.text;
        ensure(text.contains(&said), || {
            format!("the page that `{person}` gets doesn't tell what was said with the approval")
        })?;
    }
    Ok(())
}

/// What has to stand on a plan's page, and what it is.
fn has_to_stand(header: &Value, documents: &Documents) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    let mut all = |what: &'static str, value: Option<&Value>| {
        let mut texts = Vec::new();
        leaves(value.unwrap_or(&Value::Null), &mut texts);
        found.extend(texts.into_iter().map(|text| (what, text)));
    };
    let (intent, review) = (unsecret(&documents.intent), unsecret(&documents.review));
    let each = |document: &Value, list: &str, member: &str| -> Vec<Value> {
        let items = document.get(list).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.get(member)).cloned().collect()
    };
    all("headline", review.pointer("/headline/text"));
    // Codes are for programs: a page may say them in words.
    each(&review, "findings", "text").iter().for_each(|value| all("finding", Some(value)));
    each(&review, "steps", "text").iter().for_each(|value| all("sentence", Some(value)));
    each(&review, "quotes", "text").iter().for_each(|value| all("quote", Some(value)));
    for member in ["object", "after"] {
        each(&review, "changes", member).iter().for_each(|value| all("change", Some(value)));
    }
    for member in ["action", "object", "body"] {
        each(&intent, "steps", member).iter().for_each(|value| all("step", Some(value)));
    }
    for preconditions in each(&intent, "steps", "preconditions") {
        for precondition in preconditions.as_array().into_iter().flatten() {
            all("precondition", precondition.get("expected"));
        }
    }
    all("arguments", intent.get("arguments"));
    all("generated", intent.get("generated"));
    all("effect key", intent.get("effectKeys"));
    all("target", intent.pointer("/target/name"));
    all("target's identity", intent.pointer("/target/identity"));
    all("tool", intent.pointer("/tool/name"));
    all("definitionDigest", intent.pointer("/tool/definitionDigest"));
    all("normaliser", intent.pointer("/normaliser/name"));
    all("exclusion", intent.pointer("/normaliser/exclusions"));
    for member in ["person", "issuer", "subject"] {
        all("requester", header.pointer(&format!("/requester/{member}")));
    }
    for member in ["audience", "intentDigest", "reviewDigest"] {
        all(member, header.get(member));
    }
    found
}

/// A document whose secret leaves are gone: what stands in their place is the page's own.
fn unsecret(document: &Value) -> Value {
    let mut document = document.clone();
    for pointer in secret_leaves(&document) {
        if let Some(place) = document.pointer_mut(&pointer).filter(|place| is_commitment(place)) {
            *place = Value::Object(Map::new());
        }
    }
    document
}

/// The texts of a review's list.
fn texts(review: &Value, list: &str) -> Vec<String> {
    let items = review.get(list).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get("text")).filter_map(Value::as_str).map(plain).collect()
}

/// A text without white space, and without the backquotes that a page may show by its type.
fn plain(text: &str) -> String {
    squeezed(text).replace('`', "")
}

/// The parts of a value that any page shows as they are: plainly visible, nothing that a notation escapes, and not so long that it is folded.
fn visible(value: &str) -> Vec<String> {
    let plainly = |character: char| character.is_ascii_graphic() && !matches!(character, '"' | '\\' | '`');
    let parts = value.split(|character: char| character != ' ' && !plainly(character));
    parts.map(|part| plain(part).chars().take(120).collect::<String>()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_a_notation_escapes_is_left_out() {
        assert_eq!(visible("one \"two\"\nthree`"), ["one", "two", "three"]);
        assert_eq!(visible("a long way"), ["alongway"]);
        assert!(visible("\u{202e}\n").is_empty());
    }
}
