//! Somebody else's hand in a database: what it reads in the catalogue, and what it writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use async_trait::async_trait;

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// None.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number.
    Integer(i64),
    /// Anything that is written as text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row, by the columns of its table.
pub type Row = Vec<Value>;

/// What is stored: the rows of each table, in the order of their values.
pub type Contents = BTreeMap<String, Vec<Row>>;

/// A table, as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Places of the columns that are unique together: those of the primary key first; all, where nothing is.
    pub keys: Vec<Vec<usize>>,
    /// Whether the database writes it by itself, when it writes others.
    pub is_the_databases: bool,
}

/// A column, as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub kind: Kind,
    /// Whether it may be empty.
    pub nullable: bool,
}

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Truth values.
    Boolean,
    /// Bytes.
    Bytes,
    /// Numbers.
    Integer,
    /// Text, or what is written as one.
    Text,
}

/// Rows of a table that go, and rows that come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: String,
    /// What goes.
    pub out: Vec<Row>,
    /// What comes.
    pub put: Vec<Row>,
}

/// The database forbids it, by constraints of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden(pub String);

/// A connection of somebody who may write everything and knows no key.
#[async_trait]
pub trait Hand: Send + Sync {
    /// The tables of the store, as the database's own catalogue has them.
    async fn catalogue(&self) -> Vec<Table>;

    /// The rows of a table.
    async fn read(&self, table: &Table) -> Vec<Row>;

    /// Runs these statements in one transaction, or none of them.
    async fn run(&self, statements: &str) -> Result<(), Forbidden>;

    /// Opens the store as another process does, or says by its name which error that is.
    async fn open(&self) -> Result<(), String>;

    /// A value as it is written in a statement.
    fn literal(&self, value: &Value) -> String;

    /// A table's name as it is written in a statement.
    fn place(&self, table: &str) -> String;
}

impl Table {
    /// The place of a column.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }

    /// What a row has in a column; nothing, where there is no such column.
    #[must_use]
    pub fn get<'a>(&self, row: &'a Row, column: &str) -> &'a Value {
        self.position(column).and_then(|place| row.get(place)).unwrap_or(&Value::Null)
    }

    /// By what a row is known: its primary key.
    #[must_use]
    pub fn key(&self, row: &Row) -> Row {
        self.keys.first().into_iter().flatten().map(|place| row[*place].clone()).collect()
    }
}

impl Change {
    /// The values that are different, as far as there is room for them.
    pub(super) fn shown(&self) -> String {
        let pairs = self.out.iter().zip(&self.put);
        let values = pairs.flat_map(|(out, put)| out.iter().zip(put)).filter(|(out, put)| out != put);
        let values: Vec<_> = values.map(|(out, put)| format!("{} for {}", put.shown(), out.shown())).take(6).collect();
        format!("{} out, {} put, {}", self.out.len(), self.put.len(), values.join(", "))
    }
}

impl Value {
    fn shown(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            value => format!("{value:?}"),
        }
    }

    /// The text in it, or none.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// The number in it.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

/// All that is stored.
pub(super) async fn contents(hand: &dyn Hand, tables: &[Table]) -> Contents {
    let mut all = Contents::new();
    for table in tables {
        let mut rows = hand.read(table).await;
        rows.sort();
        all.insert(table.name.clone(), rows);
    }
    all
}

/// Makes changes, all or none.
pub(super) async fn make(hand: &dyn Hand, tables: &[Table], changes: &[Change]) -> Result<(), Forbidden> {
    let mut statements = String::new();
    // First all that goes: what is unique may come back elsewhere.
    for change in changes {
        let table = table_of(tables, &change.table);
        change.out.iter().for_each(|row| remove(&mut statements, hand, table, row));
    }
    for change in changes {
        let table = table_of(tables, &change.table);
        let columns: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        for row in &change.put {
            if table.is_the_databases {
                remove(&mut statements, hand, table, row);
            }
            let values: Vec<_> = row.iter().map(|value| hand.literal(value)).collect();
            let (place, columns, values) = (hand.place(&table.name), columns.join(", "), values.join(", "));
            let _ = writeln!(statements, "INSERT INTO {place} ({columns}) VALUES ({values});");
        }
    }
    hand.run(&statements).await
}

fn remove(statements: &mut String, hand: &dyn Hand, table: &Table, row: &Row) {
    let is = |place: &usize| match &row[*place] {
        Value::Null => format!("{} IS NULL", table.columns[*place].name),
        value => format!("{} = {}", table.columns[*place].name, hand.literal(value)),
    };
    let known_by: Vec<_> = table.keys.first().into_iter().flatten().map(is).collect();
    let _ = writeln!(statements, "DELETE FROM {} WHERE {};", hand.place(&table.name), known_by.join(" AND "));
}

/// What leads from one to the other.
pub(super) fn difference(tables: &[Table], from: &Contents, to: &Contents) -> Vec<Change> {
    let of = |contents: &Contents, table: &Table| contents.get(&table.name).cloned().unwrap_or_default();
    let changes = tables.iter().map(|table| {
        let (from, to) = (of(from, table), of(to, table));
        let out = from.iter().filter(|row| to.binary_search(row).is_err()).cloned().collect();
        let put = to.into_iter().filter(|row| from.binary_search(row).is_err()).collect();
        Change { table: table.name.clone(), out, put }
    });
    changes.filter(|change| !change.out.is_empty() || !change.put.is_empty()).collect()
}

/// What is stored after changes.
pub(super) fn after(tables: &[Table], before: &Contents, changes: &[Change]) -> Contents {
    let mut after = before.clone();
    for change in changes {
        let table = table_of(tables, &change.table);
        let rows = after.entry(change.table.clone()).or_default();
        let gone: Vec<_> = change.out.iter().map(|row| table.key(row)).collect();
        rows.retain(|row| !gone.contains(&table.key(row)));
        rows.extend(change.put.iter().cloned());
        rows.sort();
    }
    after
}

pub(super) fn table_of<'a>(tables: &'a [Table], name: &str) -> &'a Table {
    tables.iter().find(|table| table.name == name).expect("a table of the catalogue")
}
