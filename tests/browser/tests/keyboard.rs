//! Without a mouse.

use anyhow::{Result, bail, ensure};
use browser::{Browser, Driver, Key, Kind, PASSWORD, Site, path};
use serde_json::{Value, json};

/// More stops than any page of these tests has.
const MANY: usize = 60;

/// Goes on with the tabulator until it is there. Each stop on the way must be seen to be one.
fn go_to(browser: &Browser<'_>, selector: &str) -> Result<()> {
    let script = "const at = document.activeElement, style = getComputedStyle(at);
        return { there: at.matches(arguments[0]), approve: at.matches('.approve'), name: at.outerHTML.slice(0, 120),
                 seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 }";
    for _ in 0..MANY {
        browser.press(Key::Tab)?;
        let stop = browser.run(script, &[json!(selector)])?;
        let is = |what: &str| stop.get(what).and_then(Value::as_bool).unwrap_or_default();
        ensure!(is("seen"), "nobody sees that this has the focus: {stop}");
        if is("there") {
            return Ok(());
        }
        ensure!(!is("approve"), "Approve comes before `{selector}`");
    }
    bail!("{MANY} stops don't lead to `{selector}`")
}

fn has_focus(browser: &Browser<'_>, selector: &str) -> Result<bool> {
    Ok(browser.run("return document.activeElement.matches(arguments[0])", &[json!(selector)])? == json!(true))
}

#[test]
fn everything_can_be_done_with_the_keyboard() -> Result<()> {
    // [FORM-005]
    let site = Site::new()?;
    let plan = site.put(Kind::Dangerous)?;
    let driver = Driver::start()?;
    let browser = driver.open()?;

    browser.open(&format!("{}/login", site.origin))?;
    go_to(&browser, "#account")?;
    browser.enter("alice")?;
    browser.press(Key::Tab)?;
    browser.enter(PASSWORD)?;
    browser.press(Key::Enter)?;
    browser.find("nav.tabs")?;
    go_to(&browser, &format!(".plans a[href='{}']", path(&plan)))?;
    browser.press(Key::Enter)?;
    browser.find(".decide")?;
    assert!(has_focus(&browser, "body")?, "nothing has the focus, least of all Approve");

    // From field to field; Reject comes before Approve, and neither before what they need.
    go_to(&browser, "#target")?;
    browser.enter("prod-eu-1")?;
    go_to(&browser, "#comment")?;
    browser.enter("typed")?;
    go_to(&browser, "#password")?;
    browser.enter(PASSWORD)?;
    go_to(&browser, "button.reject")?;
    go_to(&browser, "button.approve")?;
    assert_eq!(site.seen("POST", &path(&plan)), [], "nothing was decided on the way");
    browser.press(Key::Enter)?;
    assert_eq!(browser.find("section.narrow h1")?.text()?, "You approved");
    assert_eq!(site.state(&plan)?, "approved");
    go_to(&browser, "a[href='/']:not(.brand)")?;
    browser.press(Key::Enter)?;
    browser.find("nav.tabs")?;
    go_to(&browser, ".logout button")?;
    browser.press(Key::Enter)?;
    browser.find("#account").map(drop)
}

#[test]
fn the_space_bar_unfolds_ticks_and_presses() -> Result<()> {
    // [FORM-007, SHOW-007]
    let site = Site::new()?;
    let plan = site.put(Kind::Long)?;
    let driver = Driver::start()?;
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    go_to(&browser, "details.fold > summary")?;
    browser.press(Key::Space)?;
    let shows = browser.run("return document.querySelector('.change').innerText.includes('10179,row 10179')", &[])?;
    assert_eq!(shows, json!(true));
    go_to(&browser, "#whole")?;
    browser.press(Key::Space)?;
    go_to(&browser, "#password")?;
    browser.enter(PASSWORD)?;
    go_to(&browser, "button.approve")?;
    browser.press(Key::Space)?;
    assert_eq!(browser.find("section.narrow h1")?.text()?, "You approved");
    assert_eq!(site.state(&plan)?, "approved");
    Ok(())
}

#[test]
fn enter_in_a_field_decides_nothing() -> Result<()> {
    // [FORM-005]
    let site = Site::new()?;
    let (dangerous, long) = (site.put(Kind::Dangerous)?, site.put(Kind::Long)?);
    let driver = Driver::start()?;
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    for (plan, asked) in [(&long, "#whole"), (&dangerous, "#target")] {
        browser.open(&site.url(plan))?;
        // With all that an approval needs, so that nothing else holds it back.
        match asked {
            "#target" => browser.find(asked)?.enter("prod-eu-1")?,
            _ => browser.find(asked)?.click()?,
        }
        browser.find("#password")?.enter(PASSWORD)?;
        browser.run("window.unmoved = true", &[])?;
        for field in [asked, "#comment", "#password", "#mute"] {
            browser.run("document.querySelector(arguments[0]).focus()", &[json!(field)])?;
            browser.press(Key::Enter)?;
            browser.settle()?;
            assert!(has_focus(&browser, field)?, "Enter in {field} went elsewhere");
        }
        assert_eq!(browser.run("return window.unmoved", &[])?, json!(true), "the page is the same one");
        assert_eq!((site.seen("POST", &path(plan)), site.state(plan)?), (Vec::new(), "awaiting_approval"));
        // The control: the same page, and the button.
        browser.find("button.approve")?.click()?;
        browser.find("section.narrow h1")?;
        assert_eq!(site.state(plan)?, "approved");
    }
    Ok(())
}
