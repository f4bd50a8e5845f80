//! Local accounts: who may log in on the approval surface, kept in one file beside the key.
//!
//! ```toml
//! [[account]]
//! name = "bob"                 # what is typed at the login
//! person = "bob"               # whom the account stands for: rules compare persons
//! password = "$argon2id$…"     # set with the program, never by hand
//! groups = ["sre"]             # optional
//! disabled = false             # optional
//! may-request = true           # optional
//! may-approve = true           # optional
//! ```
//!
//! The file belongs to its owner alone (mode 600). It is read at each use, so a change counts from the next request on, and
//! it is changed under a lock, by a copy that takes its place at once.

mod directory;
mod file;
mod password;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use approval_core::record::Identity;
use approval_core::{Digest, Group, Person};

pub use directory::AccountsDirectory;
pub(crate) use file::check_person;
pub use password::{LONGEST_PASSWORD, PasswordCost, PasswordError, SHORTEST_PASSWORD};

use crate::private_file::{FileError, FileFault, PrivateFile};
use password::Passwords;

/// The issuer of identities that local accounts attest: its subjects are account names.
pub const LOCAL_ISSUER: &str = "urn:mutation-approval:local";

/// The accounts in one file. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    file: PrivateFile,
    passwords: Passwords,
    // What was read last, so that an unchanged text isn't parsed again.
    parsed: Arc<Mutex<(String, Arc<[Account]>)>>,
}

impl fmt::Debug for Accounts {
    /// Says where they are. What was read has hashes in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("file", &self.file).finish_non_exhaustive()
    }
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// What is typed at the login: the subject under [`LOCAL_ISSUER`].
    pub name: String,
    /// Whom it stands for.
    pub person: Person,
    /// The person's groups.
    pub groups: BTreeSet<Group>,
    /// Whether it is of no use at present.
    pub disabled: bool,
    /// Whether the person may ask for anything.
    pub may_request: bool,
    /// Whether the person may approve anything, as far as the rule of a plan leaves it open.
    pub may_approve: bool,
    password: String,
}

impl Account {
    /// The identity that the account attests.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { person: self.person.clone(), issuer: LOCAL_ISSUER.to_owned(), subject: self.name.clone() }
    }

    /// Changes with the password, and says nothing about it: by this a session finds out that it began with another one.
    #[must_use]
    pub fn credential(&self) -> Digest {
        Digest::of_bytes(self.password.as_bytes())
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).field("person", &self.person).finish_non_exhaustive()
    }
}

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// What is typed at the login: 1 to 64 of the characters `A-Z a-z 0-9 . _ - @ +`.
    pub name: String,
    /// Whom it stands for.
    pub person: Person,
    /// The person's groups.
    pub groups: BTreeSet<Group>,
}

/// Why accounts can't be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountsError {
    /// There is an account of that name.
    #[error("there is an account `{0}` already")]
    Exists(String),
    /// The file is not as it should be.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name or the person can't be used.
    #[error("{0}")]
    Name(FileFault),
    /// There is no account of that name.
    #[error("there is no account `{0}`")]
    NoSuchAccount(String),
    /// The password can't be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

impl Accounts {
    /// The accounts in this file, which need not be there yet: then there are none.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self::with_cost(path, PasswordCost::default())
    }

    /// As [`Accounts::open`]; new passwords get hashes of this cost.
    pub fn with_cost(path: impl Into<PathBuf>, cost: PasswordCost) -> Self {
        Self { file: PrivateFile::new(path), passwords: Passwords::new(cost), parsed: Arc::default() }
    }

    /// Every account, in the order of the file. Blocking, but brief.
    ///
    /// # Errors
    /// When the file can't be read, belongs to others too, or isn't as it should be: with its path and line.
    pub fn list(&self) -> Result<Arc<[Account]>, AccountsError> {
        let text = self.file.read()?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.0 != text {
            let accounts = file::parse(&self.file, &text)?;
            *parsed = (text, accounts.into());
        }
        Ok(Arc::clone(&parsed.1))
    }

    /// The account of this name, disabled or not.
    ///
    /// # Errors
    /// As for [`Accounts::list`].
    pub fn find(&self, name: &str) -> Result<Option<Account>, AccountsError> {
        Ok(self.list()?.iter().find(|account| account.name == name).cloned())
    }

    /// The account, where name and password are right and it isn't disabled. An unknown or disabled account takes as long as
    /// a wrong password.
    ///
    /// # Errors
    /// As for [`Accounts::list`].
    pub async fn authenticate(&self, name: &str, password: &str) -> Result<Option<Account>, AccountsError> {
        let account = self.find(name)?.filter(|account| !account.disabled);
        let hash = account.as_ref().map(|account| account.password.clone());
        Ok(if self.passwords.matches(password, hash).await { account } else { None })
    }

    /// Makes an account. Blocking.
    ///
    /// # Errors
    /// When the name is taken or can't be used, the password is too short, or the file can't be changed.
    pub fn add(&self, account: &NewAccount, password: &str) -> Result<(), AccountsError> {
        file::check_name(&account.name).map_err(AccountsError::Name)?;
        file::check_person(account.person.as_str()).map_err(AccountsError::Name)?;
        let hash = self.passwords.hash(password)?;
        self.file.edit(|text| {
            if file::parse(&self.file, text)?.iter().any(|known| known.name == account.name) {
                return Err(AccountsError::Exists(account.name.clone()));
            }
            Ok((file::with_account(&self.file, text, account, &hash)?, ()))
        })
    }

    /// Disables an account, or enables it again. Its sessions end with the next request. Blocking.
    ///
    /// # Errors
    /// When there is no such account, or the file can't be changed.
    pub fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), AccountsError> {
        self.set(name, "disabled", toml_edit::value(disabled))
    }

    /// Gives an account another password. Its sessions end with the next request. Blocking.
    ///
    /// # Errors
    /// When there is no such account, the password is too short, or the file can't be changed.
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), AccountsError> {
        let hash = self.passwords.hash(password)?;
        self.set(name, "password", toml_edit::value(hash))
    }

    fn set(&self, name: &str, member: &str, to: toml_edit::Item) -> Result<(), AccountsError> {
        self.file.edit(|text| {
            file::parse(&self.file, text)?;
            Ok((file::with_member(&self.file, text, name, member, to)?, ()))
        })
    }
}
