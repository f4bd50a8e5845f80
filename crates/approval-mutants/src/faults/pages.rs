//! What stands around the pages.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use axum::body::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderValue, LOCATION, ORIGIN, SET_COOKIE,
};
use http::{Method, StatusCode, Uri, request};
use reference_target::Parts;
use serde_json::Value;

use crate::around::{Page, Pages, Surface, around_pages};
use crate::fault::Fault;

macro_rules! pages {
    ($name:literal, $pages:expr) => {
        Fault::new($name, |parts| Parts { pages: around_pages($pages), ..parts })
    };
}

pub(super) const ALL: &[Fault] = &[
    pages!("pages-without-a-policy", WithoutPolicy),
    pages!("pages-with-an-inline-script", InlineScript),
    pages!("pages-for-nobody", ForNobody::default()),
    pages!("token-is-a-session", TokenIsSession::default()),
    pages!("links-decide", LinksDecide),
    pages!("session-is-enough", SessionIsEnough::default()),
    pages!("any-site-decides", AnySite),
    pages!("any-host-is-good", AnyHost),
    pages!("characters-raw", CharactersRaw),
    pages!("markup-raw", MarkupRaw),
    pages!("change-hidden", ChangeHidden),
    pages!("warnings-hidden", WarningsHidden),
    pages!("decisions-hidden", DecisionsHidden),
    pages!("documents-pretty", DocumentsPretty),
    pages!("approval-is-the-default", ApprovalDefault),
    pages!("every-decision-reads-alike", ReadsAlike),
    pages!("strangers-are-told", StrangersTold::default()),
    pages!("name-filled-in", NameFilledIn),
    pages!("comment-needed-for-a-no", CommentNeeded),
    pages!("cookie-unlocked", CookieUnlocked),
    pages!("login-leads-anywhere", LeadsAnywhere),
    pages!("unknown-accounts-told", AccountsTold::default()),
    pages!("session-without-end", SessionWithoutEnd::default()),
    pages!("verdict-unread", VerdictUnread),
    pages!("any-form-is-good", AnyForm),
    pages!("comments-cut-short", CommentsCut),
    pages!("name-of-a-stranger", ForwardedHost),
    pages!("old-value-hidden", OldValueHidden),
    pages!("withdrawal-rejects", WithdrawalRejects),
    pages!("session-fixed-beforehand", SessionFixed::default()),
    pages!("large-forms-cut", LargeFormsCut),
];

/// The fields of a form, as they are written.
fn fields(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn field(body: &[u8], name: &str) -> Option<String> {
    fields(body).into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

fn form(fields: &[(String, String)]) -> Bytes {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&").into()
}

/// Changes the text of a page, where it is one.
fn edit(page: &mut Page, edit: impl FnOnce(String) -> String) {
    let is_page = page.head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page {
        let text = edit(page.text());
        page.set_text(text);
    }
}

/// `text` without what begins with `from` and ends with `to`.
fn without(text: &str, from: &str, to: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once(from) {
        kept.push_str(before);
        rest = after.split_once(to).map_or("", |(_, after)| after);
    }
    kept + rest
}

fn is_plan(head: &request::Parts) -> bool {
    head.uri.path().starts_with("/plans/")
}

/// A browser may run and load what it likes. [SURF-015]
struct WithoutPolicy;

impl Pages for WithoutPolicy {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        page.head.headers.remove(CONTENT_SECURITY_POLICY);
    }
}

/// A script stands in the page itself. [SURF-015]
struct InlineScript;

impl Pages for InlineScript {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| text.replace("</body>", "<script>document.title = 'Approve'</script></body>"));
    }
}

/// Who comes without a session sees what the last one with a session would see. [SURF-011]
#[derive(Default)]
struct ForNobody(Mutex<Option<HeaderValue>>);

