//! What somebody does to the store who can write it, and has no key.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::answer::Cannot;
use crate::request::Tampering;

/// How long the server may hold the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps a copy of the whole store.
pub(super) fn keep(store: &Path, kept: &Path) -> Result<()> {
    remove(kept)?;
    open(store)?.execute("VACUUM INTO ?", [kept.display().to_string()])?;
    owner_only(kept)
}

/// Puts the copy in the place of the store, which no process has open.
pub(super) fn put_back(store: &Path, kept: &Path) -> Result<()> {
    for beside in ["-wal", "-shm"] {
        let mut path = store.as_os_str().to_owned();
        path.push(beside);
        remove(Path::new(&path))?;
    }
    fs::copy(kept, store).context("nothing was kept")?;
    owner_only(store)
}

/// Puts the state of one plan back, and what the store looks it up by.
pub(super) fn put_back_state(store: &Path, kept: &Path, plan: &str) -> Result<()> {
    let mut connection = open(store)?;
    connection.execute("ATTACH ? AS kept", [kept.display().to_string()])?;
    let transaction = connection.transaction()?;
    let record = "UPDATE main.records AS now SET revision = before.revision, sealed = before.sealed \
                  FROM kept.records AS before WHERE now.plan = ?1 AND now.kind = 'plan-state' \
                  AND before.plan = now.plan AND before.kind = now.kind";
    let columns = "UPDATE main.plans AS now SET requester = before.requester, target = before.target, \
                   shelf = before.shelf, state = before.state, revision = before.revision, \
                   created_at = before.created_at, expires_at = before.expires_at, pruned = before.pruned \
                   FROM kept.plans AS before WHERE now.plan = ?1 AND before.plan = now.plan";
    for sql in [record, columns] {
        if transaction.execute(sql, [plan])? != 1 {
            bail!("nothing was kept of plan `{plan}`");
        }
    }
    Ok(transaction.commit()?)
}

/// Changes stored bytes of a plan.
pub(super) fn tamper(store: &Path, plan: &str, case: Tampering, record: &str, other: Option<&str>) -> Result<()> {
    let connection = open(store)?;
    let row = Row::find(&connection, plan, record)?;
    match case {
        Tampering::EditedColumn => row.edit_column(&connection, plan, record),
        Tampering::EditedRow => {
            let mut sealed = row.sealed.clone();
            let middle = sealed.len() / 2;
            let byte = sealed.get_mut(middle).context("the record is empty")?;
            *byte ^= 1;
            row.put(&connection, &sealed)
        }
        Tampering::MissingRow => {
            let sql = format!("DELETE FROM {} WHERE rowid = ?", row.table);
            one(connection.execute(&sql, [row.id])?)
        }
        Tampering::TransplantedRow => {
            let other = other.context("from which plan is the record?")?;
            row.put(&connection, &Row::find(&connection, other, record)?.sealed)
        }
    }
}

/// A stored record.
struct Row {
    table: &'static str,
    id: i64,
    sealed: Vec<u8>,
}

impl Row {
    /// The last record of this kind that a plan has.
    fn find(connection: &Connection, plan: &str, record: &str) -> Result<Self> {
        let (table, sql) = match record {
            "event" => ("events", "SELECT rowid, sealed FROM events WHERE plan = ?1 AND ?2 = 'event' ORDER BY 1 DESC"),
            _ => ("records", "SELECT rowid, sealed FROM records WHERE plan = ?1 AND kind = ?2 ORDER BY 1 DESC"),
        };
        let found = connection.query_row(sql, [plan, record], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (id, sealed) = found.with_context(|| format!("plan `{plan}` has no `{record}`"))?;
        Ok(Self { table, id, sealed })
    }

    fn put(&self, connection: &Connection, sealed: &[u8]) -> Result<()> {
        let sql = format!("UPDATE {} SET sealed = ? WHERE rowid = ?", self.table);
        one(connection.execute(&sql, params![sealed, self.id])?)
    }

    /// Has a column say something else than the record: one by which plans are found, or the one that counts revisions.
    fn edit_column(&self, connection: &Connection, plan: &str, record: &str) -> Result<()> {
        let changed = match record {
            "header" => {
                connection.execute("UPDATE plans SET expires_at = expires_at + 3600000 WHERE plan = ?", [plan])?
            }
            "plan-state" => {
                let other = "CASE state WHEN 'approved' THEN 'planned' ELSE 'approved' END";
                connection.execute(&format!("UPDATE plans SET state = {other} WHERE plan = ?"), [plan])?
            }
            "event" => return Err(Cannot("an event has no column that a decision uses").into()),
            _ => connection.execute("UPDATE records SET revision = revision + 1 WHERE rowid = ?", [self.id])?,
        };
        one(changed)
    }
}

fn open(store: &Path) -> Result<Connection> {
    let connection = Connection::open(store).with_context(|| format!("`{}`", store.display()))?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn one(changed: usize) -> Result<()> {
    if changed == 1 { Ok(()) } else { bail!("{changed} rows were changed, not one") }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn owner_only(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
}
