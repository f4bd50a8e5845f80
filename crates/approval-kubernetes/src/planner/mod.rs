//! Plans: what a call would do, exactly, found out without doing it. [PLAN-008]

mod access;
mod hazards;
mod review;
mod sketch;
mod workloads;

use std::collections::BTreeMap;

use approval_core::record::Target;
use approval_core::{Call, Draft, EntropyError, FreshnessError, Identified, PlanError, Planner, ResolvedPlan, Salt};
use async_trait::async_trait;
use serde_json::Value;

use crate::Kubernetes;
use crate::cluster::Fault;
use crate::findings;
use crate::live::{self, ATTEMPTS, Checked};
use crate::normaliser;
use crate::tool::{self, Request};
use hazards::{Around, Judged};
use review::Reviewed;

pub use sketch::FIELD_MANAGER;

/// The annotation by which an object shows which plan wrote it last.
pub const MARKER: &str = "mutation-approval.github.io/change";

/// The most objects of one plan: more than a person reads is not reviewed.
const MAX_OBJECTS: usize = 100;

/// What is made up for a plan, so that nothing is when it runs.
#[derive(Clone, Debug)]
struct Generated {
    /// The value of [`MARKER`].
    marker: String,
    /// When a restart is said to have been asked for.
    now: String,
    /// The end of the name of what has none yet.
    suffix: String,
}

#[async_trait]
impl Planner for Kubernetes {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        let request = Request::read(call)?;
        let target = self.cluster.target().await.map_err(|fault| unplannable("the cluster", &fault))?;
        let generated = self.generate().map_err(|error| PlanError::Unavailable(error.to_string()))?;
        for _ in 0..ATTEMPTS {
            match self.reviewed(&request, &generated).await {
                Ok(reviewed) => return Ok(self.draft(&request, target, &generated, reviewed)),
                Err(Unplanned::Moved) => {}
                Err(Unplanned::Error(error)) => return Err(error),
            }
        }
        Err(PlanError::Unavailable("the objects are written to all the time".to_owned()))
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        let target = self.cluster.target().await.map_err(|fault| FreshnessError::Unavailable(fault.to_string()))?;
        // The adapter holds the definition against the one that the server lists now.
        Ok(Identified { tool: plan.intent().tool.clone(), target })
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        let restarts = plan.intent().tool.name == tool::RESTART;
        let mut around = Around::default();
        for (number, step) in plan.intent().steps.iter().enumerate() {
            let Checked { operation, found, answer } = live::check(&self.cluster, plan, number, step).await?;
            let conflicts = self.taken_by_force(&operation, &found).await.map_err(Unplanned::freshness)?;
            let judged = self.judged(&operation, &found, &answer, &conflicts, restarts, &mut around).await;
            // The policy, or what is around the object, may be another one than at plan time.
            match judged.map_err(|error| Unplanned::from(error).freshness())? {
                Judged::Allowed(_) => {}
                Judged::Denied(why) => return Err(FreshnessError::Precondition(why)),
            }
        }
        Ok(())
    }
}

/// Why there is no plan.
enum Unplanned {
    Error(PlanError),
    /// An object was written to between two looks at it. A controller does that at any time: it is looked at anew.
    Moved,
}

impl Unplanned {
    /// As the gate has to hear of it.
    fn freshness(self) -> FreshnessError {
        match self {
            Self::Moved => FreshnessError::Unavailable("an object is written to all the time".to_owned()),
            Self::Error(PlanError::Unavailable(words)) => FreshnessError::Unavailable(words),
            Self::Error(error) => FreshnessError::Refused(error.to_string()),
        }
    }
}

impl From<PlanError> for Unplanned {
    fn from(error: PlanError) -> Self {
        Self::Error(error)
    }
}

impl Kubernetes {
    async fn reviewed(&self, request: &Request, generated: &Generated) -> Result<Vec<Reviewed>, Unplanned> {
        let sketches = self.sketches(request, generated).await?;
        if sketches.len() > MAX_OBJECTS {
            let what = format!("{} objects in one plan, and {MAX_OBJECTS} are the most", sketches.len());
            return Err(PlanError::Invalid(what).into());
        }
        let mut reviewed = Vec::new();
        let mut around = Around::default();
        for sketch in sketches {
            reviewed.push(self.review(sketch, request, generated, &mut around).await?);
        }
        Ok(reviewed)
    }

