//! The server's own readers, seals and gate against the specification's vectors (spec/v0/vectors).

use serde_json::Value;

use crate::check::{Check, Level, Scope};
use crate::driver::Op;
use crate::scene::Scene;
use crate::verdict::{Checked, Stop};

/// So many wrong answers are told of.
const TOLD: usize = 5;

/// A check of one file.
macro_rules! vectors {
    ($id:literal, $file:literal, $about:literal, $requirements:expr) => {
        Check {
            id: $id,
            level: Level::L2,
            scope: Scope::Shared,
            requirements: $requirements,
            case: None,
            tries: concat!("The server's own code is given each input of `", $file, "`: ", $about, "."),
            expects: "Each answer is the vector's `expect`, the whole of it; `null` is a vector that the server has no part for.",
            run: |scene| {
                Box::pin(async move { held(&scene, $file, include_str!(concat!("../../../vectors/", $file))).await })
            },
        }
    };
}

pub(super) const ALL: &[Check] = &[
    vectors!(
        "vectors-accepted-documents",
        "accepted-documents.json",
        "documents that are admitted, their canonical bytes and digests",
        &["DIG-010", "DIG-020", "DIG-025", "DIG-026", "DIG-030", "DIG-031", "DIG-032", "DIG-033", "DIG-034", "DIG-040"]
    ),
    vectors!(
        "vectors-refused-documents",
        "refused-documents.json",
        "documents that are refused, each with its reason and place",
        &[
            "DIG-002", "DIG-003", "DIG-010", "DIG-011", "DIG-012", "DIG-013", "DIG-014", "DIG-015", "DIG-016",
            "DIG-017", "DIG-020", "DIG-021", "DIG-022", "DIG-023", "DIG-025", "DIG-026", "DIG-027", "DIG-028"
        ]
    ),
    vectors!(
        "vectors-forms",
        "forms.json",
        "digests, timestamps, identifiers and salts, in their one form and in others",
        &["DIG-041", "DIG-130", "DIG-131", "DIG-132", "DIG-110", "REC-002", "REC-003"]
    ),
    vectors!(
        "vectors-digests",
        "digests.json",
        "headers, intents and reviews, and whether they belong together",
        &["DIG-040", "DIG-103", "GATE-041"]
    ),
    vectors!(
        "vectors-secret-leaves",
        "secret-leaves.json",
        "documents with secrets, without them, and with commitments that don't hold",
        &["LEAF-002", "LEAF-003", "LEAF-005", "LEAF-006", "LEAF-010"]
    ),
    vectors!(
        "vectors-records",
        "records.json",
        "records of each type, whole and with one fault each",
        &["REC-001", "REC-002", "REC-003", "REC-004", "REC-006", "REC-021", "REC-030", "DIG-045", "GATE-030"]
    ),
    vectors!(
        "vectors-seals",
        "seals.json",
        "records to seal under keys that are known, and sealed bytes to open, whole and tampered with",
        &[
            "SEAL-001", "SEAL-003", "SEAL-005", "SEAL-010", "SEAL-011", "SEAL-012", "SEAL-013", "SEAL-014", "SEAL-015",
            "SEAL-016"
        ]
    ),
    vectors!(
        "vectors-tags",
        "tags.json",
        "what is put under a tag, and the keys",
        &["SEAL-006", "SEAL-010", "SEAL-017", "DIG-123"]
    ),
    vectors!(
        "vectors-key-sets",
        "key-sets.json",
        "bytes that are a key set, and bytes that are none",
        &["KEYS-002", "KEYS-003", "KEYS-004"]
    ),
    vectors!(
        "vectors-envelopes",
        "envelopes.json",
        "payloads to sign, and envelopes to open, whole and wrong in each way",
        &["KEYS-010", "KEYS-020", "KEYS-021", "KEYS-022", "KEYS-023"]
    ),
    vectors!(
        "vectors-receipts",
        "receipts.json",
        "receipts, whole and wrong in each way",
        &[
            "RCPT-002", "RCPT-010", "RCPT-011", "RCPT-020", "RCPT-021", "RCPT-022", "RCPT-023", "RCPT-024", "RCPT-025",
            "RCPT-026"
        ]
    ),
    vectors!(
        "vectors-gate",
        "gate.json",
        "stored records, the world around them, and a request to execute",
        &[
            "GATE-001",
            "GATE-030",
            "GATE-031",
            "GATE-040",
            "GATE-041",
            "GATE-043",
            "GATE-050",
            "GATE-052",
            "GATE-060",
            "GATE-070",
            "GATE-080",
            "GATE-083",
            "GATE-090",
            "GATE-091",
            "GATE-092",
            "GATE-093",
            "GATE-094",
            "GATE-095",
            "GATE-100",
            "GATE-101",
            "GATE-103",
            "REC-040",
            "SEAL-007",
            "STORE-008",
            "ANCHOR-002",
            "ANCHOR-005",
            "ANCHOR-008"
        ]
    ),
    vectors!(
        "vectors-audit",
        "audit.json",
        "exports of an audit, edited, cut and whole, with and without keys and an anchor",
        &[
            "AUDIT-003",
            "AUDIT-010",
            "AUDIT-012",
            "AUDIT-013",
            "AUDIT-014",
            "AUDIT-015",
            "CKPT-001",
            "CKPT-002",
            "CKPT-010",
            "CKPT-011",
            "CKPT-012"
        ]
    ),
];

async fn held(scene: &Scene, file: &str, content: &'static str) -> Checked {
    #[derive(serde::Deserialize)]
    struct Answers {
        answers: Vec<Value>,
    }
    let content: Value = serde_json::from_str(content).map_err(|error| Stop::Fault(format!("{file}: {error}")))?;
    let vectors = content.get("vectors").and_then(Value::as_array).cloned().unwrap_or_default();
    let Answers { answers } = scene.op(Op::Vectors { file: file.to_owned(), content }).await?;
    if answers.len() != vectors.len() {
        return Err(Stop::Fault(format!("{} answers to the {} vectors of {file}", answers.len(), vectors.len())));
    }
    if answers.iter().all(Value::is_null) {
        return Err(Stop::NotTestable(format!("the server has no part for what {file} is about")));
    }
    let given = vectors.iter().zip(&answers).filter(|(_, answer)| !answer.is_null());
    let wrong: Vec<String> = given.filter_map(|(vector, answer)| complaint(vector, answer)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let told = wrong.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    Err(Stop::fail(format!("{} of {} vectors of {file}: {told}", wrong.len(), vectors.len())))
}

fn complaint(vector: &Value, answer: &Value) -> Option<String> {
    let expected = vector.get("expect").unwrap_or(&Value::Null);
    // By their canonical texts: 1 and 1.0 are one number.
    let canonical = |value: &Value| serde_jcs::to_string(value).unwrap_or_default();
    let (answer, expected) = (canonical(answer), canonical(expected));
    let name = vector.get("name").and_then(Value::as_str).unwrap_or_default();
    (answer != expected).then(|| format!("`{name}` was answered {} in place of {}", short(&answer), short(&expected)))
}

fn short(text: &str) -> String {
    const MOST: usize = 200;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}
