//! The tables of the specification are those of the code, and its requirements are listed whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use approval_core::audit::{EventKind, FaultCode};
use approval_core::json::{Document, Limits};
use approval_core::receipt::{Claim, Limit, ReceiptFault};
use approval_core::record::{Outcome, Reconciled, RecordKind, State, Verdict};
use approval_core::seal::Tag;
use approval_core::signing::SignatureFault;
use approval_core::transition::{Trigger, next};
use approval_core::{ChallengeId, Reason, Retry, WriterId};
use approval_testkit::Room;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{approved, events, id, refused, reporting, run, seconds};

fn read(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/v0").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The lines of the table with this head, from its first row on.
fn table(text: &str, head: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| *line != head);
    assert!(lines.next().is_some(), "there is no table `{head}`");
    lines.skip(1).take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

fn what_happens(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::ApprovalRanOut => "the approval runs out",
        Trigger::Cancel => "the requester cancels",
        Trigger::ChallengeOpened => "a challenge is opened",
        Trigger::ChallengeRanOut => "the challenge runs out",
        Trigger::Claim => "the plan is claimed",
        Trigger::FoundStale => "something is found to have changed",
        Trigger::LeasePassed => "the lease passes",
        Trigger::PlanRanOut => "the plan runs out",
        Trigger::Reject => "a person rejects",
        Trigger::RuleSatisfied => "the rule is satisfied",
        Trigger::Settle(Outcome::Applied) => "the outcome is `applied`",
        Trigger::Settle(Outcome::Failed) => "the outcome is `failed`",
        Trigger::Settle(Outcome::Partial) => "the outcome is `partial`",
        Trigger::Settle(Outcome::Unknown) => "the outcome is `unknown`",
        Trigger::SettleLate(Outcome::Applied) => "the late outcome is `applied`",
        Trigger::SettleLate(Outcome::Failed) => "the late outcome is `failed`",
        Trigger::SettleLate(Outcome::Partial) => "the late outcome is `partial`",
        Trigger::SettleLate(Outcome::Unknown) => "the late outcome is `unknown`",
        Trigger::Withdraw => "an approver withdraws",
    }
}

#[test]
fn the_states() {
    // [STATE-001, STATE-002, STATE-003]
    let mut rows = Vec::new();
    for from in State::ALL {
        for trigger in Trigger::ALL {
            if let Ok((to, cause)) = next(from, trigger) {
                let mut row = format!("| `{}` | {} | `{}` |", from.name(), what_happens(trigger), to.name());
                let cause = cause.map(|cause| serde_json::to_value(cause).unwrap().as_str().unwrap().to_owned());
                match cause {
                    Some(cause) => write!(row, " `{cause}` |").unwrap(),
                    None => row.push_str(" |"),
                }
                rows.push(row);
            }
        }
    }
    assert_eq!(table(&read("gate.md"), "| from | what happens | to | cause |"), rows);
}

#[test]
fn the_reasons() {
    // [GATE-003, GATE-007]
    let schema = serde_json::to_value(schemars::schema_for!(Reason)).unwrap();
    let says: BTreeMap<_, _> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["const"].as_str().unwrap(), &one["description"]))
        .collect();
    let rows = table(&read("gate.md"), "| reason | says | retry | the plan |");
    assert_eq!(rows.len(), Reason::ALL.len());
    for (row, reason) in rows.iter().zip(Reason::ALL) {
        let retry = match reason.retry() {
            Retry::Never => "never",
            Retry::Replan => "replan",
            Retry::Same => "same",
        };
        let says = says[reason.code()].as_str().unwrap().trim_end_matches('.');
        let (first, rest) = says.split_at(1);
        let says = format!("{}{rest}", first.to_lowercase());
        let expected = format!("| `{}` | {says} | `{retry}` | {} |", reason.code(), what_becomes_of_the_plan(&reason));
        assert_eq!(row.replace("| |", "|  |"), expected);
    }
}

