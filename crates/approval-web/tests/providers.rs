//! Logging in, and deciding, by an identity provider: one that does right, and one that does wrong in each way.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod kit;

use std::collections::BTreeMap;
use std::time::Duration;

use approval_core::record::{Rule, Verdict};
use approval_core::{Digest, Group, PlanView, Policy, Terms};
use approval_web::SurfaceOptions;
use axum::extract::ConnectInfo;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use kit::issuer::{Issuer, Key, unsigned};
use kit::{Answer, Browser, ORIGIN, Site, escape};
use serde_json::{Value, json};

const CLIENT: &str = "mutation-approval";

/// The file, for this provider.
fn file(issuer: &Issuer, more: &str) -> String {
    format!(
        "[[provider]]\nid = \"sso\"\nissuer = \"{}\"\nname = \"Example SSO\"\nclient-id = \"{CLIENT}\"\n\
         algorithms = [\"ES256\"]\nperson-claim = \"preferred_username\"\ngroups-claim = \"groups\"\n{more}\n",
        issuer.url
    )
}

fn others(groups: &[&str]) -> Policy {
    let groups: Vec<_> = groups.iter().map(|group| Group::from(*group)).collect();
    Policy::always(Terms { rule: Rule::other_subject(groups), ..Terms::same_subject() })
}

struct Stage {
    issuer: Issuer,
    site: Site,
}

impl Stage {
    /// Somebody else than the requester, of the group `sre`, approves.
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(more: &str) -> Self {
        let issuer = Issuer::start().await;
        let site = Site::with_providers(&file(&issuer, more), others(&["sre"])).await;
        Self { issuer, site }
    }

    /// Dora's claims, for a login that took place now.
    fn claims(&self, nonce: &str) -> Value {
        let now = self.site.now().unix_millis() / 1000;
        json!({
            "iss": self.issuer.url, "aud": CLIENT, "sub": "4711", "preferred_username": "dora", "groups": ["sre"],
            "iat": now, "exp": now + 300, "auth_time": now, "nonce": nonce, "acr": "mfa", "amr": ["otp", "pwd"],
        })
    }

    fn gives(&self, claims: &Value) {
        self.issuer.gives(&self.issuer.key.sign(claims));
    }

    /// A browser in which Dora has logged in.
    async fn dora(&self) -> Browser<'_> {
        let mut browser = self.site.browser();
        let left = leave(&mut browser, "").await;
        self.gives(&self.claims(&left.nonce));
        let answer = come_back(&mut browser, &left, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(browser.cookie.is_some());
        browser
    }

    async fn decided(&self, plan: &PlanView) -> usize {
        self.site.room.page(plan, "alice").await.unwrap().decisions.len()
    }
}

/// What a browser left for the provider with.
struct Left {
    url: String,
    query: BTreeMap<String, String>,
    state: String,
    nonce: String,
    cookie: String,
}

impl Left {
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let (_, rest) = answer.body.split_once("content=\"0; url=").expect("a page that goes on");
        let url = rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        let (url, query) = url.split_once('?').unwrap();
        let query: BTreeMap<_, _> = query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
        let query: BTreeMap<_, _> = query.into_iter().map(|(name, value)| (name.to_owned(), plain(value))).collect();
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
        let (state, nonce) = (query["state"].clone(), query["nonce"].clone());
        Self { url: url.to_owned(), query, state, nonce, cookie }
    }

    /// The cookie as the browser sends it.
    fn pair(&self) -> &str {
        self.cookie.split(';').next().unwrap()
    }
}

fn plain(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        plain.push(u8::from_str_radix(&part[..2], 16).unwrap());
        plain.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(plain).unwrap()
}

async fn leave(browser: &mut Browser<'_>, next: &str) -> Left {
    let before = browser.cookie.clone();
    let answer = browser.post("/login/at/sso", &[("next", next)]).await;
    // The cookie of a login under way is no session.
    browser.cookie = before;
    Left::of(&answer)
}

/// The browser is sent back by the provider: from another site, so without its session.
async fn come_back(browser: &mut Browser<'_>, left: &Left, more: &str) -> Answer {
    come_back_to(browser, "sso", left.pair(), &left.state, more).await
}

async fn come_back_to(browser: &mut Browser<'_>, id: &str, cookie: &str, state: &str, more: &str) -> Answer {
    let path = format!("/login/callback/{id}?code=c&state={}{more}", escape(state));
    let mut request = http::Request::get(path).header(header::HOST, &browser.site.host);
    request = request.header("sec-fetch-site", "cross-site").header(header::COOKIE, cookie);
    if let Some(peer) = browser.peer {
        request = request.extension(ConnectInfo(peer));
    }
    let answer = browser.site.send(request.body(axum::body::Body::empty()).unwrap()).await;
    for set in answer.headers.get_all(header::SET_COOKIE) {
        let set = set.to_str().unwrap();
        if !set.contains("-login-") {
            assert!(set.contains("SameSite=Strict") && set.contains("HttpOnly"), "{set}");
            browser.cookie = set.split(';').next().map(str::to_owned);
        }
    }
    answer
}

