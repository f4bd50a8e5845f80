//! Strict JSON, held against a lax parser of it.

use approval_core::json::{Document, Fault, Limits};
use fuzz::{corpus, explore};
use serde_json::{Value, json};

const LIMITS: Limits = Limits::ARGUMENTS;

/// Faults that every JSON parser refuses. The others are matters of strictness.
const FOR_ALL: [Fault; 6] = [
    Fault::ByteOrderMark,
    Fault::InvalidUtf8,
    Fault::LoneSurrogate,
    Fault::NotFinite,
    Fault::Syntax,
    Fault::TrailingData,
];

/// The corpus, and documents that were made to be hostile.
fn texts() -> Vec<Vec<u8>> {
    let mut texts = corpus("json");
    texts.extend((0..500).map(|index| hostile::case(0, index).text));
    texts
}

#[test]
fn what_is_admitted_reads_as_a_lax_parser_reads_it() {
    explore!(texts(), |input: &[u8]| {
        let lax = serde_json::from_slice::<Value>(input);
        match Document::parse(input, &LIMITS) {
            Ok(document) => {
                let lax = lax.expect("a lax parser takes what a strict one takes");
                assert!(lax.is_object());
                assert!(alike(&lax, &document.to_value()), "{lax} is not {}", document.as_str());
            }
            Err(refusal) if FOR_ALL.contains(&refusal.fault()) => {
                assert!(lax.is_err(), "{refusal}");
                assert!(refusal.offset().unwrap() <= input.len());
            }
            Err(refusal) if refusal.fault() == Fault::NotAnObject => {
                assert!(!lax.is_ok_and(|value| value.is_object()), "{refusal}");
            }
            Err(refusal) => assert!(refusal.offset().is_none_or(|offset| offset < input.len()), "{refusal}"),
        }
    });
}

/// Whether two values are the same but for the spelling of their numbers, and for how a lax parser rounds.
fn alike(lax: &Value, strict: &Value) -> bool {
    match (lax, strict) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            // In the last digit, where it has so many.
            (a - b).abs() <= b.abs() * 4.0 * f64::EPSILON + f64::from_bits(4)
        }
        (a, b) => a == b,
    }
}

#[test]
fn canonical_bytes_admit_to_themselves() {
    // [DIG-034]
    explore!(texts(), |input: &[u8]| {
        if let Ok(document) = Document::parse(input, &LIMITS) {
            assert_eq!(Document::parse(document.as_bytes(), &LIMITS).as_ref(), Ok(&document));
            assert_eq!(document.read::<Value>().unwrap(), document.to_value());
        }
    });
}

#[test]
fn a_value_is_admitted_as_its_text_is() {
    // [DIG-050]: which of several faults is named may differ, whether there is one may not.
    explore!(texts(), |input: &[u8]| {
        if let Ok(value) = serde_json::from_slice::<Value>(input) {
            let text = serde_json::to_vec(&value).unwrap();
            let (by_text, by_value) = (Document::parse(&text, &LIMITS), Document::from_value(&value, &LIMITS));
            match (by_text, by_value) {
                (Ok(by_text), Ok(by_value)) => assert_eq!(by_text, by_value),
                (Err(_), Err(_)) => {}
                (by_text, by_value) => panic!("{by_text:?}, but {by_value:?}: {value}"),
            }
        }
    });
}

#[test]
fn a_fault_in_a_value_is_found_by_its_pointer() {
    let fault = json!(9_007_199_254_740_993_u64);
    explore!(texts(), |input: &[u8]| {
        let Ok(document) = Document::parse(input, &LIMITS) else { return };
        let mut value = document.to_value();
        // Somewhere in the document, by what its bytes happen to be.
        let mut steps = input.iter().map(|byte| usize::from(*byte));
        let mut place = &mut value;
        while (place.is_object() || place.is_array()) && !is_empty(place) {
            place = nth(place, steps.next().unwrap_or_default());
        }
        *place = fault.clone();
        let refusal = match Document::from_value(&value, &LIMITS) {
            Err(refusal) => refusal,
            // The outermost object was empty, and isn't an object any more; anything else has to be refused.
            Ok(document) => panic!("{} was admitted", document.as_str()),
        };
        if value.is_object() {
            assert_eq!(refusal.fault(), Fault::IntegerOutOfRange, "{refusal}");
            assert_eq!(value.pointer(refusal.pointer().unwrap()), Some(&fault), "{refusal} {value}");
        }
    });
}

pub(crate) fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

pub(crate) fn nth(value: &mut Value, step: usize) -> &mut Value {
    match value {
        Value::Array(items) => {
            let step = step % items.len();
            &mut items[step]
        }
        Value::Object(members) => {
            let step = step % members.len();
            members.values_mut().nth(step).unwrap()
        }
        other => other,
    }
}
