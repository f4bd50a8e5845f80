//! JSON as the profile reads it (digest.md, section 2): what two readers could take for two things is no document.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The greatest integer that every reader holds exactly.
const GREATEST: u64 = (1 << 53) - 1;

/// Why a text is no document.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unstrict(#[from] serde_json::Error);

/// Reads one JSON value, with nothing after it.
pub(crate) fn read(text: &[u8]) -> Result<Value, Unstrict> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > GREATEST {
            return Err(E::custom(format!("the integer {value} is beyond 2^53 - 1")));
        }
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value > GREATEST {
            return Err(E::custom(format!("the integer {value} is beyond 2^53 - 1")));
        }
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number that is not finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the member `{name}` stands there twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn what_has_one_reading_is_read() {
        let text = br#"{"a":[1,-0.5,true,null,"\u00e9"],"b":{"a":9007199254740991}}"#;
        let value = json!({"a": [1, -0.5, true, null, "é"], "b": {"a": 9_007_199_254_740_991_u64}});
        assert_eq!(read(text).map_err(|error| error.to_string()), Ok(value));
    }

    #[test]
    fn what_has_two_readings_is_not() {
        for (text, why) in [
            (r#"{"a":1,"a":2}"#, "the member `a` stands there twice"),
            (r#"{"a":1,"\u0061":2}"#, "the member `a` stands there twice"),
            ("9007199254740992", "the integer 9007199254740992 is beyond 2^53 - 1"),
            ("-9007199254740992", "the integer -9007199254740992 is beyond 2^53 - 1"),
            (r#""\ud800""#, "unexpected end of hex escape"),
            ("{} {}", "trailing characters"),
            ("1e999", "number out of range"),
        ] {
            let error = read(text.as_bytes()).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains(why)), "{text}: {error:?}");
        }
    }
}
