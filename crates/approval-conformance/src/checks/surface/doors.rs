//! Who gets in, and what somebody sees who doesn't (approval-surface.md, section 1; gate.md, SURF-001 and SURF-002).

use std::collections::BTreeMap;

use super::acts::{control, invented, is_turned_to_login, likeness, links, origin, shown, squeezed, undecided};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Form, Opened, Page, PersonVerdict};
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "stranger",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-001"],
        case: Some("stranger"),
        tries: "A person who may neither ask nor decide opens a plan's page and its documents, and sends the requester's form to it.",
        expects: "404, and the same answer as for a plan that was never given; nothing is decided.",
        run: run!(stranger),
    },
    Check {
        id: "plan-of-another-on-the-page",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-001"],
        case: Some("stranger"),
        tries: "Persons who ask and decide, but not about this plan, open the page of a plan that only its requester may approve.",
        expects: "404, and the same answer as for a plan that was never given.",
        run: run!(others),
    },
    Check {
        id: "nobody-sees-nothing",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-011", "WIRE-T-011"],
        case: None,
        tries: "Somebody who has not logged in opens a plan's page and its documents, by GET and HEAD, and sends the requester's form.",
        expects: "The same answers as for a plan that was never given, nothing of the plan in them, and nothing is decided.",
        run: run!(nobody),
    },
    Check {
        id: "token-opens-no-page",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-010", "AUTH-012"],
        case: None,
        tries: "A plan's page is opened, and the requester's form sent, with the bearer token of MCP in place of a session.",
        expects: "The answer is the one that nobody gets, and nothing is decided.",
        run: run!(token),
    },
    Check {
        id: "session-is-no-token",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-010", "WIRE-021"],
        case: None,
        tries: "A gated tool is called over MCP with the cookies of a session on the surface in place of a bearer token.",
        expects: "401, or a refusal `requester_not_permitted`.",
        run: run!(session),
    },
    Check {
        id: "other-host",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-014"],
        case: None,
        tries: "A plan's page is asked for under another `Host`, by nobody and in the requester's session.",
        expects: "It is turned away: a status of 400 or more, no login, nothing of the plan.",
        run: run!(other_host),
    },
    Check {
        id: "page-has-the-configured-address",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-002", "SURF-013"],
        case: None,
        tries: "A challenge is asked for over MCP with `X-Forwarded-Host`, `X-Forwarded-Proto` and `Forwarded` of another site, and the page is opened with them.",
        expects: "The page's address begins with the advertised `approvalOrigin`, which is https or loopback; the other site is named nowhere.",
        run: run!(address),
    },
];

async fn stranger(scene: &Scene) -> Checked {
    let missing = || Stop::NotApplicable("the target declares no `stranger`".to_owned());
    let stranger = scene.target().persons.stranger.clone().ok_or_else(missing)?;
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let (id, _) = invented(&plan, &challenge.url)?;
    let approver = scene.approver(&agent, &call)?;
    let seen = shown(scene, &agent.person, &challenge.url).await?;
    let mut addresses = links(&seen.page, &challenge.url, &plan.id);
    addresses.insert(0, challenge.url.clone());
    for address in addresses {
        let found = scene.open(Some(&stranger), &address).await?;
        ensure(found.status == 404, || format!("`{stranger}` opens {address}: the status is {}", found.status))?;
        let none = scene.open(Some(&stranger), &address.replace(&plan.id, &id)).await?;
        alike((&found, &plan.id), (&none, &id), &address)?;
    }
    let form = scene.must_form(&approver, &challenge.url, PersonVerdict::Approve).await?;
    let found = scene.send(Some(&stranger), &form).await?;
    undecided(&agent, &plan, "the form of somebody else was sent by a stranger").await?;
    if form.url.contains(&plan.id) {
        let none = scene.send(Some(&stranger), &Form { url: form.url.replace(&plan.id, &id), ..form.clone() }).await?;
        alike((&found, &plan.id), (&none, &id), &form.url)?;
    }
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn others(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::SameSubject)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let (id, elsewhere) = invented(&plan, &challenge.url)?;
    let persons = &scene.target().persons;
    let others: Vec<&String> = persons
        .approvers
        .iter()
        .chain(&persons.other_requester)
        .filter(|person| **person != persons.requester)
        .collect();
    ensure(!others.is_empty(), String::new)
        .map_err(|_| Stop::NotApplicable("the target declares nobody besides the requester".to_owned()))?;
    for person in others {
        let found = scene.open(Some(person), &challenge.url).await?;
        ensure(found.status == 404, || format!("`{person}` opens {}: the status is {}", challenge.url, found.status))?;
        let none = scene.open(Some(person), &elsewhere).await?;
        alike((&found, &plan.id), (&none, &id), &challenge.url)?;
    }
    shown(scene, &agent.person, &challenge.url).await.map(drop)
}

