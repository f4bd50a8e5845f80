//! What a decision takes, and what the page says of it (approval-surface.md, section 6).

use super::acts::{control, shown, squeezed, undecided, with, without};
use crate::agent::{Agent, Challenge, Plan};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Form, Page, PersonVerdict};
use crate::scene::{Call, Scene};
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "approving-is-not-the-default",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-005"],
        case: None,
        tries: "The form on a plan's page is read: what has the focus, what a key presses, which button comes first.",
        expects: "None of them approves.",
        run: run!(default),
    },
    Check {
        id: "high-finding-takes-the-name",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-006"],
        case: None,
        tries: "A plan with a finding of severity `high` is approved without the target's name, and with another name.",
        expects: "Nothing is decided. With the name, typed, it is approved.",
        run: run!(name),
    },
    Check {
        id: "folded-plan-takes-a-word",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-007"],
        case: None,
        tries: "A plan with a text of some hundred lines is approved without the word that all of it was read, where a part of it is folded.",
        expects: "Nothing is decided. With the word it is approved.",
        run: run!(word),
    },
    Check {
        id: "saying-no-takes-no-more",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-008", "DEC-007"],
        case: None,
        tries: "Plans, one with a `high` finding where there is such a tool, are rejected, and an approval withdrawn, by a form with seal, credential and verdict and nothing else.",
        expects: "They are rejected, and withdrawn.",
        run: run!(no),
    },
    Check {
        id: "page-says-what-was-decided",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-010", "SHOW-011"],
        case: None,
        tries: "One plan is approved, one rejected and one left alone; the pages that come of it, and the plans' pages, are compared.",
        expects: "They say different things after an approval, after a rejection and before any decision.",
        run: run!(says),
    },
];

async fn default(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let seen = shown(scene, &person, &challenge.url).await?;
    let Some(form) = seen.page.decision("approve") else {
        return Err(Stop::NotTestable(format!(
            "{} has no button of the value `approve` for `{person}`",
            challenge.url
        )));
    };
    let focus = seen.page.focus.iter().any(|(_, value)| value == "approve");
    ensure(!focus, || "the button that approves has the focus from the beginning".to_owned())?;
    let keyed = form.buttons.iter().any(|button| button.value == "approve" && button.has_key);
    ensure(!keyed, || "a key presses the button that approves".to_owned())?;
    let first = form.buttons.iter().find(|button| !button.is_disabled);
    ensure(first.is_none_or(|button| button.value != "approve"), || {
        "the form's first button approves: Enter in any field presses it".to_owned()
    })
}

async fn name(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.tool("tool with `high`", |tool| tool.high)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let value =
        |form: &Form, field: &str| form.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone());
    ensure(!form.typed.is_empty(), || {
        "an approval in spite of a `high` finding takes no more than any other".to_owned()
    })?;
    for field in &form.typed {
        let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
        scene.send(Some(&person), &without(&form, std::slice::from_ref(field))).await?;
        undecided(&agent, &plan, &format!("an approval without the field `{field}`")).await?;
        let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
        let other = value(&form, field).map(|name| format!("not-{name}")).unwrap_or_default();
        scene.send(Some(&person), &with(&form, field, &other)).await?;
        undecided(&agent, &plan, &format!("an approval with another text in the field `{field}`")).await?;
    }
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn word(scene: &Scene) -> Checked {
    let (agent, short) =
        (scene.agent().await?, scene.tool("tool with `text`", |tool| tool.text.is_some() && !tool.high)?);
    let pointer = short.tool.text.clone().unwrap_or_default();
    let lines: Vec<String> = (0..600).map(|line| format!("line {line} of many")).collect();
    let long = scene.call_of(&short.tool).with(&pointer, lines.join("\n").into())?;
    let (_, challenge) = scene.challenged(&agent, &short).await?;
    let person = scene.approver(&agent, &short)?;
    let brief = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let folds = |page: &str| page.matches("<details").count();
    let before = folds(&shown(scene, &person, &challenge.url).await?.opened.body);
    let (plan, challenge) = scene.challenged(&agent, &long).await?;
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let after = folds(&shown(scene, &person, &challenge.url).await?.opened.body);
    let more: Vec<&String> = form.typed.iter().filter(|field| !brief.typed.contains(field)).collect();
    if more.is_empty() {
        ensure(after <= before, || "a part of the plan is folded, and an approval takes no word for that".to_owned())?;
        return Err(Stop::NotApplicable("nothing is folded on the page of a plan with 600 lines".to_owned()));
    }
    for field in more {
        let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
        scene.send(Some(&person), &without(&form, std::slice::from_ref(field))).await?;
        undecided(&agent, &plan, &format!("an approval without the field `{field}`")).await?;
    }
    control(scene, &agent, &long, &plan, &challenge).await
}

