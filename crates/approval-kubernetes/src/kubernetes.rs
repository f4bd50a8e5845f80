//! Planner and executor of one cluster.

use std::sync::Arc;

use approval_core::{Clock, Entropy, OsEntropy, SystemClock};

use crate::cluster::Cluster;
use crate::policy::Policy;

/// Plans and runs changes of the objects of one cluster: a [`Planner`](approval_core::Planner) and an
/// [`Executor`](approval_core::Executor).
#[derive(Debug)]
pub struct Kubernetes {
    pub(crate) cluster: Cluster,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) may_force: bool,
    pub(crate) policy: Policy,
}

impl Kubernetes {
    /// For this cluster, with the system's clock and randomness.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            may_force: false,
            policy: Policy::default(),
        }
    }

    /// With a policy: what it denies gets no plan, whoever asks and whoever would approve.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// With a clock and a source of randomness of one's own.
    #[must_use]
    pub fn with(mut self, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        self.clock = clock;
        self.entropy = entropy;
        self
    }

    /// Lets an `apply_manifest` take fields from those who manage them, when it asks for it. Every such field is then a
    /// finding of high severity.
    #[must_use]
    pub fn dangerous_allow_force(mut self) -> Self {
        self.may_force = true;
        self
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}
