//! For whom the agent acts. Never taken from what the client says about itself. [WIRE-020]

use std::fmt;

use approval_core::Requester;
use approval_core::record::{Identity, RequesterAssurance};
use http::request::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

/// Says for whom an agent acts, per request. Where it says nobody, gated calls are refused with `requester_not_permitted`.
///
/// Only the transport's authentication layer, or the operator's configuration, may be asked: `clientInfo` and everything
/// else in the request is the agent's own word.
pub trait RequesterSource: Send + Sync + fmt::Debug {
    /// The requester of this request, if there is one.
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<Requester>;
}

/// Over HTTP: the requester that a middleware put into the request's extensions, once it had verified the bearer token.
/// [WIRE-021] [ENF-005]
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifiedRequester;

impl RequesterSource for VerifiedRequester {
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<Requester> {
        context.extensions.get::<Parts>()?.extensions.get::<Requester>().cloned()
    }
}

/// Over stdio: the person for whom this instance was configured, marked as known by the environment only. [ENF-005]
///
/// A request that came over HTTP has no requester here: one configured person must not answer for whoever can reach a port.
#[derive(Clone, Debug)]
pub struct ConfiguredRequester {
    requester: Requester,
}

impl ConfiguredRequester {
    /// The person whom the operator named for this instance.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { requester: Requester { identity, assurance: RequesterAssurance::Environment } }
    }
}

impl RequesterSource for ConfiguredRequester {
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<Requester> {
        match context.extensions.get::<Parts>() {
            Some(_) => None,
            None => Some(self.requester.clone()),
        }
    }
}
