//! Persons: who is who, who is enabled, who may request and approve what.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use crate::id::{Group, Person};
use crate::record::{Identity, RequesterAssurance, Target};

/// What the operator's configuration says about persons. [PERSON-001]
#[async_trait]
pub trait Directory: Send + Sync + fmt::Debug {
    /// The person whom an issuer's subject stands for; `None` where the operator has mapped it to nobody.
    ///
    /// # Errors
    /// When the configuration can't be read.
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError>;

    /// Whether the person is enabled, and in which groups.
    ///
    /// # Errors
    /// When the configuration can't be read.
    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError>;

    /// Whether the person may ask for `tool` on `target`. Approval never adds this authority.
    ///
    /// # Errors
    /// When the configuration can't be read.
    async fn may_request(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError>;

    /// Whether the person may approve `tool` on `target`, as far as the plan's rule leaves it open.
    ///
    /// # Errors
    /// When the configuration can't be read.
    async fn may_approve(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError>;
}

/// What configuration and accounts say about a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the person may do anything at all.
    pub enabled: bool,
    /// The groups that the person is in.
    pub groups: BTreeSet<Group>,
}

/// What is known about persons can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("persons can't be looked up: {0}")]
pub struct DirectoryError(pub String);

/// The person for whom an agent acts, and how they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// The person.
    pub identity: Identity,
    /// How they are known: by a verified token, or by configuration of this instance.
    pub assurance: RequesterAssurance,
}