    fn generate(&self) -> Result<Generated, EntropyError> {
        let marker = Salt::generate(self.entropy.as_ref())?.to_string();
        let mut random = [0; 4];
        self.entropy.fill(&mut random)?;
        let suffix = format!("{:08x}", u32::from_be_bytes(random));
        Ok(Generated { marker, now: self.clock.now().to_string(), suffix })
    }

    /// The parts, each at its place.
    fn draft(&self, request: &Request, target: Target, generated: &Generated, reviewed: Vec<Reviewed>) -> Draft {
        let uid = target.identity.get("kubeSystemUid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let headline = headline(request, &target, &reviewed);
        let keys = reviewed.iter().map(|one| one.operation.object.effect_key(&uid)).collect();
        let mut draft = Draft::new(target, headline, keys);
        draft.normaliser = Some(normaliser::normaliser(reviewed.iter().map(|one| (&one.operation, one.found.value()))));
        draft.generated = BTreeMap::from([("marker".to_owned(), generated.marker.as_str().into())]);
        match request {
            Request::Restart(_) => draft.generated.insert("restartedAt".to_owned(), generated.now.as_str().into()),
            Request::Trigger(_) => draft.generated.insert("suffix".to_owned(), generated.suffix.as_str().into()),
            _ => None,
        };
        if reviewed.iter().any(|one| one.operation.object.is_secret()) {
            match request {
                Request::Apply(_) | Request::Create(_) => draft.secrets.push("/arguments/manifest".to_owned()),
                Request::Patch(_) => draft.secrets.push("/arguments/patch".to_owned()),
                // They take no values.
                Request::Cordon(_)
                | Request::Delete(_)
                | Request::Evict(_)
                | Request::Label(_)
                | Request::Pause(_)
                | Request::Restart(_)
                | Request::Scale(_)
                | Request::SetImage(_)
                | Request::Suspend(_)
                | Request::Trigger(_)
                | Request::Undo(_) => {}
            }
        }
        let count = findings::of_count(reviewed.len()).into_iter().collect();
        let mut denied = Vec::new();
        match self.policy.judge(&Value::Null, count) {
            Ok(count) => draft.findings.extend(count.iter().map(findings::Finding::to_record)),
            Err(why) => denied.push(why.to_string()),
        }
        for (number, one) in reviewed.into_iter().enumerate() {
            draft.secrets.extend(one.secrets(number));
            draft.findings.extend(one.findings);
            denied.extend(one.denied);
            draft.quotes.extend(one.quotes);
            draft.changes.push(one.change);
            draft.steps.push(one.step);
        }
        draft.denied = (!denied.is_empty()).then(|| denied.join("; "));
        draft
    }
}

fn headline(request: &Request, target: &Target, reviewed: &[Reviewed]) -> String {
    let verb = match request {
        Request::Apply(apply) if apply.force => "Apply by force",
        Request::Apply(_) => "Apply",
        Request::Create(_) => "Create",
        Request::Cordon(cordon) if cordon.cordoned => "Cordon",
        Request::Cordon(_) => "Uncordon",
        Request::Delete(_) => "Delete",
        Request::Evict(_) => "Evict",
        Request::Label(_) => "Label",
        Request::Patch(_) => "Patch",
        Request::Pause(pause) if pause.paused => "Pause the rollout of",
        Request::Pause(_) => "Resume the rollout of",
        Request::Restart(_) => "Restart",
        Request::Scale(_) => "Scale",
        Request::SetImage(_) => "Set the image of",
        Request::Suspend(suspend) if suspend.suspended => "Suspend",
        Request::Suspend(_) => "Resume",
        Request::Trigger(_) => "Run now, as",
        Request::Undo(_) => "Undo the rollout of",
    };
    let what = match reviewed {
        [one] => one.operation.object.to_string(),
        several => format!("{} objects", several.len()),
    };
    format!("{verb} {what} in the cluster `{}`", target.name)
}

/// A fault, where there is no plan yet.
fn unplannable(what: &str, fault: &Fault) -> PlanError {
    match fault {
        Fault::Refused(status) if status.is_passing() => PlanError::Unavailable(format!("{what}: {status}")),
        Fault::Refused(status) => PlanError::Refused(format!("{what}: {status}")),
        Fault::NotSent(words) => PlanError::Invalid(format!("{what}: {words}")),
        Fault::Lost(_) | Fault::Unreadable(_) => PlanError::Unavailable(format!("{what}: {fault}")),
    }
}
