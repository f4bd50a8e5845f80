//! The gated server: real plans in SQLite, the real pages, over stdio or over streamable HTTP.

mod everything;
mod faulty;
mod notes;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use approval_core::seal::Sealer;
use approval_core::state_dir::StateDir;
use approval_core::transient::SealedTransient;
use approval_core::{Approvals, ApprovalsBuilder, OsEntropy, Parts, Policy, SystemClock, Terms};
use approval_rmcp::{ConfiguredRequester, Gated, GatedTool, TokioTimer, VerifiedRequester, streamable_http};
use approval_store_sqlite::SqliteStore;
use approval_web::{Accounts, AccountsDirectory, BearerGuard, Surface, SurfaceHost, TokenFile};
use axum::Router;
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::everything::Everything;
pub(crate) use self::faulty::Fault;
use self::faulty::Faulty;
use self::notes::Notes;
use crate::installation::PERSON;

/// Where MCP is spoken.
const PATH: &str = "/mcp";

/// Pages on this machine: the suite says that it is one.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1:*", "http://localhost:*"];

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The state directory
    #[arg(long)]
    state: PathBuf,
    /// The directory of the file with the notes
    #[arg(long)]
    notes: PathBuf,
    /// Over streamable HTTP, for agents with a bearer token, in place of standard input and output
    #[arg(long)]
    http: bool,
    /// What the official conformance suite asks for in place of the notes, for whoever comes: it presents no bearer
    #[arg(long, requires = "http")]
    conformance: bool,
    /// The same without a gate around it, to be compared with
    #[arg(long, requires = "conformance")]
    ungated: bool,
    /// Does wrong in this way, over standard input and output
    #[arg(long, conflicts_with = "http")]
    fault: Option<Fault>,
}

/// An installation whose pages are served.
struct Served {
    approvals: Approvals,
    accounts: Accounts,
    pages: JoinHandle<()>,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let state = StateDir::open(args.state)?;
    let served = serve(&state).await?;
    if args.ungated {
        let config = StreamableHttpServerConfig::default().with_allowed_origins(LOOPBACK).enforce_origin_validation();
        let everything = Arc::new(Everything::new()?);
        let sessions = Arc::new(LocalSessionManager::default());
        let mcp = StreamableHttpService::new(move || Ok(Arc::clone(&everything)), sessions, config);
        serve_until_end(Router::new().route_service(PATH, mcp)).await?;
    } else if args.conformance {
        let gated = Gated::builder(Everything::new()?, served.approvals.clone()).build()?;
        let mcp = streamable_http(Arc::new(gated), LOOPBACK, [""; 0]);
        serve_until_end(Router::new().route_service(PATH, mcp)).await?;
    } else {
        let gate = Gated::builder(Notes::new(&args.notes), served.approvals.clone())
            .tool("append_note", GatedTool::opaque().effects_at(["/text"]));
        if args.http {
            let tokens = TokenFile::open(state.tokens(), Arc::new(SystemClock));
            let mcp = streamable_http(Arc::new(gate.requester(VerifiedRequester).build()?), [""; 0], [""; 0]);
            let mcp = Router::new().route_service(PATH, mcp);
            serve_until_end(BearerGuard::new(Arc::new(tokens)).protect(mcp)).await?;
        } else {
            let person = served.accounts.find(PERSON)?.context("there is no account")?.identity();
            let gated = gate.requester(ConfiguredRequester::new(person)).build()?;
            match args.fault {
                Some(fault) => Faulty { gated, fault }.serve(stdio()).await?.waiting().await?,
                None => gated.serve(stdio()).await?.waiting().await?,
            };
        }
    }
    served.pages.abort();
    served.approvals.close().await;
    Ok(())
}

/// Starts the service and its pages, as the processes of one installation do: the first that has the address serves them.
async fn serve(state: &StateDir) -> Result<Served> {
    let host = SurfaceHost::claim(state, &OsEntropy).await?;
    let clock = Arc::new(SystemClock);
    let (audience, sealer) = (state.instance(&OsEntropy)?.audience, Arc::new(state.key_ring(Arc::new(OsEntropy))?));
    let store = Arc::new(SqliteStore::open(state.store(), clock)?);
    let anchor = Arc::new(state.anchor(&audience)?);
    let accounts = Accounts::open(state.accounts());
    let transient = SealedTransient::new(store.clone(), sealer.clone(), audience.clone());
    let parts = Parts {
        audience,
        store,
        sealer: sealer.clone(),
        directory: Arc::new(AccountsDirectory::new(accounts.clone())),
        timer: Arc::new(TokioTimer),
        policy: Policy::always(Terms::same_subject()),
        surface: format!("http://{}", host.address()),
    };
    let approvals = ApprovalsBuilder::new(parts).anchor(anchor).dangerous_same_user().start().await?;
    let surface = Surface::new(approvals.clone(), transient, sealer as Arc<dyn Sealer>, accounts.clone())?.router();
    let pages = tokio::spawn(async move {
        if let Err(error) = host.serve(surface).await {
            eprintln!("the pages are no longer served: {error}");
        }
    });
    Ok(Served { approvals, accounts, pages })
}

/// Says where, and serves until standard input is closed.
async fn serve_until_end(mcp: Router) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", json!({ "mcp": format!("http://{}{PATH}", listener.local_addr()?) }));
    let endpoint = tokio::spawn(async move { axum::serve(listener, mcp).await });
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    endpoint.abort();
    Ok(())
}
