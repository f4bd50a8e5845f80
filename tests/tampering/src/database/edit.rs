//! What somebody does to the rows: generated from the catalogue, so that a column that is new is edited from its first day on.

use std::collections::BTreeMap;

use super::desk::{Desk, Moment, Who};
use super::hand::{Change, Contents, Kind, Row, Table, Value};

/// In which way it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// A column gets another value of its type.
    Another,
    /// A row becomes one of another plan.
    Copied,
    Deleted,
    /// A table loses all of its rows.
    Emptied,
    /// A column becomes empty.
    Nulled,
    /// A column gets the value of another row.
    Others,
    /// Rows as they were in an older copy.
    PutBack,
    /// Two rows change places.
    Swapped,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Another => "another",
            Self::Copied => "copied",
            Self::Deleted => "deleted",
            Self::Emptied => "emptied",
            Self::Nulled => "nulled",
            Self::Others => "other's",
            Self::PutBack => "put back",
            Self::Swapped => "swapped",
        }
    }
}

/// One thing that is done.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) table: String,
    /// Empty, where it isn't about one column.
    pub(super) column: String,
    /// What is alike in table, column and way, and what is alike in kind besides: of such edits one may stand for all.
    pub(super) way: String,
    pub(super) class: String,
    pub(super) changes: Vec<Change>,
}

/// All that is done.
pub(super) fn edits(desk: &Desk) -> Vec<Edit> {
    desk.tables.iter().flat_map(|table| Editing { desk, table, rows: &desk.whole[&table.name] }.all()).collect()
}

/// What is done to these rows of a table.
pub(super) struct Editing<'a> {
    pub(super) desk: &'a Desk,
    pub(super) table: &'a Table,
    pub(super) rows: &'a [Row],
}

