//! What persons do: log in, read, decide. What is stored then is what they meant.

use anyhow::{Context as _, Result};
use approval_core::record::{Outcome, Rule, Verdict};
use approval_core::{Group, PlanView, Policy, Reason, Terms};
use browser::{Browser, Driver, Kind, PASSWORD, Site, WRONG, fill_in_login, log_in_as_dora, path};
use serde_json::json;

/// The heading of a page that is neither a plan nor a list.
const HEADING: &str = "section.narrow h1";

/// Enters the password for a decision, and presses the button.
fn decide(browser: &Browser<'_>, verdict: &str) -> Result<()> {
    browser.find("#password")?.enter(PASSWORD)?;
    browser.find(&format!("button[value={verdict}]"))?.click()
}

/// Who decided what, as it is stored.
fn decided(site: &Site, plan: &PlanView) -> Result<Vec<(String, Verdict)>> {
    let decisions = site.decisions(plan)?;
    Ok(decisions.iter().map(|decision| (decision.approver.person.to_string(), decision.verdict)).collect())
}

#[test]
fn a_link_leads_through_the_login_to_the_plan_and_an_approval_lets_it_run() -> Result<()> {
    // [SURF-011, AUTH-007, AUTH-010, FORM-010]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let driver = Driver::start()?;
    let browser = driver.open()?;

    browser.open(&site.url(&plan))?;
    assert!(!browser.text()?.contains("shelf"), "nothing is shown before the login");
    fill_in_login(&browser, "alice", WRONG)?;
    assert_eq!(browser.find(".error")?.text()?, "Account or password is wrong.");
    browser.find("#account")?.clear()?;
    fill_in_login(&browser, "alice", PASSWORD)?;
    browser.find(".decide")?;
    assert_eq!(browser.url()?, site.url(&plan));
    assert_eq!(browser.find("h1")?.text()?, "put a value on the shelf at `a`");

    browser.find("#comment")?.enter("read it")?;
    decide(&browser, "approve")?;
    assert_eq!(browser.find(HEADING)?.text()?, "You approved");
    assert!(browser.url()?.starts_with(&format!("{}/decided", site.url(&plan))));
    assert_eq!(site.state(&plan)?, "approved");
    assert_eq!(decided(&site, &plan)?, [("alice".to_owned(), Verdict::Approve)]);
    let comment = site.decisions(&plan)?.into_iter().next().and_then(|decision| decision.comment);
    assert_eq!(comment.as_deref(), Some("read it"));
    assert_eq!(site.room.target.effects(), 0, "a decision runs nothing");

    let execution = site.on(site.room.execute(&plan))?;
    assert_eq!((execution.execution.outcome, site.room.target.effects()), (Outcome::Applied, 1));
    browser.find(".links a")?.click()?;
    assert!(browser.find(".live")?.text()?.contains("applied: the whole effect occurred"));
    Ok(())
}

#[test]
fn a_plan_is_found_in_the_inbox_and_rejected_with_a_reason() -> Result<()> {
    // [FORM-008, FORM-009]
    let site = Site::new()?;
    let (plan, other) = (site.plan("a")?, site.plan("b")?);
    let driver = Driver::start()?;
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    browser.find(&format!(".plans a[href='{}']", path(&plan)))?.click()?;
    browser.find("#comment")?.enter("not on a Friday\nask again")?;
    decide(&browser, "reject")?;
    assert_eq!(browser.find(HEADING)?.text()?, "You rejected");
    assert_eq!((site.state(&plan)?, site.state(&other)?), ("rejected", "awaiting_approval"));
    let comment = site.decisions(&plan)?.into_iter().next().and_then(|decision| decision.comment);
    assert_eq!(comment.as_deref(), Some("not on a Friday\nask again"));
    assert_eq!(site.ask("a").err().context("asked again")?.reason(), Reason::RecentlyRejected);
    site.ask("c").context("a requester whom nobody muted asks on")?;

    browser.find("a.brand")?.click()?;
    browser.find(".plans")?;
    assert_eq!(browser.count(".plans li")?, 1, "only the other one waits");
    Ok(())
}

#[test]
fn a_rejection_can_mute_the_requester() -> Result<()> {
    // [FORM-009, PLAN-006]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let driver = Driver::start()?;
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    browser.find("label[for=mute]")?.click()?;
    decide(&browser, "reject")?;
    assert_eq!(browser.find(HEADING)?.text()?, "You rejected");
    assert_eq!(site.state(&plan)?, "rejected");
    assert_eq!(site.ask("b").err().context("a muted requester asked")?.reason(), Reason::RateLimited);
    Ok(())
}

