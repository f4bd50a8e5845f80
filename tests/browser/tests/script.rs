//! The little that script adds. All other tests of the pages that go by raw HTTP do without it.

use anyhow::{Result, ensure};
use browser::{Driver, Key, Kind, Site, path};
use serde_json::json;

#[test]
fn the_time_left_is_counted_down() -> Result<()> {
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (plan, browser) = (site.plan("a")?, driver.open()?);
    site.log_in(&browser, "alice")?;
    for page in [site.url(&plan), format!("{}/", site.origin)] {
        browser.open(&page)?;
        let script =
            "const done = arguments[0], place = document.querySelector('[data-left]'), before = place.textContent;
            new MutationObserver(() => {
                if (place.textContent !== before) done([Number(place.dataset.left), before, place.textContent]);
            }).observe(place, { childList: true });";
        let counted = browser.run_until_done(script, &[])?;
        let (left, before, after) = (counted[0].as_u64(), counted[1].as_str(), counted[2].as_str());
        // The clock of the server stands still; the page counts from what it said.
        ensure!(left.is_some_and(|left| (800..=900).contains(&left)) && before != after, "{page}: {counted}");
        ensure!(after.is_some_and(|after| after.starts_with("14 min ")), "{page}: {counted}");
    }
    Ok(())
}

#[test]
fn arrows_go_through_a_list() -> Result<()> {
    let (site, driver) = (Site::new()?, Driver::start()?);
    let plans = [site.plan("a")?, site.plan("b")?, site.plan("c")?];
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    browser.run("document.querySelector('.plans a').focus()", &[])?;
    let [oldest, middle, newest] = plans.each_ref().map(path);
    for (key, at) in [
        (Key::Down, &middle),
        (Key::Down, &oldest),
        (Key::Down, &oldest),
        (Key::Up, &middle),
        (Key::Home, &newest),
        (Key::Up, &newest),
        (Key::End, &oldest),
    ] {
        browser.press(key)?;
        let focused = browser.run("return document.activeElement.getAttribute('href')", &[])?;
        ensure!(focused == json!(at), "{key:?} leads to {focused}");
    }
    Ok(())
}

#[test]
fn a_digest_can_be_copied() -> Result<()> {
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (plan, browser) = (site.put(Kind::Dangerous)?, driver.open()?);
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    let digests = browser.count("code.digest")?;
    ensure!(digests > 3 && browser.count("code.digest + button.copy[aria-label^='Copy ']")? == digests);
    // What is copied is what stands there: the clipboard itself is the browser's.
    let script = "const done = arguments[0], digest = document.querySelector('code.digest');
        navigator.clipboard.writeText = async (text) => done([text, digest.textContent]);
        digest.nextElementSibling.click();";
    let copied = browser.run_until_done(script, &[])?;
    ensure!(copied[0] == copied[1] && copied[0].as_str().is_some_and(|text| text.starts_with("sha256:")), "{copied}");
    Ok(())
}
