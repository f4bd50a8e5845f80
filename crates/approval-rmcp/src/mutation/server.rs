//! A server that has nothing but mutations.

use rmcp::ServerHandler;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};

/// A server without a tool of its own, for a gate that has nothing but mutations.
///
/// ```
/// # use approval_rmcp::{Gated, Mutation, MutationsOnly, GatedBuilder};
/// # fn gate(approvals: approval_core::Approvals, rename: impl Mutation) -> GatedBuilder<MutationsOnly> {
/// Gated::builder(MutationsOnly::new("directory", "1.0.0"), approvals).mutation(rename)
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MutationsOnly(Implementation);

impl MutationsOnly {
    /// A server that calls itself so.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self(Implementation::new(name, version))
    }
}

impl ServerHandler for MutationsOnly {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::default()).with_server_info(self.0.clone())
    }
}
