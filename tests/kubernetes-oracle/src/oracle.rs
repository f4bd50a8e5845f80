use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Asks the program, and gives its answers in the order of the questions, each as it wrote it.
#[must_use]
pub fn ask(what: &str, questions: impl Iterator<Item = Value>) -> Vec<String> {
    let program = std::env::var_os("KUBERNETES_ORACLE").expect("KUBERNETES_ORACLE names the program");
    let mut asked = String::new();
    let mut count = 0;
    for question in questions {
        asked.push_str(&question.to_string());
        asked.push('\n');
        count += 1;
    }
    let mut child = Command::new(program)
        .arg(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(asked.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    let answers: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), count);
    answers
}
