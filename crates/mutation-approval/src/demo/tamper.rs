//! What a writer of the database without the key can do: everything but make it hold.

use std::fs;
use std::io;
use std::path::Path;

use approval_core::Digest;
use approval_core::json::{Document, Limits};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::installation::Failure;

/// The expiry that the plan gets.
const FAR: &str = "2099-12-31T23:59:59.999Z";

/// Gives a stored plan a far expiry, and fixes up its digest in every record that holds it. Returns how many rows were changed.
pub fn extend_expiry(store: &Path, plan: &str) -> Result<u32, Failure> {
    let database = |error: rusqlite::Error| Failure::Demo(format!("`{}`: {error}", store.display()));
    let connection = Connection::open(store).map_err(database)?;
    let mut statement = connection
        .prepare("SELECT kind, id, sealed FROM records WHERE plan = ? AND kind IN ('header', 'plan-state', 'challenge', 'decision')")
        .map_err(database)?;
    let rows = statement.query_map([plan], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(database)?;
    let rows: Vec<(String, String, Vec<u8>)> = rows.collect::<Result<_, _>>().map_err(database)?;

    let header = rows.iter().find(|(kind, ..)| kind == "header");
    let (_, old) = header.and_then(|(_, _, sealed)| split(sealed)).ok_or_else(|| unreadable("the header"))?;
    let edited = edit(old, |header| {
        if let Some(expiry) = header.get_mut("expiresAt") {
            *expiry = FAR.into();
        }
    })?;
    let (old, new) = (Digest::of_bytes(old).to_string(), Digest::of_bytes(&edited).to_string());

    let mut changed = 0;
    for (kind, id, sealed) in &rows {
        let (front, body) = split(sealed).ok_or_else(|| unreadable(kind))?;
        let body = match kind.as_str() {
            "header" => edited.clone(),
            _ => String::from_utf8_lossy(body).replace(&old, &new).into_bytes(),
        };
        let forged = [front, &body].concat();
        let sql = "UPDATE records SET sealed = ?1 WHERE kind = ?2 AND id = ?3 AND sealed <> ?1";
        changed += u32::try_from(connection.execute(sql, params![forged, kind, id]).map_err(database)?).unwrap_or(0);
    }
    let expiry = "UPDATE plans SET expires_at = 4102444799999 WHERE plan = ?";
    connection.execute(expiry, [plan]).map_err(database)?;
    Ok(changed)
}

/// What is in a store that no process has open.
pub fn copy_of(store: &Path) -> Result<Vec<u8>, Failure> {
    // Whatever is still in the write-ahead log goes into the file first.
    let database = |error: rusqlite::Error| Failure::Demo(format!("`{}`: {error}", store.display()));
    let connection = Connection::open(store).map_err(database)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(database)?;
    drop(connection);
    Ok(fs::read(store)?)
}

/// Puts a copy in a store's place.
pub fn put_back(store: &Path, copy: &[u8]) -> Result<(), Failure> {
    for beside in ["-wal", "-shm"] {
        let mut path = store.as_os_str().to_owned();
        path.push(beside);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(fs::write(store, copy)?)
}

/// An authenticated record: what comes before its body, and the body. The form is laid down in the specification.
fn split(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    const MAC: usize = 32;
    match sealed {
        [1, length, ..] => sealed.split_at_checked(2 + usize::from(*length) + MAC),
        _ => None,
    }
}

fn edit(body: &[u8], edit: impl FnOnce(&mut Value)) -> Result<Vec<u8>, Failure> {
    let document = Document::parse(body, &Limits::PLAN).map_err(|error| unreadable(&error.to_string()))?;
    let mut value = document.to_value();
    edit(&mut value);
    let document = Document::from_value(&value, &Limits::PLAN).map_err(|error| unreadable(&error.to_string()))?;
    Ok(document.into_bytes())
}

fn unreadable(what: &str) -> Failure {
    Failure::Demo(format!("the stored plan can't be edited: {what}"))
}

/// The receipt, with another outcome in its payload.
pub fn say_failed(receipt: &[u8]) -> Result<Vec<u8>, Failure> {
    edit(receipt, |envelope| {
        let payload = envelope.get("payload").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let payload = payload.and_then(|payload| String::from_utf8(payload).ok()).unwrap_or_default();
        let edited = payload.replace("\"applied\"", "\"failed\"");
        if let Some(member) = envelope.get_mut("payload").filter(|_| edited != payload) {
            *member = STANDARD.encode(edited).into();
        }
    })
}
