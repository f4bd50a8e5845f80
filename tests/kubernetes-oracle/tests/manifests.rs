//! What our reader of manifests takes, Kubernetes' own reader takes for the same. What ours refuses is another matter: it is
//! stricter on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

use std::fs;

use approval_core::json::{Document, Limits};
use approval_kubernetes::manifest::read;
use kubernetes_oracle::{Numbers, ask, fixtures};
use serde_json::{Value, json};

/// Reads texts with both, and says how many both took. What Kubernetes refuses, nobody takes for something else.
fn compare(texts: &[String]) -> usize {
    let ours: Vec<_> = texts.iter().filter_map(|text| Some((text, read(text).ok()?))).collect();
    let answers = ask("manifests", ours.iter().map(|(text, _)| json!(text)));
    let mut taken = 0;
    let mut otherwise = Vec::new();
    for ((text, manifests), answer) in ours.iter().zip(answers) {
        // By our own strict reader of JSON, which gives each number its one form.
        let answer = Document::parse(answer.as_bytes(), &Limits::PLAN).unwrap().to_value();
        let Some(objects) = answer["objects"].as_array() else { continue };
        let expected: Vec<_> = objects.iter().flat_map(expanded).collect();
        let found: Vec<_> = manifests.iter().map(|manifest| Value::Object(manifest.object().clone())).collect();
        if found == expected {
            taken += 1;
        } else {
            otherwise.push(format!("{text:?}\n  we: {}\n  Kubernetes: {}", json!(found), json!(expected)));
        }
    }
    otherwise.sort_by_key(String::len);
    otherwise.truncate(20);
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    taken
}

/// What a list holds, or the object.
fn expanded(object: &Value) -> Vec<Value> {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match object["items"].as_array() {
        Some(items) if is_list => items.clone(),
        _ => vec![object.clone()],
    }
}

fn with(lines: &str) -> String {
    format!("apiVersion: v1\nkind: Thing\nmetadata: {{name: a}}\n{lines}\n")
}

#[test]
fn fixtures_are_read_alike() {
    let texts: Vec<_> = fixtures().iter().map(|fixture| fs::read_to_string(&fixture.path).unwrap()).collect();
    assert_eq!(compare(&texts), texts.len());
}

/// What numbers, booleans, dates and indicators are made of.
const LETTERS: &[u8] = b"0123789abefnoxyINTZ_.+-:~=<#?*&!%@ ";

#[test]
fn short_plain_scalars_are_read_alike() {
    let mut texts = Vec::new();
    for length in 1..=3_u32 {
        for number in 0..LETTERS.len().pow(length) {
            let letters = (0..length).map(|place| LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()]);
            let scalar: String = letters.map(char::from).collect();
            texts.push(with(&format!("value: {scalar}")));
            if length < 3 {
                texts.push(with(&format!("{scalar}: value")));
                texts.push(with(&format!("flow: [{scalar}, {{k: {scalar}}}]\nmode: {scalar}")));
            }
        }
    }
    let taken = compare(&texts);
    assert!(taken > texts.len() / 4, "{taken} of {}", texts.len());
    println!("{taken} of {} texts", texts.len());
}

#[test]
fn longer_plain_scalars_are_read_alike() {
    let mut numbers = Numbers::from_seed(1);
    let parts = [
        "0", "1", "7", "9", "12", "2026", "11", "30", "59", "60", "0x", "0X", "0o", "0b", "_", "__", ".", "-", "+",
        ":", "e", "E", "e+", "e-5", "T", "Z", "t", "inf", "nan", ".inf", ".NaN", "yes", "No", "on", "OFF", "true",
        "null", "y", "a", "f", " ",
    ];
    let texts: Vec<_> = (0..60_000)
        .map(|_| {
            let scalar: String = (0..=numbers.below(7)).map(|_| numbers.one_of(&parts)).collect();
            with(&format!("value: {scalar}\nlist:\n- {scalar}\nflow: {{{scalar}: [{scalar}]}}\nmode: {scalar}"))
        })
        .collect();
    let taken = compare(&texts);
    assert!(taken > texts.len() / 20, "{taken} of {}", texts.len());
    println!("{taken} of {} texts", texts.len());
}

/// Lines and pieces of lines of which texts are made that are nearly manifests.
const PIECES: [&str; 66] = [
    "a: b",
    "b:",
    "c: |",
    "d: >-",
    "e: >+",
    "f: |2",
    "g: \"x",
    "y\"",
    "h: 'it''s",
    "z'",
    "- a",
    "-",
    "- - b",
    "- c: d",
    "? k",
    ": v",
    "[",
    "]",
    "{",
    "}",
    "[a, b]",
    "{a: b, c: [d]}",
    ",",
    "# comment",
    " # comment",
    "\n",
    "\n",
    "\n",
    "\n",
    "\n",
    "\n",
    "\n",
    "\n  ",
    "\n  ",
    "\n  ",
    "\n    ",
    "\n    ",
    "\n      ",
    "\n\n",
    "\r\n",
    "\r\n  ",
    "\t",
    "\n\t",
    " ",
    "  ",
    "---",
    "\n---\n",
    "\n--- # c\n",
    "\n...\n",
    "plain text",
    "more",
    "a:b",
    "x#y",
    "\"\\n\"",
    "\"\\u00e9\\\\\"",
    "\"\\/\"",
    "\"\\x41\\\n  b\"",
    "é",
    "🦀",
    "'",
    "\"",
    "key with spaces: v",
    "null",
    "mode: 0644",
    "items: []",
    "i: \"a\n\n  b\"",
];

#[test]
fn structures_are_read_alike() {
    let mut numbers = Numbers::from_seed(2);
    let texts: Vec<_> = (0..60_000)
        .map(|_| {
            let body: String = (0..=numbers.below(9)).map(|_| numbers.one_of(&PIECES)).collect();
            if numbers.below(2) == 0 { with(&body) } else { with(&format!("spec:\n  {body}")) }
        })
        .collect();
    let taken = compare(&texts);
    assert!(taken > texts.len() / 20, "{taken} of {}", texts.len());
    println!("{taken} of {} texts", texts.len());
}

#[test]
fn json_is_read_alike() {
    let mut numbers = Numbers::from_seed(3);
    let pieces = [
        "1",
        "-0",
        "1.5",
        "1e3",
        "1E-7",
        "123456789012",
        "0.1",
        "\"x\"",
        "\"\\u00e9\\ud83e\\udd80\"",
        "\"\\/\\b\\f\\n\"",
        "null",
        "true",
        "[]",
        "{}",
        "[1, 2]",
        "{\"a\": 1}",
        "{\"a\": [null]}",
        "\"\u{7ff}\"",
        "\"\t\"",
        "[[]]",
    ];
    let texts: Vec<_> = (0..20_000)
        .map(|number| {
            let object = |name: usize, value: &str| {
                format!(
                    "{{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{{\"name\":\"a{name}\"}},\"v\":{value}}}"
                )
            };
            let objects: Vec<_> = (0..=number % 3).map(|name| object(name, numbers.one_of(&pieces))).collect();
            objects.join(numbers.one_of(&["", "\n", " \t\r\n"]))
        })
        .collect();
    let taken = compare(&texts);
    assert!(taken > texts.len() / 2, "{taken} of {}", texts.len());
}
