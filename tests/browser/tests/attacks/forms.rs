//! Forms that were used, taken from elsewhere, sent twice, or sent too late.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use approval_core::PlanView;
use approval_core::record::Verdict;
use approval_testkit::Room;
use browser::{Driver, PASSWORD, Person, Site, WRONG, path};

/// Sends these verdicts on one form at the same moment, each on a connection of its own, and says how each was answered.
fn at_once(person: &Person<'_>, plan: &PlanView, form: &str, verdicts: &[&'static str]) -> Result<Vec<u16>> {
    let barrier = &Barrier::new(verdicts.len());
    thread::scope(|scope| {
        let send = |verdict: &'static str| {
            move || -> Result<u16> {
                barrier.wait();
                Ok(person.decide(plan, form, verdict, PASSWORD)?.status)
            }
        };
        let sent: Vec<_> = verdicts.iter().map(|verdict| scope.spawn(send(verdict))).collect();
        sent.into_iter().map(|sent| sent.join().map_err(|_| anyhow!("a request panicked"))?).collect()
    })
}

fn refused(person: &Person<'_>, plan: &PlanView, form: &str, why: (u16, &str)) -> Result<()> {
    for verdict in ["approve", "reject", "withdraw"] {
        let answer = person.decide(plan, form, verdict, PASSWORD)?;
        assert_eq!(answer.status, why.0, "{verdict}: {}", answer.body);
        assert!(answer.body.contains(why.1), "{verdict}: {}", answer.body);
    }
    Ok(())
}

const NO_LONGER_GOOD: (u16, &str) = (403, "it belongs to another login or plan. Nothing was decided.");

#[test]
fn a_form_that_was_used_is_refused() -> Result<()> {
    // [FORM-002]
    let site = Site::quorum()?;
    let plan = site.plan("a")?;
    let bob = site.person("bob")?;
    let form = bob.form(&plan)?;
    assert_eq!(bob.decide(&plan, &form, "approve", PASSWORD)?.status, 303);
    let before = site.tables()?;
    refused(&bob, &plan, &form, (403, "it was used already. What was decided with it stands"))?;
    assert_eq!((site.tables()?, site.decisions(&plan)?.len()), (before, 1));
    // The control: a fresh one is good.
    assert_eq!(bob.decide(&plan, &bob.form(&plan)?, "withdraw", PASSWORD)?.status, 303);
    assert_eq!(site.state(&plan)?, "cancelled");
    Ok(())
}

#[test]
fn a_form_is_of_its_plan_and_its_session() -> Result<()> {
    // [FORM-001]
    let site = Site::new()?;
    let (plan, other) = (site.plan("a")?, site.plan("b")?);
    let (alice, elsewhere) = (site.person("alice")?, site.person("alice")?);
    let form = alice.form(&plan)?;
    let before = site.tables()?;
    refused(&alice, &plan, &alice.form(&other)?, NO_LONGER_GOOD)?;
    refused(&alice, &plan, &elsewhere.form(&plan)?, NO_LONGER_GOOD)?;
    let edited: String = form.chars().rev().collect();
    refused(&alice, &plan, &edited, NO_LONGER_GOOD)?;
    assert_eq!(site.tables()?, before);
    assert_eq!(alice.decide(&plan, &form, "approve", PASSWORD)?.status, 303);
    assert_eq!((site.state(&plan)?, site.state(&other)?), ("approved", "awaiting_approval"));
    Ok(())
}

#[test]
fn another_persons_form_decides_nothing() -> Result<()> {
    // [FORM-001, SURF-001, SHOW-013]
    let site = Site::quorum()?;
    let plan = site.plan("a")?;
    let (bob, carol, dave) = (site.person("bob")?, site.person("carol")?, site.person("dave")?);
    let (alice, form) = (site.person("alice")?, bob.form(&plan)?);
    let before = site.tables()?;
    assert!(alice.form(&plan).is_err(), "the requester gets no form");
    refused(&alice, &plan, &form, NO_LONGER_GOOD)?;
    refused(&carol, &plan, &form, NO_LONGER_GOOD)?;
    // To whoever may not read it there is no plan, whatever they send.
    refused(&dave, &plan, &form, (404, "There is no such page for you."))?;
    assert_eq!(site.holder("").decide(&plan, &form, "approve", PASSWORD)?.status, 303);
    assert_eq!(site.tables()?, before);
    assert_eq!(bob.decide(&plan, &form, "approve", PASSWORD)?.status, 303);
    let decisions = site.decisions(&plan)?;
    assert_eq!(decisions.iter().map(|one| one.approver.person.as_str()).collect::<Vec<_>>(), ["bob"]);
    Ok(())
}

