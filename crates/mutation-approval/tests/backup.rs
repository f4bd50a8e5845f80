//! `mutation-approval backup`, and an installation that is put back from it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod kit;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kit::{ok, run};
use tempfile::tempdir;

fn files(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in directory.read_dir().unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} is its owner's alone", entry.path().display());
        files.push(entry.file_name().into_string().unwrap());
    }
    files.sort();
    files
}

#[test]
fn an_installation_that_is_put_back_goes_on_where_it_was() {
    let directory = tempdir().unwrap();
    let [state, copy, whole] = ["state", "copy", "whole"].map(|name| directory.path().join(name));
    ok(&state, &["keygen"]);
    ok(&state, &["pause"]);
    let said = ok(&state, &["backup", copy.to_str().unwrap()]);
    assert!(said.ends_with("without its keys: keep those elsewhere\n"), "{said}");
    assert_eq!(files(&copy), ["anchor.jsonl", "instance.json", "keys", "store.sqlite3"]);
    assert_eq!(files(&copy.join("keys")), [""; 0]);
    let refused = run(&copy, &["audit", "export"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there are no keys"), "{refused:?}");

    ok(&state, &["backup", whole.to_str().unwrap(), "--with-keys"]);
    assert_eq!(files(&whole.join("keys")), files(&state.join("keys")));
    let audit = ok(&state, &["audit", "export"]);
    ok(&state, &["resume"]);
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&whole, &state).unwrap();
    assert_eq!(ok(&state, &["audit", "export"]), audit, "the resumption came later");
    ok(&state, &["resume"]);
    let audit = ok(&state, &["audit", "export"]);
    assert!(audit.contains("server.resumed"), "{audit}");
}

#[test]
fn what_is_there_is_left_alone() {
    let directory = tempdir().unwrap();
    let state = directory.path().join("state");
    ok(&state, &["keygen"]);
    for (to, expected) in [("", "entity already exists"), ("nowhere/copy", "No such file or directory")] {
        let to = directory.path().join(to);
        let output = run(&state, &["backup", to.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&format!("error: `{}`: {expected}", to.display())), "{said}");
    }
    assert_eq!(files(directory.path()), ["state"], "nothing is left of them");
}
