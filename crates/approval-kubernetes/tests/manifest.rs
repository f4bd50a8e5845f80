//! What the reader of manifests takes, what it refuses, and in which words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

use std::fmt::Write as _;

use approval_kubernetes::manifest::{Fault, read};
use serde_json::json;

#[test]
fn documents_are_read_in_their_order_with_their_lines() {
    let text = "\
# A comment, and an empty document.
---
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
data:
  answer: \"42\"
  text: |
    two
    lines
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  ratio: 0.5
  template:
    spec:
      containers:
      - {name: web, image: \"nginx:1.27\", command: [sh, -c, 'exit 0']}
...
";
    let manifests = read(text).unwrap();
    let [settings, web] = manifests.as_slice() else { panic!("{manifests:?}") };
    assert_eq!(
        (settings.group(), settings.version(), settings.kind(), settings.name(), settings.namespace(), settings.line()),
        ("", "v1", "ConfigMap", "settings", Some("shop"), 4)
    );
    assert_eq!(
        (web.api_version(), web.group(), web.version(), web.namespace(), web.line()),
        ("apps/v1", "apps", "v1", None, 15)
    );
    assert_eq!(settings.object()["data"], json!({"answer": "42", "text": "two\nlines\n"}));
    assert_eq!(
        web.object()["spec"],
        json!({"replicas": 3, "ratio": 0.5, "template": {"spec": {"containers": [
            {"name": "web", "image": "nginx:1.27", "command": ["sh", "-c", "exit 0"]},
        ]}}})
    );
}

#[test]
fn json_is_read_one_object_or_several() {
    let text = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a}\\\"\"}}".replace("a}\\\"", "a");
    let text = format!("\n{text}\n\t{}", text.replace("\"a\"", "\"b\""));
    let manifests = read(&text).unwrap();
    let found: Vec<_> = manifests.iter().map(|manifest| (manifest.name(), manifest.line())).collect();
    assert_eq!(found, [("a", 2), ("b", 3)]);
}

#[test]
fn lists_are_replaced_by_what_is_in_them() {
    let text = "\
apiVersion: v1
kind: List
metadata: {resourceVersion: \"\"}
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop}
- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}}
---
apiVersion: v1
kind: ConfigMapList
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: c}
";
    let manifests = read(text).unwrap();
    let found: Vec<_> = manifests.iter().map(|manifest| (manifest.kind(), manifest.name(), manifest.line())).collect();
    assert_eq!(found, [("Namespace", "shop", 5), ("Service", "web", 8), ("ConfigMap", "c", 13)]);
}

#[test]
fn a_mode_is_read_as_kubernetes_does_and_shown_both_ways() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  volumes:
  - name: keys
    secret: {secretName: keys, defaultMode: 0400, items: [{key: k, path: k, mode: 0o644}]}
  - name: other
    configMap: {name: c, defaultMode: 444}
";
    let manifests = read(text).unwrap();
    let shown: Vec<_> = manifests[0]
        .file_modes()
        .into_iter()
        .map(|mode| (mode.pointer.clone(), mode.to_string(), mode.is_probably_octal()))
        .collect();
    assert_eq!(
        shown,
        [
            ("/spec/volumes/0/secret/defaultMode".to_owned(), "0400 (256)".to_owned(), false),
            ("/spec/volumes/0/secret/items/0/mode".to_owned(), "0644 (420)".to_owned(), false),
            ("/spec/volumes/1/configMap/defaultMode".to_owned(), "0674 (444)".to_owned(), true),
        ]
    );
    // Anywhere else such a number is two numbers.
    let error = read(&text.replace("defaultMode", "other")).unwrap_err();
    assert!(matches!(error.fault(), Fault::Ambiguous { text, .. } if text == "0400"), "{error}");
    assert_eq!(error.line(), 7);
}

/// An object with more lines in it.
fn with(lines: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n{lines}\n")
}

