//! Persons, as the accounts tell of them.

use approval_core::record::Target;
use approval_core::{Directory, DirectoryError, Person, Standing};
use async_trait::async_trait;

use super::{Account, Accounts, AccountsError, LOCAL_ISSUER};

/// The accounts as a [`Directory`]: a person is enabled while one of their accounts is, and is in the groups of all that are.
#[derive(Clone, Debug)]
pub struct AccountsDirectory {
    accounts: Accounts,
}

impl AccountsDirectory {
    /// The persons of these accounts.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts }
    }

    fn any(&self, person: &Person, may: impl Fn(&Account) -> bool) -> Result<bool, DirectoryError> {
        let accounts = self.accounts.list().map_err(unreadable)?;
        Ok(accounts.iter().any(|account| account.person == *person && !account.disabled && may(account)))
    }
}

#[async_trait]
impl Directory for AccountsDirectory {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        if issuer != LOCAL_ISSUER {
            return Ok(None);
        }
        Ok(self.accounts.find(subject).map_err(unreadable)?.map(|account| account.person))
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        let mut standing = Standing::default();
        for account in self.accounts.list().map_err(unreadable)?.iter() {
            if account.person == *person && !account.disabled {
                standing.enabled = true;
                standing.groups.extend(account.groups.iter().cloned());
            }
        }
        Ok(standing)
    }

    async fn may_request(&self, person: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        self.any(person, |account| account.may_request)
    }

    async fn may_approve(&self, person: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        self.any(person, |account| account.may_approve)
    }
}

fn unreadable(error: AccountsError) -> DirectoryError {
    DirectoryError(error.to_string())
}
