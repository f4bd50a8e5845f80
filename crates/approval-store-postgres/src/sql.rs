//! Statements, and what they are given.
//!
//! They are sent with the types of their parameters, unnamed: so they work behind a pooler that hands each transaction to
//! another connection.

use std::pin::{Pin, pin};
use std::task::Poll;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::fault::Fault;

/// A parameter and its type.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Where the tables are. Every statement names it, so that none depends on what a connection was told before.
#[derive(Clone, Debug)]
pub(crate) struct Schema(String);

impl Schema {
    /// A schema by a name that needs no quotes: a lower-case letter, then letters, digits and underscores, at most 63 in all.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let mut bytes = name.bytes();
        let begins = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let goes_on = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        (begins && goes_on && name.len() <= 63 && !name.starts_with("pg_")).then(|| Self(name.to_owned()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// A statement in which `@` stands for the schema.
    pub(crate) fn statement(&self, text: &str) -> String {
        text.replace('@', &format!("\"{}\".", self.0))
    }
}

/// A connection, and where its tables are.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) client: &'a Client,
    pub(crate) schema: &'a Schema,
}

impl Session<'_> {
    /// Runs a statement in which `@` stands for the schema.
    pub(crate) async fn query(&self, text: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Fault> {
        Ok(self.client.query_typed(&self.schema.statement(text), parameters).await?)
    }

    /// Runs statements without parameters.
    pub(crate) async fn batch(&self, text: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(text).await?)
    }
}

/// Waits for all of these, which are begun in their order: statements are sent in it, each without waiting for the one before.
pub(crate) async fn in_order<T>(futures: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.into_iter().map(|future| (future, None)).collect();
    std::future::poll_fn(|context| {
        let mut all = true;
        for (future, outcome) in pending.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(done) => *outcome = Some(done),
                Poll::Pending => all = false,
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, outcome)| outcome).collect()
}

/// Waits for both. The second one is begun after the first one, and without waiting for it.
pub(crate) async fn one_after_the_other<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut other) = (None, None);
    std::future::poll_fn(|context| {
        if one.is_none()
            && let Poll::Ready(done) = first.as_mut().poll(context)
        {
            one = Some(done);
        }
        if other.is_none()
            && let Poll::Ready(done) = second.as_mut().poll(context)
        {
            other = Some(done);
        }
        match (one.take(), other.take()) {
            (Some(done), Some(also)) => Poll::Ready((done, also)),
            (done, also) => {
                (one, other) = (done, also);
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_needs_no_quotes() {
        for good in ["a", "mutation_approval", "x9_"] {
            assert_eq!(Schema::new(good).map(|schema| schema.name().to_owned()).as_deref(), Some(good));
        }
        for bad in ["", "9a", "A", "a-b", "a\"b", "ä", "_a", "pg_temp", &"a".repeat(64)] {
            assert!(Schema::new(bad).is_none(), "{bad}");
        }
    }
}
