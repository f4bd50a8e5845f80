//! Makes each edit, and holds what comes of it against what must.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use approval_core::store::Store;
use approval_core::transient::Transient;
use approval_testkit::FakeClock;

use super::calls::{Answer, Use, make};
use super::desk::{Desk, Who};
use super::edit::{Edit, edits};
use super::hand::{self, Change, Contents, Hand, table_of};
use super::oracle::Oracle;
use super::places::{self, PLACES};

/// An empty store, its clock, and somebody else's hand in it.
pub struct Opened<S> {
    /// The store.
    pub store: Arc<S>,
    /// By what it goes.
    pub clock: FakeClock,
    /// The hand.
    pub hand: Arc<dyn Hand>,
}

/// How much of the product is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// All of it, and after each edit every call.
    Full,
    /// Each kind of record and each standing of a plan, in each way.
    Kinds,
    /// Each column and each table, in each way.
    Ways,
}

/// Tampers with every column of every table and with every row, over several stores at once.
///
/// # Panics
/// Where something comes of it that must not.
pub async fn tampered<S>(stores: Vec<Opened<S>>, breadth: Breadth)
where
    S: Store + Transient + 'static,
{
    let hands = stores.len();
    let mut tampering = tokio::task::JoinSet::new();
    for (number, Opened { store, clock, hand }) in stores.into_iter().enumerate() {
        tampering.spawn(async move {
            let desk = Desk::new(store, clock, hand).await;
            let control = untouched(&desk).await;
            let mut seen = Seen::of(&desk);
            for edit in chosen(edits(&desk), breadth, |class| class % hands == number) {
                seen.count(&desk, &control, breadth, &edit).await;
            }
            seen
        });
    }
    let mut all = Seen::default();
    while let Some(one) = tampering.join_next().await {
        all.add(one.expect("it ends"));
    }
    all.close(breadth);
}

/// Of the edits of each class, some: not the first ones of each, so that in all of them there is everything.
fn chosen(edits: Vec<Edit>, breadth: Breadth, is_ours: impl Fn(usize) -> bool) -> Vec<Edit> {
    let mut classes: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        let class = if breadth == Breadth::Ways { edit.way.clone() } else { edit.class.clone() };
        classes.entry(class).or_default().push(edit);
    }
    // By its name, which is the same in every store.
    let number = |class: &str| class.bytes().map(usize::from).sum::<usize>();
    let ours = classes.into_iter().map(|(class, alike)| (number(&class), alike)).filter(|(number, _)| is_ours(*number));
    ours.flat_map(|(number, mut alike)| {
        if breadth != Breadth::Full {
            let one = number % alike.len();
            alike = vec![alike.swap_remove(one)];
        }
        alike
    })
    .collect()
}

/// What came of what.
#[derive(Default)]
struct Seen {
    /// By table and column: how often which of the things that may come of it.
    counts: BTreeMap<(String, String), BTreeMap<&'static str, u32>>,
    /// What the catalogue has.
    columns: BTreeSet<(String, String)>,
    faults: Vec<String>,
}

impl Seen {
    fn of(desk: &Desk) -> Self {
        let mut seen = Self::default();
        for table in &desk.tables {
            assert!(!desk.whole[&table.name].is_empty(), "nothing is stored in `{}`: nothing is edited", table.name);
            let columns = table.columns.iter().map(|column| column.name.as_str()).chain([""]);
            seen.columns.extend(columns.map(|column| (table.name.clone(), column.to_owned())));
        }
        seen
    }

    async fn count(&mut self, desk: &Desk, control: &Control, breadth: Breadth, edit: &Edit) {
        let oracle = Oracle { desk, after: &hand::after(&desk.tables, &desk.whole, &edit.changes) };
        let wanted = |usage: Use| oracle.answer(usage, &control[&usage]);
        let others: BTreeSet<Use> =
            Use::all().into_iter().filter(|usage| wanted(*usage).is_some_and(|said| said != control[usage])).collect();
        let made = |usage: &Use| {
            let looks = match usage {
                // What is looked at where a store is opened, and takes its time.
                Use::Open => edit.table == "version",
                usage => *usage == Use::Execute(Who::Approved) || places::LOOKS.contains(usage),
            };
            breadth == Breadth::Full || others.contains(usage) || others.is_empty() && looks
        };
        desk.restore().await;
        let service = desk.begin(Arc::new(desk.anchor.clone())).await.unwrap();
        let place = (edit.table.clone(), edit.column.clone());
        if hand::make(desk.hand.as_ref(), &desk.tables, &edit.changes).await.is_err() {
            *self.counts.entry(place).or_default().entry(FORBIDDEN).or_default() += 1;
            return;
        }
        let mut found = Vec::new();
        for usage in Use::all().into_iter().filter(made) {
            let answer = make(desk, &service, usage).await;
            match wanted(usage) {
                Some(wanted) if wanted != answer => {
                    self.fault(edit, format!("{usage:?}: expected {wanted:?}, got {answer:?}"))
                }
                None if answer != control[&usage] => found.push((usage, answer)),
                _ => {}
            }
        }
        let is_told = found.iter().any(|(usage, answer)| *usage == Use::Verify && answer.said.is_err());
        if others.is_empty() && told(desk, oracle.after) != told(desk, &desk.whole) && !is_told {
            self.fault(edit, format!("the audit is another, and its verification doesn't say so: {found:?}"));
        }
        let less = |usage: &Use| wanted(*usage).is_some_and(|wanted| wanted.said.is_err() && wanted.effects == 0);
        let came = match (others.iter().any(less), others.is_empty(), found.is_empty()) {
            (true, ..) => "refused",
            (false, false, _) => "beyond",
            (false, true, false) => "found",
            (false, true, true) => "nothing",
        };
        let held = PLACES.iter().find(|(table, column, _)| (*table, *column) == (&edit.table, &edit.column));
        if !held.is_some_and(|(.., held)| held.iter().any(|held| held.name() == came)) {
            self.fault(edit, format!("nobody has said that {came} may come of it: {others:?} {found:?}"));
        }
        *self.counts.entry(place).or_default().entry(came).or_default() += 1;
    }