#[test]
fn an_approval_can_be_withdrawn_before_it_runs() -> Result<()> {
    // [FORM-008]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let driver = Driver::start()?;
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    decide(&browser, "approve")?;
    browser.find(".links a")?.click()?;
    browser.find("button[value=withdraw]")?;
    assert_eq!(browser.count("button[value=approve]")?, 0, "who has approved can't do it again");
    decide(&browser, "withdraw")?;
    assert_eq!(browser.find(HEADING)?.text()?, "You withdrew the approval");
    assert_eq!(site.state(&plan)?, "cancelled");
    let refused = site.on(site.room.execute(&plan)).err().context("it ran")?;
    assert_eq!((refused.reason(), site.room.target.effects()), (Reason::ApprovalWithdrawn, 0));
    Ok(())
}

#[test]
fn a_high_finding_asks_for_the_targets_name() -> Result<()> {
    // [FORM-006, SHOW-004]
    let site = Site::new()?;
    let plan = site.put(Kind::Dangerous)?;
    let driver = Driver::start()?;
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    assert!(browser.find(".findings li")?.text()?.starts_with("HIGH"), "the worst comes first");

    // Left empty: the browser itself sends nothing.
    decide(&browser, "approve")?;
    browser.settle()?;
    assert_eq!(site.seen("POST", &path(&plan)), []);
    // Another name: the server refuses.
    browser.find("#target")?.enter("prod-eu-2")?;
    browser.find("button[value=approve]")?.click()?;
    assert_eq!(browser.find(".error")?.text()?, "That is not the target’s name. Nothing was decided.");
    assert_eq!((browser.status()?, site.state(&plan)?), (422, "awaiting_approval"));
    // The control.
    browser.find("#target")?.enter("prod-eu-1")?;
    decide(&browser, "approve")?;
    assert_eq!(browser.find(HEADING)?.text()?, "You approved");
    assert_eq!(site.state(&plan)?, "approved");

    // A rejection takes the password, and no name. [FORM-008]
    let plan = site.put(Kind::Dangerous)?;
    browser.open(&site.url(&plan))?;
    decide(&browser, "reject")?;
    assert_eq!(browser.find(HEADING)?.text()?, "You rejected");
    assert_eq!(site.state(&plan)?, "rejected");
    Ok(())
}

#[test]
fn what_is_folded_can_be_unfolded_and_asks_for_a_word() -> Result<()> {
    // [FORM-007, SHOW-007]
    let site = Site::new()?;
    let plan = site.put(Kind::Long)?;
    let driver = Driver::start()?;
    let browser = driver.open()?;
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    let shows_last =
        || browser.run("return document.querySelector('.change').innerText.includes('10179,row 10179')", &[]);
    assert_eq!(shows_last()?, json!(false));
    let fold = browser.find("details.fold > summary")?;
    assert_eq!(fold.text()?, "… 9\u{202f}980 more lines");
    fold.click()?;
    assert_eq!(shows_last()?, json!(true), "all of it is on the page");

    decide(&browser, "approve")?;
    browser.settle()?;
    assert_eq!(site.seen("POST", &path(&plan)), [], "the browser asks for the word");
    browser.find("#whole")?.click()?;
    browser.find("button[value=approve]")?.click()?;
    assert_eq!(browser.find(HEADING)?.text()?, "You approved");
    assert_eq!(site.state(&plan)?, "approved");
    Ok(())
}

#[test]
fn a_quorum_is_two_persons_in_two_browsers() -> Result<()> {
    // [RULE-001, SHOW-011, SHOW-013]
    let site = Site::quorum()?;
    let plan = site.plan("a")?;
    let driver = Driver::start()?;
    let (bobs, carols) = (driver.open()?, driver.open()?);
    site.log_in(&bobs, "bob")?;
    bobs.open(&site.url(&plan))?;
    decide(&bobs, "approve")?;
    assert!(bobs.find("section.narrow")?.text()?.contains("1 of 2 approvals are there"));
    assert_eq!(site.state(&plan)?, "awaiting_approval");
    bobs.open(&site.url(&plan))?;
    bobs.find("button[value=withdraw]")?;
    assert_eq!(bobs.count("button[value=approve]")?, 0, "one person is no quorum");

    // Whose login the one browser has is nothing to the other.
    carols.open(&site.url(&plan))?;
    fill_in_login(&carols, "carol", PASSWORD)?;
    assert!(carols.find(".live")?.text()?.contains("bob approved"));
    decide(&carols, "approve")?;
    assert_eq!(carols.find(HEADING)?.text()?, "You approved");
    assert_eq!(site.state(&plan)?, "approved");
    let both = ["bob", "carol"].map(|person| (person.to_owned(), Verdict::Approve));
    assert_eq!(decided(&site, &plan)?, both);

    // The requester may read it, and no more.
    site.log_in(&bobs, "alice")?;
    bobs.open(&site.url(&plan))?;
    assert!(bobs.find(".live")?.text()?.contains("2 of 2"));
    assert_eq!(bobs.count(".decide")?, 0);
    Ok(())
}

