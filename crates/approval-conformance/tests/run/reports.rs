//! What a person and a program read.

use approval_conformance::report::{self, Report, Terminal};
use approval_conformance::{Level, Options};

use crate::fake::{Fake, WILLING};

async fn small() -> Report {
    let options = Options { only: vec!["replay".to_owned(), "unasked".to_owned()], ..Options::default() };
    let mut report = Fake::new("while read line; do echo '<b>no json</b>'; done", WILLING).run(&options).await;
    // What is another each time.
    report.started_at = "2026-11-29T20:00:00Z".to_owned();
    report.milliseconds = 1234;
    report.memory = None;
    for check in &mut report.checks {
        check.milliseconds = 5;
        check.messages.iter_mut().for_each(|message| message.at = 1);
    }
    report
}

#[tokio::test]
async fn json_is_as_its_schema_says() {
    let report = small().await;
    let text = report::json(&report).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::validator_for(report::schema().as_value()).unwrap();
    assert!(
        validator.is_valid(&value),
        "{:?}",
        validator.iter_errors(&value).map(|e| e.to_string()).collect::<Vec<_>>()
    );
    assert!(!validator.is_valid(&serde_json::json!({})));
    let again: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(report::json(&again).unwrap(), text);
    insta::assert_snapshot!("json", text);
}

/// What `approval-conformance schema` prints is what stands in `conformance/`.
#[test]
fn schemas_are_fresh() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance");
    for (file, schema) in [
        ("driver/schema/request.json", approval_conformance::request_schema()),
        ("driver/schema/answer.json", approval_conformance::answer_schema()),
        ("report.schema.json", report::schema()),
    ] {
        let there = std::fs::read_to_string(root.join(file)).unwrap();
        let fresh = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        assert_eq!(there, fresh, "{file}: write it by `approval-conformance schema`");
    }
}

#[tokio::test]
async fn junit_tells_each_check() {
    insta::assert_snapshot!("junit", report::junit(&small().await).unwrap());
}

#[tokio::test]
async fn html_needs_nothing_else_and_runs_nothing() {
    let page = report::html(&small().await).unwrap();
    assert!(!page.contains("<b>no json"), "what a server said is text");
    assert!(page.contains("no json"));
    for word in ["<script", "http://", "https://", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
}

#[tokio::test]
async fn a_terminal_tells_what_to_do() {
    let report = small().await;
    let mut out = anstream::StripStream::new(Vec::new());
    let mut terminal = Terminal::new(&mut out, true);
    terminal.begin(report.checks.len()).unwrap();
    for check in &report.checks {
        terminal.done(check).unwrap();
    }
    terminal.end(&report).unwrap();
    insta::assert_snapshot!("terminal", String::from_utf8(out.into_inner()).unwrap());
}

#[test]
fn each_check_is_explained() {
    let mut out = Vec::new();
    assert!(report::explain(&mut out, "replay").unwrap().is_some());
    insta::assert_snapshot!("explain", String::from_utf8(out).unwrap());
    assert!(report::explain(&mut Vec::new(), "no-such").unwrap().is_none());
    let mut names = Vec::new();
    report::list(&mut names, Level::L2).unwrap();
    for line in String::from_utf8(names).unwrap().lines().take_while(|line| !line.is_empty()) {
        let id = line.split_whitespace().next().unwrap();
        assert!(report::explain(&mut Vec::new(), id).unwrap().is_some(), "{id}");
    }
}
