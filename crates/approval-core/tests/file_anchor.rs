//! The anchor in a file: durable, shared by processes, and clear about what was done to it.

#![cfg(unix)]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use approval_core::anchor::{Anchor as _, AnchorEntry, AnchorKind, Entered, FileAnchor, Standing};
use approval_core::{Audience, OsEntropy, PlanId, Timestamp};
use approval_testkit::anchor_suite;
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

const AUDIENCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

fn open(path: &Path) -> FileAnchor {
    on_its_thread(path).in_place()
}

fn on_its_thread(path: &Path) -> FileAnchor {
    FileAnchor::new(path, Audience::from(AUDIENCE), Arc::new(OsEntropy)).unwrap()
}

fn plan(number: u32) -> PlanId {
    format!("019ab12c-0000-7000-8000-{number:012}").parse().unwrap()
}

fn claimed(number: u32) -> AnchorEntry {
    let claim = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    entry(number, AnchorKind::Claimed(claim))
}

fn entry(number: u32, kind: AnchorKind) -> AnchorEntry {
    let plan_expires_at = Timestamp::from_unix_millis(1_767_229_200_000);
    AnchorEntry { plan: plan(number), kind, plan_expires_at, effects: Vec::new() }
}

/// An anchor with three entries.
async fn three() -> (TempDir, PathBuf, FileAnchor) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("anchor.jsonl");
    let anchor = open(&path);
    anchor.begin().await.unwrap();
    for number in 1..=3 {
        anchor.enter(claimed(number)).await.unwrap();
    }
    (directory, path, anchor)
}

