//! Decisions: those that are taken, and all those that must not be.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod kit;

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Rule, Verdict};
use approval_core::{Group, Policy, Reason, Refusal, Terms};
use approval_testkit::{FakeClock, MemoryStore, Room};
use approval_web::SurfaceOptions;
use http::{StatusCode, header};
use kit::store::{Break, Breaking};
use kit::{PASSWORD, Site, WRONG, plans};

fn quorum() -> Policy {
    Policy::always(Terms { rule: Rule::quorum(2, [Group::from("sre")]), ..Terms::same_subject() })
}

#[tokio::test]
async fn an_approval_lets_the_plan_run() {
    // [AUTH-010, FORM-010]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let answer = alice.decide(&plan, Verdict::Approve).await;
    let page = format!("/plans/{}/decided", plan.header.plan_id);
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, page.as_str()));
    assert_eq!(site.state(&plan).await, "approved");
    let decided = alice.get(&page).await;
    assert!(decided.body.contains("<h1>You approved</h1>"), "{}", decided.body);
    assert!(decided.body.contains("The agent may execute this plan, once, within 15 min."), "{}", decided.body);
    assert_eq!(site.room.target.effects(), 0, "a decision runs nothing");
    let view = site.room.page(&plan, "alice").await.unwrap();
    let decision = &view.decisions[0];
    assert_eq!(decision.approver.auth_time, site.now());
    assert_eq!(decision.approver.amr, ["pwd"]);
    assert_eq!(decision.approver.issuer, approval_web::LOCAL_ISSUER);
    site.room.execute(&plan).await.unwrap();
    assert_eq!(site.room.target.effects(), 1);
    assert!(alice.open(&plan).await.body.contains("applied: the whole effect occurred"));
}

