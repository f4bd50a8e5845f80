//! The file of accounts: how it is read and changed.

use std::collections::BTreeSet;

use approval_core::{Group, Person};
use serde::Deserialize;
use toml::Spanned;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::password::is_hash;
use super::{Account, AccountsError, NewAccount};
use crate::private_file::{FileError, FileFault, PrivateFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    account: Vec<RawAccount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawAccount {
    name: Spanned<String>,
    person: Spanned<String>,
    password: Spanned<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default)]
    disabled: bool,
    #[serde(default = "yes")]
    may_request: bool,
    #[serde(default = "yes")]
    may_approve: bool,
}

fn yes() -> bool {
    true
}

/// The accounts in the text, in their order.
pub(super) fn parse(file: &PrivateFile, text: &str) -> Result<Vec<Account>, FileError> {
    let raw: Raw = toml::from_str(text).map_err(|error| file.malformed(text, &error))?;
    let mut names = BTreeSet::new();
    raw.account
        .into_iter()
        .map(|raw| {
            let at = |spanned: &Spanned<String>, fault| Err(file.fault_at(text, spanned.span().start, fault));
            if let Err(fault) = check_name(raw.name.get_ref()) {
                return at(&raw.name, fault);
            }
            if !names.insert(raw.name.get_ref().clone()) {
                return at(&raw.name, FileFault::Duplicate(raw.name.get_ref().clone()));
            }
            if let Err(fault) = check_person(raw.person.get_ref()) {
                return at(&raw.person, fault);
            }
            if !is_hash(raw.password.get_ref()) {
                let fault = FileFault::Malformed("`password` is not an Argon2id hash in PHC form".to_owned());
                return at(&raw.password, fault);
            }
            Ok(Account {
                name: raw.name.into_inner(),
                person: Person::new(raw.person.into_inner()),
                groups: raw.groups.iter().map(|group| Group::from(group.as_str())).collect(),
                disabled: raw.disabled,
                may_request: raw.may_request,
                may_approve: raw.may_approve,
                password: raw.password.into_inner(),
            })
        })
        .collect()
}

/// Names are plain ASCII, so that none looks like another.
pub(super) fn check_name(name: &str) -> Result<(), FileFault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if (1..=64).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(FileFault::Malformed("an account's name is 1 to 64 of the characters A-Z a-z 0-9 . _ - @ +".to_owned()))
}

pub(crate) fn check_person(person: &str) -> Result<(), FileFault> {
    let clean = person.trim() == person && !person.chars().any(char::is_control);
    if (1..=256).contains(&person.len()) && clean {
        return Ok(());
    }
    Err(FileFault::Malformed("a person is 1 to 256 bytes, without control characters and space at the ends".to_owned()))
}

/// The text with one more account at its end.
pub(super) fn with_account(
    file: &PrivateFile,
    text: &str,
    account: &NewAccount,
    hash: &str,
) -> Result<String, AccountsError> {
    let mut document = document(file, text)?;
    let mut table = Table::new();
    table.insert("name", value(account.name.as_str()));
    table.insert("person", value(account.person.as_str()));
    table.insert("password", value(hash));
    if !account.groups.is_empty() {
        table.insert("groups", value(account.groups.iter().map(Group::as_str).collect::<toml_edit::Array>()));
    }
    let accounts = document.entry("account").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    match accounts.as_array_of_tables_mut() {
        Some(tables) => tables.push(table),
        None => return Err(not_tables(file).into()),
    }
    Ok(document.to_string())
}

/// The text with one member of one account set.
pub(super) fn with_member(
    file: &PrivateFile,
    text: &str,
    name: &str,
    member: &str,
    to: Item,
) -> Result<String, AccountsError> {
    let mut document = document(file, text)?;
    let Some(tables) = document.get_mut("account").and_then(Item::as_array_of_tables_mut) else {
        return Err(not_tables(file).into());
    };
    let found = tables.iter_mut().find(|table| table.get("name").and_then(Item::as_str) == Some(name));
    let table = found.ok_or_else(|| AccountsError::NoSuchAccount(name.to_owned()))?;
    table.insert(member, to);
    Ok(document.to_string())
}

fn document(file: &PrivateFile, text: &str) -> Result<DocumentMut, FileError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let fault = FileFault::Malformed(error.message().to_owned());
        file.fault_at(text, error.span().map_or(0, |span| span.start), fault)
    })
}

fn not_tables(file: &PrivateFile) -> FileError {
    file.fault(None, FileFault::Malformed("accounts are written as `[[account]]`, each on lines of its own".to_owned()))
}
