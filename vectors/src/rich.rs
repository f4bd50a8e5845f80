//! A plan that has every member that a plan can have, made, approved and executed.

use anyhow::{Context as _, Result};
use approval_core::record::{
    Approver, Change, Finding, Normaliser, Outcome, Precondition, PreconditionEnforcement, Reconciled, RecordKind,
    Severity, Source, Step, StepOutcome, StepReport, Target, Text, Verdict,
};
use approval_core::{
    Call, Clock as _, DecisionRequest, Digest, Draft, DraftStep, EffectKey, FreshnessError, Identified, PlanError,
    PlanView, Planner, Policy, Report, ResolvedPlan, Terms,
};
use approval_testkit::{FakeDirectory, decision};
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::stage::{Doing, Stage, id};

/// Secrets in the arguments, in a body and in both sides of a change; the last stays as it is.
pub(crate) const SECRETS: &[&str] = &[
    "/arguments/credentials/password",
    "/arguments/a~1b~0c",
    "/steps/0/body/data/token",
    "/steps/0/preview/data/token",
    "/changes/0/before/token",
    "/changes/0/after/token",
    "/changes/0/before/kept",
    "/changes/0/after/kept",
];

/// The arguments, with the secrets in place.
pub(crate) fn arguments() -> Value {
    json!({
        "name": "settings",
        "credentials": { "user": "deploy", "password": "correct horse battery staple" },
        "a/b~c": ["list", { "of": "secrets" }, 7, null],
        "looksLikeASecret": { "$secret": Digest::of_bytes(b"nothing of the kind") },
    })
}

/// A planner whose drafts leave nothing out.
pub(crate) struct Rich;

#[async_trait]
impl Planner for Rich {
    async fn plan(&self, _: &Call) -> Result<Draft, PlanError> {
        let target = Target {
            name: "the cluster".to_owned(),
            identity: object(json!({ "url": "https://cluster.example", "uid": "7" })),
        };
        let keys = ["core/v1/Secret/default/settings", "core/v1/ConfigMap/default/settings"];
        let mut draft = Draft::new(target, "change two objects", keys.map(EffectKey::new).into());
        let body = json!({ "kind": "Secret", "data": { "token": "new token", "plain": 1.5 } });
        draft.steps.push(DraftStep {
            step: Step {
                action: "patch".to_owned(),
                object: "Secret/settings".to_owned(),
                body: Some(body.clone()),
                preconditions: vec![
                    Precondition {
                        kind: "resource-version".to_owned(),
                        expected: json!("41"),
                        enforcement: PreconditionEnforcement::OnWrite,
                    },
                    Precondition {
                        kind: "owner".to_owned(),
                        expected: Value::Null,
                        enforcement: PreconditionEnforcement::None,
                    },
                ],
                preview_digest: None,
            },
            description: "patch the secret".to_owned(),
            preview: Some(body),
        });
        draft.steps.push(DraftStep {
            step: Step {
                action: "delete".to_owned(),
                object: "ConfigMap/settings".to_owned(),
                body: None,
                preconditions: Vec::new(),
                preview_digest: None,
            },
            description: "delete the configuration".to_owned(),
            preview: None,
        });
        for (code, severity) in
            [("no-preview", Severity::Warn), ("owner", Severity::Info), ("host-path", Severity::High)]
        {
            draft.findings.push(Finding { code: code.to_owned(), severity, text: "something was noticed".to_owned() });
        }
        draft.changes.push(Change {
            object: "Secret/settings".to_owned(),
            before: Some(json!({ "token": "old token", "kept": "as it was" })),
            after: Some(json!({ "token": "new token", "kept": "as it was" })),
        });
        draft.changes.push(Change { object: "ConfigMap/settings".to_owned(), before: Some(json!([])), after: None });
        for source in [Source::Agent, Source::Target, Source::Upstream] {
            draft.quotes.push(Text { source, text: "somebody said so".to_owned() });
        }
        draft.generated.insert("name".to_owned(), json!("settings-x7"));
        draft.generated.insert("at".to_owned(), json!({ "seconds": 0 }));
        draft.normaliser = Some(Normaliser {
            name: "without-managed-fields".to_owned(),
            exclusions: vec!["/metadata/managedFields".to_owned()],
        });
        draft.secrets = SECRETS.iter().map(|pointer| (*pointer).to_owned()).collect();
        Ok(draft)
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        Ok(Identified { tool: plan.intent().tool.clone(), target: plan.intent().target.clone() })
    }

