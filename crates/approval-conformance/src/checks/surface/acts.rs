//! What several checks of the surface do.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;
use serde_json::{Value, json};

use crate::agent::{Agent, Challenge, Plan};
use crate::driver::{Form, Opened, Page, PersonVerdict};
use crate::oracle;
use crate::scene::{Call, Scene};
use crate::target::Tool;
use crate::verdict::{Checked, Stop, ensure};

/// A site that isn't the surface.
pub(super) const ELSEWHERE: &str = "https://elsewhere.example";

/// A text without its white space: how a page breaks lines and parts elements is free.
pub(super) fn squeezed(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

/// A plan's page as somebody sees it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) opened: Opened,
    pub(super) page: Page,
    /// Its text, without white space.
    pub(super) text: String,
}

/// Opens a plan's page as `person`, who has to see it.
pub(super) async fn shown(scene: &Scene, person: &str, url: &str) -> Checked<Shown> {
    let opened = scene.open(Some(person), url).await?;
    let page = Page::read(&opened.body);
    ensure(opened.status == 200 && page.login().is_none(), || {
        format!("`{person}` opens {url} and gets the status {}", opened.status)
    })?;
    let text = squeezed(&page.text);
    Ok(Shown { opened, page, text })
}

/// Whether an answer is a page to log in, or leads to one.
pub(super) fn is_turned_to_login(opened: &Opened) -> bool {
    (300..400).contains(&opened.status) || Page::read(&opened.body).login().is_some()
}

/// Holds that nobody has decided on `plan`, after `what`.
pub(super) async fn undecided(agent: &Agent, plan: &Plan, what: &str) -> Checked {
    let status = agent.status(plan).await?;
    let approvals = status.get("approvals").cloned().unwrap_or_default();
    ensure(status.text("state") == Some("awaiting_approval") && approvals == json!(0), || {
        format!("after {what} there is {} with {approvals} approvals where nothing may be decided", status.told())
    })
}

/// Holds that `plan` runs once its form is sent as it should be: what was refused before was refused for its own reason.
pub(super) async fn control(scene: &Scene, agent: &Agent, call: &Call, plan: &Plan, challenge: &Challenge) -> Checked {
    scene.occurred(call, 0).await?;
    scene.approve(agent, call, challenge).await?;
    agent.execute(plan).await?.executed("applied", false)?;
    scene.occurred(call, 1).await
}

/// The address of a plan that there isn't, made from that of one that there is.
pub(super) fn invented(plan: &Plan, url: &str) -> Checked<(String, String)> {
    // As random as a digest: nobody was given it.
    let digest = oracle::digest_of(plan.id.as_bytes());
    let other = digest.trim_start_matches("sha256:").chars().take(12);
    let id: String = plan.id.chars().take(24).chain(other).collect();
    let place = || {
        Stop::NotTestable(format!("the address {url} doesn't name the plan: there is none for another to be made from"))
    };
    url.contains(&plan.id).then(|| (id.clone(), url.replace(&plan.id, &id))).ok_or_else(place)
}

/// An answer without what has to differ between two plans.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Likeness {
    status: u16,
    location: Option<String>,
    headers: BTreeSet<String>,
    text: String,
}

/// What an answer about the plan `id` looks like to somebody who compares.
pub(super) fn likeness(opened: &Opened, id: &str) -> Likeness {
    let without = |text: &str| text.replace(id, "…");
    // How long a page is, and when it was sent, may depend on tokens and clocks.
    let varies = ["age", "connection", "content-length", "date", "etag", "keep-alive", "set-cookie"];
    Likeness {
        status: opened.status,
        location: opened.headers.get("location").map(|location| without(location)),
        headers: opened.headers.keys().filter(|name| !varies.contains(&name.as_str())).cloned().collect(),
        text: without(&squeezed(&Page::read(&opened.body).text)),
    }
}

/// Where the links of a page lead to that are about the plan `id`, within the surface.
pub(super) fn links(page: &Page, url: &str, id: &str) -> Vec<String> {
    let Ok(base) = Url::parse(url) else { return Vec::new() };
    let mut found = Vec::new();
    for link in &page.links {
        let Ok(mut link) = base.join(link) else { continue };
        link.set_fragment(None);
        let link_text = link.to_string();
        if link.origin() == base.origin() && link_text.contains(id) && link_text != url && !found.contains(&link_text) {
            found.push(link_text);
        }
    }
    found
}

