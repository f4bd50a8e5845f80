//! A gated MCP server: `write_file` runs only what a person approved in a browser, `read_file` runs at once.
//!
//! `QUICKSTART_PASSWORD=… quickstart --dir notes --person alice --http 127.0.0.1:8000`

mod args;
mod files;
mod planner;

use std::error::Error;
use std::sync::Arc;

use approval_core::{ApprovalsBuilder, Clock, OsEntropy, Parts, Policy, SystemClock, Terms, state_dir::StateDir};
use approval_core::{seal::Sealer, transient::SealedTransient};
use approval_rmcp::{ConfiguredRequester, Gated, GatedTool, TokioTimer, VerifiedRequester, streamable_http};
use approval_store_sqlite::SqliteStore;
use approval_web::{Accounts, AccountsDirectory, BearerGuard, Surface, TokenFile};
use axum::Router;
use rmcp::transport::stdio;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = args::Args::read()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);

    // What an installation keeps: keys, plans, and the accounts of those who decide.
    let state = StateDir::create(&args.state)?;
    state.ensure_key(&OsEntropy)?;
    let (audience, sealer) = (state.instance(&OsEntropy)?.audience, Arc::new(state.key_ring(Arc::new(OsEntropy))?));
    let store = Arc::new(SqliteStore::open(state.store(), Arc::clone(&clock))?);
    let anchor = Arc::new(state.anchor(&audience)?); // what ran stays known, whatever the store says
    let accounts = Accounts::open(state.accounts());
    let person = args.account(&accounts)?;

    // Plans, and the page on which they are decided: its own address and its own login.
    let page = TcpListener::bind(args.page).await?;
    let (directory, policy) = (AccountsDirectory::new(accounts.clone()), Policy::always(Terms::same_subject()));
    let (timer, surface) = (Arc::new(TokioTimer), format!("http://{}", page.local_addr()?));
    let transient = SealedTransient::new(store.clone(), sealer.clone(), audience.clone());
    let parts =
        Parts { audience, store, sealer: sealer.clone(), directory: Arc::new(directory), timer, policy, surface };
    let approvals = ApprovalsBuilder::new(parts).anchor(anchor).dangerous_same_user().start().await?;
    let surface = Surface::new(approvals.clone(), transient, sealer as Arc<dyn Sealer>, accounts)?.router();
    tokio::spawn(async move { axum::serve(page, surface).await });

    // The gate: a planner says what a call of `write_file` would change.
    let planner = Arc::new(planner::FilePlanner::new(&args.dir));
    let gate = Gated::builder(files::Files::new(&args.dir), approvals).tool("write_file", GatedTool::from(planner));
    let Some(address) = args.http else {
        let gated = gate.requester(ConfiguredRequester::new(person)).build()?;
        return Ok(gated.serve_client(stdio()).await?);
    };
    let gated = Arc::new(gate.requester(VerifiedRequester).build()?);
    let (tokens, listener) = (TokenFile::open(state.tokens(), clock), TcpListener::bind(address).await?);
    args::tell(listener.local_addr()?, &tokens.issue(&person.person, None)?);
    let mcp = Router::new().route_service("/mcp", streamable_http(gated, [""; 0], [""; 0]));
    axum::serve(listener, BearerGuard::new(Arc::new(tokens)).protect(mcp)).await?;
    Ok(())
}
