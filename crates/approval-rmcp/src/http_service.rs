//! A gated server over streamable HTTP.

use std::sync::Arc;

use approval_core::json::Limits;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::gated::Gated;
use crate::http_sessions::OwnSessions;

/// The longest request: the longest arguments that are planned, and a MiB for what stands around them. Their limit is that of the
/// canonical bytes, which escape as little as they can, and a client may escape each character: `x` is `\u0078`, six bytes for one.
const LONGEST_BODY: usize = 6 * Limits::ARGUMENTS.max_bytes() + (1 << 20);

/// A gated server over streamable HTTP, for 2025-11-25 and 2026-07-28: a tower service, to be put behind a middleware that
/// verifies the bearer token and inserts an [`approval_core::Requester`] into the request's extensions.
///
/// A request with an `Origin` that isn't among `allowed_origins` is refused, also where that is empty; one without `Origin` passes
/// [WIRE-023]. These are in rmcp's notation, with the port (`https://app.example:443`, `http://localhost:*`): to rmcp, an origin
/// without one has any. A middleware before it may have a list of its own, which knows nothing of this one, and a page has to be on
/// both. To `BearerGuard::allow_origins` of approval-web the first of these is `https://app.example`, as a browser writes it.
///
/// `allowed_hosts` are the values of `Host` that are answered; where none is given, loopback's only. A body over 13 MiB is answered
/// 413, before the gate sees anything of it: that is enough for arguments of the 2 MiB that a plan may have, with each character of
/// theirs written as an escape.
pub fn streamable_http<H: ServerHandler>(
    gated: Arc<Gated<H>>,
    allowed_origins: impl IntoIterator<Item = impl Into<String>>,
    allowed_hosts: impl IntoIterator<Item = impl Into<String>>,
) -> OwnSessions<StreamableHttpService<Arc<Gated<H>>, LocalSessionManager>> {
    let hosts: Vec<String> = allowed_hosts.into_iter().map(Into::into).collect();
    let mut config = StreamableHttpServerConfig::default()
        .with_allowed_origins(allowed_origins)
        .enforce_origin_validation()
        .with_max_request_body_bytes(LONGEST_BODY);
    // To rmcp an empty list means any host.
    if !hosts.is_empty() {
        config = config.with_allowed_hosts(hosts);
    }
    let sessions = Arc::new(LocalSessionManager::default());
    OwnSessions::new(StreamableHttpService::new(move || Ok(Arc::clone(&gated)), sessions, config))
}
