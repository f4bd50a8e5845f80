//! Files that people edit by hand: accounts and bearer tokens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use approval_core::{Digest, Timestamp};
use approval_testkit::FakeClock;
use approval_web::{
    Account, Accounts, AccountsError, BearerVerifier as _, NewAccount, PasswordCost, TokenFile, Verified,
};
use fuzz::{corpus, explore};
use toml::{Table, Value};

use crate::history::run;

/// Writes a file that only its owner may read.
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The tables of this name, as a lax reader finds them.
fn tables(text: &[u8], name: &str) -> Vec<Table> {
    let table: Table = str::from_utf8(text).unwrap().parse().unwrap();
    let tables = table.get(name).and_then(Value::as_array).into_iter().flatten();
    tables.map(|table| table.as_table().unwrap().clone()).collect()
}

#[test]
fn accounts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.toml");
    explore!(corpus("accounts"), every 2, |input: &[u8]| {
        write(&path, input);
        let accounts = Accounts::open(&path);
        let Ok(list) = accounts.list() else { return };
        let tables = tables(input, "account");
        assert_eq!(list.len(), tables.len());
        for (account, table) in list.iter().zip(&tables) {
            assert!(says(account, table), "{account:?} is not {table:?}");
            assert_eq!(list.iter().filter(|other| other.name == account.name).count(), 1);
            assert_eq!(accounts.find(&account.name).unwrap().as_ref(), Some(account));
        }
    });
}

/// Whether an account is what its table says, and nothing more.
fn says(account: &Account, table: &Table) -> bool {
    let flag = |name: &str, default: bool| table.get(name).map_or(default, |value| value.as_bool().unwrap());
    let groups: Vec<_> = account.groups.iter().map(|group| group.as_str()).collect();
    let mut written: Vec<_> = table
        .get("groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|group| group.as_str().unwrap())
        .collect();
    written.sort_unstable();
    written.dedup();
    table["name"].as_str() == Some(&account.name)
        && table["person"].as_str() == Some(account.person.as_str())
        && account.name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\<>&'`".contains(&byte))
        && !account.person.as_str().is_empty()
        && flag("disabled", false) == account.disabled
        && flag("may-request", true) == account.may_request
        && flag("may-approve", true) == account.may_approve
        && groups == written
        && table["password"].as_str().unwrap().starts_with("$argon2id$")
}

#[test]
fn an_account_more_changes_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.toml");
    explore!(corpus("accounts"), every 20, |input: &[u8]| {
        write(&path, input);
        let accounts = Accounts::with_cost(&path, PasswordCost::dangerous_cheap());
        let before = accounts.list();
        let new = NewAccount { name: "new".to_owned(), person: "New \"N\"".into(), groups: ["g".into()].into() };
        let added = accounts.add(&new, "a password for the test");
        match (before, added) {
            (Err(_), added) => {
                assert!(added.is_err());
                assert_eq!(fs::read(&path).unwrap(), input, "a file that isn't understood is left as it is");
            }
            (Ok(before), Ok(())) => {
                let after = accounts.list().unwrap();
                assert_eq!(&after[..before.len()], &before[..]);
                let [added] = &after[before.len()..] else { panic!("{after:?}") };
                assert_eq!((&added.name, &added.person, &added.groups), (&new.name, &new.person, &new.groups));
                accounts.set_disabled("new", true).unwrap();
                let disabled = accounts.list().unwrap();
                assert_eq!(&disabled[..before.len()], &before[..]);
                assert!(disabled[before.len()].disabled);
            }
            (Ok(before), Err(AccountsError::Exists(name))) => assert!(before.iter().any(|known| known.name == name)),
            // Accounts that are written in one line are read, and not added to.
            (Ok(_), Err(AccountsError::File(_))) => assert_eq!(fs::read(&path).unwrap(), input),
            (Ok(_), Err(error)) => panic!("{error}"),
        }
    });
}

#[test]
fn tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    let clock = FakeClock::new();
    clock.set("2026-11-23T00:00:00.000Z".parse().unwrap());
    let now = clock_now(&clock);
    let file = TokenFile::open(&path, Arc::new(clock));
    explore!(corpus("tokens"), every 2, |input: &[u8]| {
        write(&path, input);
        for token in ["good-token", "other-token", "", "no-token"] {
            let Ok(found) = run(file.verify(token)) else { continue };
            let digest = Digest::of_bytes(token.as_bytes()).to_string();
            let entry = tables(input, "token").into_iter().find(|table| {
                let hash = table["sha256"].as_str().unwrap();
                let until = table.get("expires").map(|until| until.as_str().unwrap().parse::<Timestamp>().unwrap());
                digest == format!("sha256:{hash}") && until.is_none_or(|until| now < until)
            });
            let person = entry.as_ref().map(|table| table["person"].as_str().unwrap());
            let found = match &found {
                Verified::For(requester) => Some(requester.identity.person.as_str()),
                _ => None,
            };
            assert_eq!(found, person, "{token}");
        }
    });
}

fn clock_now(clock: &FakeClock) -> Timestamp {
    use approval_core::Clock as _;
    clock.now()
}
