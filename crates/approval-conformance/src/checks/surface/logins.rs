//! Logins, sessions and their cookies (approval-surface.md, section 2).

use std::collections::BTreeMap;

use reqwest::Url;

use super::acts::{ELSEWHERE, is_turned_to_login, squeezed, with};
use crate::agent::{Challenge, Plan};
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Form, Opened, Page, PersonVerdict, Visitor};
use crate::scene::Scene;
use crate::target::Rule;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "login-makes-a-session-anew",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["AUTH-001"],
        case: None,
        tries: "Somebody logs in twice in one browser, and the cookies of the first login are used afterwards.",
        expects: "The second login gives other cookies, long enough for 128 bits; those of the first open nothing any more.",
        run: run!(anew),
    },
    Check {
        id: "planted-session-is-not-kept",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["AUTH-001"],
        case: None,
        tries: "Somebody logs in in a browser into which another one has put a cookie under the session's name.",
        expects: "What was put there opens nothing.",
        run: run!(planted),
    },
    Check {
        id: "session-cookie-is-locked",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["AUTH-004"],
        case: None,
        tries: "Somebody logs in, and the cookie that makes the session is looked at.",
        expects: "It is `HttpOnly` and `SameSite=Strict`; under https `Secure` with the prefix `__Host-`.",
        run: run!(cookie),
    },
    Check {
        id: "login-leads-to-the-surface",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["AUTH-007"],
        case: None,
        tries: "Fields and query of a login that name the page to go to are changed to addresses of another site.",
        expects: "After the login the browser is sent nowhere but to the surface.",
        run: run!(next),
    },
    Check {
        id: "wrong-logins-are-alike",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["AUTH-005"],
        case: None,
        tries: "A login is tried with a wrong password, and with an account that doesn't exist.",
        expects: "Both get the same answer, and no session.",
        run: run!(alike),
    },
    Check {
        id: "passwords-are-not-guessed",
        level: Level::L1,
        scope: Scope::Alone,
        requirements: &["AUTH-005", "AUTH-006"],
        case: None,
        tries: "While a person is logged in, wrong passwords for their account are sent to the login, as many as it takes to be turned away, up to 60; then the person decides.",
        expects: "They are limited: later ones are answered otherwise, or the right password opens nothing either. The person's decision is taken all the same.",
        run: run!(guessed),
    },
];

/// So many wrong passwords at once are let through by no limit that is one.
const GUESSES: usize = 60;

async fn anew(scene: &Scene) -> Checked {
    let (person, challenge, _) = plan(scene).await?;
    let visitor = scene.visitor(&person)?;
    let login = must_login(&visitor, &challenge.url).await?;
    let first = logged_in(&visitor, &login, &challenge.url).await?;
    ensure(longest(&first) >= 20, || "no cookie of the session is long enough for 128 random bits".to_owned())?;
    // Where somebody who is logged in gets no login any more, the form of before is sent again.
    let again = visitor.login(&login.url).await?.unwrap_or_else(|| login.clone());
    let second = logged_in(&visitor, &again, &challenge.url).await?;
    ensure(first.split("; ").all(|cookie| longest(cookie) < 20 || !second.contains(cookie)), || {
        "a second login gave the same session as the first".to_owned()
    })?;
    let other = scene.visitor(&person)?;
    let opened = other.open(&challenge.url, BTreeMap::from([("cookie".to_owned(), first)])).await?;
    ensure(opened.status >= 400 || is_turned_to_login(&opened), || {
        "the session that the browser came with is still good after a login".to_owned()
    })?;
    let opened = other.open(&challenge.url, BTreeMap::from([("cookie".to_owned(), second)])).await?;
    ensure(opened.status == 200 && !is_turned_to_login(&opened), || "the second session opens no page".to_owned())
}