/// What happens between the page and the decision on it.
type Meanwhile = fn(&Site, &PlanView, &Person<'_>) -> Result<()>;

/// What it is called, the plan's state after it, what the person is told, and what it is.
const MEANWHILE: [(&str, &str, &str, Meanwhile); 4] = [
    ("cancelled", "cancelled", "The requester cancelled this plan.", |site, plan, _| {
        let id = plan.header.plan_id.to_string();
        site.on(site.room.approvals.cancel(&Room::alice(), &id))?;
        Ok(())
    }),
    ("rejected by another", "rejected", "This plan was rejected already.", |site, plan, _| {
        site.on(site.room.decide(plan, "carol", Verdict::Reject))?;
        Ok(())
    }),
    ("asked anew", "awaiting_approval", "The question that this page put is no longer open", |site, plan, _| {
        site.room.clock.advance(Duration::from_secs(15 * 60));
        site.challenge(&Room::alice(), plan)
    }),
    ("run out", "expired", "This plan’s time is over.", |site, _, person| {
        // In steps, so that the session isn't over before the plan is.
        for _ in 0..3 {
            site.room.clock.advance(Duration::from_secs(20 * 60));
            assert_eq!(person.get("/")?.status, 200);
        }
        Ok(())
    }),
];

#[test]
fn a_page_that_is_out_of_date_decides_nothing() -> Result<()> {
    // [FORM-001]
    let (site, driver) = (Site::quorum()?, Driver::start()?);
    let browser = driver.open()?;
    site.log_in(&browser, "bob")?;
    let bob = site.holder(&browser.cookies()?);
    for (name, state, told, meanwhile) in MEANWHILE {
        let plan = site.plan(name)?;
        browser.open(&site.url(&plan))?;
        browser.find("#password")?.enter(PASSWORD)?;
        meanwhile(&site, &plan, &bob)?;
        browser.find("button.approve")?.click()?;
        assert_eq!(browser.find("section.narrow h1")?.text()?, "Not decided", "{name}");
        assert_eq!(browser.status()?, 409, "{name}");
        let text = browser.text()?;
        assert!(text.contains(told), "{name}: {text}");
        assert_eq!(site.state(&plan)?, state, "{name}");
        assert!(site.decisions(&plan)?.iter().all(|one| one.verdict == Verdict::Reject), "{name}");
    }
    // The control: nothing happens meanwhile.
    let plan = site.plan("in time")?;
    browser.open(&site.url(&plan))?;
    browser.find("#password")?.enter(PASSWORD)?;
    browser.find("button.approve")?.click()?;
    assert_eq!(browser.find("section.narrow h1")?.text()?, "You approved");
    Ok(())
}

#[test]
fn a_double_click_decides_once() -> Result<()> {
    // [FORM-002]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let (browser, plan) = (driver.open()?, site.plan("a")?);
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    browser.find("#password")?.enter(PASSWORD)?;
    browser.find("button.approve")?.click_times(2)?;
    // Where the browser sends both, the second is refused, and says no more than that.
    let told = browser.find("section.narrow")?.text()?;
    let is_right = told.starts_with("You approved") || told.contains("What was decided with it stands");
    assert!(is_right, "{told}");
    assert_eq!((site.state(&plan)?, site.decisions(&plan)?.len()), ("approved", 1));
    Ok(())
}

#[test]
fn the_same_form_many_times_at_once_decides_once() -> Result<()> {
    // [FORM-002]
    let site = Site::quorum()?;
    for round in 0..20 {
        let plan = site.plan(&format!("{round}"))?;
        let bob = site.person("bob")?;
        let form = bob.form(&plan)?;
        let statuses = at_once(&bob, &plan, &form, &["approve"; 4])?;
        assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{round}: {statuses:?}");
        assert_eq!((site.decisions(&plan)?.len(), site.state(&plan)?), (1, "awaiting_approval"), "{round}");
    }
    Ok(())
}

#[test]
fn two_verdicts_on_one_form_at_once_are_one_decision() -> Result<()> {
    // [FORM-002]
    let site = Site::quorum()?;
    for round in 0..40 {
        let plan = site.plan(&format!("{round}"))?;
        let bob = site.person("bob")?;
        let form = bob.form(&plan)?;
        let statuses = at_once(&bob, &plan, &form, &["approve", "reject"])?;
        let decisions: Vec<_> = site.decisions(&plan)?.iter().map(|one| one.verdict).collect();
        assert_eq!(decisions.len(), 1, "{round}: {decisions:?} by {statuses:?}");
        // A requester may have so many open plans, and no more.
        site.on(site.room.approvals.cancel(&Room::alice(), &plan.header.plan_id.to_string()))?;
    }
    Ok(())
}

#[test]
fn a_password_is_asked_for_each_decision() -> Result<()> {
    // [AUTH-010, FORM-004]
    let site = Site::new()?;
    let (plan, other) = (site.plan("a")?, site.plan("b")?);
    let alice = site.person("alice")?;
    let form = alice.form(&plan)?;
    let before = site.tables()?;
    for password in ["", WRONG] {
        assert_eq!(alice.decide(&plan, &form, "approve", password)?.status, 403);
    }
    let without = alice.post(&path(&plan), &[("form", &form), ("verdict", "approve")])?;
    assert_eq!((without.status, site.tables()?), (400, before));
    assert_eq!(alice.decide(&plan, &form, "approve", PASSWORD)?.status, 303);
    // What was given for the one counts nothing for the other.
    let form = alice.form(&other)?;
    assert_eq!(alice.post(&path(&other), &[("form", &form), ("verdict", "approve")])?.status, 400);
    assert_eq!((site.state(&plan)?, site.state(&other)?), ("approved", "awaiting_approval"));
    site.decisions(&plan)?.pop().context("a decision").map(drop)
}
