//! A transition that counts: what several writers of one store add up to says whether any of them lost an update.

use approval_core::record::RecordKind;
use approval_core::store::{EventRow, Reads, Row, RowKey, Store, StoreError, Transition, Write};
use approval_core::{Reason, Refusal, WriterId};

fn key() -> RowKey {
    RowKey::new(RecordKind::Pause, "count")
}

fn read(row: &Row) -> Option<u64> {
    std::str::from_utf8(&row.sealed).ok()?.parse().ok()
}

/// Adds one to what is there, with an event of this writer.
#[must_use]
pub fn count(writer: WriterId, sequence: u64) -> Transition {
    let reads = Reads { rows: vec![key()], ..Reads::default() };
    Transition::new("count", reads, move |snapshot| {
        let before = snapshot.rows.get(&key());
        let count = match before {
            None => 0,
            Some(row) => read(row).ok_or_else(|| Refusal::new(Reason::Internal, "no count"))?,
        };
        let row = |revision| Row { key: key(), plan: None, revision, sealed: (count + 1).to_string().into_bytes() };
        let put = match before {
            None => Write::Insert(row(1)),
            Some(before) => Write::Replace { from: before.revision, row: row(before.revision + 1) },
        };
        let event = EventRow { position: 0, writer, sequence, plan: None, sealed: b"counted".to_vec() };
        Ok(vec![put, Write::Event(event)])
    })
}

/// What has been counted, and the revision of the row; nothing, where nobody has counted or the row holds no count.
///
/// # Errors
/// When the store can't be read.
pub async fn counted(store: &dyn Store) -> Result<Option<(u64, u64)>, StoreError> {
    let rows = store.rows(&[key()]).await?;
    Ok(rows.first().and_then(|row| Some((read(row)?, row.revision))))
}
