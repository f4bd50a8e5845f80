//! One change: a value before and after. [SHOW-005]

use std::collections::BTreeSet;

use approval_core::record::Change;
use serde_json::Value;

use super::block::{Block, Patience, text_lines};
use super::json_text::{Secrets, compact, value_lines};
use super::lines::LineSink;
use super::name::Name;
use super::shown::Shown;

/// The longest text that is shown as a value, before and after beside each other.
const BRIEF: usize = 200;

/// A change as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct ChangeView {
    pub(crate) object: Name,
    pub(crate) kind: &'static str,
    pub(crate) what: &'static str,
    pub(crate) body: Body,
}

/// How the values are laid out.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Lines, added and removed.
    Lines(Block),
    /// There is nothing on either side.
    Nothing,
    /// Brief values.
    Values { before: Option<Shown>, after: Option<Shown> },
}

impl ChangeView {
    /// The change with this number in a review that lists these secret leaves.
    pub(crate) fn new(number: usize, change: &Change, secret_leaves: &[String], patience: Patience) -> Self {
        let leaves = Leaves::of(number, change, secret_leaves);
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        let kind = match (before, after) {
            (None, Some(_)) => "created",
            (Some(_), None) => "removed",
            (Some(before), Some(after)) if before == after => "unchanged",
            _ => "changed",
        };
        let (what, body) = leaves.body(before, after, patience);
        Self { object: Name::new(&change.object), kind, what, body }
    }

    /// The lines of what isn't brief.
    pub(crate) fn block(&self) -> Option<&Block> {
        match &self.body {
            Body::Lines(block) => Some(block),
            Body::Nothing | Body::Values { .. } => None,
        }
    }
}

/// What stands in place of the secrets on each side. [SHOW-006]
struct Leaves {
    before: Secrets,
    after: Secrets,
}

impl Leaves {
    fn of(number: usize, change: &Change, secret_leaves: &[String]) -> Self {
        let side = |side: &str| -> BTreeSet<&str> {
            let prefix = format!("/changes/{number}/{side}");
            let under = |pointer: &&str| pointer.is_empty() || pointer.starts_with('/');
            secret_leaves.iter().filter_map(|leaf| leaf.strip_prefix(&prefix)).filter(under).collect()
        };
        let at = |side: &Option<Value>, pointer: &str| side.as_ref().and_then(|value| value.pointer(pointer)).cloned();
        let (before, after) = (side("before"), side("after"));
        let words = |pointer: &str, alone: &'static str, changed: &'static str| {
            let (was, is) = (at(&change.before, pointer), at(&change.after, pointer));
            // Before and after of one change are committed to under one nonce where they are equal.
            match (was, is) {
                (Some(was), Some(is)) if was == is => "secret: unchanged",
                (Some(_), Some(_)) => changed,
                _ => alone,
            }
        };
        let map = |pointers: &BTreeSet<&str>, alone, changed| {
            pointers.iter().map(|pointer| ((*pointer).to_owned(), words(pointer, alone, changed))).collect()
        };
        Self {
            before: map(&before, "secret: removed", "secret: the value until now"),
            after: map(&after, "secret: added", "secret: changed"),
        }
    }

    fn body(&self, before: Option<&Value>, after: Option<&Value>, patience: Patience) -> (&'static str, Body) {
        let sides = [(before, &self.before), (after, &self.after)];
        let given = || sides.iter().filter_map(|(value, secrets)| value.map(|value| (value, *secrets)));
        if given().count() == 0 {
            return ("", Body::Nothing);
        }
        if given().all(|(value, secrets)| secrets.contains_key("") || is_brief(value)) {
            let show = |(value, secrets): (Option<&Value>, &Secrets)| {
                value.map(|value| secrets.get("").map_or_else(|| compact(value), |words| Shown::words(words)))
            };
            let [before, after] = sides.map(show);
            return ("", Body::Values { before, after });
        }
        if given().all(|(value, secrets)| value.is_string() && secrets.is_empty()) {
            let [before, after] = [before, after].map(|value| value.and_then(Value::as_str));
            let block = Block::compare(before, after, patience, text_lines);
            return ("text", Body::Lines(block));
        }
        let [before, after] = sides.map(|(value, secrets)| value.map(|value| (value, secrets)));
        let lay_out =
            |(value, secrets): (&Value, &Secrets), lines: &mut dyn LineSink| value_lines(value, secrets, lines);
        ("JSON", Body::Lines(Block::compare(before, after, patience, lay_out)))
    }
}

fn is_brief(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.chars().count() <= BRIEF && !text.contains('\n'),
        Value::Bool(_) | Value::Null | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view(before: Option<Value>, after: Option<Value>, leaves: &[&str]) -> ChangeView {
        let change = Change { object: "x".to_owned(), before, after };
        ChangeView::new(
            0,
            &change,
            &leaves.iter().map(|leaf| (*leaf).to_owned()).collect::<Vec<_>>(),
            Patience::begin(),
        )
    }

    fn words(view: &ChangeView) -> String {
        match &view.body {
            Body::Lines(block) => block.to_string(),
            Body::Nothing => String::new(),
            Body::Values { before, after } => {
                let side =
                    |side: &Option<Shown>| side.as_ref().map(|shown| shown.text().to_owned()).unwrap_or_default();
                format!("{} → {}", side(before), side(after))
            }
        }
    }

    #[test]
    fn secrets_are_told_apart_without_their_values() {
        let (one, other) = (json!({ "$secret": "sha256:1" }), json!({ "$secret": "sha256:2" }));
        let leaves = ["/changes/0/before/p", "/changes/0/after/p"];
        for (before, after, said) in [
            (Some(json!({ "p": one })), Some(json!({ "p": one, "q": [1] })), "secret: unchanged"),
            (Some(json!({ "p": one })), Some(json!({ "p": other })), "secret: changed"),
            (Some(json!({ "p": one })), Some(json!({ "q": 1 })), "secret: removed"),
            (Some(json!({ "q": 1 })), Some(json!({ "p": one })), "secret: added"),
            (None, Some(json!({ "p": one })), "secret: added"),
            (Some(json!({ "p": one })), None, "secret: removed"),
        ] {
            let shown = words(&view(before, after, &leaves));
            assert!(shown.contains(said), "{said}: {shown}");
            assert!(!shown.contains("sha256:"), "{shown}");
        }
        let whole = view(Some(one.clone()), Some(other), &["/changes/0/before", "/changes/0/after"]);
        assert_eq!(words(&whole), "secret: the value until now → secret: changed");
        // Where it isn't listed, the shape is ordinary data; and the leaves of change 1 are not those of change 0.
        let unlisted = view(None, Some(json!({ "p": one })), &["/changes/1/after/p", "/changes/00/after/p"]);
        assert!(words(&unlisted).contains("sha256:1"));
    }

    #[test]
    fn values_are_laid_out_by_their_kind() {
        assert_eq!(words(&view(Some(json!(3)), Some(json!("3")), &[])), "3 → \"3\"");
        assert_eq!(view(None, Some(json!(1)), &[]).kind, "created");
        assert_eq!(view(Some(json!(1)), None, &[]).kind, "removed");
        assert_eq!(view(Some(json!(1)), Some(json!(1)), &[]).kind, "unchanged");
        assert_eq!(view(Some(json!("a\nb")), Some(json!("a\nc")), &[]).what, "text");
        assert_eq!(view(Some(json!("a\nb")), Some(json!([1])), &[]).what, "JSON");
    }
}
