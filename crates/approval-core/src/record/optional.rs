//! Optional members, read strictly: what isn't there is left out, so that a record is written as it was read. [REC-004]

use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A member that is there has a value: `null` is one where the form is any value, and nowhere else.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A list, or an object of any members, that is left out where it is empty.
pub(crate) fn filled<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default + PartialEq,
{
    let filled = T::deserialize(deserializer)?;
    if filled == T::default() { Err(D::Error::custom("empty, and so to be left out")) } else { Ok(filled) }
}

/// A set: its elements in their order, none twice, and left out where it is empty.
pub(crate) fn ascending<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<BTreeSet<T>, D::Error>
where
    T: Deserialize<'de> + Ord,
{
    let elements: Vec<T> = filled(deserializer)?;
    if elements.is_sorted_by(|a, b| a < b) {
        Ok(elements.into_iter().collect())
    } else {
        Err(D::Error::custom("not in ascending order, or twice the same"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether it's read matters")]
    struct Record {
        #[serde(default, deserialize_with = "present")]
        any: Option<Value>,
        #[serde(default, deserialize_with = "present")]
        count: Option<u32>,
        #[serde(default, deserialize_with = "filled")]
        list: Vec<u32>,
        #[serde(default, deserialize_with = "ascending")]
        set: BTreeSet<String>,
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        // [REC-004]
        for record in
            [json!({}), json!({ "any": null, "count": 0, "list": [0], "set": ["a", "b"] }), json!({ "any": [] })]
        {
            assert!(serde_json::from_value::<Record>(record.clone()).is_ok(), "{record}");
        }
        for (record, reason) in [
            (json!({ "count": null }), "invalid type: null"),
            (json!({ "list": null }), "invalid type: null"),
            (json!({ "list": [] }), "empty, and so to be left out"),
            (json!({ "set": [] }), "empty, and so to be left out"),
            (json!({ "set": ["b", "a"] }), "not in ascending order"),
            (json!({ "set": ["a", "a"] }), "not in ascending order"),
        ] {
            let error = serde_json::from_value::<Record>(record.clone()).err().unwrap().to_string();
            assert!(error.starts_with(reason), "{record}: {error}");
        }
    }
}
