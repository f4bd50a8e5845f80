//! Texts that want to be more than text, in every place where others write one.

use anyhow::{Context as _, Result};
use approval_core::record::{
    Change, Finding, Normaliser, Precondition, PreconditionEnforcement, Rule, Severity, Source, Step, Target, Text,
};
use approval_core::{Draft, DraftStep, EffectKey, Group, PlanView, Policy, Terms};
use approval_testkit::FakeDirectory;
use browser::{Browser, Driver, Foreign, PASSWORD, Site, WRONG, path};
use serde_json::{Map, Value, json};

/// Leaves whatever it stands in, and runs; as a name, as a link, as a template, for a terminal, and turned around.
const TEXT: &str = "\"'></title></style></textarea></h1><script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)>\
                    <a href=\"javascript:alert(1)\" style=\"position:fixed;inset:0\">javascript:alert(1)</a>{{7*7}}${7*7}\
                    \u{1b}[2J\u{1b}]8;;javascript:alert(1)\u{7}\u{202e}\u{200b}\u{e0041}";

/// A part that is shown as it is, once for each place.
const VISIBLE: &str = "<script>alert(1)</script>";
/// How the page shows the rest.
const NAMED: &str = "{{7*7}}${7*7}⟨U+001B⟩[2J⟨U+001B⟩]8;;javascript:alert(1)⟨U+0007⟩⟨U+202E⟩⟨U+200B⟩⟨U+E0041⟩";

fn object() -> Value {
    let mut object = Map::new();
    object.insert(TEXT.to_owned(), TEXT.into());
    Value::Object(object)
}

fn draft() -> Draft {
    let identity = object().as_object().cloned().unwrap_or_default();
    let mut draft = Draft::new(Target { name: TEXT.to_owned(), identity }, TEXT, vec![EffectKey::new(TEXT)]);
    let text = || TEXT.to_owned();
    draft.findings.push(Finding { code: text(), severity: Severity::High, text: text() });
    draft.steps.push(DraftStep {
        step: Step {
            action: text(),
            object: text(),
            body: Some(object()),
            preconditions: vec![Precondition {
                kind: text(),
                expected: json!(TEXT),
                enforcement: PreconditionEnforcement::OnWrite,
            }],
            preview_digest: None,
        },
        description: text(),
        preview: Some(object()),
    });
    draft.changes.push(Change { object: text(), before: Some(json!(TEXT)), after: Some(object()) });
    draft.changes.push(Change { object: text(), before: None, after: Some(json!(TEXT)) });
    draft.quotes = [Source::Agent, Source::Target, Source::Upstream].map(|source| Text { source, text: text() }).into();
    draft.generated.insert(text(), object());
    draft.normaliser = Some(Normaliser { name: text(), exclusions: vec![text()] });
    draft
}

/// That the page is nothing but text: no dialog, nothing that runs, loads, leads away or hides, and the texts in so many places.
fn is_text(browser: &Browser<'_>, what: &str, places: usize) -> Result<()> {
    assert_eq!(browser.dialog(), None, "{what}");
    let alive = "script:not(head > [src='/assets/surface.js']), img, svg, iframe, object, embed, style, base, meta[http-equiv], [style], [onerror], [onload], \
                 [href^='javascript:'], [href*='://'], body [src]";
    assert_eq!(browser.count(alive)?, 0, "{what}");
    assert_eq!(browser.count("title, h1")?, 2, "{what}: no text ended its element");
    let text = browser.run(
        "for (const fold of document.querySelectorAll('details')) fold.open = true;
        return document.body.innerText",
        &[],
    )?;
    let text = text.as_str().unwrap_or_default();
    assert!(text.matches(VISIBLE).count() >= places, "{what}: {} of {places}", text.matches(VISIBLE).count());
    assert!(text.matches(NAMED).count() >= places, "{what}: {} of {places} named", text.matches(NAMED).count());
    let hidden = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{200b}' | '\u{e0041}');
    assert_eq!(text.chars().find(|c| hidden(*c)), None, "{what}");
    Ok(())
}

