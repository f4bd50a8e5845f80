//! The contract of short-lived values as an executable suite: what [`Transient`] promises, held against any store of them.
//!
//! ```
//! # use approval_testkit::{MemoryTransient, transient_suite};
//! # #[tokio::main]
//! # async fn main() {
//! transient_suite::test_all(|| async { MemoryTransient::default() }).await;
//! # }
//! ```
//!
//! The builder is called once for every check, and must give an empty store. As in [`store_suite`](crate::store_suite), checks
//! of what happens at once need a multi-threaded tokio runtime.

use std::sync::Arc;

use approval_core::Timestamp;
use approval_core::transient::Transient;

use crate::report::{Check, Promise, Seen, SuiteReport, same};
use crate::store_suite::at_once;

const PUT: Promise =
    Promise { id: "TRANSIENT-001", text: "a value is kept under its key until it expires, in place of what was there" };
const EXPIRY: Promise = Promise { id: "TRANSIENT-002", text: "a value that has expired is not returned" };
const TAKE: Promise = Promise { id: "TRANSIENT-003", text: "of all who take a value, exactly one gets it" };
const PUT_NEW: Promise = Promise {
    id: "TRANSIENT-005",
    text: "what is put where nothing may be is kept if nothing is there, and of all who put something there exactly one is told so",
};
const SWEEP: Promise = Promise { id: "TRANSIENT-004", text: "a sweep removes what has expired, and nothing else" };

type Fixture = Arc<dyn Transient>;

/// Runs every check, each on a store of its own, and reports what was seen.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn run<T, Made>(mut builder: impl FnMut() -> Made) -> SuiteReport
where
    T: Transient + 'static,
    Made: Future<Output = T>,
{
    let mut report = SuiteReport::default();
    for check in checks() {
        let transient: Fixture = Arc::new(builder().await);
        report.checks.push(check.report(transient).await);
    }
    report
}

/// Runs every check, and returns how many there were.
///
/// # Panics
/// With the whole report, where a check failed; outside a tokio runtime.
pub async fn test_all<T, Made>(builder: impl FnMut() -> Made) -> usize
where
    T: Transient + 'static,
    Made: Future<Output = T>,
{
    let report = run(builder).await;
    report.assert_passed();
    report.ran()
}

fn checks() -> Vec<Check<Fixture>> {
    vec![
        Check::new("transient/bytes", PUT, bytes),
        Check::new("transient/expiry", EXPIRY, expiry),
        Check::new("transient/put-again", PUT, put_again),
        Check::new("transient/put-new", PUT_NEW, put_new),
        Check::new("transient/put-new-at-once", PUT_NEW, put_new_at_once),
        Check::new("transient/sweep", SWEEP, sweep),
        Check::new("transient/take", TAKE, take),
        Check::new("transient/take-at-once", TAKE, take_at_once),
        Check::new("transient/take-expired", EXPIRY, take_expired),
    ]
}

fn second(number: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000 + number * 1000)
}

