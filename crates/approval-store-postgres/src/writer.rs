//! The one task of a process that commits: those who call at the same time share a transaction, and the sync of its commit.
//!
//! All transitions of a process extend one lane of the audit, so they could not commit beside each other anyway. What keeps
//! them and those of other processes apart is the database: each transaction is serialisable, and begun anew where it isn't.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use approval_core::WriterId;
use approval_core::store::{CommitError, Transition, Write};
use deadpool_postgres::Pool;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::clock::StoreClock;
use crate::connect::give_back;
use crate::fault::{Fault, Remedy};
use crate::patience::Patience;
use crate::read;
use crate::sql::{Parameter, Schema, Session, one_after_the_other};
use crate::write;

/// The most transitions in one transaction.
const BATCH: usize = 64;

/// How often a transaction is begun anew before the transitions in it are tried one by one.
const TOGETHER: u32 = 2;

/// How often the transaction of one transition is begun anew because another came first.
const TRIES: u32 = 200;

/// How long to wait before a server that didn't answer is asked again.
const RECONNECT: Duration = Duration::from_millis(50);

type Outcome = Result<(), CommitError>;

/// A transition, and who waits for it.
struct Job {
    transition: Transition,
    answer: oneshot::Sender<Outcome>,
}

/// Hands transitions to the task.
#[derive(Clone, Debug)]
pub(crate) struct Writer(mpsc::UnboundedSender<Job>);

/// What the task needs.
pub(crate) struct Task {
    pub(crate) pool: Pool,
    pub(crate) schema: Arc<Schema>,
    pub(crate) clock: StoreClock,
    pub(crate) patience: Duration,
}

impl Writer {
    /// Starts the task: it ends with the last of those who may ask, once it has done all that was asked.
    pub(crate) fn start(task: Task) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        tokio::spawn(task.work(queue));
        Self(jobs)
    }

    /// Commits a transition. It is done even if nobody waits for it any more.
    pub(crate) async fn commit(&self, transition: Transition) -> Outcome {
        let (answer, answered) = oneshot::channel();
        self.0.send(Job { transition, answer }).map_err(|_| Fault::Closed)?;
        answered.await.unwrap_or_else(|_| Err(Fault::Closed.into()))
    }
}

/// Why a transaction didn't commit.
enum Failure {
    /// Nothing was written.
    Rolled(Fault),
    /// The connection was lost while this transaction was committed. If it was, these are the outcomes.
    InDoubt { mark: Mark, outcomes: Vec<Outcome> },
}

/// By what a transaction that wrote something is known.
struct Mark {
    xact: String,
    /// One of its events. What tells of nothing, the renewal of a lease, may be done twice.
    event: Option<(WriterId, u64)>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Rolled(fault)
    }
}

impl Task {
    async fn work(self, mut queue: mpsc::UnboundedReceiver<Job>) {
        while let Some(first) = queue.recv().await {
            let mut jobs = vec![first];
            while jobs.len() < BATCH
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            self.together(jobs).await;
        }
    }