async fn no(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let high = scene.tool("tool with `high`", |tool| tool.high).ok();
    for call in [Some(scene.plain()?), high].into_iter().flatten() {
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let person = scene.approver(&agent, &call)?;
        bare(scene, &person, PersonVerdict::Reject, &challenge).await?;
        stands(&agent, &plan, "rejected", "a rejection").await?;
        agent.execute(&plan).await?.refused(&["approval_rejected"])?;
        scene.occurred(&call, 0).await?;
    }
    let call = scene.plain()?;
    let (plan, challenge) = scene.approved(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    bare(scene, &person, PersonVerdict::Withdraw, &challenge).await?;
    stands(&agent, &plan, "cancelled", "a withdrawal").await?;
    agent.execute(&plan).await?.refused(&["approval_withdrawn"])?;
    scene.occurred(&call, 0).await
}

async fn says(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let mut said = Vec::new();
    for verdict in [None, Some(PersonVerdict::Approve), Some(PersonVerdict::Reject)] {
        let call = scene.ruled(Rule::SameSubject)?;
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let answer = match verdict {
            None => String::new(),
            Some(verdict) => {
                let form = scene.must_form(&agent.person, &challenge.url, verdict).await?;
                let opened = scene.send(Some(&agent.person), &form).await?;
                let opened = match opened.headers.get("location").filter(|_| (300..400).contains(&opened.status)) {
                    Some(location) => {
                        let base = reqwest::Url::parse(&form.url).map_err(|error| Stop::fail(error.to_string()))?;
                        let next = base.join(location).map_err(|error| Stop::fail(error.to_string()))?;
                        scene.open(Some(&agent.person), next.as_str()).await?
                    }
                    None => opened,
                };
                ensure(opened.status < 400, || {
                    format!("a decision that is taken is answered with the status {}", opened.status)
                })?;
                words(&Page::read(&opened.body).text, &plan, &call)
            }
        };
        let expected = match verdict {
            None => "awaiting_approval",
            Some(PersonVerdict::Approve) => "approved",
            Some(_) => "rejected",
        };
        stands(&agent, &plan, expected, "the decision").await?;
        let page = shown(scene, &agent.person, &challenge.url).await?;
        said.push((answer, words(&page.page.text, &plan, &call)));
    }
    let [before, approved, rejected] = said.as_slice() else { return Ok(()) };
    ensure(approved.0 != rejected.0, || {
        "the page after an approval says the same as the one after a rejection".to_owned()
    })?;
    ensure(before.1 != approved.1 && before.1 != rejected.1 && approved.1 != rejected.1, || {
        "the plan's page says the same before a decision, after an approval and after a rejection".to_owned()
    })
}

/// Decides by a form with its seal, its credential and its verdict, and nothing else.
async fn bare(scene: &Scene, person: &str, verdict: PersonVerdict, challenge: &Challenge) -> Checked {
    let mut form = scene.must_form(person, &challenge.url, verdict).await?;
    let (seal, credential) = (form.seal.clone(), form.credential.clone());
    form.fields.retain(|(name, value)| seal.contains(name) || credential.contains(name) || value == verdict.as_str());
    scene.send(Some(person), &form).await.map(drop)
}

async fn stands(agent: &Agent, plan: &Plan, state: &str, what: &str) -> Checked {
    let status = agent.status(plan).await?;
    ensure(status.text("state") == Some(state), || {
        format!("after {what} there is {} instead of `{state}`", status.told())
    })
}

/// What a page says, without what differs between any two plans: names, digests and times.
fn words(text: &str, plan: &Plan, call: &Call) -> String {
    let text = text.replace(&plan.id, "").replace(&call.unique, "");
    squeezed(&text).chars().filter(|character| !character.is_ascii_hexdigit()).collect()
}
