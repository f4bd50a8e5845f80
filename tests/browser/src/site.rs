//! The surface on a loopback port, and everything behind it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use approval_core::record::{Decision, Rule};
use approval_core::seal::KeyRing;
use approval_core::transient::SealedTransient;
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Directory, Draft, Group, Parts, PlanView, Policy, Refusal, Requester, Terms,
};
use approval_testkit::{
    FakeClock, FakeDirectory, FakeTarget, FakeTimer, MemoryStore, MemoryTransient, Room, Tables, test_key_ring,
    test_signing_keys,
};
use approval_web::{Accounts, Directories, NewAccount, PasswordCost, Providers, ProvidersDirectory, Surface};
use axum::Router;
use axum::extract::{Request as Received, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::http::{Answer, Request};
use crate::plans::{self, Scripted};
use crate::provider::Provider;
use crate::webdriver::{Browser, Element};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";
/// Nobody's.
pub const WRONG: &str = "correct horse batterz";

const AUDIENCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

/// The surface, served. `alice` asks; `bob` and `carol` are in the group `sre`; `dave` is in none.
#[derive(Debug)]
pub struct Site {
    /// The service and what is behind it.
    pub room: Room,
    /// Who may log in.
    pub accounts: Accounts,
    /// Where it is: `http://127.0.0.1:PORT`.
    pub origin: String,
    /// The same as an address.
    pub address: SocketAddr,
    seen: Log,
    runtime: Runtime,
    _folder: TempDir,
}

/// What the server was asked, and how it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// What the browser said of where the request comes from, by `Sec-Fetch-Site`.
    pub from: String,
    /// Whether a cookie came with it.
    pub has_cookie: bool,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// Plans as a planner might make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Deployment is changed, a file in a ConfigMap, and a Secret.
    Benign,
    /// A privileged pod: findings of every severity.
    Dangerous,
    /// Every text that others write tries to deceive.
    Hostile,
    /// Thousands of lines.
    Long,
}

impl Kind {
    fn tool(self) -> &'static str {
        match self {
            Self::Benign => "apply_manifest",
            Self::Dangerous => "create_pod",
            Self::Hostile => "patch",
            Self::Long => "write_file",
        }
    }

    fn draft(self) -> Draft {
        match self {
            Self::Benign => plans::benign(),
            Self::Dangerous => plans::dangerous(),
            Self::Hostile => plans::hostile(),
            Self::Long => plans::long(),
        }
    }
}

impl Site {
    /// Everybody approves for themselves.
    ///
    /// # Errors
    /// When it can't be served.
    pub fn new() -> Result<Self> {
        Self::with_policy(Policy::always(Terms::same_subject()))
    }

    /// Two of the group `sre` approve, neither of them the requester.
    ///
    /// # Errors
    /// When it can't be served.
    pub fn quorum() -> Result<Self> {
        let rule = Rule::quorum(2, [Group::from("sre")]);
        Self::with_policy(Policy::always(Terms { rule, ..Terms::same_subject() }))
    }

    /// Under this policy.
    ///
    /// # Errors
    /// When it can't be served.
    pub fn with_policy(policy: Policy) -> Result<Self> {
        Self::with_persons(policy, &[])
    }

    /// As [`Site::with_policy`], and these persons may ask too.
    ///
    /// # Errors
    /// When it can't be served.
    pub fn with_persons(policy: Policy, persons: &[&str]) -> Result<Self> {
        Self::start(policy, persons, false)
    }

    /// As [`Site::with_policy`], and `dora` of the group `sre` logs in at an identity provider.
    ///
    /// # Errors
    /// When it can't be served.
    pub fn with_provider(policy: Policy) -> Result<Self> {
        Self::start(policy, &[], true)
    }

    fn start(policy: Policy, persons: &[&str], has_provider: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let origin = format!("http://{address}");

        let mut directory =
            FakeDirectory::new().with("alice", &[]).with("bob", &["sre"]).with("carol", &["sre"]).with("dave", &[]);
        for person in persons {
            directory = directory.with(person, &[]);
        }
        let (clock, sealer, folder) = (FakeClock::new(), Arc::new(test_key_ring()), tempfile::tempdir()?);
        let kept = Arc::new(MemoryTransient::default());
        let sessions = SealedTransient::new(kept, Arc::clone(&sealer) as _, Audience::from(AUDIENCE));
        let providers = match has_provider {
            true => Some(providers(&runtime, &clock, folder.path(), sessions.clone())?),
            false => None,
        };
        let directory = (Arc::new(directory), providers.clone());
        let room = runtime.block_on(room(directory, (clock, sealer), policy, &origin))?;
        let accounts = Accounts::with_cost(folder.path().join("accounts.toml"), PasswordCost::dangerous_cheap());
        for person in ["alice", "bob", "carol", "dave"] {
            let account = NewAccount { name: person.to_owned(), person: person.into(), groups: BTreeSet::new() };
            accounts.add(&account, PASSWORD)?;
        }
        let sealer = Arc::clone(&room.sealer);
        let mut surface = Surface::new(room.approvals.clone(), sessions, sealer as _, accounts.clone())?;
        if let Some(providers) = providers {
            surface = surface.providers(providers);
        }
        let seen = Log::default();
        let router = surface.router().layer(from_fn_with_state(Arc::clone(&seen), note));
        serve(&runtime, listener, router);
        Ok(Self { room, accounts, origin, address, seen, runtime, _folder: folder })
    }

