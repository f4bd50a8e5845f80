//! The file of accounts, as an operator edits it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use toml_edit::{DocumentMut, Item, Table, Value};

/// Sets a member of an account.
pub(crate) fn set(file: &Path, name: &str, member: &str, to: impl Into<Value>) -> Result<()> {
    edit(file, name, |account| {
        account.insert(member, toml_edit::value(to));
    })
}

/// Takes a person out of all groups.
pub(crate) fn regroup(file: &Path, name: &str) -> Result<()> {
    edit(file, name, |account| {
        account.remove("groups");
    })
}

fn edit(file: &Path, name: &str, edit: impl FnOnce(&mut Table)) -> Result<()> {
    let mut document: DocumentMut = fs::read_to_string(file)?.parse()?;
    let accounts = document.get_mut("account").and_then(Item::as_array_of_tables_mut);
    let mut accounts = accounts.context("there are no accounts")?.iter_mut();
    let account = accounts.find(|account| account.get("name").and_then(Item::as_str) == Some(name));
    edit(account.with_context(|| format!("there is no account `{name}`"))?);
    drop(accounts);
    // Nobody reads half of it, and it stays its owner's alone.
    let beside = file.with_extension("new");
    fs::copy(file, &beside)?;
    fs::write(&beside, document.to_string())?;
    Ok(fs::rename(beside, file)?)
}
