//! What a machine can tell of the accessibility of every page: the rules of WCAG 2, levels A and AA, that axe-core knows.

use std::fs;

use anyhow::{Context as _, Result};
use browser::{Browser, Driver, Foreign, Gallery, Palette, Site};
use serde_json::{Value, json};

/// Names the file `axe.min.js`; `cargo xtask ci --only browser` fetches it and sets this.
const AXE: &str = "AXE_CORE";

const RULES: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

fn axe() -> Result<String> {
    let file = std::env::var(AXE).with_context(|| format!("{AXE} isn't set: run `cargo xtask ci --only browser`"))?;
    fs::read_to_string(&file).with_context(|| format!("reading `{file}`"))
}

/// The rules that the page breaks, and where.
fn violations(browser: &Browser<'_>, axe: &str) -> Result<Vec<String>> {
    browser.run(axe, &[])?;
    // Of ten thousand rows that are alike, and folded, fifty are as good.
    let script = "const done = arguments[1];
        const rows = '.block > .fold:not([open]) > :is(div, ins, del):nth-child(n+50)';
        document.querySelectorAll(rows).forEach((row) => row.remove());
        const large = [...document.querySelectorAll('details:not([open])')].filter((fold) => fold.childElementCount > 50);
        if (large.length > 0) return done({ passes: 0, violations: ['more than fifty rows are left in a fold'] });
        axe.run(document, { runOnly: arguments[0] }).then(
            (found) => done({
                passes: found.passes.length,
                violations: found.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' | ')),
            }),
            (error) => done({ passes: 0, violations: [String(error)] }))";
    let found = browser.run_until_done(script, &[json!(RULES)])?;
    let passes = found.get("passes").and_then(Value::as_u64).unwrap_or_default();
    let violations = found.get("violations").and_then(Value::as_array).context("no list of violations")?;
    let mut violations: Vec<_> = violations.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if passes == 0 {
        violations.push("no rule was looked at".to_owned());
    }
    Ok(violations)
}

fn every_page(palette: Palette) -> Result<()> {
    let (axe, gallery, driver) = (axe()?, Gallery::new()?, Driver::start()?);
    let (browser, mut complaints) = (driver.open()?, Vec::new());
    browser.set_palette(palette)?;
    gallery.each(&browser, |page| {
        assert_eq!(browser.status()?, page.status, "{}", page.name);
        browser.unfold()?;
        let found = violations(&browser, &axe)?;
        complaints.extend(found.into_iter().map(|what| format!("{}: {what}", page.name)));
        Ok(())
    })?;
    let is_dark = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches", &[])?;
    assert_eq!(is_dark, json!(palette == Palette::Dark));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}

#[test]
fn no_page_breaks_a_rule_of_wcag_in_light() -> Result<()> {
    every_page(Palette::Light)
}

#[test]
fn no_page_breaks_a_rule_of_wcag_in_dark() -> Result<()> {
    every_page(Palette::Dark)
}

#[test]
fn a_page_that_breaks_a_rule_is_found() -> Result<()> {
    let (axe, site, driver) = (axe()?, Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    foreign.put("/", "<title>Broken</title><img src=x><p style='color: #ccc; background: #fff'>faint</p>", &[]);
    let browser = driver.open()?;
    browser.open(&foreign.origin("127.0.0.1"))?;
    let found = violations(&browser, &axe)?.join("\n");
    for rule in ["image-alt", "color-contrast", "html-has-lang"] {
        assert!(found.contains(rule), "{rule} isn't in {found}");
    }
    Ok(())
}
