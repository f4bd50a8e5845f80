//! Rows: what goes in comes out, and compare-and-set.

use approval_core::record::RecordKind;
use approval_core::store::{Reads, Row, RowKey, Write};

use super::fixture::{Fixture, plan_row, row, sorted};
use crate::report::{Seen, same};

/// The largest revision that canonical JSON can carry.
const LARGEST_REVISION: u64 = (1 << 53) - 1;

/// Content, ids and revisions of every kind come back byte for byte.
pub(super) async fn bytes(fixture: Fixture) -> Result<(), Seen> {
    let plan = fixture.plan()?;
    let contents: [Vec<u8>; 6] = [
        Vec::new(),
        vec![0],
        b"'; DROP TABLE x; --".to_vec(),
        "zwölf Boxkämpfer\n".as_bytes().to_vec(),
        (0..=u8::MAX).collect(),
        (0..=u8::MAX).cycle().take(3 << 20).collect(),
    ];
    let ids = ["a", "A", "a'b\"c;--", "%_*?[", "äö 漢字\u{202e}\u{1b}", &"long".repeat(100), ""];
    let mut written = Vec::new();
    for (number, kind) in RecordKind::ALL.into_iter().enumerate() {
        for (other_number, id) in ids.into_iter().enumerate() {
            let content = contents.iter().cycle().nth(number + other_number).cloned().unwrap_or_default();
            // The large one once is enough.
            let content = if content.len() > 1000 && kind != RecordKind::Intent { Vec::new() } else { content };
            let revision = if other_number == 0 { LARGEST_REVISION } else { other_number as u64 };
            let plan = (number % 2 == 0).then_some(plan);
            written.push(Row { key: RowKey::new(kind, id), plan, revision, sealed: content });
        }
    }
    fixture.write(written.iter().cloned().map(Write::Insert).collect()).await?;
    for expected in &written {
        let found = fixture.row(&expected.key).await?;
        same(&format!("the {} `{}`", expected.key.kind, expected.key.id), &found.as_ref(), &Some(expected))?;
    }
    Ok(())
}

/// A look-up by key finds the rows that exist, and no others.
pub(super) async fn by_key(fixture: Fixture) -> Result<(), Seen> {
    let rows: Vec<Row> =
        (0..1500).map(|number| row(RecordKind::CoolDown, &format!("{number:04}"), None, 1, "cool-down")).collect();
    let stranger = row(RecordKind::Mute, "0001", None, 1, "mute");
    fixture.write(rows.iter().cloned().chain([stranger]).map(Write::Insert).collect()).await?;
    let keys: Vec<RowKey> =
        (0..3000).rev().map(|number| RowKey::new(RecordKind::CoolDown, format!("{number:04}"))).collect();
    same("the rows of 3000 keys, half of them nobody's", &sorted(fixture.store.rows(&keys).await?), &rows)?;
    same("the rows of no key", &fixture.store.rows(&[]).await?, &Vec::new())?;
    let another_kind = RowKey::new(RecordKind::Pause, "0001");
    same("a row of another kind with a known id", &fixture.row(&another_kind).await?, &None)
}

pub(super) async fn insert_twice(fixture: Fixture) -> Result<(), Seen> {
    let plan = fixture.plan()?;
    let first = plan_row(RecordKind::Header, plan, 0, "first");
    fixture.write(vec![Write::Insert(first.clone())]).await?;
    for (what, second) in [
        ("the same row", first.clone()),
        ("another row with the same key", plan_row(RecordKind::Header, plan, 1, "second")),
        ("a row of no plan with the same key", Row { plan: None, ..first.clone() }),
    ] {
        fixture.conflicts(&format!("a second insert, of {what},"), vec![Write::Insert(second)]).await?;
        same("the row after a second insert", &fixture.row(&first.key).await?, &Some(first.clone()))?;
    }
    let other_kind = plan_row(RecordKind::Challenge, plan, 0, "another kind");
    fixture.write(vec![Write::Insert(other_kind)]).await
}

pub(super) async fn replace(fixture: Fixture) -> Result<(), Seen> {
    let plan = fixture.plan()?;
    let state = |revision: u64| plan_row(RecordKind::PlanState, plan, revision, &format!("state {revision}"));
    let key = state(0).key;
    let replace = |from, row| vec![Write::Replace { from, row }];
    fixture.conflicts("a replacement of a row that does not exist", replace(0, state(1))).await?;
    same("the row that was not there to be replaced", &fixture.row(&key).await?, &None)?;
    fixture.write(vec![Write::Insert(state(3))]).await?;
    for from in [0, 2, 4, LARGEST_REVISION] {
        fixture
            .conflicts(&format!("a replacement from revision {from} of a row at 3"), replace(from, state(5)))
            .await?;
        same("the row after that", &fixture.row(&key).await?, &Some(state(3)))?;
    }
    // The new revision is what the row carries, whatever that is.
    for (from, to) in [(3, 4), (4, 90), (90, 90), (90, 1)] {
        let row = Row { sealed: format!("from {from}").into_bytes(), ..state(to) };
        fixture.write(replace(from, row.clone())).await?;
        same("the row that was replaced", &fixture.row(&key).await?, &Some(row))?;
    }
    fixture.conflicts("a replacement from a revision of the past", replace(90, state(91))).await?;
    let moved = Row { plan: None, ..state(2) };
    fixture.write(replace(1, moved.clone())).await?;
    same("the row that belongs to no plan any more", &fixture.row(&key).await?, &Some(moved))
}

pub(super) async fn remove(fixture: Fixture) -> Result<(), Seen> {
    let plan = fixture.plan()?;
    let (secrets, kept) =
        (plan_row(RecordKind::Secrets, plan, 0, "secrets"), plan_row(RecordKind::Intent, plan, 0, "kept"));
    fixture.write(vec![Write::Remove(secrets.key.clone())]).await?;
    fixture.write(vec![Write::Insert(secrets.clone()), Write::Insert(kept.clone())]).await?;
    fixture.write(vec![Write::Remove(secrets.key.clone())]).await?;
    same("the row that was removed", &fixture.row(&secrets.key).await?, &None)?;
    same("the row beside it", &fixture.row(&kept.key).await?, &Some(kept))?;
    let row = Row { revision: 1, ..secrets.clone() };
    let gone = vec![Write::Replace { from: 0, row }];
    fixture.conflicts("a replacement of a row that was removed", gone).await?;
    fixture.write(vec![Write::Insert(secrets.clone())]).await?;
    same("the row that was inserted again", &fixture.row(&secrets.key).await?, &Some(secrets))
}

/// A transition is shown the rows that it names, and no others.
pub(super) async fn in_transaction(fixture: Fixture) -> Result<(), Seen> {
    let (named, unnamed) =
        (row(RecordKind::Pause, "a", None, 4, "named"), row(RecordKind::Pause, "b", None, 4, "not named"));
    fixture.write(vec![Write::Insert(named.clone()), Write::Insert(unnamed)]).await?;
    let missing = RowKey::new(RecordKind::Pause, "c");
    let snapshot = fixture.snapshot(Reads { rows: vec![missing, named.key.clone()], ..Reads::default() }).await?;
    let found: Vec<_> = snapshot.rows.into_iter().collect();
    same("the rows of a snapshot", &found, &vec![(named.key.clone(), named)])?;
    let nothing = fixture.snapshot(Reads::default()).await?;
    let shown = (nothing.plan, nothing.rows.len(), nothing.attempts, nothing.open_plans, nothing.heads);
    same("what a transition is shown that names nothing", &shown, &(None, 0, Vec::new(), 0, Vec::new()))
}
