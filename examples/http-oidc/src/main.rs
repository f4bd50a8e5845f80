//! The quickstart's server over HTTP, for the people of an OpenID Connect provider: agents bring its access tokens, and those who
//! approve log in there, anew for each decision.
//!
//! `http-oidc --dir notes --providers providers.toml --resource http://127.0.0.1:8000/mcp`

mod args;
#[path = "../../quickstart/src/files.rs"]
mod files;
#[path = "../../quickstart/src/planner.rs"]
mod planner;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use approval_core::{ApprovalsBuilder, Clock, Directory, OsEntropy, Parts, Policy, SystemClock, Terms};
use approval_core::{seal::Sealer, state_dir::StateDir, transient::SealedTransient};
use approval_rmcp::{Gated, GatedTool, TokioTimer, VerifiedRequester, streamable_http};
use approval_store_sqlite::SqliteStore;
use approval_web::{Accounts, AccountsDirectory, Directories, ProviderTokens, Providers, ProvidersDirectory};
use approval_web::{BearerGuard, Surface};
use axum::Router;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = args::Args::read()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = StateDir::create(&args.state)?;
    state.ensure_key(&OsEntropy)?;
    let (audience, sealer) = (state.instance(&OsEntropy)?.audience, Arc::new(state.key_ring(Arc::new(OsEntropy))?));
    let store = Arc::new(SqliteStore::open(state.store(), Arc::clone(&clock))?);
    let anchor = Arc::new(state.anchor(&audience)?);
    let kept = SealedTransient::new(store.clone(), sealer.clone(), audience.clone());

    // Who is who: by the provider, and by local accounts, of which there are none until the operator makes some.
    let providers = Providers::open(&args.providers, kept.clone(), clock)?;
    let accounts = Accounts::open(state.accounts());
    let local: Arc<dyn Directory> = Arc::new(AccountsDirectory::new(accounts.clone()));
    let directory = Directories::new(vec![local, Arc::new(ProvidersDirectory::new(providers.clone()))]);

    // Plans, and the pages on which they are decided. Whoever asked decides; `Terms` has other rules.
    let page = TcpListener::bind(args.page).await?;
    let (policy, timer) = (Policy::always(Terms::same_subject()), Arc::new(TokioTimer));
    let surface = args.surface.clone().unwrap_or_else(|| format!("http://{}", args.page));
    let parts =
        Parts { audience, store, sealer: sealer.clone(), directory: Arc::new(directory), timer, policy, surface };
    let approvals = ApprovalsBuilder::new(parts).anchor(anchor).dangerous_same_user().start().await?;
    let pages =
        Surface::new(approvals.clone(), kept, sealer as Arc<dyn Sealer>, accounts)?.providers(providers.clone());
    let pages = pages.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(page, pages).await });

    // The endpoint: without a token for it, an agent is told where to get one (RFC 9728).
    let missing = format!("no provider in `{}` has `resource = \"{}\"`", args.providers.display(), args.resource);
    let resource = providers.protected_resource(&args.resource.to_string())?.ok_or(missing)?;
    let planner = Arc::new(planner::FilePlanner::new(&args.dir));
    let gate = Gated::builder(files::Files::new(&args.dir), approvals).tool("write_file", GatedTool::from(planner));
    let gated = Arc::new(gate.requester(VerifiedRequester).build()?);
    let mcp = Router::new().route_service(args.resource.path(), streamable_http(gated, [""; 0], args.host()));
    let guard = BearerGuard::new(Arc::new(ProviderTokens::new(providers))).resource(resource);
    let listener = TcpListener::bind(args.http).await?;
    args.tell();
    axum::serve(listener, guard.protect(mcp)).await?;
    Ok(())
}