/// A plan that somebody else of the group `sre` decides on, opened by Dora by its link: she logs in at her identity provider.
fn opened_by_dora<'d>(driver: &'d Driver) -> Result<(Site, PlanView, Browser<'d>)> {
    let rule = Rule::other_subject([Group::from("sre")]);
    let site = Site::with_provider(Policy::always(Terms { rule, ..Terms::same_subject() }))?;
    let (plan, browser) = (site.plan("a")?, driver.open()?);
    browser.open(&site.url(&plan))?;
    browser.find("form[action*='/login/at/'] button")?.click()?;
    log_in_as_dora(&browser, ".decide")?;
    assert_eq!(browser.url()?, site.url(&plan));
    Ok((site, plan, browser))
}

#[test]
fn who_logs_in_at_an_identity_provider_does_so_again_for_each_decision() -> Result<()> {
    // [AUTH-010, AUTH-011, AUTH-013]
    for (verdict, said, state) in [("approve", "You approved", "approved"), ("reject", "You rejected", "rejected")] {
        let driver = Driver::start()?;
        let (site, plan, browser) = opened_by_dora(&driver)?;
        assert_eq!(browser.count("#password")?, 0);
        browser.find("#comment")?.enter("read it")?;
        browser.find(&format!("button[value={verdict}]"))?.click()?;
        // She is at her provider, and then asked for the last word: nothing is decided before that.
        log_in_as_dora(&browser, "#confirm")?;
        assert!(browser.find("blockquote")?.text()?.contains("read it"));
        assert_eq!(decided(&site, &plan)?, []);
        browser.find(&format!("button.{verdict}"))?.click()?;
        assert_eq!(browser.find(HEADING)?.text()?, said);
        assert_eq!(site.state(&plan)?, state);
        let decisions = site.decisions(&plan)?;
        let [decision] = decisions.as_slice() else { anyhow::bail!("{decisions:?}") };
        assert_eq!((decision.approver.person.as_str(), decision.approver.subject.as_str()), ("dora", "4711"));
        assert_eq!((decision.approver.acr.as_deref(), decision.comment.as_deref()), (Some("mfa"), Some("read it")));
        // What was confirmed once is confirmed.
        browser.back()?;
        assert_eq!(decided(&site, &plan)?.len(), 1);
    }
    Ok(())
}

#[test]
fn who_turns_back_from_the_last_word_has_decided_nothing() -> Result<()> {
    // [AUTH-013]
    let driver = Driver::start()?;
    let (site, plan, browser) = opened_by_dora(&driver)?;
    browser.find("button[value=approve]")?.click()?;
    log_in_as_dora(&browser, "#confirm")?;
    browser.find("p.actions a")?.click()?;
    browser.find(".decide")?;
    assert_eq!(browser.url()?, site.url(&plan));
    assert_eq!((decided(&site, &plan)?, site.state(&plan)?), (vec![], "awaiting_approval"));
    Ok(())
}

#[test]
fn who_logs_out_is_told_where_else_they_are_logged_in() -> Result<()> {
    // [AUTH-003]
    let driver = Driver::start()?;
    let (site, plan, browser) = opened_by_dora(&driver)?;
    browser.find("form.logout button")?.click()?;
    assert_eq!(browser.find(HEADING)?.text()?, "Logged out");
    assert_eq!(browser.cookies()?, "");
    browser.find("a[href*='/end']")?.click()?;
    assert_eq!(browser.text()?, "logged out");
    browser.open(&site.url(&plan))?;
    browser.find("#account")?;
    assert!(!browser.text()?.contains("shelf"));
    Ok(())
}
