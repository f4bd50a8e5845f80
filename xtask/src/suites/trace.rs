//! Each requirement of the specification is enforced somewhere and checked somewhere, and every citation names one that
//! exists. A citation is `[GATE-012]`, or `[GATE-012, GATE-013]`, in a comment.

mod cases;
mod citations;
mod requirements;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Result;

use self::citations::{Citation, Role};
use self::requirements::{Requirement, Requirements};
use super::{Suite, Tier};
use crate::context::Context;
use crate::report::Report;
use crate::source::{SourceFile, files};

pub(crate) const SUITE: Suite = Suite {
    name: "trace",
    about: "each MUST is enforced and checked somewhere, and each citation exists",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

const SPECIFICATION: &str = "spec/v0";

/// Where each requirement is enforced and checked: generated, and read by people.
const TABLE: &str = "spec/requirements.md";

fn run(context: &Context) -> Result<Report> {
    let citations = citations::find(&context.root)?;
    let path = context.root.join(SPECIFICATION).join("requirements.toml");
    if !path.is_file() && citations.is_empty() {
        return Ok(Report::skip(
            "all",
            format!("there is no {SPECIFICATION}/requirements.toml yet, and nothing cites it"),
        ));
    }
    let requirements = Requirements::read(&path)?;
    let prose = files(&context.root.join(SPECIFICATION), &["md"])?;
    let mut report = trace(&requirements, &prose, &citations);
    let cases = cases(context)?;
    let gate = fs::read_to_string(context.root.join(SPECIFICATION).join("gate.md"))?;
    report
        .check("each attack and each hostile case is answered", &cases::complaints(&cases, &requirements.ids(), &gate));
    let there = fs::read_to_string(context.root.join(TABLE)).unwrap_or_default();
    let is_fresh = there == table::render(&requirements, &citations, &cases);
    let stale = "it is not what the citations give: run `cargo xtask spec`".to_owned();
    report.check(TABLE, if is_fresh { &[] } else { std::slice::from_ref(&stale) });
    Ok(report)
}

/// Writes the table of requirements.
pub(crate) fn write_table(context: &Context) -> Result<()> {
    let citations = citations::find(&context.root)?;
    let requirements = Requirements::read(&context.root.join(SPECIFICATION).join("requirements.toml"))?;
    fs::write(context.root.join(TABLE), table::render(&requirements, &citations, &cases(context)?))?;
    Ok(())
}

fn cases(context: &Context) -> Result<Vec<cases::Case>> {
    Ok(cases::find(&fs::read_to_string(context.root.join(SPECIFICATION).join("security.md"))?))
}

fn trace(requirements: &Requirements, prose: &[SourceFile], citations: &[Citation]) -> Report {
    let mut report = Report::default();
    unknown(requirements, citations, &mut report);
    report.check("the text and requirements.toml name the same ids", &disagreements(requirements, prose));
    let mut places: BTreeMap<&str, Places> = BTreeMap::new();
    for citation in citations {
        let places = places.entry(citation.id.as_str()).or_default();
        match citation.role {
            Role::Check => places.checks += 1,
            Role::Enforcement => places.enforcements += 1,
            Role::Example => {}
        }
    }
    let untested = requirements.all.iter().filter(|requirement| requirement.tested.is_none());
    let untested: Vec<_> = untested.map(|requirement| format!("`{}` doesn't", requirement.id)).collect();
    report.check("each requirement says how it can be tested", &untested);
    for requirement in &requirements.all {
        judge(requirement, places.remove(requirement.id.as_str()).unwrap_or_default(), &mut report);
    }
    let binding = requirements.all.iter().filter(|requirement| requirement.is_binding()).count();
    println!("{} requirements, {binding} of them binding; {} citations", requirements.all.len(), citations.len());
    report
}

/// In how many places a requirement is cited.
#[derive(Clone, Copy, Default)]
struct Places {
    enforcements: usize,
    checks: usize,
}

fn judge(requirement: &Requirement, places: Places, report: &mut Report) {
    let id = &requirement.id;
    let mut gaps = Vec::new();
    if places.enforcements == 0 {
        gaps.push("nothing in crates/*/src enforces it".to_owned());
    }
    if places.checks == 0 {
        gaps.push("no test checks it".to_owned());
    }
    match (requirement.excuse(), gaps.is_empty()) {
        (Some((mark, why)), false) => report.skipped(id, format!("{} ({mark}: {why})", gaps.join(" and "))),
        (Some((mark, _)), true) => {
            report.failed(id, format!("it is enforced and checked, so its `{mark}` no longer holds: remove it"));
        }
        // What is only recommended may stand in the text alone.
        (None, _) if requirement.is_binding() => report.check(id, &gaps),
        (None, _) => {}
    }
}

fn unknown(requirements: &Requirements, citations: &[Citation], report: &mut Report) {
    let known = requirements.ids();
    let mut unknown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for citation in citations.iter().filter(|citation| !known.contains(citation.id.as_str())) {
        unknown.entry(&citation.id).or_default().push(&citation.place);
    }
    if unknown.is_empty() {
        report.passed();
    }
    for (id, places) in unknown {
        report.failed(id, format!("requirements.toml has no such id; cited in {}", places.join(", ")));
    }
}

fn disagreements(requirements: &Requirements, prose: &[SourceFile]) -> Vec<String> {
    let known = requirements.ids();
    let prefixes: BTreeSet<_> = known.iter().filter_map(|id| id.rsplit_once('-')).map(|(prefix, _)| prefix).collect();
    let mut named = BTreeSet::new();
    let mut complaints = Vec::new();
    for file in prose {
        // A bare word counts where its prefix is one of ours, so that `SHA-256` is none.
        let bare = citations::words(&file.text)
            .filter(|id| id.rsplit_once('-').is_some_and(|(prefix, _)| prefixes.contains(prefix)));
        for id in bare.chain(citations::bracketed(&file.text)) {
            if !known.contains(id) && named.insert(id.to_owned()) {
                let name = file.path.file_name().unwrap_or_default().display();
                complaints.push(format!("`{id}` stands in {name} but not in requirements.toml"));
            }
            named.insert(id.to_owned());
        }
    }
    complaints.extend(known.iter().filter(|id| !named.contains(**id)).map(|id| format!("`{id}` stands in no text")));
    complaints
}

#[cfg(test)]
mod tests;
