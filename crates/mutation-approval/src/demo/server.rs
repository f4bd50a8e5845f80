//! The server of the demo: MCP with a gated tool on one port, the approval surface on another.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use approval_core::record::{Limits, Rule};
use approval_core::state_dir::StateDir;
use approval_core::transient::SealedTransient;
use approval_core::{CheckpointInterval, OsEntropy, Policy, SystemClock, Terms};
use approval_rmcp::{Gated, GatedTool, streamable_http};
use approval_web::{BearerGuard, Surface, SurfaceHost, TokenFile};
use axum::Router;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::ServerArgs;
use super::databases::{AddDatabase, Databases, TOOL};
use super::world::Addresses;
use crate::installation::{Failure, Installation};

/// A lease so short that the demo can show what happens when one passes.
const LEASE_SECONDS: u32 = 2;

/// The MCP server that is gated.
#[derive(Clone, Debug)]
struct DatabaseServer {
    databases: Databases,
}

#[tool_router]
impl DatabaseServer {
    #[tool(description = "Lists the databases, without their passwords.", annotations(read_only_hint = true))]
    async fn list_databases(&self) -> Result<CallToolResult, ErrorData> {
        let listed = self.databases.list().map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text(listed.to_string())]))
    }

    #[tool(description = "Adds a database to databases.json.", annotations(destructive_hint = true))]
    async fn add_database(&self, _: Parameters<AddDatabase>) -> Result<CallToolResult, ErrorData> {
        // Gated, with an executor of its own: nothing calls this.
        Err(ErrorData::invalid_request("this tool runs approved plans only", None))
    }
}

#[tool_handler]
impl ServerHandler for DatabaseServer {}

pub async fn run(args: ServerArgs) -> Result<ExitCode, Failure> {
    let state = StateDir::open(args.state_dir)?;
    let host = SurfaceHost::claim(&state, &OsEntropy).await.map_err(|error| Failure::Demo(error.to_string()))?;
    let installation = Installation::at(state)?;
    let approvals = installation.service(policy()).await?;

    let transient = SealedTransient::new(
        Arc::clone(&installation.store) as _,
        Arc::clone(&installation.sealer),
        installation.instance.audience.clone(),
    );
    let surface =
        Surface::new(approvals.clone(), transient, Arc::clone(&installation.sealer), installation.accounts.clone());
    let surface = surface.map_err(|error| Failure::Demo(error.to_string()))?;

    let databases = Databases::new(&args.dir).stalling(args.stall);
    let planner = Arc::new(databases.clone());
    let gated = Gated::builder(DatabaseServer { databases }, approvals.clone())
        .tool(TOOL, GatedTool::planned_by(planner.clone()).executed_by(planner))
        .build()
        .map_err(|error| Failure::Demo(error.to_string()))?;
    let tokens = Arc::new(TokenFile::open(installation.state.tokens(), Arc::new(SystemClock)));
    let mcp = streamable_http(Arc::new(gated), [] as [&str; 0], [] as [&str; 0]);
    let mcp = BearerGuard::new(tokens).protect(Router::new().nest_service("/mcp", mcp));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addresses =
        Addresses { mcp: format!("http://{}/mcp", listener.local_addr()?), surface: approvals.surface().to_owned() };
    let pages = tokio::spawn(async move {
        if let Err(error) = host.serve(surface.router()).await {
            tracing::error!(%error, "the approval surface is no longer served by this process");
        }
    });
    let kept = approvals.clone();
    let checkpoints = tokio::spawn(async move { kept.keep_checkpoints(CheckpointInterval::default()).await });
    let endpoint = tokio::spawn(async move { axum::serve(listener, mcp).await });
    writeln!(io::stdout(), "{}", serde_json::to_string(&addresses).map_err(io::Error::from)?)?;

    // The demo holds the other end of standard input: when it goes, so does this.
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    endpoint.abort();
    pages.abort();
    checkpoints.abort();
    approvals.close().await;
    Ok(ExitCode::SUCCESS)
}

fn policy() -> Policy {
    let limits = Limits { lease_seconds: LEASE_SECONDS, ..Limits::default() };
    Policy::always(Terms { rule: Rule::same_subject(), limits, requester_reads_target: false })
}
