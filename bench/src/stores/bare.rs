//! What the database takes for nothing but a commit.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use postgres::Server;
use rusqlite::Connection;
use tokio_postgres::{Client, NoTls, Statement};

/// The length of an entry in the anchor.
const ENTRY: usize = 300;

/// Commits of one row.
pub(crate) trait Bare {
    /// Commits one row of as many bytes as a transition writes.
    async fn commit(&mut self) -> Result<()>;

    /// Does what entering a claim takes at least.
    async fn anchor(&mut self) -> Result<()>;
}

/// A file with the settings of the store, and one that is appended to.
pub(crate) struct BareFile {
    connection: Connection,
    anchor: File,
    row: Vec<u8>,
}

impl BareFile {
    pub(crate) fn new(directory: &Path, bytes: usize) -> Result<Self> {
        let connection = Connection::open(directory.join("bare.sqlite3"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; \
             CREATE TABLE bare (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
        )?;
        Ok(Self { connection, anchor: File::create(directory.join("bare.anchor"))?, row: vec![1; bytes] })
    }
}

impl Bare for BareFile {
    async fn commit(&mut self) -> Result<()> {
        self.connection.prepare_cached("INSERT INTO bare (sealed) VALUES (?1)")?.execute([&self.row])?;
        Ok(())
    }

    async fn anchor(&mut self) -> Result<()> {
        self.anchor.write_all(&[b'x'; ENTRY])?;
        Ok(self.anchor.sync_data()?)
    }
}

/// A table on the server.
pub(crate) struct BareServer {
    client: Client,
    insert: Statement,
    row: Vec<u8>,
}

impl BareServer {
    pub(crate) async fn new(server: &Server, bytes: usize) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(&server.address(), NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute("CREATE TABLE bare (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sealed bytea)")
            .await?;
        let insert = client.prepare("INSERT INTO bare (sealed) VALUES ($1)").await?;
        Ok(Self { client, insert, row: vec![1; bytes] })
    }
}

impl Bare for BareServer {
    async fn commit(&mut self) -> Result<()> {
        self.client.execute(&self.insert, &[&self.row]).await?;
        Ok(())
    }

    async fn anchor(&mut self) -> Result<()> {
        self.client.execute(&self.insert, &[&[b'x'; ENTRY].as_slice()]).await?;
        Ok(())
    }
}
