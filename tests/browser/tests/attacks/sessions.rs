//! Sessions that were planted, stolen, crossed, or left behind.

use anyhow::{Context as _, Result};
use browser::{Browser, Driver, Foreign, PASSWORD, Site, WRONG, fill_in_login, path};
use serde_json::{Value, json};

/// The name of the session's cookie.
fn cookie_name(site: &Site) -> Result<String> {
    let cookie = site.person("dave")?.cookie;
    Ok(cookie.split_once('=').context("a cookie")?.0.to_owned())
}

/// Visits a page of the other server, which sets these cookies: on loopback all ports share them.
fn plant(browser: &Browser<'_>, foreign: &Foreign, cookies: &[String]) -> Result<()> {
    foreign.put("/", "<p>planted", cookies);
    browser.open(&foreign.origin("127.0.0.1"))
}

#[test]
fn a_session_that_was_planted_is_never_taken_on() -> Result<()> {
    // [AUTH-001]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    let name = cookie_name(&site)?;
    let attackers = site.person("bob")?.cookie;
    for planted in [format!("{name}={}", "A".repeat(43)), attackers] {
        let browser = driver.open()?;
        plant(&browser, &foreign, &[format!("{planted}; Path=/")])?;
        assert_eq!(browser.cookies()?, planted, "the control: it is planted");
        site.log_in(&browser, "alice")?;
        assert_ne!(browser.cookies()?, planted);
        assert!(browser.find(".logout")?.text()?.starts_with("alice"));
        // Whoever planted it has nothing: not hers, and not their own any more.
        assert_eq!(site.holder(&planted).get("/")?.status, 303);
    }
    Ok(())
}

#[test]
fn a_session_of_another_that_is_planted_beside_decides_nothing() -> Result<()> {
    // [AUTH-010]
    let (site, driver) = (Site::quorum()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    let (plan, attackers) = (site.plan("a")?, site.person("bob")?.cookie);
    let browser = driver.open()?;
    site.log_in(&browser, "carol")?;
    // For the plans' pages alone, and so before her own: she decides in the attacker's session, and could only do so by his
    // password.
    plant(&browser, &foreign, &[format!("{attackers}; Path=/plans")])?;
    browser.open(&site.url(&plan))?;
    assert!(browser.find(".logout")?.text()?.starts_with("bob"), "the control: the page is in his name");
    let before = site.tables()?;
    browser.run("document.querySelector('#password').focus()", &[])?;
    // Both have the same password in these tests.
    site.accounts.set_password("carol", "a password of her own")?;
    browser.find("#password")?.enter("a password of her own")?;
    browser.find("button.approve")?.click()?;
    assert_eq!(browser.find(".error")?.text()?, "The password is wrong. Nothing was decided.");
    assert_eq!((browser.status()?, site.tables()?), (403, before));
    Ok(())
}

#[test]
fn a_stolen_session_decides_nothing() -> Result<()> {
    // [AUTH-004, AUTH-010]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    let (plan, browser) = (site.plan("a")?, driver.open()?);
    site.log_in(&browser, "alice")?;
    // No script gets it.
    assert_eq!(browser.run("return document.cookie", &[])?, json!(""));
    // Every server of this machine gets it: a person who visits another port brings it along.
    plant(&browser, &foreign, &[])?;
    let received = foreign.received();
    let stolen = received.iter().find(|received| received.path == "/").context("nobody came")?;
    let thief = site.holder(&stolen.cookie);
    assert_eq!(thief.get(&path(&plan))?.status, 200, "the control: it is her session");

    let form = thief.form(&plan)?;
    let before = site.tables()?;
    let fields = [("form", form.as_str()), ("verdict", "approve")];
    assert_eq!(thief.post(&path(&plan), &fields)?.status, 400, "without a password it is no decision");
    let answer = thief.decide(&plan, &form, "approve", WRONG)?;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("The password is wrong. Nothing was decided."));
    assert_eq!((site.tables()?, site.state(&plan)?), (before, "awaiting_approval"));
    // What was missing is the password alone.
    assert_eq!(thief.decide(&plan, &form, "approve", PASSWORD)?.status, 303);
    assert_eq!(site.state(&plan)?, "approved");
    Ok(())
}

#[test]
fn nothing_is_left_behind_after_the_logout() -> Result<()> {
    // [AUTH-002, SURF-015]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (plan, browser) = (site.plan("a")?, driver.open()?);
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    let cookie = browser.cookies()?;
    // The control: as long as she is logged in, the button leads back to the page.
    browser.open(&format!("{}/history", site.origin))?;
    browser.back()?;
    browser.find(".decide")?;

    browser.find(".logout button")?.click()?;
    browser.find("#account")?;
    assert_eq!(browser.cookies()?, "");
    // The plan, the inbox, and the login before it: whatever the browser keeps of pages for its button back, it is not these.
    for _ in 0..3 {
        browser.back()?;
        assert_eq!(browser.count("#account")?, 1, "{}", browser.text()?);
        assert!(!browser.text()?.contains("shelf"), "{}", browser.text()?);
    }
    assert_eq!(site.holder(&cookie).get(&path(&plan))?.status, 303);
    Ok(())
}

#[test]
fn nothing_is_left_behind_for_whoever_logs_in_next() -> Result<()> {
    // [AUTH-001, SURF-015]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (plan, browser) = (site.plan("a")?, driver.open()?);
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    // She leaves without a logout, and another comes.
    site.log_in(&browser, "bob")?;
    for _ in 0..3 {
        browser.back()?;
        assert!(!browser.text()?.contains("shelf"), "{}", browser.text()?);
    }
    // The control: to her it is shown.
    site.log_in(&browser, "alice")?;
    assert!(browser.text()?.contains("shelf"));
    Ok(())
}

#[test]
fn no_login_leads_elsewhere() -> Result<()> {
    // [AUTH-007]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    foreign.put("/", "<p id=elsewhere>", &[]);
    let plan = site.plan("a")?;
    let browser = driver.open()?;
    let elsewhere = foreign.origin("127.0.0.1");
    let (_, without_scheme) = elsewhere.split_once(':').context("a scheme")?;
    for next in [
        elsewhere.as_str(),
        without_scheme,
        &without_scheme.replace('/', "\\"),
        &format!("/{without_scheme}"),
        &format!("{}@{}", site.origin, elsewhere.trim_start_matches("http://")),
        &format!("{}/../..{without_scheme}", path(&plan)),
        "javascript:alert(1)",
        "/logout",
        "/plans/x\r\nLocation: http://attacker.test/",
    ] {
        let escaped: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
        browser.open(&format!("{}/login?next={escaped}", site.origin))?;
        fill_in_login(&browser, "alice", PASSWORD)?;
        browser.find("nav.tabs").with_context(|| format!("after `{next}`"))?;
        assert_eq!(browser.url()?, format!("{}/", site.origin), "{next}");
        // And where the field itself is edited.
        let answer = site.holder("").post("/login", &[("account", "alice"), ("password", PASSWORD), ("next", next)])?;
        assert_eq!((answer.status, answer.location()), (303, "/"), "{next}");
    }
    assert_eq!(foreign.received(), [], "nobody was sent there");
    // The control: where it may lead, it does.
    browser.open(&format!("{}/login?next={}", site.origin, path(&plan)))?;
    fill_in_login(&browser, "alice", PASSWORD)?;
    browser.find(".decide")?;
    assert_eq!(
        browser.run("return document.referrer", &[])?,
        Value::String(String::new()),
        "and says nothing of where from"
    );
    Ok(())
}
