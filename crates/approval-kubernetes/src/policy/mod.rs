//! What an operator denies, whatever a person would say.
//!
//! A policy is a file. What it denies gets no plan, so that nobody is asked; everything else is reported to whoever decides.
//!
//! ```
//! use approval_kubernetes::findings::{Mutation, Verb, find};
//! use approval_kubernetes::policy::Policy;
//! use serde_json::json;
//!
//! let policy = Policy::parse(r#"
//! registries = ["registry.example:5000"]
//! deny-from = "high"
//!
//! [findings.pod-host-path]
//! severity = "high"
//!
//! [[findings.pod-host-path.allow]]
//! namespaces = ["monitoring"]
//! kinds = ["DaemonSet.apps"]
//! registries = ["registry.example:5000"]
//! reason = "the node exporter reads /proc of its node"
//! "#)?;
//!
//! let object = json!({
//!     "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"},
//!     "spec": {"containers": [], "volumes": [{"name": "logs", "hostPath": {"path": "/srv/logs"}}]},
//! });
//! let found = find(&Mutation { verb: Verb::Create, object: &object, old: None }, &policy.surroundings());
//! let denied = policy.judge(&object, found).unwrap_err();
//! assert_eq!(
//!     denied.to_string(),
//!     "denied by `deny-from` on line 3: volume `logs` is `/srv/logs` of the node (pod-host-path)",
//! );
//! # Ok::<(), approval_kubernetes::policy::PolicyError>(())
//! ```
//!
//! | key | what it says |
//! |---|---|
//! | `protected-namespaces` | where every change is a finding; without it `kube-system`, `kube-public`, `kube-node-lease` |
//! | `registries` | where images are to come from: a registry, or one and the first steps of a path |
//! | `standards` | the version of the Pod Security Standards, such as `v1.30`; without it the newest |
//! | `deny-from` | everything as bad as this or worse is denied: `info`, `warn` or `high` |
//! | `[findings.ID]` | `severity`, `deny`, and `allow` for one of [`Hazard::ALL`](crate::findings::Hazard::ALL) |
//! | `[[findings.ID.allow]]` | `namespaces`, `kinds`, `registries`, all of which have to fit, and a `reason` |
//!
//! What isn't known is refused, with its line: a policy with a slip of the pen would deny less than its author believes.

mod allow;
mod error;
mod file;

use approval_core::record::Severity;
use serde_json::Value;

use crate::findings::pod_security::StandardsVersion;
use crate::findings::{Finding, Surroundings};
use allow::Allow;

pub use error::{PolicyError, PolicyFault};

/// Namespaces of the cluster itself.
const OF_THE_CLUSTER: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// What is denied, and how bad everything else is.
#[derive(Debug, Clone)]
pub struct Policy {
    protected_namespaces: Vec<String>,
    registries: Option<Vec<String>>,
    standards: StandardsVersion,
    deny_from: Option<(Severity, usize)>,
    rules: Vec<Rule>,
}

/// What is said about one hazard.
#[derive(Debug, Clone)]
struct Rule {
    id: &'static str,
    line: usize,
    severity: Option<Severity>,
    deny: Option<bool>,
    allow: Vec<Allow>,
}

/// What a policy denies, and why. It is never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", denials.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Denied {
    denials: Vec<Denial>,
}

/// One finding that is denied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("denied by `{rule}` on line {line}: {} ({})", finding.text, finding.hazard.id)]
pub struct Denial {
    /// What was found.
    pub finding: Finding,
    /// The key of the policy that denies it.
    pub rule: String,
    /// The key's line, from 1 on.
    pub line: usize,
}

impl Denied {
    /// Each finding that is denied.
    #[must_use]
    pub fn denials(&self) -> &[Denial] {
        &self.denials
    }
}

impl Default for Policy {
    /// Denies nothing.
    fn default() -> Self {
        Self {
            protected_namespaces: OF_THE_CLUSTER.map(str::to_owned).to_vec(),
            registries: None,
            standards: StandardsVersion::NEWEST,
            deny_from: None,
            rules: Vec::new(),
        }
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`], with the line of what can't be taken.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        file::parse(text)
    }

    /// What the policy says to be looked for, to be completed with what was read from the cluster.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            protected_namespaces: &self.protected_namespaces,
            registries: self.registries.as_deref(),
            standards: self.standards,
            ..Surroundings::default()
        }
    }

    /// Gives the findings in an object the severities of the policy.
    ///
    /// # Errors
    /// [`Denied`], with every finding that the policy denies.
    pub fn judge(&self, object: &Value, findings: Vec<Finding>) -> Result<Vec<Finding>, Denied> {
        let mut judged = Vec::with_capacity(findings.len());
        let mut denials = Vec::new();
        for mut finding in findings {
            let rule = self.rules.iter().find(|rule| rule.id == finding.hazard.id);
            if let Some(severity) = rule.and_then(|rule| rule.severity) {
                finding.severity = severity;
            }
            let by = self.denied_by(rule, &finding);
            let is_allowed = rule.is_some_and(|rule| rule.allow.iter().any(|allow| allow.fits(object, &finding)));
            match by {
                Some((rule, line)) if !is_allowed => denials.push(Denial { finding, rule, line }),
                _ => judged.push(finding),
            }
        }
        if denials.is_empty() { Ok(judged) } else { Err(Denied { denials }) }
    }

    /// The key that denies a finding unless it is allowed, and the line of that key.
    fn denied_by(&self, rule: Option<&Rule>, finding: &Finding) -> Option<(String, usize)> {
        match rule {
            Some(Rule { id, line, deny: Some(true), .. }) => Some((format!("findings.{id}"), *line)),
            Some(Rule { deny: Some(false), .. }) => None,
            _ => {
                let (from, line) = self.deny_from?;
                (finding.severity >= from).then(|| ("deny-from".to_owned(), line))
            }
        }
    }
}
