//! What the persons and the agent meet: the approval surface on one port, an endpoint like that of MCP on another, and one
//! service behind both.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::record::{Identity, Limits, RequesterAssurance, Rule};
use approval_core::transient::SealedTransient;
use approval_core::{
    Approvals, ApprovalsBuilder, Audience, Clause, Clock as _, Digest, Group, Matcher, Parts, PlanId, PlanPageView,
    Policy, PolicyVerdict, Refusal, Requester, SystemClock, Terms, Timestamp,
};
use approval_store_sqlite::SqliteStore;
use approval_testkit::{FakeTarget, StillTimer, test_key_ring};
use approval_web::{
    Accounts, AccountsDirectory, BearerGuard, Directories, LOCAL_ISSUER, NewAccount, PasswordCost, ProtectedResource,
    ProviderTokens, Providers, ProvidersDirectory, Surface,
};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Extension, Router};
use http::header::{AUTHORIZATION, InvalidHeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::heard::Heard;

const AUDIENCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000002";

/// Whoever asks for this value decides on it too; on all others somebody else of the group does.
pub(crate) const OWN: &str = "for myself";
pub(crate) const OTHERS: &str = "for all";

/// The group whose members decide.
const DECIDERS: &str = "sre";

/// The person of the local account, for whom an agent may ask where no provider names anybody.
pub(crate) const LOCAL: &str = "alice";

/// Each plan has a place of its own on the shelf.
static PLANNED: AtomicU64 = AtomicU64::new(0);

/// Where a site is to be: the identity provider must know before the site opens.
#[derive(Debug)]
pub(crate) struct Place {
    page: TcpListener,
    endpoint: TcpListener,
    /// The URL of the surface.
    pub(crate) surface: String,
    /// The URL of the endpoint, which is the audience of its tokens.
    pub(crate) resource: String,
}

impl Place {
    pub(crate) async fn find() -> Result<Self> {
        let (page, endpoint) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let surface = format!("http://{}", page.local_addr()?);
        let resource = format!("http://{}/mcp", endpoint.local_addr()?);
        Ok(Self { page, endpoint, surface, resource })
    }
}

/// A site, until it is dropped.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) surface: Url,
    pub(crate) resource: Url,
    pub(crate) approvals: Approvals,
    pub(crate) target: Arc<FakeTarget>,
    pub(crate) heard: Heard,
    client: reqwest::Client,
    folder: TempDir,
    served: [JoinHandle<()>; 2],
}

/// A plan that waits for a decision.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) id: PlanId,
    pub(crate) digest: Digest,
    pub(crate) requester: Requester,
}

/// All of a site that no refused attempt may change.
#[derive(Debug)]
pub(crate) struct Kept {
    audit: Vec<String>,
    pub(crate) effects: u32,
}

/// What the endpoint answers.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) challenge: String,
    pub(crate) body: String,
}

impl Site {
    /// Opens a site whose persons are those of the providers in this text.
    pub(crate) async fn open(place: Place, issuer: &str, providers: &str, heard: &Heard) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        write_private(&folder, "providers.toml", providers)?;
        let store = Arc::new(SqliteStore::open(folder.path().join("store.sqlite3"), Arc::new(SystemClock))?);
        let (sealer, audience) = (Arc::new(test_key_ring()), Audience::from(AUDIENCE));
        let kept = SealedTransient::new(Arc::clone(&store) as _, Arc::clone(&sealer) as _, audience.clone());
        let known = Providers::open(folder.path().join("providers.toml"), kept.clone(), Arc::new(SystemClock))?;
        let accounts = Accounts::with_cost(folder.path().join("accounts.toml"), PasswordCost::dangerous_cheap());
        let alice = NewAccount { name: LOCAL.to_owned(), person: LOCAL.into(), groups: [].into() };
        accounts.add(&alice, "correct horse battery")?;
        let directory = Directories::new(vec![
            Arc::new(AccountsDirectory::new(accounts.clone())),
            Arc::new(ProvidersDirectory::new(known.clone())),
        ]);
        let parts = Parts {
            audience,
            store,
            sealer: Arc::clone(&sealer) as _,
            directory: Arc::new(directory),
            timer: Arc::new(StillTimer),
            policy: policy(),
            surface: place.surface.clone(),
        };
        let approvals = ApprovalsBuilder::new(parts).clock(Arc::new(SystemClock)).separate_user().start().await?;
        let surface = Surface::new(approvals.clone(), kept, sealer, accounts)?.providers(known.clone()).router();