impl Pages for ForNobody {
    fn request(&self, head: &mut request::Parts, _: &mut Bytes) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (head.headers.get(COOKIE), last.as_ref()) {
            (Some(session), _) => *last = Some(session.clone()),
            (None, Some(session)) if head.method == Method::GET && is_plan(head) => {
                head.headers.insert(COOKIE, session.clone());
            }
            (None, _) => {}
        }
    }
}

/// The agent's own token opens the pages. [SURF-010]
#[derive(Default)]
struct TokenIsSession(Mutex<Option<HeaderValue>>);

impl Pages for TokenIsSession {
    fn request(&self, head: &mut request::Parts, _: &mut Bytes) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (head.headers.get(COOKIE), last.as_ref()) {
            (Some(session), _) => *last = Some(session.clone()),
            (None, Some(session)) if head.headers.contains_key(AUTHORIZATION) => {
                head.headers.insert(COOKIE, session.clone());
            }
            (None, _) => {}
        }
    }
}

/// A form's fields in a link are as good as the form. [SURF-012]
struct LinksDecide;

impl Pages for LinksDecide {
    fn request(&self, head: &mut request::Parts, body: &mut Bytes) {
        let query = head.uri.query().unwrap_or_default().to_owned();
        if head.method == Method::GET && query.contains("verdict=") {
            head.method = Method::POST;
            head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            head.uri = head.uri.path().parse::<Uri>().unwrap_or_default();
            *body = query.into();
        }
    }
}

/// Who is logged in needs no password for a decision: it is that of the login. [AUTH-010]
#[derive(Default)]
struct SessionIsEnough(Mutex<HashMap<Vec<u8>, String>>);

#[async_trait]
impl Pages for SessionIsEnough {
    async fn exchange(&self, (head, mut body): (request::Parts, Bytes), surface: &Surface) -> Page {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = head.headers.get(COOKIE).filter(|_| field(&body, "verdict").is_some()) {
            let password = known().get(session.as_bytes()).cloned();
            let mut all = fields(&body);
            all.retain(|(name, _)| name != "password");
            all.extend(password.map(|password| ("password".to_owned(), password)));
            body = form(&all);
        }
        let password = field(&body, "password").filter(|_| head.uri.path() == "/login");
        let page = surface.ask(head, body).await;
        let session = page.head.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        if let (Some(session), Some(password)) = (session, password) {
            known().insert(session.as_bytes().to_vec(), password);
        }
        page
    }
}

/// A form may come from any page. [FORM-003]
struct AnySite;

impl Pages for AnySite {
    fn request(&self, head: &mut request::Parts, _: &mut Bytes) {
        if head.method == Method::POST {
            head.headers.insert(ORIGIN, HeaderValue::from_static("null"));
            head.headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        }
    }
}

/// The pages are there under any name. [SURF-014]
#[derive(Clone, Copy)]
struct AnyHost;

#[async_trait]
impl Pages for AnyHost {
    async fn exchange(&self, (mut head, body): (request::Parts, Bytes), surface: &Surface) -> Page {
        // The name is part of the address, by which the surface knows its own.
        static OWN: Mutex<Option<HeaderValue>> = Mutex::new(None);
        {
            let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
            let host = head.headers.get(HOST).cloned();
            let is_own = host.as_ref().is_some_and(|host| host.as_bytes().starts_with(b"127.0.0.1:"));
            match (is_own, own.as_ref()) {
                (true, _) => *own = host,
                (false, Some(own)) => {
                    head.headers.insert(HOST, own.clone());
                }
                (false, None) => {}
            }
        }
        surface.ask(head, body).await
    }
}

/// Characters that nobody sees, or that turn the text around, stand in the page as they are. [TEXT-002]
struct CharactersRaw;

impl Pages for CharactersRaw {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| {
            let mut rest = text.as_str();
            let mut raw = String::new();
            while let Some((before, after)) = rest.split_once("<span class=\"mark\">") {
                raw.push_str(before);
                let (mark, after) = after.split_once("</span>").unwrap_or((after, ""));
                let points = mark.split("U+").skip(1).filter_map(|point| {
                    let digits: String = point.chars().take_while(char::is_ascii_hexdigit).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
                });
                raw.extend(points);
                rest = after;
            }
            raw + rest
        });
    }
}