async fn nobody(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let (id, _) = invented(&plan, &challenge.url)?;
    let approver = scene.approver(&agent, &call)?;
    let seen = shown(scene, &approver, &challenge.url).await?;
    let mut addresses = links(&seen.page, &challenge.url, &plan.id);
    addresses.insert(0, challenge.url.clone());
    for address in addresses {
        for method in ["GET", "HEAD"] {
            let found = scene.open_as(None, &address, method, BTreeMap::new()).await?;
            let none = scene.open_as(None, &address.replace(&plan.id, &id), method, BTreeMap::new()).await?;
            alike((&found, &plan.id), (&none, &id), &address)?;
            tells_nothing(&found, &[&call.unique, &plan.digest], &address)?;
        }
    }
    let form = scene.must_form(&approver, &challenge.url, PersonVerdict::Approve).await?;
    let found = scene.send(None, &form).await?;
    tells_nothing(&found, &[&call.unique, &plan.digest], &form.url)?;
    if form.url.contains(&plan.id) {
        let none = scene.send(None, &Form { url: form.url.replace(&plan.id, &id), ..form.clone() }).await?;
        alike((&found, &plan.id), (&none, &id), &form.url)?;
    }
    undecided(&agent, &plan, "a form was sent by nobody").await?;
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn token(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let token = scene.world().token(&agent.person).cloned();
    let token = token.ok_or_else(|| Stop::NotApplicable("requesters have no bearer tokens".to_owned()))?;
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let bearer = BTreeMap::from([("authorization".to_owned(), format!("Bearer {token}"))]);
    let without = scene.open(None, &challenge.url).await?;
    let with = scene.open_as(None, &challenge.url, "GET", bearer.clone()).await?;
    tells_nothing(&with, &[&call.unique, &plan.digest], &challenge.url)?;
    alike((&with, &plan.id), (&without, &plan.id), &challenge.url)?;
    let approver = scene.approver(&agent, &call)?;
    let mut form = scene.must_form(&approver, &challenge.url, PersonVerdict::Approve).await?;
    form.headers.extend(bearer);
    scene.send(None, &form).await?;
    undecided(&agent, &plan, "a form was sent with a bearer token in place of a session").await?;
    control(scene, &agent, &call, &plan, &challenge).await
}

async fn session(scene: &Scene) -> Checked {
    if !scene.world().is_http() {
        return Err(Stop::NotApplicable("MCP is served over stdio: nothing takes a cookie there".to_owned()));
    }
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let seen = shown(scene, &agent.person, &challenge.url).await?;
    drop(seen);
    let cookies = scene.world().people().session(&agent.person, &challenge.url).await?;
    let cookies = cookies.filter(|cookies| !cookies.is_empty());
    let cookies =
        cookies.ok_or_else(|| Stop::NotTestable("the harness doesn't have the session's cookies".to_owned()))?;
    let other = scene.plain()?;
    let request = agent.prepare_call(&other.tool.name, &other.arguments);
    let reply = agent.odd(&request, &[("authorization", None), ("cookie", Some(&cookies))]).await?;
    let Some(reply) = reply else { return Err(Stop::Fault("there is no HTTP".to_owned())) };
    let is_refused = reply.status == 401 || reply.body.contains("requester_not_permitted");
    ensure(is_refused && !reply.body.contains("planDigest"), || {
        format!("a call with a session's cookies and no token is answered {} {}", reply.status, reply.body)
    })
}

async fn other_host(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    shown(scene, &agent.person, &challenge.url).await?;
    let person = agent.person.clone();
    for who in [None, Some(person.as_str())] {
        let other = BTreeMap::from([("host".to_owned(), "elsewhere.example".to_owned())]);
        let found = scene.open_as(who, &challenge.url, "GET", other).await?;
        let page = Page::read(&found.body);
        ensure(found.status >= 400 && page.login().is_none(), || {
            format!("{} under the host `elsewhere.example` is answered with the status {}", challenge.url, found.status)
        })?;
        tells_nothing(&found, &[&call.unique, &plan.digest], &challenge.url)?;
    }
    Ok(())
}

async fn address(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let advertised = &scene.world().listing().advertised;
    let configured = advertised.get("approvalOrigin").and_then(serde_json::Value::as_str).unwrap_or_default();
    let found = origin(&challenge.url)?;
    ensure(found == configured, || {
        format!("the page's address is of {found}, and `approvalOrigin` is `{configured}`")
    })?;
    let url = reqwest::Url::parse(&challenge.url).map_err(|error| Stop::fail(error.to_string()))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_loopback = host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    ensure(url.scheme() == "https" || is_loopback, || format!("the surface is served at {found}: without https"))?;
    let misleading = [
        ("x-forwarded-host", "elsewhere.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=elsewhere.example;proto=https"),
    ];
    let arguments = crate::agent::about(&plan.id, Some(&plan.digest));
    let request = agent.prepare_call(&agent.names().challenge, &arguments);
    let headers: Vec<(&str, Option<&str>)> = misleading.iter().map(|(name, value)| (*name, Some(*value))).collect();
    if let Some(reply) = agent.odd(&request, &headers).await? {
        ensure(!reply.body.contains("elsewhere.example"), || {
            format!("`X-Forwarded-Host` makes the address of a plan's page: {}", reply.body)
        })?;
    }
    let headers: BTreeMap<String, String> =
        misleading.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let opened = scene.open_as(None, &challenge.url, "GET", headers).await?;
    let location = opened.headers.get("location").cloned().unwrap_or_default();
    ensure(!opened.body.contains("elsewhere.example") && !location.contains("elsewhere.example"), || {
        format!("`X-Forwarded-Host` is named by the page at {}", challenge.url)
    })
}

/// Holds that two answers look alike, but for the plan that they name.
pub(super) fn alike(found: (&Opened, &str), none: (&Opened, &str), address: &str) -> Checked {
    let (one, other) = (likeness(found.0, found.1), likeness(none.0, none.1));
    ensure(one == other, || {
        format!("{address} is answered otherwise than it is for a plan that there isn't: {one:?} and {other:?}")
    })
}

/// Holds that an answer has nothing of a plan.
fn tells_nothing(opened: &Opened, of: &[&str], address: &str) -> Checked {
    let told = of.iter().find(|text| opened.body.contains(**text) || squeezed(&opened.body).contains(**text));
    ensure(told.is_none(), || format!("{address} tells `{}` to whoever has not logged in", told.unwrap_or(&"")))?;
    ensure(opened.status >= 400 || is_turned_to_login(opened) || opened.body.is_empty(), || {
        format!("{address} is shown (status {}) to whoever has not logged in", opened.status)
    })
}
