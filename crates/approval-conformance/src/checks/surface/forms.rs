//! The decision's form: what it is bound to, and where it may come from (approval-surface.md, sections 3 and 6).

use std::collections::BTreeMap;

use super::acts::{
    ELSEWHERE, control, edited, from, origin, sealed_as, shown, turned, two_approvers, undecided, with, with_query,
    without,
};
use crate::check::{Check, Level, Scope, run};
use crate::driver::PersonVerdict;
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "no-password",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["AUTH-010", "FORM-002"],
        case: Some("no-password"),
        tries: "In a session a form is sent without its credential, and with a wrong one; then the same form with the right one.",
        expects: "Nothing is decided by the first two; the third is taken: what had no good authentication didn't use the form up.",
        run: run!(no_password),
    },
    Check {
        id: "foreign-form",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-001", "DEC-001"],
        case: Some("foreign-form"),
        tries: "The form of another plan is sent to a plan's address; then its own form with each sealed field edited, emptied and left out.",
        expects: "Nothing is decided on either plan. Their own forms, as they are, are taken.",
        run: run!(foreign_form),
    },
    Check {
        id: "form-of-another-session",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-001"],
        case: Some("foreign-form"),
        tries: "A form that one session was shown is sent in another session of the same person.",
        expects: "Nothing is decided. That session's own form is taken.",
        run: run!(other_session),
    },
    Check {
        id: "form-of-another-person",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-001", "DEC-002"],
        case: Some("foreign-form"),
        tries: "An approver sends their own form with the seal of another approver's.",
        expects: "Nothing is decided. Their own form, as it is, is taken.",
        run: run!(other_person),
    },
    Check {
        id: "form-used-twice",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-002"],
        case: Some("foreign-form"),
        tries: "A form that approved is sent once more, as it was and as a rejection; then a rejection by a form of its own.",
        expects: "The used form changes nothing: the plan stays approved. The other one rejects it.",
        run: run!(used_twice),
    },
    Check {
        id: "old-form",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-001", "DEC-004"],
        case: Some("old-form"),
        tries: "A form of a challenge that has run out is sent while a later challenge of the plan is live.",
        expects: "Nothing is decided. The form of the live challenge is taken.",
        run: run!(old_form),
    },
    Check {
        id: "foreign-page",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["FORM-003"],
        case: Some("foreign-page"),
        tries: "A form is sent as another page would: with another `Origin`, `null`, `Sec-Fetch-Site` of `cross-site` and `same-site`, with the two at odds, and with neither.",
        expects: "Nothing is decided by any of them. From the page itself it is taken.",
        run: run!(foreign_page),
    },
    Check {
        id: "link",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-012"],
        case: Some("link"),
        tries: "The form's fields, password and all, stand in the query of GET, HEAD and prefetching requests to where the form goes and to the plan's page.",
        expects: "Nothing is decided, and the challenge is the same as before. The form itself is taken.",
        run: run!(link),
    },
];

async fn no_password(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::SameSubject)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let form = scene.must_form(&agent.person, &challenge.url, PersonVerdict::Approve).await?;
    let Some(credential) = form.credential.first() else {
        return Err(Stop::NotApplicable("the form has no credential: a login elsewhere authenticates".to_owned()));
    };
    scene.send(Some(&agent.person), &without(&form, &form.credential)).await?;
    undecided(&agent, &plan, "a form without a credential").await?;
    scene.send(Some(&agent.person), &with(&form, credential, "not the password")).await?;
    undecided(&agent, &plan, "a form with a wrong credential").await?;
    scene.occurred(&call, 0).await?;
    scene.send(Some(&agent.person), &form).await?;
    let status = agent.status(&plan).await?;
    ensure(status.text("state") == Some("approved"), || {
        format!("with the right credential the same form isn't taken: there is {}", status.told())
    })
}

async fn foreign_form(scene: &Scene) -> Checked {
    let (agent, call, other) = (scene.agent().await?, scene.plain()?, scene.plain()?);
    let person = scene.approver(&agent, &call)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let (other_plan, other_challenge) = scene.challenged(&agent, &other).await?;
    let own = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let foreign = scene.must_form(&person, &other_challenge.url, PersonVerdict::Approve).await?;
    if own.seal.is_empty() {
        return Err(Stop::NotTestable("the driver names no field that binds the form".to_owned()));
    }
    // Where all forms go to one address this is the other plan's own form, in its place.
    if own.url != foreign.url {
        scene.send(Some(&person), &sealed_as(&own, &foreign)).await?;
        undecided(&agent, &plan, "the form of another plan was sent to it").await?;
        undecided(&agent, &other_plan, "its form was sent to another plan").await?;
    }
    for field in &own.seal {
        let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
        let Some((_, value)) = form.fields.iter().find(|(name, _)| name == field) else { continue };
        // A word is no seal: what the page sends along for its own sake.
        if value.len() < 16 {
            continue;
        }
        let tries =
            [with(&form, field, &edited(value)), with(&form, field, ""), without(&form, std::slice::from_ref(field))];
        for form in tries {
            scene.send(Some(&person), &form).await?;
            undecided(&agent, &plan, &format!("the field `{field}` of its form was edited")).await?;
        }
    }
    control(scene, &agent, &call, &plan, &challenge).await?;
    control(scene, &agent, &other, &other_plan, &other_challenge).await
}

