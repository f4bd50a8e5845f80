//! The schemas that are listed (profile.md, 4.2, 4.4 and section 5).

use serde_json::{Value, json};

use crate::check::{Check, Level, Scope, run};
use crate::oracle::{Schemas, complaints};
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "inputs-are-closed",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-012"],
        case: None,
        tries: "The input schemas of the four tools are held against arguments that their tables have, and that they don't have.",
        expects: "They admit the ones and not the others: closed, `planId` required.",
        run: run!(inputs),
    },
    Check {
        id: "one-output-schema",
        level: Level::L1,
        scope: Scope::SharedEach,
        requirements: &["WIRE-030", "WIRE-011", "WIRE-012"],
        case: None,
        tries: "The output schemas of all gated tools and of the four are compared, and held against answers of each kind, and against what is none.",
        expects: "They are one schema, with a root of `\"type\": \"object\"`, which admits each of the five and, being closed, nothing with a member more.",
        run: run!(outputs),
    },
];

const PLAN: &str = "019b76da-a800-7bfa-b505-9be7821a2c63";
const DIGEST: &str = "sha256:6926743e6611e69d70d02dfefee1d1fc193edf9d3252ac387436edf1db976b4d";

async fn inputs(scene: &Scene) -> Checked {
    let listing = scene.agent().await?.list().await?;
    let names = &listing.names;
    for (name, takes_digest, takes_wait) in [
        (&names.challenge, true, false),
        (&names.status, false, true),
        (&names.execute, true, false),
        (&names.cancel, false, false),
    ] {
        let tool = listing.tool(name).ok_or_else(|| Stop::fail(format!("`{name}` isn't listed")))?;
        let schema = tool.get("inputSchema").ok_or_else(|| Stop::fail(format!("`{name}` has no `inputSchema`")))?;
        let validator = Schemas::listed(schema);
        let validator = validator.map_err(|error| Stop::fail(format!("the `inputSchema` of `{name}`: {error}")))?;
        let tried = [
            (json!({"planId": PLAN}), true),
            (json!({"planId": PLAN, "planDigest": DIGEST}), takes_digest),
            (json!({"planId": PLAN, "waitSeconds": 0}), takes_wait),
            (json!({"planId": PLAN, "waitSeconds": 60}), takes_wait),
            (json!({"planId": PLAN, "waitSeconds": -1}), false),
            (json!({"planId": PLAN, "waitSeconds": 1.5}), false),
            (json!({"planId": PLAN, "waitSeconds": "1"}), false),
            (json!({"planId": PLAN, "planDigest": 1}), false),
            (json!({"planId": PLAN, "planDigest": null}), false),
            (json!({"planId": PLAN, "approved": true}), false),
            (json!({"planId": 1}), false),
            (json!({"planId": null}), false),
            (json!({}), false),
        ];
        for (arguments, is_good) in tried {
            let found = complaints(&validator, &arguments);
            ensure(found.is_empty() == is_good, || {
                let verb = if is_good { "doesn't admit" } else { "admits" };
                format!("the `inputSchema` of `{name}` {verb} {arguments} {found:?}")
            })?;
        }
    }
    Ok(())
}

async fn outputs(scene: &Scene) -> Checked {
    let listing = scene.agent().await?.list().await?;
    let ours = |tool: &&Value| {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        listing.is_gated(tool) || listing.names.all().contains(&name)
    };
    let mut all = listing.tools.iter().filter(ours);
    let first = all.next().and_then(|tool| tool.get("outputSchema"));
    let first = first.ok_or_else(|| Stop::fail("the first gated tool has no `outputSchema`"))?;
    for tool in all {
        ensure(tool.get("outputSchema") == Some(first), || {
            format!(
                "the `outputSchema` of {} is another one than the first gated tool's",
                tool.get("name").cloned().unwrap_or_default()
            )
        })?;
    }
    ensure(first.get("type").and_then(Value::as_str) == Some("object"), || {
        format!("the root of the `outputSchema` is of type {:?}", first.get("type"))
    })?;
    let validator = Schemas::listed(first).map_err(|error| Stop::fail(format!("the `outputSchema`: {error}")))?;
    for answer in answers() {
        // What the harness holds for an answer of the profile, it has to be.
        if let Some(complaint) = scene.world().schemas().answer(&answer).into_iter().next() {
            return Err(Stop::Fault(format!("an answer of the harness's own isn't one: {complaint}: {answer}")));
        }
        let kind = answer.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(complaint) = complaints(&validator, &answer).into_iter().next() {
            return Err(Stop::fail(format!("the `outputSchema` doesn't admit this {kind}: {complaint}: {answer}")));
        }
        for (member, value) in [("approved", json!(true)), ("planId", Value::Null), ("kind", json!("success"))] {
            let mut other = answer.clone();
            if let Some(other) = other.as_object_mut() {
                other.insert(member.to_owned(), value.clone());
            }
            ensure(!complaints(&validator, &other).is_empty(), || {
                format!("the `outputSchema` admits a {kind} whose `{member}` is {value}: it isn't closed")
            })?;
        }
    }
    Ok(())
}

