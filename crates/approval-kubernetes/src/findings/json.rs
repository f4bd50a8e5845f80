//! Looking into values of whatever shape. `null` is as good as absent, as it is for the server.

use serde_json::Value;

/// A member within members, unless it is `null`.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name).filter(|found| !found.is_null()))
}

pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path).and_then(Value::as_str)
}

pub(super) fn integer(value: &Value, path: &[&str]) -> Option<i64> {
    at(value, path).and_then(Value::as_i64)
}

pub(super) fn is_true(value: &Value, path: &[&str]) -> bool {
    at(value, path).and_then(Value::as_bool) == Some(true)
}

pub(super) fn is_false(value: &Value, path: &[&str]) -> bool {
    at(value, path).and_then(Value::as_bool) == Some(false)
}

/// The items of a sequence; none where there isn't one.
pub(super) fn items<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The members of a mapping; none where there isn't one.
pub(super) fn members<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    at(value, path).and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The texts in a sequence.
pub(super) fn texts<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a str> + use<'a> {
    items(value, path).iter().filter_map(Value::as_str)
}
