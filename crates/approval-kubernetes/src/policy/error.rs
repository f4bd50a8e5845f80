use crate::quoted::quoted;

/// Why a text is no policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct PolicyError {
    line: usize,
    fault: PolicyFault,
}

impl PolicyError {
    pub(super) fn new(line: usize, fault: PolicyFault) -> Self {
        Self { line, fault }
    }

    /// The line, from 1 on.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &PolicyFault {
        &self.fault
    }
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// An exception to what isn't denied.
    #[error("`findings.{0}` allows something, and says that it denies nothing")]
    AllowWithoutDeny(String),
    /// An exception without a condition.
    #[error("an `allow` of `findings.{0}` names neither namespaces nor kinds nor registries: say `deny = false`")]
    AllowsEverything(String),
    /// A rule that says nothing.
    #[error("`findings.{0}` says nothing")]
    EmptyRule(String),
    /// Not TOML, or with keys or values that mean nothing.
    #[error("{0}")]
    Format(String),
    /// A kind that none can be.
    #[error("{} is neither a kind nor `Kind.group`", quoted(.0))]
    Kind(String),
    /// A namespace that none can be.
    #[error("{} is no name of a namespace", quoted(.0))]
    Namespace(String),
    /// The same, where the end may be left open.
    #[error("{} is neither the name of a namespace nor the beginning of one with `*`", quoted(.0))]
    NamespacePattern(String),
    /// A registry that no image can come from.
    #[error("{} is no registry as images name it, nor one with the first steps of a path", quoted(.0))]
    Registry(String),
    /// A version of the standards that doesn't exist, or isn't known here.
    #[error("{} is no known version of the Pod Security Standards: `latest`, or `v1.0` to `{newest}`", quoted(.given))]
    Standards {
        /// What was given.
        given: String,
        /// The newest that is known.
        newest: String,
    },
    /// A hazard that isn't known.
    #[error("no hazard has the id {}", quoted(.0))]
    UnknownHazard(String),
}
