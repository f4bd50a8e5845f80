//! Label selectors.

use serde_json::Value;

use super::json::{items, members, text, texts};

/// Whether labels are selected. An empty selector selects all, as the ones that are looked at here do.
pub(super) fn selects<'a>(selector: &Value, labels: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    let labels: Vec<_> = labels.collect();
    let value_of = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let by_label = members(selector, &["matchLabels"]).all(|(key, value)| value_of(key) == value.as_str());
    by_label
        && items(selector, &["matchExpressions"]).iter().all(|expression| {
            let value = value_of(text(expression, &["key"]).unwrap_or_default());
            let is_listed = value.is_some_and(|value| texts(expression, &["values"]).any(|listed| listed == value));
            match text(expression, &["operator"]) {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            }
        })
}
