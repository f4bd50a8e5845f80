//! A server, put together from its parts.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use approval_core::record::{Identity, Isolation};
use approval_core::transient::SealedTransient;
use approval_core::{Approvals, ApprovalsBuilder, CheckpointInterval, OsEntropy};
use approval_rmcp::{ConfiguredRequester, Gated, RequesterSource, TokioTimer, streamable_http};
use approval_web::{BearerGuard, Surface, SurfaceHost};
use axum::Router;
use rmcp::RoleServer;
use rmcp::service::RequestContext;
use rmcp::transport::stdio;
use tokio::net::TcpListener;

use crate::installation::Installation;
use crate::parts::{Layer, Parts};
use crate::tools::{Board, Shared};

/// A server that plans and decides: its pages are served, its tools are not yet.
pub struct Server {
    approvals: Approvals,
    gated: Gated<Board>,
    guard: BearerGuard,
    endpoint: Layer,
    entrance: Layer,
}

impl Server {
    /// Puts a server together, and serves its pages at the installation's address, unless another process of it does.
    ///
    /// # Errors
    /// When a part can't do its work, or the pages can't be served.
    pub async fn start(installation: &Installation, parts: Parts, isolation: Isolation) -> Result<Self> {
        let host = SurfaceHost::claim(&installation.state, &OsEntropy).await?;
        let approvals = service(installation, &parts, isolation, Some(host.address())).await?;
        let sessions = SealedTransient::new(parts.transient, parts.sealer.clone(), approvals.audience().clone());
        let pages = Surface::new(approvals.clone(), sessions, parts.sealer, parts.accounts)?.router();
        tokio::spawn(host.serve((parts.pages)(pages)));
        let checkpoints = approvals.clone();
        tokio::spawn(async move { checkpoints.keep_checkpoints(CheckpointInterval::default()).await });

        let gate = Gated::builder(Board::new(installation)?, approvals.clone()).tool(Board::ANNOUNCE, parts.announce);
        let gate = parts.notes.into_iter().map(Shared).fold(gate, |gate, tool| gate.mutation(tool));
        let gated = gate.requester(Requesters(parts.requesters)).build()?;
        let guard = BearerGuard::new(parts.bearers);
        Ok(Self { approvals, gated, guard, endpoint: parts.endpoint, entrance: parts.entrance })
    }

    /// Serves MCP over streamable HTTP, until it is told to end; `ready` is called once clients can come.
    ///
    /// # Errors
    /// When the address can't be bound.
    pub async fn serve_http(self, installation: &Installation, ready: impl FnOnce()) -> Result<()> {
        let address = installation.settings.http;
        let listener = TcpListener::bind(address).await.with_context(|| format!("`{address}`"))?;
        let mcp = Router::new().route_service("/mcp", streamable_http(Arc::new(self.gated), [""; 0], [""; 0]));
        let mcp = (self.entrance)(self.guard.protect((self.endpoint)(mcp)));
        ready();
        tokio::select! {
            served = async { axum::serve(listener, mcp).await } => served?,
            ended = told_to_end() => ended?,
        }
        self.approvals.close().await;
        Ok(())
    }

    /// Serves the one client at standard input and output, until it leaves or the server is told to end.
    ///
    /// # Errors
    /// When the client can't be greeted.
    pub async fn serve_stdio(self) -> Result<()> {
        tokio::select! {
            served = self.gated.serve_client(stdio()) => served?,
            ended = told_to_end() => {
                ended?;
                self.approvals.close().await;
            }
        }
        Ok(())
    }
}

/// The service that plans, decides and executes. An operator's has no pages.
pub(crate) async fn service(
    installation: &Installation,
    parts: &Parts,
    isolation: Isolation,
    surface: Option<&str>,
) -> Result<Approvals> {
    let builder = ApprovalsBuilder::new(approval_core::Parts {
        audience: installation.state.instance(&OsEntropy)?.audience,
        store: Arc::clone(&parts.store),
        sealer: Arc::clone(&parts.sealer),
        directory: Arc::clone(&parts.directory),
        timer: Arc::new(TokioTimer),
        policy: parts.policy.clone(),
        surface: format!("http://{}", surface.unwrap_or("127.0.0.1")),
    });
    let builder = builder.anchor(Arc::clone(&parts.anchor)).clock(Arc::clone(&parts.clock));
    let builder = builder.signer(Arc::clone(&parts.signer));
    Ok(match isolation {
        Isolation::Separate => builder.separate_user(),
        Isolation::SameUser => builder.dangerous_same_user(),
    }
    .start()
    .await?)
}

/// For whom an agent at standard input acts.
pub(crate) fn requester(installation: &Installation, person: &str) -> Result<Arc<dyn RequesterSource>> {
    let account = installation.accounts().find(person)?.with_context(|| format!("there is no account `{person}`"))?;
    let identity: Identity = account.identity();
    Ok(Arc::new(ConfiguredRequester::new(identity)))
}

/// Returns once the operator ends the process.
async fn told_to_end() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

/// A source of requesters, of whatever type.
#[derive(Debug)]
struct Requesters(Arc<dyn RequesterSource>);

impl RequesterSource for Requesters {
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<approval_core::Requester> {
        self.0.requester(context)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("gated", &self.gated).finish_non_exhaustive()
    }
}