    /// Commits these in one transaction, or each in its own where others keep coming first.
    async fn together(&self, jobs: Vec<Job>) {
        let transitions: Vec<&Transition> = jobs.iter().map(|job| &job.transition).collect();
        let tries = if jobs.len() > 1 { TOGETHER } else { TRIES };
        let outcomes = match self.commit(&transitions, tries).await {
            Ok(outcomes) => outcomes,
            Err(Fault::Contention) if jobs.len() > 1 => {
                for job in jobs {
                    Box::pin(self.together(vec![job])).await;
                }
                return;
            }
            Err(fault) => {
                let fault = CommitError::from(fault);
                jobs.iter().map(|_| Err(fault.clone())).collect()
            }
        };
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            // Nobody may be waiting for the answer.
            let _ = job.answer.send(outcome);
        }
    }

    /// Commits these in one transaction, which is begun anew where that helps.
    async fn commit(&self, transitions: &[&Transition], tries: u32) -> Result<Vec<Outcome>, Fault> {
        let patience = Patience::new(self.patience);
        let mut overtaken = 0;
        loop {
            let fault = match self.attempt(transitions).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failure::Rolled(fault)) => fault,
                Err(Failure::InDoubt { mark, outcomes }) => match self.was_committed(&mark, patience).await {
                    Some(true) => return Ok(outcomes),
                    Some(false) => continue,
                    None => return Err(Fault::Unknown),
                },
            };
            match fault.remedy() {
                Remedy::Again => {
                    overtaken += 1;
                    if overtaken >= tries {
                        return Err(Fault::Contention);
                    }
                    // The first few times at once: mostly the other has committed by then.
                    patience.pause(Duration::from_millis(overtaken.saturating_sub(2).min(20).into())).await;
                }
                Remedy::Reconnect if !patience.is_over() => {
                    tracing::warn!(%fault, "the database is tried again");
                    patience.pause(RECONNECT).await;
                }
                Remedy::Reconnect | Remedy::None => return Err(fault),
            }
        }
    }

    /// One transaction with all of these.
    async fn attempt(&self, transitions: &[&Transition]) -> Result<Vec<Outcome>, Failure> {
        let client = self.pool.get().await.map_err(Fault::from)?;
        let session = Session { client: &client, schema: &self.schema };
        let (outcomes, mark) = match self.run(session, transitions).await {
            Ok((outcomes, Some(mark))) => (outcomes, mark),
            ended => {
                // Where this fails the connection is gone, and the transaction with it.
                let _ = session.batch("ROLLBACK").await;
                return Ok(give_back(client, ended)?.0);
            }
        };
        match session.batch("COMMIT").await {
            Ok(()) => Ok(outcomes),
            Err(fault) if fault.remedy() == Remedy::Reconnect => Err(Failure::InDoubt { mark, outcomes }),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Reads and writes all of these, one after the other; the transaction's mark, where anything was written.
    async fn run(
        &self,
        session: Session<'_>,
        transitions: &[&Transition],
    ) -> Result<(Vec<Outcome>, Option<Mark>), Fault> {
        let (mut outcomes, mut xact, mut event) = (Vec::new(), None, None);
        // Of a table that is read as a whole, every change would count as a change of what was read.
        let mut before = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL enable_seqscan = off; SAVEPOINT begun";
        for transition in transitions {
            let look = read::snapshot(session, transition.reads(), &self.clock);
            let (begun, snapshot) = one_after_the_other(session.batch(before), look).await;
            begun?;
            let snapshot = snapshot?;
            before = "RELEASE SAVEPOINT begun; SAVEPOINT begun";
            let outcome = match catch_unwind(AssertUnwindSafe(|| transition.apply(&snapshot))) {
                Ok(Ok(writes)) if writes.is_empty() => Ok(()),
                Ok(Ok(writes)) => {
                    let current = session.query("SELECT pg_current_xact_id()::text", &[]);
                    let (whole, current) = one_after_the_other(write::apply(session, &writes), current).await;
                    if whole? {
                        if transition.reads().events_after.is_some() {
                            // Its own events come right after those that it was shown.
                            read::number(session).await?;
                        }
                        xact = current?.first().map(|row| row.try_get(0)).transpose()?;
                        event = writes.iter().find_map(told).or(event);
                        Ok(())
                    } else {
                        Err(CommitError::Conflict)
                    }
                }
                Ok(Err(refusal)) => Err(CommitError::Refused(refusal)),
                Err(_) => {
                    tracing::error!(transition = transition.name(), "a transition panicked: it was rolled back");
                    Err(Fault::BrokeOff.into())
                }
            };
            // [STORE-002]
            if outcome.is_err() {
                before = "ROLLBACK TO SAVEPOINT begun";
            }
            outcomes.push(outcome);
        }
        if before.starts_with("ROLLBACK") {
            session.batch(before).await?;
        }
        Ok((outcomes, xact.map(|xact| Mark { xact, event })))
    }

    /// Whether this transaction was committed; `None` where nobody can say so in time.
    async fn was_committed(&self, mark: &Mark, patience: Patience) -> Option<bool> {
        loop {
            match self.ask(mark).await {
                Ok(Some(committed)) => return Some(committed),
                Ok(None) => {}
                Err(fault) => tracing::warn!(%fault, "what became of a transaction can't be asked yet"),
            }
            if patience.is_over() {
                return None;
            }
            patience.pause(RECONNECT).await;
        }
    }

    /// Whether this transaction was committed; `None` where the server doesn't know yet.
    async fn ask(&self, mark: &Mark) -> Result<Option<bool>, Fault> {
        let client = self.pool.get().await?;
        let session = Session { client: &client, schema: &self.schema };
        let rows = match session.query("SELECT pg_xact_status($1::text::xid8)", &[(&mark.xact, Type::TEXT)]).await {
            // Of a number that was never given: the server that took over has not seen the transaction.
            Err(Fault::Postgres(error)) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => {
                return Ok(Some(false));
            }
            rows => rows?,
        };
        let status: Option<String> = rows.first().map_or(Ok(None), |row| row.try_get(0))?;
        let (writer, sequence) = match (status.as_deref(), mark.event) {
            (Some("aborted"), _) | (Some("committed"), None) => return Ok(Some(false)),
            (Some("committed"), Some((writer, sequence))) => (writer.to_string(), write::number(sequence)?),
            _ => return Ok(None),
        };
        // It may be another's number: a server that has crashed, or has taken over, gives those again that it never heard of. And a
        // standby may lack it: a commit whose wait for the standby was broken off is seen here. What is written now waits as well.
        let sql = "SELECT EXISTS (SELECT FROM @events WHERE writer = $1 AND sequence = $2 AND xact = $3::text::xid8), \
                   pg_logical_emit_message(true, 'mutation-approval', '')";
        let parameters: [Parameter<'_>; 3] = [(&writer, Type::TEXT), (&sequence, Type::INT8), (&mark.xact, Type::TEXT)];
        let rows = session.query(sql, &parameters).await;
        give_back(client, rows)?.first().map(|row| Ok(row.try_get(0)?)).transpose()
    }
}

/// The event that a write appends.
fn told(write: &Write) -> Option<(WriterId, u64)> {
    match write {
        Write::Event(event) => Some((event.writer, event.sequence)),
        _ => None,
    }
}