#[test]
fn no_text_of_others_is_more_than_text() -> Result<()> {
    // [TEXT-001, TEXT-002, TEXT-004, SHOW-002, SURF-015]
    let rule = Rule::quorum(1, [Group::from("sre"), Group::from(TEXT)]);
    let policy = Policy::always(Terms { rule, ..Terms::same_subject() });
    let (site, driver) = (Site::with_persons(policy, &[TEXT])?, Driver::start()?);
    let requester = FakeDirectory::requester(TEXT);
    let plan = site.put_draft(&requester, TEXT, &object(), draft())?;
    let browser = driver.open()?;

    // Before the login: what was typed, and where to go on.
    let next: String = TEXT.bytes().map(|byte| format!("%{byte:02X}")).collect();
    browser.open(&format!("{}/login?next={next}", site.origin))?;
    is_text(&browser, "the login's next", 0)?;
    browser
        .run("document.querySelector('#account').value = arguments[0]", &[json!(TEXT.replace(char::is_control, ""))])?;
    browser.find("#password")?.enter(WRONG)?;
    browser.find("main form button")?.click()?;
    browser.find(".error")?;
    is_text(&browser, "the login's account", 0)?;

    site.log_in(&browser, "bob")?;
    is_text(&browser, "the inbox", 3)?;
    browser.open(&format!("{}/?target={next}&requester={next}&group={next}", site.origin))?;
    is_text(&browser, "the filters of the inbox", 0)?;
    browser.open(&format!("{}/?state={next}", site.origin))?;
    is_text(&browser, "a filter that can't be read", 1)?;

    browser.open(&site.url(&plan))?;
    // Target, requester, tool, finding and code, step, changes, actions, bodies, arguments, names and paths, quotes, and the form.
    is_text(&browser, "the plan", 35)?;

    // What the approver writes is a text of others for the next one.
    browser.run("document.querySelector('#comment').value = arguments[0]", &[json!(TEXT)])?;
    browser.find("#password")?.enter(WRONG)?;
    browser.find("button.reject")?.click()?;
    browser.find(".error")?;
    is_text(&browser, "the plan with a comment that is kept", 35)?;
    browser.find("#password")?.enter(PASSWORD)?;
    browser.find("button.reject")?.click()?;
    browser.find(".lead")?;
    is_text(&browser, "the decision", 2)?;
    assert_eq!(site.on(site.room.page(&plan, "bob"))?.decisions.len(), 1, "the control: it was decided");
    browser.open(&site.url(&plan))?;
    is_text(&browser, "the plan with its comment", 36)?;
    browser.open(&format!("{}/history", site.origin))?;
    is_text(&browser, "the history", 3)
}

#[test]
fn the_texts_of_this_attack_run_where_nothing_stops_them() -> Result<()> {
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    foreign.put("/", format!("<!doctype html><title>{TEXT}</title>"), &[]);
    let browser = driver.open()?;
    // The page is never loaded: its dialog waits for an answer.
    let _ = browser.open(&foreign.origin("127.0.0.1"));
    assert_eq!(browser.dialog().as_deref(), Some("1"));
    browser.close_dialog()
}

#[test]
fn a_script_that_came_in_would_not_run() -> Result<()> {
    // [SURF-015]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (foreign, plan) = (Foreign::beside(&site)?, site.plan("a")?);
    foreign.put("/", "<p>no policy", &[]);
    foreign.put("/ran.js", "window.ran = 'elsewhere'", &[]);
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    // As if an escape had been forgotten: inline, as a handler, as a link, from elsewhere, as a style, as a base.
    let script = "const done = arguments[1];
        const inline = document.createElement('script'); inline.textContent = 'window.ran = true';
        document.body.append(inline);
        document.body.insertAdjacentHTML('beforeend', '<button id=handler onclick=\"window.ran = true\"></button>' +
            '<p id=styled style=\"position: fixed\"></p><base href=\"http://attacker.test/\">');
        document.querySelector('#handler').click();
        const remote = document.createElement('script'); remote.src = arguments[0];
        const position = getComputedStyle(document.querySelector('#styled')).position;
        const base = document.baseURI.startsWith('http://attacker.test/');
        remote.onload = remote.onerror = () => done([window.ran ?? null, position, base]);
        document.body.append(remote)";
    let remote = json!(format!("{}/ran.js", foreign.origin("127.0.0.1")));
    for page in [site.url(&plan), format!("{}/", site.origin), format!("{}/login", site.origin)] {
        browser.open(&page)?;
        assert_eq!(
            browser.run_until_done(script, std::slice::from_ref(&remote))?,
            json!([null, "static", false]),
            "{page}"
        );
    }
    // The control: the same on a page without a policy.
    browser.open(&foreign.origin("127.0.0.1"))?;
    let ran = browser.run_until_done(script, &[remote])?;
    assert_eq!(ran, json!(["elsewhere", "fixed", true]));
    Ok(())
}

/// The part of a plan that can be downloaded is no page.
#[test]
fn a_document_is_never_a_page() -> Result<()> {
    // [TEXT-001, SURF-015]
    let site = Site::new()?;
    let plan: PlanView = site.put_draft(&approval_testkit::Room::alice(), "put", &object(), draft())?;
    let alice = site.person("alice")?;
    for document in ["header.json", "intent.json", "review.json"] {
        let answer = alice.get(&format!("{}/{document}", path(&plan)))?;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{document}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let disposition = answer.header("content-disposition").context("shown as a page")?;
        assert_eq!(disposition, format!("attachment; filename=\"{}-{document}\"", plan.header.plan_id));
    }
    Ok(())
}
