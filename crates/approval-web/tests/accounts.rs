//! The file of accounts.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use approval_core::record::Target;
use approval_core::{Directory as _, Group, Person};
use approval_web::{
    Accounts, AccountsDirectory, AccountsError, FileFault, LOCAL_ISSUER, NewAccount, PasswordCost, PasswordError,
};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery";

fn file() -> (TempDir, PathBuf, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.toml");
    let accounts = Accounts::with_cost(&path, PasswordCost::dangerous_cheap());
    (folder, path, accounts)
}

fn account(name: &str, person: &str, groups: &[&str]) -> NewAccount {
    let groups = groups.iter().map(|group| Group::from(*group)).collect();
    NewAccount { name: name.to_owned(), person: person.into(), groups }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn accounts_are_made_and_changed() {
    let (_folder, path, accounts) = file();
    assert!(accounts.list().unwrap().is_empty(), "no file, no accounts");
    accounts.add(&account("bob", "bob", &["sre", "db"]), PASSWORD).unwrap();
    accounts.add(&account("bob.admin", "bob", &[]), "another fine password").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(accounts.add(&account("bob", "x", &[]), PASSWORD), Err(AccountsError::Exists("bob".to_owned())));

    let bob = accounts.authenticate("bob", PASSWORD).await.unwrap().unwrap();
    assert_eq!((bob.identity().issuer.as_str(), bob.identity().subject.as_str()), (LOCAL_ISSUER, "bob"));
    assert_eq!(accounts.authenticate("bob", "another fine password").await.unwrap(), None);
    accounts.set_password("bob", "a third fine password").unwrap();
    assert_eq!(accounts.authenticate("bob", PASSWORD).await.unwrap(), None);
    assert!(accounts.authenticate("bob", "a third fine password").await.unwrap().is_some());
    accounts.set_disabled("bob", true).unwrap();
    assert_eq!(accounts.authenticate("bob", "a third fine password").await.unwrap(), None);
    accounts.set_disabled("bob", false).unwrap();
    assert!(accounts.authenticate("bob", "a third fine password").await.unwrap().is_some());
    assert_eq!(accounts.set_disabled("eve", true), Err(AccountsError::NoSuchAccount("eve".to_owned())));
    assert!(!format!("{accounts:?} {bob:?}").contains("argon2id"), "no hash in a log");
}

#[test]
fn another_process_sees_a_change_at_once() {
    let (_folder, path, accounts) = file();
    let another = Accounts::with_cost(&path, PasswordCost::dangerous_cheap());
    accounts.add(&account("bob", "bob", &[]), PASSWORD).unwrap();
    assert_eq!(another.list().unwrap().len(), 1);
    accounts.set_disabled("bob", true).unwrap();
    assert!(another.find("bob").unwrap().unwrap().disabled);
}

#[test]
fn writers_wait_for_each_other() {
    let (folder, path, accounts) = file();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let accounts = Accounts::with_cost(&path, PasswordCost::dangerous_cheap());
            scope.spawn(move || accounts.add(&account(&format!("p{n}"), "p", &[]), PASSWORD).unwrap());
        }
    });
    assert_eq!(accounts.list().unwrap().len(), 8);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the file and its lock, and no copy: {left:?}");
}

#[test]
fn comments_outlive_a_change() {
    let (_folder, path, accounts) = file();
    accounts.add(&account("bob", "bob", &[]), PASSWORD).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    write(&path, &format!("# who may decide\n{text}# on call\n"));
    accounts.set_disabled("bob", true).unwrap();
    accounts.add(&account("carol", "carol", &[]), PASSWORD).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("# who may decide") && text.contains("# on call") && text.contains("carol"), "{text}");
}

