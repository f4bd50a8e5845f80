//! What every answer of the surface says to the browser (approval-surface.md, SURF-015).

use std::collections::BTreeMap;

use reqwest::Url;

use super::acts::{edited, invented, links, shown, with, without};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Opened, Page, PersonVerdict};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "every-answer-is-locked",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-015"],
        case: None,
        tries: "Answers of all kinds are asked for: a page, a login, a redirect, a document, what isn't there, what isn't allowed, HEAD, a form that is refused and one that is taken.",
        expects: "Each has `Content-Security-Policy`, `X-Content-Type-Options`, `Referrer-Policy` and `Cache-Control` as laid down.",
        run: run!(locked),
    },
    Check {
        id: "page-runs-nothing-of-others",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["SURF-015"],
        case: None,
        tries: "Login page and plan's page are read for scripts.",
        expects: "There is no inline script, no attribute that is one, and none from elsewhere.",
        run: run!(scripts),
    },
];

async fn locked(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let (_, elsewhere) = invented(&plan, &challenge.url)?;
    let person = scene.approver(&agent, &call)?;
    let who = Some(person.as_str());
    let seen = shown(scene, &person, &challenge.url).await?;
    let mut answers: Vec<(String, Opened)> = Vec::new();
    let mut addresses = links(&seen.page, &challenge.url, &plan.id);
    addresses.extend([elsewhere, joined(&challenge.url, "/there/is/nothing")?]);
    // What a page loads is an answer too.
    for asset in seen.page.assets.iter().chain(seen.page.scripts.iter().filter_map(|(_, source)| source.as_ref())) {
        let asset = joined(&challenge.url, asset)?;
        if super::acts::origin(&asset)? == super::acts::origin(&challenge.url)? {
            addresses.push(asset);
        }
    }
    answers.push(("a plan's page".to_owned(), seen.opened));
    for address in addresses {
        answers.push((format!("GET {address}"), scene.open(who, &address).await?));
    }
    answers
        .push(("HEAD of a plan's page".to_owned(), scene.open_as(who, &challenge.url, "HEAD", BTreeMap::new()).await?));
    let nobodys = scene.open(None, &challenge.url).await?;
    if let Some(location) = nobodys.headers.get("location") {
        let login = joined(&challenge.url, location)?;
        answers.push(("the login".to_owned(), scene.open(None, &login).await?));
    }
    answers.push(("a plan's page, asked for by nobody".to_owned(), nobodys));
    // Where the driver uses the pages, its logins aren't seen.
    if let Ok(visitor) = scene.visitor(&person)
        && let Some(login) = visitor.login(&challenge.url).await?
    {
        let nobodys = login.typed.iter().fold(login.clone(), |form, field| with(&form, field, "nobody-at-all"));
        answers.push(("a login that is refused".to_owned(), visitor.send(&nobodys).await?));
        answers.push(("a login that is taken".to_owned(), visitor.send(&login).await?));
    }
    answers.push((
        "DELETE of a plan's page".to_owned(),
        scene.open_as(who, &challenge.url, "DELETE", BTreeMap::new()).await?,
    ));
    let host = BTreeMap::from([("host".to_owned(), "elsewhere.example".to_owned())]);
    answers.push(("a page under another host".to_owned(), scene.open_as(None, &challenge.url, "GET", host).await?));
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let seal = form.seal.first().cloned().unwrap_or_default();
    let value = form.fields.iter().find(|(name, _)| *name == seal).map(|(_, value)| edited(value)).unwrap_or_default();
    answers.push(("a form that is refused".to_owned(), scene.send(who, &with(&form, &seal, &value)).await?));
    answers.push(("a form without its seal".to_owned(), scene.send(who, &without(&form, &form.seal)).await?));
    answers.push(("a form that nobody sent".to_owned(), scene.send(None, &form).await?));
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    answers.push(("a form that is taken".to_owned(), scene.send(who, &form).await?));
    let mut complaints: Vec<String> = Vec::new();
    for (what, opened) in &answers {
        complaints.extend(unlocked(opened).into_iter().map(|why| format!("{what} (status {}): {why}", opened.status)));
    }
    complaints.truncate(6);
    ensure(complaints.is_empty(), || complaints.join("; "))
}