async fn other_session(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let person = scene.approver(&agent, &call)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let visitor = scene.visitor(&person)?;
    let login = visitor.login(&challenge.url).await?;
    let login = login.ok_or_else(|| Stop::fail(format!("{} leads nobody to a login", challenge.url)))?;
    visitor.send(&login).await?;
    let seen = visitor.follow(&challenge.url).await?;
    ensure(crate::driver::Page::read(&seen.body).decision("approve").is_some(), || {
        format!("a second session of `{person}` has no form on {}", challenge.url)
    })?;
    visitor.send(&form).await?;
    undecided(&agent, &plan, "the form of another session was sent").await?;
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn other_person(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::OtherSubject).or_else(|_| scene.ruled(Rule::Quorum))?);
    let (one, other) = two_approvers(scene)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let theirs = scene.must_form(&one, &challenge.url, PersonVerdict::Approve).await?;
    let own = scene.must_form(&other, &challenge.url, PersonVerdict::Approve).await?;
    scene.send(Some(&other), &sealed_as(&own, &theirs)).await?;
    undecided(&agent, &plan, "a form with the seal of another person's was sent").await?;
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn used_twice(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::SameSubject)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let form = scene.must_form(&agent.person, &challenge.url, PersonVerdict::Approve).await?;
    let as_rejection = turned(&form, PersonVerdict::Approve, PersonVerdict::Reject)?;
    scene.send(Some(&agent.person), &form).await?;
    agent.status(&plan).await?.stands("approved")?;
    for used in [&form, &as_rejection] {
        scene.send(Some(&agent.person), used).await?;
        let status = agent.status(&plan).await?;
        ensure(status.text("state") == Some("approved"), || {
            format!("a form that was used before led to {}", status.told())
        })?;
    }
    scene.must_decide(&agent.person, PersonVerdict::Reject, &challenge).await?;
    agent.status(&plan).await?.stands("rejected")?;
    scene.occurred(&call, 0).await
}

async fn old_form(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.short("challengeSeconds", 10)?);
    let person = scene.approver(&agent, &call)?;
    let (plan, first) = scene.challenged(&agent, &call).await?;
    let form = scene.must_form(&person, &first.url, PersonVerdict::Approve).await?;
    let end = first.answer.time("expiresAt").ok_or_else(|| Stop::fail("the challenge has no `expiresAt`"))?;
    scene.until(end).await;
    let second = agent.challenge(&plan).await?;
    ensure(second.id != first.id, || "the challenge that ran out is given again".to_owned())?;
    scene.send(Some(&person), &form).await?;
    undecided(&agent, &plan, "the form of a challenge that ran out was sent").await?;
    // Another one, whatever that took.
    let live = agent.challenge(&plan).await?;
    control(scene, &agent, &call, &plan, &live).await
}

async fn foreign_page(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let person = scene.approver(&agent, &call)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let own = origin(&challenge.url)?;
    let own = own.as_str();
    let lies = [
        (Some(ELSEWHERE), Some("cross-site")),
        (Some(ELSEWHERE), None),
        (Some("null"), None),
        (None, Some("cross-site")),
        (None, Some("same-site")),
        (Some(own), Some("cross-site")),
        (Some(ELSEWHERE), Some("same-origin")),
        (None, None),
    ];
    for (origin, site) in lies {
        let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
        scene.send(Some(&person), &from(&form, origin, site)).await?;
        let said = |value: Option<&str>| value.unwrap_or("none").to_owned();
        let what = format!("its form was sent with `Origin` {} and `Sec-Fetch-Site` {}", said(origin), said(site));
        undecided(&agent, &plan, &what).await?;
    }
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn link(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let person = scene.approver(&agent, &call)?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    shown(scene, &person, &challenge.url).await?;
    for at_page in [false, true] {
        for (method, headers) in [
            ("GET", &[][..]),
            ("HEAD", &[]),
            ("GET", &[("purpose", "prefetch"), ("sec-purpose", "prefetch")]),
            ("GET", &[("x-http-method-override", "POST"), ("x-method-override", "POST")]),
        ] {
            let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
            let url = with_query(if at_page { &challenge.url } else { &form.url }, &form.fields)?;
            // As the browser does when somebody on the surface itself presses a link.
            let mut all: BTreeMap<String, String> = form.headers.clone();
            all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            scene.open_as(Some(&person), &url, method, all).await?;
            undecided(&agent, &plan, &format!("a {method} with its form's fields in the query")).await?;
        }
    }
    let again = agent.challenge(&plan).await?;
    ensure(again.id == challenge.id, || "a link has changed the plan's challenge".to_owned())?;
    control(scene, &agent, &call, &plan, &challenge).await
}
