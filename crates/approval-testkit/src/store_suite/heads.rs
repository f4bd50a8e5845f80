//! The last events of writers: a writer's own, and those that a new writer has to name.

use approval_core::WriterId;
use approval_core::store::{EventRow, Reads, Write};

use super::fixture::{Fixture, event};
use crate::report::{Seen, same};

/// As they were written: with no position.
fn written(events: impl IntoIterator<Item = EventRow>) -> Vec<EventRow> {
    let mut events: Vec<_> = events.into_iter().map(|event| EventRow { position: 0, ..event }).collect();
    events.sort_by_key(|event| event.writer);
    events
}

async fn unnamed(fixture: &Fixture) -> Result<Vec<EventRow>, Seen> {
    let reads = Reads { unnamed_heads: true, ..Reads::default() };
    Ok(written(fixture.snapshot(reads).await?.heads))
}

async fn lane(fixture: &Fixture, writer: WriterId) -> Result<Vec<EventRow>, Seen> {
    let reads = Reads { lane: Some(writer), ..Reads::default() };
    Ok(written(fixture.snapshot(reads).await?.lane))
}

fn heads(of: &[(WriterId, u64)]) -> Vec<EventRow> {
    written(of.iter().map(|(writer, sequence)| event(*writer, *sequence, None)))
}

fn events(of: &[(WriterId, u64)]) -> Vec<Write> {
    of.iter().map(|(writer, sequence)| Write::Event(event(*writer, *sequence, None))).collect()
}

/// A writer's last event is its own, whoever writes after it.
pub(super) async fn last(fixture: Fixture) -> Result<(), Seen> {
    let (a, b, nobody) = (fixture.writer()?, fixture.writer()?, fixture.writer()?);
    same("the last event of a writer that has none", &lane(&fixture, a).await?, &Vec::new())?;
    fixture.write(events(&[(a, 1), (b, 1), (a, 2), (b, 2), (b, 3)])).await?;
    same("the last event of a writer", &lane(&fixture, a).await?, &heads(&[(a, 2)]))?;
    same("the last event of the other", &lane(&fixture, b).await?, &heads(&[(b, 3)]))?;
    same("the last event of nobody", &lane(&fixture, nobody).await?, &Vec::new())?;
    let not_asked: Vec<_> = fixture.snapshot(Reads::default()).await?.lane.into_iter().collect();
    same("the last event that nobody asked for", &not_asked, &Vec::new())
}

/// A head is unnamed until it is named. To name one that does not exist does nothing.
pub(super) async fn named(fixture: Fixture) -> Result<(), Seen> {
    let (a, b, nobody) = (fixture.writer()?, fixture.writer()?, fixture.writer()?);
    same("the heads of an empty store", &unnamed(&fixture).await?, &Vec::new())?;
    fixture.write(events(&[(a, 1), (b, 1), (b, 2)])).await?;
    same("the heads, of which none is named", &unnamed(&fixture).await?, &heads(&[(a, 1), (b, 2)]))?;
    fixture.write(vec![Write::NameHeads(vec![a, nobody])]).await?;
    same("the heads, once one is named", &unnamed(&fixture).await?, &heads(&[(b, 2)]))?;
    let not_asked = fixture.snapshot(Reads::default()).await?.heads;
    same("the heads that nobody asked for", &not_asked, &Vec::new())?;
    same("the head that is named", &lane(&fixture, a).await?, &heads(&[(a, 1)]))?;
    fixture.write(vec![Write::NameHeads(Vec::new())]).await?;
    same("the heads, after nothing was named", &unnamed(&fixture).await?, &heads(&[(b, 2)]))
}

/// A writer that has written since is unnamed again.
pub(super) async fn moved(fixture: Fixture) -> Result<(), Seen> {
    let (a, b) = (fixture.writer()?, fixture.writer()?);
    fixture.write(events(&[(a, 1), (b, 1)])).await?;
    fixture.write(vec![Write::NameHeads(vec![a, b])]).await?;
    same("the heads, once all are named", &unnamed(&fixture).await?, &Vec::new())?;
    fixture.write(events(&[(a, 2)])).await?;
    same("the heads, once one has moved on", &unnamed(&fixture).await?, &heads(&[(a, 2)]))?;
    let conflicting = vec![Write::NameHeads(vec![a]), Write::Event(event(a, 2, None))];
    fixture.conflicts("a second event of one number", conflicting).await?;
    same("the heads, after a conflict", &unnamed(&fixture).await?, &heads(&[(a, 2)]))?;
    // A writer that names others moves on itself.
    let named_and_moved = vec![Write::NameHeads(vec![a, b]), Write::Event(event(b, 2, None))];
    fixture.write(named_and_moved).await?;
    same("the heads, once the one that names has moved on", &unnamed(&fixture).await?, &heads(&[(b, 2)]))
}
