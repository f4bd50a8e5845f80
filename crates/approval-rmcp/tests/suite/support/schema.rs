//! Holds every result against the schema that is listed for it.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static SCHEMA: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&approval_rmcp::output_schema().into()).unwrap());

/// The most bytes of a result.
const LIMIT: usize = 16 << 10;

/// Asserts what holds for every result of the profile, and returns its structured content.
pub(crate) fn assert_answers(mut result: Value) -> Value {
    assert!(result.to_string().len() <= LIMIT, "a result of {} bytes", result.to_string().len());
    let texts = result["content"].as_array().unwrap();
    assert_eq!(texts.len(), 2, "{result}");
    assert!(texts.iter().all(|text| text["type"] == "text"), "{result}");
    let (sentence, mirror) = (texts[0]["text"].as_str().unwrap(), texts[1]["text"].as_str().unwrap());
    let mirror: Value = serde_json::from_str(mirror).unwrap();
    let answer = &result["structuredContent"];
    for answer in [answer, &mirror] {
        let faults: Vec<_> = SCHEMA.iter_errors(answer).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{answer}: {faults:?}");
    }
    if mirror.get("omitted").is_none() {
        assert_eq!(*answer, mirror);
    }
    let is_error = match answer["kind"].as_str().unwrap() {
        "plan" | "challenge" | "status" => false,
        "execution" => answer["outcome"] != "applied",
        "refusal" => true,
        kind => panic!("{kind}"),
    };
    assert_eq!(result["isError"], is_error, "{result}");
    if let Some(next) = answer.get("next") {
        assert!(sentence.contains(next["tool"].as_str().unwrap()), "{sentence}");
    }
    result["structuredContent"].take()
}