/// Sends the form of a plan's page, and leaves for the provider.
async fn leave_to_decide(browser: &mut Browser<'_>, plan: &PlanView, verdict: &str) -> Left {
    let form = browser.open(plan).await.form();
    let before = browser.cookie.clone();
    let answer = browser.send(plan, &form, verdict, &[]).await;
    browser.cookie = before;
    Left::of(&answer)
}

fn token(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"confirm\" value=\"").expect("a page that asks for the last word");
    rest.split('"').next().unwrap().to_owned()
}

async fn confirm(browser: &mut Browser<'_>, plan: &PlanView, token: &str) -> Answer {
    browser.post(&format!("/plans/{}/confirm", plan.header.plan_id), &[("confirm", token)]).await
}

#[tokio::test]
async fn a_login_opens_a_session() {
    // [AUTH-001] [AUTH-004] [AUTH-007]
    let stage = Stage::new().await;
    let mut browser = stage.site.browser();
    let page = browser.get("/login").await;
    assert!(page.body.contains("Log in at Example SSO"), "{}", page.body);
    let left = leave(&mut browser, "/mine").await;
    assert_eq!(left.url, format!("{}/authorize", stage.issuer.url));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("scope", "openid"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", &format!("{ORIGIN}/login/callback/sso")),
    ] {
        assert_eq!(left.query[name], value, "{name}");
    }
    for asked_for_decisions in ["prompt", "max_age", "acr_values"] {
        assert!(!left.query.contains_key(asked_for_decisions));
    }
    assert!(left.cookie.contains("SameSite=Lax") && left.cookie.contains("HttpOnly"), "{}", left.cookie);

    stage.gives(&stage.claims(&left.nonce));
    let answer = come_back(&mut browser, &left, "").await;
    assert!(answer.body.contains("content=\"0; url=/mine\""), "{}", answer.body);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);

    let (authorization, form) = stage.issuer.conduct().redeemed[0].clone();
    assert_eq!(authorization, None);
    let form: BTreeMap<_, _> = form.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    assert_eq!((form["grant_type"], form["code"]), ("authorization_code", "c"));
    assert_eq!(plain(form["redirect_uri"]), format!("{ORIGIN}/login/callback/sso"));
    let digest = Digest::of_bytes(form["code_verifier"].as_bytes());
    assert_eq!(URL_SAFE_NO_PAD.encode(digest.as_bytes()), left.query["code_challenge"]);
}