/// What stands in a text as markup is markup. [TEXT-001]
struct MarkupRaw;

impl Pages for MarkupRaw {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| text.replace("&#60;", "<").replace("&#62;", ">").replace("&lt;", "<").replace("&gt;", ">"));
    }
}

/// The page doesn't show what changes. [SHOW-002]
struct ChangeHidden;

impl Pages for ChangeHidden {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| {
            let text = without(&text, "<section aria-labelledby=\"changes\">", "</section>");
            without(&text, "<section aria-labelledby=\"steps\">", "</section>")
        });
    }
}

/// The page doesn't tell of an earlier attempt that nobody has resolved. [SHOW-008]
struct WarningsHidden;

impl Pages for WarningsHidden {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| without(&text, "<aside class=\"warning\"", "</aside>"));
    }
}

/// The page doesn't tell what others decided. [SHOW-011] [SHOW-012]
struct DecisionsHidden;

impl Pages for DecisionsHidden {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| match text.split_once("</article>") {
            Some((plan, rest)) => {
                let decision = rest.find("<section class=\"decide\"").or_else(|| rest.find("</main>"));
                format!("{plan}</article>{}", decision.and_then(|at| rest.get(at..)).unwrap_or_default())
            }
            None => text,
        });
    }
}

/// The documents are offered in a form that is easier to read. [DIG-113]
struct DocumentsPretty;

impl Pages for DocumentsPretty {
    fn page(&self, head: &request::Parts, page: &mut Page) {
        if !head.uri.path().ends_with(".json") {
            return;
        }
        let document = serde_json::from_slice::<Value>(&page.body).ok();
        if let Some(pretty) = document.and_then(|document| serde_json::to_string_pretty(&document).ok()) {
            page.set_text(pretty);
        }
    }
}

/// Whoever presses Enter has approved. [FORM-005]
struct ApprovalDefault;

impl Pages for ApprovalDefault {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| {
            text.replace(r#"value="approve" class="approve""#, r#"value="approve" class="approve" autofocus"#)
        });
    }
}

/// The page after a decision doesn't say which it was. [FORM-010]
struct ReadsAlike;

impl Pages for ReadsAlike {
    fn page(&self, head: &request::Parts, page: &mut Page) {
        if head.uri.path().ends_with("/decided") {
            edit(page, |_| "<!doctype html><title>Thank you</title><p>Your decision was taken.</p>".to_owned());
        }
    }
}

/// Who may not see a plan is told so: that it is there. [SURF-001]
#[derive(Default)]
struct StrangersTold(Mutex<std::collections::HashSet<String>>);

impl Pages for StrangersTold {
    fn page(&self, head: &request::Parts, page: &mut Page) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = head.uri.path().to_owned();
        if page.head.status == StatusCode::OK && is_plan(head) {
            known.insert(path);
        } else if page.head.status == StatusCode::NOT_FOUND && known.contains(&path) {
            page.head.status = StatusCode::FORBIDDEN;
        }
    }
}

/// The target's name is filled in for whoever approves in spite of a `high` finding. [FORM-006]
struct NameFilledIn;

impl Pages for NameFilledIn {
    fn request(&self, _: &mut request::Parts, body: &mut Bytes) {
        if field(body, "verdict").is_some_and(|verdict| verdict == "approve") {
            let mut all = fields(body);
            all.retain(|(name, _)| name != "target" && name != "whole");
            all.push(("target".to_owned(), "notes".to_owned()));
            all.push(("whole".to_owned(), "yes".to_owned()));
            *body = form(&all);
        }
    }
}

/// Who says no has to say why. [FORM-008]
struct CommentNeeded;

