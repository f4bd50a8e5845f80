//! Who is who, and who may ask for what.

use std::sync::Arc;

use approval_core::record::Target;
use approval_core::{Directory, DirectoryError, Group, Person, Standing};
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    Fault::new("disabled-persons-count", |parts| Parts { directory: Arc::new(AllEnabled(parts.directory)), ..parts }),
    Fault::new("everybody-is-in-the-group", |parts| Parts {
        directory: Arc::new(AllEditors(parts.directory)),
        ..parts
    }),
    Fault::new("everybody-may-ask", |parts| Parts { directory: Arc::new(AllMayAsk(parts.directory)), ..parts }),
];

/// Whoever was enabled once is enabled for ever. [GATE-091] [GATE-092]
#[derive(Debug)]
struct AllEnabled(Arc<dyn Directory>);

/// Everybody is in the group that a rule asks for. [GATE-092] [DEC-002]
#[derive(Debug)]
struct AllEditors(Arc<dyn Directory>);

/// Everybody may ask for everything. [PLAN-011]
#[derive(Debug)]
struct AllMayAsk(Arc<dyn Directory>);

#[async_trait]
impl Directory for AllEnabled {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        self.0.person(issuer, subject).await
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        Ok(Standing { enabled: true, ..self.0.standing(person).await? })
    }

    async fn may_request(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        self.0.may_request(person, tool, target).await
    }

    async fn may_approve(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        self.0.may_approve(person, tool, target).await
    }
}

#[async_trait]
impl Directory for AllEditors {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        self.0.person(issuer, subject).await
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        let mut standing = self.0.standing(person).await?;
        standing.groups.insert(Group::from("editors"));
        Ok(standing)
    }

    async fn may_request(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        self.0.may_request(person, tool, target).await
    }

    async fn may_approve(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        self.0.may_approve(person, tool, target).await
    }
}

#[async_trait]
impl Directory for AllMayAsk {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        self.0.person(issuer, subject).await
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        self.0.standing(person).await
    }

    async fn may_request(&self, _: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        Ok(true)
    }

    async fn may_approve(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        self.0.may_approve(person, tool, target).await
    }
}
