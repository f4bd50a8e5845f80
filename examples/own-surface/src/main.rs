//! The quickstart's server, approved on pages of one's own.
//!
//! `OWN_SURFACE_PASSWORD=… own-surface --dir notes --person alice` speaks MCP over standard input and output.

mod attempts;
mod decision;
mod desk;
#[path = "../../quickstart/src/files.rs"]
mod files;
mod guard;
mod login;
mod page;
#[path = "../../quickstart/src/planner.rs"]
mod planner;
mod session;
mod text;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use approval_core::record::Identity;
use approval_core::transient::SealedTransient;
use approval_core::{ApprovalsBuilder, Clock, OsEntropy, Parts, Policy, SystemClock, Terms, state_dir::StateDir};
use approval_rmcp::{ConfiguredRequester, Gated, GatedTool, TokioTimer};
use approval_store_sqlite::SqliteStore;
use approval_web::{Accounts, AccountsDirectory, NewAccount};
use clap::Parser;
use rmcp::transport::stdio;
use tokio::net::TcpListener;

/// A gated MCP server with one directory of files, approved on pages of its own.
#[derive(Parser)]
struct Args {
    /// The directory whose files are read and written.
    #[arg(long)]
    dir: PathBuf,
    /// Where keys, plans and accounts are kept.
    #[arg(long, default_value = "own-surface-state")]
    state: PathBuf,
    /// For whom the agent acts, and who approves. A new account gets the password that stands in OWN_SURFACE_PASSWORD.
    #[arg(long)]
    person: String,
    /// Where the pages are served: a loopback address, since they speak plain http.
    #[arg(long, default_value = "127.0.0.1:8377")]
    page: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if !args.page.ip().is_loopback() {
        return Err("plain http is for loopback addresses only".into()); // [SURF-013]
    }
    std::fs::create_dir_all(&args.dir)?;
    let dir = args.dir.canonicalize()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = StateDir::create(&args.state)?;
    state.ensure_key(&OsEntropy)?;
    let (audience, sealer) = (state.instance(&OsEntropy)?.audience, Arc::new(state.key_ring(Arc::new(OsEntropy))?));
    let store = Arc::new(SqliteStore::open(state.store(), clock)?);
    let anchor = Arc::new(state.anchor(&audience)?);
    let accounts = Accounts::open(state.accounts());
    let person = account(&accounts, &args.person)?;

    let page = TcpListener::bind(args.page).await?;
    let (directory, policy) = (AccountsDirectory::new(accounts.clone()), Policy::always(Terms::same_subject()));
    let (timer, surface) = (Arc::new(TokioTimer), format!("http://{}", page.local_addr()?));
    let kept = SealedTransient::new(store.clone(), sealer.clone(), audience.clone());
    let parts =
        Parts { audience, store, sealer: sealer.clone(), directory: Arc::new(directory), timer, policy, surface };
    let approvals = ApprovalsBuilder::new(parts).anchor(anchor).dangerous_same_user().start().await?;

    // All that is this example's own: pages over the service, with a login of their own.
    let desk = desk::Desk::new(approvals.clone(), accounts, kept, sealer);
    tokio::spawn(async move { axum::serve(page, desk::router(desk)).await });

    let gated = Gated::builder(files::Files::new(&dir), approvals)
        .tool("write_file", GatedTool::from(Arc::new(planner::FilePlanner::new(&dir))))
        .requester(ConfiguredRequester::new(person))
        .build()?;
    gated.serve_client(stdio()).await?;
    Ok(())
}

/// The person's account, which is made where there is none.
fn account(accounts: &Accounts, name: &str) -> Result<Identity, Box<dyn Error>> {
    if accounts.find(name)?.is_none() {
        let password =
            std::env::var("OWN_SURFACE_PASSWORD").map_err(|_| "set OWN_SURFACE_PASSWORD for the new account")?;
        let account = NewAccount { name: name.to_owned(), person: name.into(), groups: Default::default() };
        accounts.add(&account, &password)?;
    }
    Ok(accounts.find(name)?.ok_or("the account is gone")?.identity())
}
