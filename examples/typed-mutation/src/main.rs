//! A gated MCP server with one typed mutation: `set_flag` changes a feature flag once a person has approved exactly that.
//!
//! `TYPED_MUTATION_PASSWORD=… typed-mutation --file flags.json --person alice` speaks MCP over standard input and output.

mod flags;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use approval_core::record::Identity;
use approval_core::{ApprovalsBuilder, Clock, OsEntropy, Parts, Policy, SystemClock, Terms, state_dir::StateDir};
use approval_core::{seal::Sealer, transient::SealedTransient};
use approval_rmcp::{ConfiguredRequester, Gated, MutationsOnly, TokioTimer};
use approval_store_sqlite::SqliteStore;
use approval_web::{Accounts, AccountsDirectory, NewAccount, Surface};
use clap::Parser;
use rmcp::transport::stdio;
use tokio::net::TcpListener;

/// A gated MCP server that changes feature flags.
#[derive(Parser)]
struct Args {
    /// The JSON file of the flags.
    #[arg(long)]
    file: PathBuf,
    /// Where keys, plans and accounts are kept.
    #[arg(long, default_value = "typed-mutation-state")]
    state: PathBuf,
    /// For whom the agent acts, and who approves. A new account gets the password that stands in TYPED_MUTATION_PASSWORD.
    #[arg(long)]
    person: String,
    /// Where the approval page is served.
    #[arg(long, default_value = "127.0.0.1:8377")]
    page: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = StateDir::create(&args.state)?;
    state.ensure_key(&OsEntropy)?;
    let (audience, sealer) = (state.instance(&OsEntropy)?.audience, Arc::new(state.key_ring(Arc::new(OsEntropy))?));
    let store = Arc::new(SqliteStore::open(state.store(), Arc::clone(&clock))?);
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

    // All that is this server's own: a mutation. The gate makes a tool of it.
    let gated = Gated::builder(MutationsOnly::new("flags", env!("CARGO_PKG_VERSION")), approvals)
        .mutation(flags::SetFlag::in_file(args.file))
        .requester(ConfiguredRequester::new(person))
        .build()?;
    gated.serve_client(stdio()).await?;
    Ok(())
}

/// The person's account, which is made where there is none.
fn account(accounts: &Accounts, name: &str) -> Result<Identity, Box<dyn Error>> {
    if accounts.find(name)?.is_none() {
        let password = std::env::var("TYPED_MUTATION_PASSWORD");
        let password = password.map_err(|_| "set TYPED_MUTATION_PASSWORD for the new account")?;
        let account = NewAccount { name: name.to_owned(), person: name.into(), groups: Default::default() };
        accounts.add(&account, &password)?;
    }
    Ok(accounts.find(name)?.ok_or("the account is gone")?.identity())
}
