//! Rows whose seals have been verified by this process, and what was in them.
//!
//! To open the same bytes as the same record of the same plan at the same revision under the same keys always gives the same:
//! so what was opened once is not opened again. It is not a cache of the store: every row is read anew, and only a row that is
//! equal to the byte is found here. Secret values and results are never kept.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Sealed;
use crate::id::PlanId;
use crate::record::{Record, RecordKind};

/// The largest row that is kept, in bytes.
const LARGEST: usize = 1024 * 1024;

/// How many rows a generation has at most.
const ROWS: usize = 256;

/// How many bytes of rows a generation has at most, but for the one that filled it. What was in them takes several times that.
const BYTES: usize = 2 * 1024 * 1024;

/// What was used lately, and what was used before that: when the first is full, the second is forgotten.
#[derive(Default)]
pub(super) struct Memo {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    rows: HashMap<(RecordKind, String), Known>,
    bytes: usize,
}

/// A row that was opened, and the record in it.
#[derive(Clone)]
struct Known {
    plan: Option<PlanId>,
    revision: u64,
    sealed: Arc<[u8]>,
    record: Arc<dyn Any + Send + Sync>,
}

/// As what a row is opened, and its bytes.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) id: &'a str,
    pub(super) plan: Option<PlanId>,
    pub(super) revision: u64,
    pub(super) sealed: &'a [u8],
}

impl Memo {
    /// The record, if exactly this has been opened before.
    pub(super) fn find<R: Record>(&self, opening: Opening<'_>) -> Option<Arc<Sealed<R>>> {
        let known = self.known((R::KIND, opening.id.to_owned()))?;
        let same = known.plan == opening.plan && known.revision == opening.revision && *known.sealed == *opening.sealed;
        if same { known.record.downcast().ok() } else { None }
    }

    /// Remembers what was in a row: one that was opened, or one that was just sealed.
    pub(super) fn remember<R: Record>(&self, opening: Opening<'_>, record: &Arc<Sealed<R>>) {
        if matches!(R::KIND, RecordKind::Result | RecordKind::Secrets) || opening.sealed.len() > LARGEST {
            return;
        }
        let known = Known {
            plan: opening.plan,
            revision: opening.revision,
            sealed: opening.sealed.into(),
            record: Arc::<Sealed<R>>::clone(record),
        };
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.keep((R::KIND, opening.id.to_owned()), known);
    }

    fn known(&self, key: (RecordKind, String)) -> Option<Known> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.rows.get(&key) {
            return Some(known.clone());
        }
        let known = generations.old.rows.get(&key)?.clone();
        generations.keep(key, known.clone());
        Some(known)
    }
}

impl fmt::Debug for Memo {
    /// What is known is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl Generations {
    fn keep(&mut self, key: (RecordKind, String), known: Known) {
        if self.young.rows.len() >= ROWS || self.young.bytes >= BYTES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += known.sealed.len();
        let before = self.young.rows.insert(key, known);
        self.young.bytes -= before.map_or(0, |before| before.sealed.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Mute, MuteType, Pause, Secrets, SecretsType};

    const PLAN: &str = "019ab12c-0000-7000-8000-000000000001";

    fn mute() -> Arc<Sealed<Mute>> {
        let until = crate::Timestamp::from_unix_millis(0);
        let record = Mute { kind: MuteType::V0, revision: 1, until };
        Arc::new(Sealed { digest: record.digest().unwrap(), record: Arc::new(record), length: 6, revision: 1 })
    }

    fn opening<'a>(id: &'a str, sealed: &'a [u8]) -> Opening<'a> {
        Opening { id, plan: None, revision: 1, sealed }
    }

    #[test]
    fn only_the_same_bytes_under_the_same_name_are_found() {
        // [SEAL-003]
        let memo = Memo::default();
        memo.remember(opening("a", b"sealed"), &mute());
        assert_eq!(memo.find::<Mute>(opening("a", b"sealed")), Some(mute()));
        assert_eq!(memo.find::<Mute>(opening("a", b"Sealed")), None);
        assert_eq!(memo.find::<Mute>(opening("a", b"sealed ")), None);
        assert_eq!(memo.find::<Mute>(opening("b", b"sealed")), None);
        let other_plan = Opening { plan: Some(PLAN.parse().unwrap()), ..opening("a", b"sealed") };
        assert_eq!(memo.find::<Mute>(other_plan), None);
        assert_eq!(memo.find::<Mute>(Opening { revision: 2, ..opening("a", b"sealed") }), None);
        assert_eq!(memo.find::<Pause>(opening("a", b"sealed")), None);
    }

    #[test]
    fn secrets_are_never_kept() {
        // [LEAF-007]
        let memo = Memo::default();
        let record = Secrets { kind: SecretsType::V0, leaves: Vec::new() };
        let sealed =
            Arc::new(Sealed { digest: record.digest().unwrap(), record: Arc::new(record), length: 6, revision: 1 });
        memo.remember(opening("a", b"sealed"), &sealed);
        assert!(memo.find::<Secrets>(opening("a", b"sealed")).is_none());
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let memo = Memo::default();
        for number in 0..10 * ROWS {
            memo.remember(opening(&number.to_string(), b"sealed"), &mute());
        }
        let kept = {
            let generations = memo.generations.lock().unwrap();
            generations.young.rows.len() + generations.old.rows.len()
        };
        assert!((ROWS..=2 * ROWS).contains(&kept), "{kept}");
        assert_eq!(memo.find::<Mute>(opening("0", b"sealed")), None);
        assert_eq!(memo.find::<Mute>(opening(&(10 * ROWS - 1).to_string(), b"sealed")), Some(mute()));
        let [largest, large] = [LARGEST, LARGEST + 1].map(|size| vec![0; size]);
        for sealed in [&largest, &large] {
            memo.remember(opening("large", sealed), &mute());
        }
        assert_eq!(memo.find::<Mute>(opening("large", &largest)), Some(mute()));
        assert_eq!(memo.find::<Mute>(opening("large", &large)), None);
        assert_eq!(format!("{memo:?}"), "Memo", "what is known is not for logs");
    }

    #[test]
    fn no_more_than_so_many_bytes_are_kept() {
        let memo = Memo::default();
        let large = vec![0; LARGEST];
        let fits = BYTES / LARGEST;
        for number in 0..10 * fits {
            // Once more takes no more room.
            for _ in 0..3 {
                memo.remember(opening(&number.to_string(), &large), &mute());
            }
            let generations = memo.generations.lock().unwrap();
            let kept = [&generations.young, &generations.old].map(|some| (some.rows.len() * LARGEST, some.bytes));
            assert!(kept.iter().all(|(rows, bytes)| rows == bytes && *bytes <= BYTES), "{kept:?}");
        }
        for (number, kept) in [(10 * fits - 1, true), (9 * fits, true), (0, false)] {
            assert_eq!(memo.find::<Mute>(opening(&number.to_string(), &large)).is_some(), kept, "{number}");
        }
    }
}
