//! Every hazard is found where it is, by its id and at its place, and isn't found in the same thing without it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod arbitrary;
mod changes;
mod contents;
mod kinds;
mod scene;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use approval_kubernetes::findings::{Hazard, MANY_OBJECTS, of_count};
use scene::{Case, hardened, pod};

fn cases() -> Vec<Case> {
    [contents::cases(), changes::cases()].concat()
}

#[test]
fn each_hazard_is_found_where_it_is_and_not_without_it() {
    for Case { id, pointer, hazardous, harmless } in cases() {
        let found = hazardous.find();
        let at_place = found.iter().any(|finding| finding.hazard.id == id && finding.pointer == pointer);
        assert!(at_place, "`{id}` isn't found at `{pointer}`, but: {found:#?}");
        let found = harmless.find();
        let same: Vec<_> =
            found.iter().filter(|finding| finding.hazard.id == id && finding.pointer == pointer).collect();
        assert!(same.is_empty(), "`{id}` is found without its cause: {same:#?}");
    }
}

#[test]
fn no_hazard_is_without_a_case() {
    let tried: BTreeSet<_> = cases().iter().map(|case| case.id).chain(["display-many-objects"]).collect();
    let known: BTreeSet<_> = Hazard::ALL.iter().map(|hazard| hazard.id).collect();
    assert_eq!(tried, known);
}

/// Of the documentation: `UPDATE_HAZARDS=1 cargo test -p approval-kubernetes --test findings` writes it anew.
#[test]
fn the_table_of_hazards_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/findings/hazards.md");
    let mut table = "| hazard | severity | why it matters |\n|---|---|---|\n".to_owned();
    for Hazard { id, severity, about, .. } in Hazard::ALL {
        writeln!(table, "| `{id}` | {} | {about} |", format!("{severity:?}").to_lowercase()).unwrap();
    }
    if std::env::var_os("UPDATE_HAZARDS").is_some() {
        fs::write(path, &table).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), table);
}

#[test]
fn what_is_said() {
    let mut said = String::new();
    for Case { id, hazardous, .. } in cases() {
        let first = hazardous.find().into_iter().find(|finding| finding.hazard.id == id).unwrap();
        let record = first.to_record();
        writeln!(said, "{} ({:?})\n    {}", record.code, record.severity, record.text).unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn nothing_is_found_in_a_hardened_pod() {
    assert_eq!(pod(hardened()).create().find(), []);
}

#[test]
fn what_was_so_already_is_told_from_what_is_new() {
    let mut old = hardened();
    old["containers"][0]["securityContext"]["privileged"] = true.into();
    let mut new = old.clone();
    new["hostPID"] = true.into();
    let found = pod(new).update(pod(old)).find();
    let of = |id: &str| found.iter().find(|finding| finding.hazard.id == id).unwrap().is_new;
    assert!(!of("pod-privileged"));
    assert!(of("pod-host-namespaces"));
}

#[test]
fn many_objects_are_told() {
    assert_eq!(of_count(MANY_OBJECTS - 1), None);
    let finding = of_count(MANY_OBJECTS).unwrap();
    assert_eq!((finding.hazard.id, finding.text.as_str()), ("display-many-objects", "10 objects change"));
}
