//! What the style sheet makes of text: each line is seen, and each character stands where it is stored.

use anyhow::{Result, ensure};
use browser::{Driver, Kind, Site};

/// The characters of a text, where each is drawn: those that don't stand to the right of the one before, on its line.
const OUT_OF_ORDER: &str = "
    const wrong = [], walker = document.createTreeWalker(arguments[0], NodeFilter.SHOW_TEXT);
    let seen = 0;
    while (walker.nextNode()) {
        const text = walker.currentNode, range = document.createRange();
        let before = null;
        for (let at = 0; at < text.length; at++) {
            range.setStart(text, at);
            range.setEnd(text, at + 1);
            const box = range.getBoundingClientRect();
            if (!box.width) continue;
            seen++;
            if (before && Math.abs(before.top - box.top) < 2 && box.left < before.left) wrong.push(text.data);
            before = box;
        }
    }
    return [seen, wrong];";

#[test]
fn a_character_stands_where_it_is_stored() -> Result<()> {
    // [TEXT-002]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (plan, browser) = (site.put(Kind::Hostile)?, driver.open()?);
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    for place in
        [".steps", ".findings", "h1", ".changes, section[aria-labelledby=changes]", "section[aria-labelledby=exact]"]
    {
        let script = OUT_OF_ORDER.replace("arguments[0]", &format!("document.querySelector({place:?})"));
        let found = browser.run(&script, &[])?;
        ensure!(found[0].as_u64().is_some_and(|seen| seen > 20), "{place}: {found}");
        ensure!(found[1].as_array().is_some_and(Vec::is_empty), "{place}: {found}");
    }
    // The control: what others say may stand in the order of their language.
    let told = browser.run(
        &format!(
            "const text = document.querySelector('.steps .text');
            text.style.unicodeBidi = 'isolate';
            text.textContent = 'Delete logs-\\u05d0 3 → 30';
            {}",
            OUT_OF_ORDER.replace("arguments[0]", "text")
        ),
        &[],
    )?;
    ensure!(told[1].as_array().is_some_and(|wrong| !wrong.is_empty()), "{told}");
    Ok(())
}

#[test]
fn a_blank_line_is_seen() -> Result<()> {
    // [SHOW-005, TEXT-004]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (plan, browser) = (site.put(Kind::Hostile)?, driver.open()?);
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    let script = "const rows = [...document.querySelectorAll('.block > :is(div, ins, del)')];
        const blank = rows.filter(row => !row.textContent);
        const least = Math.min(...rows.map(row => row.getBoundingClientRect().height));
        return [blank.length, blank.filter(row => row.localName === 'ins').length, least];";
    let found = browser.run(script, &[])?;
    ensure!(found[0].as_u64() >= Some(3) && found[1].as_u64() == Some(2), "the blank lines of the script: {found}");
    ensure!(found[2].as_f64().is_some_and(|least| least > 12.0), "a row is {found} high");
    Ok(())
}
