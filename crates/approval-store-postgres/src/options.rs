//! How a database is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use approval_core::Clock;

/// How a database is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) address: String,
    pub(crate) schema: String,
    pub(crate) connections: usize,
    pub(crate) patience: Duration,
    pub(crate) certificates: Option<Vec<u8>>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl PostgresOptions {
    /// The database at an address like `postgres://user:password@host:5432/database?sslmode=require`, or in the form of
    /// libpq's keywords. Another machine than this one must be reached with `sslmode=require`; its certificate is verified always.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            schema: "mutation_approval".to_owned(),
            connections: 8,
            patience: Duration::from_secs(10),
            certificates: None,
            clock: None,
        }
    }

    /// The schema of the tables, which is made if it isn't there: `mutation_approval`, unless something else is said.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// The most connections that are open at once: eight, unless something else is said. One of them writes.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(2);
        self
    }

    /// How long a call waits for a server that can't be reached: ten seconds, unless something else is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The certificates (PEM) of those who may vouch for the server, in place of those whom the system trusts.
    #[must_use]
    pub fn certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = Some(pem.into());
        self
    }

    /// Decides expiry by this clock in place of the database's own. Where there are several replicas, each must go by the same
    /// one. [STORE-005]
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }
}

impl fmt::Debug for PostgresOptions {
    /// Without the address: there may be a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
