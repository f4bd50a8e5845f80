//! Which checks run.

use std::collections::BTreeSet;

use super::{Options, OptionsError};
use crate::check::{Check, Level, Running, Scope, run};
use crate::checks;
use crate::scene::Scene;
use crate::target::Target;
use crate::verdict::Checked;
use crate::watch::{RULES, Rule};
use crate::wire::Revision;

/// A check in one revision.
pub(super) struct Instance {
    pub(super) id: &'static str,
    pub(super) level: Level,
    pub(super) scope: Scope,
    pub(super) requirements: &'static [&'static str],
    pub(super) case: Option<&'static str>,
    pub(super) revision: Revision,
    /// Whether it runs in each revision, and so names its own.
    pub(super) is_each: bool,
    pub(super) run: fn(std::sync::Arc<Scene>) -> Running,
}

/// What runs.
pub(super) struct Selection {
    pub(super) instances: Vec<Instance>,
    pub(super) rules: BTreeSet<&'static str>,
}

impl Selection {
    /// What `options` choose.
    pub(super) fn of(options: &Options, target: &Target) -> Result<Self, OptionsError> {
        let known: BTreeSet<&str> =
            checks::all().map(|check| check.id).chain(RULES.iter().map(|rule| rule.id)).collect();
        let named = options.only.iter().map(String::as_str).chain(options.expected.ids());
        if let Some(unknown) = named.into_iter().find(|id| !known.contains(id)) {
            return Err(OptionsError::Unknown(unknown.to_owned()));
        }
        let is_wanted = |id: &str, level: Level| {
            level <= options.level && (options.only.is_empty() || options.only.iter().any(|only| only == id))
        };
        let mut revisions: Vec<Revision> = target.revisions.clone();
        revisions.sort_unstable();
        revisions.dedup();
        let newest = revisions.last().copied().unwrap_or(Revision::V2026_07_28);
        let mut instances = Vec::new();
        for check in checks::all().filter(|check| is_wanted(check.id, check.level)) {
            match check.scope {
                Scope::Alone | Scope::Shared => instances.push(Instance::new(check, newest, false)),
                Scope::SharedEach => {
                    instances.extend(revisions.iter().map(|revision| Instance::new(check, *revision, true)));
                }
            }
        }
        // Those that wait for limits to run out begin first, so that nobody waits for them at the end.
        instances.sort_by_key(|instance| !instance.id.starts_with("old-") && !instance.id.starts_with("ran-out"));
        let rules = RULES.iter().map(|rule| rule.id).filter(|id| is_wanted(id, Level::L1)).collect();
        let selection = Self { instances, rules };
        if selection.len() == 0 { Err(OptionsError::Nothing) } else { Ok(selection) }
    }

    pub(super) fn len(&self) -> usize {
        self.instances.len() + self.rules.len()
    }
}

impl Instance {
    fn new(check: &Check, revision: Revision, is_each: bool) -> Self {
        Self {
            id: check.id,
            level: check.level,
            scope: check.scope,
            requirements: check.requirements,
            case: check.case,
            revision,
            is_each,
            run: check.run,
        }
    }

    /// The look at the server before all checks.
    pub(super) fn hello() -> Self {
        Self::made(HELLO, &["WIRE-001"])
    }

    /// A rule, as the check that it is.
    pub(super) fn of_rule(rule: &Rule) -> Self {
        Self::made(rule.id, rule.requirements)
    }

    fn made(id: &'static str, requirements: &'static [&'static str]) -> Self {
        Self {
            id,
            level: Level::L1,
            scope: Scope::Shared,
            requirements,
            case: None,
            revision: Revision::V2026_07_28,
            is_each: false,
            run: run!(nothing),
        }
    }
}

/// The look at the server before all checks.
pub(crate) const HELLO: &str = "server-answers";

async fn nothing(_: &Scene) -> Checked {
    Ok(())
}