        let target = Arc::new(FakeTarget::new());
        let resource = ProtectedResource::new(place.resource.clone(), [issuer])?;
        let guard = BearerGuard::new(Arc::new(ProviderTokens::new(known))).resource(resource);
        let endpoint = Router::new()
            .route("/mcp", post(who))
            .route("/mcp/plan", post(plan))
            .route("/mcp/execute", post(execute))
            .with_state((approvals.clone(), Arc::clone(&target)));
        Ok(Self {
            surface: place.surface.parse()?,
            resource: place.resource.parse()?,
            approvals,
            target,
            heard: heard.clone(),
            client: reqwest::Client::builder().no_proxy().build()?,
            folder,
            served: [serve(place.page, surface), serve(place.endpoint, guard.protect(endpoint))],
        })
    }

    /// Writes a file beside that of the providers, private as that is.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        write_private(&self.folder, name, text)
    }

    pub(crate) fn page(&self, path: &str) -> Result<Url> {
        Ok(self.surface.join(path)?)
    }

    /// Where the provider sends the browser back to.
    pub(crate) fn callback(&self) -> Result<String> {
        Ok(self.page("/login/callback/sso")?.into())
    }

    /// What an agent gets that brings this token.
    pub(crate) async fn ask(&self, path: &str, token: Option<&str>, body: &str) -> Result<Told> {
        let token = token.map(|token| Ok::<_, InvalidHeaderValue>((AUTHORIZATION, format!("Bearer {token}").parse()?)));
        self.ask_with(path, token.into_iter().collect::<Result<_, _>>()?, body).await
    }

    /// The same, with these headers.
    pub(crate) async fn ask_with(&self, path: &str, headers: HeaderMap, body: &str) -> Result<Told> {
        let request = self.client.post(self.resource.join(path)?).headers(headers).body(body.to_owned());
        let answer = request.send().await?;
        let challenge = answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str()).transpose()?;
        let (status, challenge) = (answer.status(), challenge.unwrap_or_default().to_owned());
        Ok(Told { status, challenge, body: answer.text().await? })
    }

    /// A plan that an agent asks for with this token.
    pub(crate) async fn plan_by(&self, token: &str, value: &str) -> Result<Plan> {
        let told = self.ask("/mcp/plan", Some(token), value).await?;
        if told.status != StatusCode::OK {
            bail!("no plan: {} {}", told.status, told.body);
        }
        let told: Value = serde_json::from_str(&told.body)?;
        let text = |name: &str| told.get(name).and_then(Value::as_str).with_context(|| format!("no `{name}`"));
        let identity = Identity {
            person: text("person")?.into(),
            issuer: text("issuer")?.to_owned(),
            subject: text("subject")?.to_owned(),
        };
        let requester = Requester { identity, assurance: RequesterAssurance::VerifiedToken };
        Ok(Plan { id: text("plan")?.parse()?, digest: text("digest")?.parse()?, requester })
    }

    /// A plan that the agent of the local account's person asks for.
    pub(crate) async fn plan(&self) -> Result<Plan> {
        let identity = Identity { person: LOCAL.into(), issuer: LOCAL_ISSUER.to_owned(), subject: LOCAL.to_owned() };
        let requester = Requester { identity, assurance: RequesterAssurance::VerifiedToken };
        Ok(prepare(&self.approvals, &self.target, requester, OTHERS).await?)
    }

    /// What the plan's page shows to its requester.
    pub(crate) async fn look(&self, plan: &Plan) -> Result<PlanPageView> {
        Ok(self.approvals.view(&plan.requester.identity, &plan.id.to_string()).await?)
    }

    /// Where a plan stands.
    pub(crate) async fn state(&self, plan: &Plan) -> Result<&'static str> {
        Ok(self.approvals.status(&plan.requester, &plan.id.to_string(), Duration::ZERO).await?.state.name())
    }

    /// What no refused attempt may change. Each change of a plan, a challenge or a decision is a line of the audit.
    pub(crate) async fn kept(&self) -> Result<Kept> {
        let lines = self.approvals.audit().lines(0, u32::MAX).await?;
        Ok(Kept { audit: lines.into_iter().map(|line| line.text).collect(), effects: self.target.effects() })
    }

    /// Nothing of that may have changed.
    pub(crate) async fn unchanged(&self, before: &Kept) -> Result<()> {
        let Kept { audit, effects } = self.kept().await?;
        let new: Vec<_> = audit.iter().skip(before.audit.len()).collect();
        ensure!(new.is_empty() && audit == before.audit, "this was written: {new:?}");
        ensure!(effects == before.effects, "{} effects in place of {}", effects, before.effects);
        Ok(())
    }

    /// Waits until a login counts as newer than the plan's challenge.
    pub(crate) async fn wait_for(&self, plan: &Plan) -> Result<()> {
        let challenge = self.look(plan).await?.challenge.context("no challenge")?;
        until(second_after(challenge.created_at)).await;
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.served.iter().for_each(JoinHandle::abort);
    }
}