#[tokio::test]
async fn a_login_ends_the_session_that_the_browser_left_with() {
    // [AUTH-001] It comes back from another site, so without the cookie of that session.
    let stage = Stage::new().await;
    let mut dora = stage.dora().await;
    let mut before = stage.site.browser();
    before.cookie = dora.cookie.clone();
    let left = leave(&mut dora, "").await;
    // A login that comes to nothing ends nothing.
    let refused = come_back(&mut dora, &left, "&error=access_denied").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(before.get("/").await.status, StatusCode::OK);

    let left = leave(&mut dora, "").await;
    stage.gives(&stage.claims(&left.nonce));
    come_back(&mut dora, &left, "").await;
    assert_ne!(dora.cookie, before.cookie);
    assert_eq!(dora.get("/").await.status, StatusCode::OK);
    assert_eq!(before.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_secret_is_sent_as_the_provider_wants_it() {
    let stage = Stage::with("client-secret-file = \"sso.secret\"").await;
    let missing = stage.site.browser().post("/login/at/sso", &[]).await;
    assert_eq!(missing.status, StatusCode::SERVICE_UNAVAILABLE);
    stage.site.write("sso.secret", "s3cret\n");
    drop(stage.dora().await);
    let redeemed = stage.issuer.conduct().redeemed[0].clone();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:s3cret"));
    assert_eq!(redeemed.0.as_deref(), Some(format!("Basic {basic}").as_str()));
    assert!(!redeemed.1.contains("s3cret"));
}

#[tokio::test]
async fn a_decision_takes_a_new_login_and_a_last_word() {
    // [AUTH-010] [AUTH-011] [SURF-012]
    let stage = Stage::with("acr-values = [\"mfa\"]").await;
    let mut dora = stage.dora().await;
    let (plan, other) = (stage.site.plan("a").await, stage.site.plan("b").await);
    let page = dora.open(&plan).await;
    assert!(page.body.contains("You log in at Example SSO for this decision"), "{}", page.body);
    assert!(!page.body.contains("name=\"password\""));
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("acr_values", "mfa")] {
        assert_eq!(left.query[name], value);
    }
    assert_ne!(left.nonce, leave_to_decide(&mut dora, &other, "approve").await.nonce);
    assert_eq!(stage.site.state(&plan).await, "awaiting_approval");

    let auth_time = stage.site.now();
    stage.gives(&stage.claims(&left.nonce));
    stage.site.room.clock.advance(Duration::from_secs(2));
    let page = come_back(&mut dora, &left, "").await;
    assert!(page.body.contains("Approve this plan?"), "{}", page.body);
    assert!(page.body.contains(&plan.plan_digest.to_string()));
    assert_eq!((stage.site.state(&plan).await, stage.decided(&plan).await), ("awaiting_approval", 0));

    let answer = confirm(&mut dora, &plan, &token(&page)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!((stage.site.state(&plan).await, stage.site.state(&other).await), ("approved", "awaiting_approval"));
    let decision = stage.site.room.page(&plan, "alice").await.unwrap().decisions[0].clone();
    assert_eq!(decision.approver.auth_time, auth_time);
    assert_eq!((decision.approver.issuer.as_str(), decision.approver.subject.as_str()), (&*stage.issuer.url, "4711"));
    assert_eq!((decision.approver.acr.as_deref(), decision.approver.amr.len()), (Some("mfa"), 2));
    assert_eq!(decision.verdict, Verdict::Approve);
    // Once: neither the word nor the form is good again.
    assert_eq!(confirm(&mut dora, &plan, &token(&page)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_rejection_goes_the_same_way() {
    // [FORM-008] [FORM-009]
    let stage = Stage::new().await;
    let mut dora = stage.dora().await;
    let plan = stage.site.plan("a").await;
    let form = dora.open(&plan).await.form();
    let cookie = dora.cookie.clone();
    let answer = dora.send(&plan, &form, "reject", &[("comment", "not <b>now</b>"), ("mute", "yes")]).await;
    (dora.cookie, _) = (cookie, ());
    let left = Left::of(&answer);
    stage.gives(&stage.claims(&left.nonce));
    let page = come_back(&mut dora, &left, "").await;
    assert!(page.body.contains("Reject this plan?") && page.body.contains("not &#60;b&#62;now"), "{}", page.body);
    assert_eq!(confirm(&mut dora, &plan, &token(&page)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.site.state(&plan).await, "rejected");
    let muted = stage.site.room.plan("c", json!(1)).await.unwrap_err();
    assert_eq!(muted.reason().code(), "rate_limited");
}

/// What is wrong with an ID token, and the words that say so.
type Wrong = (&'static str, fn(&Stage, &mut Value), &'static str);

const WRONG: &[Wrong] = &[
    ("another audience", |_, claims| claims["aud"] = json!("another"), "another audience"),
    ("issued to another client", |_, claims| claims["azp"] = json!("another"), "another client"),
    ("two audiences and no party", |_, claims| claims["aud"] = json!([CLIENT, "x"]), "another client"),
    ("another issuer", |_, claims| claims["iss"] = json!("https://evil.example"), "another issuer"),
    ("several issuers", |stage, claims| claims["iss"] = json!([stage.issuer.url, "x"]), "another issuer"),
    ("expired", |stage, claims| claims["exp"] = json!(stage.site.now().unix_millis() / 1000 - 31), "it has expired"),
    ("no expiry", |_, claims| drop(claims.as_object_mut().unwrap().remove("exp")), "`exp`"),
    ("an expiry that is no time", |_, claims| claims["exp"] = json!("never"), "`exp`"),
    ("from the future", |stage, claims| claims["iat"] = json!(stage.site.now().unix_millis() / 1000 + 60), "not come"),
    ("not yet", |stage, claims| claims["nbf"] = json!(stage.site.now().unix_millis() / 1000 + 60), "not come"),
    ("no subject", |_, claims| drop(claims.as_object_mut().unwrap().remove("sub")), "`sub`"),
    ("no nonce", |_, claims| drop(claims.as_object_mut().unwrap().remove("nonce")), "nonce is of another login"),
    ("a nonce of its own", |_, claims| claims["nonce"] = json!("n"), "nonce is of another login"),
    ("no auth_time", |_, claims| drop(claims.as_object_mut().unwrap().remove("auth_time")), "`auth_time`"),
    ("a login before the challenge", |_, claims| claims["auth_time"] = json!(1_767_225_600), "older than"),
    (
        "a login in the future",
        |stage, claims| {
            claims["auth_time"] = json!(stage.site.now().unix_millis() / 1000 + 60);
        },
        "`auth_time`",
    ),
    ("a weak login", |_, claims| claims["acr"] = json!("pwd"), "weaker"),
    ("a login of unknown strength", |_, claims| drop(claims.as_object_mut().unwrap().remove("acr")), "weaker"),
    ("an access token", |_, claims| claims["typ"] = json!("Bearer"), "something else"),
    ("nobody's name", |_, claims| claims["preferred_username"] = json!(7), "nobody who is a person"),
];

#[tokio::test]
async fn an_id_token_that_is_wrong_decides_nothing() {
    // [AUTH-010] [AUTH-011]
    let stage = Stage::with("acr-values = [\"mfa\"]").await;
    let mut dora = stage.dora().await;
    let plan = stage.site.plan("a").await;
    for (what, change, words) in WRONG {
        let left = leave_to_decide(&mut dora, &plan, "approve").await;
        let mut claims = stage.claims(&left.nonce);
        change(&stage, &mut claims);
        stage.gives(&claims);
        let page = come_back(&mut dora, &left, "").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{what}: {}", page.body);
        assert!(page.body.contains(words), "{what}: {}", page.body);
        assert!(!page.body.contains("name=\"confirm\""), "{what}");
    }
    assert_eq!((stage.site.state(&plan).await, stage.decided(&plan).await), ("awaiting_approval", 0));
    // The control.
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    stage.gives(&stage.claims(&left.nonce));
    let page = come_back(&mut dora, &left, "").await;
    assert_eq!(confirm(&mut dora, &plan, &token(&page)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.site.state(&plan).await, "approved");
}

#[tokio::test]
async fn a_signature_that_is_wrong_opens_no_session() {
    // [AUTH-014]
    let stage = Stage::new().await;
    let mut browser = stage.site.browser();
    let mut shared = stage.issuer.key.public.clone();
    shared["alg"] = json!("HS256");
    let other = Key::new("first");
    for (what, words) in [
        ("none", "no token"),
        ("None", "no token"),
        ("hmac with the public key", "algorithm"),
        ("another algorithm of the issuer's", "algorithm"),
        ("a key of its own in the header", "signature"),
        ("a key that isn't published", "no such key"),
        ("another key of the same name", "signature"),
        ("an extension that must be understood", "no token"),
        ("cut", "no token"),
    ] {
        let left = leave(&mut browser, "").await;
        let claims = stage.claims(&left.nonce);
        let good = stage.issuer.key.sign(&claims);
        let signature = good.rsplit('.').next().unwrap();
        let id_token = match what {
            "none" | "None" => unsigned(&json!({ "alg": what }), &claims, ""),
            "hmac with the public key" => {
                let key = jsonwebtoken::EncodingKey::from_secret(stage.issuer.key.public.to_string().as_bytes());
                jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
            }
            "another algorithm of the issuer's" => {
                unsigned(&json!({ "alg": "RS256", "kid": "first" }), &claims, "AAAA")
            }
            "a key of its own in the header" => {
                let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
                header.kid = Some("first".to_owned());
                header.jwk = Some(serde_json::from_value(other.public.clone()).unwrap());
                jsonwebtoken::encode(&header, &claims, &other.secret).unwrap()
            }
            "a key that isn't published" => Key::new("second").sign(&claims),
            "another key of the same name" => other.sign(&claims),
            "an extension that must be understood" => {
                unsigned(&json!({ "alg": "ES256", "kid": "first", "crit": ["b64"], "b64": false }), &claims, signature)
            }
            _ => good[..good.len() - signature.len() - 1].to_owned(),
        };
        stage.issuer.gives(&id_token);
        let page = come_back(&mut browser, &left, "").await;
        assert_eq!((page.status, browser.cookie.clone()), (StatusCode::FORBIDDEN, None), "{what}");
        assert!(page.body.contains(words), "{what}: {}", page.body);
    }
    drop(stage.dora().await);
}

#[tokio::test]
async fn an_answer_belongs_to_one_browser_one_login_and_one_provider() {
    // [AUTH-014]
    let stage = Stage::new().await;
    let mut browser = stage.site.browser();
    let unfit = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert!(answer.body.contains("not under way in this browser"), "{}", answer.body);
    };
    // Another browser, with no cookie or its own.
    for cookie in [None, Some(leave(&mut stage.site.browser(), "").await.pair().to_owned())] {
        let left = leave(&mut browser, "").await;
        stage.gives(&stage.claims(&left.nonce));
        unfit(&come_back_to(&mut browser, "sso", &cookie.unwrap_or_default(), &left.state, "").await);
        assert_eq!((browser.cookie.clone(), stage.issuer.conduct().redeemed.len()), (None, 0));
        // That ends nothing: the right one comes back.
        let mut right = stage.site.browser();
        assert_eq!(come_back(&mut right, &left, "").await.status, StatusCode::OK);
        assert!(right.cookie.is_some());
        stage.issuer.conduct().redeemed.clear();
    }
    // Another provider's address.
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    unfit(&come_back_to(&mut browser, "other", left.pair(), &left.state, "").await);
    // Another issuer's answer. [RFC 9207]
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    unfit(&come_back(&mut browser, &left, "&iss=https%3A%2F%2Fevil.example").await);
    // None at all, and one that is too late.
    unfit(&come_back_to(&mut browser, "sso", left.pair(), "", "").await);
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    stage.site.room.clock.advance(Duration::from_secs(600));
    unfit(&come_back(&mut browser, &left, "").await);
    assert_eq!((browser.cookie.clone(), stage.issuer.conduct().redeemed.len()), (None, 0));
    // Twice.
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    let issuer = escape(&stage.issuer.url);
    assert_eq!(come_back(&mut browser, &left, &format!("&iss={issuer}")).await.status, StatusCode::OK);
    unfit(&come_back(&mut browser, &left, &format!("&iss={issuer}")).await);
}

#[tokio::test]
async fn a_look_at_the_answer_redeems_nothing() {
    // [AUTH-014] A link preview, say: HEAD with everything right.
    let stage = Stage::new().await;
    let mut browser = stage.site.browser();
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    let path = format!("/login/callback/sso?code=c&state={}", escape(&left.state));
    for method in [http::Method::HEAD, http::Method::OPTIONS] {
        let request = http::Request::builder().method(method.clone()).uri(&path);
        let request = request.header(header::HOST, &stage.site.host).header(header::COOKIE, left.pair());
        let answer = stage.site.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers[header::ALLOW], "GET", "{method}");
        assert_eq!(answer.headers.get(header::SET_COOKIE), None, "{method}");
    }
    assert_eq!(stage.issuer.conduct().redeemed.len(), 0);
    // The control.
    assert_eq!(come_back(&mut browser, &left, "").await.status, StatusCode::OK);
    assert_eq!(stage.issuer.conduct().redeemed.len(), 1);
}

#[tokio::test]
async fn an_issuer_that_promises_to_name_itself_must() {
    // RFC 9207, 2.4
    let stage = Stage::new().await;
    stage.issuer.conduct().metadata["authorization_response_iss_parameter_supported"] = json!(true);
    let mut browser = stage.site.browser();
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    assert_eq!(come_back(&mut browser, &left, "").await.status, StatusCode::BAD_REQUEST);
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    let named = format!("&iss={}", escape(&stage.issuer.url));
    assert_eq!(come_back(&mut browser, &left, &named).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_the_provider_refuses_is_said() {
    let stage = Stage::new().await;
    let mut browser = stage.site.browser();
    let left = leave(&mut browser, "").await;
    let page = come_back(&mut browser, &left, "&error=access_denied%3Cscript%3E").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("access_denied&#60;script"), "{}", page.body);
    let left = leave(&mut browser, "").await;
    stage.issuer.conduct().tokens = (StatusCode::BAD_REQUEST, json!({ "error": "invalid_grant" }));
    let page = come_back(&mut browser, &left, "").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("the identity provider refuses: invalid_grant"), "{}", page.body);
    let left = leave(&mut browser, "").await;
    stage.issuer.conduct().tokens = (StatusCode::OK, json!({ "access_token": "a", "token_type": "Bearer" }));
    assert_eq!(come_back(&mut browser, &left, "").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.cookie, None);
}

#[tokio::test]
async fn only_who_decided_has_the_last_word() {
    // [AUTH-010] [AUTH-013]
    let stage = Stage::new().await;
    let mut dora = stage.dora().await;
    let (plan, other) = (stage.site.plan("a").await, stage.site.plan("b").await);
    // Somebody else logs in at the provider.
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    let mut claims = stage.claims(&left.nonce);
    (claims["sub"], claims["preferred_username"]) = (json!("4712"), json!("eve"));
    stage.gives(&claims);
    let page = come_back(&mut dora, &left, "").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("You logged in as somebody else"), "{}", page.body);
    // The ID token of a login for another plan.
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    let of_other = leave_to_decide(&mut dora, &other, "approve").await;
    stage.gives(&stage.claims(&of_other.nonce));
    let page = come_back(&mut dora, &left, "").await;
    assert!(page.body.contains("nonce is of another login"), "{}", page.body);
    // The word for one plan, at another; the word in another session of the same person; the word that comes too late.
    for attempt in ["another plan", "another session", "too late"] {
        let left = leave_to_decide(&mut dora, &plan, "approve").await;
        stage.gives(&stage.claims(&left.nonce));
        let word = token(&come_back(&mut dora, &left, "").await);
        let answer = match attempt {
            "another plan" => confirm(&mut dora, &other, &word).await,
            "another session" => confirm(&mut stage.dora().await, &plan, &word).await,
            _ => {
                stage.site.room.clock.advance(Duration::from_secs(300));
                confirm(&mut dora, &plan, &word).await
            }
        };
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{attempt}");
        assert!(answer.body.contains("no longer good"), "{attempt}: {}", answer.body);
        // It is good for nothing after that.
        assert_eq!(confirm(&mut dora, &plan, &word).await.status, StatusCode::FORBIDDEN, "{attempt}");
    }
    // A made-up one, none, and one that another site sends.
    assert_eq!(confirm(&mut dora, &plan, "word").await.status, StatusCode::FORBIDDEN);
    let path = format!("/plans/{}/confirm", plan.header.plan_id);
    assert_eq!(dora.clone().post(&path, &[]).await.status, StatusCode::BAD_REQUEST);
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    stage.gives(&stage.claims(&left.nonce));
    let word = token(&come_back(&mut dora, &left, "").await);
    let foreign = dora.clone().post_from(&[("origin", "https://evil.example")], &path, &[("confirm", &word)]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    for plan in [&plan, &other] {
        assert_eq!((stage.site.state(plan).await, stage.decided(plan).await), ("awaiting_approval", 0));
    }
    assert_eq!(confirm(&mut dora, &plan, &word).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_plan_that_changed_meanwhile_is_not_decided() {
    let stage = Stage::new().await;
    let mut dora = stage.dora().await;
    let plan = stage.site.plan("a").await;
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    stage.gives(&stage.claims(&left.nonce));
    let word = token(&come_back(&mut dora, &left, "").await);
    stage.site.approvals.cancel(&approval_testkit::Room::alice(), &plan.header.plan_id.to_string()).await.unwrap();
    let answer = confirm(&mut dora, &plan, &word).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
    assert_eq!((stage.site.state(&plan).await, stage.decided(&plan).await), ("cancelled", 0));
}

#[tokio::test]
async fn groups_are_those_of_the_newest_login() {
    let stage = Stage::new().await;
    let mut dora = stage.dora().await;
    let plan = stage.site.plan("a").await;
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    let mut claims = stage.claims(&left.nonce);
    claims["groups"] = json!(["interns"]);
    stage.gives(&claims);
    // Whoever isn't in the group any more doesn't even see the plan.
    assert_eq!(come_back(&mut dora, &left, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(dora.open(&plan).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.site.state(&plan).await, "awaiting_approval");
}

/// What an agent brings that acts for Dora.
async fn bring(stage: &Stage, change: impl FnOnce(&mut Value)) {
    use approval_web::{BearerVerifier as _, ProviderTokens, Verified};
    let now = stage.site.now().unix_millis() / 1000;
    let mut claims = json!({
        "iss": stage.issuer.url, "aud": "https://mcp.example/mcp", "sub": "4711", "preferred_username": "dora",
        "iat": now, "exp": now + 300,
    });
    change(&mut claims);
    let tokens = ProviderTokens::new(stage.site.providers.clone().unwrap());
    let verified = tokens.verify(&stage.issuer.key.sign(&claims)).await.unwrap();
    assert!(matches!(verified, Verified::For(requester) if requester.identity.subject == "4711"));
}

#[tokio::test]
async fn an_agents_token_takes_no_groups_away() {
    // [AUTH-006]
    let stage = Stage::with("resource = \"https://mcp.example/mcp\"").await;
    let dora = stage.dora().await;
    let plan = stage.site.plan("a").await;
    assert_eq!(dora.open(&plan).await.status, StatusCode::OK);
    stage.site.room.clock.advance(Duration::from_secs(1));
    bring(&stage, |_| ()).await;
    assert_eq!(dora.open(&plan).await.status, StatusCode::OK);
    // The control: one that says that there are none.
    bring(&stage, |claims| claims["groups"] = json!([])).await;
    assert_eq!(dora.open(&plan).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn groups_of_a_login_last_no_longer_for_an_agents_token() {
    use approval_core::Directory as _;
    let stage = Stage::with("resource = \"https://mcp.example/mcp\"").await;
    let directory = approval_web::ProvidersDirectory::new(stage.site.providers.clone().unwrap());
    drop(stage.dora().await);
    stage.site.room.clock.advance(Duration::from_secs(11 * 3600));
    bring(&stage, |_| ()).await;
    assert_eq!(directory.standing(&"dora".into()).await.unwrap().groups, [Group::from("sre")].into());
    stage.site.room.clock.advance(Duration::from_secs(3600));
    bring(&stage, |_| ()).await;
    let standing = directory.standing(&"dora".into()).await.unwrap();
    assert_eq!((standing.enabled, standing.groups), (true, [].into()));
}

#[tokio::test]
async fn an_older_token_brings_no_groups_back() {
    let stage = Stage::with("resource = \"https://mcp.example/mcp\"").await;
    let plan = stage.site.plan("a").await;
    let issued = stage.site.now().unix_millis() / 1000;
    stage.site.room.clock.advance(Duration::from_secs(2));
    let mut dora = stage.dora().await;
    let left = leave(&mut dora, "").await;
    let mut claims = stage.claims(&left.nonce);
    claims["groups"] = json!([]);
    stage.gives(&claims);
    assert_eq!(come_back(&mut dora, &left, "").await.status, StatusCode::OK);
    stage.site.room.clock.advance(Duration::from_secs(2));
    for iat in [json!(issued), Value::Null] {
        bring(&stage, |claims| {
            claims["groups"] = json!(["sre"]);
            claims["iat"] = iat.clone();
            if iat.is_null() {
                claims.as_object_mut().unwrap().remove("iat");
            }
        })
        .await;
        assert_eq!(dora.open(&plan).await.status, StatusCode::NOT_FOUND, "{iat}");
    }
    // The control: a newer one does.
    bring(&stage, |claims| claims["groups"] = json!(["sre"])).await;
    assert_eq!(dora.open(&plan).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_when_the_mapping_changes() {
    // [AUTH-003]
    let person =
        |person: &str, more: &str| format!("[[provider.person]]\nvalue = \"dora\"\nperson = \"{person}\"\n{more}");
    let stage = Stage::with(&person("dora", "groups = [\"sre\"]")).await;
    let plan = stage.site.plan("a").await;
    for (change, still) in [
        (person("dora", "may-request = false"), true),
        (person("dora", "disabled = true"), false),
        (person("theodora", ""), false),
        (person("dora", "").replace("\"dora\"\nperson", "\"someone else\"\nperson"), false),
        ("[[provider.person]]\nvalue = \"x\"\nperson = \"x\"".to_owned(), false),
    ] {
        stage.site.rewrite_providers(&file(&stage.issuer, &person("dora", "groups = [\"sre\"]")));
        let dora = stage.dora().await;
        assert_eq!(dora.open(&plan).await.status, StatusCode::OK);
        stage.site.rewrite_providers(&file(&stage.issuer, &change));
        let expected = if still { StatusCode::OK } else { StatusCode::SEE_OTHER };
        assert_eq!(dora.get("/").await.status, expected, "{change}");
    }
    // And where there is no such provider any more.
    stage.site.rewrite_providers(&file(&stage.issuer, ""));
    let dora = stage.dora().await;
    stage.site.rewrite_providers("");
    assert_eq!(dora.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_approval_by_somebody_disabled_since_does_not_count() {
    let stage = Stage::with("[[provider.person]]\nvalue = \"dora\"\nperson = \"dora\"").await;
    let mut dora = stage.dora().await;
    let plan = stage.site.plan("a").await;
    let left = leave_to_decide(&mut dora, &plan, "approve").await;
    stage.gives(&stage.claims(&left.nonce));
    let word = token(&come_back(&mut dora, &left, "").await);
    assert_eq!(confirm(&mut dora, &plan, &word).await.status, StatusCode::SEE_OTHER);
    let disabled = "[[provider.person]]\nvalue = \"dora\"\nperson = \"dora\"\ndisabled = true";
    stage.site.rewrite_providers(&file(&stage.issuer, disabled));
    let room = &stage.site.room;
    let (alice, id) = (approval_testkit::Room::alice(), plan.header.plan_id.to_string());
    let refused = stage.site.approvals.execute(&alice, &id, None, &room.target, &room.target).await;
    assert_eq!(refused.unwrap_err().reason().code(), "approver_not_permitted");
    assert_eq!(room.target.effects(), 0);
}

#[tokio::test]
async fn keys_may_change() {
    let stage = Stage::new().await;
    drop(stage.dora().await);
    assert_eq!(stage.issuer.conduct().asked, 1);
    drop(stage.dora().await);
    assert_eq!(stage.issuer.conduct().asked, 1, "what is known isn't asked for again");
    // A new key: looked for when a token names it.
    let second = Key::new("second");
    stage.issuer.conduct().keys.push(second.public.clone());
    stage.site.room.clock.advance(Duration::from_secs(15));
    let mut browser = stage.site.browser();
    let left = leave(&mut browser, "").await;
    stage.issuer.gives(&second.sign(&stage.claims(&left.nonce)));
    assert_eq!(come_back(&mut browser, &left, "").await.status, StatusCode::OK);
    assert_eq!(stage.issuer.conduct().asked, 2);
    // Made-up keys cause no flood.
    for _ in 0..20 {
        let left = leave(&mut browser, "").await;
        stage.issuer.gives(&Key::new("third").sign(&stage.claims(&left.nonce)));
        assert_eq!(come_back(&mut browser, &left, "").await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(stage.issuer.conduct().asked, 2);
    // A key that was withdrawn is believed for an hour at most.
    stage.issuer.conduct().keys.remove(0);
    drop(stage.dora().await);
    stage.site.room.clock.advance(Duration::from_secs(3600));
    let left = leave(&mut browser, "").await;
    stage.gives(&stage.claims(&left.nonce));
    let page = come_back(&mut browser, &left, "").await;
    assert!(page.body.contains("no such key"), "{}", page.body);
}

#[tokio::test]
async fn a_provider_that_is_down_is_believed_for_a_day() {
    let stage = Stage::new().await;
    stage.issuer.conduct().is_down = true;
    let mut browser = stage.site.browser();
    assert_eq!(browser.post("/login/at/sso", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.post("/login/at/sso", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage.issuer.conduct().asked, 1, "it is left alone for a moment");
    stage.issuer.conduct().is_down = false;
    stage.site.room.clock.advance(Duration::from_secs(15));
    let before = leave(&mut browser, "").await;
    stage.issuer.conduct().is_down = true;
    for hours in [2, 20] {
        stage.site.room.clock.advance(Duration::from_secs(hours * 3600));
        assert_eq!(leave(&mut browser, "").await.url, before.url);
    }
    stage.site.room.clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(browser.post("/login/at/sso", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn metadata_that_are_wrong_are_not_believed() {
    for (member, value, words) in [
        ("issuer", json!("https://evil.example"), "503"),
        ("jwks_uri", json!("http://keys.example/keys"), "503"),
        ("token_endpoint", json!("http://evil.example/token"), "503"),
        ("authorization_endpoint", Value::Null, "503"),
    ] {
        let stage = Stage::new().await;
        stage.issuer.conduct().metadata[member] = value;
        let answer = stage.site.browser().post("/login/at/sso", &[]).await;
        assert_eq!(answer.status.as_str(), words, "{member}");
        assert!(!answer.body.contains("evil"), "{member}");
    }
}

#[tokio::test]
async fn a_logout_ends_the_session_and_offers_the_providers() {
    // [AUTH-002]
    let stage = Stage::new().await;
    let mut dora = stage.dora().await;
    let stolen = dora.clone();
    let answer = dora.post("/logout", &[]).await;
    assert_eq!((answer.status, dora.cookie.clone()), (StatusCode::OK, None));
    assert!(answer.body.contains(&format!("{}/end?id_token_hint=", stage.issuer.url)), "{}", answer.body);
    let back = escape_url(&format!("{ORIGIN}/login"));
    assert!(answer.body.contains(&format!("post_logout_redirect_uri={back}")), "{}", answer.body);
    assert_eq!(stolen.get("/").await.status, StatusCode::SEE_OTHER);
}

fn escape_url(url: &str) -> String {
    url.replace(':', "%3A").replace('/', "%2F")
}

#[tokio::test]
async fn persons_are_who_the_operator_says() {
    // [PERSON-001]
    use approval_core::Directory as _;
    let stage = Stage::with("person-prefix = \"sso:\"").await;
    let directory = approval_web::ProvidersDirectory::new(stage.site.providers.clone().unwrap());
    let (prefixed, bare) = ("sso:dora".into(), "dora".into());
    assert!(!directory.standing(&prefixed).await.unwrap().enabled);
    drop(stage.dora().await);
    let standing = directory.standing(&prefixed).await.unwrap();
    assert_eq!((standing.enabled, standing.groups), (true, [Group::from("sre")].into()));
    assert!(!directory.standing(&bare).await.unwrap().enabled);
    let found = directory.person(&stage.issuer.url, "4711").await.unwrap();
    assert_eq!(found, Some(prefixed.clone()));
    assert_eq!(directory.person("https://evil.example", "4711").await.unwrap(), None);
    assert_eq!(directory.person(&stage.issuer.url, "4712").await.unwrap(), None);
    // What was said is known for twelve hours.
    stage.site.room.clock.advance(Duration::from_secs(12 * 3600));
    assert!(!directory.standing(&prefixed).await.unwrap().enabled);
}

#[tokio::test]
async fn an_address_that_nobody_verified_names_nobody() {
    let stage = Stage::new().await;
    let by_email = file(&stage.issuer, "").replace("preferred_username", "email");
    stage.site.rewrite_providers(&by_email);
    let mut browser = stage.site.browser();
    for (verified, status) in
        [(None, 403), (Some(json!(false)), 403), (Some(json!("true")), 403), (Some(json!(true)), 200)]
    {
        let left = leave(&mut browser, "").await;
        let mut claims = stage.claims(&left.nonce);
        claims["email"] = json!("dora@example.org");
        if let Some(verified) = &verified {
            claims["email_verified"] = verified.clone();
        }
        stage.gives(&claims);
        assert_eq!(come_back(&mut browser, &left, "").await.status.as_u16(), status, "{verified:?}");
    }
}

#[tokio::test]
async fn right_logins_at_a_provider_dont_count() {
    let (stage, burst) = (Stage::new().await, SurfaceOptions::default().address_pace.burst);
    let mut browser = stage.site.browser();
    browser.peer = Some("192.0.2.1:4000".parse().unwrap());
    let begin = async |peer: &str| {
        let mut another = stage.site.browser();
        another.peer = Some(peer.parse().unwrap());
        another.post("/login/at/sso", &[]).await
    };
    for _ in 0..2 * burst {
        let left = leave(&mut browser, "").await;
        stage.gives(&stage.claims(&left.nonce));
        assert_eq!(come_back(&mut browser, &left, "").await.status, StatusCode::OK);
    }
    // Those that don't come back do.
    let left = leave(&mut browser, "").await;
    for _ in 1..burst {
        assert_eq!(begin("192.0.2.1:4001").await.status, StatusCode::OK);
    }
    let refused = begin("192.0.2.1:4001").await;
    assert_eq!(
        (refused.status, &refused.headers[header::RETRY_AFTER]),
        (StatusCode::TOO_MANY_REQUESTS, &"5".parse().unwrap())
    );
    assert_eq!(begin("192.0.2.2:4001").await.status, StatusCode::OK);
    // Nor does one for a decision, which makes no room either.
    let plan = stage.site.plan("a").await;
    let decision = leave_to_decide(&mut browser, &plan, "approve").await;
    stage.gives(&stage.claims(&decision.nonce));
    assert_eq!(come_back(&mut browser, &decision, "").await.status, StatusCode::OK);
    assert_eq!(begin("192.0.2.1:4001").await.status, StatusCode::TOO_MANY_REQUESTS);
    // One that comes back at last makes room for one.
    stage.gives(&stage.claims(&left.nonce));
    assert_eq!(come_back(&mut browser, &left, "").await.status, StatusCode::OK);
    assert_eq!(begin("192.0.2.1:4001").await.status, StatusCode::OK);
    assert_eq!(begin("192.0.2.1:4001").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn who_floods_the_login_keeps_nobody_from_deciding() {
    // [AUTH-006]
    let site = Site::new().await;
    let plan = site.plan("a").await;
    let mut alice = site.logged_in("alice").await;
    for n in 0..60 {
        site.browser().log_in(&format!("nobody-{n}"), kit::WRONG, "").await;
    }
    assert_eq!(site.browser().log_in("alice", kit::PASSWORD, "").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(alice.decide(&plan, Verdict::Approve).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.state(&plan).await, "approved");
}