    /// What becomes of a future.
    pub fn on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Serves something else on a port of its own.
    pub(crate) fn serve_beside(&self, router: Router) -> Result<SocketAddr> {
        let listener = self.on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        serve(&self.runtime, listener, router);
        Ok(address)
    }

    /// A small plan of alice's that waits for a decision, a second old.
    ///
    /// # Errors
    /// As for [`Approvals::plan`].
    pub fn plan(&self, name: &str) -> Result<PlanView> {
        let plan = self.ask(name)?;
        self.challenge(&Room::alice(), &plan)?;
        Ok(plan)
    }

    /// A small plan of alice's, before anybody is asked.
    ///
    /// # Errors
    /// As for [`Approvals::plan`].
    pub fn ask(&self, name: &str) -> Result<PlanView, Refusal> {
        let (room, call) = (&self.room, self.room.target.call(name, &json!(1)));
        self.on(room.approvals.plan(&Room::alice(), call, &room.target))
    }

    /// A plan of alice's of this kind that waits for a decision, a second old.
    ///
    /// # Errors
    /// As for [`Approvals::plan`].
    pub fn put(&self, kind: Kind) -> Result<PlanView> {
        let arguments = json!({ "manifest": "…", "dryRun": false, "wait": 30 });
        self.put_draft(&Room::alice(), kind.tool(), &arguments, kind.draft())
    }

    /// A plan that waits for a decision, a second old: all of it as it is given.
    ///
    /// # Errors
    /// As for [`Approvals::plan`].
    pub fn put_draft(&self, requester: &Requester, tool: &str, arguments: &Value, draft: Draft) -> Result<PlanView> {
        let call = plans::call(tool, arguments);
        let plan = self.on(self.room.approvals.plan(requester, call, &Scripted(draft)))?;
        self.challenge(requester, &plan)?;
        Ok(plan)
    }

    /// A small plan on a server that may run as the agent's own user, and says so.
    ///
    /// # Errors
    /// As for [`Approvals::plan`].
    pub fn plan_without_boundary(&self, name: &str) -> Result<PlanView> {
        let room = &self.room;
        let parts = room.parts(Arc::clone(&room.store), Policy::always(Terms::same_subject()));
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone()));
        let weak = self.on(builder.dangerous_same_user().start())?;
        let plan = self.on(weak.plan(&Room::alice(), room.target.call(name, &json!(1)), &room.target))?;
        self.challenge(&Room::alice(), &plan)?;
        Ok(plan)
    }

    /// Asks for a decision, and lets a second go by.
    ///
    /// # Errors
    /// As for [`Approvals::challenge`].
    pub fn challenge(&self, requester: &Requester, plan: &PlanView) -> Result<()> {
        self.on(self.room.approvals.challenge(requester, &plan.header.plan_id.to_string(), None))?;
        self.room.clock.advance(Duration::from_secs(1));
        Ok(())
    }

    /// Where a plan of alice's stands.
    ///
    /// # Errors
    /// As for [`Approvals::status`].
    pub fn state(&self, plan: &PlanView) -> Result<&'static str> {
        let id = plan.header.plan_id.to_string();
        Ok(self.on(self.room.approvals.status(&Room::alice(), &id, Duration::ZERO))?.state.name())
    }

    /// What was decided on a plan of alice's.
    ///
    /// # Errors
    /// As for [`Approvals::view`].
    pub fn decisions(&self, plan: &PlanView) -> Result<Vec<Decision>> {
        Ok(self.on(self.room.page(plan, "alice"))?.decisions)
    }

    /// All that is stored: where nothing must change, all of it is compared.
    ///
    /// # Errors
    /// When the store isn't the one in memory.
    pub fn tables(&self) -> Result<Tables> {
        Ok(self.room.memory.as_ref().context("a store in memory")?.tables().clone())
    }

    /// What the server was asked so far by this method, at this path.
    #[must_use]
    pub fn seen(&self, method: &str, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| seen.method == method && seen.path == path).cloned().collect()
    }

    /// The address of a plan's page.
    #[must_use]
    pub fn url(&self, plan: &PlanView) -> String {
        format!("{}{}", self.origin, path(plan))
    }

    /// A person who has logged in over HTTP.
    ///
    /// # Errors
    /// When they aren't let in.
    pub fn person(&self, account: &str) -> Result<Person<'_>> {
        let mut person = Person { site: self, cookie: String::new() };
        let answer = person.post("/login", &[("account", account), ("password", PASSWORD)])?;
        ensure!(answer.status == 303, "{account} isn't let in: {}", answer.body);
        let cookie = answer.header("set-cookie").and_then(|set| set.split(';').next());
        cookie.context("a login without a cookie")?.clone_into(&mut person.cookie);
        Ok(person)
    }

    /// Whoever has this cookie, over HTTP.
    #[must_use]
    pub fn holder(&self, cookie: &str) -> Person<'_> {
        Person { site: self, cookie: cookie.to_owned() }
    }

    /// Logs in with a browser, on the page that it shows then.
    ///
    /// # Errors
    /// When there is no login.
    pub fn log_in(&self, browser: &Browser<'_>, account: &str) -> Result<()> {
        browser.open(&format!("{}/login", self.origin))?;
        fill_in_login(browser, account, PASSWORD)?;
        browser.find("nav.tabs").map(drop)
    }
}