/// Of a plan whose execution is refused like this.
fn what_becomes_of_the_plan(reason: &Reason) -> &'static str {
    match reason {
        Reason::ApproverNotPermitted
        | Reason::DryRunFailed
        | Reason::PolicyChanged
        | Reason::PreconditionFailed
        | Reason::PreviewChanged
        | Reason::RequesterNotPermitted
        | Reason::TargetChanged
        | Reason::ToolChanged => "ends",
        Reason::ApprovalHashMismatch
        | Reason::ApprovalPending
        | Reason::ApprovalRequired
        | Reason::ChallengeExpired
        | Reason::OutcomeUnknown => "counts",
        _ => "",
    }
}

#[test]
fn the_refusals_of_the_gate_are_reasons() {
    // [GATE-003]
    let rows = table(&read("gate.md"), "| step | refusals |");
    assert_eq!(rows.len(), 13);
    for (number, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("| {} ", number + 1)), "{row}");
        let refusals = row.split('|').nth(2).unwrap();
        for code in refusals.split('`').skip(1).step_by(2) {
            assert!(Reason::ALL.iter().any(|reason| reason.code() == code), "{code}");
        }
    }
}

#[test]
fn the_faults_of_an_audit() {
    // [AUDIT-013]
    let rows = table(&read("audit.md"), "| code | says |");
    let codes: Vec<_> = rows.iter().map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(codes, FaultCode::ALL.map(FaultCode::code));
    let text = read("audit.md");
    let before = text.split("| code | says |").next().unwrap();
    for code in FaultCode::ALL.map(FaultCode::code).into_iter().filter(|code| *code != "unreadable") {
        assert!(before.contains(&format!("`{code}`")), "no check of the text leads to {code}");
    }
}

/// The cells of a row.
fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

#[tokio::test]
async fn records_stand_where_the_table_says() {
    // [SEAL-001, SEAL-016]
    let rows = table(&read("gate.md"), "| kind | record | id | of a plan | revision | sealed |");
    let room = Room::new().await;
    let done = approved(&room).await;
    room.execute(&done).await.unwrap();
    let rejected = room.plan_with_token("b", json!(1), "s3cret").await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    room.plan_with_token("c", json!(1), "s3cret").await.unwrap();
    room.approvals.pause("op").await.unwrap();
    room.approvals.mute(&"bob".into(), std::time::Duration::from_secs(9), "op").await.unwrap();
    room.target.report(Outcome::Unknown);
    room.approvals.resume("op").await.unwrap();
    let lost = room.plan("d", json!(1)).await.unwrap();
    room.decide(&lost, "alice", Verdict::Approve).await.unwrap();
    room.execute(&lost).await.unwrap();
    room.approvals.reconcile(lost.header.plan_id, Reconciled::Applied, "op").await.unwrap();

    room.approvals.checkpoint().await.unwrap();

    let named: Vec<_> = rows.iter().map(|row| cells(row)[0].trim_matches('`')).collect();
    for kind in RecordKind::ALL {
        let own_affair = matches!(kind, RecordKind::Login | RecordKind::Session);
        assert_ne!(own_affair, named.contains(&kind.name()), "{kind}");
    }
    let tables = room.memory.as_ref().unwrap().tables();
    for row in &rows {
        let [name, _, id, of_a_plan, revision, sealed] = cells(row)[..] else { panic!("{row}") };
        let kind = RecordKind::from_name(name.trim_matches('`')).unwrap();
        assert_eq!(sealed, if kind.is_encrypted() { "encrypted" } else { "authenticated" }, "{row}");
        let stored: Vec<_> = match kind {
            RecordKind::Event => {
                let found = tables.events.iter();
                found.map(|event| (format!("{}.{}", event.writer, event.sequence), event.plan, 0)).collect()
            }
            _ => {
                let found = tables.rows.values().filter(|row| row.key.kind == kind);
                found.map(|row| (row.key.id.clone(), row.plan, row.revision)).collect()
            }
        };
        assert!(!stored.is_empty(), "no {kind} was stored");
        for (stored_id, plan, stored_revision) in stored {
            let dotted = || stored_id.split_once('.').unwrap();
            let is_id = match id {
                "plan id" => plan.is_some_and(|plan| plan.to_string() == stored_id),
                "challenge id" => stored_id.parse::<ChallengeId>().is_ok(),
                "`pause`" => stored_id == "pause",
                "its number, and `latest`" => stored_id == "latest" || stored_id.parse::<u64>().is_ok(),
                id if id.starts_with("challenge id, `.`") => {
                    dotted().0.parse::<ChallengeId>().is_ok() && dotted().1 == "0"
                }
                id if id.starts_with("writer, `.`") => dotted().0.parse::<WriterId>().is_ok(),
                id => id.starts_with("tag of ") && stored_id.parse::<Tag>().is_ok(),
            };
            assert!(is_id, "{row}: {stored_id}");
            assert!(of_a_plan == "where it is about one" || (of_a_plan == "yes") == plan.is_some(), "{row}");
            assert!(revision.starts_with("its") || stored_revision == 0, "{row}: {stored_revision}");
        }
    }
}

