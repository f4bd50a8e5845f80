//! The same literal digests, asserted in every build. What each feature of serde_json does to a careless program is
//! shown first, so that a build without the feature can't pass for one with it.

#![cfg(test)]

use std::collections::BTreeMap;

use approval_core::json::{Document, Fault, Inadmissible, Limits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const LIMITS: &Limits = &Limits::ARGUMENTS;

/// `sha256sum` of `{"a":[1,0.1,1e-7,-5],"b":{"c":9007199254740991},"d":"x"}`.
const NUMBERS: &str = "sha256:410237154753738080ad3565058c97ac9b174e7a2282b8fb20986532d2983334";

/// `sha256sum` of `{"a":["1",true,null],"b":{"c":"é"}}`.
const NO_NUMBERS: &str = "sha256:9843d155c3cab3ca521a729790c960604a3172b2c058e3f8e65c30865762d2c8";

const NUMBER: &str = "$serde_json::private::Number";
const RAW_VALUE: &str = "$serde_json::private::RawValue";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    d: String,
    b: BTreeMap<String, u64>,
    a: (u8, f64, f64, i8),
}

fn record() -> Record {
    Record {
        d: "x".into(),
        b: BTreeMap::from([("c".into(), 9_007_199_254_740_991)]),
        a: (1, 0.1, 1e-7, -5),
    }
}

fn numbers() -> Value {
    json!({ "d": "x", "b": { "c": 9_007_199_254_740_991_u64 }, "a": [1, 0.1, 1e-7, -5] })
}

#[track_caller]
fn refused(result: Result<Document, Inadmissible>, fault: Fault) {
    assert_eq!(result.map_err(|error| error.fault()), Err(fault));
}

#[test]
fn the_build_has_the_features_that_it_is_said_to_have() {
    let read = |name: &str| serde_json::from_str::<Value>(&format!("{{\"{name}\":\"1\"}}"));
    let special = |name: &str| !read(name).is_ok_and(|value| value.is_object());
    assert_eq!(special(NUMBER), cfg!(feature = "arbitrary-precision"));
    assert_eq!(special(RAW_VALUE), cfg!(feature = "raw-value"));
    let order: Vec<_> = json!({ "b": 1, "a": 2 })
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(order == ["b", "a"], cfg!(feature = "preserve-order"));
}

#[test]
fn texts_and_records_have_the_same_digests() {
    let text = r#"{ "d": "x", "b": { "c": 9007199254740991 }, "a": [1.0, 0.10, 1e-7, -5] }"#;
    let parsed = Document::parse(text.as_bytes(), LIMITS).unwrap();
    assert_eq!(parsed.digest().to_string(), NUMBERS);
    assert_eq!(parsed.read::<Record>().unwrap(), record());
    assert_eq!(Document::from_serialize(&record(), LIMITS).unwrap(), parsed);
    assert_eq!(parsed.to_value(), numbers());
}

#[test]
fn values_without_numbers_have_the_same_digests() {
    let value = json!({ "b": { "c": "é" }, "a": ["1", true, null] });
    let taken = Document::from_value(&value, LIMITS).unwrap();
    assert_eq!(taken.digest().to_string(), NO_NUMBERS);
    assert_eq!(taken.to_value(), value);
}

#[test]
fn values_with_numbers_have_the_same_digests_or_are_refused() {
    let taken = Document::from_value(&numbers(), LIMITS);
    if cfg!(feature = "arbitrary-precision") {
        // [DIG-053]
        let error = taken.unwrap_err();
        assert_eq!(
            (error.code(), error.pointer()),
            (
                "arbitrary_precision",
                Some(if cfg!(feature = "preserve-order") {
                    "/b/c"
                } else {
                    "/a/0"
                })
            )
        );
    } else {
        assert_eq!(taken.unwrap().digest().to_string(), NUMBERS);
    }
}

#[test]
fn names_that_serde_json_obeys_are_refused() {
    // [DIG-027]
    for name in [NUMBER, RAW_VALUE] {
        let text = format!("{{\"n\":{{\"{name}\":\"1\"}}}}");
        refused(
            Document::parse(text.as_bytes(), LIMITS),
            Fault::ReservedName,
        );
        let value = json!({ "n": { name: "1" } });
        refused(Document::from_value(&value, LIMITS), Fault::ReservedName);
        refused(
            Document::from_serialize(&BTreeMap::from([(name, "1")]), LIMITS),
            Fault::ReservedName,
        );
    }
}

#[cfg(feature = "raw-value")]
#[test]
fn raw_text_in_a_record_is_refused() {
    #[derive(Serialize)]
    struct Raw {
        raw: Box<serde_json::value::RawValue>,
    }

    let raw = serde_json::value::RawValue::from_string("1.0".into()).unwrap();
    refused(
        Document::from_serialize(&Raw { raw }, LIMITS),
        Fault::ReservedName,
    );
}
