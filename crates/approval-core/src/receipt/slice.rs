//! Finds a member in canonical text, so that what was received is digested, and not what a typed reading would write.

/// The value at the end of a path of member names, as it stands in the canonical text of the outermost object. [RCPT-021]
/// [DIG-046]
pub(super) fn at<'a>(object: &'a str, path: &[&str]) -> Option<&'a str> {
    let bytes = object.as_bytes();
    let mut value = 0;
    for name in path {
        value = member(object, value, name)?;
    }
    object.get(value..value_end(bytes, value)?)
}

/// Where the value of a member of the object begins that begins at `from`.
fn member(text: &str, from: usize, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from + 1;
    while bytes.get(from) == Some(&b'{') && bytes.get(at) == Some(&b'"') {
        let name_end = string_end(bytes, at)?;
        let value = name_end + 1;
        if text.get(at + 1..name_end - 1)? == name {
            return Some(value);
        }
        at = value_end(bytes, value)? + 1;
    }
    None
}

/// Where the string that begins here ends: after its quotation mark.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// Where the value that begins here ends.
fn value_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            _ => at += 1,
        }
        if depth == 0 && matches!(bytes.get(at), Some(b',' | b'}' | b']')) {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Limits};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn canonical(value: &Value) -> String {
        Document::from_value(value, &Limits::PLAN).unwrap().as_str().to_owned()
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!("\\\"},{")),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    #[test]
    fn a_member_that_is_not_there() {
        assert_eq!(at(r#"{"b":{"a":1}}"#, &["b", "a"]), Some("1"));
        assert_eq!(at(r#"{"b":{"a":1}}"#, &["a"]), None);
        assert_eq!(at(r#"{"b":"a"}"#, &["b", "a"]), None);
        assert_eq!(at(r#"{"b":{}}"#, &["b", "a"]), None);
        assert_eq!(at("{}", &["a"]), None);
        assert_eq!(at("", &["a"]), None);
    }

    proptest! {
        #[test]
        fn members_are_found_as_they_stand(before in value(), wanted in value(), after in value()) {
            // [RCPT-021]
            let object = json!({ "a": before, "header": { "b": wanted }, "z": after });
            let text = canonical(&object);
            prop_assert_eq!(at(&text, &["header"]).unwrap(), canonical(&object["header"]));
            prop_assert_eq!(format!("{{\"b\":{}}}", at(&text, &["header", "b"]).unwrap()), canonical(&object["header"]));
            prop_assert_eq!(at(&text, &["b"]), None);
        }
    }
}
