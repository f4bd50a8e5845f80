//! The tables of the specification are those of the code, and its requirements are listed whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use approval_core::record::{Outcome, State};
use approval_core::transition::{Trigger, next};
use approval_core::{Reason, Retry};
use serde::Deserialize;

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
    let rows: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| {
            let retry = match reason.retry() {
                Retry::Never => "never",
                Retry::Replan => "replan",
                Retry::Same => "same",
            };
            format!("| `{}` | `{retry}` |", reason.code())
        })
        .collect();
    assert_eq!(table(&read("gate.md"), "| reason | retry |"), rows);
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
    for name in ["audit.md", "digest.md", "gate.md", "receipt.md"] {
        let text = read(name);
        let mut section = String::new();
        for paragraph in text.split("\n\n") {
            if let Some(title) = paragraph.strip_prefix('#') {
                let slug = title.trim_start_matches('#').trim().to_lowercase().replace(' ', "-").replace('.', "");
                section = format!("{name}#{slug}");
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
