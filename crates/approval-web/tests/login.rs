//! Who gets in, and for how long.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod kit;

use std::net::SocketAddr;
use std::time::Duration;

use approval_core::record::Verdict;
use approval_web::SurfaceOptions;
use http::{Method, StatusCode, header};
use kit::{PASSWORD, Site, WRONG};

#[tokio::test]
async fn nothing_is_shown_before_a_login() {
    // [WIRE-T-011, SURF-010, SURF-011]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let before = site.tables();
    let nobody = site.browser();
    let page = format!("/plans/{}", plan.header.plan_id);
    for path in ["/", &page, &format!("{page}/decided"), &format!("{page}/intent.json"), "/nowhere", "/a/b/c"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        let next = if path == page { page.as_str() } else { "/" };
        assert_eq!(answer.location(), format!("/login?next={next}"), "{path}");
        assert_eq!(answer.body, "", "{path}");
    }
    let mut nobody = nobody;
    let answer = nobody.send(&plan, "x", "approve", &[("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(site.tables(), before);
}

#[tokio::test]
async fn the_right_password_lets_in() {
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let page = format!("/plans/{}", plan.header.plan_id);
    let mut alice = site.browser();
    let answer = alice.log_in("alice", PASSWORD, &page).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, page.as_str()));
    assert!(alice.get(&page).await.body.contains("put a value on the shelf"));
}

#[tokio::test]
async fn wrong_unknown_and_disabled_look_the_same() {
    // [AUTH-005]
    let site = Site::new().await;
    site.accounts.set_disabled("carol", true).unwrap();
    let mut answers = Vec::new();
    for (account, password) in
        [("bob", WRONG), ("mallory", PASSWORD), ("carol", PASSWORD), ("bob", ""), ("BOB", PASSWORD)]
    {
        let mut browser = site.browser();
        let mut answer = browser.log_in(account, password, "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{account}");
        assert_eq!(browser.cookie, None);
        answer.headers.remove(header::CONTENT_LENGTH);
        answer.body = answer.body.replace(&format!("value=\"{account}\""), "");
        answers.push(answer);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert!(answers[0].body.contains("Account or password is wrong."));
    assert_eq!(site.browser().log_in("bob", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn no_login_leads_elsewhere() {
    // [AUTH-007]
    let site = Site::new().await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/logout", "javascript:alert(1)"] {
        let answer = site.browser().log_in("alice", PASSWORD, next).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"), "{next}");
        let page = site.browser().get(&format!("/login?next={}", next.replace('\\', "%5C"))).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("evil") && !page.body.contains("javascript"), "{next}");
    }
}

#[tokio::test]
async fn a_session_gets_a_new_name_at_each_login() {
    // [AUTH-001]
    let site = Site::new().await;
    // A name that somebody else planted never becomes a session.
    let mut victim = site.browser();
    let name = site.logged_in("alice").await.cookie.unwrap().split('=').next().unwrap().to_owned();
    let planted = format!("{name}={}", "A".repeat(43));
    victim.cookie = Some(planted.clone());
    victim.log_in("alice", PASSWORD, "").await;
    let first = victim.cookie.clone().unwrap();
    assert_ne!(first, planted);
    let attacker = kit::Browser { site: &site, cookie: Some(planted), peer: None };
    assert_eq!(attacker.get("/").await.status, StatusCode::SEE_OTHER);
    // Whoever logs in again leaves nothing behind.
    victim.log_in("alice", PASSWORD, "").await;
    assert_ne!(victim.cookie.clone().unwrap(), first);
    assert_eq!(victim.get("/").await.status, StatusCode::OK);
    let old = kit::Browser { site: &site, cookie: Some(first), peer: None };
    assert_eq!(old.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn logging_out_ends_the_session_on_the_server() {
    // [AUTH-002]
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    let kept = alice.clone();
    let answer = alice.post("/logout", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
    assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().ends_with("Max-Age=0"));
    assert_eq!(kept.get("/").await.status, StatusCode::SEE_OTHER);
    // A link or an image can't log anybody out.
    let bob = site.logged_in("bob").await;
    assert_eq!(bob.get("/logout").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(bob.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn sessions_end_by_idleness_and_by_age() {
    // [AUTH-002]
    let site = Site::new().await;
    let alice = site.logged_in("alice").await;
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for _ in 0..16 {
        site.room.clock.advance(minutes(29));
        assert_eq!(alice.get("/").await.status, StatusCode::OK);
    }
    site.room.clock.advance(minutes(17));
    assert_eq!(alice.get("/").await.status, StatusCode::SEE_OTHER, "8 hours and a minute old");
    let bob = site.logged_in("bob").await;
    site.room.clock.advance(minutes(30));
    assert_eq!(bob.get("/").await.status, StatusCode::SEE_OTHER, "half an hour idle");
}

#[tokio::test]
async fn a_changed_account_ends_its_sessions() {
    // [AUTH-003]
    let site = Site::new().await;
    let (alice, bob, carol) =
        (site.logged_in("alice").await, site.logged_in("bob").await, site.logged_in("carol").await);
    site.accounts.set_disabled("alice", true).unwrap();
    site.accounts.set_password("bob", "another fine password").unwrap();
    assert_eq!(alice.get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(bob.get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(carol.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn passwords_are_tried_at_a_pace() {
    // [AUTH-005]
    let site = Site::new().await;
    for _ in 0..5 {
        assert_eq!(site.browser().log_in("bob", WRONG, "").await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = site.browser().log_in("bob", PASSWORD, "").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers[header::RETRY_AFTER], "30");
    assert_eq!(site.browser().log_in("carol", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
    site.room.clock.advance(Duration::from_secs(30));
    assert_eq!(site.browser().log_in("bob", PASSWORD, "").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn whoever_blocks_the_login_cant_block_a_decision() {
    // [AUTH-006]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    for _ in 0..6 {
        site.browser().log_in("alice", WRONG, "").await;
    }
    assert_eq!(site.browser().log_in("alice", PASSWORD, "").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(alice.decide(&plan, Verdict::Approve).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.state(&plan).await, "approved");
}

#[tokio::test]
async fn a_foreign_page_cant_log_anybody_in_or_out() {
    // [FORM-003]
    let site = Site::new().await;
    let fields = [("account", "alice"), ("password", PASSWORD)];
    for from in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:9999")],
        &[("origin", kit::ORIGIN), ("sec-fetch-site", "cross-site")],
        &[("origin", kit::ORIGIN), ("sec-fetch-site", "same-site")],
    ] {
        let mut browser = site.browser();
        let answer = browser.post_from(from, "/login", &fields).await;
        assert_eq!((answer.status, browser.cookie.clone()), (StatusCode::FORBIDDEN, None), "{from:?}");
        let mut alice = site.logged_in("alice").await;
        assert_eq!(alice.post_from(from, "/logout", &[]).await.status, StatusCode::FORBIDDEN, "{from:?}");
        assert_eq!(alice.get("/").await.status, StatusCode::OK);
    }
    // What a browser sends from a page without referrer.
    let from = [("origin", "null"), ("sec-fetch-site", "same-origin")];
    assert_eq!(site.browser().post_from(&from, "/login", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_cookie_is_the_browsers_alone() {
    // [AUTH-004]
    let site = Site::new().await;
    let cookie = |answer: &kit::Answer| answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    let loopback = cookie(&site.browser().log_in("alice", PASSWORD, "").await);
    assert!(loopback.starts_with("mutation-approval-"), "{loopback}");
    assert!(loopback.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{loopback}");

    let site = Site::https().await;
    let mut alice = site.browser();
    let https = cookie(&alice.log_in("alice", PASSWORD, "").await);
    assert!(https.starts_with("__Host-mutation-approval="), "{https}");
    assert!(https.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"), "{https}");
    assert_eq!(https.split(['=', ';']).nth(1).unwrap().len(), 43, "256 bits");
    assert_eq!(alice.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_comes_from_another_site_may_go_on() {
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let path = format!("/login?next=/plans/{}", plan.header.plan_id);
    let hint = "open the page";
    let arrive = |site_header: &'static str| {
        let request = site.browser().request(Method::GET, &path).header("sec-fetch-site", site_header);
        site.send(request.body(axum::body::Body::empty()).unwrap())
    };
    let answer = arrive("cross-site").await;
    assert!(answer.body.contains(&format!("href=\"/plans/{}\">{hint}", plan.header.plan_id)), "{}", answer.body);
    assert!(!arrive("same-origin").await.body.contains(hint));
}

#[tokio::test]
async fn one_address_floods_for_itself_alone() {
    let options = SurfaceOptions::default();
    let site = Site::with_proxies(&["10.0.0.0/8"]).await;
    let attempt = async |peer: &str, forwarded: &str, password: &str| {
        let mut browser = site.browser();
        browser.peer = Some(SocketAddr::new(peer.parse().unwrap(), 4000));
        let from = [("origin", kit::ORIGIN), ("x-forwarded-for", forwarded)];
        browser.post_from(&from, "/login", &[("account", "alice"), ("password", password)]).await.status
    };
    // Right logins don't count.
    for _ in 0..40 {
        assert_eq!(attempt("10.0.0.1", "192.0.2.1", PASSWORD).await, StatusCode::SEE_OTHER);
    }
    for n in 0..options.address_pace.burst {
        let mut browser = site.browser();
        browser.peer = Some(SocketAddr::new([10, 0, 0, 1].into(), 4000));
        let fields = [("account", format!("nobody-{n}")), ("password", WRONG.to_owned())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let from = [("origin", kit::ORIGIN), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(browser.post_from(&from, "/login", &fields).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(attempt("10.0.0.1", "192.0.2.1", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(attempt("10.0.0.1", "203.0.113.1, 192.0.2.1", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(attempt("10.0.0.1", "192.0.2.2", PASSWORD).await, StatusCode::SEE_OTHER);
    // Who isn't a proxy says nothing about others.
    assert_eq!(attempt("192.0.2.1", "198.51.100.1", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    site.room.clock.advance(options.address_pace.interval);
    assert_eq!(attempt("10.0.0.1", "192.0.2.1", PASSWORD).await, StatusCode::SEE_OTHER);
}
