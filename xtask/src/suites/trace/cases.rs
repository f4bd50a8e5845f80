//! The attacks and hostile cases of `security.md`, and what answers them.

use std::collections::BTreeSet;

use super::citations;

/// Head of the table of attacks.
const ATTACKS: &str = "| attack | answered by |";

/// Head of the table of hostile cases.
const CASES: &str = "| case | what is tried | answer | by |";

/// Head of the table of reasons, in `gate.md`.
const REASONS: &str = "| reason | says | retry | the plan |";

/// A row of one of the two tables.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// The attack in words, or the case's name.
    pub(super) name: String,
    /// What a server has to answer; nothing for an attack.
    pub(super) answer: Option<String>,
    /// The requirements that answer it.
    pub(super) by: Vec<String>,
}

/// The rows of both tables.
pub(super) fn find(security: &str) -> Vec<Case> {
    let by = |cell: &str| citations::words(cell).map(ToOwned::to_owned).collect();
    let attacks = rows(security, ATTACKS).filter_map(|cells| match cells.as_slice() {
        [name, ids] => Some(Case { name: (*name).to_owned(), answer: None, by: by(ids) }),
        _ => None,
    });
    let cases = rows(security, CASES).filter_map(|cells| match cells.as_slice() {
        [name, _, answer, ids] => {
            let name = name.trim_matches('`').to_owned();
            Some(Case { name, answer: Some((*answer).to_owned()), by: by(ids) })
        }
        _ => None,
    });
    attacks.chain(cases).collect()
}

/// What is wrong with the rows: names that come twice, answers that are no reason, and rows that nothing answers.
pub(super) fn complaints(cases: &[Case], known: &BTreeSet<&str>, gate: &str) -> Vec<String> {
    let reasons: BTreeSet<_> =
        rows(gate, REASONS).filter_map(|cells| Some(cells.first()?.trim_matches('`').to_owned())).collect();
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    if cases.is_empty() || reasons.is_empty() {
        complaints.push("there is no table of cases, or none of reasons".to_owned());
    }
    for Case { name, answer, by } in cases {
        if !seen.insert(name) {
            complaints.push(format!("`{name}` stands there twice"));
        }
        if by.is_empty() {
            complaints.push(format!("`{name}` is answered by nothing"));
        }
        complaints.extend(
            by.iter().filter(|id| !known.contains(id.as_str())).map(|id| format!("`{name}`: there is no {id}")),
        );
        // An answer that begins with a code is a refusal; any other is told in words.
        let code =
            answer.as_deref().and_then(|answer| answer.strip_prefix('`')).and_then(|rest| rest.split('`').next());
        if let Some(code) = code.filter(|code| !reasons.contains(*code)) {
            complaints.push(format!("`{name}`: `{code}` is no reason"));
        }
    }
    complaints
}

/// The cells of each row of the tables with this head.
fn rows<'a>(text: &'a str, head: &'a str) -> impl Iterator<Item = Vec<&'a str>> + 'a {
    let table = text.lines().skip_while(move |line| *line != head).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}
