//! How often passwords may be tried: per account and altogether. [AUTH-005]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use approval_core::{Digest, Timestamp};

/// Names that are remembered at most; more at once are refused, so that inventing names doesn't fill the memory.
const REMEMBERED: usize = 10_000;

/// How often something may be done: a number at once, and then one at each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// At once.
    pub burst: u32,
    /// Then one in this time.
    pub interval: Duration,
}

/// Counts attempts, by the generic cell rate algorithm: of each name only the moment is kept when it will have paid off.
///
/// It counts within this process. Replicas allow as many times more.
#[derive(Debug)]
pub(super) struct Throttle {
    per_name: Pace,
    altogether: Pace,
    due: Mutex<Due>,
}

#[derive(Debug)]
struct Due {
    altogether: Timestamp,
    names: HashMap<Digest, Timestamp>,
}

impl Throttle {
    pub(super) fn new(per_name: Pace, altogether: Pace) -> Self {
        let due = Due { altogether: Timestamp::from_unix_millis(0), names: HashMap::new() };
        Self { per_name, altogether, due: Mutex::new(due) }
    }

    /// Counts one attempt under a name. Where that is one too many: how long to wait.
    pub(super) fn attempt(&self, name: &str, now: Timestamp) -> Result<(), Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Digest::of_bytes(name.as_bytes());
        if due.names.len() >= REMEMBERED {
            due.names.retain(|_, due| *due > now);
        }
        if due.names.len() >= REMEMBERED && !due.names.contains_key(&key) {
            // Until one of them is forgotten.
            let soonest = due.names.values().min().copied().unwrap_or(now);
            return Err(soonest.since(now));
        }
        let of_name = due.names.get(&key).copied().unwrap_or(now);
        let (of_name, altogether) = (self.per_name.next(of_name, now)?, self.altogether.next(due.altogether, now)?);
        due.altogether = altogether;
        due.names.insert(key, of_name);
        Ok(())
    }

    /// The attempt was a right one: it doesn't count.
    pub(super) fn forgive(&self, name: &str) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.altogether = self.altogether.back(due.altogether);
        if let Some(of_name) = due.names.get_mut(&Digest::of_bytes(name.as_bytes())) {
            *of_name = self.per_name.back(*of_name);
        }
    }
}

impl Pace {
    fn next(self, due: Timestamp, now: Timestamp) -> Result<Timestamp, Duration> {
        let due = due.max(now);
        let ahead = due.since(now);
        let allowed = self.interval * self.burst.saturating_sub(1);
        if ahead > allowed { Err(ahead - allowed) } else { Ok(due.after(self.interval)) }
    }

    fn back(self, due: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_unix_millis(due.unix_millis().saturating_sub(interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_767_225_600_000 + seconds * 1000)
    }

    fn throttle(altogether: u32) -> Throttle {
        let interval = Duration::from_secs(30);
        Throttle::new(Pace { burst: 3, interval }, Pace { burst: altogether, interval: Duration::from_secs(1) })
    }

    #[test]
    fn a_name_has_its_pace() {
        let throttle = throttle(100);
        assert!((0..3).all(|_| throttle.attempt("bob", at(0)).is_ok()));
        assert_eq!(throttle.attempt("bob", at(0)), Err(Duration::from_secs(30)));
        assert_eq!(throttle.attempt("carol", at(0)), Ok(()));
        assert_eq!(throttle.attempt("bob", at(29)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.attempt("bob", at(30)), Ok(()));
        assert!(throttle.attempt("bob", at(30)).is_err());
    }

    #[test]
    fn all_names_together_have_theirs() {
        let throttle = throttle(5);
        let names = ["a", "b", "c", "d", "e"];
        assert!(names.iter().all(|name| throttle.attempt(name, at(0)).is_ok()));
        assert_eq!(throttle.attempt("f", at(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.attempt("f", at(1)), Ok(()));
    }

    #[test]
    fn right_attempts_dont_count() {
        let throttle = throttle(5);
        for _ in 0..50 {
            assert_eq!(throttle.attempt("bob", at(0)), Ok(()));
            throttle.forgive("bob");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let interval = Duration::from_secs(30);
        let no_limit = Pace { burst: u32::MAX, interval: Duration::ZERO };
        let throttle = Throttle::new(Pace { burst: 3, interval }, no_limit);
        assert!((0..REMEMBERED).all(|n| throttle.attempt(&n.to_string(), at(i64::from(n > 0))).is_ok()));
        assert_eq!(
            throttle.attempt("one more", at(1)),
            Err(Duration::from_secs(29)),
            "until the first one is paid off"
        );
        assert!(throttle.attempt("7", at(1)).is_ok(), "a name that is known goes on");
        assert_eq!(throttle.attempt("one more", at(31)), Ok(()), "what is paid off is forgotten");
    }
}