    fn fault(&mut self, edit: &Edit, fault: String) {
        let Edit { class, changes, .. } = edit;
        let shown: Vec<_> = changes.iter().map(Change::shown).collect();
        self.faults.push(format!("{class}: {fault}: {}", shown.join("; ")));
    }

    fn add(&mut self, other: Self) {
        for (place, counts) in other.counts {
            let all = self.counts.entry(place).or_default();
            counts.into_iter().for_each(|(came, count)| *all.entry(came).or_default() += count);
        }
        self.columns.extend(other.columns);
        self.faults.extend(other.faults);
    }

    /// Prints what came of what, and fails where something else did than what must, or where nobody looked.
    fn close(mut self, breadth: Breadth) {
        for place in &self.columns {
            let held = PLACES.iter().find(|(table, column, _)| (*table, *column) == (&place.0, &place.1));
            let Some((.., held)) = held else {
                self.faults.push(format!("`{}.{}`: nobody has said who finds out", place.0, place.1));
                continue;
            };
            let counts = self.counts.get(place).cloned().unwrap_or_default();
            println!("{:16}{:12} {counts:?}", place.0, if place.1.is_empty() { "(rows)" } else { &place.1 });
            // Of what is alike, some may not show all that may come of it.
            let missing = held.iter().filter(|held| breadth == Breadth::Full && !counts.contains_key(held.name()));
            for held in missing {
                self.faults.push(format!("`{}.{}`: {} is not what came of any edit", place.0, place.1, held.name()));
            }
        }
        let all: u32 = self.counts.values().flat_map(BTreeMap::values).sum();
        println!("{all} edits");
        assert!(
            self.faults.is_empty(),
            "{} faults:\n{}",
            self.faults.len(),
            self.faults[..self.faults.len().min(40)].join("\n")
        );
    }
}

/// What comes of each call where nobody has written.
type Control = BTreeMap<Use, Answer>;

async fn untouched(desk: &Desk) -> Control {
    desk.restore().await;
    let service = desk.begin(Arc::new(desk.anchor.clone())).await.unwrap();
    let mut control = Control::new();
    for usage in Use::all() {
        control.insert(usage, make(desk, &service, usage).await);
    }
    let applied = Answer { said: Ok("applied".to_owned()), effects: 2 };
    assert_eq!(control[&Use::Execute(Who::Approved)], applied);
    assert_eq!(control[&Use::Verify], Answer::said("whole"));
    assert!(control.values().map(|answer| answer.effects).sum::<u32>() == 2, "{control:?}");
    control
}

/// What the database itself does not let pass.
const FORBIDDEN: &str = "forbidden by the database";

/// The events, in the order of an export.
fn told(desk: &Desk, contents: &Contents) -> Vec<hand::Row> {
    let events = table_of(&desk.tables, "events");
    let mut all: Vec<(&hand::Value, &hand::Row)> = match contents.get("positions") {
        None => contents["events"].iter().map(|row| (events.get(row, "position"), row)).collect(),
        Some(positions) => {
            let table = table_of(&desk.tables, "positions");
            let event = |entry| contents["events"].iter().find(|row| events.get(row, "entry") == entry);
            let numbered = |row| Some((table.get(row, "position"), event(table.get(row, "entry"))?));
            positions.iter().filter_map(numbered).collect()
        }
    };
    all.sort_by_key(|(position, _)| *position);
    let columns = ["writer", "sequence", "plan", "sealed"];
    all.iter().map(|(_, row)| columns.map(|column| events.get(row, column).clone()).to_vec()).collect()
}