impl Pages for CommentNeeded {
    fn request(&self, _: &mut request::Parts, body: &mut Bytes) {
        let is_no = field(body, "verdict").is_some_and(|verdict| verdict != "approve");
        if is_no && field(body, "comment").is_none_or(|comment| comment.is_empty()) {
            *body = Bytes::new();
        }
    }
}

/// A script can read the session's cookie, and other sites can use it. [AUTH-004]
struct CookieUnlocked;

impl Pages for CookieUnlocked {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        if let Some(cookie) = page.head.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()) {
            let unlocked = cookie.replace("; HttpOnly", "").replace("SameSite=Strict", "SameSite=Lax");
            if let Ok(unlocked) = HeaderValue::from_str(&unlocked) {
                page.head.headers.insert(SET_COOKIE, unlocked);
            }
        }
    }
}

/// After a login it goes on wherever the address of the login says. [AUTH-004]
struct LeadsAnywhere;

#[async_trait]
impl Pages for LeadsAnywhere {
    async fn exchange(&self, (head, body): (request::Parts, Bytes), surface: &Surface) -> Page {
        let next = field(&body, "next").filter(|_| head.uri.path() == "/login");
        let mut page = surface.ask(head, body).await;
        let next = next.map(|next| next.replace("%2F", "/").replace("%3A", ":"));
        let next = next.filter(|next| next.contains("elsewhere")).and_then(|next| HeaderValue::from_str(&next).ok());
        if let Some(next) = next.filter(|_| page.head.headers.contains_key(LOCATION)) {
            page.head.headers.insert(LOCATION, next);
        }
        page
    }
}

/// A login tells which accounts there are. [AUTH-005]
#[derive(Default)]
struct AccountsTold(Mutex<std::collections::HashSet<String>>);

#[async_trait]
impl Pages for AccountsTold {
    async fn exchange(&self, (head, body): (request::Parts, Bytes), surface: &Surface) -> Page {
        let account = field(&body, "account").filter(|_| head.uri.path() == "/login");
        let mut page = surface.ask(head, body).await;
        if let Some(account) = account {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if page.head.headers.contains_key(SET_COOKIE) {
                known.insert(account);
            } else if account.starts_with("nobody") {
                page.head.status = StatusCode::NOT_FOUND;
            }
        }
        page
    }
}

/// A session is good for ever: the page is the one of before. [AUTH-002] [AUTH-003]
#[derive(Default)]
struct SessionWithoutEnd(Mutex<HashMap<(Vec<u8>, String), Kept>>);

/// A page as it was: headers and body.
type Kept = (http::HeaderMap, Bytes);

