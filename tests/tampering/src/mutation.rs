//! Every single-field edit of a record, generated from its schema.

use std::fmt;

use approval_core::record::RecordKind;
use serde_json::{Map, Value};

use crate::schema::{self, Node};
use crate::values;

/// What is done to one place in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Edit {
    /// A member that wasn't there: an optional one, or one that the type does not know.
    Added,
    /// Another value of the same type.
    Changed,
    /// An element of a list stands there twice.
    Doubled,
    /// An element of a list is gone.
    Dropped,
    /// Nothing of the same type: an empty text, list or object.
    Emptied,
    /// The same type, in a spelling that isn't the one.
    Misspelt,
    /// `null`.
    Nulled,
    /// A member is gone.
    Removed,
    /// A value of another type.
    Retyped,
    /// Two neighbours of a list have changed places.
    Swapped,
}

impl Edit {
    pub(crate) const ALL: [Self; 10] = [
        Self::Added,
        Self::Changed,
        Self::Doubled,
        Self::Dropped,
        Self::Emptied,
        Self::Misspelt,
        Self::Nulled,
        Self::Removed,
        Self::Retyped,
        Self::Swapped,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Doubled => "doubled",
            Self::Dropped => "dropped",
            Self::Emptied => "emptied",
            Self::Misspelt => "misspelt",
            Self::Nulled => "nulled",
            Self::Removed => "removed",
            Self::Retyped => "retyped",
            Self::Swapped => "swapped",
        }
    }
}

/// A record in which one thing is another.
#[derive(Clone, Debug)]
pub(crate) struct Mutation {
    /// The member, with `*` for the places of lists and maps: `/steps/*/body`.
    pub(crate) member: String,
    /// The place, as a JSON Pointer.
    pub(crate) pointer: String,
    pub(crate) edit: Edit,
    /// Whether the record is still one of its type, as the schema says, and as a server writes it.
    pub(crate) well_typed: bool,
    /// The record afterwards.
    pub(crate) record: Value,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.record.pointer(&self.pointer).map_or("nothing".to_owned(), Value::to_string);
        write!(f, "{} {}: {now:.80}", self.pointer, self.edit.name())
    }
}

/// Every single-field edit of `record`, which is of this kind.
pub(crate) fn mutations(kind: RecordKind, record: &Value) -> Vec<Mutation> {
    let schema = schema::of(kind).expect("a kind that has a schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(record), "what is stored as `{kind}` is not of its schema: {record}");
    assert!(
        schema::is_as_written(&schema, &schema, record),
        "what is stored as `{kind}` is not as it is written: {record}"
    );
    let mut walk = Walk { root: &schema, record, found: Vec::new() };
    walk.value(&schema, record, &Place::default());
    let mut mutations = walk.found;
    mutations.retain(|mutation| mutation.record != *record);
    for mutation in &mut mutations {
        let record = &mutation.record;
        mutation.well_typed = validator.is_valid(record) && schema::is_as_written(&schema, &schema, record);
    }
    mutations
}

#[derive(Clone, Debug, Default)]
struct Place {
    pointer: String,
    member: String,
}

impl Place {
    fn at(&self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self { pointer: format!("{}/{name}", self.pointer), member: format!("{}/{name}", self.member) }
    }

    /// A place in a list or map: which one makes no difference to what must become of it.
    fn any(&self, name: &str) -> Self {
        Self { member: format!("{}/*", self.member), ..self.at(name) }
    }
}

struct Walk<'a> {
    root: &'a Value,
    record: &'a Value,
    found: Vec<Mutation>,
}

impl<'a> Walk<'a> {
    /// All that can be done to a value and to what is within it.
    fn value(&mut self, schema: &'a Value, value: &Value, place: &Place) {
        let node = Node::of(self.root, schema);
        for other in values::others(&node, value) {
            self.replace(place, Edit::Changed, other);
        }
        if let Some(empty) = values::empty(value) {
            self.replace(place, Edit::Emptied, empty);
        }
        for misspelt in values::misspelt(&node, value) {
            self.replace(place, Edit::Misspelt, misspelt);
        }
        for other in values::of_other_types(value) {
            self.replace(place, Edit::Retyped, other);
        }
        self.replace(place, Edit::Nulled, Value::Null);
        match (node, value) {
            (Node::Object { properties }, Value::Object(members)) => self.object(properties, members, place),
            (Node::Map(each), Value::Object(members)) => self.map(each, members, place),
            (Node::Any, Value::Object(members)) => self.map(schema, members, place),
            (Node::Array(each), Value::Array(items)) => self.array(each, items, place),
            (Node::Any, Value::Array(items)) => self.array(schema, items, place),
            _ => {}
        }
    }

    fn object(&mut self, properties: &'a Map<String, Value>, members: &Map<String, Value>, place: &Place) {
        for (name, schema) in properties {
            let within = place.at(name);
            match members.get(name) {
                Some(member) => {
                    self.value(schema, member, &within);
                    self.remove(&within, members, name);
                }
                None => {
                    let value = values::sample(self.root, schema);
                    self.insert(&within, members, name, value);
                    self.insert(&within, members, name, Value::Null);
                }
            }
        }
        self.insert(&place.at("another"), members, "another", 1.into());
    }

    fn map(&mut self, each: &'a Value, members: &Map<String, Value>, place: &Place) {
        for (name, member) in members {
            let within = place.any(name);
            self.value(each, member, &within);
            self.remove(&within, members, name);
        }
        let value = values::sample(self.root, each);
        self.insert(&place.any("another"), members, "another", value);
    }

    fn array(&mut self, each: &'a Value, items: &[Value], place: &Place) {
        for (number, item) in items.iter().enumerate() {
            let within = place.any(&number.to_string());
            self.value(each, item, &within);
            let mut without = items.to_vec();
            without.remove(number);
            self.put(&within, Edit::Dropped, place, without.into());
            let mut twice = items.to_vec();
            twice.insert(number, item.clone());
            self.put(&within, Edit::Doubled, place, twice.into());
            if number > 0 {
                let mut swapped = items.to_vec();
                swapped.swap(number - 1, number);
                self.put(&within, Edit::Swapped, place, swapped.into());
            }
        }
        let mut more = items.to_vec();
        more.push(values::sample(self.root, each));
        self.put(&place.any(&items.len().to_string()), Edit::Added, place, more.into());
    }

    fn replace(&mut self, place: &Place, edit: Edit, value: Value) {
        self.put(place, edit, place, value);
    }

    fn remove(&mut self, place: &Place, members: &Map<String, Value>, name: &str) {
        let mut without = members.clone();
        without.remove(name);
        self.put(place, Edit::Removed, &parent(place), without.into());
    }

    fn insert(&mut self, place: &Place, members: &Map<String, Value>, name: &str, value: Value) {
        let mut with = members.clone();
        with.insert(name.to_owned(), value);
        self.put(place, Edit::Added, &parent(place), with.into());
    }

    /// Notes that `value` at `put` is what the edit of `place` comes to.
    fn put(&mut self, place: &Place, edit: Edit, put: &Place, value: Value) {
        let mut record = self.record.clone();
        *record.pointer_mut(&put.pointer).expect("a place in the record") = value;
        let Place { pointer, member } = place.clone();
        self.found.push(Mutation { member, pointer, edit, well_typed: false, record });
    }
}

fn parent(place: &Place) -> Place {
    let up = |path: &str| path.rsplit_once('/').map_or(String::new(), |(up, _)| up.to_owned());
    Place { pointer: up(&place.pointer), member: up(&place.member) }
}