async fn plans(anchor: &FileAnchor) -> Vec<PlanId> {
    anchor.entries().await.unwrap().into_iter().map(|entry| entry.plan).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_keeps_the_contract() {
    // [ANCHOR-001, ANCHOR-002, ANCHOR-007]
    let directory = tempdir().unwrap();
    let ran = anchor_suite::test_all(|name| {
        let anchor = open(&directory.path().join(name.replace('/', "-")));
        async { anchor }
    });
    assert_eq!(ran.await, 9);
    let ran = anchor_suite::test_all(|name| {
        let anchor = on_its_thread(&directory.path().join(name.replace('/', ":")));
        async { anchor }
    });
    assert_eq!(ran.await, 9);
}

/// What a look-up finds the first time that it is asked.
fn at_once<T>(look: impl Future<Output = T>) -> Option<T> {
    match pin!(look).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(found) => Some(found),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn in_place_is_answered_from_memory_until_the_file_is_another() {
    // [ANCHOR-002]
    let (_directory, path, anchor) = three().await;
    assert_eq!(plans(&anchor).await, [1, 2, 3].map(plan));
    assert_eq!(at_once(anchor.entry(plan(2))), Some(Ok(Some(claimed(2)))));
    assert_eq!(at_once(anchor.last_checkpoint()), Some(Ok(None)));

    let another = open(&path);
    another.enter(claimed(4)).await.unwrap();
    assert_eq!(plans(&anchor).await, [1, 2, 3, 4].map(plan));
    assert_eq!(at_once(anchor.entry(plan(4))), Some(Ok(Some(claimed(4)))));

    // Another file of the same length.
    let length = fs::metadata(&path).unwrap().len();
    another.remove(&[plan(4)]).await.unwrap();
    another.enter(claimed(5)).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    assert_eq!(plans(&anchor).await, [1, 2, 3, 5].map(plan));
    assert_eq!(anchor.entry(plan(4)).await.unwrap(), None);
}

#[tokio::test]
async fn what_the_file_holds() {
    // [ANCHOR-011]
    let (_directory, path, anchor) = three().await;
    anchor.enter(entry(4, AnchorKind::Rejected)).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let generation = lines[0].split('"').nth(7).unwrap();
    assert_eq!(
        lines[0],
        format!(r#"{{"audience":"{AUDIENCE}","generation":"{generation}","type":"mutation-approval/anchor/v0"}}"#)
    );
    insta::assert_snapshot!(lines[3..].join("\n"));
}

#[tokio::test]
async fn a_line_that_a_crash_cut_is_mended() {
    // [ANCHOR-012]
    let (_directory, path, _anchor) = three().await;
    let whole = fs::read(&path).unwrap();
    let last = 1 + whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for cut in last..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let anchor = open(&path);
        // Only the newline is missing: the entry is there.
        let kept = if cut == whole.len() - 1 { 3 } else { 2 };
        assert_eq!(plans(&anchor).await.len(), kept, "cut at {cut} of {}", whole.len());
        let entered = anchor.enter(claimed(3)).await.unwrap();
        assert_eq!(entered == Entered::First, kept == 2);
        anchor.enter(claimed(4)).await.unwrap();
        assert_eq!(plans(&open(&path)).await, [1, 2, 3, 4].map(plan));
    }
    // A disk may leave zeros where the line should be.
    fs::write(&path, [&whole[..], &[0; 40]].concat()).unwrap();
    assert_eq!(plans(&open(&path)).await.len(), 3);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[tokio::test]
async fn damage_is_named_by_its_line() {
    // [ANCHOR-012]
    let (_directory, path, _anchor) = three().await;
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let doubled = format!("{whole}{}\n", lines[2]);
    let another = whole.replacen("000000000001", "000000000009", 1);
    let cases = [
        (whole.replacen("claimed", "claimes", 1), "line 2"),
        (whole.replacen("\"planId\"", "\"planid\"", 2).replacen("\"planid\"", "\"planId\"", 1), "line 3"),
        (whole.replacen("\"claimId\"", " \"claimId\"", 1), "line 2: not in canonical form"),
        (whole.replacen("\"kind\":\"claimed\"", "\"kind\":\"rejected\"", 1), "line 2: the claim of a plan"),
        (whole.replacen("\"claimId\":\"AAAAAAAAAAAAAAAAAAAAAA\",", "", 1), "line 2: a claim without its id"),
        (format!("{}\n\n{}\n", lines[..2].join("\n"), lines[2..].join("\n")), "line 3"),
        (doubled, "line 5: the plan has an entry already"),
        (another, "line 1: another installation's anchor"),
        (whole.replacen("anchor/v0", "anchor/v1", 1), "line 1"),
        (String::new(), "line 1: cut"),
        (lines[0].to_owned(), "line 1: cut"),
        (lines[1..].join("\n"), "line 1"),
    ];
    for (text, expected) in cases {
        fs::write(&path, &text).unwrap();
        let anchor = open(&path);
        for _ in 0..2 {
            let error = anchor.entries().await.unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("anchor.jsonl"), "{expected}: {error}");
        }
        anchor.standing().await.unwrap_err();
        anchor.enter(claimed(7)).await.unwrap_err();
        anchor.begin().await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "damage is not written over");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(open(&path).entries().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_file_that_others_can_read_or_that_lost_entries_is_refused() {
    // [ANCHOR-011]
    let (_directory, path, anchor) = three().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = anchor.entry(plan(1)).await.unwrap_err();
    assert!(error.to_string().contains("can be read or written by other users"), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(anchor.entry(plan(1)).await.unwrap().is_some());

    let whole = fs::read(&path).unwrap();
    let cut = 1 + whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    fs::write(&path, &whole[..cut]).unwrap();
    for _ in 0..2 {
        let error = anchor.enter(claimed(3)).await.unwrap_err();
        assert!(error.to_string().contains("entries that were there are gone"), "{error}");
    }
    assert!(anchor.entry(plan(1)).await.unwrap_err().to_string().contains("entries that were there are gone"));
    fs::remove_file(&path).unwrap();
    assert!(anchor.entry(plan(1)).await.unwrap_err().to_string().contains("is missing"));
    let error = anchor.enter(claimed(3)).await.unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
    assert_eq!(anchor.standing().await.unwrap(), Standing::Missing);
}

/// How many plans the processes compete for.
const PLANS: u32 = 60;

/// How many processes there are.
const PROCESSES: u32 = 4;

/// This very program, as one of several processes: enters all plans, and says for which it was the first.
#[tokio::test]
async fn child_that_enters() {
    let Ok(path) = std::env::var("ANCHOR_PATH") else { return };
    let anchor = open(Path::new(&path));
    let mut first = Vec::new();
    for number in 0..PLANS {
        if anchor.enter(claimed(number)).await.unwrap() == Entered::First {
            first.push(number.to_string());
        }
        if number % 20 == 7 {
            // Something is written anew meanwhile.
            anchor.remove(&[plan(1000 + number)]).await.unwrap();
        }
    }
    println!("first: {}", first.join(" "));
}

#[tokio::test]
async fn of_several_processes_one_is_the_first() {
    // [ANCHOR-001]
    let directory = tempdir().unwrap();
    let path = directory.path().join("anchor.jsonl");
    let anchor = open(&path);
    anchor.begin().await.unwrap();
    for number in 0..PLANS {
        anchor.enter(claimed(1000 + number)).await.unwrap();
    }
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "child_that_enters", "--nocapture"]).env("ANCHOR_PATH", &path);
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut first = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let said = text.lines().find_map(|line| line.split_once("first: ")).unwrap().1;
        first.extend(said.split_whitespace().map(|number| number.parse::<u32>().unwrap()));
    }
    first.sort_unstable();
    assert_eq!(first, (0..PLANS).collect::<Vec<_>>(), "each plan has one first");
    let left = plans(&open(&path)).await;
    assert_eq!(left.len(), PLANS as usize * 2 - 3);
    assert_eq!(plans(&anchor).await, left);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_entered_is_read_back(kinds in proptest::collection::vec(0..3u8, 1..20), cut in 0..200usize) {
        // [ANCHOR-001, ANCHOR-012]
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let directory = tempdir().unwrap();
            let path = directory.path().join("anchor.jsonl");
            let anchor = open(&path);
            anchor.begin().await.unwrap();
            let mut entered = Vec::new();
            for (number, kind) in kinds.iter().enumerate() {
                let entry = match kind {
                    0 => claimed(number as u32),
                    1 => entry(number as u32, AnchorKind::Rejected),
                    _ => entry(number as u32, AnchorKind::Withdrawn),
                };
                anchor.enter(entry.clone()).await.unwrap();
                entered.push(entry);
            }
            assert_eq!(anchor.entries().await.unwrap(), entered);
            assert_eq!(open(&path).entries().await.unwrap(), entered);
            // Whatever a crash takes from the end, what was there before its last line stays.
            let whole = fs::read(&path).unwrap();
            let last = 1 + whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
            fs::write(&path, &whole[..whole.len().saturating_sub(cut).max(last)]).unwrap();
            let left = open(&path).entries().await.unwrap();
            assert!(left == entered || left == entered[..entered.len() - 1]);
        });
    }
}