fn value(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

async fn bytes(transient: Fixture) -> Result<(), Seen> {
    let large: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    let kept = [("a", Vec::new()), ("A", vec![0]), ("a'b\"c;--", b"quotes".to_vec()), ("漢字", large), ("", vec![255])];
    for (key, sealed) in &kept {
        transient.put(key, sealed.clone(), second(60)).await?;
    }
    for (key, sealed) in kept {
        // Looking at a value leaves it there.
        for _ in 0..2 {
            same(&format!("the value of `{key}`"), &transient.find(key, second(0)).await?, &Some(sealed.clone()))?;
        }
    }
    same("a value that nobody put there", &transient.find("b", second(0)).await?, &None)?;
    same("a value that nobody put there, taken", &transient.take("b", second(0)).await?, &None)
}

async fn put_again(transient: Fixture) -> Result<(), Seen> {
    transient.put("a", b"first".to_vec(), second(60)).await?;
    transient.put("a", b"second".to_vec(), second(120)).await?;
    same("the value that was put last", &transient.find("a", second(90)).await?, &value("second"))?;
    // The expiry is replaced too, by an earlier one as well.
    transient.put("a", b"third".to_vec(), second(30)).await?;
    same("a value whose expiry was brought forward", &transient.find("a", second(31)).await?, &None)?;
    transient.put("a", b"fourth".to_vec(), second(60)).await?;
    same("the value after one that expired", &transient.find("a", second(31)).await?, &value("fourth"))
}

async fn put_new(transient: Fixture) -> Result<(), Seen> {
    let put = async |text: &str, until, now| {
        transient.put_new("a", text.as_bytes().to_vec(), second(until), second(now)).await
    };
    same("whether the first is kept", &put("first", 60, 0).await?, &true)?;
    same("whether another beside it is kept", &put("second", 90, 59).await?, &false)?;
    same("the value that was there", &transient.find("a", second(59)).await?, &value("first"))?;
    same("whether that lasts longer now", &transient.find("a", second(60)).await?, &None)?;
    same("whether one in place of what has expired is kept", &put("third", 90, 60).await?, &true)?;
    same("the value in its place", &transient.find("a", second(60)).await?, &value("third"))?;
    transient.take("a", second(60)).await?;
    same("whether one in place of what was taken is kept", &put("fourth", 90, 60).await?, &true)
}

async fn put_new_at_once(transient: Fixture) -> Result<(), Seen> {
    const TASKS: u64 = 8;
    for round in 0..20 {
        let key = format!("form {round}");
        let told = at_once(TASKS, |task| {
            let (transient, key) = (Arc::clone(&transient), key.clone());
            async move { (task, transient.put_new(&key, task.to_be_bytes().to_vec(), second(60), second(0)).await) }
        })
        .await?;
        let mut theirs = Vec::new();
        for (task, told) in told {
            if told? {
                theirs.push(task.to_be_bytes().to_vec());
            }
        }
        same(&format!("how many of {TASKS} were told that theirs is kept"), &theirs.len(), &1)?;
        same("what is kept", &transient.find(&key, second(0)).await?, &theirs.pop())?;
    }
    Ok(())
}

async fn expiry(transient: Fixture) -> Result<(), Seen> {
    transient.put("a", b"a".to_vec(), second(60)).await?;
    let just_before = Timestamp::from_unix_millis(second(60).unix_millis() - 1);
    same("the value a millisecond before it expires", &transient.find("a", just_before).await?, &value("a"))?;
    same("the value when it expires", &transient.find("a", second(60)).await?, &None)?;
    same("the value after it has expired", &transient.find("a", second(61)).await?, &None)
}

async fn take(transient: Fixture) -> Result<(), Seen> {
    transient.put("a", b"a".to_vec(), second(60)).await?;
    transient.put("b", b"b".to_vec(), second(60)).await?;
    same("the value that is taken", &transient.take("a", second(0)).await?, &value("a"))?;
    same("the value that was taken, taken again", &transient.take("a", second(0)).await?, &None)?;
    same("the value that was taken, looked for", &transient.find("a", second(0)).await?, &None)?;
    same("the value beside it", &transient.find("b", second(0)).await?, &value("b"))?;
    transient.put("a", b"anew".to_vec(), second(60)).await?;
    same("the value that was put there anew", &transient.take("a", second(0)).await?, &value("anew"))
}

async fn take_expired(transient: Fixture) -> Result<(), Seen> {
    transient.put("a", b"a".to_vec(), second(60)).await?;
    same("a value that is taken when it expires", &transient.take("a", second(60)).await?, &None)?;
    transient.put("b", b"b".to_vec(), second(60)).await?;
    let just_before = Timestamp::from_unix_millis(second(60).unix_millis() - 1);
    same("a value that is taken a millisecond before", &transient.take("b", just_before).await?, &value("b"))
}

async fn take_at_once(transient: Fixture) -> Result<(), Seen> {
    const TASKS: u64 = 8;
    for round in 0..20 {
        let key = format!("login {round}");
        transient.put(&key, b"state".to_vec(), second(60)).await?;
        let taken = at_once(TASKS, |_| {
            let (transient, key) = (Arc::clone(&transient), key.clone());
            async move { transient.take(&key, second(0)).await }
        })
        .await?;
        let taken = taken.into_iter().collect::<Result<Vec<_>, _>>()?;
        same(&format!("how many of {TASKS} took one value"), &taken.iter().flatten().count(), &1)?;
    }
    Ok(())
}

async fn sweep(transient: Fixture) -> Result<(), Seen> {
    for (key, expires) in [("past", 10), ("now", 20), ("later", 30)] {
        transient.put(key, key.as_bytes().to_vec(), second(expires)).await?;
    }
    transient.sweep(second(20)).await?;
    // At an earlier moment they would still be good: now they are gone.
    for (key, expected) in [("past", None), ("now", None), ("later", value("later"))] {
        same(&format!("`{key}` after a sweep"), &transient.find(key, second(0)).await?, &expected)?;
    }
    transient.sweep(second(20)).await?;
    same("what is left after a second sweep", &transient.find("later", second(29)).await?, &value("later"))
}
