//! Several directories as one.

use std::sync::Arc;

use approval_core::record::Target;
use approval_core::{Directory, DirectoryError, Person, Standing};
use async_trait::async_trait;

/// Several directories as one: local accounts beside identity providers, say. A person is enabled where one of them says so,
/// is in the groups that any of them names, and may do what any of them allows; one that can't be read fails all.
#[derive(Clone, Debug)]
pub struct Directories {
    all: Vec<Arc<dyn Directory>>,
}

impl Directories {
    /// All of these.
    #[must_use]
    pub fn new(all: Vec<Arc<dyn Directory>>) -> Self {
        Self { all }
    }
}

#[async_trait]
impl Directory for Directories {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        for directory in &self.all {
            if let Some(person) = directory.person(issuer, subject).await? {
                return Ok(Some(person));
            }
        }
        Ok(None)
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        let mut standing = Standing::default();
        for directory in &self.all {
            let one = directory.standing(person).await?;
            // The groups of whoever is disabled are of no use.
            if one.enabled {
                standing.enabled = true;
                standing.groups.extend(one.groups);
            }
        }
        Ok(standing)
    }

    async fn may_request(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        let mut may = false;
        for directory in &self.all {
            may |= directory.may_request(person, tool, target).await?;
        }
        Ok(may)
    }

    async fn may_approve(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        let mut may = false;
        for directory in &self.all {
            may |= directory.may_approve(person, tool, target).await?;
        }
        Ok(may)
    }
}
