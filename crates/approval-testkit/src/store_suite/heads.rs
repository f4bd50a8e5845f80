//! Lane heads: which of them a new writer has to name.

use approval_core::WriterId;
use approval_core::record::RecordKind;
use approval_core::store::{Reads, Row, Write};

use super::fixture::{Fixture, lane_head, row, sorted};
use crate::report::{Seen, same};

async fn unnamed(fixture: &Fixture) -> Result<Vec<Row>, Seen> {
    let reads = Reads { unnamed_heads: true, ..Reads::default() };
    Ok(sorted(fixture.snapshot(reads).await?.heads))
}

fn heads(of: &[(WriterId, u64)]) -> Vec<Row> {
    sorted(of.iter().map(|(writer, sequence)| lane_head(*writer, *sequence)).collect())
}

/// A head is unnamed until it is named. To name one that does not exist does nothing.
pub(super) async fn named(fixture: Fixture) -> Result<(), Seen> {
    let (a, b, nobody) = (fixture.writer()?, fixture.writer()?, fixture.writer()?);
    same("the heads of an empty store", &unnamed(&fixture).await?, &Vec::new())?;
    fixture.write(vec![Write::Insert(lane_head(a, 1)), Write::Insert(lane_head(b, 1))]).await?;
    same("the heads, of which none is named", &unnamed(&fixture).await?, &heads(&[(a, 1), (b, 1)]))?;
    fixture.write(vec![Write::NameHeads(vec![a, nobody])]).await?;
    same("the heads, once one is named", &unnamed(&fixture).await?, &heads(&[(b, 1)]))?;
    let not_asked = fixture.snapshot(Reads::default()).await?.heads;
    same("the heads that nobody asked for", &not_asked, &Vec::new())?;
    same("the head that is named", &fixture.row(&lane_head(a, 1).key).await?, &Some(lane_head(a, 1)))?;
    fixture.write(vec![Write::NameHeads(Vec::new())]).await?;
    same("the heads, after nothing was named", &unnamed(&fixture).await?, &heads(&[(b, 1)]))
}

/// A head that has moved on is unnamed again.
pub(super) async fn replaced(fixture: Fixture) -> Result<(), Seen> {
    let (a, b) = (fixture.writer()?, fixture.writer()?);
    fixture.write(vec![Write::Insert(lane_head(a, 1)), Write::Insert(lane_head(b, 1))]).await?;
    fixture.write(vec![Write::NameHeads(vec![a, b])]).await?;
    same("the heads, once all are named", &unnamed(&fixture).await?, &Vec::new())?;
    fixture.write(vec![Write::Replace { from: 1, row: lane_head(a, 2) }]).await?;
    same("the heads, once one has moved on", &unnamed(&fixture).await?, &heads(&[(a, 2)]))?;
    let conflicting = vec![Write::NameHeads(vec![a]), Write::Replace { from: 1, row: lane_head(a, 3) }];
    fixture.conflicts("a replacement from a revision of the past", conflicting).await?;
    same("the heads, after a conflict", &unnamed(&fixture).await?, &heads(&[(a, 2)]))?;
    // A writer that names others moves on itself.
    let named_and_moved = vec![Write::NameHeads(vec![a, b]), Write::Replace { from: 1, row: lane_head(b, 2) }];
    fixture.write(named_and_moved).await?;
    same("the heads, once the one that names has moved on", &unnamed(&fixture).await?, &heads(&[(b, 2)]))?;
    fixture.write(vec![Write::Remove(lane_head(b, 2).key), Write::Insert(lane_head(b, 7))]).await?;
    same("the heads, once one was removed and made anew", &unnamed(&fixture).await?, &heads(&[(b, 7)]))
}

/// Nothing but lane heads is among the heads.
pub(super) async fn only_heads(fixture: Fixture) -> Result<(), Seen> {
    let writer = fixture.writer()?;
    let kinds = RecordKind::ALL.into_iter().filter(|kind| *kind != RecordKind::LaneHead);
    let others = kinds.map(|kind| Write::Insert(row(kind, &writer.to_string(), None, 1, "no head")));
    fixture.write(others.chain([Write::Insert(lane_head(writer, 3))]).collect()).await?;
    same("the heads among rows of every kind", &unnamed(&fixture).await?, &heads(&[(writer, 3)]))
}
