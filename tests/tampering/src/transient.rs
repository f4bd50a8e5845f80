//! Sessions and logins under way, which the core only seals.

use std::time::Duration;

use approval_core::Clock as _;
use approval_core::record::RecordKind;
use approval_core::transient::{SealedTransient, Transient, TransientError};
use approval_testkit::ill_formed::AUDIENCE;
use approval_testkit::{FakeClock, MemoryTransient, test_key_ring};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

use crate::tally::Tally;

/// Keeps what is put, and lets it be looked at.
#[derive(Clone, Debug, Default)]
struct Watched {
    kept: MemoryTransient,
    put: Arc<Mutex<Vec<Put>>>,
}

/// A key, and what is kept under it.
type Put = (String, Vec<u8>);

#[async_trait::async_trait]
impl Transient for Watched {
    async fn put(&self, key: &str, sealed: Vec<u8>, until: approval_core::Timestamp) -> Result<(), TransientError> {
        self.put.lock().unwrap().push((key.to_owned(), sealed.clone()));
        self.kept.put(key, sealed, until).await
    }

    async fn put_new(
        &self,
        key: &str,
        sealed: Vec<u8>,
        until: approval_core::Timestamp,
        now: approval_core::Timestamp,
    ) -> Result<bool, TransientError> {
        self.put.lock().unwrap().push((key.to_owned(), sealed.clone()));
        self.kept.put_new(key, sealed, until, now).await
    }

    async fn find(&self, key: &str, now: approval_core::Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.kept.find(key, now).await
    }

    async fn take(&self, key: &str, now: approval_core::Timestamp) -> Result<Option<Vec<u8>>, TransientError> {
        self.kept.take(key, now).await
    }

    async fn sweep(&self, now: approval_core::Timestamp) -> Result<(), TransientError> {
        self.kept.sweep(now).await
    }
}

fn value(kind: RecordKind, name: &str) -> Value {
    json!({ "of": format!("{kind} {name}") })
}

#[tokio::test]
async fn every_edit_of_a_session_and_a_login_is_refused() {
    // [SEAL-001, SEAL-003]
    let (watched, clock) = (Watched::default(), FakeClock::new());
    let kept = SealedTransient::new(Arc::new(watched.clone()), Arc::new(test_key_ring()), AUDIENCE.into());
    let (now, until) = (clock.now(), clock.now().after(Duration::from_secs(60)));
    let names = [
        (RecordKind::Session, "one"),
        (RecordKind::Session, "two"),
        (RecordKind::Login, "one"),
        (RecordKind::Login, "two"),
    ];
    for (kind, name) in names {
        kept.put(kind, name, &value(kind, name), until).await.unwrap();
    }
    let put = watched.put.lock().unwrap().clone();
    let mut tally = Tally::default();
    for ((kind, name), (key, sealed)) in names.iter().zip(&put) {
        let mut others = Vec::new();
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            others.push(("byte", other));
        }
        others.extend((0..sealed.len()).map(|length| ("cut", sealed[..length].to_vec())));
        others.push(("longer", [sealed.as_slice(), &[0]].concat()));
        others.extend(put.iter().filter(|(other, _)| other != key).map(|(_, other)| ("exchanged", other.clone())));
        for (attack, other) in others {
            watched.kept.put(key, other.clone(), until).await.unwrap();
            let found = kept.find::<Value>(*kind, name, now).await;
            assert!(matches!(found, Err(TransientError::Seal(_))), "{kind} {name} {attack}: {found:?}");
            let taken = kept.take::<Value>(*kind, name, now).await;
            assert!(matches!(taken, Err(TransientError::Seal(_))), "{kind} {name} {attack}: {taken:?}");
            tally.count(kind.name(), attack);
        }
        // The control: as it was, it is found; and of another kind there is none.
        watched.kept.put(key, sealed.clone(), until).await.unwrap();
        assert_eq!(kept.find::<Value>(*kind, name, now).await.unwrap(), Some(value(*kind, name)));
    }
    let is_transient = |kind| matches!(kind, RecordKind::Login | RecordKind::Session);
    tally.close("sessions and logins", |kind| if is_transient(kind) { 100 } else { 0 });
}
