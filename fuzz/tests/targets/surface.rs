//! Requests to the approval surface: paths, headers, cookies and forms, from whoever reaches the port.

use std::sync::Arc;
use std::time::Duration;

use approval_core::transient::SealedTransient;
use approval_core::{PlanView, Policy, Terms};
use approval_testkit::{MemoryTransient, Room};
use approval_web::{Accounts, NewAccount, PasswordCost, Surface};
use axum::Router;
use axum::body::Body;
use fuzz::{corpus, explore};
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// It stands in no seed, so no input has it.
const PASSWORD: &str = "Tr0ub4dor, and more";
const ORIGIN: &str = "http://127.0.0.1:8080";
/// A word of the plan, for those who have logged in.
const SHOWN: &str = "the-shown-name";

/// A surface on which `alice` has logged in, and one plan waits for her.
struct Site {
    room: Room,
    router: Router,
    plan: PlanView,
    cookie: String,
    form: String,
    _folder: TempDir,
}

impl Site {
    async fn new() -> Self {
        let room = Room::with_policy(Policy::always(Terms::same_subject())).await;
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::with_cost(folder.path().join("accounts.toml"), PasswordCost::dangerous_cheap());
        let alice = NewAccount { name: "alice".to_owned(), person: "alice".into(), groups: [].into() };
        accounts.add(&alice, PASSWORD).unwrap();
        let approvals = room.approvals.clone();
        let sealer = Arc::clone(&room.sealer);
        let transient = SealedTransient::new(
            Arc::new(MemoryTransient::default()),
            Arc::clone(&sealer) as _,
            approvals.audience().clone(),
        );
        let router = Surface::new(approvals, transient, sealer as _, accounts).unwrap().router();
        let plan = room.plan(SHOWN, json!(1)).await.unwrap();
        let id = plan.header.plan_id.to_string();
        room.approvals.challenge(&Room::alice(), &id, None).await.unwrap();
        room.clock.advance(Duration::from_secs(1));
        let mut site = Self { room, router, plan, cookie: String::new(), form: String::new(), _folder: folder };
        let login = format!("account=alice&password={}&next=", PASSWORD.replace(' ', "+").replace(',', "%2C"));
        let (status, headers, _) = site.send(Self::posted("login", &login)).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let set = headers[header::SET_COOKIE].to_str().unwrap();
        site.cookie = set.split(';').next().unwrap().to_owned();
        let page = format!("GET /plans/{id} HTTP/1.1\nhost: 127.0.0.1:8080\ncookie: {}\n\n", site.cookie);
        let (status, _, body) = site.send(request(page.as_bytes()).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains(SHOWN));
        let (_, rest) = body.split_once("name=\"form\" value=\"").unwrap();
        site.form = rest.split('"').next().unwrap().to_owned();
        site
    }

    /// A form posted to a page.
    fn posted(page: &str, fields: &str) -> Request<Body> {
        let head = format!(
            "POST /{page} HTTP/1.1\nhost: 127.0.0.1:8080\norigin: {ORIGIN}\ncontent-type: application/x-www-form-urlencoded\n\n"
        );
        request(format!("{head}{fields}").as_bytes()).unwrap()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    async fn state(&self) -> &'static str {
        let id = self.plan.header.plan_id.to_string();
        self.room.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap().state.name()
    }
}

/// A request as bytes say it, where HTTP lets it through at all.
fn request(bytes: &[u8]) -> Option<Request<Body>> {
    let (head, body) = split_once(bytes, b"\n\n").unwrap_or((bytes, b""));
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines {
        let (name, value) = split_once(line, b": ")?;
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_vec())).ok()
}

fn split_once<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..place], &bytes[place + at.len()..]))
}

#[test]
fn no_request_shows_a_plan_without_a_session_or_decides_without_the_password() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut site = runtime.block_on(Site::new());
    assert_eq!(runtime.block_on(site.state()), "awaiting_approval");
    explore!(corpus("requests"), every 2, |input: &[u8]| {
        let plan = site.plan.header.plan_id.to_string();
        let filled = [("{plan}", &plan), ("{cookie}", &site.cookie), ("{form}", &site.form)]
            .iter()
            .fold(input.to_vec(), |bytes, (mark, value)| replace(&bytes, mark.as_bytes(), value.as_bytes()));
        let Some(request) = request(&filled) else { return };
        let has_session = request.headers().get_all(header::COOKIE).iter().any(|cookie| {
            cookie.as_bytes().windows(site.cookie.len()).any(|window| window == site.cookie.as_bytes())
        });
        let (status, headers, body) = runtime.block_on(site.send(request));
        assert!(!status.is_server_error(), "{status}");
        if !has_session {
            assert!(!body.contains(SHOWN), "a plan was shown to nobody");
        }
        for set in headers.get_all(header::SET_COOKIE) {
            // What ends a session sets an empty cookie.
            assert!(set.as_bytes().windows(2).any(|window| window == b"=;"), "{set:?}");
        }
        assert!(headers[header::CONTENT_SECURITY_POLICY].as_bytes().starts_with(b"default-src 'none'"));
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(runtime.block_on(site.state()), "awaiting_approval");
        if has_session && headers.contains_key(header::SET_COOKIE) {
            // It has been logged out: what comes next needs a session again.
            site = runtime.block_on(Site::new());
        }
    });
}

fn replace(bytes: &[u8], mark: &[u8], value: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some((before, after)) = split_once(rest, mark) {
        replaced.extend_from_slice(before);
        replaced.extend_from_slice(value);
        rest = after;
    }
    replaced.extend_from_slice(rest);
    replaced
}