impl Pages for SessionWithoutEnd {
    fn page(&self, head: &request::Parts, page: &mut Page) {
        let Some(session) = head.headers.get(COOKIE).filter(|_| head.method == Method::GET && is_plan(head)) else {
            return;
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (session.as_bytes().to_vec(), head.uri.path().to_owned());
        if page.head.status == StatusCode::OK {
            known.insert(key, (page.head.headers.clone(), page.body.clone()));
        } else if let Some((headers, body)) = known.get(&key) {
            page.head.status = StatusCode::OK;
            page.head.headers = headers.clone();
            page.body = body.clone();
        }
    }
}

/// Whatever is sent counts as an approval. [DEC-007]
struct VerdictUnread;

impl Pages for VerdictUnread {
    fn request(&self, _: &mut request::Parts, body: &mut Bytes) {
        let mut all = fields(body);
        for (_, value) in all.iter_mut().filter(|(name, _)| name == "verdict") {
            "approve".clone_into(value);
        }
        if all.iter().any(|(name, _)| name == "verdict") {
            *body = form(&all);
        }
    }
}

/// A form that isn't good any more, or never was, is taken for the one that the page has now. [FORM-001] [FORM-002]
struct AnyForm;

#[async_trait]
impl Pages for AnyForm {
    async fn exchange(&self, (head, body): (request::Parts, Bytes), surface: &Surface) -> Page {
        let page = surface.ask(head.clone(), body.clone()).await;
        if page.head.status.as_u16() < 400 || field(&body, "verdict").is_none() {
            return page;
        }
        let mut reading = head.clone();
        reading.method = Method::GET;
        let fresh = surface.ask(reading, Bytes::new()).await.text();
        let token = fresh.split_once("name=\"form\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        let Some((token, _)) = token else { return page };
        let mut all = fields(&body);
        all.retain(|(name, _)| name != "form");
        all.push(("form".to_owned(), token.to_owned()));
        surface.ask(head, form(&all)).await
    }
}

/// Of a comment that is long enough nothing is kept. [SURF-021]
struct CommentsCut;

impl Pages for CommentsCut {
    fn request(&self, _: &mut request::Parts, body: &mut Bytes) {
        if field(body, "comment").is_some_and(|comment| comment.len() > 4_000) {
            *body = Bytes::new();
        }
    }
}

/// The surface believes what a proxy says its name is. [SURF-013]
struct ForwardedHost;

impl Pages for ForwardedHost {
    fn page(&self, head: &request::Parts, page: &mut Page) {
        let host = head.headers.get("x-forwarded-host").and_then(|host| host.to_str().ok());
        let location = page.head.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        if let (Some(host), Some(location)) = (host, location)
            && let Ok(location) = HeaderValue::from_str(&format!("https://{host}{location}"))
        {
            page.head.headers.insert(LOCATION, location);
        }
    }
}

/// What was there before isn't shown. [SHOW-005]
struct OldValueHidden;

impl Pages for OldValueHidden {
    fn page(&self, _: &request::Parts, page: &mut Page) {
        edit(page, |text| without(&text, "<del", "</del>"));
    }
}

/// Who takes back an approval that they never gave has rejected the plan. [DEC-008]
struct WithdrawalRejects;

#[async_trait]
impl Pages for WithdrawalRejects {
    async fn exchange(&self, (head, body): (request::Parts, Bytes), surface: &Surface) -> Page {
        let page = surface.ask(head.clone(), body.clone()).await;
        let is_none = page.head.status == StatusCode::CONFLICT
            && field(&body, "verdict").is_some_and(|verdict| verdict == "withdraw");
        if !is_none {
            return page;
        }
        let mut all = fields(&body);
        for (_, value) in all.iter_mut().filter(|(name, _)| name == "verdict") {
            "reject".clone_into(value);
        }
        AnyForm.exchange((head, form(&all)), surface).await
    }
}

/// A login goes on with the session that the browser came with, whoever put it there. [AUTH-001]
#[derive(Default)]
struct SessionFixed(Mutex<HashMap<Vec<u8>, HeaderValue>>);

#[async_trait]
impl Pages for SessionFixed {
    async fn exchange(&self, (mut head, body): (request::Parts, Bytes), surface: &Surface) -> Page {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let came = head.headers.get(COOKIE).cloned();
        let real = came.as_ref().and_then(|came| known().get(came.as_bytes()).cloned());
        if let Some(real) = real {
            head.headers.insert(COOKIE, real);
        }
        let page = surface.ask(head, body).await;
        let made = page.head.headers.get(SET_COOKIE).and_then(|made| made.to_str().ok()?.split(';').next());
        if let (Some(came), Some(Ok(made))) = (came, made.map(HeaderValue::from_str)) {
            known().insert(came.as_bytes().to_vec(), made);
        }
        page
    }
}

/// Of a form that is too large its fields are taken, and the rest isn't read. [SURF-021]
struct LargeFormsCut;

impl Pages for LargeFormsCut {
    fn request(&self, _: &mut request::Parts, body: &mut Bytes) {
        if body.len() > 1 << 20 {
            let mut all = fields(body);
            all.retain(|(_, value)| value.len() < 1 << 20);
            *body = form(&all);
        }
    }
}
