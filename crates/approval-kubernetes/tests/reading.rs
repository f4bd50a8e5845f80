//! The reader of manifests, on whatever it may be given.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

use std::fmt::Write as _;

use approval_core::json::{Document, Limits};
use approval_kubernetes::manifest::read;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A text that is hard on readers of YAML, or any.
fn text() -> impl Strategy<Value = String> {
    let hard = [
        "",
        "no",
        "Yes",
        "~",
        "null",
        "0777",
        "0o17",
        "1:30",
        "1_000",
        "1e3",
        "2026-11-30",
        ".inf",
        "<<",
        "=",
        "- a",
        "a: b",
        "# c",
        "&a",
        "*a",
        "!!str",
        "%",
        "@",
        "`",
        "|",
        ">",
        "'",
        "\"",
        "\\",
        " a",
        "a ",
        "\t",
        "a\nb",
        "\n",
        "a\n\nb\n",
        "---",
        "...",
        "{}",
        "[]",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{1b}",
        "\u{202e}",
        "🦀",
        "true",
        "-",
        "?",
        ":",
        "key: value\n  more",
    ];
    prop_oneof![
        3 => prop::sample::select(hard.to_vec()).prop_map(str::to_owned),
        2 => "[ -~]{0,12}",
        1 => any::<String>().prop_map(|text| text.replace('\0', "")),
    ]
}

/// A key has no control characters in it.
fn key() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.chars().filter(|character| !character.is_control()).collect())
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>()
            .prop_filter("a number that has a canonical form", |number| {
                Document::from_value(&json!({ "n": number }), &Limits::ARGUMENTS).is_ok()
            })
            .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool), number(), text().prop_map(Value::String),];
    leaf.prop_recursive(5, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// What the canonical form makes of a value: `1.0` is `1`.
fn canonical(value: &Value) -> Value {
    Document::from_value(value, &Limits::ARGUMENTS).unwrap().to_value()
}

/// In block style, with every text in double quotes, as a careful writer has it.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                write!(out, "\n{pad}{}:", quoted(name)).unwrap();
                yaml(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(out, "\n{pad}-").unwrap();
                yaml(item, indent + 2, out);
            }
        }
        Value::String(text) => write!(out, " {}", quoted(text)).unwrap(),
        Value::Number(number) => write!(out, " {}", plain(number)).unwrap(),
        other => write!(out, " {other}").unwrap(),
    }
}

/// A number as YAML 1.1 and 1.2 have it in common: an exponent stands behind a point, and has a sign.
fn plain(number: &serde_json::Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// In double quotes, with an escape for all that isn't plain ASCII.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}").unwrap(),
            ' '..='~' => out.push(character),
            _ => write!(out, "\\U{:08x}", u32::from(character)).unwrap(),
        }
    }
    out + "\""
}

/// JSON with an escape for all that isn't plain ASCII, which stands in texts alone.
fn ascii(json: &str) -> String {
    let mut out = String::new();
    for character in json.chars() {
        match character {
            '\n' | ' '..='~' => out.push(character),
            _ => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write!(out, "\\u{unit:04x}").unwrap()),
        }
    }
    out
}

fn object(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
}

/// Pieces of which texts are made that are nearly manifests.
const PIECES: [&str; 46] = [
    "apiVersion: v1\n",
    "kind: Pod\n",
    "kind: List\n",
    "metadata:\n",
    "  name: a\n",
    "metadata: {name: b}\n",
    "items:\n",
    "- ",
    "  ",
    "spec:\n",
    "data: |\n",
    "data: >-\n",
    "a: b\n",
    "? ",
    ": ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "&x ",
    "*x",
    "<<: ",
    "!!str ",
    "!t ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "\\",
    "#",
    "\n",
    "\r\n",
    "\t",
    "0777",
    "no",
    "1e3",
    "\u{feff}",
    "\u{85}",
    "\0",
    "\\u0000",
    "mode: 0644\n",
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}",
    "é",
    "🦀",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_the_reader_panic(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn nothing_that_is_nearly_a_manifest_does(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn json_and_yaml_read_the_same(spec in value()) {
        let object = object(&spec);
        let expected = canonical(&object);
        let json = read(&ascii(&object.to_string())).unwrap();
        prop_assert_eq!(&Value::Object(json[0].object().clone()), &expected);
        let pretty = read(&ascii(&serde_json::to_string_pretty(&object).unwrap())).unwrap();
        prop_assert_eq!(&Value::Object(pretty[0].object().clone()), &expected);
        let mut text = String::new();
        yaml(&object, 0, &mut text);
        let yaml = read(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(&Value::Object(yaml[0].object().clone()), &expected, "{}", text);
    }

    #[test]
    fn a_plain_text_is_itself_or_refused(text in "[A-Za-z0-9_.+:~=<-]{1,12}") {
        let manifest = format!("apiVersion: v1\nkind: Thing\nmetadata: {{name: a}}\nvalue: {text}\n");
        let Ok(manifests) = read(&manifest) else { return Ok(()) };
        let value = &manifests[0].object()["value"];
        let is_same = match value {
            Value::String(read) => *read == text,
            Value::Bool(read) => text.to_lowercase() == read.to_string(),
            Value::Null => text == "null",
            Value::Number(number) => text.parse::<f64>().is_ok_and(|text| number.as_f64() == Some(text)),
            // `a:` is a mapping.
            Value::Object(_) => text.ends_with(':'),
            // `-` is a sequence.
            Value::Array(_) => text == "-",
        };
        prop_assert!(is_same, "{text} is {value}");
    }
}

/// What is read can be digested, and what is refused is refused on a line of the text.
fn check(text: &str) {
    match read(text) {
        Ok(manifests) => {
            assert!(!manifests.is_empty());
            for manifest in manifests {
                let object = Value::Object(manifest.object().clone());
                assert_eq!(canonical(&object), object);
                assert_eq!(object["metadata"]["name"], manifest.name());
                assert!(manifest.line() <= text.lines().count());
            }
        }
        Err(error) => {
            assert!(error.line() >= 1 && error.line() <= text.lines().count() + 1, "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
}
