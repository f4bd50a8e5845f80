//! The table of requirements that the specification shows: where each is enforced, and by what it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::cases::Case;
use super::citations::{Citation, Role};
use super::requirements::Requirements;

const HEAD: &str = "\
<!-- Written by `cargo xtask spec`. -->

# Requirements, and where this implementation meets them

Each requirement of [v0](v0/requirements.toml) with its level, the files that enforce it and those that check it. *Tested* says how somebody who
didn't write a server can find out whether it holds: at the `wire` (what goes over MCP and HTTP, and a look at the target), with an `instrument`
(vectors, a clock that can be moved, stored bytes that can be changed, a process that is ended), or by `review` alone.

";

/// The table as text. It names files and no lines, so that it changes when a citation comes or goes and not with every edit.
pub(super) fn render(requirements: &Requirements, citations: &[Citation], cases: &[Case]) -> String {
    let mut places: BTreeMap<(&str, bool), BTreeSet<&str>> = BTreeMap::new();
    for citation in citations.iter().filter(|citation| citation.role != Role::Example) {
        let file = citation.place.rsplit_once(':').map_or(citation.place.as_str(), |(file, _)| file);
        places.entry((citation.id.as_str(), citation.role == Role::Check)).or_default().insert(file);
    }
    let files = |id: &str, checks: bool| {
        let files = places.get(&(id, checks)).into_iter().flatten().map(|file| format!("`{file}`"));
        files.collect::<Vec<_>>().join("<br>")
    };
    let mut text = HEAD.to_owned();
    text.push_str("| id | level | tested | enforced in | checked by |\n|---|---|---|---|---|\n");
    for requirement in &requirements.all {
        let id = requirement.id.as_str();
        let excuse = requirement.excuse().map(|(mark, why)| format!("*{mark}: {why}*")).unwrap_or_default();
        let (mut enforced, checked) = (files(id, false), files(id, true));
        if !excuse.is_empty() {
            enforced = if enforced.is_empty() { excuse } else { format!("{enforced}<br>{excuse}") };
        }
        let tested = requirement.tested.map_or("", |tested| tested.name());
        let level = requirement.level.name();
        // A `String` takes everything.
        let _ = writeln!(text, "| [{id}](v0/{}) | {level} | {tested} | {enforced} | {checked} |", requirement.section);
    }
    for (title, are_attacks) in [("Attacks", true), ("Hostile cases", false)] {
        let _ = writeln!(text, "\n## {title}\n\n| | answer | by | checked by |\n|---|---|---|---|");
        for Case { name, answer, by } in cases.iter().filter(|case| case.answer.is_none() == are_attacks) {
            let checks: BTreeSet<&str> =
                by.iter().filter_map(|id| places.get(&(id.as_str(), true))).flatten().copied().collect();
            let checks = checks.into_iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join("<br>");
            let name = if are_attacks { name.clone() } else { format!("`{name}`") };
            let answer = answer.as_deref().unwrap_or_default();
            let _ = writeln!(text, "| {name} | {answer} | {} | {checks} |", by.join(", "));
        }
    }
    text
}