async fn scripts(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let nobodys = scene.open(None, &challenge.url).await?;
    let login = match nobodys.headers.get("location") {
        Some(location) => scene.open(None, &joined(&challenge.url, location)?).await?,
        None => nobodys,
    };
    let own = super::acts::origin(&challenge.url)?;
    for page in [Page::read(&login.body), shown(scene, &person, &challenge.url).await?.page] {
        ensure(page.inline.is_empty(), || format!("a page has scripts in attributes: {:?}", page.inline))?;
        for (element, source) in &page.scripts {
            match source {
                Some(source) => {
                    let from = joined(&challenge.url, source)?;
                    ensure(super::acts::origin(&from)? == own, || format!("a page has a `{element}` of {from}"))?;
                }
                None => ensure(element != "script", || "a page has an inline script".to_owned())?,
            }
        }
    }
    Ok(())
}

/// What is missing in an answer's headers.
fn unlocked(opened: &Opened) -> Vec<String> {
    let header = |name: &str| opened.headers.get(name).map(|value| value.to_ascii_lowercase()).unwrap_or_default();
    let mut missing = policy(&header("content-security-policy"));
    if header("x-content-type-options") != "nosniff" {
        missing.push("no `X-Content-Type-Options: nosniff`".to_owned());
    }
    if header("referrer-policy") != "no-referrer" {
        missing.push("no `Referrer-Policy: no-referrer`".to_owned());
    }
    if !header("cache-control").split(',').any(|part| part.trim() == "no-store") {
        missing.push("no `Cache-Control: no-store`".to_owned());
    }
    missing
}

/// What a `Content-Security-Policy` lacks.
fn policy(text: &str) -> Vec<String> {
    let directives: BTreeMap<&str, Vec<&str>> = text
        .split(';')
        .filter_map(|directive| {
            let mut words = directive.split_whitespace();
            Some((words.next()?, words.collect()))
        })
        .collect();
    let mut missing = Vec::new();
    for (name, allowed) in [
        ("default-src", &["'none'", "'self'"][..]),
        ("form-action", &["'none'", "'self'"]),
        ("frame-ancestors", &["'none'"]),
        ("base-uri", &["'none'"]),
    ] {
        let found = directives.get(name);
        if !found.is_some_and(|values| values.len() == 1 && values.iter().all(|value| allowed.contains(value))) {
            missing.push(format!("`Content-Security-Policy` has `{name}` of {found:?}"));
        }
    }
    if text.contains("'unsafe-inline'") {
        missing.push("`Content-Security-Policy` has 'unsafe-inline'".to_owned());
    }
    missing
}

fn joined(url: &str, to: &str) -> Checked<String> {
    let base = Url::parse(url).map_err(|error| Stop::fail(format!("`{url}` is no address: {error}")))?;
    base.join(to).map(String::from).map_err(|error| Stop::fail(format!("`{to}` is no address: {error}")))
}

#[cfg(test)]
mod tests {
    use super::policy;

    #[test]
    fn a_policy_is_read_by_its_directives() {
        let good = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        assert!(policy(good).is_empty());
        for (from, to) in [
            ("default-src 'none'", "default-src *"),
            ("form-action 'self'", "form-action 'self' https://elsewhere.example"),
            ("frame-ancestors 'none';", ""),
            ("style-src 'self'", "style-src 'unsafe-inline'"),
        ] {
            assert_eq!(policy(&good.replace(from, to)).len(), 1, "{to}");
        }
        assert_eq!(policy("").len(), 4);
    }
}