async fn planted(scene: &Scene) -> Checked {
    let (person, challenge, _) = plan(scene).await?;
    let visitor = scene.visitor(&person)?;
    let login = must_login(&visitor, &challenge.url).await?;
    let own = logged_in(&visitor, &login, &challenge.url).await?;
    let name = |cookie: &str| cookie.split_once('=').map(|(name, _)| name.to_owned());
    let names: Vec<String> = own.split("; ").filter_map(name).collect();
    let planted: Vec<String> =
        names.iter().map(|name| format!("{name}=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).collect();
    let planted = planted.join("; ");
    let other = scene.visitor(&person)?;
    let mut login = must_login(&other, &challenge.url).await?;
    login.headers.insert("cookie".to_owned(), planted.clone());
    other.send(&login).await?;
    let third = scene.visitor(&person)?;
    let opened = third.open(&challenge.url, BTreeMap::from([("cookie".to_owned(), planted)])).await?;
    ensure(opened.status >= 400 || is_turned_to_login(&opened), || {
        "a session whose name somebody else chose is logged in".to_owned()
    })
}

async fn cookie(scene: &Scene) -> Checked {
    let (person, challenge, _) = plan(scene).await?;
    let visitor = scene.visitor(&person)?;
    let login = must_login(&visitor, &challenge.url).await?;
    let opened = visitor.send(&login).await?;
    let all = set_cookies(&opened);
    let other = scene.visitor(&person)?;
    let mut sessions = Vec::new();
    for cookie in &all {
        let pair = cookie.split(';').next().unwrap_or_default().to_owned();
        let alone = other.open(&challenge.url, BTreeMap::from([("cookie".to_owned(), pair)])).await?;
        if alone.status == 200 && !is_turned_to_login(&alone) {
            sessions.push(cookie);
        }
    }
    // Where several make the session together, all of them are its cookies.
    let sessions = if sessions.is_empty() { all.iter().collect() } else { sessions };
    ensure(!sessions.is_empty(), || format!("a login (status {}) sets no cookie", opened.status))?;
    let is_https = challenge.url.starts_with("https:");
    for cookie in sessions {
        let name = cookie.split('=').next().unwrap_or_default().trim();
        let attributes: Vec<String> =
            cookie.split(';').skip(1).map(|part| squeezed(part).to_ascii_lowercase()).collect();
        let mut wanted = vec!["httponly", "samesite=strict"];
        if is_https {
            wanted.push("secure");
            ensure(name.starts_with("__Host-"), || format!("the session's cookie `{name}` has no prefix `__Host-`"))?;
        }
        for attribute in wanted {
            ensure(attributes.iter().any(|found| found == attribute), || {
                format!("the session's cookie `{name}` isn't `{attribute}`")
            })?;
        }
    }
    Ok(())
}

async fn next(scene: &Scene) -> Checked {
    let (person, challenge, _) = plan(scene).await?;
    let targets = [
        ELSEWHERE.to_owned(),
        "//elsewhere.example/".to_owned(),
        "/\\elsewhere.example".to_owned(),
        "/\t/elsewhere.example".to_owned(),
    ];
    for target in targets {
        let visitor = scene.visitor(&person)?;
        let login = must_login(&visitor, &challenge.url).await?;
        let mut changed = login.clone();
        for field in &login.seal {
            let value =
                login.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone()).unwrap_or_default();
            // What names a page, and isn't sealed.
            if value.starts_with('/') || value.contains("://") || value.contains("%2F") {
                changed = with(&changed, field, &target);
            }
        }
        let mut url = Url::parse(&login.url).map_err(|error| Stop::fail(error.to_string()))?;
        let known: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        url.set_query(None);
        let usual = ["next", "return", "return_to", "redirect", "url", "continue"].map(str::to_owned);
        url.query_pairs_mut().extend_pairs(known.iter().chain(&usual).map(|name| (name, &target)));
        for url in [login.url.clone(), url.to_string()] {
            let opened = visitor.send(&Form { url: url.clone(), ..changed.clone() }).await?;
            stays(&opened, &url, &target)?;
        }
        // A login page that was opened with the address, and sent as it came.
        let visitor = scene.visitor(&person)?;
        if let Some(form) = visitor.login(url.as_str()).await? {
            let opened = visitor.send(&form).await?;
            stays(&opened, &form.url, &target)?;
        }
    }
    // The control: a login as it should be leads to the surface.
    let visitor = scene.visitor(&person)?;
    let login = must_login(&visitor, &challenge.url).await?;
    logged_in(&visitor, &login, &challenge.url).await.map(drop)
}

async fn alike(scene: &Scene) -> Checked {
    let (person, challenge, _) = plan(scene).await?;
    let mut answers = Vec::new();
    for is_known in [true, false] {
        let visitor = scene.visitor(&person)?;
        let login = must_login(&visitor, &challenge.url).await?;
        let account = if is_known { visitor.account().to_owned() } else { format!("nobody-{}", visitor.account()) };
        let wrong = filled(&login, &account, "not the password");
        let opened = visitor.send(&wrong).await?;
        let page = visitor.open(&challenge.url, BTreeMap::new()).await?;
        ensure(page.status >= 400 || is_turned_to_login(&page), || "a wrong password logs in".to_owned())?;
        let cookies: Vec<String> =
            set_cookies(&opened).iter().filter_map(|cookie| Some(cookie.split_once('=')?.0.to_owned())).collect();
        let location = opened.headers.get("location").map(|location| location.replace(&account, "…"));
        let text = squeezed(&Page::read(&opened.body).text).replace(&account, "…");
        answers.push((opened.status, location, cookies, text));
    }
    let [known, unknown] = answers.as_slice() else { return Ok(()) };
    ensure(known == unknown, || {
        format!("a wrong password is answered by {known:?}, and an account that doesn't exist by {unknown:?}")
    })
}

async fn guessed(scene: &Scene) -> Checked {
    let (person, challenge, plan) = plan(scene).await?;
    // The person is logged in, and has the page in front of them.
    let form = scene.must_form(&person, &challenge.url, PersonVerdict::Approve).await?;
    let guesser = scene.visitor(&person)?;
    let login = must_login(&guesser, &challenge.url).await?;
    let mut usual = None;
    let mut is_limited = false;
    // A limit lets one through now and then: the right password may be that one, but not each time.
    for guesses in [GUESSES, GUESSES / 2, GUESSES / 2] {
        for _ in 0..guesses {
            let fresh = guesser.login(&login.url).await?.unwrap_or_else(|| login.clone());
            let opened = guesser.send(&filled(&fresh, guesser.account(), "not the password")).await?;
            let answer = (opened.status, squeezed(&Page::read(&opened.body).text));
            is_limited |= *usual.get_or_insert_with(|| answer.clone()) != answer;
            if is_limited {
                break;
            }
        }
        if !is_limited {
            let right = scene.visitor(&person)?;
            right.send(&must_login(&right, &challenge.url).await?).await?;
            let opened = right.open(&challenge.url, BTreeMap::new()).await?;
            is_limited = opened.status >= 400 || is_turned_to_login(&opened);
        }
        if is_limited {
            break;
        }
    }
    ensure(is_limited, || {
        format!(
            "{GUESSES} wrong passwords for one account are answered one after the other, and then the right one logs in"
        )
    })?;
    scene.send(Some(&person), &form).await?;
    let agent = scene.agent().await?;
    let status = agent.status(&plan).await?;
    ensure(status.text("state") == Some("approved"), || {
        format!(
            "whoever guesses passwords keeps `{person}`, who is logged in, from deciding: there is {}",
            status.told()
        )
    })
}

/// A plan before a person: who decides on it, and where.
async fn plan(scene: &Scene) -> Checked<(String, Challenge, Plan)> {
    let (agent, call) =
        (scene.agent().await?, scene.ruled(Rule::SameSubject).or_else(|_| scene.ruled(Rule::OtherSubject))?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    Ok((scene.approver(&agent, &call)?, challenge, plan))
}

async fn must_login(visitor: &Visitor, url: &str) -> Checked<Form> {
    let login = visitor.login(url).await?;
    login.ok_or_else(|| Stop::fail(format!("{url} leads nobody to a login")))
}

/// Logs in, holds that it worked, and gives the cookies that the browser has then.
async fn logged_in(visitor: &Visitor, login: &Form, url: &str) -> Checked<String> {
    let opened = visitor.send(login).await?;
    let page = visitor.open(url, BTreeMap::new()).await?;
    ensure(page.status == 200 && !is_turned_to_login(&page), || {
        format!("`{}` logs in (status {}), and is not shown {url} after it", visitor.account(), opened.status)
    })?;
    Ok(visitor.cookies(url).await?)
}

/// A login with another account and password.
fn filled(login: &Form, account: &str, password: &str) -> Form {
    let mut form = login.clone();
    for field in &login.typed {
        form = with(&form, field, account);
    }
    for field in &login.credential {
        form = with(&form, field, password);
    }
    form
}

/// Holds that an answer sends nobody elsewhere.
fn stays(opened: &Opened, url: &str, target: &str) -> Checked {
    let base = Url::parse(url).map_err(|error| Stop::fail(error.to_string()))?;
    if let Some(location) = opened.headers.get("location") {
        let next = base.join(location).map_err(|error| Stop::fail(format!("`{location}`: {error}")))?;
        ensure(next.origin() == base.origin(), || format!("a login that names `{target}` leads to {next}"))?;
    }
    let refreshes = [opened.headers.get("refresh").cloned().unwrap_or_default(), opened.body.to_ascii_lowercase()];
    let is_led_away =
        refreshes.iter().any(|text| text.contains("http-equiv=\"refresh\"") && text.contains("elsewhere.example"));
    let linked = Page::read(&opened.body)
        .links
        .iter()
        .any(|link| base.join(link).is_ok_and(|link| link.host_str() == Some("elsewhere.example")));
    ensure(!is_led_away && !linked, || format!("the page after a login that names `{target}` leads there"))
}

/// The cookies that an answer sets, each as it was sent.
fn set_cookies(opened: &Opened) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // Several headers come as one; a date has a comma too.
    for part in opened.headers.get("set-cookie").map(String::as_str).unwrap_or_default().split(", ") {
        let is_cookie = part.split(';').next().is_some_and(|pair| pair.contains('='));
        match found.last_mut().filter(|_| !is_cookie) {
            Some(last) => {
                last.push_str(", ");
                last.push_str(part);
            }
            None if part.is_empty() => {}
            None => found.push(part.to_owned()),
        }
    }
    found
}

/// The length of the longest value among cookies.
fn longest(cookies: &str) -> usize {
    cookies
        .split("; ")
        .filter_map(|cookie| cookie.split_once('='))
        .map(|(_, value)| value.len())
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::set_cookies;
    use crate::driver::Opened;

    #[test]
    fn several_cookies_are_told_apart() {
        let set = "a=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT; HttpOnly, b=2; SameSite=Strict";
        let headers = BTreeMap::from([("set-cookie".to_owned(), set.to_owned())]);
        let found = set_cookies(&Opened { status: 200, headers, body: String::new() });
        assert_eq!(found, ["a=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT; HttpOnly", "b=2; SameSite=Strict"]);
    }
}
