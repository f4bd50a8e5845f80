//! A surface over a room, and browsers that look at it: raw HTTP, no network, a clock that stands still.
#![allow(dead_code, unreachable_pub, reason = "each test uses what it needs")]

pub mod door;
pub mod issuer;
pub mod plans;
pub mod store;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use approval_core::record::Verdict;
use approval_core::transient::SealedTransient;
use approval_core::{Approvals, ApprovalsBuilder, Clock as _, Directory, Draft, Parts, PlanView, Policy, Terms};
use approval_testkit::{FakeTimer, MemoryTransient, Room, Tables};
use approval_web::{
    Accounts, Directories, NewAccount, PasswordCost, Providers, ProvidersDirectory, Surface, SurfaceOptions,
};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderMap, Method, Request, StatusCode, header};
use plans::{Scripted, call};
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceExt as _;

pub const PASSWORD: &str = "correct horse battery";
pub const WRONG: &str = "correct horse batterz";
pub const ORIGIN: &str = "http://127.0.0.1:8080";

/// A surface, and everything behind it.
pub struct Site {
    pub room: Room,
    pub approvals: Approvals,
    pub accounts: Accounts,
    pub providers: Option<Providers>,
    pub transient: MemoryTransient,
    pub router: Router,
    pub origin: String,
    pub host: String,
    pub base: String,
    folder: TempDir,
}

impl Site {
    /// On loopback, where everybody approves for themselves.
    pub async fn new() -> Self {
        Self::with_policy(Policy::always(Terms::same_subject())).await
    }

    pub async fn with_policy(policy: Policy) -> Self {
        let room = Room::with_policy(policy).await;
        let approvals = room.approvals.clone();
        Self::over(room, approvals, "http://127.0.0.1:8080", SurfaceOptions::default())
    }

    pub async fn with_options(options: SurfaceOptions) -> Self {
        let room = Room::new().await;
        let approvals = room.approvals.clone();
        Self::over(room, approvals, "http://127.0.0.1:8080", options)
    }

    /// On loopback, over this room.
    pub fn on(room: Room) -> Self {
        let approvals = room.approvals.clone();
        Self::over(room, approvals, ORIGIN, SurfaceOptions::default())
    }

    /// On loopback, behind these proxies.
    pub async fn with_proxies(proxies: &[&str]) -> Self {
        let room = Room::new().await;
        let approvals = room.approvals.clone();
        let (folder, transient) = (tempfile::tempdir().unwrap(), MemoryTransient::default());
        Self::with(room, approvals, ORIGIN, folder, transient, |surface| {
            surface.trusted_proxies(proxies.iter().copied()).unwrap()
        })
    }

