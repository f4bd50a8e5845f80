//! Somebody writes to the SQLite file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use approval_store_sqlite::SqliteStore;
use approval_testkit::FakeClock;
use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::types::Value as Found;
use tempfile::TempDir;

use crate::database::{
    Breadth, Column, Forbidden, Hand, Kind, Opened, Row, Table, Value, own_events, put_back, tampered,
};

/// Where the database keeps the last number that it gave: a table like all others, to whoever can write.
const COUNTERS: &str = "sqlite_sequence";

const NAME: &str = "store.sqlite3";

/// A connection of somebody else.
struct Other {
    connection: Mutex<Connection>,
    directory: TempDir,
}

/// A database that lies in memory where that can be had: no machine loses its power here.
fn open() -> Opened<SqliteStore> {
    let directory = match Path::new("/dev/shm") {
        memory if memory.is_dir() => tempfile::tempdir_in(memory).unwrap(),
        _ => tempfile::tempdir().unwrap(),
    };
    let path = directory.path().join(NAME);
    let clock = FakeClock::new();
    let store = Arc::new(SqliteStore::open(&path, Arc::new(clock.clone())).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF;").unwrap();
    let hand = Arc::new(Other { connection: Mutex::new(connection), directory });
    Opened { store, clock, hand }
}

impl Other {
    fn names(&self, sql: &str) -> Vec<String> {
        let connection = self.connection.lock().unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    }

    fn table(&self, name: &str) -> Table {
        let is_the_databases = name == COUNTERS;
        let connection = self.connection.lock().unwrap();
        let mut statement =
            connection.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY cid").unwrap();
        let mut rows = statement.query([name]).unwrap();
        let (mut columns, mut primary) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next().unwrap() {
            let (column, declared): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            let (is_required, in_key): (bool, i64) = (row.get(2).unwrap(), row.get(3).unwrap());
            let kind = match declared.as_str() {
                "TEXT" => Kind::Text,
                "INTEGER" => Kind::Integer,
                "BLOB" => Kind::Bytes,
                "" if column == "seq" => Kind::Integer,
                "" if is_the_databases => Kind::Text,
                other => panic!("`{name}.{column}` is of a type that nobody varies: {other}"),
            };
            if in_key > 0 {
                primary.push((in_key, columns.len()));
            }
            columns.push(Column { name: column, kind, nullable: !is_required && in_key == 0 && !is_the_databases });
        }
        primary.sort_unstable();
        let mut keys: Vec<Vec<usize>> = vec![primary.into_iter().map(|(_, place)| place).collect()];
        let sql = "SELECT of.name, parts.cid FROM pragma_index_list(?1) AS of, pragma_index_info(of.name) AS parts \
                   WHERE of.\"unique\" ORDER BY of.seq, parts.seqno";
        let mut statement = connection.prepare(sql).unwrap();
        let mut rows = statement.query([name]).unwrap();
        let mut unique: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        while let Some(row) = rows.next().unwrap() {
            let place: u32 = row.get(1).unwrap();
            unique.entry(row.get(0).unwrap()).or_default().push(usize::try_from(place).unwrap());
        }
        keys.extend(unique.into_values());
        keys.retain(|key| !key.is_empty());
        if is_the_databases {
            keys = vec![vec![0]];
        }
        Table { name: name.to_owned(), columns, keys, is_the_databases }
    }
}

#[async_trait]
impl Hand for Other {
    async fn catalogue(&self) -> Vec<Table> {
        // What the database writes by itself comes last.
        let names =
            self.names("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name GLOB 'sqlite_*', name");
        names.iter().map(|name| self.table(name)).collect()
    }

    async fn read(&self, table: &Table) -> Vec<Row> {
        let connection = self.connection.lock().unwrap();
        let mut statement = connection.prepare_cached(&format!("SELECT * FROM {}", table.name)).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let value = |place| match row.get(place).unwrap() {
                Found::Null => Value::Null,
                Found::Integer(number) => Value::Integer(number),
                Found::Text(text) => Value::Text(text),
                Found::Blob(bytes) => Value::Bytes(bytes),
                Found::Real(number) => panic!("{number} is no value of a store"),
            };
            found.push((0..table.columns.len()).map(value).collect());
        }
        found
    }

    async fn run(&self, statements: &str) -> Result<(), Forbidden> {
        let connection = self.connection.lock().unwrap();
        let done = connection.execute_batch(&format!("BEGIN IMMEDIATE; {statements} COMMIT;"));
        let Err(error) = done else { return Ok(()) };
        connection.execute_batch("ROLLBACK").unwrap();
        let forbids = [rusqlite::ErrorCode::ConstraintViolation, rusqlite::ErrorCode::TypeMismatch];
        assert!(error.sqlite_error_code().is_some_and(|code| forbids.contains(&code)), "{error}: {statements}");
        Err(Forbidden(error.to_string()))
    }

    async fn open(&self) -> Result<(), String> {
        let opened = SqliteStore::open(self.directory.path().join(NAME), Arc::new(FakeClock::new()));
        opened.map(drop).map_err(|error| format!("{error:?}").split([' ', '(']).next().unwrap_or_default().to_owned())
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Boolean(whether) => whether.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Bytes(bytes) => {
                let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                });
                format!("x'{hex}'")
            }
        }
    }

    fn place(&self, table: &str) -> String {
        table.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_of_every_table_and_every_row_is_tampered_with() {
    // [STORE-008, GATE-020, GATE-030, GATE-031, SEAL-001, SEAL-003, SEAL-007, AUDIT-003, CKPT-003]
    tampered(vec![open(), open()], Breadth::Kinds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long: every edit, and after each one every call"]
async fn every_column_and_row_is_tampered_with_in_full() {
    // [STORE-008, GATE-020, GATE-030, GATE-031, SEAL-001, SEAL-003, SEAL-007, AUDIT-003, CKPT-003]
    tampered(vec![open(), open()], Breadth::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_copies_are_put_back() {
    // [ANCHOR-001, ANCHOR-005, ANCHOR-008, CKPT-012]
    put_back(open()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_has_just_told_is_tampered_with() {
    // [AUDIT-003, AUDIT-009, STATE-004]
    own_events(open()).await;
}
