//! The checks, by what they are about.

mod gate;
mod instruments;
mod planning;
mod surface;
mod wire;

use crate::check::{Check, Level};
use crate::watch::RULES;

/// All checks, but for the rules that are held against every answer.
pub(crate) fn all() -> impl Iterator<Item = &'static Check> {
    [gate::ALL, instruments::ALL, planning::ALL, surface::ALL, wire::ALL].into_iter().flatten().copied().flatten()
}

/// What a check or rule is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) id: &'static str,
    pub(crate) level: Level,
    pub(crate) requirements: &'static [&'static str],
    pub(crate) case: Option<&'static str>,
    pub(crate) tries: &'static str,
    pub(crate) expects: &'static str,
}

/// All checks and rules, as they are told of: the look at the server first, then by name.
pub(crate) fn abouts() -> impl Iterator<Item = About> {
    let hello = About {
        id: crate::run::HELLO,
        level: Level::L1,
        requirements: &["WIRE-001"],
        case: None,
        tries: "The server is started, asked for its capabilities, and its tools are listed, in each revision of MCP.",
        expects: "It answers.",
    };
    let rules = RULES.iter().map(|rule| About {
        id: rule.id,
        level: Level::L1,
        requirements: rule.requirements,
        case: None,
        tries: rule.tries,
        expects: rule.expects,
    });
    let checks = all().map(|check| About {
        id: check.id,
        level: check.level,
        requirements: check.requirements,
        case: check.case,
        tries: check.tries,
        expects: check.expects,
    });
    let mut all: Vec<About> = rules.chain(checks).collect();
    all.sort_by_key(|about| (about.level, about.id));
    std::iter::once(hello).chain(all)
}

/// The names of all checks.
pub fn check_ids() -> impl Iterator<Item = &'static str> {
    abouts().map(|about| about.id)
}

/// What the check `id` is about.
pub(crate) fn about(id: &str) -> Option<About> {
    abouts().find(|about| about.id == id)
}