/// Logs in at the identity provider whose page the browser shows, and goes on to the page where that leads: the element on it
/// that the selector describes.
///
/// # Errors
/// When it shows none, or that leads elsewhere.
pub fn log_in_as_dora<'b>(browser: &'b Browser<'_>, to: &str) -> Result<Element<'b>> {
    browser.arrive("#dora")?.click()?;
    browser.arrive(to)
}

/// Fills in the login that the browser shows, and sends it.
///
/// # Errors
/// When it shows none.
pub fn fill_in_login(browser: &Browser<'_>, account: &str, password: &str) -> Result<()> {
    browser.find("#account")?.enter(account)?;
    browser.find("#password")?.enter(password)?;
    browser.find("form[action$='/login'] button")?.click()
}

/// The path of a plan's page.
#[must_use]
pub fn path(plan: &PlanView) -> String {
    format!("/plans/{}", plan.header.plan_id)
}

/// A person, or whoever has their cookie, over HTTP.
#[derive(Clone, Debug)]
pub struct Person<'s> {
    site: &'s Site,
    /// What their browser would send.
    pub cookie: String,
}

impl Person<'_> {
    /// A request with their cookie, to the right host.
    #[must_use]
    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = Request::new(method, path).header("host", &self.site.address.to_string());
        if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) }
    }

    /// A page.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.request("GET", path).send(self.site.address)
    }

    /// A form, from where it should come.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        self.request("POST", path).header("origin", &self.site.origin).form(fields).send(self.site.address)
    }

    /// The sealed form on a plan's page.
    ///
    /// # Errors
    /// When there is none.
    pub fn form(&self, plan: &PlanView) -> Result<String> {
        let page = self.get(&path(plan))?;
        let (_, rest) = page.body.split_once("name=\"form\" value=\"").context("no form on the page")?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }

    /// Sends a form for a plan with a password, from where it should come.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn decide(&self, plan: &PlanView, form: &str, verdict: &str, password: &str) -> Result<Answer> {
        self.post(&path(plan), &[("form", form), ("verdict", verdict), ("password", password)])
    }
}

/// Starts an identity provider, and makes it known.
fn providers(runtime: &Runtime, clock: &FakeClock, folder: &Path, sessions: SealedTransient) -> Result<Providers> {
    let file = folder.join("providers.toml");
    let mut options = OpenOptions::new();
    let mut written = options.write(true).create_new(true).mode(0o600).open(&file)?;
    written.write_all(Provider::serve(runtime, clock.clone())?.file().as_bytes())?;
    Ok(Providers::open(file, sessions, Arc::new(clock.clone()))?)
}

async fn room(
    (directory, providers): (Arc<FakeDirectory>, Option<Providers>),
    (clock, sealer): (FakeClock, Arc<KeyRing>),
    policy: Policy,
    surface: &str,
) -> Result<Room> {
    let memory = MemoryStore::new(Arc::new(clock.clone()));
    let mut everybody: Vec<Arc<dyn Directory>> = vec![Arc::clone(&directory) as _];
    everybody.extend(providers.map(|providers| Arc::new(ProvidersDirectory::new(providers)) as Arc<dyn Directory>));
    let signer = Arc::new(test_signing_keys());
    let parts = Parts {
        audience: Audience::from(AUDIENCE),
        store: Arc::new(memory.clone()),
        sealer: Arc::clone(&sealer) as _,
        directory: Arc::new(Directories::new(everybody)),
        timer: Arc::new(FakeTimer::new(clock.clone())),
        policy,
        surface: surface.to_owned(),
    };
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(clock.clone())).signer(Arc::clone(&signer) as _);
    let approvals: Approvals = builder.separate_user().start().await?;
    let store = Arc::new(memory.clone());
    Ok(Room { clock, directory, target: FakeTarget::new(), sealer, signer, store, memory: Some(memory), approvals })
}

fn serve(runtime: &Runtime, listener: TcpListener, router: Router) {
    // It ends with the runtime.
    drop(runtime.spawn(async move { axum::serve(listener, router).await }));
}

async fn note(State(log): State<Log>, request: Received, next: Next) -> Response {
    let seen = Seen::of(&request);
    let response = next.run(request).await;
    let seen = Seen { status: response.status().as_u16(), ..seen };
    log.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    response
}

impl Seen {
    /// Before it is answered.
    fn of(request: &Received) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            status: 0,
            from: header("sec-fetch-site").unwrap_or_default().to_owned(),
            has_cookie: header("cookie").is_some(),
        }
    }
}
