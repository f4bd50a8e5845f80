//! What stands beside a plan: the requester's others, and the inbox (approval-surface.md, SHOW-012 and SHOW-014; gate.md, SURF-003).

use reqwest::Url;

use super::acts::{shown, squeezed};
use crate::agent::{Challenge, Plan};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Page, PersonVerdict};
use crate::scene::{Call, Scene};
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "other-plans-are-shown-beside",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["SHOW-012"],
        case: None,
        tries: "A plan's page is opened while its requester has another open plan, and after a plan of theirs on the same object was rejected.",
        expects: "The page names both.",
        run: run!(beside),
    },
    Check {
        id: "unreadable-plans-stay-hidden",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["SHOW-014", "SURF-001"],
        case: None,
        tries: "An approver opens the page of one plan while its requester has two others that the approver may not read.",
        expects: "Nothing of those stands there, and the page is the same as with one of them.",
        run: run!(hidden),
    },
    Check {
        id: "inbox-is-ones-own",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["SURF-003"],
        case: None,
        tries: "The pages of the surface that list plans are opened by the requester, an approver, another requester and a stranger.",
        expects: "The requester finds their plans, the approver those that wait for them, and nobody finds any other.",
        run: run!(inbox),
    },
];

async fn beside(scene: &Scene) -> Checked {
    let (agent, call, other) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    let person = scene.approver(&agent, &call)?;
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let open = scene.plan(&agent, &other).await?;
    let page = shown(scene, &person, &challenge.url).await?.page;
    ensure(names(&page, &open, &other), || {
        format!("the page {} doesn't tell of the requester's other open plan {}", challenge.url, open.id)
    })?;
    let (rejected, its_challenge) = scene.challenged(&agent, &call).await?;
    scene.must_decide(&person, PersonVerdict::Reject, &its_challenge).await?;
    agent.status(&rejected).await?.stands("rejected")?;
    let page = shown(scene, &person, &challenge.url).await?.page;
    // Both are of one object, so that by its name alone they can't be told apart.
    let headline = rejected.answer.text("headline").map(squeezed).unwrap_or_default();
    let text = squeezed(&page.text);
    let twice = !headline.is_empty() && text.matches(&headline).count() > 1;
    ensure(text.contains(&rejected.id) || page.links.iter().any(|link| link.contains(&rejected.id)) || twice, || {
        format!(
            "the page {} doesn't tell of the plan {} that was rejected on the same object",
            challenge.url, rejected.id
        )
    })
}

async fn hidden(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::OtherSubject).or_else(|_| scene.ruled(Rule::Quorum))?);
    let person = scene.approver(&agent, &call)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let mut before: Option<(u16, Vec<String>)> = None;
    for _ in 0..2 {
        let private = scene.ruled(Rule::SameSubject)?;
        let (other, its_challenge) = scene.challenged(&agent, &private).await?;
        let none = scene.open(Some(&person), &its_challenge.url).await?;
        if none.status != 404 {
            return Err(Stop::NotApplicable(format!(
                "`{person}` may read the plans that only the requester decides on"
            )));
        }
        let seen = shown(scene, &person, &challenge.url).await?;
        ensure(!names(&seen.page, &other, &private) && !seen.opened.body.contains(&private.unique), || {
            format!("the page {} tells `{person}` of the plan {}, which they may not read", challenge.url, other.id)
        })?;
        // But for what a clock and a seal make of it.
        let words: Vec<String> = seen.page.text.split_whitespace().map(str::to_owned).collect();
        let found = (seen.opened.status, words);
        if let Some(before) = before.replace(found.clone()) {
            let is_same = before.1.len() == found.1.len();
            ensure(is_same, || {
                format!("the page {} tells `{person}` how many plans there are that they may not read", challenge.url)
            })?;
        }
    }
    drop(plan);
    Ok(())
}

async fn inbox(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    let persons = scene.target().persons.clone();
    let own = scene.ruled(Rule::SameSubject)?;
    let (own_plan, challenge) = scene.challenged(&agent, &own).await?;
    let theirs = scene.ruled(Rule::OtherSubject).or_else(|_| scene.ruled(Rule::Quorum)).ok();
    let theirs = match theirs {
        Some(call) => {
            let (plan, challenge) = scene.challenged(&agent, &call).await?;
            Some((plan, challenge, call))
        }
        None => None,
    };
    let page = shown(scene, &agent.person, &challenge.url).await?.page;
    let lists = lists(&page, &challenge);
    let mut found = Vec::new();
    for list in &lists {
        let page = Page::read(&scene.open(Some(&agent.person), list).await?.body);
        if names(&page, &own_plan, &own) {
            found.push(list.clone());
        }
    }
    ensure(!found.is_empty(), String::new)
        .map_err(|_| Stop::NotApplicable("no page that the plan's page links to lists the plan".to_owned()))?;
    let mut is_told = theirs.is_none();
    for person in persons.approvers.iter().chain(&persons.other_requester).chain(&persons.stranger) {
        if *person == agent.person {
            continue;
        }
        for list in &lists {
            let page = Page::read(&scene.open(Some(person), list).await?.body);
            ensure(!names(&page, &own_plan, &own), || {
                format!("{list} shows `{person}` the plan {}, which only `{}` decides on", own_plan.id, agent.person)
            })?;
            if let Some((plan, challenge, call)) = &theirs {
                let may = scene.form(person, &challenge.url, PersonVerdict::Approve).await?.is_some();
                let told = names(&page, plan, call);
                is_told |= may && told;
                ensure(may || !told, || format!("{list} shows `{person}` the plan {}, which isn't theirs", plan.id))?;
            }
        }
    }
    ensure(is_told, || "no approver finds the plan that waits for them, where the requester finds theirs".to_owned())
}

/// Whether a page tells of a plan: by its id, in text or link, or by the object that nothing else is about.
fn names(page: &Page, plan: &Plan, call: &Call) -> bool {
    let text = squeezed(&page.text);
    text.contains(&plan.id) || text.contains(&call.unique) || page.links.iter().any(|link| link.contains(&plan.id))
}

/// The pages of the surface, but for the plan's own, that its page links to, and its root.
fn lists(page: &Page, challenge: &Challenge) -> Vec<String> {
    let Ok(base) = Url::parse(&challenge.url) else { return Vec::new() };
    let links = page.links.iter().map(String::as_str).chain(["/"]);
    let mut found: Vec<String> = Vec::new();
    for link in links.filter_map(|link| base.join(link).ok()) {
        let mut link = link;
        link.set_fragment(None);
        let text = link.to_string();
        let is_way_out = ["logout", "log-out", "signout", "sign-out"].iter().any(|word| text.contains(word));
        if link.origin() == base.origin() && !text.contains(&challenge.plan_id) && !is_way_out && !found.contains(&text)
        {
            found.push(text);
        }
    }
    found
}