    async fn revalidate(&self, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Records by a name each, and the last plan's, before and after its end.
pub(crate) struct Records {
    pub(crate) all: Vec<(String, RecordKind, Value)>,
}

impl Records {
    pub(crate) fn find(&self, name: &str) -> Result<&Value> {
        let found = self.all.iter().find(|(known, _, _)| known == name);
        Ok(&found.with_context(|| format!("no record `{name}`"))?.2)
    }

    fn take(&mut self, stage: &Stage, plan: &PlanView, kinds: &[(&str, RecordKind)]) -> Result<()> {
        for (name, kind) in kinds {
            let record = stage.record(*kind, plan.header.plan_id)?;
            self.all.push(((*name).to_owned(), *kind, record));
        }
        Ok(())
    }
}

fn call() -> Call {
    Call { tool: "apply".to_owned(), definition_digest: Digest::of_bytes(b"apply"), arguments: object(arguments()) }
}

/// A plan of a stage, with the records that it leaves.
pub(crate) async fn records() -> Result<Records> {
    let mut terms =
        Terms { rule: approval_core::record::Rule::quorum(1, ["sre".into(), "dev".into()]), ..Terms::same_subject() };
    terms.requester_reads_target = true;
    let stage = Stage::set(Policy::always(terms)).await?;
    let mut records = Records { all: Vec::new() };

    let lost = stage.approvals.plan(&Stage::alice(), call(), &Rich).await?;
    records.take(&stage, &lost, &[("plan-state-planned", RecordKind::PlanState)])?;
    stage.approve(&lost, &["bob"]).await?;
    stage.run(&lost, Outcome::Partial).await?;

    let plan = stage.approvals.plan(&Stage::alice(), call(), &Rich).await?;
    let kinds = [
        ("header", RecordKind::Header),
        ("intent", RecordKind::Intent),
        ("review", RecordKind::Review),
        ("secrets", RecordKind::Secrets),
    ];
    records.take(&stage, &plan, &kinds)?;
    let challenge = stage.approvals.challenge(&Stage::alice(), &id(&plan), None).await?.challenge;
    stage.clock.advance(std::time::Duration::from_millis(1_234));
    let now = stage.clock.now();
    let amr = ["pwd", "hwk"].map(ToOwned::to_owned).into();
    let decided = DecisionRequest {
        approver: Approver { acr: Some("urn:acr:2".to_owned()), amr, ..FakeDirectory::approver("bob", now) },
        comment: Some("looks \u{201c}right\u{201d} to me".to_owned()),
        ..decision(&plan, challenge.challenge_id, "bob", Verdict::Approve, now)
    };
    stage.approvals.decide(decided).await?;
    let kinds = [
        ("challenge", RecordKind::Challenge),
        ("decision", RecordKind::Decision),
        ("plan-state-approved", RecordKind::PlanState),
    ];
    records.take(&stage, &plan, &kinds)?;

    let executor = Doing(|permit: approval_core::ExecutionPermit| {
        drop(permit);
        let step = |outcome, code: Option<&str>| StepReport { outcome, code: code.map(ToOwned::to_owned) };
        std::future::ready(Report {
            outcome: Outcome::Partial,
            steps: vec![step(StepOutcome::Applied, None), step(StepOutcome::Skipped, Some("conflict"))],
            tool_result: Some(json!({ "echo": "new token", "content": [] })),
        })
    });
    stage.approvals.execute(&Stage::alice(), &id(&plan), None, &Rich, &executor).await?;
    stage.approvals.reconcile(plan.header.plan_id, Reconciled::NotApplied, "operator").await?;
    let kinds = [
        ("execution", RecordKind::Execution),
        ("result", RecordKind::Result),
        ("reconciliation", RecordKind::Reconciliation),
        ("plan-state-reconciled", RecordKind::PlanState),
    ];
    records.take(&stage, &plan, &kinds)?;

    let no = stage.plan("a", json!(1)).await?;
    stage.decide(&no, "bob", Verdict::Reject).await?;
    records.take(&stage, &no, &[("plan-state-rejected", RecordKind::PlanState)])?;
    let cancelled = stage.plan("b", json!(1)).await?;
    stage.approvals.cancel(&Stage::alice(), &id(&cancelled)).await?;
    records.take(&stage, &cancelled, &[("plan-state-cancelled", RecordKind::PlanState)])?;
    stage.approvals.pause("operator").await?;
    stage.approvals.mute(&"alice".into(), std::time::Duration::from_secs(60), "operator").await?;
    for (name, kind) in [("cool-down", RecordKind::CoolDown), ("mute", RecordKind::Mute), ("pause", RecordKind::Pause)]
    {
        records.all.push((name.to_owned(), kind, stage.record_of_no_plan(kind)?));
    }
    Ok(records)
}
