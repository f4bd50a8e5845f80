//! On a phone no page scrolls sideways, and nothing is cut off.

use anyhow::Result;
use browser::{Browser, Driver, Foreign, Gallery};
use serde_json::{Value, json};

/// The narrowest phone that counts, in CSS pixels.
const PHONE: u32 = 375;

/// What is wider than the window, or has more in it than it shows.
fn overflowing(browser: &Browser<'_>) -> Result<Value> {
    let script = "const width = arguments[0], fields = 'input, select, textarea';
        const isShown = (e) => e.checkVisibility() && !e.matches(fields);
        const isWide = (e) => e.getBoundingClientRect().right > width + 1;
        const isCut = (e) => getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1;
        const wide = [...document.body.querySelectorAll('*')].filter((e) => isShown(e) && (isWide(e) || isCut(e)));
        const sideways = document.documentElement.scrollWidth > width || innerWidth > width;
        return [...(sideways ? ['the page'] : []), ...wide.map((e) => e.outerHTML.slice(0, 150))].slice(0, 5)";
    browser.run(script, &[json!(PHONE)])
}

#[test]
fn no_page_scrolls_sideways_on_a_phone() -> Result<()> {
    let (gallery, driver) = (Gallery::new()?, Driver::start()?);
    let browser = driver.open()?;
    browser.set_width(PHONE)?;
    let mut complaints = Vec::new();
    gallery.each(&browser, |page| {
        for state in ["as it comes", "unfolded"] {
            let found = overflowing(&browser)?;
            if found != json!([]) {
                complaints.push(format!("{}, {state}: {found}", page.name));
            }
            browser.unfold()?;
        }
        Ok(())
    })?;
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));

    // The control: what is too wide is found.
    let foreign = Foreign::beside(&gallery.site)?;
    let head = "<!doctype html><meta name=viewport content='width=device-width'>";
    foreign.put("/", format!("{head}<p style='white-space: nowrap'>{}", "wide ".repeat(100)), &[]);
    browser.open(&foreign.origin("127.0.0.1"))?;
    assert_ne!(overflowing(&browser)?, json!([]));
    Ok(())
}
