//! A world around one namespace of a real cluster: who asks and approves, what the planner sends, and what an administrator
//! finds and changes meanwhile.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod administrator;
mod tap;

use std::path::PathBuf;
use std::sync::Arc;

use approval_core::record::{Outcome, Verdict};
use approval_core::{
    ApprovalsBuilder, Call, Digest, Entropy as _, ExecutionView, Executor, OsEntropy, PlanView, Planner, Policy,
    Reason, Refusal, Terms,
};
use approval_kubernetes::{Cluster, Endpoint, Kubernetes};
use approval_testkit::{Room, StillTimer};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::Value;

pub use administrator::{Administrator, CUSTOM};
pub use tap::{Fault, Sent, Tap};

/// The directory of the kubeconfigs, which `cargo xtask ci --only kubernetes` starts a control plane for.
pub const KUBECONFIGS: &str = "MUTATION_APPROVAL_TEST_KUBECONFIGS";

/// A user of the cluster who may do nothing that a test doesn't grant.
pub const LIMITED: &str = "limited";

/// One namespace, and everybody who has to do with it.
pub struct World {
    /// The service and its persons.
    pub room: Room,
    /// Planner and executor.
    pub kubernetes: Kubernetes,
    /// What they send.
    pub tap: Tap,
    /// Who can do everything.
    pub admin: Administrator,
    /// The namespace.
    pub namespace: String,
}

impl World {
    /// With a server that may do everything.
    pub async fn new() -> Self {
        Self::of("admin").await
    }

    /// With a server that is this user of the cluster.
    pub async fn of(user: &str) -> Self {
        let admin = Administrator::new(client(&config("admin").await));
        let mut random = [0; 16];
        OsEntropy.fill(&mut random).expect("randomness");
        let namespace = format!("test-{:032x}", u128::from_be_bytes(random));
        admin.create_namespace(&namespace).await;
        let config = config(user).await;
        let mut endpoint = Endpoint::of("the test's cluster", &config);
        endpoint.default_namespace.clone_from(&namespace);
        let tap = Tap::default();
        let cluster = Cluster::new(tap.around(client(&config)), endpoint);
        let room = room().await;
        let kubernetes = Kubernetes::new(cluster).with(Arc::new(room.clock.clone()), Arc::new(OsEntropy));
        Self { room, kubernetes, tap, admin, namespace }
    }

    /// Plans a call.
    pub async fn plan(&self, tool: &str, arguments: Value) -> Result<PlanView, Refusal> {
        let definition_digest = Digest::of_bytes(tool.as_bytes());
        let arguments = arguments.as_object().cloned().expect("arguments are an object");
        let call = Call { tool: tool.to_owned(), definition_digest, arguments };
        self.room.approvals.plan(&Room::alice(), call, &self.kubernetes).await
    }

    /// Plans a call, and has it approved.
    pub async fn approved(&self, tool: &str, arguments: Value) -> PlanView {
        let plan = self.plan(tool, arguments).await.unwrap();
        self.room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        plan
    }

    /// What a plan's review shows of its first step, before and after.
    pub async fn change(&self, plan: &PlanView) -> (Option<Value>, Option<Value>) {
        let page = self.room.page(plan, "alice").await.unwrap();
        let change = page.review.changes.first().expect("a change").clone();
        (change.before, change.after)
    }

    /// Executes a plan.
    pub async fn execute(&self, plan: &PlanView) -> Result<ExecutionView, Refusal> {
        self.execute_by(plan, &self.kubernetes, &self.kubernetes).await
    }

    /// Executes a plan without looking whether it's still fresh: what the freshness step finds, the executor has to.
    pub async fn execute_unchecked(&self, plan: &PlanView) -> ExecutionView {
        self.execute_by(plan, &Unchecked(&self.kubernetes), &self.kubernetes).await.unwrap()
    }

    async fn execute_by(
        &self,
        plan: &PlanView,
        planner: &dyn Planner,
        executor: &dyn Executor,
    ) -> Result<ExecutionView, Refusal> {
        let id = plan.header.plan_id.to_string();
        self.room.approvals.execute(&Room::alice(), &id, None, planner, executor).await
    }

    /// Plans, approves and executes: all of it has to be applied, just as it was reviewed.
    pub async fn apply(&self, tool: &str, arguments: Value) -> ExecutionView {
        let plan = self.approved(tool, arguments).await;
        let execution = self.execute(&plan).await.unwrap();
        assert_eq!(execution.execution.outcome, Outcome::Applied, "{execution:?}");
        assert!(execution.execution.steps.iter().all(|step| step.code.is_none()), "{execution:?}");
        execution
    }

    /// The path of an object of the namespace, or of all of them.
    #[must_use]
    pub fn path(&self, root: &str, rest: &str) -> String {
        format!("{root}/namespaces/{}/{rest}", self.namespace)
    }

    /// The path of a Deployment.
    #[must_use]
    pub fn deployment(&self, name: &str) -> String {
        self.path("/apis/apps/v1", &format!("deployments/{name}"))
    }

    /// The path of a ConfigMap.
    #[must_use]
    pub fn config_map(&self, name: &str) -> String {
        self.path("/api/v1", &format!("configmaps/{name}"))
    }
}

/// A room in which no time passes while the cluster answers.
async fn room() -> Room {
    let mut room = Room::new().await;
    let mut parts = room.parts(Arc::clone(&room.store), Policy::always(Terms::same_subject()));
    parts.timer = Arc::new(StillTimer);
    let builder = ApprovalsBuilder::new(parts).clock(Arc::new(room.clock.clone()));
    room.approvals = builder.separate_user().start().await.expect("a service over a store in memory");
    room
}

/// The planner but for its look at the live target before the plan runs.
struct Unchecked<'a>(&'a Kubernetes);

#[async_trait::async_trait]
impl Planner for Unchecked<'_> {
    async fn plan(&self, call: &Call) -> Result<approval_core::Draft, approval_core::PlanError> {
        self.0.plan(call).await
    }

    async fn identify(
        &self,
        plan: &approval_core::ResolvedPlan,
    ) -> Result<approval_core::Identified, approval_core::FreshnessError> {
        Ok(approval_core::Identified { tool: plan.intent().tool.clone(), target: plan.intent().target.clone() })
    }

    async fn revalidate(&self, _: &approval_core::ResolvedPlan) -> Result<(), approval_core::FreshnessError> {
        Ok(())
    }
}

/// What a refusal says.
pub fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>) -> (Reason, String) {
    let refusal = result.expect_err("it was not refused");
    (refusal.reason(), refusal.detail().to_owned())
}

/// The code of the first step of an execution.
#[must_use]
pub fn code(execution: &ExecutionView) -> Option<&str> {
    execution.execution.steps.first()?.code.as_deref()
}

fn client(config: &Config) -> kube::Client {
    kube::Client::try_from(config.clone()).expect("a client of a kubeconfig")
}

/// The kubeconfig of a user.
#[must_use]
pub fn kubeconfig(user: &str) -> PathBuf {
    let directory = std::env::var_os(KUBECONFIGS).unwrap_or_else(|| {
        panic!("`{KUBECONFIGS}` names no directory: these tests need the control plane of `cargo xtask ci --only kubernetes`")
    });
    PathBuf::from(directory).join(format!("{user}.kubeconfig"))
}

async fn config(user: &str) -> Config {
    let kubeconfig = Kubeconfig::read_from(kubeconfig(user)).expect("a kubeconfig");
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    config
}
