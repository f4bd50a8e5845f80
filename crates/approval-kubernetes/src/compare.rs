//! What differs between two looks at an object, place by place. Items of a list are told apart by the member that names
//! them, so that one more container is one difference and not one in every container after it.

use serde_json::{Map, Value};

/// The members that name an item of a list, the first that all of its items have.
const KEYS: [&str; 8] = ["name", "containerPort", "port", "mountPath", "devicePath", "ip", "key", "type"];

/// A place at which two values differ, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    /// As people write it: `spec.template.spec.containers[name=web].image`.
    pub(crate) place: String,
    pub(crate) kind: DifferenceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DifferenceKind {
    Added,
    Changed,
    Removed,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.kind {
            DifferenceKind::Added => "adds",
            DifferenceKind::Changed => "changes",
            DifferenceKind::Removed => "removes",
        };
        write!(f, "{verb} `{}`", self.place)
    }
}

/// All differences, in the order of their places.
pub(crate) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(before, after, String::new(), &mut found);
    found.sort();
    found
}

fn compare(before: &Value, after: &Value, place: String, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => members(before, after, &place, found),
        (Value::Array(before), Value::Array(after)) => match key(before, after) {
            Some(key) => keyed(before, after, key, &place, found),
            None => found.push(Difference { place, kind: DifferenceKind::Changed }),
        },
        _ => found.push(Difference { place, kind: DifferenceKind::Changed }),
    }
}

fn members(before: &Map<String, Value>, after: &Map<String, Value>, place: &str, found: &mut Vec<Difference>) {
    for (name, value) in before {
        match after.get(name) {
            Some(now) => compare(value, now, member(place, name), found),
            None => found.push(Difference { place: member(place, name), kind: DifferenceKind::Removed }),
        }
    }
    let added = after.keys().filter(|name| !before.contains_key(*name));
    found.extend(added.map(|name| Difference { place: member(place, name), kind: DifferenceKind::Added }));
}

fn keyed(before: &[Value], after: &[Value], key: &str, place: &str, found: &mut Vec<Difference>) {
    let with = |items: &'_ [Value], name: &Value| items.iter().position(|item| item.get(key) == Some(name));
    let at = |name: &Value| {
        let name = name.as_str().map_or_else(|| name.to_string(), ToOwned::to_owned);
        format!("{place}[{key}={name}]")
    };
    for item in before {
        let Some(name) = item.get(key) else { continue };
        match with(after, name).and_then(|index| after.get(index)) {
            Some(now) => compare(item, now, at(name), found),
            None => found.push(Difference { place: at(name), kind: DifferenceKind::Removed }),
        }
    }
    for name in after.iter().filter_map(|item| item.get(key)) {
        if with(before, name).is_none() {
            found.push(Difference { place: at(name), kind: DifferenceKind::Added });
        }
    }
    // The order may matter: environment variables refer to those before them.
    let order = |items: &[Value], others: &[Value]| {
        let names = items.iter().filter_map(|item| item.get(key)).filter(|name| with(others, name).is_some());
        names.cloned().collect::<Vec<_>>()
    };
    if order(before, after) != order(after, before) {
        found.push(Difference { place: place.to_owned(), kind: DifferenceKind::Changed });
    }
}

/// The member by which the items of both lists are told apart: all have it, and no two of one list alike.
fn key(before: &[Value], after: &[Value]) -> Option<&'static str> {
    let names = |items: &[Value], key: &str| {
        let mut names: Vec<String> = Vec::new();
        for item in items {
            let name = item.get(key)?.to_string();
            if names.contains(&name) {
                return None;
            }
            names.push(name);
        }
        Some(())
    };
    KEYS.into_iter().find(|key| names(before, key).is_some() && names(after, key).is_some())
}

fn member(place: &str, name: &str) -> String {
    let is_plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    match (place.is_empty(), is_plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{place}.{name}"),
        (_, false) => format!("{place}[{name}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(before: &Value, after: &Value) -> Vec<String> {
        differences(before, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn items_are_told_apart_by_their_names() {
        let before =
            json!({ "spec": { "containers": [{ "name": "a", "image": "x:1" }, { "name": "b", "image": "y:1" }] } });
        let after = json!({ "spec": { "containers": [{ "name": "new" }, { "name": "a", "image": "x:2" }, { "name": "b", "image": "y:1" }] } });
        assert_eq!(
            words(&before, &after),
            ["changes `spec.containers[name=a].image`", "adds `spec.containers[name=new]`"]
        );
    }

    #[test]
    fn an_order_that_changes_is_a_change() {
        let before = json!({ "env": [{ "name": "A" }, { "name": "B" }] });
        let after = json!({ "env": [{ "name": "B" }, { "name": "A" }] });
        assert_eq!(words(&before, &after), ["changes `env`"]);
    }

    #[test]
    fn lists_without_names_are_compared_whole() {
        assert_eq!(words(&json!({ "args": ["a", "b"] }), &json!({ "args": ["b"] })), ["changes `args`"]);
        let twice = json!({ "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }] });
        assert_eq!(words(&twice, &json!({ "ports": [{ "port": 53 }] })), ["changes `ports`"]);
    }

    #[test]
    fn what_comes_and_goes_is_named() {
        let before = json!({ "metadata": { "labels": { "app.kubernetes.io/name": "a" } }, "data": { "x": "1" } });
        let after = json!({ "metadata": { "labels": {} }, "data": { "x": "1", "y": "2" } });
        assert_eq!(words(&before, &after), ["adds `data.y`", "removes `metadata.labels[app.kubernetes.io/name]`"]);
        assert_eq!(words(&before, &before), Vec::<String>::new());
    }
}