#[test]
fn the_reasons_of_signatures_and_receipts() {
    // [KEYS-020, RCPT-020]
    let rows = table(&read("receipt.md"), "| reason | the check that failed |");
    let codes = |rows: &[String]| -> Vec<String> {
        let first = rows.iter().map(|row| row.split('|').nth(1).unwrap());
        first.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
    };
    let signature: Vec<_> = SignatureFault::ALL.map(|fault| fault.code().to_owned()).into();
    assert_eq!(codes(&rows), signature);

    // The second table begins with the first eight of the first one, and has the dates of the key in their place.
    let text = read("receipt.md");
    let (_, second) = text.split_once("### 4.2").unwrap();
    let found = codes(&table(second, "| reason | the check that failed |"));
    let dates = found.iter().position(|code| code == "key_not_yet_good").unwrap();
    let mut own = found.clone();
    let dated: Vec<_> = own.drain(dates..dates + 3).collect();
    assert_eq!(dated, signature[8..]);
    let opened: Vec<_> = own.drain(..2).collect();
    assert_eq!(opened, [signature[0].clone(), signature[7].clone()]);
    assert_eq!(own, ReceiptFault::ALL.map(|fault| fault.code().to_owned()));
    assert_eq!(found[dates - 1], ReceiptFault::AudienceMismatch.code());
}

#[test]
fn what_a_receipt_says() {
    // [RCPT-010, RCPT-011]
    let name = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    let row = |name: String, sentence: &str| format!("| `{name}` | {sentence} | ");
    let claims: Vec<_> =
        Claim::ALL.iter().map(|claim| row(name(serde_json::to_value(claim).unwrap()), claim.sentence())).collect();
    let limits: Vec<_> =
        Limit::ALL.iter().map(|limit| row(name(serde_json::to_value(limit).unwrap()), limit.sentence())).collect();
    for (head, expected) in
        [("| claim | the holder asserts | where |", claims), ("| limit | it does not show | where |", limits)]
    {
        let rows = table(&read("receipt.md"), head);
        assert_eq!(rows.len(), expected.len());
        for (row, expected) in rows.iter().zip(expected) {
            assert!(row.starts_with(&expected), "`{row}` does not begin with `{expected}`");
        }
    }
}

/// The pages of the specification.
fn pages() -> Vec<String> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/v0");
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<_> = names.filter(|name| name.ends_with(".md")).collect();
    pages.sort();
    assert!(pages.iter().any(|name| name == "gate.md"), "{pages:?}");
    pages
}

/// What a renderer makes of a title, to be linked to: spaces become hyphens, and other signs go.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[derive(Deserialize)]
struct Requirements {
    requirement: Vec<Requirement>,
}

#[derive(Deserialize)]
struct Requirement {
    id: String,
    level: String,
    text: String,
    section: String,
}