/// Texts that are refused, and why they should be.
fn refused() -> Vec<(&'static str, String)> {
    let deep = |count: usize| format!("spec: {}{}", "[".repeat(count), "]".repeat(count));
    vec![
        ("nothing", String::new()),
        ("a comment", "# nothing\n---\n".to_owned()),
        ("null", "null".to_owned()),
        ("a scalar", "text".to_owned()),
        ("a sequence", "- a\n- b\n".to_owned()),
        ("no kind", "apiVersion: v1\nmetadata: {name: a}\n".to_owned()),
        ("no version", "kind: Pod\nmetadata: {name: a}\n".to_owned()),
        ("no metadata", "kind: Pod\napiVersion: v1\n".to_owned()),
        ("no name, in the second document", format!("{}---\nkind: Pod\napiVersion: v1\nmetadata: {{}}\n", with(""))),
        ("a name to be generated", "kind: Pod\napiVersion: v1\nmetadata: {generateName: a-}\n".to_owned()),
        ("a name that is a path", "kind: Pod\napiVersion: v1\nmetadata: {name: ../secrets/x}\n".to_owned()),
        ("a name that is a step", "kind: Pod\napiVersion: v1\nmetadata: {name: ..}\n".to_owned()),
        ("a number as a name", "kind: Pod\napiVersion: v1\nmetadata: {name: 12}\n".to_owned()),
        ("a namespace that is none", "kind: Pod\napiVersion: v1\nmetadata: {name: a, namespace: A/b}\n".to_owned()),
        ("a kind that is none", "kind: pods/exec\napiVersion: v1\nmetadata: {name: a}\n".to_owned()),
        ("a version that is none", "kind: Pod\napiVersion: a/b/c\nmetadata: {name: a}\n".to_owned()),
        ("the same object twice", format!("{}---\n{}", with(""), with(""))),
        ("a key twice", with("data:\n  a: x\n  b: z\n  a: z")),
        ("a key twice, once quoted", with("data: {a: x, \"\\x61\": z}")),
        ("a key twice, in JSON", "{\"kind\": \"Pod\",\n\"kind\": \"Job\"}".to_owned()),
        ("a boolean of YAML 1.1", with("data:\n  debug: no")),
        ("the same as a key", with("data:\n  on: x")),
        ("an octal number", with("spec:\n  number: 0777")),
        ("an octal number of YAML 1.2", with("spec: {number: 0o777}")),
        ("a binary number", with("spec: {number: 0b11}")),
        ("base 60", with("spec: {time: 1:30}")),
        ("underscores", with("spec: {number: 1_000}")),
        ("an exponent", with("spec: {number: 1e3}")),
        ("a date", with("spec: {date: 2026-11-30}")),
        ("infinity", with("spec: {number: .inf}")),
        ("a tilde", with("spec: {nothing: ~}")),
        ("a number as a key", with("data:\n  8080: x")),
        ("null as a key", with("data: {null: x}")),
        ("a mapping as a key", with("data:\n  ? {a: b}\n  : x")),
        ("an integer that doubles can't hold", with("spec: {number: 9007199254740993}")),
        ("an anchor", with("data: &all\n  a: x")),
        ("an alias", with("data: {a: *all}")),
        ("a merge key", with("data:\n  <<: {a: x}")),
        ("a tag", with("data: {a: !!binary eA==}")),
        ("a custom tag", with("data: {a: !python/object:os.system x}")),
        ("a directive", format!("%YAML 1.1\n---\n{}", with(""))),
        ("a document on the line of the separator", format!("{}--- {{a: b}}\n", with(""))),
        ("a key that looks like a separator", with("---a: b")),
        ("a second document after the end of the first", format!("{}...\n{}", with(""), with(""))),
        ("a separator within a text", with("data: {a: \"x\n---\ny\"}")),
        ("a tab as indentation", with("data:\n\ta: x")),
        ("broken quotes", with("data: {a: \"x}")),
        ("JSON that breaks off", "{\"kind\": \"Pod\"".to_owned()),
        ("a flow mapping as the whole text", "{kind: Pod, apiVersion: v1, metadata: {name: a}}".to_owned()),
        (
            "something after JSON",
            "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}\n---\n".to_owned(),
        ),
        ("NUL", with("data: {a: \"x\0y\"}")),
        ("NUL as an escape", with("data: {a: \"x\\0y\"}")),
        ("NUL in JSON", "{\"kind\":\n\"a\\u0000\"}".to_owned()),
        ("an escape sequence of a terminal", with("data: {a: \"\u{1b}[2J\"}")),
        ("a line separator", with("data: {a: x} # \u{2028}b: y")),
        ("a lone carriage return", with("data: {a: x} # \rb: y")),
        ("a byte-order mark", format!("\u{feff}{}", with(""))),
        ("a control character in a key", with("data: {\"a\\x07\": x}")),
        ("too deep", with(&deep(64))),
        ("much too deep", with(&deep(100_000))),
        (
            "a list in a list",
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: []}]\n".to_owned(),
        ),
        ("a list of something else", "apiVersion: v1\nkind: List\nitems:\n- x\n".to_owned()),
        ("a list with more", "apiVersion: v1\nkind: List\nitems: []\nspec: {}\n".to_owned()),
        ("an empty list", "apiVersion: v1\nkind: List\nitems: []\n".to_owned()),
        ("items outside a list", with("items: []")),
        ("a reserved member", with("data: {\"$serde_json::private::Number\": \"1\"}")),
        ("an item without a name", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n".to_owned()),
    ]
}

