//! Serving one client, and ending in good order.

use rmcp::service::{ServerInitializeError, serve_server};
use rmcp::transport::IntoTransport;
use rmcp::{RoleServer, ServerHandler};
use tokio::task::JoinError;

use crate::gated::Gated;

/// Why a client was not served to its end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client didn't introduce itself as MCP asks for.
    #[error("the client could not be greeted: {0}")]
    Greeting(Box<ServerInitializeError>),
    /// The task that serves it panicked or was stopped.
    #[error("the client was served no further: {0}")]
    Task(JoinError),
}

impl<H: ServerHandler> Gated<H> {
    /// Serves one client until it leaves, and then waits for what it had executed, however long that takes: a program that ended with
    /// its client, as one over standard input and output does, would break it off in the middle. The audit's end is signed then,
    /// see [`Approvals::close`](approval_core::Approvals::close). [WIRE-T-033]
    ///
    /// # Errors
    /// When the client doesn't speak MCP, or the task that serves it is stopped. What was executed is waited for all the same.
    pub async fn serve_client<T, E, A>(self, transport: T) -> Result<(), ServeError>
    where
        T: IntoTransport<RoleServer, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let approvals = self.approvals.clone();
        let served = match serve_server(self, transport).await {
            Ok(running) => running.waiting().await.map(|_| ()).map_err(ServeError::Task),
            Err(error) => Err(ServeError::Greeting(Box::new(error))),
        };
        approvals.close().await;
        served
    }
}