#[tokio::test]
async fn a_rejection_ends_the_plan() {
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    let fields = [("password", PASSWORD), ("comment", "not on a friday\r\nreally")];
    assert_eq!(alice.send(&plan, &form, "reject", &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.state(&plan).await, "rejected");
    let view = site.room.page(&plan, "alice").await.unwrap();
    assert_eq!(view.decisions[0].comment.as_deref(), Some("not on a friday\nreally"));
    let page = alice.open(&plan).await;
    assert!(page.body.contains("not on a friday") && !page.body.contains("name=\"form\""));
}

#[tokio::test]
async fn a_wrong_password_changes_nothing() {
    // [AUTH-010, AUTH-012]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    let before = site.tables();
    for password in [WRONG, "", &"x".repeat(2000)] {
        let answer = alice.send(&plan, &form, "approve", &[("password", password), ("comment", "kept & safe")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("The password is wrong. Nothing was decided."), "{}", answer.body);
        assert!(answer.body.contains("kept &#38; safe</textarea>"), "{}", answer.body);
    }
    assert_eq!(site.tables(), before);
    // The same form with the right password: the control.
    assert_eq!(alice.send(&plan, &form, "approve", &[("password", PASSWORD)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.state(&plan).await, "approved");
}

#[tokio::test]
async fn wrong_passwords_run_out() {
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    for _ in 0..5 {
        alice.send(&plan, &form, "approve", &[("password", WRONG)]).await;
    }
    let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers[header::RETRY_AFTER], "30");
    assert!(
        answer.body.contains("Too many wrong passwords. Try again in 30 s. Nothing was decided."),
        "{}",
        answer.body
    );
    assert_eq!(site.state(&plan).await, "awaiting_approval");
    site.room.clock.advance(Duration::from_secs(30));
    let answer = alice.send(&plan, &answer.form(), "approve", &[("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.headers.get(header::RETRY_AFTER)), (StatusCode::SEE_OTHER, None));
}

#[tokio::test]
async fn whoever_mistypes_has_read_since_they_opened_the_page() {
    // [SEC-003]
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    let (p, wrong) = (("password", PASSWORD), ("password", WRONG));
    let target = ("target", "prod-eu-1");
    for mistake in [&[wrong, target][..], &[p, ("target", "prod-eu-2")], &[p]] {
        let plan = site.put("create_pod", plans::dangerous()).await;
        let (mut page, opened_at) = (alice.open(&plan).await, site.now());
        // Twice: the form of the page that is shown again is as good.
        for _ in 0..2 {
            site.room.clock.advance(Duration::from_secs(300));
            page = alice.send(&plan, &page.form(), "approve", mistake).await;
            assert!(page.body.contains("Nothing was decided."), "{mistake:?}: {}", page.body);
        }
        site.room.clock.advance(Duration::from_secs(1));
        assert_eq!(alice.send(&plan, &page.form(), "approve", &[p, target]).await.status, StatusCode::SEE_OTHER);
        let decision = site.room.page(&plan, "alice").await.unwrap().decisions[0].clone();
        assert_eq!((decision.rendered_at, decision.decided_at), (opened_at, site.now()), "{mistake:?}");
    }
    // The control: whoever opens the page anew, or is asked anew, reads from then on.
    for (name, asked_anew) in [("a", false), ("b", true)] {
        let plan = site.plan(name).await;
        let mut page = alice.open(&plan).await;
        site.room.clock.advance(Duration::from_secs(901));
        site.challenge(&plan).await;
        if asked_anew {
            page = alice.send(&plan, &page.form(), "approve", &[wrong]).await;
            assert!(page.body.contains("The password is wrong."), "{}", page.body);
        } else {
            page = alice.open(&plan).await;
        }
        let opened_at = site.now();
        site.room.clock.advance(Duration::from_secs(1));
        assert_eq!(alice.send(&plan, &page.form(), "reject", &[p]).await.status, StatusCode::SEE_OTHER);
        let decision = site.room.page(&plan, "alice").await.unwrap().decisions[0].clone();
        assert_eq!(decision.rendered_at, opened_at, "{asked_anew}");
    }
    let figures = site.approvals.figures(Duration::from_secs(24 * 3600)).await.unwrap().all;
    assert_eq!((figures.approvals, figures.rejections, figures.hasty), (3, 2, 2));
}

#[tokio::test]
async fn a_form_of_elsewhere_changes_nothing() {
    // [FORM-001, FORM-004]
    let site = Site::new().await;
    let (plan, other) = (site.plan("a").await, site.plan("b").await);
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    let of_other_plan = alice.open(&other).await.form();
    let of_other_session = site.logged_in("alice").await.open(&plan).await.form();
    let mut tampered = form.clone().into_bytes();
    let last = tampered.len() - 10;
    tampered[last] = if tampered[last] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let cut = &form[..form.len() - 4];
    let before = site.tables();
    for form in [of_other_plan.as_str(), &of_other_session, &tampered, cut, "", "AAAA", "\u{202e}"] {
        for verdict in ["approve", "reject"] {
            let answer = alice.send(&plan, form, verdict, &[("password", PASSWORD)]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form}");
            assert!(answer.body.contains("This form is no longer good"), "{}", answer.body);
        }
    }
    assert_eq!(site.tables(), before);
    assert_eq!(alice.send(&plan, &form, "approve", &[("password", PASSWORD)]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_decision_of_which_nobody_knows_is_not_called_undecided() {
    for (how, state) in [(Break::Before, "awaiting_approval"), (Break::After, "approved")] {
        let clock = FakeClock::new();
        let store = Arc::new(Breaking::around(MemoryStore::new(Arc::new(clock.clone()))));
        let policy = Policy::always(Terms::same_subject());
        let site = Site::on(Room::over(Arc::clone(&store) as _, clock, policy).await);
        let plan = site.plan("a").await;
        let mut alice = site.logged_in("alice").await;
        store.breaks("decide", how);
        let answer = alice.decide(&plan, Verdict::Approve).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{how:?}");
        let words = ["it isn’t known whether your decision was recorded", "Open the plan again"];
        assert!(words.iter().all(|words| answer.body.contains(words)), "{how:?}: {}", answer.body);
        let false_words = ["Not decided", "Nothing was", "try again"];
        assert!(!false_words.iter().any(|words| answer.body.contains(words)), "{how:?}: {}", answer.body);
        assert_eq!(site.state(&plan).await, state, "{how:?}");
        // The page says which it is.
        assert_eq!(alice.open(&plan).await.body.contains("value=\"approve\""), how == Break::Before, "{how:?}");
    }
}

#[tokio::test]
async fn a_form_is_good_once() {
    // [FORM-002, FORM-004]
    let site = Site::with_policy(quorum()).await;
    let plan = site.plan("a").await;
    let mut bob = site.logged_in("bob").await;
    let form = bob.open(&plan).await.form();
    bob.send(&plan, &form, "approve", &[("password", PASSWORD)]).await;
    let before = site.tables();
    for verdict in ["approve", "reject", "withdraw"] {
        let answer = bob.send(&plan, &form, verdict, &[("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(site.tables(), before);
    assert_eq!(site.state(&plan).await, "awaiting_approval");
}

#[tokio::test]
async fn a_form_of_an_earlier_challenge_is_stale() {
    // [FORM-001]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    site.room.clock.advance(Duration::from_secs(901));
    site.challenge(&plan).await;
    let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("is no longer open"), "{}", answer.body);
    assert_eq!(site.state(&plan).await, "awaiting_approval");
    assert!(site.room.page(&plan, "alice").await.unwrap().decisions.is_empty());
    assert_eq!(alice.decide(&plan, Verdict::Approve).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_is_stale_once_the_plan_has_ended() {
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    site.approvals.cancel(&Room::alice(), &plan.header.plan_id.to_string()).await.unwrap();
    let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("The requester cancelled this plan."), "{}", answer.body);
    assert_eq!(site.state(&plan).await, "cancelled");
}

#[tokio::test]
async fn a_foreign_page_decides_nothing() {
    // [FORM-003]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    let before = site.tables();
    let path = format!("/plans/{}", plan.header.plan_id);
    // Even with everything else right.
    let fields = [("form", form.as_str()), ("verdict", "approve"), ("password", PASSWORD)];
    for from in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", kit::ORIGIN), ("sec-fetch-site", "cross-site")],
        &[("origin", "null"), ("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(alice.post_from(from, &path, &fields).await.status, StatusCode::FORBIDDEN, "{from:?}");
    }
    // And without a form, from the right place.
    let answer = alice.post(&path, &[("verdict", "approve"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(site.tables(), before);
    assert_eq!(alice.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn ill_formed_decisions_change_nothing() {
    // [SURF-021]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    let before = site.tables();
    let path = format!("/plans/{}", plan.header.plan_id);
    let (f, p) = (("form", form.as_str()), ("password", PASSWORD));
    let endless = "x".repeat(70_000);
    for fields in [
        &[f, p][..],
        &[f, p, ("verdict", "")],
        &[f, p, ("verdict", "APPROVE")],
        &[f, p, ("verdict", "reject"), ("verdict", "approve")],
        &[f, ("verdict", "approve")],
        &[f, p, ("verdict", "approve"), ("comment", &endless)],
    ] {
        assert_eq!(alice.post(&path, fields).await.status, StatusCode::BAD_REQUEST, "{fields:?}");
    }
    let long = "ü".repeat(2001);
    let answer = alice.send(&plan, &form, "approve", &[p, ("comment", &long)]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.tables(), before);
    let answer = alice.send(&plan, &form, "approve", &[p, ("comment", &long[2..])]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "2000 are not too many");
}

#[tokio::test]
async fn high_findings_ask_for_the_targets_name() {
    // [FORM-006]
    let site = Site::new().await;
    let plan = site.put("create_pod", plans::dangerous()).await;
    let mut alice = site.logged_in("alice").await;
    let page = alice.open(&plan).await;
    assert!(page.body.contains("name=\"target\""));
    let form = page.form();
    let before = site.tables();
    for target in ["", "prod-eu-2", "PROD-EU-1", "prod-eu-1x"] {
        let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD), ("target", target)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{target}");
        assert!(answer.body.contains("That is not the target’s name."));
    }
    assert_eq!(site.tables(), before);
    let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD), ("target", " prod-eu-1 ")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(site.state(&plan).await, "approved");
    // A name with blanks around it, which browsers and eyes leave out.
    let mut draft = plans::dangerous();
    draft.target.name = " prod eu\t".to_owned();
    let plan = site.put("create_pod", draft).await;
    for (target, status) in [("", 422), (" ", 422), ("prodeu", 422), ("prod eu", 303)] {
        let form = alice.open(&plan).await.form();
        let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD), ("target", target)]).await;
        assert_eq!(answer.status, status, "{target:?}");
    }
}

#[tokio::test]
async fn a_rejection_asks_for_the_password_only() {
    // [FORM-008]
    let site = Site::new().await;
    let plan = site.put("create_pod", plans::dangerous()).await;
    let mut alice = site.logged_in("alice").await;
    assert_eq!(alice.decide(&plan, Verdict::Reject).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.state(&plan).await, "rejected");
}

#[tokio::test]
async fn a_rejection_can_mute_the_requester() {
    // [FORM-009, PLAN-006]
    for mute in [false, true] {
        let site = Site::new().await;
        let (plan, other) = (site.plan("a").await, site.plan("b").await);
        let mut alice = site.logged_in("alice").await;
        let fields: &[_] = if mute { &[("password", PASSWORD), ("mute", "yes")] } else { &[("password", PASSWORD)] };
        let page = alice.open(&plan).await;
        assert!(
            page.body.contains("If you reject: take no plan for <bdi class=\"text\">alice</bdi> for 1 h."),
            "{}",
            page.body
        );
        // What belongs to a rejection does nothing with an approval, or where nothing is decided.
        let approved = alice.open(&other).await.form();
        let approved = alice.send(&other, &approved, "approve", &[("password", PASSWORD), ("mute", "yes")]).await;
        assert_eq!(approved.status, StatusCode::SEE_OTHER);
        let wrong = alice.send(&plan, &page.form(), "reject", &[("password", WRONG), ("mute", "yes")]).await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        site.plan("c").await;
        let form = alice.open(&plan).await.form();
        assert_eq!(alice.send(&plan, &form, "reject", fields).await.status, StatusCode::SEE_OTHER);
        assert_eq!(site.state(&plan).await, "rejected");
        let muted = "No new plan is taken from <bdi class=\"text\">alice</bdi> until <time datetime=\"2026-";
        let decided = alice.get(&format!("/plans/{}/decided", plan.header.plan_id)).await.body;
        for page in [decided, alice.open(&plan).await.body, alice.open(&other).await.body] {
            assert_eq!(page.contains(muted), mute, "{page}");
        }
        let call = site.room.target.call("d", &serde_json::json!(1));
        let next = site.approvals.plan(&Room::alice(), call.clone(), &site.room.target).await;
        assert_eq!(next.as_ref().err().map(Refusal::reason), mute.then_some(Reason::RateLimited));
        site.room.clock.advance(Duration::from_secs(3600));
        site.approvals.plan(&Room::alice(), call, &site.room.target).await.unwrap();
        assert!(!alice.open(&plan).await.body.contains("No new plan is taken"));
    }
}

#[tokio::test]
async fn where_no_muting_is_offered_none_is_done() {
    // [FORM-009]
    let site = Site::with_options({
        let mut options = SurfaceOptions::default();
        options.mute = Duration::ZERO;
        options
    })
    .await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let page = alice.open(&plan).await;
    assert!(!page.body.contains("name=\"mute\""));
    let fields = [("password", PASSWORD), ("mute", "yes")];
    assert_eq!(alice.send(&plan, &page.form(), "reject", &fields).await.status, StatusCode::SEE_OTHER);
    site.plan("b").await;
}

#[tokio::test]
async fn a_folded_plan_asks_for_one_word_more() {
    // [FORM-007, SHOW-007]
    let site = Site::new().await;
    let (long, benign) = (site.put("write_file", plans::long()).await, site.put("apply", plans::benign()).await);
    let mut alice = site.logged_in("alice").await;
    let page = alice.open(&long).await;
    assert!(page.body.contains("name=\"whole\""));
    assert!(page.body.contains("… 9\u{202f}980 more lines"), "what is folded is counted");
    assert!(page.body.contains("10179,row 10179"), "and it is all there");
    assert!(page.body.contains("… 3\u{202f}000 more characters"));
    let form = page.form();
    let before = site.tables();
    for whole in ["", "no"] {
        let answer = alice.send(&long, &form, "approve", &[("password", PASSWORD), ("whole", whole)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("Say that you have read the whole plan"));
    }
    assert_eq!(site.tables(), before);
    let answer = alice.send(&long, &form, "approve", &[("password", PASSWORD), ("whole", "yes")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(!alice.open(&benign).await.body.contains("name=\"whole\""));
    assert_eq!(alice.decide(&benign, Verdict::Approve).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_quorum_takes_distinct_persons() {
    // [SHOW-013, RULE-001]
    let site = Site::with_policy(quorum()).await;
    let plan = site.plan("a").await;
    let (mut bob, mut carol) = (site.logged_in("bob").await, site.logged_in("carol").await);
    // The requester sees where the plan stands, and can't decide.
    let page = site.logged_in("alice").await.open(&plan).await;
    assert!(page.body.contains("0 of 2") && !page.body.contains("name=\"form\""), "{}", page.body);
    let answer = bob.decide(&plan, Verdict::Approve).await;
    assert!(bob.get(answer.location()).await.body.contains("1 of 2 approvals are there"));
    let page = bob.open(&plan).await.body;
    assert!(!page.contains("value=\"approve\"") && page.contains("value=\"withdraw\""), "{page}");
    carol.decide(&plan, Verdict::Approve).await;
    assert_eq!(site.state(&plan).await, "approved");
    bob.decide(&plan, Verdict::Withdraw).await;
    assert_eq!(site.state(&plan).await, "cancelled");
    assert!(carol.open(&plan).await.body.contains("the approval was withdrawn"));
}

#[tokio::test]
async fn whoever_approved_nothing_has_nothing_to_take_back() {
    // [DEC-008]
    let site = Site::with_policy(quorum()).await;
    let plan = site.plan("a").await;
    let (mut bob, mut carol) = (site.logged_in("bob").await, site.logged_in("carol").await);
    assert_eq!(bob.decide(&plan, Verdict::Approve).await.status, StatusCode::SEE_OTHER);
    let answer = carol.decide(&plan, Verdict::Withdraw).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("there is no approval of yours to take back"), "{}", answer.body);
    assert!(!answer.body.contains("You may not decide"), "{}", answer.body);
    assert_eq!(site.state(&plan).await, "awaiting_approval");
    // The control.
    assert_eq!(bob.decide(&plan, Verdict::Withdraw).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.state(&plan).await, "cancelled");
}

#[tokio::test]
async fn only_a_person_who_decided_is_told_that_they_did() {
    // [FORM-010]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let answer = site.logged_in("alice").await.get(&format!("/plans/{}/decided", plan.header.plan_id)).await;
    assert_eq!(answer.location(), format!("/plans/{}", plan.header.plan_id));
}

#[tokio::test]
async fn a_disabled_account_decides_nothing() {
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    site.accounts.set_disabled("alice", true).unwrap();
    let before = site.tables();
    let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD)]).await;
    assert!(answer.location().starts_with("/login?next="));
    assert_eq!(site.tables(), before);
}

#[tokio::test]
async fn a_password_older_than_the_challenge_decides_nothing() {
    // [AUTH-010, DEC-005]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let form = alice.open(&plan).await.form();
    // The clock goes back: the password is checked before the challenge was made.
    site.room.clock.set(plan.header.created_at);
    let answer = alice.send(&plan, &form, "approve", &[("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(site.state(&plan).await, "awaiting_approval");
}

#[tokio::test]
async fn enter_presses_a_button_that_does_nothing() {
    // [FORM-005]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let page = site.logged_in("alice").await.open(&plan).await.body;
    let (_, form) = page.split_once(&format!("action=\"/plans/{}#decide\"", plan.header.plan_id)).unwrap();
    let buttons: Vec<_> = form.match_indices("<button").map(|(at, _)| form[at..].split('>').next().unwrap()).collect();
    assert_eq!(buttons[0], "<button type=\"submit\" disabled hidden");
    assert_eq!(buttons[1], "<button type=\"submit\" formmethod=\"dialog\" formnovalidate hidden");
    assert!(buttons[2].contains("value=\"reject\"") && buttons[3].contains("value=\"approve\""), "{buttons:?}");
    assert!(!page.contains("autofocus"));
}
