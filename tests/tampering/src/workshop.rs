//! A planner whose plans leave no member of a record out, and the policy that they fall under.

use std::sync::Arc;

use approval_core::record::{
    Approver, Change, Finding, Limits, Normaliser, Precondition, PreconditionEnforcement, Rule, Severity, Source, Step,
    Target, Text, ToolReference, Verdict,
};
use approval_core::{
    Call, Clock as _, DecisionRequest, Digest, Draft, DraftStep, EffectKey, FreshnessError, Group, Identified, Parts,
    PlanError, PlanView, Planner, Policy, ResolvedPlan, Terms,
};
#[cfg(test)]
use approval_core::{Refusal, StatusView};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeDirectory, Room, StillTimer};
use async_trait::async_trait;
use serde_json::{Map, Value, json};

/// Plans `put` on a shelf, in two steps, with secrets in every place in which there can be one. To it the world stands still.
#[derive(Debug)]
pub(crate) struct Workshop;

/// Two of the group `sre` or `ops` approve; every limit is another number.
pub(crate) fn policy() -> Policy {
    let limits = Limits { cool_down_seconds: 600, approval_seconds: 800, ..Limits::default() };
    let rule = Rule::quorum(2, ["ops", "sre"].map(Group::from));
    Policy::always(Terms { rule, limits, requester_reads_target: true })
}

/// A call of `put` at a place on the shelf.
pub(crate) fn call(name: &str) -> Call {
    let arguments = json!({
        "name": name,
        "value": { "of": ["some", 2, true, null], "token": "not a secret" },
        "count": 3,
        "token": "s3cret-token",
    });
    let Value::Object(arguments) = arguments else { unreachable!("it is an object") };
    Call { tool: "put".to_owned(), definition_digest: Digest::of_bytes(b"put"), arguments }
}

impl Workshop {
    fn target() -> Target {
        let identity = json!({ "shelf": "shelf-1", "room": { "floor": 2 } });
        let Value::Object(identity) = identity else { unreachable!("it is an object") };
        Target { name: "the shelf".to_owned(), identity }
    }

    fn steps(arguments: &Map<String, Value>) -> Vec<(String, Value)> {
        let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
        let token = arguments.get("token").cloned().unwrap_or_default();
        let value = arguments.get("value").cloned().unwrap_or_default();
        vec![(name.to_owned(), json!({ "value": value, "token": token })), (format!("{name}-log"), json!("put"))]
    }

    fn preview(object: &str, body: &Value) -> Value {
        json!({ "object": object, "body": body })
    }
}

#[async_trait]
impl Planner for Workshop {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        let steps = Self::steps(&call.arguments);
        let keys = steps.iter().map(|(object, _)| EffectKey::new(format!("shelf/{object}"))).collect();
        let mut draft = Draft::new(Self::target(), "put a value on the shelf", keys);
        for (object, body) in &steps {
            let enforcement = PreconditionEnforcement::BeforeWrite;
            let precondition =
                Precondition { kind: "value".to_owned(), expected: json!({ "is": "free" }), enforcement };
            draft.steps.push(DraftStep {
                step: Step {
                    action: "put".to_owned(),
                    object: object.clone(),
                    body: Some(body.clone()),
                    preconditions: vec![precondition],
                    preview_digest: None,
                },
                description: format!("put the value at `{object}`"),
                preview: Some(Self::preview(object, body)),
            });
            draft.changes.push(Change {
                object: object.clone(),
                before: Some(json!("old")),
                after: Some(body.clone()),
            });
        }
        for severity in [Severity::Info, Severity::High] {
            let text = "the shelf is old".to_owned();
            draft.findings.push(Finding { code: "old-shelf".to_owned(), severity, text });
        }
        for source in [Source::Agent, Source::Target] {
            draft.quotes.push(Text { source, text: "it is only a shelf".to_owned() });
        }
        draft.generated = [("suffix".to_owned(), json!("x7")), ("at".to_owned(), json!(1))].into();
        let exclusions = vec!["/metadata".to_owned(), "/status".to_owned()];
        draft.normaliser = Some(Normaliser { name: "shelf".to_owned(), exclusions });
        let secrets =
            ["/arguments/token", "/steps/0/body/token", "/steps/0/preview/body/token", "/changes/0/after/token"];
        draft.secrets = secrets.map(str::to_owned).to_vec();
        Ok(draft)
    }

    async fn identify(&self, _: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        let tool = ToolReference { name: "put".to_owned(), definition_digest: Digest::of_bytes(b"put") };
        Ok(Identified { tool, target: Self::target() })
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        let fresh = Self::steps(&plan.intent().arguments);
        for (number, (object, body)) in fresh.iter().enumerate() {
            let digest = plan.preview_digest(number, &Self::preview(object, body)).ok();
            let reviewed = plan.intent().steps.get(number).and_then(|step| step.preview_digest);
            if digest.is_none() || digest != reviewed {
                return Err(FreshnessError::Preview(format!("`{object}` would become something else")));
            }
        }
        Ok(())
    }
}

/// The parts of another process over the same store.
pub(crate) fn parts(room: &Room) -> Parts {
    Parts {
        audience: AUDIENCE.into(),
        store: Arc::clone(&room.store),
        sealer: Arc::clone(&room.sealer) as _,
        directory: Arc::clone(&room.directory) as _,
        timer: Arc::new(StillTimer),
        policy: policy(),
        surface: "http://127.0.0.1:8080".to_owned(),
    }
}

/// What a person decides on a plan, with all that they may say.
pub(crate) fn decision(
    room: &Room,
    plan: &PlanView,
    under: &approval_core::record::Challenge,
    who: &str,
    verdict: Verdict,
) -> DecisionRequest {
    let now = room.clock.now();
    let (acr, amr) = (Some("gold".to_owned()), vec!["pwd".to_owned(), "otp".to_owned()]);
    DecisionRequest {
        approver: Approver { acr, amr, ..FakeDirectory::approver(who, now) },
        comment: Some("as discussed".to_owned()),
        ..approval_testkit::decision(plan, under.challenge_id, who, verdict, now)
    }
}

/// Puts the plan before a person, who decides a second later.
#[cfg(test)]
pub(crate) async fn decide(room: &Room, plan: &PlanView, who: &str, verdict: Verdict) -> Result<StatusView, Refusal> {
    let challenge = room.approvals.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await?.challenge;
    room.clock.advance(std::time::Duration::from_secs(1));
    room.approvals.decide(decision(room, plan, &challenge, who, verdict)).await
}
