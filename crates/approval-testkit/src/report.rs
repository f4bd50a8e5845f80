//! What a suite found: which checks ran, and what was seen where one failed.

use std::fmt;
use std::pin::Pin;

/// What a contract promises, by the id of the requirement and in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The requirement's permanent id: `STORE-003`.
    pub id: &'static str,
    /// What is promised.
    pub text: &'static str,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.id, self.text)
    }
}

/// One check of a suite, once it has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The check's name: `rows/insert-twice`.
    pub name: &'static str,
    /// What it holds the store to.
    pub promise: Promise,
    /// What was seen instead, where the check failed.
    pub failure: Option<String>,
}

/// What came of a run of a suite. Nothing run is not green.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuiteReport {
    /// Every check that ran, in the order in which they ran.
    pub checks: Vec<CheckReport>,
}

impl SuiteReport {
    /// How many checks ran.
    #[must_use]
    pub fn ran(&self) -> usize {
        self.checks.len()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CheckReport> {
        self.checks.iter().filter(|check| check.failure.is_some())
    }

    /// Whether checks ran, and none of them failed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.ran() > 0 && self.failures().next().is_none()
    }

    /// Does nothing where the suite passed.
    ///
    /// # Panics
    /// With the whole report, where a check failed or none ran.
    pub fn assert_passed(&self) {
        assert!(self.is_passed(), "{self}");
    }
}

impl fmt::Display for SuiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ran, failed) = (self.ran(), self.failures().count());
        match (ran, failed) {
            (0, _) => return write!(f, "no check ran"),
            (_, 0) => return write!(f, "all {ran} checks passed"),
            _ => writeln!(f, "{failed} of {ran} checks failed")?,
        }
        for CheckReport { name, promise, failure } in self.failures() {
            write!(f, "\n{name}: {promise}\n    {}", failure.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// What a check saw that the contract rules out.
#[derive(Debug)]
pub(crate) struct Seen(String);

impl Seen {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

/// Whatever fails on the way is seen too: a store that answers with an error where none belongs.
impl<E: std::error::Error> From<E> for Seen {
    fn from(error: E) -> Self {
        Self(format!("an error: {error}"))
    }
}

/// Fails where `holds` is false.
pub(crate) fn ensure(holds: bool, seen: impl FnOnce() -> String) -> Result<(), Seen> {
    if holds { Ok(()) } else { Err(Seen(seen())) }
}

/// Fails where two values differ.
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Seen> {
    ensure(found == expected, || format!("{what}: found {}, expected {}", brief(found), brief(expected)))
}

/// A value for people: one of a whole table would hide what matters.
pub(crate) fn brief(value: &impl fmt::Debug) -> String {
    const LONGEST: usize = 600;
    let text = format!("{value:?}");
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}… ({} bytes)", text.split_at(end).0, text.len()),
    }
}

/// A check under way.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<(), Seen>> + Send>>;

/// One check of a suite, with what it needs to run.
pub(crate) struct Check<Fixture> {
    pub(crate) name: &'static str,
    pub(crate) promise: Promise,
    pub(crate) run: Box<dyn Fn(Fixture) -> Running + Send + Sync>,
}

impl<Fixture: 'static> Check<Fixture> {
    pub(crate) fn new<Ran>(name: &'static str, promise: Promise, run: fn(Fixture) -> Ran) -> Self
    where
        Ran: Future<Output = Result<(), Seen>> + Send + 'static,
    {
        Self { name, promise, run: Box::new(move |fixture| Box::pin(run(fixture))) }
    }

    /// Runs the check on a task of its own: where the store panics, the check has failed.
    pub(crate) async fn report(&self, fixture: Fixture) -> CheckReport {
        let failure = match tokio::spawn((self.run)(fixture)).await {
            Ok(Ok(())) => None,
            Ok(Err(Seen(seen))) => Some(seen),
            Err(error) => Some(format!("the check broke off: {error}")),
        };
        CheckReport { name: self.name, promise: self.promise, failure }
    }
}
