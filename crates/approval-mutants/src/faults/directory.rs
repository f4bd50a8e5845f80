//! Who is who, and who may ask for what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use approval_core::record::Target;
use approval_core::{Directory, DirectoryError, Group, Person, Standing};
use async_trait::async_trait;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    Fault::new("persons-from-a-cache", |parts| {
        let cache = FromCache { directory: parts.directory, standings: Mutex::default(), may: Mutex::default() };
        Parts { directory: Arc::new(cache), ..parts }
    }),
    Fault::new("everybody-is-in-the-group", |parts| Parts {
        directory: Arc::new(AllEditors(parts.directory)),
        ..parts
    }),
    Fault::new("everybody-may-ask", |parts| Parts { directory: Arc::new(AllMayAsk(parts.directory)), ..parts }),
];

/// What was read of a person once is read again from memory: who left or was disabled stays. [GATE-091] [GATE-092]
#[derive(Debug)]
struct FromCache {
    directory: Arc<dyn Directory>,
    standings: Mutex<HashMap<Person, Standing>>,
    may: Mutex<HashMap<(Person, String, bool), bool>>,
}

/// Everybody is in the group that a rule asks for. [GATE-092] [DEC-002]
#[derive(Debug)]
struct AllEditors(Arc<dyn Directory>);

/// Everybody may ask for everything. [PLAN-011]
#[derive(Debug)]
struct AllMayAsk(Arc<dyn Directory>);

#[async_trait]
impl Directory for FromCache {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        self.directory.person(issuer, subject).await
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        let now = self.directory.standing(person).await?;
        Ok(locked(&self.standings).entry(person.clone()).or_insert(now).clone())
    }

    async fn may_request(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        let now = self.directory.may_request(person, tool, target).await?;
        Ok(*locked(&self.may).entry((person.clone(), tool.to_owned(), false)).or_insert(now))
    }

    async fn may_approve(&self, person: &Person, tool: &str, target: &Target) -> Result<bool, DirectoryError> {
        let now = self.directory.may_approve(person, tool, target).await?;
        Ok(*locked(&self.may).entry((person.clone(), tool.to_owned(), true)).or_insert(now))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
