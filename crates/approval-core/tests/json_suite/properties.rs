//! What holds for all documents.

use approval_core::json::{Document, Limits};
use proptest::prelude::*;
use serde_json::Value;

use crate::texts;

const LIMITS: Limits = Limits::PLAN;

proptest! {
    #![proptest_config(texts::cases())]

    /// However a document is spelt, its canonical bytes are those that another implementation gives. [DIG-030] [DIG-032] [DIG-033]
    #[test]
    fn canonical_bytes_are_those_of_an_independent_implementation((value, text) in texts::spelt()) {
        let oracle = serde_jcs::to_string(&value).unwrap();
        let parsed = Document::parse(text.as_bytes(), &LIMITS).unwrap();
        prop_assert_eq!(parsed.as_str(), &oracle);
        let taken = Document::from_value(&value, &LIMITS).unwrap();
        prop_assert_eq!(&taken, &parsed);
        prop_assert_eq!(taken.digest(), parsed.digest());
    }

    /// [DIG-034]
    #[test]
    fn canonical_bytes_are_their_own_canonical_form((_, text) in texts::spelt()) {
        let once = Document::parse(text.as_bytes(), &LIMITS).unwrap();
        let exactly = Limits::new(once.as_bytes().len(), LIMITS.max_nodes());
        let twice = Document::parse(once.as_bytes(), &exactly).unwrap();
        prop_assert_eq!(once.into_bytes(), twice.into_bytes());
    }

    #[test]
    fn what_is_read_back_is_what_was_admitted((value, text) in texts::spelt()) {
        let document = Document::parse(text.as_bytes(), &LIMITS).unwrap();
        let read = document.to_value();
        prop_assert_eq!(&document.read::<Value>().unwrap(), &read);
        prop_assert_eq!(Document::from_value(&read, &LIMITS).unwrap(), document);
        // Numbers that are integers have become integers; all else is what it was.
        prop_assert_eq!(serde_jcs::to_string(&read).unwrap(), serde_jcs::to_string(&value).unwrap());
    }

    /// Wherever bytes and the value that another parser made of them are both admitted, they are the same document.
    #[test]
    fn bytes_and_value_agree(text in prop_oneof![texts::spelt().prop_map(|(_, text)| text.into_bytes()), texts::damaged(), texts::soup()]) {
        let Ok(parsed) = Document::parse(&text, &LIMITS) else { return Ok(()) };
        let value: Value = serde_json::from_slice(&text).unwrap();
        let misread = misread(&parsed.to_value(), &value)?;
        if let Ok(taken) = Document::from_value(&value, &LIMITS) && !misread {
            prop_assert_eq!(taken, parsed);
        }
    }

    #[test]
    fn names_sort_by_utf_16_code_units(mut names in prop::collection::btree_set(texts::string(), 2..40)) {
        names.retain(|name| !name.starts_with("$serde"));
        let value = Value::Object(names.iter().map(|name| (name.clone(), Value::Null)).collect());
        let document = Document::from_value(&value, &LIMITS).unwrap();
        let mut sorted: Vec<_> = names.into_iter().collect();
        sorted.sort_by_key(|name| name.encode_utf16().collect::<Vec<_>>());
        let members: Vec<_> = sorted.iter().map(|name| format!("{}:null", Value::from(name.as_str()))).collect();
        // serde_json escapes as JCS does.
        prop_assert_eq!(document.as_str(), format!("{{{}}}", members.join(",")));
    }
}

/// Whether the other value differs in the last digits of a number. As it's built here, serde_json misreads some decimals,
/// which is why there's a parser of our own. It may differ in nothing else.
fn misread(ours: &Value, other: &Value) -> Result<bool, TestCaseError> {
    let mut misread_one = false;
    match (ours, other) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            prop_assert!((a - b).abs() <= a.abs() * 1e-15, "{} {}", a, b);
            misread_one = a != b;
        }
        (Value::Array(a), Value::Array(b)) => {
            prop_assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(b) {
                misread_one |= misread(a, b)?;
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            prop_assert!(a.keys().eq(b.keys()));
            for (a, b) in a.values().zip(b.values()) {
                misread_one |= misread(a, b)?;
            }
        }
        (a, b) => prop_assert_eq!(a, b),
    }
    Ok(misread_one)
}