    /// Under https and a path, on a server that says that it may share a user with the agent.
    pub async fn https() -> Self {
        let room = Room::new().await;
        let url = "https://approvals.example/approve";
        let parts = Parts {
            audience: room.approvals.audience().clone(),
            store: Arc::clone(&room.store),
            sealer: Arc::clone(&room.sealer) as _,
            directory: Arc::clone(&room.directory) as _,
            timer: Arc::new(FakeTimer::new(room.clock.clone())),
            policy: Policy::always(Terms::same_subject()),
            surface: url.to_owned(),
        };
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).dangerous_same_user();
        let approvals = builder.start().await.unwrap();
        Self::over(room, approvals, url, SurfaceOptions::default())
    }

    fn over(room: Room, approvals: Approvals, url: &str, options: SurfaceOptions) -> Self {
        let (folder, transient) = (tempfile::tempdir().unwrap(), MemoryTransient::default());
        Self::with(room, approvals, url, folder, transient, |surface| surface.options(options))
    }

    fn with(
        room: Room,
        approvals: Approvals,
        url: &str,
        folder: TempDir,
        transient: MemoryTransient,
        finish: impl FnOnce(Surface) -> Surface,
    ) -> Self {
        let accounts = Accounts::with_cost(folder.path().join("accounts.toml"), PasswordCost::dangerous_cheap());
        for person in ["alice", "bob", "carol"] {
            let account = NewAccount { name: person.to_owned(), person: person.into(), groups: [].into() };
            accounts.add(&account, PASSWORD).unwrap();
        }
        let sealer = Arc::clone(&room.sealer);
        let sealed =
            SealedTransient::new(Arc::new(transient.clone()), Arc::clone(&sealer) as _, approvals.audience().clone());
        let surface = Surface::new(approvals.clone(), sealed, sealer as _, accounts.clone()).unwrap();
        let router = finish(surface).router();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let base = if path.is_empty() { String::new() } else { format!("/{path}") };
        let (origin, host) = (format!("{scheme}://{host}"), host.to_owned());
        Self { room, approvals, accounts, providers: None, transient, router, origin, host, base, folder }
    }

    /// On loopback, where persons log in at these identity providers too, and are who the providers say.
    pub async fn with_providers(providers: &str, policy: Policy) -> Self {
        let room = Room::with_policy(policy.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let transient = MemoryTransient::default();
        let audience = room.approvals.audience().clone();
        let sealed = SealedTransient::new(Arc::new(transient.clone()), Arc::clone(&room.sealer) as _, audience.clone());
        write_private(&folder.path().join("providers.toml"), providers);
        let path = folder.path().join("providers.toml");
        let known = Providers::open(path, sealed, Arc::new(room.clock.clone())).unwrap();
        let directories: Vec<Arc<dyn Directory>> =
            vec![Arc::clone(&room.directory) as _, Arc::new(ProvidersDirectory::new(known.clone()))];
        let parts = Parts {
            audience,
            store: Arc::clone(&room.store),
            sealer: Arc::clone(&room.sealer) as _,
            directory: Arc::new(Directories::new(directories)),
            timer: Arc::new(FakeTimer::new(room.clock.clone())),
            policy,
            surface: ORIGIN.to_owned(),
        };
        let approvals =
            ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone())).separate_user().start().await.unwrap();
        Self::with(room, approvals, ORIGIN, folder, transient, |surface| surface.providers(known.clone()))
            .with_known(known)
    }

    fn with_known(mut self, known: Providers) -> Self {
        self.providers = Some(known);
        self
    }

    /// Writes a file beside the providers' one, private as that is.
    pub fn write(&self, name: &str, text: &str) {
        write_private(&self.folder.path().join(name), text);
    }

    /// Writes the providers' file anew.
    pub fn rewrite_providers(&self, text: &str) {
        write_private(&self.folder.path().join("providers.toml"), text);
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser { site: self, cookie: None, peer: None }
    }

    /// A browser in which a person has logged in.
    pub async fn logged_in(&self, account: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let answer = browser.log_in(account, PASSWORD, "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser
    }

    /// A plan of this draft that waits for a decision, a second old.
    pub async fn put(&self, tool: &str, draft: Draft) -> PlanView {
        let plan = self.approvals.plan(&Room::alice(), call(tool, &json!({ "n": 1 })), &Scripted(draft)).await.unwrap();
        self.challenge(&plan).await;
        plan
    }

    /// A small plan that waits for a decision, a second old.
    pub async fn plan(&self, name: &str) -> PlanView {
        let call = self.room.target.call(name, &json!(1));
        let plan = self.approvals.plan(&Room::alice(), call, &self.room.target).await.unwrap();
        self.challenge(&plan).await;
        plan
    }

    pub async fn challenge(&self, plan: &PlanView) {
        self.approvals.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await.unwrap();
        self.room.clock.advance(Duration::from_secs(1));
    }

    /// Where a plan stands.
    pub async fn state(&self, plan: &PlanView) -> &'static str {
        let id = plan.header.plan_id.to_string();
        self.approvals.status(&Room::alice(), &id, Duration::ZERO).await.unwrap().state.name()
    }

    pub fn tables(&self) -> Tables {
        self.room.memory.as_ref().unwrap().tables().clone()
    }

    pub fn now(&self) -> approval_core::Timestamp {
        self.room.clock.now()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

/// What came back.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map(|to| to.to_str().unwrap()).unwrap_or_default()
    }

    /// The sealed form on a page.
    pub fn form(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"form\" value=\"").expect("a form on the page");
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A browser: it keeps its cookie, and says where its forms come from.
#[derive(Clone)]
pub struct Browser<'a> {
    pub site: &'a Site,
    pub cookie: Option<String>,
    /// Where it connects from, where the server says.
    pub peer: Option<SocketAddr>,
}

impl Browser<'_> {
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let mut builder = Request::builder().method(method).uri(path).header(header::HOST, &self.site.host);
        if let Some(peer) = self.peer {
            builder = builder.extension(ConnectInfo(peer));
        }
        match &self.cookie {
            Some(cookie) => builder.header(header::COOKIE, cookie),
            None => builder,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        let path = format!("{}{path}", self.site.base);
        self.site.send(self.request(Method::GET, &path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = self.site.origin.clone();
        self.post_from(&[("origin", &origin)], path, fields).await
    }

    /// A form with these headers in place of the right origin.
    pub async fn post_from(&mut self, from: &[(&str, &str)], path: &str, fields: &[(&str, &str)]) -> Answer {
        let path = format!("{}{path}", self.site.base);
        let mut builder = self.request(Method::POST, &path);
        for (name, value) in from {
            builder = builder.header(*name, *value);
        }
        let builder = builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.site.send(builder.body(Body::from(encode(fields))).unwrap()).await;
        if let Some(set) = answer.headers.get(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = Some(pair).filter(|pair| !pair.ends_with('='));
        }
        answer
    }

    pub async fn log_in(&mut self, account: &str, password: &str, next: &str) -> Answer {
        self.post("/login", &[("account", account), ("password", password), ("next", next)]).await
    }

    pub async fn open(&self, plan: &PlanView) -> Answer {
        self.get(&format!("/plans/{}", plan.header.plan_id)).await
    }

    /// Sends a form for a plan, with these fields besides.
    pub async fn send(&mut self, plan: &PlanView, form: &str, verdict: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("form", form), ("verdict", verdict)];
        all.extend_from_slice(fields);
        self.post(&format!("/plans/{}", plan.header.plan_id), &all).await
    }

    /// Opens a plan's page and decides with the right password.
    pub async fn decide(&mut self, plan: &PlanView, verdict: Verdict) -> Answer {
        let form = self.open(plan).await.form();
        let verdict = match verdict {
            Verdict::Approve => "approve",
            Verdict::Reject => "reject",
            Verdict::Withdraw => "withdraw",
        };
        self.send(plan, &form, verdict, &[("password", PASSWORD)]).await
    }
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn encode(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}