/// `auth_time` and `iat` have whole seconds, so only what is of a later second than this is seen to be newer.
pub(crate) fn second_after(moment: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis((moment.unix_millis().div_euclid(1000) + 1) * 1000)
}

/// Waits until the machine's clock says this.
#[expect(clippy::disallowed_methods, reason = "an identity provider goes by the machine's clock, which nobody can set")]
pub(crate) async fn until(moment: Timestamp) {
    let now = SystemClock.now();
    if now < moment {
        tokio::time::sleep(moment.since(now)).await;
    }
}

fn policy() -> Policy {
    let limits = Limits { open_plans: 1000, ..Limits::default() };
    let own = Matcher { arguments: [("/value".to_owned(), json!(OWN))].into(), ..Matcher::default() };
    let same = Terms { limits, ..Terms::same_subject() };
    let other = Terms { rule: Rule::other_subject([Group::from(DECIDERS)]), ..same.clone() };
    Policy { clauses: vec![Clause { when: own, then: PolicyVerdict::Require(same) }], default: other }
}

fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        // It ends with the task.
        let _ = axum::serve(listener, router).await;
    })
}

type Service = State<(Approvals, Arc<FakeTarget>)>;

async fn who(Extension(requester): Extension<Requester>) -> String {
    requester.identity.person.to_string()
}

async fn plan(
    State((approvals, target)): Service,
    Extension(requester): Extension<Requester>,
    value: String,
) -> Response {
    match prepare(&approvals, &target, requester, &value).await {
        Ok(Plan { id, digest, requester: Requester { identity, .. } }) => json!({
            "plan": id.to_string(), "digest": digest.to_string(), "person": identity.person.as_str(),
            "issuer": identity.issuer, "subject": identity.subject,
        })
        .to_string()
        .into_response(),
        Err(refusal) => (StatusCode::CONFLICT, refusal.to_string()).into_response(),
    }
}

async fn execute(
    State((approvals, target)): Service,
    Extension(requester): Extension<Requester>,
    plan: String,
) -> Response {
    match approvals.execute(&requester, &plan, None, target.as_ref(), target.as_ref()).await {
        Ok(view) => format!("{:?}", view.execution.outcome).into_response(),
        Err(refusal) => (StatusCode::CONFLICT, refusal.reason().code().to_owned()).into_response(),
    }
}

/// A plan, and its challenge.
async fn prepare(
    approvals: &Approvals,
    target: &FakeTarget,
    requester: Requester,
    value: &str,
) -> Result<Plan, Refusal> {
    let number = PLANNED.fetch_add(1, Ordering::Relaxed);
    let call = target.call(&number.to_string(), &json!(value));
    let view = approvals.plan(&requester, call, target).await?;
    let id = view.header.plan_id;
    approvals.challenge(&requester, &id.to_string(), None).await?;
    Ok(Plan { id, digest: view.plan_digest, requester })
}

fn write_private(folder: &TempDir, name: &str, text: &str) -> Result<()> {
    let path = folder.path().join(name);
    fs::write(&path, text)?;
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?)
}
