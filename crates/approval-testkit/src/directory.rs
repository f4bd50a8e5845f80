//! Persons as a test wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use approval_core::record::{Approver, Identity, RequesterAssurance, Target};
use approval_core::{Directory, DirectoryError, Group, Person, Requester, Standing, Timestamp};
use async_trait::async_trait;

/// A directory in which every person is known to one issuer under their own name, and may be changed while a test runs.
#[derive(Debug, Default)]
pub struct FakeDirectory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    persons: BTreeMap<Person, Standing>,
    may_not_request: BTreeSet<Person>,
    may_not_approve: BTreeSet<Person>,
    outage: Option<String>,
}

impl FakeDirectory {
    /// The issuer that attests everybody.
    pub const ISSUER: &'static str = "https://issuer.test";

    /// A directory of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a person, enabled, in these groups.
    #[must_use]
    pub fn with(self, person: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| Group::from(*group)).collect();
        self.change(|state| state.persons.insert(person.into(), Standing { enabled: true, groups }));
        self
    }

    /// Disables a person.
    pub fn disable(&self, person: &str) {
        self.change(|state| state.persons.entry(person.into()).or_default().enabled = false);
    }

    /// The person is in these groups from now on, and in no others.
    pub fn regroup(&self, person: &str, groups: &[&str]) {
        let groups = groups.iter().map(|group| Group::from(*group)).collect();
        self.change(|state| state.persons.entry(person.into()).or_default().groups = groups);
    }

    /// The person may no longer ask for anything.
    pub fn forbid_requests(&self, person: &str) {
        self.change(|state| state.may_not_request.insert(person.into()));
    }

    /// The person may no longer approve anything.
    pub fn forbid_approvals(&self, person: &str) {
        self.change(|state| state.may_not_approve.insert(person.into()));
    }

    /// Every look-up fails, or none.
    pub fn outage(&self, outage: Option<&str>) {
        self.change(|state| state.outage = outage.map(str::to_owned));
    }

    /// A person as the issuer attests them.
    #[must_use]
    pub fn identity(person: &str) -> Identity {
        Identity { person: person.into(), issuer: Self::ISSUER.to_owned(), subject: person.to_owned() }
    }

    /// A person who authenticated at this moment.
    #[must_use]
    pub fn approver(person: &str, auth_time: Timestamp) -> Approver {
        let Identity { person, issuer, subject } = Self::identity(person);
        Approver { person, issuer, subject, auth_time, acr: None, amr: Vec::new() }
    }

    /// A person for whom an agent acts, with a verified token.
    #[must_use]
    pub fn requester(person: &str) -> Requester {
        Requester { identity: Self::identity(person), assurance: RequesterAssurance::VerifiedToken }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, DirectoryError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.outage {
            Some(outage) => Err(DirectoryError(outage.clone())),
            None => Ok(look(&state)),
        }
    }
}

#[async_trait]
impl Directory for FakeDirectory {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        let person = Person::new(subject);
        self.look(|state| (issuer == Self::ISSUER && state.persons.contains_key(&person)).then_some(person))
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        self.look(|state| state.persons.get(person).cloned().unwrap_or_default())
    }

    async fn may_request(&self, person: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        self.look(|state| !state.may_not_request.contains(person))
    }

    async fn may_approve(&self, person: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        self.look(|state| !state.may_not_approve.contains(person))
    }
}
