//! The server's policy: which rule holds for which tool, target and arguments. Never chosen by the agent.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::record::{EffectivePolicy, Limits, Rule, Target};

/// The operator's policy: the first clause that matches decides, and otherwise the default does. [POLICY-001]
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// The clauses, in order.
    #[serde(default)]
    pub clauses: Vec<Clause>,
    /// What holds where no clause matches.
    pub default: Terms,
}

/// One clause of a policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clause {
    /// What it is about.
    #[serde(default)]
    pub when: Matcher,
    /// What it decides.
    pub then: Verdict,
}

/// What a clause is about: everything that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Matcher {
    /// The names of the tools; any, where empty.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The names of the targets; any, where empty.
    #[serde(default)]
    pub targets: Vec<String>,
    /// JSON Pointers (RFC 6901) into the arguments, and the values that must be there.
    #[serde(default)]
    pub arguments: BTreeMap<String, Value>,
}

/// What a clause decides.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No plan is made.
    Deny,
    /// A plan is made, under these terms.
    Require(Terms),
}

/// Under which terms a plan may run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Terms {
    /// Who must approve.
    pub rule: Rule,
    /// For how long, and how often.
    #[serde(default)]
    pub limits: Limits,
    /// Whether the requester may read what was read from the live target.
    #[serde(default)]
    pub requester_reads_target: bool,
}

impl Terms {
    /// The requester themself approves, out of band, within the usual limits.
    #[must_use]
    pub fn same_subject() -> Self {
        Self { rule: Rule::same_subject(), limits: Limits::default(), requester_reads_target: false }
    }
}

impl Policy {
    /// One rule for everything.
    #[must_use]
    pub fn always(terms: Terms) -> Self {
        Self { clauses: Vec::new(), default: terms }
    }

    /// The decision for one call; `None` where it is denied. The same inputs always give the same decision.
    #[must_use]
    pub fn evaluate(&self, tool: &str, target: &Target, arguments: &Map<String, Value>) -> Option<EffectivePolicy> {
        let clause = self.clauses.iter().find(|clause| clause.when.matches(tool, target, arguments));
        match clause.map(|clause| &clause.then) {
            Some(Verdict::Deny) => None,
            Some(Verdict::Require(terms)) => Some(terms.effective()),
            None => Some(self.default.effective()),
        }
    }
}

impl Terms {
    fn effective(&self) -> EffectivePolicy {
        EffectivePolicy {
            kind: crate::record::PolicyType::V0,
            rule: self.rule.clone(),
            limits: self.limits,
            requester_reads_target: self.requester_reads_target,
        }
    }
}

impl Matcher {
    fn matches(&self, tool: &str, target: &Target, arguments: &Map<String, Value>) -> bool {
        let names = |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        let value_at = |pointer: &str| match pointer.strip_prefix('/') {
            Some(rest) => {
                let (first, rest) = rest.split_once('/').map_or((rest, None), |(first, rest)| (first, Some(rest)));
                let member = arguments.get(&first.replace("~1", "/").replace("~0", "~"))?;
                rest.map_or(Some(member), |rest| member.pointer(&format!("/{rest}")))
            }
            None => None,
        };
        names(&self.tools, tool)
            && names(&self.targets, &target.name)
            && self.arguments.iter().all(|(pointer, value)| value_at(pointer) == Some(value))
    }
}
