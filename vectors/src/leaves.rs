//! Secret leaves: commitments, documents with and without their secrets.

use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use approval_core::record::{RecordKind, SecretLeaf};
use approval_core::{Digest, ExecutionPermit};
use serde_json::{Value, json};

use crate::file::{Category, Vector};
use crate::gate::scene::{Base, Scene};
use crate::rich;
use crate::stage::{Agreeable, Doing, Stage, id};

/// [LEAF-002, LEAF-003, LEAF-005, LEAF-006]
pub(crate) async fn leaves() -> Result<Category> {
    let mut made = Vec::new();
    let counted = (0..32).collect::<Vec<u8>>();
    let nonce = base64_url(&counted);
    for (name, nonce, value) in [
        ("a-text", &nonce, json!("s3cret")),
        ("the-same-text-under-another-nonce", &"A".repeat(43), json!("s3cret")),
        ("another-text", &nonce, json!("s3creT")),
        ("the-empty-text", &nonce, json!("")),
        ("a-text-to-be-escaped", &nonce, json!("\"\\\u{1f}é\u{1f602}\n")),
        ("a-number", &nonce, json!(1234)),
        ("a-number-that-is-a-text", &nonce, json!("1234")),
        ("a-decimal", &nonce, json!(0.000_000_1)),
        ("true", &nonce, json!(true)),
        ("null", &nonce, Value::Null),
        ("an-array", &nonce, json!(["b", "a", []])),
        ("an-object", &nonce, json!({ "b": 1, "a": { "d": 2, "c": null } })),
    ] {
        let leaf =
            SecretLeaf { pointer: "/intent/arguments/x".to_owned(), nonce: nonce.parse()?, value: value.clone() };
        let input = json!({ "operation": "commit", "nonce": nonce, "value": value });
        made.push(Vector::new(format!("commit-to-{name}"), input, json!({ "commitment": leaf.commitment()? })));
    }
    replaced(&mut made).await?;
    restored(&mut made).await?;
    Category::new(
        "secret-leaves",
        "`commit`: a nonce and a value, and what stands in the value's place [LEAF-003]. `replace`: a document with its secrets, their pointers and nonces, and the document as it is digested and stored [LEAF-002]. `restore`: a stored intent and the leaves that are kept, and the document that is executed, or `integrity_failure` [LEAF-006]; what is not listed is data [LEAF-005].",
        made,
    )
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Intent and review of the plan that has every member, with the values put back to where they were named.
async fn replaced(made: &mut Vec<Vector>) -> Result<()> {
    let records = rich::records().await?;
    let leaves = records.find("secrets")?["leaves"].as_array().context("leaves")?.clone();
    for name in ["intent", "review"] {
        let after = records.find(name)?;
        let mut before = after.clone();
        let mut named = Vec::new();
        let prefix = format!("/{name}");
        for leaf in &leaves {
            let Some(pointer) = leaf["pointer"].as_str().and_then(|pointer| pointer.strip_prefix(&prefix)) else {
                continue;
            };
            *before.pointer_mut(pointer).context("a leaf's place")? = leaf["value"].clone();
            named.push(json!({ "pointer": pointer, "nonce": leaf["nonce"] }));
        }
        ensure!(before["secretLeaves"].as_array().map(Vec::len) == Some(named.len()), "{name} lists other leaves");
        ensure!(name != "intent" || before["arguments"] == rich::arguments(), "the arguments are others");
        let input = json!({ "operation": "replace", "document": before, "leaves": named });
        made.push(Vector::new(
            format!("replace-in-an-{name}").replace("an-review", "a-review"),
            input,
            json!({ "document": after }),
        ));
    }
    Ok(())
}

type Change = fn(&mut Value, &mut Value);

/// A stored intent, its leaves, and what the executor gets; each edit sealed and digested as if it had been planned so.
async fn restored(made: &mut Vec<Vector>) -> Result<()> {
    let cases: [(&str, bool, Change); 14] = [
        ("as-stored", true, |_, _| {}),
        ("commitment-at-a-place-that-is-not-listed", true, |intent, _| {
            intent["arguments"]["value"] = intent["arguments"]["token"].clone();
        }),
        ("leaf-no-longer-listed", false, |intent, _| {
            drop(intent.as_object_mut().map(|intent| intent.remove("secretLeaves")))
        }),
        ("leaf-that-nothing-names", false, |_, secrets| {
            let mut more = secrets["leaves"][0].clone();
            more["pointer"] = json!("/intent/arguments/value");
            secrets["leaves"].as_array_mut().map(|leaves| leaves.push(more)).unwrap_or_default();
        }),
        ("leaf-kept-twice", false, |_, secrets| {
            let more = secrets["leaves"][0].clone();
            secrets["leaves"].as_array_mut().map(|leaves| leaves.push(more)).unwrap_or_default();
        }),
        ("another-value", false, |_, secrets| secrets["leaves"][0]["value"] = json!("S3cret")),
        ("another-nonce", false, |_, secrets| secrets["leaves"][0]["nonce"] = json!("A".repeat(43))),
        ("value-missing", false, |_, secrets| secrets["leaves"] = json!([])),
        ("value-for-the-review-only", false, |_, secrets| {
            secrets["leaves"][0]["pointer"] = json!("/review/arguments/token");
        }),
        ("listed-place-holds-the-value-itself", false, |intent, _| intent["arguments"]["token"] = json!("s3cret")),
        ("listed-place-holds-another-commitment", false, |intent, _| {
            intent["arguments"]["token"] = json!({ "$secret": Digest::of_bytes(b"another") });
        }),
        ("listed-place-holds-more-than-a-commitment", false, |intent, _| {
            intent["arguments"]["token"]["more"] = json!(1)
        }),
        ("listed-place-holds-a-digest-alone", false, |intent, _| {
            intent["arguments"]["token"] = intent["arguments"]["token"]["$secret"].clone();
        }),
        ("listed-place-is-nowhere", false, |intent, secrets| {
            intent["secretLeaves"] = json!(["/arguments/tokens"]);
            secrets["leaves"][0]["pointer"] = json!("/intent/arguments/tokens");
        }),
    ];
    for (name, passes, change) in cases {
        let scene = Scene::set(Base::Requester).await?;
        let plan = scene.plan_id();
        let mut intent = scene.stage.record(RecordKind::Intent, plan)?;
        let mut secrets = scene.stage.record(RecordKind::Secrets, plan)?;
        change(&mut intent, &mut secrets);
        scene.plan_otherwise(&intent, &secrets)?;
        let seen = std::sync::Arc::new(Mutex::new(None));
        let shown = std::sync::Arc::clone(&seen);
        let executor = Doing(move |permit: ExecutionPermit| {
            let intent = serde_json::to_value(permit.plan().intent()).ok();
            *shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = intent;
            std::future::ready(approval_core::Report::of(approval_core::record::Outcome::Applied))
        });
        let asked = scene.stage.approvals.execute(&Stage::alice(), &id(&scene.plan), None, &Agreeable, &executor).await;
        let seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let expect = match (asked, seen) {
            (Ok(_), Some(document)) => json!({ "verdict": "restored", "document": document }),
            (Err(refusal), None) => json!({ "verdict": "refused", "reason": refusal.reason().code() }),
            _ => anyhow::bail!("`{name}`: the executor's part and the answer disagree"),
        };
        let reason = if passes { Value::Null } else { json!("integrity_failure") };
        ensure!(expect["reason"] == reason, "`{name}`: {expect}");
        let input = json!({ "operation": "restore", "intent": intent, "leaves": secrets["leaves"] });
        made.push(Vector::new(format!("restore-{name}"), input, expect));
    }
    Ok(())
}