#[test]
fn the_requirements_are_listed_as_they_stand_in_the_text() {
    let listed: Requirements = toml::from_str(&read("requirements.toml")).unwrap();
    let listed: BTreeMap<_, _> = listed.requirement.into_iter().map(|listed| (listed.id.clone(), listed)).collect();
    let mut stated = 0;
    for name in pages() {
        let text = read(&name);
        let mut section = String::new();
        for paragraph in text.split("\n\n") {
            if let Some(title) = paragraph.strip_prefix('#') {
                section = format!("{name}#{}", anchor(title.trim_start_matches('#').trim()));
            }
            let Some((id, stating)) = paragraph.strip_prefix("**").and_then(|rest| rest.split_once("** ")) else {
                continue;
            };
            let stating = stating.split_whitespace().collect::<Vec<_>>().join(" ");
            let listed = listed.get(id).unwrap_or_else(|| panic!("`{id}` is not listed"));
            assert_eq!(listed.text, stating, "{id}");
            assert_eq!(listed.section, section, "{id}");
            assert!(stating.contains(&listed.level), "{id}");
            stated += 1;
        }
    }
    assert_eq!(stated, listed.len());
}

#[test]
fn one_plans_way_is_whole_among_the_examples() {
    // [REC-040, DIG-103]
    let example = |name: &str| -> Value { serde_json::from_str(&read(&format!("examples/{name}.json"))).unwrap() };
    let digest =
        |name: &str| Value::String(Document::from_value(&example(name), &Limits::PLAN).unwrap().digest().to_string());
    for (from, pointer, to) in [
        ("Plan/same-subject", "/intentDigest", "Intent/same-subject"),
        ("Plan/same-subject", "/reviewDigest", "Review/same-subject"),
        ("PlanState/planned", "/lastEvent", "Event/plan-created"),
        ("PlanState/awaiting-approval", "/lastEvent", "Event/challenge-created"),
        ("PlanState/approved", "/lastEvent", "Event/decision-approved"),
        ("PlanState/executing", "/lastEvent", "Event/execution-claimed"),
        ("PlanState/applied", "/planDigest", "Plan/same-subject"),
        ("PlanState/applied", "/challenge", "Challenge/live"),
        ("PlanState/applied", "/decisions/0", "Decision/approve"),
        ("PlanState/applied", "/execution", "Execution/applied"),
        ("PlanState/applied", "/lastEvent", "Event/execution-applied"),
        ("Execution/applied", "/resultDigest", "Result/applied"),
        ("Event/plan-created", "/previous", "Event/audit-started"),
        ("Event/challenge-created", "/planPrevious", "Event/plan-created"),
        ("Event/decision-approved", "/planPrevious", "Event/challenge-created"),
        ("Event/execution-claimed", "/planPrevious", "Event/decision-approved"),
        ("Event/execution-applied", "/planPrevious", "Event/execution-claimed"),
        ("Event/audit-checkpoint", "/previous", "Event/execution-applied"),
    ] {
        assert_eq!(example(from).pointer(pointer), Some(&digest(to)), "{from}{pointer}");
    }
}

/// What the table of events says of one kind: whether it has an actor, whether it is of a plan, what it must and may have.
struct Told {
    actor: bool,
    of_a_plan: Option<bool>,
    must: BTreeSet<String>,
    may: BTreeSet<String>,
}

fn told() -> BTreeMap<String, Told> {
    let rows = table(&read("audit.md"), "| kind | tells that | actor | of a plan | other members |");
    let of = |row: &String| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let mut told = Told {
            actor: cells[2] != "(none)",
            of_a_plan: match cells[3] {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            },
            must: BTreeSet::new(),
            may: BTreeSet::new(),
        };
        for part in cells[4].split([',', ';']).filter(|part| part.contains('`')) {
            let name = part.split('`').nth(1).unwrap().to_owned();
            if part.contains('?') {
                told.may.insert(name)
            } else {
                told.must.insert(name)
            };
        }
        (cells[0].trim_matches('`').to_owned(), told)
    };
    rows.iter().map(of).collect()
}