#[test]
fn what_cant_be_used_is_refused() {
    let (_folder, path, accounts) = file();
    for name in ["", "böb", "bob smith", "bob\n", "\u{430}lice", &"x".repeat(65)] {
        assert!(matches!(accounts.add(&account(name, "p", &[]), PASSWORD), Err(AccountsError::Name(_))), "{name}");
    }
    for person in ["", " bob", "bob\u{7}"] {
        assert!(matches!(accounts.add(&account("bob", person, &[]), PASSWORD), Err(AccountsError::Name(_))));
    }
    let short = accounts.add(&account("bob", "bob", &[]), "short");
    assert_eq!(short, Err(AccountsError::Password(PasswordError::TooShort)));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_fault_is_named_by_file_and_line() {
    let (_folder, path, accounts) = file();
    accounts.add(&account("bob", "bob", &[]), PASSWORD).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let hash = good.split("password = \"").nth(1).unwrap().split('"').next().unwrap();
    for (text, line, complaint) in [
        (format!("{good}\n{good}"), 7, "`bob` is there twice"),
        (format!("{good}admin = true\n"), 5, "unknown field `admin`"),
        (good.replace(hash, "hunter2"), 4, "`password` is not an Argon2id hash in PHC form"),
        (good.replace("argon2id", "argon2i"), 4, "`password` is not an Argon2id hash in PHC form"),
        (good.replace("name = \"bob\"", "name = \"b b\""), 2, "an account's name is"),
        (format!("{good}password = \"x\n"), 5, ""),
        (good.replace("person = \"bob\"\n", ""), 1, "missing field `person`"),
    ] {
        write(&path, &text);
        let error = accounts.list().unwrap_err();
        let AccountsError::File(fault) = &error else { panic!("{error}") };
        assert_eq!(fault.line(), Some(line), "{error}\n{text}");
        let said = error.to_string();
        assert!(said.contains(complaint) && said.contains("accounts.toml`, line "), "{said}");
        assert!(!said.contains("hunter2") && !said.contains(hash), "{said}");
        assert!(accounts.authenticate("bob", PASSWORD).await.is_err(), "nobody gets in");
        assert!(accounts.add(&account("carol", "carol", &[]), PASSWORD).is_err(), "a faulty file isn't written");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    write(&path, &good);
    assert!(accounts.authenticate("bob", PASSWORD).await.unwrap().is_some());
}

#[test]
fn the_file_is_its_owners_alone() {
    let (_folder, path, accounts) = file();
    accounts.add(&account("bob", "bob", &[]), PASSWORD).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let Err(AccountsError::File(error)) = accounts.list() else { panic!("{mode:o} is read") };
        assert_eq!(error.fault(), &FileFault::NotOwnerOnly(mode));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[tokio::test]
async fn persons_stand_as_their_accounts_do() {
    let (_folder, path, accounts) = file();
    accounts.add(&account("bob", "bob", &["sre"]), PASSWORD).unwrap();
    accounts.add(&account("bob2", "bob", &["db"]), PASSWORD).unwrap();
    let directory = AccountsDirectory::new(accounts.clone());
    let (bob, eve) = (Person::from("bob"), Person::from("eve"));
    let target = Target { name: "t".to_owned(), identity: serde_json::Map::new() };
    let standing = directory.standing(&bob).await.unwrap();
    assert!(standing.enabled && standing.groups == [Group::from("db"), Group::from("sre")].into());
    assert_eq!(directory.person(LOCAL_ISSUER, "bob2").await.unwrap(), Some(bob.clone()));
    assert_eq!(directory.person("https://idp.example", "bob2").await.unwrap(), None);
    assert_eq!(directory.person(LOCAL_ISSUER, "eve").await.unwrap(), None);
    assert!(!directory.standing(&eve).await.unwrap().enabled);
    assert!(directory.may_approve(&bob, "t", &target).await.unwrap());
    assert!(!directory.may_approve(&eve, "t", &target).await.unwrap());

    accounts.set_disabled("bob2", true).unwrap();
    assert_eq!(directory.standing(&bob).await.unwrap().groups, [Group::from("sre")].into());
    let text = std::fs::read_to_string(&path).unwrap();
    write(&path, &text.replacen("groups", "may-approve = false\ngroups", 1));
    assert!(!directory.may_approve(&bob, "t", &target).await.unwrap());
    assert!(directory.may_request(&bob, "t", &target).await.unwrap());
    accounts.set_disabled("bob", true).unwrap();
    assert!(!directory.standing(&bob).await.unwrap().enabled);
    assert!(!directory.may_request(&bob, "t", &target).await.unwrap());
    write(&path, "[[account]]\n");
    assert!(directory.standing(&bob).await.is_err(), "a faulty file is an outage, not an answer");
}
