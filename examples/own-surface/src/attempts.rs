//! How often passwords may be tried. [AUTH-005]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use approval_core::Timestamp;

/// Of one account, five wrong ones at once and then one in half a minute; of all together, fifty and then one in a second.
const PACES: [(u32, Duration); 2] = [(5, Duration::from_secs(30)), (50, Duration::from_secs(1))];

/// When each account, and all of them together (under no name), will have paid off what they tried.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, Timestamp>>);

impl Attempts {
    /// Counts an attempt at an account's password, unless it is one too many.
    pub(crate) fn allow(&self, account: &str, now: Timestamp) -> bool {
        let mut due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is paid off is forgotten. All together are few, so no list of invented names fills the memory.
        due.retain(|_, due| now < *due);
        let counted = [account, ""].into_iter().zip(PACES).map(|(name, (burst, interval))| {
            let next = due.get(name).copied().unwrap_or(now).after(interval);
            (next.since(now) <= interval * burst).then(|| (name.to_owned(), next))
        });
        match counted.collect::<Option<Vec<_>>>() {
            Some(counted) => due.extend(counted),
            None => return false,
        }
        true
    }

    /// It was the right password: what its account tried before doesn't count any more.
    pub(crate) fn forgive(&self, account: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_and_all_together_have_their_pace() {
        let (attempts, now) = (Attempts::default(), Timestamp::from_unix_millis(0));
        assert_eq!((0..6).filter(|_| attempts.allow("alice", now)).count(), 5);
        assert!(!attempts.allow("alice", now.after(Duration::from_secs(29))));
        assert!(attempts.allow("alice", now.after(Duration::from_secs(30))));
        let attempts = Attempts::default();
        assert_eq!((0..60).filter(|number| attempts.allow(&number.to_string(), now)).count(), 50);
    }
}