/// Does everything that an event tells of.
async fn eventful() -> Vec<Value> {
    let room = Room::new().await;
    let refusing = room.plan("a", json!(1)).await.unwrap();
    refused(&room, &refusing, Reason::ApprovalRequired).await;
    room.decide(&refusing, "alice", Verdict::Approve).await.unwrap();
    room.decide(&refusing, "alice", Verdict::Approve).await.unwrap_err();
    room.decide(&refusing, "alice", Verdict::Withdraw).await.unwrap();
    for (name, outcome) in
        [("b", Outcome::Applied), ("c", Outcome::Failed), ("d", Outcome::Partial), ("e", Outcome::Unknown)]
    {
        let plan = room.plan(name, json!(1)).await.unwrap();
        room.decide(&plan, "alice", Verdict::Approve).await.unwrap();
        run(&room, &plan, &reporting(outcome)).await.unwrap();
        if outcome == Outcome::Unknown {
            room.approvals.reconcile(plan.header.plan_id, Reconciled::Applied, "op").await.unwrap();
        }
    }
    let rejected = room.plan("f", json!(1)).await.unwrap();
    room.decide(&rejected, "alice", Verdict::Reject).await.unwrap();
    let cancelled = room.plan("g", json!(1)).await.unwrap();
    room.approvals.cancel(&Room::alice(), &id(&cancelled)).await.unwrap();
    let changed = room.plan("h", json!(1)).await.unwrap();
    room.decide(&changed, "alice", Verdict::Approve).await.unwrap();
    room.target.meddle("h", json!("another's"));
    refused(&room, &changed, Reason::PreconditionFailed).await;
    let waiting = room.plan("i", json!(1)).await.unwrap();
    room.approvals.challenge(&Room::alice(), &id(&waiting), None).await.unwrap();
    for wait in [900, 3600] {
        room.clock.advance(seconds(wait));
        room.approvals.status(&Room::alice(), &id(&waiting), Duration::ZERO).await.unwrap();
    }
    room.approvals.prune(Duration::ZERO).await.unwrap();
    room.approvals.pause("op").await.unwrap();
    room.approvals.resume("op").await.unwrap();
    room.approvals.mute(&"bob".into(), seconds(9), "op").await.unwrap();
    room.approvals.mute(&"bob".into(), Duration::ZERO, "op").await.unwrap();
    room.approvals.note_key_change(None, "op").await.unwrap();
    room.approvals.note_account_change("bob", "op").await.unwrap();
    room.approvals.checkpoint().await.unwrap();
    events(&room).await
}

#[tokio::test]
async fn events_tell_what_the_table_says() {
    // [AUDIT-016]
    let told = told();
    let mut seen = BTreeSet::new();
    for event in eventful().await {
        let kind = event["event"]["kind"].as_str().unwrap();
        seen.insert(kind.to_owned());
        let row = told.get(kind).unwrap_or_else(|| panic!("the table lacks `{kind}`"));
        let mut has: BTreeSet<_> = event["event"].as_object().unwrap().keys().map(String::as_str).collect();
        has.remove("kind");
        assert_eq!(has.remove("actor"), row.actor, "{event}");
        let of_a_plan = has.remove("planId");
        assert_eq!(has.remove("planDigest"), of_a_plan, "{event}");
        assert_eq!(of_a_plan, row.of_a_plan.unwrap_or(of_a_plan), "{event}");
        for member in &row.must {
            assert!(has.remove(member.as_str()), "no `{member}` in {event}");
        }
        assert!(has.iter().all(|member| row.may.contains(*member)), "{event}");
    }
    let never: Vec<_> = told.keys().filter(|kind| !seen.contains(*kind)).map(String::as_str).collect();
    assert_eq!(never, ["anchor.renewed", "execution.conflict", "execution.settled_late", "plan.denied"]);
}

#[test]
fn the_kinds_of_events() {
    // [AUDIT-016]
    let schema = serde_json::to_value(schemars::schema_for!(EventKind)).unwrap();
    let kinds: BTreeSet<_> =
        schema["oneOf"].as_array().unwrap().iter().map(|one| one["const"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told().into_keys().collect::<BTreeSet<_>>(), kinds);
}
