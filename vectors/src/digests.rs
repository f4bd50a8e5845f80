//! The three digests of a plan.

use anyhow::{Context as _, Result, ensure};
use approval_core::json::{Document, Limits};
use approval_core::record::Rule;
use approval_core::{Policy, Terms};
use serde_json::{Value, json};

use crate::file::{Category, Vector};
use crate::rich;
use crate::stage::Stage;

/// [DIG-040, DIG-041, DIG-046, DIG-103]
pub(crate) async fn digests() -> Result<Category> {
    let records = rich::records().await?;
    let (header, intent, review) = (records.find("header")?, records.find("intent")?, records.find("review")?);
    let plan = Plan { header: header.clone(), intent: intent.clone(), review: review.clone() };
    let mut made = vec![plan.vector("a-plan-with-every-member")?];
    ensure!(plan.holds()?, "the plan that was stored does not hold together");

    let small = Plan::small().await?;
    made.push(small.vector("a-plan-with-few-members")?);

    type Change = fn(&mut Plan);
    let changes: [(&str, Change); 10] = [
        ("unknown-member-of-the-header-is-digested", |plan| plan.header["future"] = json!({ "b": 1, "a": [] })),
        ("unknown-member-within-the-header-is-digested", |plan| plan.header["policy"]["future"] = Value::Null),
        ("header-s-type-is-digested", |plan| plan.header["type"] = json!("mutation-approval/plan/v1")),
        ("header-s-time-is-digested-as-text", |plan| plan.header["createdAt"] = json!("2026-01-01T00:00:00Z")),
        ("salt-of-the-intent-is-digested", |plan| plan.intent["salt"] = json!("A".repeat(43))),
        ("unknown-member-of-the-intent-is-digested", |plan| plan.intent["future"] = json!(1)),
        ("order-of-steps-is-digested", |plan| plan.reverse("steps")),
        ("headline-is-digested", |plan| plan.review["headline"]["text"] = json!("change nothing")),
        ("order-of-findings-is-digested", |plan| {
            if let Some(findings) = plan.review["findings"].as_array_mut() {
                findings.reverse();
            }
        }),
        ("salt-of-the-review-is-digested", |plan| plan.review["salt"] = json!("A".repeat(43))),
    ];
    for (name, change) in changes {
        let mut changed =
            Plan { header: plan.header.clone(), intent: plan.intent.clone(), review: plan.review.clone() };
        change(&mut changed);
        made.push(changed.vector(name)?);
    }
    let exchanged = Plan { intent: small.intent.clone(), ..plan };
    made.push(exchanged.vector("intent-of-another-plan")?);
    Category::new(
        "digests",
        "A header, an intent and a review, as received: their digests, whatever members they have [DIG-046], and whether intent and review are those of the header (`accepted`, or `refused` as `approval_hash_mismatch` [GATE-041]).",
        made,
    )
}

struct Plan {
    header: Value,
    intent: Value,
    review: Value,
}

impl Plan {
    async fn small() -> Result<Self> {
        let stage =
            Stage::set(Policy::always(Terms { rule: Rule::other_subject([]), ..Terms::same_subject() })).await?;
        let plan = stage.plan("a", json!(1)).await?.header.plan_id;
        let stored = stage.stored(plan)?;
        let member = |name: &str| stored.get(name).cloned().context("a plan that was stored");
        Ok(Self { header: member("header")?, intent: member("intent")?, review: member("review")? })
    }

    fn reverse(&mut self, list: &str) {
        if let Some(items) = self.intent.get_mut(list).and_then(Value::as_array_mut) {
            items.reverse();
        }
    }

    fn digests(&self) -> Result<[String; 3]> {
        let digest =
            |value: &Value| Ok::<_, anyhow::Error>(Document::from_value(value, &Limits::PLAN)?.digest().to_string());
        Ok([digest(&self.header)?, digest(&self.intent)?, digest(&self.review)?])
    }

    fn holds(&self) -> Result<bool> {
        let [_, intent, review] = self.digests()?;
        Ok(self.header["intentDigest"] == intent.as_str() && self.header["reviewDigest"] == review.as_str())
    }

    fn vector(&self, name: &str) -> Result<Vector> {
        let [plan, intent, review] = self.digests()?;
        let mut expect = json!({ "planDigest": plan, "intentDigest": intent, "reviewDigest": review });
        if self.holds()? {
            expect["verdict"] = json!("accepted");
        } else {
            expect["verdict"] = json!("refused");
            expect["reason"] = json!("approval_hash_mismatch");
        }
        let Self { header, intent, review } = self;
        Ok(Vector::new(name, json!({ "header": header, "intent": intent, "review": review }), expect))
    }
}
