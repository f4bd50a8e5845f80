//! Reading records from documents, and what is said where one doesn't fit.

use std::collections::BTreeMap;

use approval_core::digest::Digest;
use approval_core::json::{Document, Limits, ReadError};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

fn read<T: DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    Document::parse(text.as_bytes(), &Limits::ARGUMENTS).unwrap().read()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plan {
    plan_id: String,
    steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    weights: BTreeMap<String, f64>,
    range: (i8, u16),
    digest: Digest,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    verb: Verb,
    precondition: Precondition,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Apply,
    Delete,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Precondition {
    None,
    Version(u64),
    Pair(String, bool),
    Object { uid: String, any: Option<Value> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Tagged {
    #[serde(rename = "a/v0")]
    A { n: i64 },
}

fn plan() -> Plan {
    Plan {
        plan_id: "p\"\\\n\u{1}é😂".into(),
        steps: vec![
            Step { verb: Verb::Apply, precondition: Precondition::None },
            Step { verb: Verb::Delete, precondition: Precondition::Version(7) },
            Step { verb: Verb::Apply, precondition: Precondition::Pair("a".into(), false) },
            Step {
                verb: Verb::Apply,
                precondition: Precondition::Object {
                    uid: String::new(),
                    any: Some(serde_json::json!({ "x": [1, -2, 0.5, null] })),
                },
            },
        ],
        comment: None,
        weights: BTreeMap::from([("\t".into(), 1.0), ("b".into(), 1e-7)]),
        range: (-128, 65535),
        digest: Digest::of_bytes(b""),
    }
}

#[test]
fn a_record_comes_back_as_it_was() {
    let document = Document::from_serialize(&plan(), &Limits::PLAN).unwrap();
    assert_eq!(document.read::<Plan>().unwrap(), plan());
    let tagged = Tagged::A { n: -5 };
    let document = Document::from_serialize(&tagged, &Limits::PLAN).unwrap();
    assert_eq!(document.as_str(), r#"{"n":-5,"type":"a/v0"}"#);
    assert_eq!(document.read::<Tagged>().unwrap(), tagged);
}

#[test]
fn what_doesnt_fit_is_named_with_its_place() {
    let good = Document::from_serialize(&plan(), &Limits::PLAN).unwrap().to_value();
    let mut seen = Vec::new();
    for (pointer, value) in [
        ("/planId", serde_json::json!(1)),
        ("/planId", Value::Null),
        ("/steps", serde_json::json!({})),
        ("/steps/0", serde_json::json!(["apply", "None"])),
        ("/steps/0", Value::Bool(true)),
        ("/steps/0/verb", Value::Bool(false)),
        ("/steps/0/verb", serde_json::json!("destroy\u{202e}\u{7}")),
        ("/steps/0/verb", serde_json::json!({ "apply": 1 })),
        ("/steps/0/precondition", serde_json::json!({ "Version": 1, "None": 2 })),
        ("/steps/0/precondition", serde_json::json!({})),
        ("/steps/0/precondition", serde_json::json!("Version")),
        ("/steps/1/precondition/Version", serde_json::json!(-1)),
        ("/steps/1/precondition/Version", serde_json::json!(0.5)),
        ("/steps/2/precondition/Pair", serde_json::json!(["a"])),
        ("/steps/2/precondition/Pair", serde_json::json!(["a", true, 1])),
        ("/steps/2/precondition/Pair/1", serde_json::json!("yes")),
        ("/steps/3/precondition/Object", serde_json::json!(["uid", null])),
        ("/weights/\t", serde_json::json!("heavy")),
        ("/range/0", serde_json::json!(-129)),
        ("/digest", serde_json::json!("sha256:00")),
        ("/digest", serde_json::json!([])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        let document = Document::from_value(&bad, &Limits::PLAN).unwrap();
        seen.push(document.read::<Plan>().unwrap_err().to_string());
    }
    seen.push(read::<BTreeMap<String, ()>>(r#"{ "nothing": 1 }"#).unwrap_err().to_string());
    let mut bad = good.clone();
    bad["steps"][1]["a~/b"] = Value::Null;
    seen.push(Document::from_value(&bad, &Limits::PLAN).unwrap().read::<Plan>().unwrap_err().to_string());
    let mut bad = good;
    bad["steps"][1].as_object_mut().unwrap().remove("verb");
    seen.push(Document::from_value(&bad, &Limits::PLAN).unwrap().read::<Plan>().unwrap_err().to_string());
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn an_error_has_the_pointer_of_its_value() {
    let error = read::<BTreeMap<String, Vec<u8>>>(r#"{"a/~b":[1,2,300]}"#).unwrap_err();
    assert_eq!(error.pointer(), "/a~1~0b/2");
    let error = read::<Tagged>(r#"{"n":1,"o":2,"type":"a/v0"}"#).unwrap_err();
    assert_eq!(error.to_string(), "unknown member `o`");
    let error = read::<Tagged>(r#"{"n":1,"type":"a/v1"}"#).unwrap_err();
    assert_eq!(error.to_string(), "at `/type`: unknown value `a/v1`, expected one of `a/v0`");
}

#[test]
fn members_that_nobody_asks_for_are_stepped_over() {
    #[derive(Deserialize)]
    struct Open {
        z: u8,
    }

    let text = r#"{"a":"}\"]\\","b":[[],{},{"c":[1,-2.5e-7,null]}],"d":true,"e":{"f":{}},"z":9}"#;
    assert_eq!(read::<Open>(text).unwrap().z, 9);
    read::<IgnoredAny>(text).unwrap();
    let values: BTreeMap<String, IgnoredAny> = read(text).unwrap();
    assert_eq!(values.len(), 5);
}

#[test]
fn numbers_are_read_exactly() {
    let numbers: BTreeMap<String, f64> =
        read(r#"{"a":9007199254740991,"b":-9007199254740991,"c":5e-324,"d":2.2250738585072014e-308,"e":0}"#).unwrap();
    assert_eq!(
        numbers.into_values().collect::<Vec<_>>(),
        [9_007_199_254_740_991.0, -9_007_199_254_740_991.0, 5e-324, 2.225_073_858_507_201_4e-308, 0.0]
    );
}
