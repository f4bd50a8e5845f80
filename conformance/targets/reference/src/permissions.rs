//! Who may ask for what: approval never adds that.

use approval_core::record::Target;
use approval_core::{Directory, DirectoryError, Group, Person, Standing};
use async_trait::async_trait;

use crate::tools::ARCHIVE;

/// The group whose members may ask for the archive to be written.
pub const KEEPERS: &str = "keepers";

/// A directory in which the archive is for its keepers to write.
#[derive(Clone, Debug)]
pub struct Permissions<D>(D);

impl<D: Directory> Permissions<D> {
    /// The persons of `directory`.
    #[must_use]
    pub fn new(directory: D) -> Self {
        Self(directory)
    }
}

#[async_trait]
impl<D: Directory> Directory for Permissions<D> {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        self.0.person(issuer, subject).await
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        self.0.standing(person).await
    }

    async fn may_request(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        let is_theirs = tool != ARCHIVE || self.standing(person).await?.groups.contains(&Group::from(KEEPERS));
        Ok(is_theirs && self.0.may_request(person, tool, target).await?)
    }

    async fn may_approve(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        self.0.may_approve(person, tool, target).await
    }
}
