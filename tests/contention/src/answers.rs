//! What callers were told of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result};
use approval_core::{ExecutionView, PlanId, Reason, Refusal};

/// The answers of all callers of a process, or of all processes, to the execution of one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// Those who executed it.
    pub(crate) executed: u64,
    /// Those who were given the outcome of another's execution.
    pub(crate) replayed: u64,
    /// Those who were refused because another was executing it.
    pub(crate) in_progress: u64,
    /// The claims that they were told of.
    pub(crate) claims: BTreeSet<String>,
    /// Whatever else they were told, and how often.
    pub(crate) others: BTreeMap<String, u64>,
}

impl Answers {
    pub(crate) fn take(&mut self, answer: Result<ExecutionView, Refusal>) {
        match answer {
            Ok(view) => {
                self.executed += u64::from(!view.replayed);
                self.replayed += u64::from(view.replayed);
                let claim = view.execution.claim_id.to_string();
                let told =
                    view.tool_result.as_ref().and_then(|result| result.get("claim")).and_then(|told| told.as_str());
                if told != Some(claim.as_str()) {
                    self.other("the result of another attempt");
                }
                self.claims.insert(claim);
            }
            Err(refusal) if refusal.reason() == Reason::ExecutionInProgress => self.in_progress += 1,
            Err(refusal) => self.other(&format!("{}: {}", refusal.reason().code(), refusal.detail())),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.executed += other.executed;
        self.replayed += other.replayed;
        self.in_progress += other.in_progress;
        self.claims.extend(other.claims);
        for (what, count) in other.others {
            *self.others.entry(what).or_default() += count;
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.executed + self.replayed + self.in_progress + self.others.values().sum::<u64>()
    }

    fn other(&mut self, what: &str) {
        *self.others.entry(what.to_owned()).or_default() += 1;
    }
}

/// A line that a process prints for a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) plan: PlanId,
    pub(crate) answers: Answers,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answers { executed, replayed, in_progress, claims, others } = &self.answers;
        let parts = serde_json::json!([self.plan.to_string(), executed, replayed, in_progress, claims, others]);
        write!(f, "{parts}")
    }
}

impl FromStr for Line {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let parts: (String, u64, u64, u64, BTreeSet<String>, BTreeMap<String, u64>) =
            serde_json::from_str(line).with_context(|| format!("a process said `{line}`"))?;
        let (plan, executed, replayed, in_progress, claims, others) = parts;
        let answers = Answers { executed, replayed, in_progress, claims, others };
        Ok(Self { plan: plan.parse().context("the id of a plan")?, answers })
    }
}