/// One of each kind, with as many members as it may have.
fn answers() -> Vec<Value> {
    let time = "2026-11-29T20:08:45.000Z";
    let (id, claim) = ("AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBA");
    let text = |source: &str| json!({"source": source, "text": "words"});
    let next = |tool: &str| json!({"tool": tool, "arguments": {"planId": PLAN, "planDigest": DIGEST}});
    let header = json!({
        "type": "mutation-approval/plan/v0",
        "planId": PLAN,
        "audience": "urn:uuid:019b76da-a800-7bfa-b505-9be7821a2c63",
        "requester": {"person": "somebody", "issuer": "urn:mutation-approval:local", "subject": "somebody"},
        "intentDigest": DIGEST,
        "reviewDigest": DIGEST,
        "policy": {
            "type": "mutation-approval/policy/v0",
            "rule": {"kind": "quorum", "required": 2, "groups": ["a", "b"]},
            "limits": {
                "planSeconds": 3600, "challengeSeconds": 900, "approvalSeconds": 900, "coolDownSeconds": 900,
                "leaseSeconds": 30, "executionSeconds": 300, "gateAttempts": 50, "openPlans": 20,
            },
            "requesterReadsTarget": true,
        },
        "enforcement": {"isolation": "separate", "rollback": "shared", "requesterAssurance": "verified-token"},
        "createdAt": time,
        "expiresAt": "2026-11-29T21:08:45.000Z",
    });
    vec![
        json!({
            "kind": "plan", "planId": PLAN, "planDigest": DIGEST, "header": header, "headline": "words",
            "findings": [{"code": "no-preview", "severity": "warn", "text": "words"}],
            "steps": [text("server")],
            "warnings": [{"code": "unresolved-attempt", "planId": PLAN, "outcome": "unknown"}],
            "changes": [{"object": "a thing", "before": null, "after": {"any": [1, "value"]}}],
            "omitted": {"members": ["changes"], "page": "https://approvals.example/plans/1"},
            "next": next("approval_challenge"),
        }),
        json!({
            "kind": "challenge", "planId": PLAN, "planDigest": DIGEST, "challengeId": id,
            "url": "https://approvals.example/plans/1", "state": "awaiting_approval",
            "createdAt": time, "expiresAt": time,
            "next": {"tool": "approval_status", "arguments": {"planId": PLAN, "waitSeconds": 25}},
        }),
        json!({
            "kind": "status", "planId": PLAN, "planDigest": DIGEST, "state": "cancelled", "cause": "withdrawn",
            "expiresAt": time, "challengeExpiresAt": time, "approvalExpiresAt": time, "approvals": 1,
            "approvalsRequired": 2,
        }),
        json!({
            "kind": "execution", "planId": PLAN, "planDigest": DIGEST, "claimId": claim, "outcome": "partial",
            "replayed": true, "claimedAt": time, "settledAt": time,
            "steps": [{"outcome": "applied"}, {"outcome": "failed", "code": "a-code"}],
            "resultDigest": DIGEST, "toolResult": {"content": []},
            "omitted": {"members": ["steps"], "page": "https://approvals.example/plans/1"},
        }),
        json!({"kind": "refusal", "reason": "payload_invalid", "retry": "never", "member": "planId"}),
    ]
}
