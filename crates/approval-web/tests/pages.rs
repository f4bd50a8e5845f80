//! What the pages show, to whom, and under which headers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod kit;

use std::time::Duration;

use approval_core::record::{Outcome, Rule, Verdict};
use approval_core::{Digest, Group, Policy, Terms};
use axum::body::Body;
use http::{HeaderMap, Method, StatusCode, header};
use kit::{Browser, PASSWORD, Site, plans};

/// What a plan's page says between its header and its end, without what is another in every run; diffs line by line.
fn told(page: &kit::Answer, plan: &approval_core::PlanView) -> String {
    let main = page.body.split_once("<main>").unwrap().1.split_once("</main>").unwrap().0;
    main.replace(&page.form(), "FORM")
        .replace(&plan.header.plan_id.to_string(), "PLAN-ID")
        .replace(&plan.plan_digest.to_string(), "PLAN-DIGEST")
        .replace(&plan.header.intent_digest.to_string(), "INTENT-DIGEST")
        .replace(&plan.header.review_digest.to_string(), "REVIEW-DIGEST")
        .replace("<div>", "\n<div>")
        .replace("<ins>", "\n<ins>")
        .replace("<del>", "\n<del>")
}

#[tokio::test]
async fn a_plan_of_others_is_no_plan() {
    // [SURF-001]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut bob = site.logged_in("bob").await;
    let unknown = "019ab12c-0000-7000-8000-000000000001".to_owned();
    let of_alice = plan.header.plan_id.to_string();
    let before = site.tables();
    for (path, method) in [("", "get"), ("/decided", "get"), ("/intent.json", "get"), ("", "post")] {
        let mut answers = Vec::new();
        for id in [&unknown, &of_alice, &of_alice.to_uppercase(), &"x".to_owned(), &"%FF".to_owned()] {
            let path = format!("/plans/{id}{path}");
            let form = [("form", "x"), ("verdict", "reject"), ("password", PASSWORD)];
            answers.push(if method == "get" { bob.get(&path).await } else { bob.post(&path, &form).await });
        }
        assert_eq!(answers[0].status, StatusCode::NOT_FOUND);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{path} {method}");
        assert_eq!(answers[0], bob.get("/no/such/page").await, "{path} {method}");
    }
    assert_eq!(site.tables(), before);
    // The control: to alice there is one.
    assert_eq!(site.logged_in("alice").await.open(&plan).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_documents_have_the_digests_that_the_page_shows() {
    // [DIG-113]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let alice = site.logged_in("alice").await;
    for (document, digest) in [
        ("header.json", plan.plan_digest),
        ("intent.json", plan.header.intent_digest),
        ("review.json", plan.header.review_digest),
    ] {
        let answer = alice.get(&format!("/plans/{}/{document}", plan.header.plan_id)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(approval_core::Digest::of_bytes(answer.body.as_bytes()), digest, "{document}");
    }
}

#[tokio::test]
async fn the_receipt_is_offered_once_there_is_one() {
    // [RCPT-030, RCPT-031, SURF-012]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let page = format!("/plans/{}", plan.header.plan_id);
    let receipt = format!("{page}/receipt.json");
    let link = format!("href=\"{receipt}\"");
    assert!(!alice.get(&page).await.body.contains(&link));
    assert_eq!(alice.get(&receipt).await.status, StatusCode::NOT_FOUND);
    alice.decide(&plan, Verdict::Approve).await;
    assert_eq!(alice.get(&receipt).await.status, StatusCode::NOT_FOUND);
    site.room.execute(&plan).await.unwrap();

    let before = site.tables();
    assert!(alice.get(&page).await.body.contains(&link));
    let answer = alice.get(&receipt).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(one(&answer.headers, "content-type"), "application/vnd.dsse.envelope.v1+json");
    assert!(one(&answer.headers, "content-disposition").starts_with("attachment; "));
    assert!(one(&answer.headers, "content-security-policy").starts_with("default-src 'none'"));
    let keys = site.approvals.key_set().unwrap();
    let verified = approval_core::receipt::verify(answer.body.as_bytes(), keys, None).unwrap();
    assert_eq!(verified.plan_digest, plan.plan_digest);
    assert_eq!(site.tables(), before, "a receipt changes nothing");

    // For whoever may not read the plan there is no receipt, as there is none of a plan that doesn't exist.
    let bob = site.logged_in("bob").await;
    let none = bob.get("/plans/019ab12c-0000-7000-8000-000000000001/receipt.json").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let anothers = bob.get(&receipt).await;
    assert_eq!((anothers.status, anothers.body), (none.status, none.body));
    assert_eq!(site.browser().get(&receipt).await.status, StatusCode::SEE_OTHER, "nothing before a login");
}

#[tokio::test]
async fn where_nothing_signs_no_receipt_is_offered() {
    let site = Site::https().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    alice.decide(&plan, Verdict::Reject).await;
    let page = alice.get(&format!("/plans/{}", plan.header.plan_id)).await;
    assert!(page.body.contains("rejected"), "{}", page.body);
    assert!(!page.body.contains("receipt.json"));
    let receipt = alice.get(&format!("/plans/{}/receipt.json", plan.header.plan_id)).await;
    assert_eq!(receipt.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn looking_changes_nothing() {
    // [SURF-012]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let alice = site.logged_in("alice").await;
    let before = site.tables();
    let page = format!("/plans/{}", plan.header.plan_id);
    let query = format!("{page}?verdict=approve&password={}", PASSWORD.replace(' ', "+"));
    let paths = ["/", &page, &query, "/logout", "/login", "/healthz", "/assets/surface.css", "/nowhere"];
    for path in paths.into_iter().chain([format!("{page}/decided").as_str(), &format!("{page}/header.json")]) {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let request = alice.request(method, path).body(Body::empty()).unwrap();
            site.send(request).await;
        }
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let request = alice.request(method, &page).header("origin", kit::ORIGIN).body(Body::empty()).unwrap();
        assert_eq!(site.send(request).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(site.tables(), before);
    assert_eq!(site.state(&plan).await, "awaiting_approval");
    // The control: a form does change something.
    alice.clone().decide(&plan, Verdict::Reject).await;
    assert_ne!(site.tables(), before);
}

/// Everything that can be answered, errors and assets included.
async fn everything(site: &Site, browser: &mut Browser<'_>, plan: &str) -> Vec<(String, kit::Answer)> {
    let mut answers = Vec::new();
    for path in
        ["/", "/login", "/healthz", "/assets/surface.css", "/assets/icon.svg", "/assets/none", "/none", "/logout"]
    {
        answers.push((path.to_owned(), browser.get(path).await));
    }
    for path in ["", "/decided", "/header.json", "/intent.json", "/review.json", "/receipt.json", "/none.json"] {
        let path = format!("/plans/{plan}{path}");
        answers.push((path.clone(), browser.get(&path).await));
        answers.push((format!("nobody {path}"), site.browser().get(&path).await));
    }
    let path = format!("/plans/{plan}");
    answers.push(("empty form".to_owned(), browser.post(&path, &[]).await));
    let form = [("form", "x"), ("verdict", "approve"), ("password", "x")];
    answers.push(("wrong form".to_owned(), browser.post(&path, &form).await));
    answers.push(("foreign".to_owned(), browser.post_from(&[], &path, &form).await));
    answers.push(("login".to_owned(), browser.clone().log_in("alice", "x", "").await));
    let elsewhere = browser.request(Method::GET, "/").header(header::HOST, "evil.example");
    answers.push(("elsewhere".to_owned(), site.send(elsewhere.body(Body::empty()).unwrap()).await));
    let put = browser.request(Method::PUT, &format!("{}/", site.base)).header("origin", &site.origin);
    answers.push(("put".to_owned(), site.send(put.body(Body::empty()).unwrap()).await));
    answers
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap()).unwrap_or_default();
    assert!(values.next().is_none(), "{name} twice");
    value
}

#[tokio::test]
async fn every_answer_has_the_headers() {
    // [SURF-015]
    for site in [Site::new().await, Site::https().await] {
        let plan = site.plan("a").await;
        let mut alice = site.logged_in("alice").await;
        let id = plan.header.plan_id.to_string();
        for (what, answer) in everything(&site, &mut alice, &id).await {
            let headers = &answer.headers;
            assert_eq!(
                one(headers, "content-security-policy"),
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                 base-uri 'none'",
                "{what}"
            );
            for (name, value) in [
                ("x-frame-options", "DENY"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cache-control", "no-store"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(one(headers, name), value, "{what}");
            }
            assert!(one(headers, "permissions-policy").contains("camera=()"), "{what}");
            let hsts = if site.base.is_empty() { "" } else { "max-age=63072000" };
            assert_eq!(one(headers, "strict-transport-security"), hsts, "{what}");
            assert!(!answer.body.contains("style="), "{what}");
            let scripts: Vec<_> = answer.body.match_indices("<script").map(|(at, _)| &answer.body[at..]).collect();
            let own = format!("<script src=\"{}/assets/surface.js\" defer></script>", site.base);
            assert!(scripts.iter().all(|script| script.starts_with(&own)) && scripts.len() <= 1, "{what}");
            assert!(!answer.status.is_server_error(), "{what}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn another_host_gets_nothing() {
    // [SURF-014]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let alice = site.logged_in("alice").await;
    let path = format!("/plans/{}", plan.header.plan_id);
    for host in ["evil.example:8080", "127.0.0.1:8081", "127.0.0.1", "localhost:8080", ""] {
        let request = http::Request::builder().uri(&path).header(header::HOST, host);
        let request = request.header(header::COOKIE, alice.cookie.clone().unwrap());
        let answer = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!answer.body.contains("shelf"));
    }
    let none = http::Request::builder().uri("/healthz").body(Body::empty()).unwrap();
    assert_eq!(site.send(none).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn health_tells_whose_surface_it_is() {
    let site = Site::new().await;
    let answer = site.browser().get("/healthz").await;
    assert_eq!(one(&answer.headers, "content-type"), "application/json");
    assert_eq!(
        answer.body,
        r#"{"audience":"urn:uuid:00000000-0000-4000-8000-000000000001","service":"mutation-approval"}"#
    );
}

#[tokio::test]
async fn the_surface_lives_under_its_path() {
    let site = Site::https().await;
    let plan = site.plan("a").await;
    assert_eq!(plan.header.enforcement.isolation, approval_core::record::Isolation::SameUser);
    let mut alice = site.browser();
    let url = site.approvals.plan_url(plan.header.plan_id);
    let path = url.strip_prefix("https://approvals.example").unwrap();
    let answer = alice.get(path.strip_prefix("/approve").unwrap()).await;
    assert_eq!(answer.location(), format!("/approve/login?next={path}"));
    let answer = alice.log_in("alice", PASSWORD, path).await;
    assert_eq!(answer.location(), path);
    let page = alice.open(&plan).await.body;
    assert!(page.contains("This approval is no boundary."), "the server may share a user with the agent");
    assert!(page.contains("href=\"/approve/assets/surface.css\""));
    let answer = alice.decide(&plan, Verdict::Approve).await;
    assert_eq!(answer.location(), format!("{path}/decided"));
    assert_eq!(site.state(&plan).await, "approved");
    for outside in ["/", "/login", "/plans/x"] {
        let request = alice.request(Method::GET, outside).body(Body::empty()).unwrap();
        assert_eq!(site.send(request).await.status, StatusCode::NOT_FOUND, "{outside} is somebody else's");
    }
}

#[tokio::test]
async fn other_routes_can_stand_beside_it() {
    let mut site = Site::new().await;
    let mcp = axum::Router::new().route("/mcp", axum::routing::get(|| async { "mcp" }));
    site.router = site.router.merge(mcp);
    let answer = site.browser().get("/mcp").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "mcp"), "the guard is the surface's own");
    assert_eq!(site.browser().get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn hostile_text_is_made_visible() {
    // [TEXT-001, TEXT-002, TEXT-005]
    let site = Site::new().await;
    let plan = site.put("patch", plans::hostile()).await;
    let page = site.logged_in("alice").await.open(&plan).await;
    insta::assert_snapshot!("hostile", told(&page, &plan));
    let hostile = |c: &char| {
        c.is_control() && *c != '\n'
            || matches!(*c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    };
    assert_eq!(page.body.chars().find(hostile), None);
}

#[tokio::test]
async fn a_plan_is_shown_whole() {
    // [SHOW-002, SHOW-003, SHOW-005, SHOW-009, SHOW-010]
    let site = Site::new().await;
    let plan = site.put("apply_manifest", plans::benign()).await;
    let page = site.logged_in("alice").await.open(&plan).await;
    insta::assert_snapshot!("benign", told(&page, &plan));
}

#[tokio::test]
async fn findings_come_with_the_worst_first() {
    // [SHOW-003, SHOW-004]
    let site = Site::new().await;
    let plan = site.put("create_pod", plans::dangerous()).await;
    let page = site.logged_in("alice").await.open(&plan).await.body;
    let places = ["host-path", "privileged", "no-limits", "image-tag"].map(|code| page.find(&format!("{code}</bdi>")));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    let (findings, quotes) = (page.find("id=\"findings\""), page.find("Just a quick look"));
    assert!(findings < quotes && page.find("id=\"digests\"") > quotes, "the agent's words come after the server's");
}

#[tokio::test]
async fn secrets_are_on_no_page() {
    // [SHOW-006, LEAF-009]
    const TOKEN: &str = "s3cret-token-that-nobody-sees";
    let site = Site::new().await;
    let mut call = site.room.target.call("a", &serde_json::json!("open-value"));
    call.arguments.insert("token".to_owned(), TOKEN.into());
    let alice = approval_testkit::Room::alice();
    let plan = site.approvals.plan(&alice, call, &site.room.target).await.unwrap();
    site.challenge(&plan).await;
    let tls = site.put("apply_manifest", plans::benign()).await;
    let mut browser = site.logged_in("alice").await;
    let (id, tls) = (plan.header.plan_id.to_string(), tls.header.plan_id.to_string());
    let mut seen = everything(&site, &mut browser, &id).await;
    seen.extend(everything(&site, &mut browser, &tls).await);
    browser.decide(&plan, Verdict::Approve).await;
    site.room.execute(&plan).await.unwrap();
    seen.extend(everything(&site, &mut browser, &id).await);
    assert_eq!(site.room.target.tokens(), [TOKEN], "it was a secret that counts");
    for (what, answer) in &seen {
        for secret in [TOKEN, "MIIEvQ"] {
            assert!(!answer.body.contains(secret), "{what}");
        }
    }
    let page = browser.open(&plan).await.body;
    assert!(page.contains("open-value") && page.contains("<span class=\"words\">secret: set</span>"), "{page}");
    let commitment = seen.iter().find(|(what, _)| what.ends_with(&format!("{id}/intent.json"))).unwrap();
    assert!(commitment.1.body.contains("{\"$secret\":\"sha256:"), "the document has the commitment");
    assert!(!page.contains("$secret"), "the page has not");
}

#[tokio::test]
async fn documents_have_the_digests_on_the_page() {
    // [SHOW-001, DIG-113]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let alice = site.logged_in("alice").await;
    let page = alice.open(&plan).await.body;
    for (document, digest) in
        [("header", plan.plan_digest), ("intent", plan.header.intent_digest), ("review", plan.header.review_digest)]
    {
        let answer = alice.get(&format!("/plans/{}/{document}.json", plan.header.plan_id)).await;
        assert_eq!(Digest::of_bytes(answer.body.as_bytes()), digest, "{document}");
        assert!(page.contains(&digest.to_string()), "{document}");
        assert!(one(&answer.headers, "content-disposition").starts_with("attachment"));
    }
}

#[tokio::test]
async fn the_live_part_says_how_things_stand() {
    // [SHOW-008, SHOW-011]
    let site = Site::new().await;
    site.room.target.report(Outcome::Unknown);
    let lost = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    let page = alice.open(&lost).await.body;
    assert!(
        page.contains("live, not covered by the digest") && page.contains(">14 min 59 s</span> to decide"),
        "{page}"
    );
    alice.decide(&lost, Verdict::Approve).await;
    assert!(alice.open(&lost).await.body.contains(">15 min</span> until the approval runs out"));
    site.room.execute(&lost).await.unwrap();
    assert!(alice.open(&lost).await.body.contains("unknown: it can’t be told what occurred"));
    // The next plan on the same thing says so, before the decision.
    let next = site.plan("a").await;
    let page = alice.open(&next).await.body;
    assert!(page.contains("An earlier attempt on the same thing is unresolved."));
    assert!(page.contains(&lost.header.plan_id.to_string()));
    let operator = "operator\u{202e}";
    site.approvals
        .reconcile(lost.header.plan_id, approval_core::record::Reconciled::NotApplied, operator)
        .await
        .unwrap();
    assert!(alice.open(&lost).await.body.contains("the effect isn’t there"));
    site.room.clock.advance(Duration::from_secs(4000));
    let alice = site.logged_in("alice").await;
    assert!(alice.open(&next).await.body.contains("<span class=\"chip over\">expired</span>"));
}

/// What a page says between one heading and the next.
fn under<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<h3>{heading}")).expect("the heading");
    rest.split_once("<h3>").or_else(|| rest.split_once("</section>")).unwrap().0
}

#[tokio::test]
async fn what_stands_beside_a_plan_is_on_its_page() {
    // [SHOW-012, SURF-012]
    let site = decided_by_others().await;
    let shown = site.plan("a").await;
    let bob = site.logged_in("bob").await;
    let page = bob.open(&shown).await.body;
    for heading in ["Other open plans of", "Recently rejected plans of"] {
        assert!(under(&page, heading).contains("<p class=\"empty\">Nothing.</p>"), "{page}");
    }
    let (same, other, rejected) = (site.plan("a").await, site.plan("<b>other").await, site.plan("a").await);
    bob.clone().decide(&rejected, Verdict::Reject).await;
    let before = site.tables();
    let page = bob.open(&shown).await.body;
    assert_eq!(site.tables(), before);
    let open = under(&page, "Other open plans of");
    let link = |plan: &approval_core::PlanView| format!("<a href=\"/plans/{}\">", plan.header.plan_id);
    let (first, second) = open.split_once(&link(&same)).expect("the older one comes last");
    assert!(
        first.contains(&link(&other)) && first.contains("put a value on the shelf at `&#60;b&#62;other`"),
        "{open}"
    );
    assert!(!first.contains("touches the same") && second.contains("touches the same"), "{open}");
    assert!(open.contains("<span class=\"chip open\">awaiting approval</span>"));
    assert!(!open.contains(&link(&rejected)) && !open.contains("hint"), "{open}");
    let lately = under(&page, "Recently rejected plans of");
    assert!(
        lately.contains(&link(&rejected)) && lately.contains("rejected by <bdi class=\"text\">bob</bdi>"),
        "{lately}"
    );
    assert!(lately.contains("not to be asked for again until"), "{lately}");
    site.room.clock.advance(Duration::from_secs(890));
    let page = site.logged_in("alice").await.open(&shown).await.body;
    assert!(under(&page, "Recently rejected plans of").contains("not to be asked for again until"));
    site.room.clock.advance(Duration::from_secs(10));
    let page = site.logged_in("alice").await.open(&shown).await.body;
    assert!(!under(&page, "Recently rejected plans of").contains("not to be asked for again until"));
}

#[tokio::test]
async fn of_what_is_not_for_the_viewer_the_page_tells_that_it_is_there() {
    // [SHOW-007, SHOW-014]
    let rule = |group: &str| Rule::other_subject([Group::from(group)]);
    let mut policy = Policy::always(Terms { rule: rule("sre"), ..Terms::same_subject() });
    let arguments = [("/name".to_owned(), serde_json::json!("salaries"))].into();
    policy.clauses.push(approval_core::Clause {
        when: approval_core::Matcher { arguments, ..Default::default() },
        then: approval_core::PolicyVerdict::Require(Terms { rule: rule("board"), ..Terms::same_subject() }),
    });
    let site = Site::with_policy(policy).await;
    let shown = site.plan("a").await;
    let salaries = site.plan("salaries").await;
    let bob = site.logged_in("bob").await;
    let told = bob.open(&shown).await.body;
    let hidden = "There are some that are not yours to read, or no longer kept.";
    assert_eq!(told.matches(hidden).count(), 1, "{told}");
    assert!(!told.contains("salaries") && !told.contains(&salaries.header.plan_id.to_string()));
    assert!(under(&told, "Other open plans of").contains(hidden));
    site.plan("salaries").await;
    let again = bob.open(&shown).await.body;
    assert_eq!(under(&again, "Other open plans of"), under(&told, "Other open plans of"), "one or several");
    let own = site.logged_in("alice").await.open(&shown).await.body;
    assert!(own.contains(&salaries.header.plan_id.to_string()) && !own.contains(hidden), "they are hers");
    assert!(!own.contains("There are more"));
    for n in 0..9 {
        site.plan(&format!("{n}")).await;
    }
    let own = site.logged_in("alice").await.open(&shown).await.body;
    assert_eq!(under(&own, "Other open plans of").matches("<li>").count(), 10);
    assert!(under(&own, "Other open plans of").contains("There are more: these are the latest."));
}

#[tokio::test]
async fn the_page_tells_what_the_audit_knows_of_the_plan() {
    // [SHOW-015, TEXT-002]
    let site = decided_by_others().await;
    let plan = site.plan("a").await;
    let mut bob = site.logged_in("bob").await;
    bob.decide(&plan, Verdict::Approve).await;
    site.approvals.checkpoint().await.unwrap().unwrap();
    let told = under(&bob.open(&plan).await.body, "Timeline").to_owned();
    assert!(told.contains("3 events of the audit, all of them before its last checkpoint"), "{told}");
    site.room.target.report(Outcome::Unknown);
    site.room.execute(&plan).await.unwrap();
    let found = approval_core::record::Reconciled::Applied;
    site.approvals.reconcile(plan.header.plan_id, found, "root\u{202e}").await.unwrap();
    let told = under(&bob.open(&plan).await.body, "Timeline").to_owned();
    assert!(told.contains("6 events of the audit, 3 not covered by a checkpoint yet"), "{told}");
    assert_eq!(told.matches("no checkpoint yet").count(), 3, "{told}");
    let events = [
        "00:00:00 UTC</time> planned · <bdi class=\"text\">alice</bdi>",
        "put before a person · <bdi class=\"text\">alice</bdi>",
        "00:00:01 UTC</time> approved · <bdi class=\"text\">bob</bdi>",
        "claimed, to be executed · <bdi class=\"text\">alice</bdi>",
        "executed: it can’t be told what occurred",
        "an operator said what the execution did · <bdi class=\"text\">root<span class=\"mark\">⟨U+202E⟩</span></bdi>",
    ];
    let places = events.map(|event| told.find(event));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {told}");
    assert!(!told.contains("There are earlier ones"));
}

#[tokio::test]
async fn who_refused_and_how_much_is_not_told() {
    // [SHOW-007, SHOW-015]
    let site = decided_by_others().await;
    let plan = site.plan("a").await;
    let late = site.room.prepare(&plan, "bob", Verdict::Approve).await.unwrap();
    site.room.clock.advance(Duration::from_secs(900));
    let alice = site.logged_in("alice").await;
    for _ in 0..98 {
        site.approvals.decide(late.clone()).await.unwrap_err();
    }
    let told = under(&alice.open(&plan).await.body, "Timeline").to_owned();
    assert!(told.contains("100 events of the audit") && told.contains("There are earlier ones"), "{told}");
    let refused = "a decision was not taken · somebody whom this plan does not name <code>challenge_expired</code>";
    assert_eq!(told.matches(refused).count(), 98, "{told}");
}

#[tokio::test]
async fn a_past_that_does_not_hold_together_is_said_to_be_so() {
    // [SHOW-015]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let alice = site.logged_in("alice").await;
    let broken = "What the audit tells of this plan does not hold together";
    assert!(!alice.open(&plan).await.body.contains(broken), "the control");
    {
        let memory = site.room.memory.as_ref().unwrap();
        let mut tables = memory.tables();
        let created = tables.events.iter().position(|event| event.plan.is_some()).unwrap();
        tables.events.remove(created);
    }
    let answer = alice.open(&plan).await;
    assert_eq!(answer.status, StatusCode::OK, "the plan itself does");
    assert!(under(&answer.body, "Timeline").contains(broken), "{}", answer.body);
    assert!(!answer.body.contains("<details class=\"timeline\">"));
    let site = Site::https().await;
    let plan = site.plan("a").await;
    let page = site.logged_in("alice").await.open(&plan).await.body;
    assert!(under(&page, "Timeline").contains("2 events of the audit</summary>"), "nothing is signed here: {page}");
    assert!(!page.contains("no checkpoint yet"));
}

/// Where somebody of a group decides, and never who asked.
async fn decided_by_others() -> Site {
    let rule = Rule::other_subject([Group::from("sre")]);
    Site::with_policy(Policy::always(Terms { rule, ..Terms::same_subject() })).await
}

#[tokio::test]
async fn the_inbox_holds_what_waits_and_what_is_mine() {
    let site = decided_by_others().await;
    let names: Vec<_> = (0..20).map(|n| format!("plan-{n:02}")).collect();
    for name in &names {
        site.plan(name).await;
    }
    let (bob, alice) = (site.logged_in("bob").await, site.logged_in("alice").await);
    let pending = bob.get("/").await.body;
    assert!(names.iter().all(|name| pending.contains(name)), "{pending}");
    assert!(pending.contains("<a href=\"/\" aria-current=\"page\">Waiting for you</a>"));
    assert!(bob.get("/mine").await.body.contains("No agent has asked for anything in your name."));
    assert!(alice.get("/").await.body.contains("Nothing waits for your decision."));
    let mine = alice.get("/mine").await.body;
    assert!(names.iter().all(|name| mine.contains(name)));
    assert!(alice.get("/history").await.body.contains("There was nothing for you to decide yet."));
}

#[tokio::test]
async fn history_is_what_was_to_be_decided() {
    let site = decided_by_others().await;
    let (rejected, open) = (site.plan("shelf-1").await, site.plan("shelf-2").await);
    let mut bob = site.logged_in("bob").await;
    bob.decide(&rejected, Verdict::Reject).await;
    let of = |page: &kit::Answer, plan: &approval_core::PlanView| {
        page.body.contains(&format!("/plans/{}\"", plan.header.plan_id))
    };
    let waiting = bob.get("/").await;
    assert_eq!((of(&waiting, &rejected), of(&waiting, &open)), (false, true));
    for person in ["bob", "carol"] {
        let history = site.logged_in(person).await.get("/history").await;
        assert_eq!((of(&history, &rejected), of(&history, &open)), (true, true), "{person}");
        assert!(history.body.contains("<span class=\"chip over\">rejected</span>"));
    }
    let alice = site.logged_in("alice").await.get("/history").await;
    assert_eq!((of(&alice, &rejected), of(&alice, &open)), (false, false), "it was not hers to decide");
}

#[tokio::test]
async fn the_lists_are_narrowed_down() {
    let site = decided_by_others().await;
    let (rejected, open) = (site.plan("shelf-1").await, site.plan("shelf-2").await);
    let mut bob = site.logged_in("bob").await;
    bob.decide(&rejected, Verdict::Reject).await;
    let found = async |list: &str| {
        let page = bob.get(list).await;
        assert_eq!(page.status, StatusCode::OK, "{list}");
        [&rejected, &open].map(|plan| page.body.contains(&format!("/plans/{}\"", plan.header.plan_id)))
    };
    for (query, expected) in [
        ("", [true, true]),
        ("?state=rejected", [true, false]),
        ("?state=awaiting_approval", [false, true]),
        ("?state=&target=&requester=&group=&after=", [true, true]),
        ("?target=the+shelf", [true, true]),
        ("?target=another", [false, false]),
        ("?requester=alice&group=sre", [true, true]),
        ("?requester=bob", [false, false]),
        ("?group=none", [false, false]),
        ("?target=%22%3E%3Cscript%3E", [false, false]),
        ("?unknown=1&after=%E2%80%AE", [true, true]),
    ] {
        assert_eq!(found(&format!("/history{query}")).await, expected, "{query}");
    }
    let narrow = bob.get("/history?target=%22%3E%3Cscript%3E&state=stale").await.body;
    assert!(
        narrow.contains("No plan is like that.") && narrow.contains("value=\"&#34;&#62;&#60;script&#62;\""),
        "{narrow}"
    );
    assert!(narrow.contains("<option value=\"stale\" selected>stale</option>"));
    for (query, why) in [
        ("state=gone", "state: no plan is ever `gone`"),
        ("target=%00", "target: a null character"),
        ("state=stale&state=stale", "duplicate field `state`"),
    ] {
        let answer = bob.get(&format!("/history?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.body.contains(why), "{}", answer.body);
    }
    let long = bob.get(&format!("/?target={}", "x".repeat(513))).await;
    assert!(long.status == StatusCode::BAD_REQUEST && long.body.contains("target: more than 512 bytes"));
}

#[tokio::test]
async fn the_inbox_has_pages() {
    let limits = approval_core::record::Limits { open_plans: 100, ..Default::default() };
    let site = Site::with_policy(Policy::always(Terms { limits, ..Terms::same_subject() })).await;
    for n in 0..30 {
        site.plan(&format!("plan-{n:02}")).await;
    }
    let alice = site.logged_in("alice").await;
    for list in ["/", "/mine"] {
        let filter = "target=the+shelf";
        let first = alice.get(&format!("{list}?{filter}")).await.body;
        assert!(first.contains("plan-29") && !first.contains("plan-04"));
        let form = first.split_once("<form class=\"onward\"").unwrap().1;
        assert!(form.contains(&format!("action=\"{list}\"")));
        assert!(form.contains("<input type=\"hidden\" name=\"target\" value=\"the shelf\">"), "{form}");
        let next = form.split_once("name=\"after\" value=\"").unwrap().1.split('"').next().unwrap();
        let second = alice.get(&format!("{list}?{filter}&after={next}")).await.body;
        assert!((0..5).all(|n| second.contains(&format!("plan-0{n}"))) && !second.contains("plan-05"), "{second}");
        assert!(!second.contains("<form class=\"onward\""));
    }
}

#[tokio::test]
async fn a_tampered_plan_is_not_shown() {
    // [SHOW-001]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let alice = site.logged_in("alice").await;
    {
        let memory = site.room.memory.as_ref().unwrap();
        let mut tables = memory.tables();
        let row =
            tables.rows.values_mut().find(|row| row.key.kind == approval_core::record::RecordKind::Review).unwrap();
        let last = row.sealed.len() - 1;
        row.sealed[last] ^= 1;
    }
    let answer = alice.open(&plan).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("This plan can’t be trusted") && !answer.body.contains("shelf"), "{}", answer.body);
}
