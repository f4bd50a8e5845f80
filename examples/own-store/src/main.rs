//! The quickstart's server, whose plans are kept in a store of one's own.
//!
//! `OWN_STORE_PASSWORD=… own-store --dir notes --person alice` speaks MCP over standard input and output.

#[path = "../../quickstart/src/files.rs"]
mod files;
#[path = "../../quickstart/src/planner.rs"]
mod planner;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use approval_core::record::Identity;
use approval_core::{ApprovalsBuilder, Clock, OsEntropy, Parts, Policy, SystemClock, Terms, state_dir::StateDir};
use approval_core::{seal::Sealer, transient::SealedTransient};
use approval_rmcp::{ConfiguredRequester, Gated, GatedTool, TokioTimer};
use approval_web::{Accounts, AccountsDirectory, NewAccount, Surface};
use clap::Parser;
use own_store::RedbStore;
use rmcp::transport::stdio;
use tokio::net::TcpListener;

/// A gated MCP server with one directory of files, on a store of its own.
#[derive(Parser)]
struct Args {
    /// The directory whose files are read and written.
    #[arg(long)]
    dir: PathBuf,
    /// Where keys, plans and accounts are kept.
    #[arg(long, default_value = "own-store-state")]
    state: PathBuf,
    /// For whom the agent acts, and who approves. A new account gets the password that stands in OWN_STORE_PASSWORD.
    #[arg(long)]
    person: String,
    /// Where the approval page is served.
    #[arg(long, default_value = "127.0.0.1:8377")]
    page: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.dir)?;
    let dir = args.dir.canonicalize()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = StateDir::create(&args.state)?;
    state.ensure_key(&OsEntropy)?;
    let (audience, sealer) = (state.instance(&OsEntropy)?.audience, Arc::new(state.key_ring(Arc::new(OsEntropy))?));

    // All that is this example's own. The anchor is the file beside the key: what ran stays known, whatever a store says.
    let store = Arc::new(RedbStore::open(args.state.join("store.redb"), clock)?);
    let anchor = Arc::new(state.anchor(&audience)?);

    let accounts = Accounts::open(state.accounts());
    let person = account(&accounts, &args.person)?;
    let page = TcpListener::bind(args.page).await?;
    let (directory, policy) = (AccountsDirectory::new(accounts.clone()), Policy::always(Terms::same_subject()));
    let (timer, surface) = (Arc::new(TokioTimer), format!("http://{}", page.local_addr()?));
    let transient = SealedTransient::new(store.clone(), sealer.clone(), audience.clone());
    let parts =
        Parts { audience, store, sealer: sealer.clone(), directory: Arc::new(directory), timer, policy, surface };
    let approvals = ApprovalsBuilder::new(parts).anchor(anchor).dangerous_same_user().start().await?;
    let surface = Surface::new(approvals.clone(), transient, sealer as Arc<dyn Sealer>, accounts)?.router();
    tokio::spawn(async move { axum::serve(page, surface).await });

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
        let password = std::env::var("OWN_STORE_PASSWORD").map_err(|_| "set OWN_STORE_PASSWORD for the new account")?;
        let account = NewAccount { name: name.to_owned(), person: name.into(), groups: Default::default() };
        accounts.add(&account, &password)?;
    }
    Ok(accounts.find(name)?.ok_or("the account is gone")?.identity())
}