#[test]
fn each_refusal_names_document_line_and_cause() {
    let mut said = String::new();
    for (what, text) in refused() {
        let error = read(&text).expect_err(what);
        writeln!(said, "{what}:\n    {error}").unwrap();
    }
    insta::assert_snapshot!(said);
}

/// Without what was read, which is long.
fn is_refused(text: &str, why: impl Fn(&Fault) -> bool) -> bool {
    read(text).is_err_and(|error| why(error.fault()))
}

#[test]
fn depth_size_and_count_have_bounds_that_can_be_reached() {
    let deep = |count: usize| with(&format!("spec: {}{}", "[".repeat(count), "]".repeat(count)));
    assert!(read(&deep(63)).is_ok());
    assert!(is_refused(&deep(64), |fault| matches!(fault, Fault::TooDeep { limit: 64 })));

    let objects = |count: usize| {
        (0..count).fold(String::new(), |mut text, number| {
            write!(text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\n").unwrap();
            text
        })
    };
    assert_eq!(read(&objects(1000)).unwrap().len(), 1000);
    assert!(is_refused(&objects(1001), |fault| matches!(fault, Fault::TooManyObjects { limit: 1000 })));

    let json = |count: usize| {
        (0..count).fold(String::new(), |mut text, number| {
            let metadata = format!("{{\"name\":\"c{number}\"}}");
            writeln!(text, "{{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{metadata}}}").unwrap();
            text
        })
    };
    assert_eq!(read(&json(1000)).unwrap().last().unwrap().line(), 1000);
    // However many more there are, no more are read.
    assert!(is_refused(&json(30_000), |fault| matches!(fault, Fault::TooManyObjects { limit: 1000 })));

    let nodes = |count: usize| with(&format!("spec: [{}]", "0,".repeat(count)));
    // Root, version, kind, metadata, name and the sequence are values too.
    assert!(read(&nodes(200_000 - 6)).is_ok());
    assert!(is_refused(&nodes(200_000 - 5), |fault| matches!(fault, Fault::TooManyNodes { limit: 200_000 })));

    let long = with(&format!("data: {{a: {}}}", "x".repeat((2 << 20) - 100)));
    assert!(read(&long).is_ok());
    assert!(is_refused(&format!("{long}{}", " ".repeat(100)), |fault| matches!(fault, Fault::TooLarge { .. })));
}