/// The origin of an address.
pub(super) fn origin(url: &str) -> Checked<String> {
    let parsed = Url::parse(url).map_err(|error| Stop::fail(format!("`{url}` is no address: {error}")))?;
    Ok(parsed.origin().ascii_serialization())
}

/// `url` with the fields of a form in its query.
pub(super) fn with_query(url: &str, fields: &[(String, String)]) -> Checked<String> {
    let mut parsed = Url::parse(url).map_err(|error| Stop::fail(format!("`{url}` is no address: {error}")))?;
    parsed.query_pairs_mut().extend_pairs(fields);
    Ok(parsed.into())
}

/// The form with what its sender says of where it comes from.
pub(super) fn from(form: &Form, origin: Option<&str>, site: Option<&str>) -> Form {
    let headers = [("origin", origin), ("sec-fetch-site", site)];
    let headers: BTreeMap<String, String> =
        headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    Form { headers, ..form.clone() }
}

/// The form without these fields.
pub(super) fn without(form: &Form, names: &[String]) -> Form {
    let fields = form.fields.iter().filter(|(name, _)| !names.contains(name)).cloned().collect();
    Form { fields, ..form.clone() }
}

/// The form with another value in the field.
pub(super) fn with(form: &Form, field: &str, value: &str) -> Form {
    let mut form = form.clone();
    for (_, old) in form.fields.iter_mut().filter(|(name, _)| name == field) {
        value.clone_into(old);
    }
    form
}

/// The form with another verdict, and all else as it was.
pub(super) fn turned(form: &Form, from: PersonVerdict, to: PersonVerdict) -> Checked<Form> {
    let mut form = form.clone();
    let found = form.fields.iter_mut().rev().find(|(_, value)| value == from.as_str());
    let Some((_, value)) = found else {
        return Err(Stop::NotTestable(format!("no field of the form has the value `{}`", from.as_str())));
    };
    to.as_str().clone_into(value);
    Ok(form)
}

/// The form with the seal of another one.
pub(super) fn sealed_as(form: &Form, other: &Form) -> Form {
    let mut form = form.clone();
    for (name, value) in form.fields.iter_mut().filter(|(name, _)| other.seal.contains(name)) {
        if let Some((_, theirs)) = other.fields.iter().find(|(theirs, _)| theirs == name) {
            theirs.clone_into(value);
        }
    }
    form
}

/// A seal with another character in its middle.
pub(super) fn edited(value: &str) -> String {
    let middle = value.chars().count() / 2;
    let other = |character| if character == 'A' { 'B' } else { 'A' };
    value.chars().enumerate().map(|(at, character)| if at == middle { other(character) } else { character }).collect()
}

/// The text of a JSON value's strings, names and numbers.
pub(super) fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(members) => {
            for (name, value) in members {
                found.push(name.clone());
                leaves(value, found);
            }
        }
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The field that takes a comment.
pub(super) fn comment_field(form: &Form) -> Checked<&str> {
    let field = form.fields.iter().find(|(name, _)| name == "comment");
    field.map(|(name, _)| name.as_str()).ok_or_else(|| Stop::NotApplicable("the form takes no `comment`".to_owned()))
}

/// The approvers that a plan of `other-subject` or `quorum` has, at least two of them.
pub(super) fn two_approvers(scene: &Scene) -> Checked<(String, String)> {
    let persons = &scene.target().persons;
    let mut others = persons.approvers.iter().filter(|person| **person != persons.requester);
    match (others.next(), others.next()) {
        (Some(one), Some(other)) => Ok((one.clone(), other.clone())),
        _ => Err(Stop::NotApplicable("`approvers` declares no two persons besides the requester".to_owned())),
    }
}

/// The tools whose plans live long enough to be read, and of which there can be many.
pub(super) fn readable(scene: &Scene) -> Checked<Vec<Tool>> {
    let tools = &scene.target().tools;
    let is_short = |tool: &Tool| {
        ["planSeconds", "challengeSeconds"].iter().any(|limit| tool.limits.get(*limit).is_some_and(|value| *value < 30))
    };
    let most = tools.iter().filter_map(|tool| tool.limits.get("openPlans")).max();
    let is_few = |tool: &Tool| tool.limits.get("openPlans").is_some_and(|value| Some(value) < most);
    let found: Vec<Tool> = tools.iter().filter(|tool| !is_short(tool) && !is_few(tool)).cloned().collect();
    if found.is_empty() {
        return Err(Stop::NotApplicable("all declared tools have limits too short to read by".to_owned()));
    }
    Ok(found)
}