impl Editing<'_> {
    fn all(&self) -> Vec<Edit> {
        let mut edits = self.of_rows();
        if !self.rows.is_empty() {
            edits.push(self.edit(Way::Emptied, "", &Row::new(), self.rows.to_vec(), Vec::new()));
        }
        self.desk.older.iter().for_each(|(moment, then)| edits.extend(self.put_back(*moment, then)));
        edits
    }

    pub(super) fn of_rows(&self) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (place, column) in self.table.columns.iter().enumerate() {
                for (variant, (way, value)) in self.others(place, row).into_iter().enumerate() {
                    let mut other = row.clone();
                    other[place] = value;
                    let mut edit = self.edit(way, &column.name, row, vec![row.clone()], vec![other]);
                    // Where there are few kinds of rows, each value counts for itself.
                    if !matches!(self.table.name.as_str(), "plans" | "records") {
                        edit.class = format!("{} {variant}", edit.class);
                        edit.way = format!("{} {variant}", edit.way);
                    }
                    edits.push(edit);
                }
            }
            edits.push(self.edit(Way::Deleted, "", row, vec![row.clone()], Vec::new()));
            if let Some(other) = self.rows[number + 1..].iter().find(|other| self.kind(other) == self.kind(row)) {
                let (out, put) = (vec![row.clone(), other.clone()], self.exchanged(row, other));
                edits.push(self.edit(Way::Swapped, "", row, out, put));
            }
            if let Some((out, put)) = self.copied(row) {
                edits.push(self.edit(Way::Copied, "", row, out, vec![put]));
            }
        }
        edits
    }

    fn edit(&self, way: Way, column: &str, row: &Row, out: Vec<Row>, put: Vec<Row>) -> Edit {
        let Table { name, .. } = self.table;
        let way = format!("{name} {column} {}", way.name());
        let class = format!("{way} {} {}", self.kind(row), self.whose(row));
        let changes = vec![Change { table: name.clone(), out, put }];
        Edit { table: name.clone(), column: column.to_owned(), way, class, changes }
    }

    fn kind<'b>(&self, row: &'b Row) -> &'b str {
        self.table.get(row, "kind").text()
    }

    fn whose(&self, row: &Row) -> String {
        match self.desk.whose(self.table.get(row, "plan").text()) {
            None => "nobody's".to_owned(),
            Some(who) if matches!(who, Who::Approved | Who::Earlier) => format!("{who:?} {}", self.is_last(row)),
            Some(_) => "another's".to_owned(),
        }
    }

    /// Whether a row is the last one of its plan, as events are ordered: by their first column.
    fn is_last(&self, row: &Row) -> bool {
        let of_plan = self.rows.iter().filter(|other| self.table.get(other, "plan") == self.table.get(row, "plan"));
        self.table.name == "events" && of_plan.max() == Some(row)
    }

    /// Other values for a column of a row.
    fn others(&self, place: usize, row: &Row) -> Vec<(Way, Value)> {
        let value = &row[place];
        let mut all = Vec::new();
        let others = self.rows.iter().map(|other| &other[place]).filter(|other| *other != value);
        let (first, last) = (others.clone().next(), others.clone().next_back());
        all.extend(first.into_iter().chain(last).map(|other| (Way::Others, other.clone())));
        let another = match (self.table.columns[place].kind, value) {
            (Kind::Boolean, Value::Boolean(whether)) => vec![Value::Boolean(!whether)],
            (Kind::Bytes, Value::Bytes(bytes)) => {
                let flipped = [0, 8, bytes.len() / 2, bytes.len() - 1].map(|place| {
                    let mut other = bytes.clone();
                    other[place] ^= 1;
                    other
                });
                let cut = [Vec::new(), bytes[..bytes.len() / 2].to_vec()];
                flipped.into_iter().chain(cut).map(Value::Bytes).collect()
            }
            (Kind::Integer, Value::Integer(number)) => {
                [number + 1, number - 1, number + 1000, 0, -5, i64::MAX].map(Value::Integer).to_vec()
            }
            _ => ["another", ""].map(|text| Value::Text(text.to_owned())).to_vec(),
        };
        all.extend(another.into_iter().filter(|other| other != value).map(|other| (Way::Another, other)));
        if self.table.columns[place].nullable && *value != Value::Null {
            all.push((Way::Nulled, Value::Null));
        }
        all.dedup();
        all
    }

    /// Two rows, each with all of the other one but its primary key.
    fn exchanged(&self, one: &Row, other: &Row) -> Vec<Row> {
        let keys = self.table.keys.first().cloned().unwrap_or_default();
        // Where all of a row is its key, only the first column stays.
        let stays = |place: &usize| if keys.len() == one.len() { *place == 0 } else { keys.contains(place) };
        let with = |row: &Row, of: &Row| -> Row {
            (0..row.len()).map(|place| if stays(&place) { row[place].clone() } else { of[place].clone() }).collect()
        };
        vec![with(one, other), with(other, one)]
    }

    /// The row of another plan as one of the approved plan: what stands in its way, and the row.
    fn copied(&self, row: &Row) -> Option<(Vec<Row>, Row)> {
        let ours = self.desk.id(Who::Approved);
        let theirs = row.iter().find_map(|value| {
            let of = |who: &Who| *who != Who::Approved && value.text().contains(&self.desk.id(*who));
            Who::ALL.into_iter().find(of)
        });
        let theirs = self.desk.id(theirs?);
        let keyed: Vec<usize> = self.table.keys.iter().flatten().copied().collect();
        let copy: Row = (row.iter().enumerate())
            .map(|(place, value)| match value {
                Value::Text(text) => Value::Text(text.replace(&theirs, &ours)),
                // A number that must be its own comes after all others.
                Value::Integer(_) if keyed.contains(&place) => {
                    let most = self.rows.iter().filter_map(|row| row[place].number()).max().unwrap_or_default();
                    Value::Integer(most + 1)
                }
                value => value.clone(),
            })
            .collect();
        let in_the_way = self.rows.iter().filter(|row| self.table.key(row) == self.table.key(&copy));
        Some((in_the_way.cloned().collect(), copy))
    }

    /// What was different at an older moment: each row of it, and the whole table.
    fn put_back(&self, moment: Moment, then: &Contents) -> Vec<Edit> {
        let then = &then[&self.table.name];
        let now: BTreeMap<Row, &Row> = self.rows.iter().map(|row| (self.table.key(row), row)).collect();
        let mut edits = Vec::new();
        for row in then {
            let present = now.get(&self.table.key(row)).copied();
            if present != Some(row) {
                edits.push(self.edit(Way::PutBack, "", row, present.into_iter().cloned().collect(), vec![row.clone()]));
            }
        }
        if then != self.rows {
            let mut whole = self.edit(Way::PutBack, "", &Row::new(), self.rows.to_vec(), then.clone());
            whole.class = format!("{} at {moment:?}", whole.class);
            edits.push(whole);
        }
        edits
    }
}
